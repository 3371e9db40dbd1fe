"""How to add one node of every allowed operator to a sketch: mostly sensible, now and then at an edge."""

from __future__ import annotations

from typing import Any

import numpy as np
from onnx import helper

from fuzz.chains import chain, numbers
from fuzz.images import IMAGES
from fuzz.sketch import FLOATS, WHOLE, Recipe, Sketch
from tinyvmaf.dnn.values import INTEGERS

ANY = (np.float32, np.float32, *FLOATS, *WHOLE, bool)
HUGE = (0, 1, -1, 2, -2, 5, -7, 100, -100, 2**31 - 1, -(2**31), 2**63 - 1, -(2**63), -(2**63) + 1, 2**63 - 2)


def _unary(s: Sketch, op: str) -> None:
    kinds: dict[str, tuple[Any, ...]] = {
        "Not": (bool,), "Identity": ANY, "Size": ANY, "Abs": (*FLOATS, *WHOLE), "Sign": (*FLOATS, *WHOLE),
        "Neg": (*FLOATS, np.int8, np.int32, np.int64), "Relu": (np.float32, np.float64, np.int32, np.int8),
        "NonZero": (np.float32, np.int64, np.int32, np.uint8, bool), "Erf": (np.float32,),
    }  # fmt: skip
    s.op(op, s.any(*kinds.get(op, (np.float32, np.float32, np.float64))))


def _stretched(s: Sketch, dims: tuple[int, ...]) -> list[int]:
    """A shape that stretches to another, or that the other stretches to."""
    return [
        s.draws.pick(d, d, d, 1, 3 if d == 1 else d) for d in dims[s.draws.pick(0, 0, s.draws.below(len(dims) + 1)) :]
    ]


def _several(s: Sketch, op: str) -> None:
    kinds: tuple[Any, ...] = (np.float32, np.float32, np.int64, np.int32, np.float64, np.float16, np.uint8)
    if op in ("Sum", "Mean"):
        kinds = (np.float32, np.float64)
    elif op in ("Pow", "Max", "Min") and s.opset < 12:
        kinds = (np.float32,)
    kinds = {"And": (bool,), "Or": (bool,), "BitShift": (np.uint8, np.uint32, np.uint64)}.get(op, kinds)
    first = s.any(*kinds)
    dtype = helper.tensor_dtype_to_np_dtype(s.known[first].dtype)
    count = s.draws.pick(1, 1, 2, 0, 3) if op in ("Max", "Min", "Sum", "Mean") else 1
    others = [s.value(_stretched(s, s.dims(first)), dtype) for _ in range(count)]
    if op in ("Div", "Mod") and s.known[first].dtype in INTEGERS and s.draws.often(70):
        others = [s.constant(np.full(_stretched(s, s.dims(first)), s.draws.pick(2, 3, -2, 7)).astype(dtype), dtype)]
    inputs = [first, *others][:: s.draws.pick(1, 1, -1)]
    more = {"direction": s.draws.pick("LEFT", "RIGHT")} if op == "BitShift" else {}
    s.op(op, *inputs, **(more | ({"fmod": 1} if op == "Mod" and np.dtype(dtype).kind == "f" else {})))


def _where(s: Sketch, op: str) -> None:
    yes = s.any(*ANY)
    dtype = helper.tensor_dtype_to_np_dtype(s.known[yes].dtype)
    dims = s.dims(yes)
    s.op(op, s.value(_stretched(s, dims), bool), yes, s.value(_stretched(s, dims), dtype))


def _clip(s: Sketch, op: str) -> None:
    value = s.any(np.float32, np.int64, np.int32, np.float64, np.int8)
    dtype = helper.tensor_dtype_to_np_dtype(s.known[value].dtype)
    ends = [s.draws.pick("", s.value(s.draws.pick([], [], [1]), dtype)) for _ in range(2)]
    s.op(op, value, *ends)


def _cast(s: Sketch, op: str) -> None:
    s.op(op, s.any(*ANY), to=s.draws.pick(1, 2, 3, 4, 5, 6, 7, 9, 10, 11, 12, 13, 16, 17, 19, 22))


def _cast_like(s: Sketch, op: str) -> None:
    s.op(op, s.any(*ANY), s.value([1], *ANY))


