"""Operators that move elements: new shapes, slices, joins, look-ups."""

from __future__ import annotations

import itertools
import operator

from tinyvmaf.dnn.graph import (
    FEW,
    MAX_RANK,
    Fatal,
    Node,
    Number,
    Refusal,
    product,
)
from tinyvmaf.dnn.rules.base import (
    axis_of,
    check_axes,
    flag,
    given,
    integer,
    integer_list,
    like,
    required,
    tight,
    unknown,
)
from tinyvmaf.dnn.values import Known, loose, picked

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Final

    from tinyvmaf.dnn.rules.base import Context, Inputs, Results, Rule


_TO_THE_END: Final = ((1 << 31) - 1, (1 << 63) - 1)
"""Ends of a slice that stand for none."""


def _reshape(node: Node, inputs: Inputs, context: Context) -> Results:
    value, target = required(inputs, 0, node), required(inputs, 1, node)
    wanted = target.integers()
    if target.elements > MAX_RANK:
        raise Refusal(f"A tensor has at most {MAX_RANK} axes, but this one has {target.elements}", node.where)
    if wanted is None:
        if value.loose or not value.elements:
            raise unknown("the shape", node)  # nothing fits into every shape that has a length of 0
        return [loose(value.dtype, value.elements, target.elements)]
    zeros = flag(node, "allowzero", 0)
    if wanted.count(-1) > 1 or min(wanted, default=1) < -1 or (zeros and 0 in wanted and -1 in wanted):
        raise Refusal(f"Reshape cannot make the shape {wanted}", node.where)
    if value.loose:
        stated = product(d for d in wanted if d > 0)
        most = value.room * stated if 0 in wanted else max(value.room, stated)
        return [loose(value.dtype, most, len(wanted))]
    return [_reshaped(value, wanted, zeros, node, context)]


def _reshaped(value: Known, wanted: list[int], zeros: int, node: Node, context: Context) -> Known:
    dims = list(wanted)
    if not zeros:
        dims = [value.dims[i] if d == 0 and i < value.rank else d for i, d in enumerate(dims)]
    if -1 in dims:
        rest = product(d for d in dims if d != -1)
        dims[dims.index(-1)] = value.elements // rest if rest else 0
    if product(dims) != value.elements:
        context.misfit(f"Reshape keeps all elements, but {value.dims} does not make {wanted}", node.where)
        return loose(value.dtype, value.room, len(dims))
    return Known(value.dtype, dims, value.data, constant=value.constant)


def _axes(node: Node, inputs: Inputs, context: Context) -> tuple[list[int] | None, bool]:
    """Axes from the attribute or the second input, None where they are left out; and whether they are unknown."""
    stated, named = integer_list(node, "axes"), given(inputs, 1)
    check_axes(stated, named, node)
    if context.opset < 11 and stated is not None and stated != sorted({abs(axis) for axis in stated}):
        raise Fatal(f"{node.op} counts its axes in order from the front before opset 11, unlike {stated}", node.where)
    if stated is not None or named is None:
        return stated, False
    return named.integers(), named.data is None


def _squeeze(node: Node, inputs: Inputs, context: Context) -> Results:
    value = required(inputs, 0, node)
    axes, unknown_axes = _axes(node, inputs, context)
    if value.loose or unknown_axes:
        return [loose(value.dtype, value.room, max(value.rank - len(axes or ()), 0))]
    if axes == []:
        raise Fatal("Squeeze names axes or leaves the list out, but here the list is empty", node.where)
    if axes is None:
        gone = {i for i, length in enumerate(value.dims) if length == 1}
    else:
        gone = {axis_of(axis, value.rank, node) for axis in axes}
    if any(value.dims[i] != 1 for i in gone):
        context.misfit(f"Squeeze removes axes of length 1, but not all of {value.dims} are", node.where)
        return [loose(value.dtype, value.room, value.rank - len(gone))]
    dims = [length for i, length in enumerate(value.dims) if i not in gone]
    return [Known(value.dtype, dims, value.data, constant=value.constant)]


def _unsqueeze(node: Node, inputs: Inputs, context: Context) -> Results:
    value = required(inputs, 0, node)
    axes, unknown_axes = _axes(node, inputs, context)
    if axes is None and not unknown_axes:
        raise Refusal("Unsqueeze names the axes to insert", node.where)
    rank = value.rank + (required(inputs, 1, node).elements if axes is None else len(axes))
    if rank > MAX_RANK:
        raise Refusal(f"A tensor has at most {MAX_RANK} axes, but this one has {rank}", node.where)
    places = {axis_of(axis, rank, node) for axis in axes or ()}
    if len(places) < len(axes or ()):
        raise Refusal("Unsqueeze names every axis once", node.where)
    if value.loose or axes is None:
        return [loose(value.dtype, value.room, rank)]
    rest = iter(value.dims)
    dims = [1 if i in places else next(rest) for i in range(rank)]
    return [Known(value.dtype, dims, value.data, constant=value.constant)]


