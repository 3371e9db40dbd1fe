"""The user's store: a model is there whole or not at all, whoever writes it, however the writing ends."""

import contextlib
import errno
import hashlib
import json
import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from tinyvmaf import _files
from tinyvmaf.errors import DataError, IntegrityError, ModelError, RejectedModelError, UnknownNameError, UsageError
from tinyvmaf.models import load, paths, registry, store
from tinyvmaf.models.registry import Entry

DATA, SIDECAR = b"graph" * 1000, b'{"kind": "nr"}\n'


def sha256(data):
    return hashlib.sha256(data).hexdigest()


def entry(model_id="own", data=DATA, sidecar=SIDECAR):
    return Entry(
        id=model_id, kind="nr", file=f"{model_id}.onnx", sha256=sha256(data), sidecar_sha256=sha256(sidecar), opset=17
    )


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv(paths.DATA, str(tmp_path / "user"))
    return tmp_path / "user" / "models"


def names(folder):
    """Files of the store, locks left out."""
    return sorted(path.name for path in folder.iterdir() if not path.name.endswith(".lock"))


def save(**changes):
    given = {"entry": entry(), "data": DATA, "sidecar": SIDECAR} | changes
    with store.lock(given["entry"].id):
        return store.save(**given)


def test_a_saved_model_is_loaded_by_name(folder):
    saved = save()
    model = load.load("own")
    assert (model.data, model.sidecar, model.entry, saved.folder) == (DATA, SIDECAR, saved, folder)
    assert names(folder) == ["own.entry.json", "own.json", "own.onnx"]
    assert store.holds(entry(), SIDECAR)
    assert store.stored_ids() == ("own",)


def test_libvmafs_json_has_no_sidecar(folder):
    svm = Entry(id="vmaf_b_v0.6.3", kind="fr", file="vmaf_b_v0.6.3.json", sha256=sha256(b"{}"))
    save(entry=svm, data=b"{}", sidecar=b"")
    assert load.load("vmaf_b_v0.6.3").kind == "svm"
    assert store.holds(svm, b"")


@pytest.mark.parametrize("name", ["own.onnx", "own.json", "own.entry.json"])
@pytest.mark.parametrize("damage", ["changed", "missing", "folder"])
def test_damage_is_seen_and_mended_by_saving_again(folder, name, damage):
    save()
    path = folder / name
    content = path.read_bytes()
    path.unlink()
    if damage == "changed":
        path.write_bytes(content[:-1] + b"?")
    elif damage == "folder":
        path.mkdir()
    assert not store.holds(entry(), SIDECAR)
    if damage == "folder":
        with pytest.raises(DataError, match=r"cannot be removed|Is a directory"):
            save()
        path.rmdir()
    save()
    assert store.holds(entry(), SIDECAR)


def test_another_entry_or_sidecar_is_not_the_same_model():
    save()
    assert not store.holds(entry(data=b"other"), SIDECAR)
    assert not store.holds(entry(), b"{}")
    assert not store.holds(entry("another"), SIDECAR)


@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "No space left on device"), KeyboardInterrupt()], ids=repr)
@pytest.mark.parametrize("written", [0, 1, 2])
@pytest.mark.parametrize("before", [False, True])
def test_what_ends_halfway_leaves_nothing_behind(folder, monkeypatch, error, written, before):
    if before:
        save()
    sync, calls = os.fsync, []

    def fail(handle):
        calls.append(handle)
        if len(calls) > written:
            raise error
        sync(handle)

    monkeypatch.setattr(_files.os, "fsync", fail)
    with pytest.raises(KeyboardInterrupt if isinstance(error, KeyboardInterrupt) else DataError):
        save(data=b"new", entry=entry(data=b"new"))
    assert names(folder) == []
    with pytest.raises(UnknownNameError):
        load.load("own")