def _parameters(s: Sketch, op: str) -> None:
    """Normalisations and PRelu: a value, and numbers for its channels or last axes."""
    value = s.any(np.float32, low=1, rank=s.draws.pick(3, 4, 2, 5))
    dims = s.dims(value)
    channels = [dims[1] if s.draws.often(90) else s.draws.pick(1, 3)]
    if op == "PRelu":
        s.op(op, value, s.value(_stretched(s, dims)))
    elif op == "LayerNormalization":
        axis = s.axis(len(dims))
        rest = [s.value(s.draws.pick(list(dims[axis:]), [dims[-1]], _stretched(s, dims[axis:]))) for _ in range(2)]
        s.op(op, value, *rest[: s.draws.whole(1, 2)], axis=axis, outs=s.draws.pick(1, 3, 2))
    elif op == "InstanceNormalization":
        s.op(op, value, s.value(channels), s.value(channels))
    else:
        s.op(op, value, *(s.value(channels) for _ in range(4)))


def _dropout(s: Sketch, op: str) -> None:
    value = s.any(np.float32)
    more = [s.constant(s.draws.pick(0.5, 0.0))] if s.opset >= 12 and s.draws.often(50) else []
    s.op(op, value, *more, outs=s.draws.pick(1, 2))


def _quantised(s: Sketch, op: str) -> None:
    value = s.any(np.float32) if op != "DequantizeLinear" else s.any(np.uint8, np.int8, np.int32)
    dims = s.dims(value)
    if op == "DynamicQuantizeLinear":
        s.op(op, value, outs=3)
        return
    axis = s.axis(len(dims))
    count = dims[axis] if dims else 1
    lengths: list[int] = s.draws.pick([], [1], [count], [count], [count + 1], list(dims))
    scale = s.constant(np.full(lengths, s.draws.pick(0.5, 1.0, 2.0), np.float32))
    code = s.known[value].dtype if op == "DequantizeLinear" else s.draws.pick(2, 3)
    zero = [s.constant(np.ones(lengths), helper.tensor_dtype_to_np_dtype(code))] if s.draws.often(60) else []
    more = {"axis": axis} if s.opset >= 13 else {}
    if s.opset >= 21 and s.draws.often(20):
        more |= {"block_size": s.draws.pick(0, 1, 2, 3)}
    s.op(op, value, scale, *zero, **more)


def _reduce(s: Sketch, op: str) -> None:
    value = s.any(np.float32, np.int64, np.int32, np.float64)
    axes = s.axes(len(s.dims(value)))
    more: dict[str, Any] = {"keepdims": s.draws.pick(1, 0)}
    if s.opset < (13 if op == "ReduceSum" else 18):
        s.op(op, value, **(more | ({"axes": axes} if axes else {})))
        return
    more["noop_with_empty_axes"] = s.draws.pick(0, 0, 1)
    s.op(op, value, *([] if s.draws.often(20) else [s.constant(np.array(axes, np.int64), np.int64)]), **more)


def _along(s: Sketch, op: str) -> None:
    """ArgMax, Softmax, Flatten, CumSum, Trilu, Transpose: one value, one attribute."""
    d = s.draws
    rank = s.draws.pick(2, 3, 4) if op == "Trilu" else None
    value = s.any(*(ANY if op in ("Flatten", "Transpose") else (np.float32, np.float32, np.float64)), rank=rank)
    rank = len(s.dims(value))
    if op == "CumSum":
        s.op(op, value, s.constant(np.int64(s.axis(rank))), exclusive=d.pick(0, 1), reverse=d.pick(0, 1))
    elif op == "Trilu":
        s.op(op, value, *d.pick([], [s.constant(np.int64(d.pick(*HUGE)))]), upper=d.pick(0, 1))
    elif op == "Transpose":
        order = sorted(range(rank), key=lambda _: d.below(256))
        s.op(op, value, **d.pick({"perm": order}, {}))
    elif op == "ArgMax":
        s.op(op, value, axis=s.axis(rank), keepdims=d.pick(1, 0))
    else:
        s.op(op, value, axis=s.axis(rank))


