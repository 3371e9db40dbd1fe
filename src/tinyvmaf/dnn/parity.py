"""The same inputs on several devices: how far apart are the answers, and is that near enough?

What counts is the largest absolute difference of an output from the reference: 1e-4 in float32. Where a float16 takes
part, 1e-2 counts relative to the largest value of the output if that is above 1: steps of float16 are 0.06 near 100.
Whole numbers must be equal, and NaN and infinities must be in the same places, with the same sign.

Source: the parity targets of libvmaf's roadmap for tiny models, CPU against other devices.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches

import numpy as np

from tinyvmaf.dnn import guard
from tinyvmaf.dnn.binding import Array, Inputs
from tinyvmaf.dnn.session import Session
from tinyvmaf.errors import DeviceError, ModelError, UnknownNameError, UsageError


@dataclass(frozen=True, slots=True)
class ParityRow:
    """One output on one device.

    Attributes:
        device: The device that was asked for.
        attached: Where it really ran, "" where it did not.
        output: Name of the output, "" where there is none.
        dtype: NumPy name of its type, "" where there is none.
        max_abs: Largest absolute difference from the reference; infinite where shapes, NaN or infinities differ.
        max_rel: The same divided by the largest finite magnitude in the reference.
        tolerance: What the difference that counts may be.
        passed: Whether it is within the tolerance; False where nothing ran.
        seconds: Time of a second run with the same inputs.
        skipped: Why the device cannot be used here, "" if it can.
        failed: Why the device could not run the model, "" if it did.
    """

    device: str
    attached: str = ""
    output: str = ""
    dtype: str = ""
    max_abs: float = math.nan
    max_rel: float = math.nan
    tolerance: float = math.nan
    passed: bool = False
    seconds: float = math.nan
    skipped: str = ""
    failed: str = ""


@dataclass(frozen=True, slots=True)
class _Settings:
    fp16_io: bool
    time_limit: float | None
    limits: guard.Limits
    name: str
    verdict: guard.Verdict


@dataclass(frozen=True, slots=True)
class _Answer:
    attached: str
    half: bool
    outputs: dict[str, Array]
    seconds: float


def compare(
    data: bytes,
    inputs: Inputs,
    *,
    devices: Sequence[str],
    reference: str = "cpu",
    tolerance_fp32: float = 1e-4,
    tolerance_fp16: float = 1e-2,
    fp16_io: bool = False,
    time_limit: float | None = 60.0,
    limits: guard.Limits = guard.DEFAULT,
    name: str = "model",
    verdict: guard.Verdict | None = None,
) -> list[ParityRow]:
    """Run a model on every device and hold the answers against those of one.

    Args:
        data: The ONNX file.
        inputs: As `Session.run` takes them.
        devices: Device names, each with settings behind colons if wanted: "cpu:threads=1", "cpu:unoptimised",
            "openvino-cpu:threads=2".
        reference: The device that the others are compared with, written likewise; it must be usable.
        tolerance_fp32: Largest absolute difference, above or equal 0.
        tolerance_fp16: Largest difference where a float16 takes part: in an input or output of the graph, or through
            `fp16_io`.
        fp16_io: As for `Session`.
        time_limit: Seconds that one run may take; None for no limit.
        limits: As for `Session`.
        name: What messages call the model.
        verdict: As for `Session`.

    Returns:
        One row per device and output, in the order given; one row for a device that is absent or fails.

    Raises:
        UnknownNameError: There is no such device or setting.
        UsageError: A setting is out of range.
        DeviceError: The reference is absent.
        BindingError: The inputs do not fit.
        ModelError: The guard refuses the model, or it fails on the reference.
    """
    settings = _Settings(fp16_io, time_limit, limits, name, verdict or guard.check(data, limits))
    expected = _answer(data, inputs, reference, settings)
    rows: list[ParityRow] = []
    for device in devices:
        try:
            answer = _answer(data, inputs, device, settings)
        except DeviceError as error:
            rows.append(ParityRow(device, skipped=str(error)))
        except ModelError as error:
            rows.append(ParityRow(device, failed=str(error)))
        else:
            tolerance = tolerance_fp16 if answer.half else tolerance_fp32
            rows += [_row(device, answer, output, array, tolerance) for output, array in expected.outputs.items()]
    return rows


def _answer(data: bytes, inputs: Inputs, device: str, settings: _Settings) -> _Answer:
    base, threads, optimise = _variant(device)
    with Session(
        data,
        device=base,
        threads=threads,
        optimise=optimise,
        fp16_io=settings.fp16_io,
        time_limit=settings.time_limit,
        limits=settings.limits,
        name=settings.name,
        verdict=settings.verdict,
    ) as session:
        outputs = session.run(inputs)
        start = time.perf_counter()
        session.run(inputs)
        seconds = time.perf_counter() - start
        half = settings.fp16_io or any(port.dtype == "float16" for port in (*session.inputs, *session.outputs))
        return _Answer(session.attached_device, half, outputs, seconds)


def _variant(text: str) -> tuple[str, int, bool]:
    """Device, threads and whether to optimise, out of "cpu:threads=2:unoptimised"."""
    device, *settings = text.split(":")
    threads, optimise = 0, True
    for setting in settings:
        key, _, value = setting.partition("=")
        if setting == "unoptimised":
            optimise = False
        elif key == "threads" and value.isdecimal():
            threads = int(value)
        elif key == "threads":
            raise UsageError(f"threads of a device must be a whole number, not {value!r}.", "Write cpu:threads=2.")
        else:
            close = get_close_matches(key, ("threads", "unoptimised"), n=1)
            hint = f"Did you mean {close[0]}?" if close else "There are: threads=N, unoptimised."
            raise UnknownNameError(f"There is no setting {setting!r} of a device.", hint)
    return device, threads, optimise


def _row(device: str, answer: _Answer, output: str, expected: Array, tolerance: float) -> ParityRow:
    found = answer.outputs[output]
    whole = expected.dtype.kind != "f"
    tolerance = 0.0 if whole else tolerance
    max_abs = _largest_difference(expected, found)
    largest = float(np.abs(expected[np.isfinite(expected)].astype(np.float64)).max(initial=0.0))
    max_rel = max_abs / largest if largest else math.inf * max_abs if max_abs else 0.0
    counts = min(max_abs, max_rel) if answer.half and not whole else max_abs
    passed = bool(counts <= tolerance)
    return ParityRow(
        device, answer.attached, output, str(expected.dtype), max_abs, max_rel, tolerance, passed, answer.seconds
    )


def _largest_difference(expected: Array, found: Array) -> float:
    """Largest absolute difference of the finite values; infinite where anything else differs."""
    if expected.shape != found.shape or expected.dtype != found.dtype:
        return math.inf
    finite = np.isfinite(expected)
    if not np.array_equal(expected[~finite], found[~finite], equal_nan=True) or not np.isfinite(found[finite]).all():
        return math.inf
    gaps = np.abs(expected[finite].astype(np.float64) - found[finite].astype(np.float64))
    unequal = float(expected.dtype.kind != "f" and not np.array_equal(expected, found))
    return max(float(gaps.max(initial=0.0)), unequal)  # float64 cannot tell all large whole numbers apart