def test_a_killed_writer_leaves_no_model_and_no_lock(folder):
    script = (
        "import os, signal; from tinyvmaf.models import store; from tinyvmaf.models.registry import Entry\n"
        "os.fsync = lambda handle: os.kill(os.getpid(), signal.SIGKILL)\n"
        "with store.lock('own'): store.save(Entry(id='own', kind='nr', file='own.onnx', sha256='0' * 64), b'x', b'')"
    )
    done = subprocess.run([sys.executable, "-c", script], check=False, timeout=60)
    assert done.returncode == -signal.SIGKILL
    assert store.stored_ids() == ()
    save()
    assert load.load("own").data == DATA


def test_writers_of_one_model_wait_and_others_do_not():
    held, order = threading.Event(), []

    def second():
        with store.lock("own"):
            order.append("second")

    with store.lock("own"):
        thread = threading.Thread(target=second)
        thread.start()
        with store.lock("another"):
            held.wait(0.2)
            order.append("first")
    thread.join(10)
    assert order == ["first", "second"]


def test_two_processes_write_and_every_reader_sees_a_whole_model(tmp_path):
    script = (
        "import hashlib, sys; from tinyvmaf.models import store; from tinyvmaf.models.registry import Entry\n"
        "for i in range(30):\n"
        "    data = (sys.argv[1] * 100_000 + str(i)).encode()\n"
        "    entry = Entry(id='own', kind='nr', file='own.onnx', sha256=hashlib.sha256(data).hexdigest())\n"
        "    with store.lock('own'):\n"
        "        store.save(entry, data, b'')\n"
        "        assert store.holds(entry, b'')\n"
    )
    writers = [subprocess.Popen([sys.executable, "-c", script, letter]) for letter in "ab"]
    seen = set()
    while any(writer.poll() is None for writer in writers):
        with store.lock("own"):
            if store.stored_ids():
                seen.add(load.load("own").data[:1])
        time.sleep(0.01)
    assert [writer.wait() for writer in writers] == [0, 0]
    assert seen <= {b"a", b"b"}
    assert load.load("own").data[1:2] in b"ab"


def test_a_store_that_cannot_be_made_is_said(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv(paths.DATA, str(tmp_path / "file"))
    with pytest.raises(DataError, match=r"model store .* cannot be used"), store.lock("own"):
        pass
    assert store.stored_ids() == ()


def test_removing(folder):
    with pytest.raises(UnknownNameError, match="It is empty"):
        store.remove("own")
    save()
    for name in ("other", "../own", "vmaf_tiny"):
        with pytest.raises(UnknownNameError, match="It holds: own"):
            store.remove(name)
    store.remove("own")
    assert names(folder) == []


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"id": "own"}', "\ud800".encode("utf-8", "surrogatepass")])
def test_a_damaged_entry_is_told_from_the_others_and_can_be_removed(folder, content):
    save(entry=entry("able"))
    save()
    save(entry=entry("zeal"))
    (folder / "own.entry.json").write_bytes(content)
    usable, broken = store.survey()
    assert [(found.id, found.folder) for found in usable] == [("able", folder), ("zeal", folder)]
    assert list(broken) == ["own"]
    assert broken["own"].endswith("Run: tinyvmaf models remove own")
    store.remove("own")
    assert store.survey() == (usable, {})
    assert "own.onnx" not in names(folder)


def test_what_a_packaged_name_hides_is_neither_usable_nor_damaged(folder, caplog):
    save(entry=entry("vmaf_tiny"))
    assert store.survey() == ((), {})
    assert "vmaf_tiny of the store is not used" in caplog.text


def test_an_empty_store_has_nothing():
    assert store.survey() == ((), {})


@pytest.fixture
def graph():
    """A packaged model, which the guard accepts."""
    return (registry.data_folder() / "vmaf_tiny.onnx").read_bytes()


@pytest.fixture
def own(tmp_path, graph):
    path = tmp_path / "mine.onnx"
    path.write_bytes(graph)
    return path


