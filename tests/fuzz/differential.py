"""The guard against ONNX Runtime: what runs has the shapes, and the numbers, that the guard has said before."""

from __future__ import annotations

import functools
import itertools
import math
from typing import Any

import numpy as np
import onnxruntime
from onnx import defs, helper

from fuzz.chains import chain
from fuzz.control import CONTROL
from fuzz.recipes import RECIPES
from fuzz.sketch import LIMITS, Draws, Sketch, noted
from tinyvmaf.dnn import guard
from tinyvmaf.dnn.graph import BOOL, DOUBLE, FEW, FLOAT, FLOAT16
from tinyvmaf.dnn.values import INTEGERS, Known
from tinyvmaf.errors import ContractError, RunLimitError

OPSETS = (17, 18, 13, 20, 21, 16, 22, 11, 19, 14, 12, 10, 9, 8, 7, 15, 23, 24, 25, 26)
OPERATORS = (*RECIPES, *CONTROL, "Resize", "Loop", "If", "Resize")


@functools.cache
def operators(opset: int) -> tuple[str, ...]:
    """Those of a version."""
    return tuple(op for op in OPERATORS if _since()[op] <= opset)


@functools.cache
def _since() -> dict[str, int]:
    """Operator to the version that it came with."""
    known = [(schema.name, schema.since_version) for schema in defs.get_all_schemas_with_history() if not schema.domain]
    return dict(sorted(known, reverse=True))


NUMPY = frozenset((*INTEGERS, BOOL, FLOAT, FLOAT16, DOUBLE))
"""Types that arrays have; of others the runtime gives the bytes."""

_MEMORY = ("failed to allocate", "bad_alloc", "bad allocation", "integer overflow")


class Mistake(AssertionError):  # noqa: N818 - what is looked for
    """The guard said something else than what ran."""


def draw(data: bytes) -> Sketch:
    """The graph that some bytes stand for: 1 to 4 nodes, and those that compute their sizes."""
    draws = Draws(data)
    sketch = Sketch(draws, draws.pick(*OPSETS))
    there = operators(sketch.opset)
    for _ in range(draws.whole(1, 4)):
        op = draws.pick(*there)
        if draws.often(8):
            chain(sketch)
        else:
            (RECIPES.get(op) or CONTROL[op])(sketch, op)
        for name in sketch.made()[-1:] if draws.often(20) else ():
            sketch.op("Shape", name)  # which the runtime computes from the shape that it plans for
    return sketch


def compare(data: bytes) -> str:
    """Hold what the guard says of a drawn graph against a run of it; how far it came: "ran" is the whole way.

    Raises:
        Mistake: They differ.
    """
    sketch = draw(data)
    made = sketch.made()
    if not made:
        return "empty"
    outputs = made if sketch.draws.often(60) else made[-1:]
    return run(sketch.model(outputs), sketch.feed, outputs)


def run(model: bytes, feed: dict[str, Any], outputs: list[str]) -> str:
    """As `compare`, of one model."""
    verdict = guard.check(model, LIMITS)
    if not verdict.accepted:
        return "refused"
    small = {name: a.ravel().tolist() for name, a in feed.items() if a.size <= FEW}
    with noted() as known:
        try:
            shapes = {name: array.shape for name, array in feed.items()}
            report = verdict.admit(shapes, small if verdict.require().sizes_from_values else {})
        except (ContractError, RunLimitError):
            return "not admitted"
    if any(array.size == 0 for array in feed.values()):
        return "empty input"  # no session takes it
    how = "failed"
    for optimise in (False, True):
        answers = _answers(model, feed, optimise)
        for name, dims, (planned, array) in zip(outputs, report.output_shapes, answers, strict=False):
            _hold(name, dims, planned, array, known.get(name))
            how = "ran" if array is not None else how
    return how


def _answers(model: bytes, feed: dict[str, Any], optimise: bool) -> list[tuple[list[Any], Any]]:
    """Per output the shape that ONNX Runtime plans for, and what it gives, None where it reports an error."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level, options.intra_op_num_threads = 4, 1
    if not optimise:
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    planned: list[list[Any]] = []
    arrays: list[Any] = []
    try:
        session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        planned = [output.shape for output in session.get_outputs()]
        arrays = session.run(None, feed)
    except Exception as error:  # its errors have no base of their own
        if any(word in str(error).lower() for word in _MEMORY):
            raise Mistake(f"more memory is asked for than there is: {error}") from error
    return list(itertools.zip_longest(planned, arrays))


def _hold(name: str, dims: tuple[int, ...] | None, planned: list[Any], array: Any, known: Known | None) -> None:
    if dims is not None and planned and not _fits(planned, dims):
        raise Mistake(f"{name} is planned as {planned}, not {dims}")
    if array is None:
        return
    if dims is not None and array.shape != dims:
        raise Mistake(f"{name} has the shape {array.shape}, not {dims}")
    if known is None:
        return
    if array.size > known.elements:
        raise Mistake(f"{name} has {array.size} elements, not at most {known.elements}")
    if known.dtype in NUMPY and array.dtype != np.dtype(helper.tensor_dtype_to_np_dtype(known.dtype)):
        raise Mistake(f"{name} is of {array.dtype}, not of type {known.dtype}")
    found = array.ravel().tolist()
    if known.data is not None and not all(map(_same, found, known.data)):
        raise Mistake(f"{name} holds {found}, not {known.data}")


def _fits(planned: list[Any], dims: tuple[int, ...]) -> bool:
    return len(planned) == len(dims) and not any(
        isinstance(a, int) and a != b for a, b in zip(planned, dims, strict=True)
    )


def _same(found: Any, said: Any) -> bool:
    return bool(found == said) or (math.isnan(said) and math.isnan(found))
