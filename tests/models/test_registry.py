"""Models by name and by path: only the bytes we know, read once."""

import hashlib
import json
import os
import subprocess
import sys

import pytest

from tinyvmaf.errors import MissingExtraError, ModelError, UnknownNameError
from tinyvmaf.models import load, registry


@pytest.mark.parametrize("version", registry.NETFLIX_SHA256)
def test_versions_are_found_and_their_hash_is_checked(version):
    model = load.load_version(version)
    assert (model.id, model.kind, model.registered) == (version, "svm", True)
    assert hashlib.sha256(model.data).hexdigest() == model.sha256 == registry.NETFLIX_SHA256[version]


def test_finding_a_version_does_not_import_the_package_that_carries_it():
    code = "import sys; from tinyvmaf.models.load import load_version; load_version('vmaf_v0.6.1'); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"ffmpeg_quality_metrics", "onnxruntime", "numba", "av", "numpy"} & set(done.stdout.split())


def test_a_changed_file_is_refused(monkeypatch, tmp_path):
    path = tmp_path / "vmaf_v0.6.1.json"
    path.write_bytes(load.load_version("vmaf_v0.6.1").data + b" ")
    monkeypatch.setattr(registry, "netflix_file", lambda version: path)
    with pytest.raises(ModelError, match="must have SHA-256 5950d61f"):
        load.load_version("vmaf_v0.6.1")


@pytest.mark.parametrize(
    ("version", "reason"),
    [
        ("vmaf_b_v0.6.3", "path=FILE"),
        ("vmaf_4k_v0.6.1neg", "path=FILE"),
        ("vmaf_float_v0.6.1", "float features"),
        ("vmaf_float_b_v0.6.3", "float features"),
        ("vmaf_v1.0.16_3d0h", "cambi"),
        ("vmaf_v1.0.16_hfr_1d5h_2160", "motion3"),
    ],
)
def test_versions_that_cannot_be_had_say_why(version, reason):
    with pytest.raises(UnknownNameError, match=reason):
        load.load_version(version)


def test_unknown_versions_name_the_nearest():
    with pytest.raises(UnknownNameError, match=r"'vmaf_v0.6.1_neg'.*Did you mean vmaf_v0.6.1neg"):
        load.load_version("vmaf_v0.6.1_neg")


def test_without_the_carrier_the_error_gives_the_command(monkeypatch):
    monkeypatch.setattr(registry, "CARRIER", "no_such_package")
    with pytest.raises(MissingExtraError, match="pip install ffmpeg-quality-metrics"):
        load.load_version("vmaf_v0.6.1")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A registry of one model in place of the packaged one."""
    (tmp_path / "own.onnx").write_bytes(b"graph")
    (tmp_path / "own.json").write_text(
        json.dumps({"kind": "fr", "target": "teacher", "license": "MIT", "onnx_opset": 17})
    )
    (tmp_path / "registry.json").write_text(registry.build_registry(tmp_path))
    monkeypatch.setattr(registry, "data_folder", lambda: tmp_path)
    return tmp_path


def test_our_own_models_come_with_their_sidecar(folder):
    model = load.load_tiny("own")
    assert (model.kind, model.data, model.target, model.registered) == ("tiny", b"graph", "teacher", True)
    assert json.loads(model.sidecar)["kind"] == "fr"
    assert registry.tiny_ids() == ("own",)
    assert registry.tiny_entry("own").licence == "MIT"
    with pytest.raises(UnknownNameError, match=r"'other'.*There are: own"):
        load.load_tiny("other")


def test_the_registry_is_the_same_for_the_same_files(folder):
    assert registry.build_registry(folder) == (folder / "registry.json").read_text()


@pytest.mark.parametrize("name", ["own.onnx", "own.json"])
def test_any_changed_byte_of_model_or_sidecar_is_refused(folder, name):
    content = bytearray((folder / name).read_bytes())
    content[0] ^= 1
    (folder / name).write_bytes(content)
    with pytest.raises(ModelError, match="must have SHA-256"):
        load.load_tiny("own")
    (folder / name).unlink()
    with pytest.raises(ModelError, match="cannot be read"):
        load.load_tiny("own")


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        "{}",
        '{"models": 3}',
        '{"models": [{"id": "own"}]}',
        '{"models": [{"id": "../own", "sha256": "", "target": ""}]}',
    ],
)
def test_a_damaged_registry_is_refused(folder, content):
    (folder / "registry.json").write_text(content)
    with pytest.raises(ModelError, match="registry"):
        load.load_tiny("own")


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"kind": "fr"}'])
def test_a_registry_is_not_made_from_half_a_sidecar(folder, content):
    (folder / "own.json").write_text(content)
    with pytest.raises(ModelError, match="at least kind and target"):
        registry.build_registry(folder)


def test_the_packaged_registry_lists_what_it_holds():
    if not (registry.data_folder() / "registry.json").exists():
        pytest.skip("no packaged model yet")
    for model_id in registry.tiny_ids():
        assert load.load_tiny(model_id).data
    assert (registry.data_folder() / "registry.json").read_text() == registry.build_registry(registry.data_folder())


def test_files_by_path_are_marked_as_not_registered(tmp_path):
    (tmp_path / "m.json").write_bytes(b"{}")
    (tmp_path / "m.onnx").write_bytes(b"graph")
    svm, tiny = load.load_path(tmp_path / "m.json"), load.load_path(tmp_path / "m.onnx")
    assert (svm.kind, svm.registered, svm.sidecar, svm.id) == ("svm", False, None, str(tmp_path / "m.json"))
    assert (tiny.kind, tiny.sidecar, tiny.sha256) == ("tiny", b"{}", hashlib.sha256(b"graph").hexdigest())


def test_what_is_no_regular_file_is_refused(tmp_path, monkeypatch):
    os.mkfifo(tmp_path / "pipe")
    monkeypatch.setattr(load, "MAX_BYTES", 1000)
    (tmp_path / "large").write_bytes(bytes(1001))
    for path in (tmp_path, tmp_path / "pipe", tmp_path / "absent", tmp_path / "large", "/dev/zero", "a\0b"):
        with pytest.raises(ModelError) as caught:
            load.load_path(path)
        assert "\n" not in str(caught.value)
