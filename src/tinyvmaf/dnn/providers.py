"""Devices: what each name stands for in ONNX Runtime, which are usable here, and a session opened on one of them.

ONNX Runtime lists the providers that it was built with, also where their drivers are missing, and then quietly runs on
the CPU. A device counts here once a session is really attached to it: `auto` goes on to the next one, a device that is
asked for by name is refused.

Source: provider names and options of ONNX Runtime's pages on execution providers.
"""

from __future__ import annotations

import contextlib
import functools
import io
import re
from collections.abc import Iterator
from typing import Any

from tinyvmaf.dnn.record import record
from tinyvmaf.errors import DeviceError, ModelError, UnknownNameError


@record(frozen=True)
class Provider:
    """One of ONNX Runtime's back ends on one kind of hardware.

    Attributes:
        label: What a session says it is attached to.
        name: ONNX Runtime's name of the back end.
        install: What to install where ONNX Runtime does not list it.
        unit: The kind of hardware in the back end's own words, "" where there is no choice.
    """

    label: str
    name: str
    install: str
    unit: str = ""


def _build(name: str) -> str:
    return f"install onnxruntime-{name} in place of onnxruntime"


def _openvino(unit: str) -> Provider:
    return Provider(f"OpenVINO:{unit}", "OpenVINOExecutionProvider", _build("openvino"), unit)


def _coreml(label: str, unit: str) -> Provider:
    return Provider(label, "CoreMLExecutionProvider", "use the macOS build of onnxruntime", unit)


_CPU = Provider("CPU", "CPUExecutionProvider", "install onnxruntime")
_CUDA = Provider("CUDA", "CUDAExecutionProvider", _build("gpu[cuda,cudnn]"))
_ROCM = tuple(Provider("ROCm", f"{name}ExecutionProvider", _build("rocm")) for name in ("ROCM", "MIGraphX"))
_COREML = _coreml("CoreML", "")

DEVICES: dict[str, tuple[Provider, ...]] = {
    "auto": (_CUDA, _openvino("GPU"), *_ROCM, _COREML, _CPU),
    "cpu": (_CPU,),
    "cuda": (_CUDA,),
    "openvino": (_openvino("GPU"), _openvino("CPU")),
    "openvino-cpu": (_openvino("CPU"),),
    "openvino-gpu": (_openvino("GPU"),),
    "openvino-npu": (_openvino("NPU"),),
    "rocm": _ROCM,
    "coreml": (_COREML,),
    "coreml-ane": (_coreml("CoreML:ANE", "CPUAndNeuralEngine"),),
    "coreml-gpu": (_coreml("CoreML:GPU", "CPUAndGPU"),),
    "coreml-cpu": (_coreml("CoreML:CPU", "CPUOnly"),),
}
"""Device name to what is tried for it, best first. Newer builds for AMD call their provider MIGraphX."""

_IDENTITY = bytes.fromhex(
    "08083a370a100a017812017922084964656e746974791201675a0f0a0178120a0a08080112040a020801"
    "620f0a0179120a0a08080112040a02080142040a00100d"
)
"""An ONNX file that copies one float: enough to see whether a session attaches."""


@record(frozen=True)
class Hardware:
    """Settings that providers take as options of their own.

    Attributes:
        index: Which of several devices of a kind, from 0.
        threads: Threads of a run, 0 for the provider's default.
        half: Whether a provider may compute in float16.
    """

    index: int = 0
    threads: int = 0
    half: bool = False


_DEFAULT = Hardware()


@record(frozen=True)
class Attached:
    """A session and where it runs.

    Attributes:
        session: The `onnxruntime.InferenceSession`.
        device: Label of the provider that it is attached to.
        fallbacks: Why better or earlier devices were passed over, one sentence part each.
    """

    session: Any
    device: str
    fallbacks: tuple[str, ...]


def parse_devices(text: str) -> tuple[str, ...]:
    """Read a device name, or several between commas in order of preference.

    Args:
        text: For example "auto" or "CUDA, cpu"; capitals do not matter.

    Returns:
        Keys of DEVICES, in the order given.

    Raises:
        UnknownNameError: There is no such device.
    """
    names = tuple(part.strip().lower() for part in text.split(","))
    for name in names:
        if name not in DEVICES:
            from difflib import get_close_matches

            close = ["cuda or openvino-gpu"] if name == "gpu" else get_close_matches(name, DEVICES, n=1)
            hint = f"Did you mean {close[0]}?" if close else f"There are: {', '.join(DEVICES)}."
            raise UnknownNameError(f"There is no device {name!r}.", hint)
    return names


@functools.cache
def present() -> tuple[str, ...]:
    """Devices that a session really attaches to on this machine; found once per process by opening a graph on each.

    Returns:
        Keys of DEVICES without "auto"; "cpu" is always among them.
    """
    return tuple(name for name, ways in DEVICES.items() if name != "auto" and any(map(_works, ways)))