def _transpose(node: Node, inputs: Inputs, context: Context) -> Results:
    value = required(inputs, 0, node)
    order = integer_list(node, "perm")
    if order is None:
        order = list(range(value.rank))[::-1]
    if sorted(order) != list(range(value.rank)):
        raise Refusal(f"Transpose names each of {value.rank} axes once, but has {order}", node.where)
    if value.loose:
        return [like(value)]
    dims = [value.dims[i] for i in order]
    if not value.data:
        return [Known(value.dtype, dims, value.data)]
    steps = [product(value.dims[i + 1 :]) for i in order]
    rows = itertools.product(*map(range, dims))
    return [Known(value.dtype, dims, [value.data[sum(map(operator.mul, row, steps))] for row in rows])]


def _flatten(node: Node, inputs: Inputs, context: Context) -> Results:
    value = required(inputs, 0, node)
    axis = integer(node, "axis", 1)
    if not -value.rank <= axis <= value.rank:
        raise Refusal(f"Flatten names axis {axis} of a tensor with {value.rank} axes", node.where)
    axis = axis + value.rank if axis < 0 else axis
    if value.loose:
        return [loose(value.dtype, value.room, 2)]
    return [Known(value.dtype, (product(value.dims[:axis]), product(value.dims[axis:])))]


def _concat(node: Node, inputs: Inputs, context: Context) -> Results:
    values = [value for value in inputs if value is not None]
    first = required(values, 0, node)
    axis = axis_of(integer(node, "axis", 0), first.rank, node)
    total = sum(value.room for value in values)
    if any(value.loose for value in values):
        return [loose(first.dtype, total, first.rank)]
    if any(value.rank != first.rank for value in values):
        raise Refusal("Concat joins tensors that have as many axes", node.where)
    if len({value.dims[:axis] + value.dims[axis + 1 :] for value in values}) > 1:
        shapes = " and ".join(map(str, list(dict.fromkeys(value.dims for value in values))[:3]))
        context.misfit(f"Concat joins shapes that differ along axis {axis} only, not {shapes}", node.where)
    dims = [max(lengths) for lengths in zip(*(value.dims for value in values), strict=True)]
    dims[axis] = sum(value.dims[axis] for value in values)
    joined: list[Number] | None = []
    for value in values:
        joined = None if joined is None or value.data is None or axis else [*joined, *value.data][: FEW + 1]
    return [Known(first.dtype, dims, joined)]


