"""An accepted ONNX file becomes a bounded session: checked tensors in, checked tensors out, within limits.

The bytes that the guard has read are the bytes that ONNX Runtime opens; nothing is read from a path.
"""

from __future__ import annotations

import logging
import math
import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from functools import partial
from types import TracebackType
from typing import Any, Final

import numpy as np

from tinyvmaf.dnn import guard, providers
from tinyvmaf.dnn.binding import Array, Inputs, bind, describe
from tinyvmaf.dnn.graph import FEW, Port, shown
from tinyvmaf.dnn.watch import Deadline, interruptible
from tinyvmaf.errors import (
    ContractError,
    InputShapeError,
    InputTypeError,
    ModelError,
    RunLimitError,
    UsageError,
)

MAX_THREADS: Final = 64
_REMEMBERED_SIZES = 64
_LONG_WORK = 1 << 26
"""Multiply-adds from which a run may keep somebody waiting who presses Ctrl-C."""
_log = logging.getLogger("tinyvmaf")


class Session:
    """A model that runs, one run at a time: a second thread waits for the first.

    Attributes:
        name: What messages call the model.
        verdict: What the guard said of the bytes.
        report: What it found in the graph.
        inputs: Name, numpy type and shape of every input, in the graph's order; axes are a length, a name or None.
        outputs: The same of every output.
        attached_device: Where it really runs: "CPU", "CUDA", "OpenVINO:GPU", "OpenVINO:CPU", "OpenVINO:NPU", "ROCm",
            "CoreML", "CoreML:ANE", "CoreML:GPU" or "CoreML:CPU". An operator that the device does not know runs on the
            CPU all the same.
        fallbacks: Why devices before that one were passed over; empty if none was.
    """

    def __init__(
        self,
        data: bytes,
        *,
        device: str = "auto",
        device_index: int = 0,
        threads: int = 0,
        fp16_io: bool = False,
        time_limit: float | None = 60.0,
        optimise: bool = True,
        limits: guard.Limits = guard.DEFAULT,
        name: str = "model",
        verdict: guard.Verdict | None = None,
    ) -> None:
        """Check the bytes and open them.

        Args:
            data: The ONNX file.
            device: A device name, or several between commas in order of preference; see `providers.DEVICES`.
            device_index: Which of several devices of a kind, from 0.
            threads: Threads of a run, 1 to 64; 0 leaves the number to ONNX Runtime.
            fp16_io: Take float32 arrays for float16 inputs, rounded to nearest, ties to even, and give float16 outputs
                back as float32. OpenVINO's GPU and NPU then compute in float16 too.
            time_limit: Seconds that one run may take, above 0; None for no limit. A run is stopped between two nodes,
                in loops too; a device that takes a whole graph as one node is late, and the run then fails at its end.
            optimise: Let ONNX Runtime rewrite the graph into a faster one.
            limits: What the guard holds the model, and every run, against.
            name: What messages call the model.
            verdict: The guard's answer for these very bytes, if it was asked before; its own limits then count.

        Raises:
            RejectedModelError: The guard refuses the model.
            UnknownNameError: There is no such device.
            DeviceError: None of the named devices can be used here.
            ModelError: ONNX Runtime cannot open the model.
            UsageError: `data` is not bytes, or a setting is out of range.
        """
        _check_settings(data, device_index, threads, time_limit)
        self.name = name
        self.verdict = verdict or guard.check(data, limits)
        self.report = self.verdict.require()
        for loop in self.report.loops:
            _log.info("%s: %s", name, loop)
        hardware = providers.Hardware(device_index, threads, fp16_io)
        attached = providers.attach(data, device, _options(threads, optimise), hardware)
        self._session: Any = attached.session
        self.attached_device, self.fallbacks = attached.device, attached.fallbacks
        _check_reading(name, self.report, attached.session)
        self.inputs, self.outputs = self.report.inputs, self.report.outputs
        self._fp16_io, self._time_limit = fp16_io, time_limit
        self._lock = threading.Lock()
        self._admitted: OrderedDict[Any, int] = OrderedDict()
        self._running: Any = None

    def __enter__(self) -> Session:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def stop(self) -> None:
        """Ask the run that goes on, on another thread, to end: it then fails between two nodes."""
        running = self._running
        if running is not None:
            running.terminate = True

    def close(self) -> None:
        """Let go of the model, after the run that may be going on; closing twice does nothing."""
        with self._lock:
            self._session = None

    def run(self, inputs: Inputs) -> dict[str, Array]:
        """Run the graph once.

        Args:
            inputs: One array per input of the graph, none of them empty: {name: array}, or a sequence in the graph's
                order whose items are arrays or pairs of a name and an array. A pair whose name is None goes by its
                position. Types must be those of `inputs`; arrays that are not C-contiguous are copied.

        Returns:
            {name: array} of every output, in the graph's order.

        Raises:
            InputArityError: There are not as many arrays as inputs.
            InputNameError: The graph has no such input, or gets one twice.
            InputShapeError: An array has the wrong number of axes, or an axis has the wrong length.
            InputTypeError: Something is no array, or has elements of the wrong type.
            RunLimitError: The sizes pass the guard's budget, the run its time limit, or an output the largest size.
            ContractError: The shapes inside the graph do not fit together at these sizes.
            ModelError: ONNX Runtime failed.
            UsageError: The session is closed.
        """
        with self._lock:
            feed = self._feed(inputs)
            arrays = self._execute(feed, self._admit(feed))
        limits = self.verdict.limits
        most = max(limits.tensor_elements, limits.growth_elements * sum(array.size for array in feed.values()))
        return {port.name: self._checked(port, array, most) for port, array in zip(self.outputs, arrays, strict=True)}

    def run_plane(self, plane: Array, bits: int = 8) -> Array:
        """Run a graph from picture to picture on one plane of samples.

        The graph sees samples / (2^bits - 1); what it gives is multiplied by that, rounded half to even and clipped.

        Args:
            plane: (H, W) samples, uint8 at 8 bits and uint16 above.
            bits: Bits of a sample, 8 to 16.

        Returns:
            (H, W) samples of the same type: the first output that has the shape of the input.

        Raises:
            ContractError: The graph is not one from float32 [N, 1, H, W] to the same, or gave something else.
            InputShapeError: The plane has not two axes, or not the size that the graph asks for.
            InputTypeError: The plane has not the type that its bits ask for.
            UsageError: `bits` is out of range.
            RunLimitError, ModelError: As `run`.
        """
        _check_plane(plane, bits)
        if len(self.inputs) != 1 or not _is_picture(self.inputs[0]):
            raise ContractError(
                f"A plane goes into a graph whose one input is float32 [N, 1, H, W], but {self.name} takes "
                f"{', '.join(map(describe, self.inputs))}.",
                "Give its inputs to run().",
            )
        peak = np.float32((1 << bits) - 1)
        picture = (plane.astype(np.float32) / peak)[None, None]
        found = [array for array in self.run([picture]).values() if _is_alike(picture, array)]
        if not found or np.isnan(found[0]).any():
            what = "NaN in it" if found else f"none of shape {list(picture.shape)}"
            raise ContractError(f"A graph must give a picture like the one it takes, but {self.name} gave {what}.")
        samples: Array = np.clip(np.rint(found[0][0, 0] * peak), 0, peak).astype(plane.dtype)
        return samples

    def _feed(self, inputs: Inputs) -> dict[str, Array]:
        if self._session is None:
            raise UsageError(f"The session of {self.name} is closed.", "Open a new one.")
        return bind(inputs, self.inputs, self._fp16_io)

    def _admit(self, feed: Mapping[str, Array]) -> int:
        """Ask the guard once about every combination of sizes, and of small inputs where sizes follow from those.

        Returns:
            Multiply-adds of a run.
        """
        small = {name: array for name, array in feed.items() if array.size <= FEW and self.report.sizes_from_values}
        key = (*(array.shape for array in feed.values()), *(array.tobytes() for array in small.values()))
        if key in self._admitted:
            self._admitted.move_to_end(key)
            return self._admitted[key]
        shapes = {name: array.shape for name, array in feed.items()}
        report = self.verdict.admit(shapes, {name: array.ravel().tolist() for name, array in small.items()})
        self._admitted[key] = report.work
        if len(self._admitted) > _REMEMBERED_SIZES:
            self._admitted.popitem(last=False)
        return report.work

    def _execute(self, feed: Mapping[str, Array], work: int) -> Sequence[Any]:
        from onnxruntime import RunOptions

        self._running = options = RunOptions()
        call = partial(self._session.run, None, feed, options)
        failure: Exception | None = None
        with Deadline(options, self._time_limit) as deadline:
            try:
                arrays: Sequence[Any] = call() if work < _LONG_WORK else interruptible(call, self.stop)
            except Exception as error:  # ONNX Runtime's own errors share no other base
                failure = error
            finally:
                self._running = None
        if deadline.passed:
            raise RunLimitError(
                f"A run of {self.name} passed its limit of {self._time_limit:g} s.",
                "Give it smaller inputs, or a higher time_limit.",
            ) from failure
        if failure is not None:
            raise ModelError(f"{self.name} failed: {providers.one_line(failure)}.") from failure
        return arrays

    def _checked(self, port: Port, array: Array, most: int) -> Array:
        if array.size > most:
            raise RunLimitError(
                f"Output {shown(port.name)} of {self.name} has {array.size} elements, more than the limit of {most}.",
                "Give it smaller inputs.",
            )
        return array.astype(np.float32) if self._fp16_io and array.dtype == np.float16 else array


