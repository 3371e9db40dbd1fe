"""The one way in: bytes that are read once, hashed, and refused if a single bit differs."""

import hashlib
import json
import logging
import random
import subprocess
import sys
from pathlib import Path

import pytest

from tinyvmaf.errors import IntegrityError, ModelError, UnknownNameError, UsageError
from tinyvmaf.models import load, paths, register, registry

HEAVY = {
    "ffmpeg_quality_metrics",
    "onnxruntime",
    "onnx",
    "numba",
    "av",
    "numpy",
    "sigstore",
    "platformdirs",
    "subprocess",
}


@pytest.fixture(autouse=True)
def store(tmp_path, monkeypatch):
    monkeypatch.setenv(paths.DATA, str(tmp_path / "user"))
    monkeypatch.delenv(paths.JAIL, raising=False)
    folder = tmp_path / "user" / "models"
    folder.mkdir(parents=True)
    return folder


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A registry of one model with an int8 variant in place of the packaged one."""
    place = tmp_path / "packaged"
    place.mkdir()
    (place / "own.onnx").write_bytes(b"graph")
    (place / "own.int8.onnx").write_bytes(b"small graph")
    (place / "own.json").write_text(json.dumps({"kind": "fr", "target": "teacher", "quant_mode": "static"}))
    register.write_registry(place)
    monkeypatch.setattr(registry, "data_folder", lambda: place)
    return place


def digest(data):
    return hashlib.sha256(data).hexdigest()


@pytest.mark.parametrize("version", registry.NETFLIX_SHA256)
def test_netflix_versions(version):
    model = load.load(version)
    assert (model.id, model.kind, model.registered, model.target) == (version, "svm", True, "human")
    assert digest(model.data) == model.sha256 == registry.NETFLIX_SHA256[version]
    assert (model.sidecar, model.verified, model.entry.id) == (None, False, version)


def test_loading_imports_nothing_heavy():
    code = "import sys; from tinyvmaf.models import load, registry, sidecar, verify, sign, paths, schema; "
    code += "load.load('vmaf_v0.6.1'); load.load('vmaf_tiny'); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not HEAVY & set(done.stdout.split())


def test_our_own_models_come_with_their_sidecar(folder):
    model = load.load("own")
    assert (model.id, model.kind, model.data, model.target) == ("own", "tiny", b"graph", "teacher")
    assert (model.registered, model.variant, model.verified) == (True, "fp32", False)
    assert json.loads(model.sidecar)["kind"] == "fr"
    assert model.sha256 == digest(b"graph") == model.entry.sha256
    assert "graph" not in repr(model)
    with pytest.raises(UnknownNameError, match=r"'other'.*There are: .*own"):
        load.load("other")


def test_the_int8_variant(folder, store):
    model = load.load("own", variant="int8")
    assert (model.data, model.sha256, model.variant) == (b"small graph", digest(b"small graph"), "int8")
    assert model.sidecar == load.load("own").sidecar
    assert load.load(folder / "own.onnx", variant="int8").data == b"small graph"
    (store / "m.json").write_text("{}")
    for name in ("vmaf_v0.6.1", store / "m.json"):
        with pytest.raises(UsageError, match="has no variant int8"):
            load.load(name, variant="int8")
    with pytest.raises(UsageError, match="fp32 and int8, not 'fp16'"):
        load.load("own", variant="fp16")


def stored(store, **record):
    (store / "mine.onnx").write_bytes(b"stored")
    content = {"id": "mine", "kind": "nr", "onnx": "mine.onnx", "sha256": digest(b"stored")} | record
    (store / "mine.entry.json").write_text(json.dumps(content))


def test_models_of_the_store(folder, store):
    stored(store, target="human")
    (store / "mine.json").write_text("{}")
    model = load.load("mine")
    assert (model.data, model.target, model.registered, model.entry.packaged) == (b"stored", "human", True, False)
    assert model.sidecar is None, "a sidecar that is not pinned is not used"
    stored(store, sidecar_sha256=digest(b"{}"))
    assert load.load("mine").sidecar == b"{}"


def test_netflix_versions_may_lie_in_the_store(folder, store):
    (store / "vmaf_b_v0.6.3.json").write_text("{}")
    record = {"id": "vmaf_b_v0.6.3", "kind": "fr", "file": "vmaf_b_v0.6.3.json", "sha256": digest(b"{}")}
    (store / "vmaf_b_v0.6.3.entry.json").write_text(json.dumps(record))
    assert (load.load("vmaf_b_v0.6.3").kind, load.load("vmaf_b_v0.6.3").data) == ("svm", b"{}")


@pytest.mark.parametrize("variant", ["fp32", "int8"])
def test_every_flipped_bit_of_every_pinned_file_is_refused(folder, variant):
    model = "own.onnx" if variant == "fp32" else "own.int8.onnx"
    for name in (model, "own.json"):
        whole = (folder / name).read_bytes()
        for position in range(8 * len(whole)):
            changed = bytearray(whole)
            changed[position // 8] ^= 1 << position % 8
            (folder / name).write_bytes(changed)
            with pytest.raises(IntegrityError, match="must have SHA-256"):
                load.load("own", variant=variant)
        for other in (whole[:-1], whole + b" ", b""):
            (folder / name).write_bytes(other)
            with pytest.raises(IntegrityError, match="must have SHA-256"):
                load.load("own", variant=variant)
        (folder / name).unlink()
        with pytest.raises(ModelError, match="cannot be read"):
            load.load("own", variant=variant)
        (folder / name).write_bytes(whole)
    assert load.load("own", variant=variant).registered


@pytest.mark.parametrize("name", ["vmaf_tiny.onnx", "vmaf_tiny.json", "registry.json", "registry.json.sha256"])
def test_flipped_bits_of_what_we_ship_are_refused(name, tmp_path, monkeypatch):
    source = registry.data_folder()
    for path in source.glob("*"):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    monkeypatch.setattr(registry, "data_folder", lambda: tmp_path)
    assert load.load("vmaf_tiny").registered
    whole = (source / name).read_bytes()
    for position in random.Random(7).sample(range(8 * len(whole)), 100):
        changed = bytearray(whole)
        changed[position // 8] ^= 1 << position % 8
        (tmp_path / name).write_bytes(changed)
        with pytest.raises(IntegrityError):
            load.load("vmaf_tiny")


def test_a_changed_file_of_the_carrier_is_refused(monkeypatch, tmp_path):
    path = tmp_path / "vmaf_v0.6.1.json"
    path.write_bytes(load.load("vmaf_v0.6.1").data + b" ")
    monkeypatch.setattr(registry, "netflix_file", lambda version: path)
    with pytest.raises(IntegrityError, match="must have SHA-256 5950d61f"):
        load.load("vmaf_v0.6.1")


def test_files_by_path_are_marked_as_not_registered(tmp_path):
    (tmp_path / "m.json").write_bytes(b"{}")
    (tmp_path / "m.onnx").write_bytes(b"graph")
    (tmp_path / "lone.ONNX").write_bytes(b"lone")
    svm, tiny = load.load(tmp_path / "m.json"), load.load(str(tmp_path / "m.onnx"))
    assert (svm.kind, svm.registered, svm.sidecar, svm.id) == ("svm", False, None, str(tmp_path / "m.json"))
    assert (tiny.kind, tiny.sidecar, tiny.sha256, tiny.entry) == ("tiny", b"{}", digest(b"graph"), None)
    assert (load.load(tmp_path / "lone.ONNX").kind, load.load(tmp_path / "lone.ONNX").sidecar) == ("tiny", None)


def test_a_path_object_is_a_file_whatever_its_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("vmaf_tiny").write_bytes(b"{}")
    assert load.load(Path("vmaf_tiny")).registered is False
    assert load.load("vmaf_tiny").registered is True
    with pytest.raises(ModelError, match="regular file"):
        load.load(Path())


def test_a_sidecar_that_cannot_be_read_is_not_passed_over(tmp_path, monkeypatch):
    (tmp_path / "m.onnx").write_bytes(b"graph")
    (tmp_path / "m.json").symlink_to("absent")
    with pytest.raises(ModelError, match=r"m\.json cannot be read"):
        load.load(tmp_path / "m.onnx")
    (tmp_path / "m.json").unlink()
    (tmp_path / "m.json").write_bytes(b" " * ((1 << 20) + 1))
    with pytest.raises(ModelError, match="at most 1048576 bytes"):
        load.load(tmp_path / "m.onnx")


def test_a_model_is_opened_and_read_once(folder, monkeypatch):
    seen = []
    read = paths.read
    monkeypatch.setattr(paths, "read", lambda path, *rest, **more: seen.append(path) or read(path, *rest, **more))
    load.load("own")
    assert len(seen) == len(set(seen)) == 4, "registry, checksum, sidecar, model"


def test_the_limit_of_size(tmp_path, monkeypatch, caplog):
    assert load.MAX_BYTES == 52_428_800
    monkeypatch.setattr(load, "MAX_BYTES", 1000)
    path = tmp_path / "m.onnx"
    path.write_bytes(bytes(1001))
    with caplog.at_level(logging.WARNING, "tinyvmaf"):
        with pytest.raises(ModelError, match="at most 1000 bytes"):
            load.load(path)
        with pytest.raises(ModelError, match="at most 10 bytes"):
            load.load(path, max_bytes=10)
        assert not caplog.records
        assert len(load.load(path, max_bytes=1001).data) == 1001
    assert "m.onnx may have 1001 bytes instead of 1000" in caplog.text


def test_the_whole_limit_can_be_used(tmp_path):
    path = tmp_path / "m.onnx"
    with open(path, "wb") as stream:
        stream.truncate(load.MAX_BYTES)
    assert len(load.load(path).data) == load.MAX_BYTES
    with open(path, "ab") as stream:
        stream.write(b"x")
    with pytest.raises(ModelError, match="at most 52428800 bytes"):
        load.load(path)
