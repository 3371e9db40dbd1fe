"""Operators that sum up or multiply: reductions, softmax, matrix products."""

from __future__ import annotations

import math

from tinyvmaf.dnn.graph import (
    FLOAT,
    FLOAT16,
    INT64,
    Fatal,
    Node,
    Number,
    Refusal,
)
from tinyvmaf.dnn.rules.base import (
    axis_of,
    broadcast,
    check_axes,
    flag,
    given,
    integer,
    integer_list,
    like,
    required,
    tight,
)
from tinyvmaf.dnn.values import Known, all_rounded, loose

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Final

    from tinyvmaf.dnn.rules.base import Context, Inputs, Results, Rule

_INT32 = 6
_FAST: Final = frozenset((FLOAT, FLOAT16, 2, 3))
_BATCH_BYTES: Final = 128
"""What the runtime notes down per matrix of a batch."""
_EXACT: Final = 1 << 24
"""The runtime multiplies whole numbers as real ones, which are exact up to here."""
_FOLDS: Final[dict[str, Callable[[Sequence[Number]], Number]]] = {
    "ReduceMax": max,
    "ReduceMin": min,
    "ReduceProd": math.prod,
}


def _reduce(node: Node, inputs: Inputs, context: Context) -> Results:
    value, named = required(inputs, 0, node), given(inputs, 1)
    context.work(value.elements * 4)
    axes = integer_list(node, "axes")
    check_axes(axes, named, node)
    if axes is None and named is not None:
        axes = named.integers()
        if axes is None:
            return [loose(value.dtype, value.room, value.rank)]
    if not axes and flag(node, "noop_with_empty_axes", 0):
        return [like(value)]
    if value.loose:
        return [loose(value.dtype, value.room, value.rank)]
    gone = {axis_of(axis, value.rank, node) for axis in axes or range(value.rank)}
    keep = flag(node, "keepdims", 1)
    dims = [1 if i in gone else length for i, length in enumerate(value.dims) if i not in gone or keep]
    fold = _FOLDS.get(node.op)
    whole = fold is not None and value.data and value.rank <= 1 and isinstance(value.data[0], int)
    if node.op == "ReduceProd" and math.prod(max(abs(v), 1) for v in value.data or ()) > _EXACT:
        return [Known(value.dtype, dims)]
    data = all_rounded([fold(value.data)], value.dtype) if whole and fold is not None and value.data else None
    return [Known(value.dtype, dims, data)]


def _arg(node: Node, inputs: Inputs, context: Context) -> Results:
    value = required(inputs, 0, node)
    context.work(value.elements)
    if value.loose:
        return [loose(INT64, value.room, value.rank)]
    gone, keep = axis_of(integer(node, "axis", 0), value.rank, node), flag(node, "keepdims", 1)
    return [Known(INT64, [1 if i == gone else d for i, d in enumerate(value.dims) if i != gone or keep])]


def _same(node: Node, inputs: Inputs, context: Context) -> Results:
    value = required(inputs, 0, node)
    context.work(value.elements * 8)
    if node.op == "Softmax" and "axis" in node.attributes:
        axis_of(integer(node, "axis", 0), value.rank, node)
    return [like(value)]


def _slowness(dtype: int) -> int:
    """How much longer a product takes than one of float32, float16 or int8, which have fast routines."""
    return 1 if dtype in _FAST else 8


def _matmul(node: Node, inputs: Inputs, context: Context) -> Results:
    left, right = required(inputs, 0, node), required(inputs, 1, node)
    dtype = _INT32 if node.op == "MatMulInteger" else left.dtype
    if left.loose or right.loose:
        context.work(left.elements * right.elements * _slowness(left.dtype))
        return [loose(dtype, left.room * right.room, max(left.rank, right.rank))]
    if node.op == "MatMulInteger" and not left.elements * right.elements:
        raise Fatal(f"MatMulInteger takes matrices that are not empty, not {left.dims} and {right.dims}", node.where)
    if not left.rank or not right.rank:
        raise Refusal("MatMul takes tensors with axes", node.where)
    a = left.dims if left.rank > 1 else (1, *left.dims)
    b = right.dims if right.rank > 1 else (*right.dims, 1)
    if a[-1] != b[-2]:
        context.misfit(f"MatMul cannot multiply {left.dims} by {right.dims}", node.where)
    batch = broadcast([Known(dtype, a[:-2]), Known(dtype, b[:-2])], dtype, node, context)
    rows, columns = (a[-2],) if left.rank > 1 else (), (b[-1],) if right.rank > 1 else ()
    result = Known(dtype, (*batch.dims, *rows, *columns))
    context.work(batch.elements * a[-2] * b[-1] * max(a[-1], b[-2]) * _slowness(left.dtype))
    context.scratch(batch.elements * _BATCH_BYTES)
    return [result]


def _gemm(node: Node, inputs: Inputs, context: Context) -> Results:
    left, right = tight(required(inputs, 0, node), node), tight(required(inputs, 1, node), node)
    if left.rank != 2 or right.rank != 2:
        raise Refusal("Gemm multiplies two matrices", node.where)
    rows, inner = left.dims[::-1] if flag(node, "transA", 0) else left.dims
    below, columns = right.dims[::-1] if flag(node, "transB", 0) else right.dims
    if inner != below:
        context.misfit(f"Gemm cannot multiply {left.dims} by {right.dims}", node.where)
    result = Known(left.dtype, (rows, columns))
    added = given(inputs, 2)
    if added is not None and broadcast([result, added], left.dtype, node, context).elements > result.elements:
        context.misfit(f"Gemm cannot add {added.dims} to {result.dims}", node.where)
    context.work(result.elements * max(inner, below) * _slowness(left.dtype))
    return [result]


RULES: Final[dict[str, Rule]] = {
    **dict.fromkeys(
        ("ReduceMax", "ReduceMean", "ReduceMin", "ReduceProd", "ReduceSum"),
        _reduce,
    ),
    "ArgMax": _arg,
    "CumSum": _same,
    "Gemm": _gemm,
    "MatMul": _matmul,
    "MatMulInteger": _matmul,
    "Softmax": _same,
}