def attach(data: bytes, device: str = "auto", options: Any = None, hardware: Hardware = _DEFAULT) -> Attached:
    """Open a session on the first device that takes the model.

    Args:
        data: An ONNX file that the guard has accepted.
        device: As `parse_devices` reads it.
        options: `onnxruntime.SessionOptions`, None for the defaults.
        hardware: Settings that are options of the provider.

    Returns:
        The session, the device that it is attached to, and why not an earlier one.

    Raises:
        UnknownNameError: There is no such device.
        DeviceError: None of the named devices can be used here.
        ModelError: ONNX Runtime cannot open the model, even on the CPU.
    """
    reasons: list[str] = []
    for name, provider in _ways(device):
        if name == "auto" and provider.name not in _listed():
            continue
        try:
            return Attached(_open(data, provider, options, hardware), provider.label, tuple(reasons))
        except _UnusableError as error:
            reasons.append(f"{provider.label} {error}")
    raise DeviceError(f"Device {device!r} cannot be used here: {'; '.join(reasons)}.", _advice(device))


def one_line(error: Exception) -> str:
    """What an exception of ONNX Runtime says, short enough for a message.

    Args:
        error: Any exception.

    Returns:
        The start of its first line without a final full stop, unprintable characters left out: names in it may come
        from a file that nobody trusts. Its type where it says nothing.
    """
    said = re.sub(r"^\[ONNXRuntimeError\] : \d+ : \w+ : ", "", str(error))
    line = (said.splitlines() or [""])[0][:160].strip().rstrip(".")
    return "".join(filter(str.isprintable, line)) or type(error).__name__


class _UnusableError(Exception):
    """Why a provider cannot be used, as the end of a sentence that starts with its label."""


def _ways(device: str) -> list[tuple[str, Provider]]:
    return [(name, provider) for name in parse_devices(device) for provider in DEVICES[name]]


def _listed() -> list[str]:
    import onnxruntime

    names: list[str] = onnxruntime.get_available_providers()
    return names


def _advice(device: str) -> str:
    absent = [provider.install for _, provider in _ways(device) if provider.name not in _listed()]
    cure = "its driver, libraries or hardware are missing"
    if absent:
        cure = f"to add it, {absent[0]}"
    elif set(parse_devices(device)) & set(present()):
        cure = "another one may take this model"
    return f"Present are {', '.join(present())}; {cure}."


@functools.cache
def _works(provider: Provider) -> bool:
    try:
        _open(_IDENTITY, provider, None, _DEFAULT)
    except _UnusableError:
        return False
    return True


def _open(data: bytes, provider: Provider, options: Any, hardware: Hardware) -> Any:
    if provider == _CPU:
        try:
            return _create(data, provider.name, {}, options)
        except Exception as error:  # ONNX Runtime's own errors share no other base
            raise ModelError(f"ONNX Runtime cannot open the model: {one_line(error)}.") from error
    if provider.name not in _listed():
        raise _UnusableError("is not in the installed ONNX Runtime")
    missing = _load_cuda() if provider == _CUDA else ""
    try:
        with _silence():
            session = _create(data, provider.name, _own_options(provider, hardware), options)
    except Exception as error:  # ONNX Runtime's own errors share no other base
        raise _UnusableError(f"cannot open the model ({one_line(error)})") from error
    if session.get_providers()[0] != provider.name:
        raise _UnusableError("does not attach" + (f" ({missing})" if missing else ""))
    return session


def _create(data: bytes, name: str, own: dict[str, str], options: Any) -> Any:
    """A session of these bytes, without ONNX Runtime's own second try, which prints.

    Settings inside the model are not read: where the environment asks ONNX Runtime to read them, nothing opens.
    """
    import onnxruntime

    return onnxruntime.InferenceSession(
        data, options, providers=[(name, own)], enable_fallback=0, read_config_from_model=0
    )


def _own_options(provider: Provider, hardware: Hardware) -> dict[str, str]:
    if provider == _CUDA:
        # TF32 keeps ten bits of mantissa: differences to the CPU of 1e-3 where float32 promises 1e-4.
        return {"device_id": str(hardware.index), "use_tf32": "0"}
    if provider in _ROCM:
        return {"device_id": str(hardware.index)}
    if provider.name.startswith("CoreML"):
        return {"MLComputeUnits": provider.unit} if provider.unit else {}
    return _openvino_options(provider.unit, hardware)


def _openvino_options(unit: str, hardware: Hardware) -> dict[str, str]:
    own = {"device_type": f"{unit}.{hardware.index}" if hardware.index else unit}
    if hardware.threads:
        own["num_of_threads"] = str(hardware.threads)
    if hardware.half and unit != "CPU":  # OpenVINO's CPU device takes no other precision than float32
        own["precision"] = "FP16"
    return own


@contextlib.contextmanager
def _silence() -> Iterator[None]:
    """Keep what ONNX Runtime writes about missing drivers off the terminal: it comes back as a reason."""
    import onnxruntime

    warning, fatal = 2, 4
    onnxruntime.set_default_logger_severity(fatal)
    try:
        yield
    finally:
        onnxruntime.set_default_logger_severity(warning)


@functools.cache
def _load_cuda() -> str:
    """Load CUDA's libraries out of Python packages, where ONNX Runtime does not look; say which fails."""
    import onnxruntime

    if not hasattr(onnxruntime, "preload_dlls"):
        return ""
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        onnxruntime.preload_dlls()
    found = re.search(r"Failed to load ([^:\n]+)", printed.getvalue())
    return f"{found[1]} does not load" if found else ""
