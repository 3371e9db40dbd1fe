"""Honest models: ONNX's own examples of every allowed operator, and what exporters write, are accepted and run.

ONNX's examples come with inputs and expected outputs: an oracle for the shapes that the guard computes.
"""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper
from onnx.backend.test.case.node import collect_testcases

from hostile import legitimate
from tinyvmaf.dnn import guard
from tinyvmaf.dnn.allowlist import ALLOWED
from tinyvmaf.dnn.graph import FEW
from tinyvmaf.dnn.session import Session

DATA = Path(onnx.__file__).parent / "backend" / "test" / "data"

REFUSED = {
    "test_loop11": "the number of rounds is given at run time",
    "test_range_bfloat16_type_positive_delta_expanded": "the number of rounds is computed",
    "test_range_float16_type_positive_delta_expanded": "the number of rounds is computed",
    "test_range_float_type_positive_delta_expanded": "the number of rounds is computed",
    "test_range_int32_type_negative_delta_expanded": "the number of rounds is computed",
    "test_not_2d": "opset 1",
    "test_not_3d": "opset 1",
    "test_not_4d": "opset 1",
}
"""Examples of allowed operators that are refused all the same, and why."""

NO_TENSORS = {"test_identity_sequence", "test_identity_opt"}
"""Examples whose inputs are sequences or optional values: a session takes none."""

UNKNOWN = {
    "test_nonzero_example",
    "test_averagepool_2d_ceil_last_window_starts_on_pad",
    "test_maxpool_2d_ceil_output_size_reduce_by_one",
}
"""Examples whose results have a size that only a run tells, or another one than the runtime plans for."""


def _operators(graph):
    for node in graph.node:
        yield node.op_type if node.domain in ("", "ai.onnx") else f"{node.domain}.{node.op_type}"
        for attribute in node.attribute:
            if attribute.type == onnx.AttributeProto.GRAPH:
                yield from _operators(attribute.g)


def _is_allowed(model):
    return ALLOWED.keys() >= set(_operators(model.graph))


@pytest.fixture(scope="module")
def cases():
    """Examples of allowed operators by name."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # some examples overflow on purpose
        found = {case.name: case for case in collect_testcases(None) if _is_allowed(case.model)}
    assert len(found) > 1200
    return found


def _array(value):
    return numpy_helper.to_array(value) if isinstance(value, onnx.TensorProto) else np.asarray(value)


def _numbers(array):
    """Few numbers as a session hands them over, none for text."""
    if array.size > FEW or array.dtype.kind in "OSU":
        return None
    return (array if array.dtype.kind in "biuf" else array.astype(np.float64)).ravel().tolist()


def test_examples_of_allowed_operators_are_accepted(cases):
    verdicts = {name: guard.check(case.model.SerializeToString()) for name, case in cases.items()}
    refused = {name: verdict.reason for name, verdict in verdicts.items() if not verdict.accepted}
    assert refused.keys() == REFUSED.keys(), refused
    assert all(("round" if "rounds" in REFUSED[name] else "opset") in reason for name, reason in refused.items())


def test_shapes_of_results_are_those_of_the_examples(cases):
    wrong, looked_at = {}, 0
    for name in cases.keys() - REFUSED.keys() - NO_TENSORS:
        verdict = guard.check(cases[name].model.SerializeToString())
        for inputs, outputs in cases[name].data_sets:
            arrays = {port.name: _array(value) for port, value in zip(verdict.report.inputs, inputs, strict=True)}
            values = {port: _numbers(array) for port, array in arrays.items() if _numbers(array) is not None}
            report = verdict.admit({port: array.shape for port, array in arrays.items()}, values)
            shapes = tuple(_array(output).shape for output in outputs)
            looked_at += 1
            if report.output_shapes != shapes:
                wrong[name] = (report.output_shapes, shapes)
    assert looked_at > 1200
    assert wrong.keys() == UNKNOWN, wrong
    assert all(shapes == (None,) for shapes, _ in wrong.values())


def test_the_models_in_onnx_are_accepted():
    files = [file for file in sorted(DATA.rglob("model.onnx")) if _is_allowed(onnx.load(file))]
    assert len(files) >= 100
    reasons = {str(file.relative_to(DATA)): guard.check(file.read_bytes()).reason for file in files}
    assert not {name: reason for name, reason in reasons.items() if reason}


def _feed(ports):
    """Small random inputs: 16 for every free axis, one picture."""
    rng = np.random.default_rng(1)
    feed = {}
    for port in ports:
        shape = [axis if isinstance(axis, int) else 1 if i == 0 else 16 for i, axis in enumerate(port.shape)]
        feed[port.name] = rng.integers(0, 2, shape) if port.dtype in ("int64", "bool") else rng.uniform(size=shape)
        feed[port.name] = feed[port.name].astype(port.dtype)
    return feed


@pytest.mark.parametrize("name", legitimate.MODELS)
def test_what_exporters_write_is_accepted_and_runs(name):
    data = legitimate.MODELS[name]()
    verdict = guard.check(data)
    assert verdict.accepted, verdict.reason
    with Session(data, device="cpu", verdict=verdict) as session:
        feed = _feed(session.inputs)
        arrays = session.run(feed)
    values = {port: array.ravel().tolist() for port, array in feed.items() if array.size <= FEW}
    report = verdict.admit({port: array.shape for port, array in feed.items()}, values)
    for array, shape in zip(arrays.values(), report.output_shapes, strict=True):
        assert shape is None or array.shape == shape
        assert np.isfinite(array.astype(np.float64)).all()
