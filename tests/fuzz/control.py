"""Branches and loops for a sketch: results whose shape depends on which branch ran, or on the round."""

from __future__ import annotations

import numpy as np
from onnx import helper

from fuzz.sketch import Recipe, Sketch

FLOAT = 1


def _inner(s: Sketch, mark: str) -> Sketch:
    return Sketch(s.draws, s.opset, f"{s.prefix}{mark}_")


def _branch(s: Sketch, outer: str, mark: str) -> helper.GraphProto:
    """A value of float32 made from one outside, or from nothing."""
    d, b = s.draws, _inner(s, mark)
    kind = d.pick("same", "new", "cast", "shape", "reduce", "flat")
    if kind == "same":
        b.add("Identity", outer)
    elif kind == "new":
        b.add("ConstantOfShape", b.constant(np.array(d.some(d.pick(2, 1, 3), 2, 3, 1, 0), np.int64), np.int64))
    elif kind == "cast":
        b.add("Cast", outer, to=FLOAT)
    elif kind == "shape":
        b.add("Cast", b.add("Shape", outer), to=FLOAT)
    elif kind == "reduce":
        b.add("ReduceMax", outer, keepdims=d.pick(0, 1))
    else:
        b.add("Flatten", outer, axis=0)
    return b.graph(b.made()[-1:])


def _if(s: Sketch, op: str) -> None:
    d = s.draws
    outer = s.any(np.float32)
    flag = np.array(d.pick(True, False)).reshape(d.pick([], [1]))
    condition = d.pick(s.constant, s.entry)(flag)
    made = s.op(op, condition, then_branch=_branch(s, outer, "t"), else_branch=_branch(s, outer, "e"))
    if made and d.often(50):
        s.op("Cast", s.op("Shape", made[0])[0], to=6)


def _loop(s: Sketch, op: str) -> None:
    d = s.draws
    start, trips = s.any(np.float32), d.pick(2, 1, 0, 3, 4)
    body = _inner(s, "b")
    ports = [body.port("i", 7, []), body.port("go", 9, []), body.port("state", FLOAT, None)]
    index, go, state = ports
    condition = d.pick("go", "true", "less", "false")
    if condition == "go":
        again = body.add("Identity", go)
    elif condition == "less":
        again = body.add("Less", index, body.constant(np.int64(d.pick(0, 1, 2)), np.int64))
    else:
        again = body.add("Identity", body.constant(np.array(condition == "true")))
    step = d.pick("same", "grow", "twice", "cut", "outer", "add", "shaped")
    if step == "same":
        following = body.add("Relu", state)
    elif step == "grow":
        following = body.add("Concat", state, start, axis=0)
    elif step == "twice":
        following = body.add("Concat", state, state, axis=d.pick(0, -1))
    elif step == "cut":
        ends = [body.constant(np.array([n], np.int64), np.int64) for n in (1, 99, 0)]
        following = body.add("Slice", state, *ends)
    elif step == "shaped":
        following = body.add("ConstantOfShape", body.add("Shape", body.add("Concat", state, start, axis=0)))
    elif step == "outer":
        following = body.add("Identity", start)
    else:
        following = body.add("Add", state, body.constant(np.ones(d.pick([1], [2, 1], []), np.float32)))
    scan = d.pick(state, following, index, body.add("Shape", following))
    more = [body.add("Identity", scan)] if d.often(60) else []
    trip = s.constant(np.array(trips, np.int64).reshape(d.pick([], [1])), np.int64)
    given = d.pick("", s.constant(np.array(d.pick(True, True, False))))
    s.op(op, trip, given, start, outs=1 + len(more), body=body.graph([again, following, *more]))


CONTROL: dict[str, Recipe] = {"If": _if, "Loop": _loop}
