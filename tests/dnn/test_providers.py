"""Devices: names, order, refusal. ONNX Runtime lists providers that it cannot attach; a stand-in plays such builds."""

import numpy as np
import onnx.parser
import onnxruntime
import pytest

from tinyvmaf.dnn import providers
from tinyvmaf.dnn.providers import Hardware, attach, one_line, parse_devices, present
from tinyvmaf.dnn.session import Session
from tinyvmaf.errors import DeviceError, ModelError, UnknownNameError

DOUBLE = onnx.parser.parse_model(
    '<ir_version: 8, opset_import: ["" : 17]> g (float[N] x) => (float[N] y) { y = Add(x, x) }'
).SerializeToString()
EVERY = ["TensorrtExecutionProvider", "CUDAExecutionProvider", "OpenVINOExecutionProvider", "ROCMExecutionProvider"]
EVERY += ["MIGraphXExecutionProvider", "CoreMLExecutionProvider", "AzureExecutionProvider", "CPUExecutionProvider"]


class Build:
    """An ONNX Runtime of another build: what it lists, what attaches, what raises, and what it was asked for."""

    def __init__(self, listed, attaching, raising=()):
        self.listed, self.attaching, self.raising, self.asked = listed, set(attaching), set(raising), []

    def open(self, data, options=None, providers=(), **settings):
        assert settings == {"enable_fallback": 0, "read_config_from_model": 0}
        ((name, own),) = providers
        self.asked.append((name, own))
        key = own.get("device_type", name)
        if key in self.raising:
            raise RuntimeError(f"[ONNXRuntimeError] : 1 : FAIL : {key} has no kernel.\nmore")
        here = key in self.attaching or name == "CPUExecutionProvider"
        return Opened([name, "CPUExecutionProvider"] if here else ["CPUExecutionProvider"])


class Opened:
    def __init__(self, names):
        self._names = names

    def get_providers(self):
        return self._names


@pytest.fixture
def build(monkeypatch):
    def make(*words, **more):
        made = Build(*words, **more)
        monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: made.listed)
        monkeypatch.setattr(onnxruntime, "InferenceSession", made.open)
        said = "Failed to load libcudart.so.12: no such file"
        monkeypatch.setattr(onnxruntime, "preload_dlls", lambda: print(said), raising=False)
        _forget()
        return made

    yield make
    _forget()


def _forget():
    for cached in (providers.present, providers._works, providers._load_cuda):
        cached.cache_clear()


def test_names_are_read_whatever_their_case():
    assert parse_devices("auto") == ("auto",)
    assert parse_devices("CUDA, OpenVINO-gpu ,cpu") == ("cuda", "openvino-gpu", "cpu")
    for name in providers.DEVICES:
        assert parse_devices(name.upper()) == (name,)


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("cdua", "Did you mean cuda?"),
        ("cpu,openvin", "Did you mean openvino?"),
        ("gpu", "cuda or openvino-gpu?"),
        ("xyz", "There are: auto, cpu,"),
    ],
)
def test_unknown_names_are_refused(text, hint):
    with pytest.raises(UnknownNameError) as caught:
        parse_devices(text)
    assert hint in caught.value.hint


@pytest.mark.parametrize("text", ["", "cpu,", ","])
def test_an_empty_name_is_no_device(text):
    with pytest.raises(UnknownNameError, match="no device ''"):
        parse_devices(text)


def test_the_cpu_is_always_there():
    assert "cpu" in present()
    assert "auto" not in present()
    with Session(DOUBLE, device="CPU") as session:
        assert session.attached_device == "CPU"
        assert session.run([np.ones(2, np.float32)])["y"].tolist() == [2, 2]


@pytest.mark.parametrize("device", [name for name in providers.DEVICES if name != "auto"])
def test_a_named_device_is_used_or_refused(device):
    """On whatever machine this runs."""
    if device in present():
        with Session(DOUBLE, device=device) as session:
            assert session.attached_device in {way.label for way in providers.DEVICES[device]}
            assert session.run([np.ones(2, np.float32)])["y"].tolist() == [2, 2]
    else:
        with pytest.raises(DeviceError, match=f"Device '{device}' cannot be used here: .*Present are cpu"):
            Session(DOUBLE, device=device)


AUTO = ["CUDAExecutionProvider", "GPU", "ROCMExecutionProvider", "MIGraphXExecutionProvider", "CoreMLExecutionProvider"]
LABELS = ["CUDA", "OpenVINO:GPU", "ROCm", "ROCm", "CoreML", "CPU"]


@pytest.mark.parametrize("missing", range(6))
def test_auto_takes_the_best_that_attaches_and_says_why_no_better(build, missing):
    made = build(EVERY, AUTO[missing:], raising=AUTO[:missing:2])
    attached = attach(DOUBLE)
    assert attached.device == LABELS[missing]
    assert len(attached.fallbacks) == missing
    for i, reason in enumerate(attached.fallbacks):
        assert reason.startswith(LABELS[i])
        assert ("cannot open the model (" in reason) == (i % 2 == 0)
    assert not {own.get("device_type") for _, own in made.asked} & {"NPU", "CPU"}
    assert not {name for name, _ in made.asked} & {"TensorrtExecutionProvider", "AzureExecutionProvider"}


def test_auto_passes_over_what_is_not_installed_without_a_word(build):
    build(["AzureExecutionProvider", "CPUExecutionProvider"], [])
    assert attach(DOUBLE).fallbacks == ()


