"""Parity: equal devices pass, differing ones fail by the amount that was put in, absent ones say so."""

import math
from pathlib import Path

import numpy as np
import onnx.parser
import pytest

from tinyvmaf.dnn import parity
from tinyvmaf.dnn.parity import compare
from tinyvmaf.dnn.providers import present
from tinyvmaf.dnn.session import Session
from tinyvmaf.errors import (
    DeviceError,
    InputArityError,
    RejectedModelError,
    RunLimitError,
    UnknownNameError,
    UsageError,
)

FORK = Path(__file__).resolve().parents[3] / "shared" / "models" / "fork_reference"
needs_fork = pytest.mark.skipif(not FORK.exists(), reason="the shared reference models are not beside this checkout")
VARIANTS = ["cpu:threads=1", "cpu:threads=2", "cpu:unoptimised", "cpu:threads=1:unoptimised"]
ABSENT = next(name for name in ("coreml-ane", "openvino-npu") if name not in present())


def model(text):
    return onnx.parser.parse_model(f'<ir_version: 8, opset_import: ["" : 17]> {text}').SerializeToString()


SCALED = model("g (float[N] x) => (float[N] y, int64[N] n) { y = Neg(x) n = Cast<to = 7>(x) }")
HALF = model("g (float16[N] x) => (float16[N] y) { y = Neg(x) }")


@pytest.fixture
def shifted(monkeypatch):
    """Make the sessions of two threads answer differently."""

    def shift(change):
        class Shifted(Session):
            def __init__(self, data, *, threads, **settings):
                super().__init__(data, threads=threads, **settings)
                self._shifted = threads == 2

            def run(self, inputs):
                outputs = super().run(inputs)
                return {name: change(array) for name, array in outputs.items()} if self._shifted else outputs

        monkeypatch.setattr(parity, "Session", Shifted)

    return shift


def rows(x, data=SCALED, **settings):
    """The row of every output on the shifted device."""
    found = compare(data, [x], devices=["cpu:threads=1", "cpu:threads=2"], **settings)
    same = [row for row in found if row.device == "cpu:threads=1"]
    assert all(row.passed and row.max_abs == 0 for row in same)
    return {row.output: row for row in found if row.device == "cpu:threads=2"}


def test_rows_say_what_ran():
    first, second = compare(SCALED, [np.ones(4, np.float32)], devices=["CPU"])
    assert (first.device, first.attached, first.output, first.dtype) == ("CPU", "CPU", "y", "float32")
    assert (first.max_abs, first.max_rel, first.tolerance, first.passed) == (0, 0, 1e-4, True)
    assert (second.output, second.dtype, second.tolerance, second.passed) == ("n", "int64", 0, True)
    assert first.seconds > 0
    assert first.skipped == first.failed == ""


@needs_fork
@pytest.mark.parametrize("name", ["lpips_sq", "nr_metric_v1", "saliency_student_v2", "vmaf_tiny_v4"])
def test_published_models_agree_on_every_device_and_variant(name):
    data = (FORK / f"{name}.onnx").read_bytes()
    rng = np.random.default_rng(7)
    with Session(data) as session:
        sizes = [[axis if isinstance(axis, int) else (64, 1)[i == 0] for i, axis in enumerate(port.shape)]
                 for port in session.inputs]  # fmt: skip
        inputs = [rng.random(size, np.float32) for size in sizes]
    devices = [*VARIANTS, *present()]
    found = compare(data, inputs, devices=devices)
    assert [row.device for row in found] == devices
    assert all(row.passed and row.max_abs <= 1e-4 for row in found), found


@pytest.mark.parametrize(("shift", "passed"), [(0.5e-4, True), (1.5e-4, False)])
def test_the_largest_absolute_difference_counts_in_float32(shifted, shift, passed):
    def change(array):
        array = array.astype(np.float64)
        array[-1] += shift
        return array.astype(np.float32)

    shifted(change)
    x = np.array([3, 1, 1], np.float32)
    row = rows(x, model("g (float[N] x) => (float[N] y) { y = Neg(x) }"))["y"]
    assert row.passed == passed
    assert row.max_abs == pytest.approx(shift, rel=1e-2)
    assert row.max_rel == pytest.approx(shift / 3, rel=1e-2)