def _product(s: Sketch, op: str) -> None:
    d = s.draws
    kinds = (np.uint8,) if op == "MatMulInteger" else (np.float32, np.float32, np.float64, np.int32, np.int64)
    left = s.any(*kinds, rank=2 if op == "Gemm" else d.pick(2, 3, 1, 4, 2))
    dims = s.dims(left)
    dtype = helper.tensor_dtype_to_np_dtype(s.known[left].dtype)
    if op == "Gemm":
        turn, flip = d.pick(0, 0, 1), d.pick(0, 0, 1)
        inner, rows, columns = dims[0 if turn else 1], dims[1 if turn else 0], d.pick(3, 1, 5, 0)
        right = s.value([columns, inner] if flip else [inner, columns], dtype)
        more = [s.value(d.pick([columns], [rows, columns], [1], [], [rows, 1]), dtype)] if d.often(60) else []
        s.op(op, left, right, *more, transA=turn, transB=flip)
        return
    batch = _stretched(s, dims[:-2]) if d.often(50) else []
    right = s.value(d.pick([*batch, dims[-1], d.pick(3, 1, 5)], [dims[-1]]), dtype)
    more = [s.constant(np.ones(d.pick([], [1]), np.uint8)) for _ in range(d.pick(0, 1, 2))]
    s.op(op, left, right, *(more if op == "MatMulInteger" else []))


def _reshape(s: Sketch, op: str) -> None:
    d = s.draws
    value = s.any(*ANY)
    dims = list(s.dims(value))
    wanted = [d.pick(length, length, 0) for length in dims]
    if wanted and d.often(60):
        wanted[d.below(len(wanted))] = -1
    if d.often(50):
        wanted = d.pick([-1], [1, *wanted], [s.known[value].elements], [*dims[::-1]], [2, -1], [*wanted[:-1], -1])
    more = {"allowzero": 1} if s.opset >= 14 and d.often(10) else {}
    s.op(op, value, numbers(s, wanted), **more)


def _squeeze(s: Sketch, op: str) -> None:
    value = s.any(*ANY)
    dims = s.dims(value)
    if op == "Squeeze":
        axes = [axis for axis in s.axes(len(dims)) if dims[axis] == 1 or s.draws.often(5)]
    else:
        axes = s.axes(len(dims) + 1)[:2]
    if s.opset < 13:
        s.op(op, value, **({"axes": axes} if axes else {}))
        return
    s.op(op, value, *([] if op == "Squeeze" and s.draws.often(25) else [numbers(s, axes)]))


def _slice(s: Sketch, op: str) -> None:
    d = s.draws
    value = s.any(*ANY)
    axes = s.axes(len(s.dims(value)))
    place = (0, 1, -1, 2, 3, -2, 5, *HUGE)
    starts, ends = d.some(len(axes), *place), d.some(len(axes), *place)
    if s.opset < 10:
        s.op(op, value, starts=starts, ends=ends, axes=axes)
        return
    steps = d.some(len(axes), 1, 1, -1, 2, -2, 3, *HUGE[3:])
    s.op(op, value, numbers(s, starts), numbers(s, ends), numbers(s, axes), numbers(s, steps))