@pytest.mark.parametrize(
    ("device", "key", "name", "own", "label"),
    [
        ("cuda", "CUDAExecutionProvider", "CUDA", {"device_id": "2", "use_tf32": "0"}, "CUDA"),
        ("openvino", "GPU.2", "OpenVINO", {"device_type": "GPU.2", "num_of_threads": "3", "precision": "FP16"},
         "OpenVINO:GPU"),
        ("openvino", "CPU.2", "OpenVINO", {"device_type": "CPU.2", "num_of_threads": "3"}, "OpenVINO:CPU"),
        ("openvino-npu", "NPU.2", "OpenVINO", {"device_type": "NPU.2", "num_of_threads": "3", "precision": "FP16"},
         "OpenVINO:NPU"),
        ("rocm", "ROCMExecutionProvider", "ROCM", {"device_id": "2"}, "ROCm"),
        ("rocm", "MIGraphXExecutionProvider", "MIGraphX", {"device_id": "2"}, "ROCm"),
        ("coreml", "CoreMLExecutionProvider", "CoreML", {}, "CoreML"),
        ("coreml-ane", "CoreMLExecutionProvider", "CoreML", {"MLComputeUnits": "CPUAndNeuralEngine"}, "CoreML:ANE"),
        ("coreml-gpu", "CoreMLExecutionProvider", "CoreML", {"MLComputeUnits": "CPUAndGPU"}, "CoreML:GPU"),
        ("coreml-cpu", "CoreMLExecutionProvider", "CoreML", {"MLComputeUnits": "CPUOnly"}, "CoreML:CPU"),
    ],
)  # fmt: skip
def test_every_device_is_asked_for_in_its_provider_s_words(build, device, key, name, own, label):
    made = build(EVERY, [key])
    attached = attach(DOUBLE, device, None, Hardware(index=2, threads=3, half=True))
    assert attached.device == label
    assert made.asked[-1] == (f"{name}ExecutionProvider", own)


def test_openvino_without_half_precision_or_index(build):
    made = build(EVERY, ["GPU"])
    attach(DOUBLE, "openvino-gpu")
    assert made.asked == [("OpenVINOExecutionProvider", {"device_type": "GPU"})]


def test_a_provider_that_is_listed_but_does_not_attach_is_refused(build):
    build(["CUDAExecutionProvider", "CPUExecutionProvider"], [])
    with pytest.raises(DeviceError) as caught:
        attach(DOUBLE, "cuda")
    assert caught.value.message == (
        "Device 'cuda' cannot be used here: CUDA does not attach (libcudart.so.12 does not load)."
    )
    assert caught.value.hint == "Present are cpu; its driver, libraries or hardware are missing."
    assert present() == ("cpu",)


def test_a_runtime_that_loads_no_libraries_itself_has_nothing_to_say_of_them(build, monkeypatch):
    build(["CUDAExecutionProvider", "CPUExecutionProvider"], [])
    monkeypatch.delattr(onnxruntime, "preload_dlls")
    with pytest.raises(DeviceError, match=r"CUDA does not attach\."):
        attach(DOUBLE, "cuda")


def test_a_provider_that_is_not_installed_is_named_with_its_package(build):
    build(["CPUExecutionProvider"], [])
    for device, package in [("cuda", "onnxruntime-gpu"), ("rocm", "onnxruntime-rocm"), ("coreml", "macOS build")]:
        with pytest.raises(DeviceError, match="is not in the installed ONNX Runtime") as caught:
            attach(DOUBLE, device)
        assert package in caught.value.hint


def test_a_model_that_a_device_cannot_open_is_told_apart(build, monkeypatch):
    made = build(EVERY, ["CUDAExecutionProvider"])
    assert "cuda" in present()
    made.raising = {"CUDAExecutionProvider"}
    with pytest.raises(
        DeviceError, match=r"CUDA cannot open the model \(CUDAExecutionProvider has no kernel\)"
    ) as caught:
        attach(DOUBLE, "cuda")
    assert caught.value.hint == "Present are cpu, cuda; another one may take this model."


def test_a_list_of_devices_is_an_order(build):
    build(EVERY, ["GPU"])
    attached = attach(DOUBLE, "cuda,openvino-npu,openvino-gpu,cpu")
    assert attached.device == "OpenVINO:GPU"
    assert [reason.split()[0] for reason in attached.fallbacks] == ["CUDA", "OpenVINO:NPU"]
    assert attach(DOUBLE, "openvino-npu,cpu").device == "CPU"
    with pytest.raises(DeviceError, match=r"Device 'cuda,openvino-npu' cannot be used here: CUDA .*; OpenVINO:NPU "):
        attach(DOUBLE, "cuda,openvino-npu")


def test_present_lists_what_attaches(build):
    build(EVERY, ["CPU", "CoreMLExecutionProvider"])
    assert present() == ("cpu", "openvino", "openvino-cpu", "coreml", "coreml-ane", "coreml-gpu", "coreml-cpu")


def test_what_no_cpu_can_open_is_the_model_s_fault(build):
    build(EVERY, [], raising=["CPUExecutionProvider"])
    with pytest.raises(ModelError, match="cannot open the model: CPUExecutionProvider has no kernel") as caught:
        attach(DOUBLE, "cpu")
    assert type(caught.value) is ModelError


def test_the_graph_that_tries_devices_is_sound():
    onnx.checker.check_model(onnx.load_from_string(providers._IDENTITY), full_check=True)


@pytest.mark.parametrize(
    ("said", "line"),
    [
        ("[ONNXRuntimeError] : 7 : INVALID_PROTOBUF : Bad file.\nat line 3", "Bad file"),
        ("", "RuntimeError"),
        ("x" * 500, "x" * 160),
        ("node \x1b[2Jname\x07", "node [2Jname"),
    ],
)
def test_what_an_exception_says_fits_a_message(said, line):
    assert one_line(RuntimeError(said)) == line
