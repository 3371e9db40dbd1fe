"""Operators that make or repeat elements: constants, shapes as numbers, ranges, tiles."""

from __future__ import annotations

import math

from tinyvmaf.dnn.graph import (
    FEW,
    FLOAT,
    FLOAT16,
    INT64,
    MAX_RANK,
    Fatal,
    Node,
    Number,
    Refusal,
    Tensor,
    product,
)
from tinyvmaf.dnn.rules.base import given, integer, known_integers, required, tensor, tight, unknown
from tinyvmaf.dnn.values import Known, all_rounded, loose, rounded

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

    from tinyvmaf.dnn.rules.base import Context, Inputs, Results, Rule


_WIDER: Final = {5: 6, FLOAT16: FLOAT, 16: FLOAT}
"""Narrow type -> the one that its numbers are subtracted in."""


def _known(value: Tensor, constant: bool = True) -> Known:
    return Known(value.dtype, value.dims, value.data, constant=constant)


def _constant(node: Node, inputs: Inputs, context: Context) -> Results:
    if len(node.attributes) != 1:
        raise Refusal(f"A Constant has one value, not {len(node.attributes)}", node.where)
    value = tensor(node, "value")
    if value is not None:
        return [_known(value)]
    for name, dtype in (("value_int", INT64), ("value_float", FLOAT)):
        number = node.attributes.get(name)
        if isinstance(number, int | float):
            return [Known(dtype, (), (number,), constant=True)]
    for name, dtype in (("value_ints", INT64), ("value_floats", FLOAT)):
        numbers = node.attributes.get(name)
        if isinstance(numbers, tuple):
            return [Known(dtype, (len(numbers),), numbers, constant=True)]
    raise Refusal("A Constant is a tensor, a number or a list of numbers", node.where)


def _shape(node: Node, inputs: Inputs, context: Context) -> Results:
    value = required(inputs, 0, node)
    start, end = integer(node, "start", 0), integer(node, "end", MAX_RANK)
    dims = value.dims[start:end] if start >= -value.rank else value.dims[:end]
    return [loose(INT64, value.rank) if value.loose else Known(INT64, (len(dims),), dims)]


def _size(node: Node, inputs: Inputs, context: Context) -> Results:
    value = required(inputs, 0, node)
    return [Known(INT64, (), None if value.loose else (value.elements,))]


def _expand(node: Node, inputs: Inputs, context: Context) -> Results:
    value = required(inputs, 0, node)
    wanted = known_integers(given(inputs, 1), "the shape", node)
    value = tight(value, node)
    _check_dims(wanted, node)
    if 0 in wanted and value.elements:
        raise Fatal(f"Expand makes a size other than 0 of a tensor that is not empty, not {wanted}", node.where)
    rank = max(len(wanted), value.rank)
    left, right = (1,) * (rank - value.rank) + value.dims, [1] * (rank - len(wanted)) + wanted
    if any(a != b and 1 not in (a, b) for a, b in zip(left, right, strict=True)):
        context.misfit(f"Expand stretches axes of length 1, but not {value.dims} to {wanted}", node.where)
    dims = [b if a == 1 else a if b == 1 else max(a, b) for a, b in zip(left, right, strict=True)]
    number = value.scalar()
    return [Known(value.dtype, dims, None if number is None or product(dims) > FEW else [number] * product(dims))]


def _check_dims(dims: list[int], node: Node) -> None:
    if len(dims) > MAX_RANK or min(dims, default=0) < 0:
        raise Refusal(f"A shape has at most {MAX_RANK} axes of 0 or more elements, not {dims[:20]}", node.where)


def _tile(node: Node, inputs: Inputs, context: Context) -> Results:
    value = required(inputs, 0, node)
    repeats = known_integers(given(inputs, 1), "the number of repeats", node)
    value = tight(value, node)
    _check_dims(repeats, node)
    if len(repeats) != value.rank:
        raise Refusal("Tile has one number of repeats per axis", node.where)
    return [Known(value.dtype, [a * b for a, b in zip(value.dims, repeats, strict=True)])]


def _constant_of_shape(node: Node, inputs: Inputs, context: Context) -> Results:
    dims = known_integers(required(inputs, 0, node), "the shape", node)
    _check_dims(dims, node)
    fill = tensor(node, "value")
    dtype = FLOAT if fill is None else fill.dtype
    number = 0.0 if fill is None else fill.data[0] if fill.data else None
    count = product(dims)
    return [Known(dtype, dims, None if number is None or count > FEW else [number] * count)]


def _ceiling(way: Number, step: Number) -> int:
    return -(-way // step) if isinstance(way, int) and isinstance(step, int) else math.ceil(way / step)


def _steps(start: Number, limit: Number, step: Number, dtype: int, node: Node) -> int:
    """How many numbers a range has, by the kernel, which is exact, and by the arithmetic of their type.

    Raises:
        Fatal: They differ. The runtime plans its memory by the second, and takes it for the shape.
    """
    way = rounded(limit - start, _WIDER.get(dtype, dtype))
    exact = _ceiling(limit - start, step) if way is not None else 0
    if way is None or exact != math.ceil(float(way) / float(step)):
        raise Fatal(f"A Range has the same length by exact and by rounded steps, unlike {start} to {limit}", node.where)
    return max(exact, 0)


def _range(node: Node, inputs: Inputs, context: Context) -> Results:
    values = [required(inputs, i, node) for i in range(3)]
    start, limit, step = (value.scalar() for value in values)
    if start is None or limit is None or step is None:
        raise unknown("the limits", node)
    if not step:
        raise Refusal("Range has a step other than 0", node.where)
    dtype = values[0].dtype
    count = _steps(start, limit, step, dtype, node)
    numbers: list[Number | None] = [start]
    while len(numbers) < count <= FEW and numbers[-1] is not None:
        numbers.append(rounded(numbers[-1] + step, dtype))  # each number follows from the one before, errors included
    return [Known(dtype, (count,), all_rounded(numbers[:count], dtype))]


def _non_zero(node: Node, inputs: Inputs, context: Context) -> Results:
    value = required(inputs, 0, node)
    return [loose(INT64, max(value.rank, 1) * value.room, 2)]


RULES: Final[dict[str, Rule]] = {
    "Constant": _constant,
    "ConstantOfShape": _constant_of_shape,
    "Expand": _expand,
    "NonZero": _non_zero,
    "Range": _range,
    "Shape": _shape,
    "Size": _size,
    "Tile": _tile,
}