def _split(node: Node, inputs: Inputs, context: Context) -> Results:
    value = required(inputs, 0, node)
    stated, count = integer_list(node, "split"), len(node.outputs)
    if integer(node, "num_outputs", count) != count:
        raise Fatal(f"Split has as many outputs as num_outputs says, not {count}", node.where)
    named = given(inputs, 1)
    lengths = stated if stated is not None or named is None else named.integers()
    if value.loose or (named is not None and lengths is None):
        return [loose(value.dtype, value.room, value.rank) for _ in range(count)]
    axis = axis_of(integer(node, "axis", 0), value.rank, node)
    whole = value.dims[axis]
    if lengths is None:
        part = -(-whole // count)
        lengths = [part] * (count - 1) + [whole - part * (count - 1)]
    if min(lengths, default=0) < 0 or sum(lengths) != whole or len(lengths) != count:
        context.misfit(f"Split cuts {whole} into parts of that sum, but has {lengths}", node.where)
        return [loose(value.dtype, value.room, value.rank) for _ in range(count)]
    ends = list(itertools.accumulate(lengths))
    return [
        Known(
            value.dtype, (*value.dims[:axis], length, *value.dims[axis + 1 :]),
            value.data[end - length : end] if value.data is not None and value.rank == 1 else None,
        )
        for length, end in zip(lengths, ends, strict=True)
    ]  # fmt: skip


def _slice(node: Node, inputs: Inputs, context: Context) -> Results:
    value, named = required(inputs, 0, node), [given(inputs, i) for i in range(1, 5)]
    if "starts" in node.attributes:
        numbers = [*(integer_list(node, name) for name in ("starts", "ends", "axes")), None]
    else:
        for item in named:
            check_axes(None, item, node)
        numbers = [None if item is None else item.integers() for item in named]
        if any(item is not None and found is None for item, found in zip(named, numbers, strict=True)):
            return [loose(value.dtype, value.room, value.rank)]
    starts, ends, axes, steps = numbers
    if starts is None or ends is None:
        raise Refusal("Slice says where it starts and ends", node.where)
    if value.loose:
        return [like(value)]
    result = _sliced(value, starts, ends, axes or list(range(len(starts))), steps or [1] * len(starts), node)
    if "starts" in node.attributes or not _is_planned_otherwise(named):
        return [result]
    planned = _sliced(value, starts, ends, list(range(len(starts))), [1] * len(starts), node)
    return [result if planned.dims == result.dims else loose(value.dtype, value.room, value.rank)]


def _is_planned_otherwise(named: Sequence[Known | None]) -> bool:
    """Whether the runtime may plan with the starts and ends of a slice, but without its axes or steps."""
    is_planned = not any(value is not None and value.given for value in named[:2])
    return is_planned and not all(value is None or value.constant for value in named[2:])


def _sliced(value: Known, starts: list[int], ends: list[int], axes: list[int], steps: list[int], node: Node) -> Known:
    places = [range(length) for length in value.dims]
    if not len(starts) == len(ends) == len(axes) == len(steps) or 0 in steps:
        raise Refusal("Slice has one start, end and step other than 0 for each axis", node.where)
    for start, end, named, step in zip(starts, ends, axes, steps, strict=True):
        axis = axis_of(named, value.rank, node)
        if step < 0 and end in _TO_THE_END:
            raise Fatal(f"A Slice backwards along axis {axis} ends in front of its start, not at {end}", node.where)
        places[axis] = _span(start, end, step, value.dims[axis])
    return Known(value.dtype, [len(axis) for axis in places], picked(value, places))


def _span(start: int, end: int, step: int, length: int) -> range:
    """The places of a slice, by the runtime's rules, which are not Python's where a step leads backwards."""
    back = step < 0
    start = min(max(start + length if start < 0 else start, 0), length - back)
    return range(start, min(max(end + length if end < 0 else end, -back), length), step)


def _gather(node: Node, inputs: Inputs, context: Context) -> Results:
    value, where = required(inputs, 0, node), required(inputs, 1, node)
    if value.loose or where.loose:
        rank = max(value.rank + where.rank - 1, 0)
        return [loose(value.dtype, value.room * where.room, rank)]
    axis = axis_of(integer(node, "axis", 0), value.rank, node)
    dims = (*value.dims[:axis], *where.dims, *value.dims[axis + 1 :])
    chosen, length = where.integers(), value.dims[axis]
    if any(not -length <= i < length for i in chosen or ()):
        context.misfit(f"Gather takes elements 0 to {length - 1}, not {chosen}", node.where)
        return [Known(value.dtype, dims)]
    if value.data is None or chosen is None:
        return [Known(value.dtype, dims)]
    places: list[Sequence[int]] = [range(length) for length in value.dims]
    places[axis] = [i % length for i in chosen]
    return [Known(value.dtype, dims, picked(value, places))]


def _gather_nd(node: Node, inputs: Inputs, context: Context) -> Results:
    value, where = tight(required(inputs, 0, node), node), tight(required(inputs, 1, node), node)
    batch = integer(node, "batch_dims", 0)
    depth = where.dims[-1] if where.rank else 0
    if not 0 <= batch < min(value.rank, where.rank) or not 1 <= depth <= value.rank - batch:
        raise Refusal(f"GatherND cannot take {where.dims} out of {value.dims}", node.where)
    return [Known(value.dtype, (*where.dims[:-1], *value.dims[batch + depth :]))]


def _gather_elements(node: Node, inputs: Inputs, context: Context) -> Results:
    value, where = required(inputs, 0, node), required(inputs, 1, node)
    axis_of(integer(node, "axis", 0), value.rank, node)
    return [like(where, value.dtype)]


def _scatter(node: Node, inputs: Inputs, context: Context) -> Results:
    value, updates = required(inputs, 0, node), required(inputs, 2, node)
    context.work(updates.elements * 32)
    return [like(value)]


def _same(node: Node, inputs: Inputs, context: Context) -> Results:
    return [like(required(inputs, 0, node))]


RULES: Final[dict[str, Rule]] = {
    "Concat": _concat,
    "Flatten": _flatten,
    "Gather": _gather,
    "GatherElements": _gather_elements,
    "GatherND": _gather_nd,
    "Reshape": _reshape,
    "ScatterElements": _scatter,
    "ScatterND": _scatter,
    "Slice": _slice,
    "Split": _split,
    "Squeeze": _squeeze,
    "Transpose": _transpose,
    "Trilu": _same,
    "Unsqueeze": _unsqueeze,
}