def _split(s: Sketch, op: str) -> None:
    d = s.draws
    value = s.any(np.float32, np.int64, np.int32, np.uint8)
    dims = s.dims(value)
    axis, count = s.axis(len(dims)), d.pick(2, 1, 3, 4)
    parts = [d.whole(0, max(dims[axis] if dims else 0, 0) // count) for _ in range(count - 1)]
    parts.append((dims[axis] if dims else 0) - sum(parts))
    if d.often(50):
        uneven = {"num_outputs": count} if s.opset >= 18 else {}
        s.op(op, value, axis=axis, outs=count, **uneven)
    elif s.opset < 13:
        s.op(op, value, axis=axis, outs=count, split=parts)
    else:
        s.op(op, value, numbers(s, parts), axis=axis, outs=count)


def _concat(s: Sketch, op: str) -> None:
    first = s.any(*ANY)
    dims, dtype = list(s.dims(first)), helper.tensor_dtype_to_np_dtype(s.known[first].dtype)
    axis = s.axis(len(dims))
    others = []
    for _ in range(s.draws.pick(1, 2, 0)):
        shape = dims.copy()
        if shape:
            shape[axis] = s.draws.pick(1, shape[axis], 0, 3)
        others.append(s.value(shape, dtype))
    s.op(op, first, *others, axis=axis)


def _look_up(s: Sketch, op: str) -> None:
    d = s.draws
    value = s.any(*ANY)
    dims = s.dims(value)
    rank = len(dims)
    axis = s.axis(rank)
    least = min([dims[axis]] if dims else [1])

    def places(shape: list[int]) -> str:
        found = np.array([d.whole(-least, max(least - 1, 0)) for _ in range(min(int(np.prod(shape)), 16))] or [0])
        array = np.resize(found, shape).astype(d.pick(np.int64, np.int32))
        return s.entry(array) if d.often(50) else s.constant(array, array.dtype)

    if op == "Gather":
        s.op(op, value, places(d.pick([2], [], [1], [2, 3], [0], [3])), axis=axis)
    elif op == "GatherElements":
        s.op(op, value, places([d.whole(0, n) for n in dims]), axis=axis)
    elif op == "GatherND":
        batch = d.pick(0, 0, 1, 2)
        least = min(dims, default=1)
        lead = [*dims[:batch], *s.shape(d.pick(1, 0, 2))]
        index = np.zeros([*lead, d.whole(1, max(rank - batch, 1))], np.int64)
        s.op(op, value, s.constant(index, np.int64), **({"batch_dims": batch} if batch else {}))
    else:
        dtype = helper.tensor_dtype_to_np_dtype(s.known[value].dtype)
        shape = [d.whole(0, n) for n in dims]
        if op == "ScatterElements":
            s.op(op, value, places(shape), s.value(shape, dtype), axis=axis)
            return
        depth, lead = d.whole(1, max(rank, 1)), s.shape(d.pick(1, 2, 0))
        index = s.constant(np.zeros([*lead, depth], np.int64), np.int64)
        s.op(op, value, index, s.value([*lead, *dims[depth:]], dtype))


def _sized(s: Sketch, op: str) -> None:
    """ConstantOfShape, Expand, Tile, Range: results whose size is a number."""
    d = s.draws
    if op == "ConstantOfShape":
        fill = {"value": s.array([1], d.pick(np.float32, np.int64, np.int32, bool))} if d.often(60) else {}
        s.op(op, numbers(s, s.shape()), **fill)
    elif op == "Range":
        chain(s, ranges=True)
    else:
        value = s.any(*ANY)
        dims = s.dims(value)
        wanted = d.some(len(dims), 1, 2, 3, 0) if op == "Tile" else [*d.pick([], [2]), *_stretched(s, dims)]
        s.op(op, value, numbers(s, wanted))


def _shape(s: Sketch, op: str) -> None:
    more = {"start": s.draws.whole(-6, 6), "end": s.draws.whole(-6, 6)} if s.opset >= 15 and s.draws.often(50) else {}
    s.op(op, s.any(*ANY), **more)


def _constant(s: Sketch, op: str) -> None:
    s.op(op, value=s.array(s.shape(), s.draws.pick(*ANY)))


def _all(names: str, recipe: Recipe) -> dict[str, Recipe]:
    return dict.fromkeys(names.split(), recipe)


RECIPES: dict[str, Recipe] = {
    **_all("Abs Ceil Cos Elu Erf Exp Floor Gelu HardSigmoid HardSwish Identity IsNaN LeakyRelu Log Neg Not", _unary),
    **_all("Reciprocal Relu Round Selu Sigmoid Sign Sin Size Softplus Softsign Sqrt Tanh NonZero", _unary),
    **_all("Add Sub Mul Div Mod Equal Greater GreaterOrEqual Less LessOrEqual And Or Max Min Sum Mean", _several),
    **_all("Pow BitShift", _several),
    **_all("PRelu LayerNormalization InstanceNormalization BatchNormalization", _parameters),
    **_all("QuantizeLinear DequantizeLinear DynamicQuantizeLinear", _quantised),
    **IMAGES,
    **_all("ReduceMax ReduceMean ReduceMin ReduceProd ReduceSum", _reduce),
    **_all("ArgMax Softmax Flatten CumSum Trilu Transpose", _along),
    **_all("MatMul MatMulInteger Gemm", _product),
    **_all("Squeeze Unsqueeze", _squeeze),
    **_all("Gather GatherElements GatherND ScatterElements ScatterND", _look_up),
    **_all("ConstantOfShape Expand Tile Range", _sized),
    "Cast": _cast, "CastLike": _cast_like, "Clip": _clip, "Concat": _concat, "Constant": _constant,
    "Dropout": _dropout, "Reshape": _reshape,
    "Shape": _shape, "Slice": _slice, "Split": _split, "Where": _where,
}  # fmt: skip
