"""Files are opened once, without waiting, and never outside the jail, not even by whoever is quicker than we are."""

import os
import socket
from pathlib import Path

import pytest

from tinyvmaf.errors import ModelError
from tinyvmaf.models import load, paths


@pytest.fixture
def jail(tmp_path, monkeypatch):
    folder = tmp_path / "jail"
    (folder / "deep" / "deeper").mkdir(parents=True)
    for path in (folder / "m.onnx", folder / "deep" / "deeper" / "m.onnx"):
        path.write_bytes(b"inside")
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "m.onnx").write_bytes(b"outside")
    (tmp_path / "jail-too").mkdir()
    (tmp_path / "jail-too" / "m.onnx").write_bytes(b"outside")
    monkeypatch.setenv(paths.JAIL, str(folder))
    return folder


def read(path):
    return paths.read(path, 100, jailed=True)


def open_files():
    return sorted(os.listdir("/proc/self/fd"))


def test_files_are_read_up_to_the_limit(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"x" * 100)
    assert paths.read(path, 100) == b"x" * 100
    with pytest.raises(ModelError, match="at most 99 bytes, but it has 100"):
        paths.read(path, 99)
    (tmp_path / "link").symlink_to(path)
    assert paths.read(str(tmp_path / "link"), 100) == b"x" * 100


@pytest.mark.parametrize("change", [-1, 1])
def test_a_file_that_changes_its_size_is_refused(tmp_path, monkeypatch, change):
    path, facts = tmp_path / "file", os.fstat
    path.write_bytes(b"x" * 100)

    def late(handle):
        result = facts(handle)
        if os.path.samestat(result, os.stat(path)):
            os.truncate(path, result.st_size + change)
        return result

    monkeypatch.setattr(os, "fstat", late)
    with pytest.raises(ModelError, match="its size changed"):
        paths.read(path, 1000)


def test_a_limit_costs_no_memory(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"x")
    assert paths.read(path, 1 << 62) == b"x"


def test_what_is_no_regular_file_is_refused_at_once(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "socket"))
        before = open_files()
        for name in ("pipe", "socket", "", "/dev/zero", "/dev/null"):
            with pytest.raises(ModelError, match="must be a regular file"):
                paths.read(tmp_path / name, 100)
    for name in ("absent", "a\0b", "x" * 300):
        with pytest.raises(ModelError, match="cannot be read") as caught:
            paths.read(tmp_path / name, 100)
        assert "\n" not in str(caught.value)
    assert open_files() == before or len(open_files()) < len(before)


def test_a_file_that_turns_into_a_pipe_while_it_is_opened_is_refused(tmp_path, monkeypatch):
    path, opened = tmp_path / "file", os.open
    path.write_bytes(b"x")

    def late(name, flags, **more):
        path.unlink()
        os.mkfifo(path)
        return opened(name, flags, **more)

    monkeypatch.setattr(os, "open", late)
    before = open_files()
    with pytest.raises(ModelError, match="must be a regular file"):
        paths.read(path, 100)
    assert open_files() == before


def test_names_that_do_not_print_are_spelled(tmp_path):
    with pytest.raises(ModelError, match=r"a\\x1b\[2J.*cannot be read"):
        paths.read(tmp_path / "a\x1b[2J", 100)


def test_inside_the_jail_files_are_read(jail, monkeypatch):
    assert read(jail / "m.onnx") == read(jail / "deep" / "deeper" / "m.onnx") == b"inside"
    assert read(jail / "deep" / ".." / "m.onnx") == b"inside"
    monkeypatch.chdir(jail)
    assert read("deep/deeper/m.onnx") == b"inside"
    (jail / "link.onnx").symlink_to("deep/deeper/m.onnx")
    assert read("link.onnx") == b"inside"


def test_the_jail_may_be_reached_by_a_link(jail, tmp_path, monkeypatch):
    (tmp_path / "way").symlink_to(jail)
    monkeypatch.setenv(paths.JAIL, str(tmp_path / "way"))
    assert read(jail / "m.onnx") == read(tmp_path / "way" / "m.onnx") == b"inside"