def _check_settings(data: bytes, device_index: int, threads: int, time_limit: float | None) -> None:
    if not isinstance(data, bytes):
        raise UsageError(f"A session is made from bytes, not {type(data).__name__}.", "Load the file first.")
    if not 0 <= threads <= MAX_THREADS:
        raise UsageError(f"threads must be 1 to {MAX_THREADS}, or 0 for ONNX Runtime's default, not {threads}.")
    if device_index < 0:
        raise UsageError(f"device_index must be 0 or more, not {device_index}.")
    if time_limit is not None and not (0 < time_limit < math.inf):
        raise UsageError(f"time_limit must be above 0 seconds, not {time_limit}.", "None stands for no limit.")


def _options(threads: int, optimise: bool) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.inter_op_num_threads = 1
    options.intra_op_num_threads = threads
    options.log_severity_level = 4
    if not optimise:
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    # Without it bytes that carry the mark of another format are not opened as the ONNX file that the guard has read.
    options.add_session_config_entry("session.load_model_format", "ONNX")
    return options


def _check_reading(name: str, report: guard.Report, session: Any) -> None:
    """Hold what ONNX Runtime opened against what the guard has read."""
    found = [[node.name for node in nodes] for nodes in (session.get_inputs(), session.get_outputs())]
    if found != [[port.name for port in ports] for ports in (report.inputs, report.outputs)]:
        raise ModelError(f"{name} has other inputs or outputs in ONNX Runtime than the guard has read.")


def _is_picture(port: Port) -> bool:
    axes = port.shape or ()
    one_channel = len(axes) == 4 and not any(isinstance(axis, int) and axis != 1 for axis in axes[:2])
    return port.dtype == "float32" and one_channel


def _is_alike(array: Array, other: Array) -> bool:
    return array.shape == other.shape and array.dtype == other.dtype


def _check_plane(plane: Array, bits: int) -> None:
    if not 8 <= bits <= 16:
        raise UsageError(f"bits must be 8 to 16, not {bits}.")
    wanted = "uint8" if bits == 8 else "uint16"
    if not isinstance(plane, np.ndarray) or plane.dtype != wanted:
        raise InputTypeError(f"A plane of {bits} bits is a {wanted} array, not {getattr(plane, 'dtype', type(plane))}.")
    if plane.ndim != 2:
        raise InputShapeError(f"A plane has two axes, height and width, not {plane.ndim}.")
    if plane.size and int(plane.max()) >> bits:
        raise UsageError(f"Samples of {bits} bits are at most {(1 << bits) - 1}, but one is {plane.max()}.")