def test_importing_pins_model_and_sidecar(own, graph):
    own.with_suffix(".json").write_bytes(SIDECAR)
    made = store.import_model(own, "mine-2", target="human", licence="MIT")
    model = load.load("mine-2")
    assert (model.data, model.sidecar, model.registered, model.entry) == (graph, SIDECAR, True, made)
    assert (made.kind, made.target, made.licence, made.opset, made.source) == ("nr", "human", "MIT", 17, "imported")
    own.write_bytes(b"changed")
    assert load.load("mine-2").data == graph


def test_importing_without_sidecar_and_libvmafs_json(tmp_path, own):
    assert store.import_model(own, "bare").kind == "fr"
    assert load.load("bare").sidecar is None
    assert store.import_model(own, "map", kind="saliency").kind == "saliency"
    path = tmp_path / "svm.json"
    path.write_text('{"model_dict": {}}')
    assert store.import_model(path, "svm_v0.1").file == "svm_v0.1.json"
    assert load.load("svm_v0.1").kind == "svm"


def test_importing_replaces_only_when_asked(own, graph):
    store.import_model(own, "mine")
    with pytest.raises(UsageError, match="has a model mine already"):
        store.import_model(own, "mine")
    store.import_model(own, "mine", kind="nr", overwrite=True)
    assert load.load("mine").entry.kind == "nr"


@pytest.mark.parametrize("model_id", ["vmaf_tiny", "vmaf_v0.6.1"])
def test_packaged_names_are_taken(own, model_id):
    with pytest.raises(UsageError, match="taken by a packaged model"):
        store.import_model(own, model_id)


@pytest.mark.parametrize("changes", [{"kind": "other"}, {"target": "mos"}])
def test_what_no_entry_may_say_is_refused(own, changes):
    with pytest.raises(ModelError, match="cannot be used"):
        store.import_model(own, **{"model_id": "mine"} | changes)
    assert store.stored_ids() == ()


@pytest.mark.parametrize("model_id", ["../up", "", "Mine", "a b", "-a", "a.b", "a.onnx", "a" * 65])
def test_names_that_are_none_are_refused(own, model_id):
    with pytest.raises(UsageError, match="A model's name has 1 to 64"):
        store.import_model(own, model_id)
    assert store.stored_ids() == ()


def test_a_model_that_cannot_be_written_leaves_the_old_one(folder, monkeypatch):
    save()
    atomic = store.atomic_write

    @contextlib.contextmanager
    def full(path, mode):
        with atomic(path, mode) as stream:
            if path.suffix == ".onnx":
                raise OSError(errno.ENOSPC, "No space left on device")
            yield stream

    monkeypatch.setattr(store, "atomic_write", full)
    with pytest.raises(DataError, match="No space left"):
        save(data=b"new", entry=entry(data=b"new"))
    assert load.load("own").data == DATA


def test_what_the_guard_refuses_is_not_imported(own):
    own.write_bytes(b"no graph")
    with pytest.raises(RejectedModelError):
        store.import_model(own, "mine")
    assert store.stored_ids() == ()


@pytest.mark.parametrize("content", ["", "[1]", "{", "[" * 100_000])
def test_json_that_is_no_model_is_not_imported(tmp_path, content):
    path = tmp_path / "m.json"
    path.write_text(content)
    with pytest.raises(ModelError):
        store.import_model(path, "mine")


def test_a_changed_store_is_noticed_at_loading(folder, own):
    store.import_model(own, "mine")
    (folder / "mine.onnx").write_bytes(b"changed")
    with pytest.raises(IntegrityError, match="must have SHA-256"):
        load.load("mine")
    record = json.loads((folder / "mine.entry.json").read_bytes())
    assert record["sha256"] == sha256(own.read_bytes())


def test_a_model_that_cannot_be_removed_is_said(folder):
    save()
    (folder / "own.json").unlink(missing_ok=True)
    (folder / "own.json").mkdir()
    with pytest.raises(DataError, match="own cannot be removed from the store"):
        store.remove("own")
