"""Numbers computed on the way to a size: arithmetic on small tensors in every type, which the guard follows."""

from __future__ import annotations

from typing import Any

import numpy as np
from onnx import helper

from fuzz.sketch import EDGES, WHOLE, Sketch

WIDE = (1, 2, 0, -1, 3, 7, -5, 100, 127, 255, 2**15, 2**24 + 1, 2**31 - 1, -(2**31), 2**53 + 1, 2**63 - 1, -(2**63))
TYPES: tuple[Any, ...] = (np.int64, np.float32, np.int32, np.float64, np.int64, np.float32, np.float16, *WHOLE, bool)


def numbers(s: Sketch, wanted: list[int]) -> str:
    """Whole numbers: a constant, or the result of a chain that the guard believes to give them."""
    if wanted and s.draws.often(30):
        found = chain(s, len(wanted))
        known = s.known[found]
        if known.dtype == 7 and known.data is not None and known.dims == (len(wanted),):
            lack = [(a - int(b) + 2**63) % 2**64 - 2**63 for a, b in zip(wanted, known.data, strict=True)]
            made = s.op("Add", found, s.constant(np.array(lack, np.int64), np.int64))
            if made:
                return made[0]
    array = np.array(wanted, np.int64)
    if array.size and s.draws.often(12):  # which the guard learns from the caller, or does not learn
        return s.draws.pick(s.entry(array), *s.op("Identity", s.entry(array)))
    return s.constant(array, np.int64)


def chain(s: Sketch, count: int = 0, ranges: bool = False) -> str:
    """A few steps of arithmetic on a small tensor; of `count` whole numbers in the end if it is stated."""
    d = s.draws
    dtype = d.pick(*TYPES)
    name = s.constant(_numbers(s, count or d.pick(1, 2, 3, 6), dtype), dtype)
    for _ in range(d.whole(1, 5)):
        made = _range(s) if ranges else d.pick(*_STEPS)(s, name)
        name = made[0] if made and (not count or s.dims(made[0]) == (count,)) else name
    if count and s.known[name].dtype != 7:
        name = (s.op("Cast", name, to=7) or [name])[0]
    return name


def _numbers(s: Sketch, count: int, dtype: Any) -> Any:
    kind = np.dtype(dtype)
    with np.errstate(all="ignore"):
        if kind.kind == "f":
            few = s.draws.some(count, *WIDE[:9], 0.5, -1.5, 2.5, 1 / 3, 0.1, 1e-3, -0.0, 1 + 2**-20)
            if few and s.draws.often(15):
                few[0] = s.draws.pick(*EDGES)
            return np.array(few, np.float64).astype(kind)
        return np.array(s.draws.some(count, *WIDE), np.int64).astype(kind)


def _dtype(s: Sketch, name: str) -> Any:
    return helper.tensor_dtype_to_np_dtype(s.known[name].dtype)


def _beside(s: Sketch, name: str) -> str:
    """A constant of the same type: one number, or as many."""
    count = s.draws.pick(1, s.known[name].elements)
    array = _numbers(s, count, _dtype(s, name))
    fits = array.reshape(s.dims(name)) if count == s.known[name].elements else array.reshape(s.draws.pick([], [1]))
    return s.constant(fits, array.dtype)


def _unary(s: Sketch, name: str) -> list[str]:
    op = s.draws.pick("Neg", "Abs", "Floor", "Ceil", "Round", "Sqrt", "Reciprocal", "Sign", "Relu", "Not", "Identity")
    return s.op(op, name)


def _binary(s: Sketch, name: str) -> list[str]:
    op = s.draws.pick("Add", "Sub", "Mul", "Div", "Mod", "Max", "Min", "Sum", "Div", "Pow", "Mean")
    pair = [name, _beside(s, name)][:: s.draws.pick(1, -1)]
    return s.op(op, *pair)


def _compare(s: Sketch, name: str) -> list[str]:
    pair = [name, _beside(s, name)]
    made = s.op(s.draws.pick("Equal", "Greater", "Less", "GreaterOrEqual", "LessOrEqual"), *pair)
    return s.op("Where", made[0], *pair) if made and s.draws.often(60) else made


def _cast(s: Sketch, name: str) -> list[str]:
    return s.op("Cast", name, to=s.draws.pick(7, 1, 6, 11, 7, 1, 10, 2, 3, 4, 5, 9, 12, 13, 16))


def _clip(s: Sketch, name: str) -> list[str]:
    dtype = _dtype(s, name)
    ends = [s.draws.pick("", s.constant(_numbers(s, 1, dtype).reshape([]), dtype)) for _ in range(2)]
    return s.op("Clip", name, *ends)


def _integers(s: Sketch, *values: int) -> str:
    return s.constant(np.array(values, np.int64), np.int64)


def _move(s: Sketch, name: str) -> list[str]:
    """The same numbers in other places."""
    d, count = s.draws, s.known[name].elements
    op = d.pick("Gather", "Slice", "Concat", "Split", "Unsqueeze", "Reshape", "Squeeze", "Transpose", "Flatten", "Tile")
    if op == "Gather":
        return s.op(op, name, _integers(s, *[d.whole(-count, max(count - 1, 0)) for _ in range(count)]))
    if op == "Slice":
        return s.op(
            op,
            name,
            _integers(s, d.pick(-1, 0, 5)),
            _integers(s, d.pick(-99, 9, -1)),
            _integers(s, 0),
            _integers(s, d.pick(-1, 1, 2)),
        )
    if op == "Concat":
        return s.op(op, name, _beside(s, name), axis=0)
    if op == "Split":
        return s.op(op, name, outs=2, axis=0)
    if op in ("Unsqueeze", "Squeeze"):
        return s.op(op, name, _integers(s, d.pick(0, -1))) if s.opset >= 13 else s.op(op, name, axes=[0])
    if op == "Reshape":
        return s.op(op, name, _integers(s, *d.pick([-1], [1, -1], [2, -1], [-1, 1])))
    if op == "Tile":
        return s.op("Expand", name, _integers(s, d.pick(1, 3), *s.dims(name)))
    return s.op(op, name)


def _fold(s: Sketch, name: str) -> list[str]:
    op = s.draws.pick("ReduceProd", "ReduceMax", "ReduceMin", "ReduceSum", "Size", "Shape")
    if op in ("Size", "Shape"):
        return s.op(op, name)
    made = s.op(op, name, keepdims=1)
    return (s.op("Expand", made[0], _integers(s, *s.dims(name))) or made) if made else []


def _range(s: Sketch) -> list[str]:
    dtype = s.draws.pick(np.int64, np.float32, np.int32, np.float64, np.int16)
    kind = np.dtype(dtype)
    few = (0, 10, 1, 3, -1, 2, -4, 7) + ((0.1, 0.3, 1.05, 1 / 3) if kind.kind == "f" else ())
    if s.draws.often(20):
        few = WIDE if kind.kind == "i" else (2.0**24, 2.0**24 + 2, 1e8, 1e8 + 64, 0.1, 1.0, 1e-3, 3.3, -1e8)
    with np.errstate(all="ignore"):
        parts = np.array([s.draws.pick(*few) for _ in range(3)]).astype(dtype)
    return s.op("Range", *(s.constant(part, dtype) for part in parts))


_STEPS = (_binary, _unary, _cast, _binary, _cast, _move, _compare, _clip, _fold)