def test_a_large_output_gets_no_more_room_in_float32(shifted):
    shifted(lambda array: array + array.dtype.type(1))
    assert not rows(np.full(3, 1e5, np.float32))["y"].passed
    assert rows(np.full(3, 1e5, np.float32), tolerance_fp32=1)["y"].passed


@pytest.mark.parametrize(
    ("magnitude", "shift", "passed"), [(100, 0.5, True), (100, 1.5, False), (0.25, 0.005, True), (0.25, 0.02, False)]
)
def test_float16_is_judged_by_its_steps(shifted, magnitude, shift, passed):
    shifted(lambda array: array + np.float16(shift))
    row = rows(np.array([magnitude, 0], np.float16), HALF)["y"]
    assert row.tolerance == 1e-2
    assert row.passed == passed
    assert row.max_abs == pytest.approx(shift, rel=2e-2)


def test_asking_for_float16_relaxes_float32_outputs_too(shifted):
    shifted(lambda array: array + np.float32(0.005))
    only = model("g (float[N] x) => (float[N] y) { y = Neg(x) }")
    assert rows(np.ones(3, np.float32), only, fp16_io=True)["y"].passed
    assert not rows(np.ones(3, np.float32), only)["y"].passed


def test_whole_numbers_are_equal_or_fail(shifted):
    shifted(lambda array: array + array.dtype.type(array.dtype.kind == "i"))
    found = rows(np.array([2.0**60], np.float32), tolerance_fp32=9)
    assert found["y"].passed
    assert not found["n"].passed
    assert found["n"].max_abs == 1


@pytest.mark.parametrize(
    "other", [[math.nan, 1], [math.inf, -math.inf], [math.inf, math.nan], [math.inf], [math.inf, 1, 1]]
)
def test_numbers_that_are_none_must_be_the_same_ones(shifted, other):
    expected = np.array([math.inf, 1], np.float32)
    shifted(lambda array: -np.array(other, array.dtype))
    only = model("g (float[N] x) => (float[N] y) { y = Neg(x) }")
    row = rows(expected, only, tolerance_fp32=1e9)["y"]
    assert not row.passed
    assert row.max_abs == math.inf


def test_equal_numbers_that_are_none_pass():
    x = np.array([math.nan, math.inf, -math.inf, 1], np.float32)
    (row,) = compare(model("g (float[N] x) => (float[N] y) { y = Neg(x) }"), [x], devices=["cpu:unoptimised"])
    assert row.passed
    assert row.max_abs == 0


def test_absent_devices_are_skipped_and_failing_ones_fail(monkeypatch):
    class Late(Session):
        def run(self, inputs):
            if self.name == "late":
                raise RunLimitError("A run passed its limit.")
            return super().run(inputs)

    monkeypatch.setattr(parity, "Session", lambda *a, threads, **k: Late(*a, **{**k, "name": "late"} if threads else k))
    found = compare(SCALED, [np.ones(2, np.float32)], devices=[ABSENT, "cpu:threads=2", "cpu"])
    assert [(row.device, row.output, row.passed) for row in found] == [
        (ABSENT, "", False), ("cpu:threads=2", "", False), ("cpu", "y", True), ("cpu", "n", True),
    ]  # fmt: skip
    assert f"Device '{ABSENT}' cannot be used here" in found[0].skipped
    assert found[1].failed == "A run passed its limit."
    assert not found[0].failed
    assert not found[1].skipped


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        ({"devices": ["cpu:thread=1"]}, UnknownNameError, r"no setting 'thread=1' .* Did you mean threads\?"),
        ({"devices": ["cpu:fast"]}, UnknownNameError, "There are: threads=N, unoptimised"),
        ({"devices": ["cpu:threads=two"]}, UsageError, "whole number, not 'two'"),
        ({"devices": ["cpu:threads=65"]}, UsageError, "1 to 64"),
        ({"devices": ["cpv"]}, UnknownNameError, r"Did you mean cpu\?"),
        ({"reference": ABSENT}, DeviceError, "cannot be used here"),
        ({"inputs": []}, InputArityError, "but 0"),
        ({"data": b"rubbish"}, RejectedModelError, "not an ONNX model"),
    ],
)
def test_what_is_wrong_with_the_call_is_raised(changes, error, words):
    with pytest.raises(error, match=words):
        compare(**{"data": SCALED, "inputs": [np.ones(2, np.float32)], "devices": ["cpu"], **changes})