def test_outside_the_jail_nothing_is_read(jail, tmp_path):
    (jail / "link.onnx").symlink_to(tmp_path / "outside" / "m.onnx")
    (jail / "folder").symlink_to(tmp_path / "outside")
    (jail / "relative.onnx").symlink_to("../outside/m.onnx")
    before = open_files()
    for path in (
        tmp_path / "outside" / "m.onnx",
        tmp_path / "jail-too" / "m.onnx",
        jail / ".." / "outside" / "m.onnx",
        jail / "link.onnx",
        jail / "folder" / "m.onnx",
        jail / "relative.onnx",
        jail,
        tmp_path,
    ):
        with pytest.raises(ModelError, match=f"must lie inside {jail}, but"):
            read(path)
    assert open_files() == before
    with pytest.raises(ModelError, match="cannot be read"):
        read(jail / "absent.onnx")
    with pytest.raises(ModelError, match="regular file"):
        read(jail / "deep")


@pytest.mark.parametrize("name", ["absent", "jail/m.onnx"])
def test_the_jail_is_a_folder(jail, tmp_path, monkeypatch, name):
    monkeypatch.setenv(paths.JAIL, str(tmp_path / name))
    with pytest.raises(ModelError, match=r"VMAF_TINY_MODEL_DIR must name a folder"):
        read(jail / "m.onnx")


def test_without_a_jail_every_folder_will_do(jail, tmp_path, monkeypatch):
    assert paths.read(tmp_path / "outside" / "m.onnx", 100) == b"outside"
    for value in ("", None):
        monkeypatch.setenv(paths.JAIL, "") if value == "" else monkeypatch.delenv(paths.JAIL)
        assert read(tmp_path / "outside" / "m.onnx") == b"outside"


@pytest.mark.parametrize("swapped", ["deep/deeper/m.onnx", "deep/deeper", "deep"])
def test_a_link_put_in_the_way_after_the_check_is_not_followed(jail, tmp_path, monkeypatch, swapped):
    """The race that a check before the open cannot win: here the attacker always does."""
    resolve = paths._parts
    target = tmp_path / "outside" / "deeper"
    target.mkdir()
    (target / "m.onnx").write_bytes(b"outside")

    def slow(path, root):
        found = resolve(path, root)
        place = jail / swapped
        place.rename(tmp_path / "moved")
        place.symlink_to({"deep": tmp_path / "outside", "deep/deeper": target}.get(swapped, target / "m.onnx"))
        assert Path(path).read_bytes() == b"outside"
        return found

    monkeypatch.setattr(paths, "_parts", slow)
    before = open_files()
    with pytest.raises(ModelError) as caught:
        read(jail / "deep" / "deeper" / "m.onnx")
    assert "outside" not in str(caught.value)
    assert open_files() == before


def test_a_link_put_there_between_look_and_open_is_not_followed(jail, tmp_path, monkeypatch):
    look = paths._check_regular

    def slow(facts, name):
        look(facts, name)
        (jail / "m.onnx").unlink(missing_ok=True)
        (jail / "m.onnx").symlink_to(tmp_path / "outside" / "m.onnx")

    monkeypatch.setattr(paths, "_check_regular", slow)
    with pytest.raises(ModelError, match="cannot be read"):
        read(jail / "m.onnx")


def test_models_and_sidecars_by_path_are_jailed(jail, tmp_path):
    assert load.load(jail / "m.onnx").data == b"inside"
    with pytest.raises(ModelError, match="must lie inside"):
        load.load(tmp_path / "outside" / "m.onnx")
    (tmp_path / "outside" / "m.json").write_text("{}")
    (jail / "m.json").symlink_to(tmp_path / "outside" / "m.json")
    with pytest.raises(ModelError, match="must lie inside"):
        load.load(jail / "m.onnx")


def test_what_is_pinned_or_no_onnx_is_not_jailed(jail, tmp_path):
    (tmp_path / "outside" / "svm.json").write_text("{}")
    assert load.load(tmp_path / "outside" / "svm.json").data == b"{}"
    assert load.load("vmaf_v0.6.1").registered
    assert load.load("vmaf_tiny").registered
