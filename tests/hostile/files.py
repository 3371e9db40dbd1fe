"""Attacks on the file, not on the bytes: each sets up a folder and names the path that a user would give."""

from __future__ import annotations

import os
import socket
import tarfile
from collections.abc import Callable
from pathlib import Path

import onnx
from onnx import TensorProto

from hostile.build import FLOAT, plain

FILES: dict[str, Callable[[Path], Path]] = {}
RULES: dict[str, str] = {}


def attack(rule: str) -> Callable[[Callable[[Path], Path]], Callable[[Path], Path]]:
    def keep(build: Callable[[Path], Path]) -> Callable[[Path], Path]:
        FILES[build.__name__], RULES[build.__name__] = build, rule
        return build

    return keep


def honest() -> bytes:
    return plain().SerializeToString()


def pointing_at(location: str) -> bytes:
    """A model whose weight is said to be in another file."""
    model = plain()
    tensor = TensorProto(name="w", data_type=FLOAT, dims=[1], data_location=TensorProto.EXTERNAL)
    tensor.external_data.add(key="location", value=location)
    model.graph.initializer.append(tensor)
    model.graph.node.append(onnx.helper.make_node("Identity", ["w"], ["unused"]))
    return model.SerializeToString()


def _write(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


@attack("regular file")
def folder(place: Path) -> Path:
    (place / "model.onnx").mkdir()
    return place / "model.onnx"


@attack("regular file")
def fifo(place: Path) -> Path:
    """Opening it for reading waits for a writer that never comes."""
    os.mkfifo(place / "model.onnx")
    return place / "model.onnx"


@attack("regular file")
def unix_socket(place: Path) -> Path:
    path = place / "m.onnx"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
    return path


@attack("regular file")
def endless_device(place: Path) -> Path:
    (place / "model.onnx").symlink_to("/dev/zero")
    return place / "model.onnx"


@attack("not found")
def dangling_link(place: Path) -> Path:
    (place / "model.onnx").symlink_to(place / "nowhere.onnx")
    return place / "model.onnx"


@attack("not found")
def link_to_itself(place: Path) -> Path:
    (place / "model.onnx").symlink_to(place / "model.onnx")
    return place / "model.onnx"


@attack("jail")
def link_out_of_the_jail(place: Path) -> Path:
    """Harmless by itself; with `place/jail` as the jail the real path lies outside."""
    (place / "jail").mkdir()
    _write(place / "outside.onnx", honest())
    (place / "jail" / "model.onnx").symlink_to(place / "outside.onnx")
    return place / "jail" / "model.onnx"


@attack("jail")
def neighbour_of_the_jail(place: Path) -> Path:
    """`jail2` starts with the letters of `jail`, and is not inside it."""
    (place / "jail").mkdir()
    (place / "jail2").mkdir()
    return _write(place / "jail2" / "model.onnx", honest())


@attack("jail")
def dots_out_of_the_jail(place: Path) -> Path:
    (place / "jail").mkdir()
    _write(place / "outside.onnx", honest())
    return place / "jail" / ".." / "outside.onnx"


@attack("external")
def external_data_by_symlink(place: Path) -> Path:
    """The weight's file is a link to a file outside the model's folder."""
    _write(place / "secret.bin", bytes(4))
    (place / "models").mkdir()
    (place / "models" / "weights.data").symlink_to(place / "secret.bin")
    return _write(place / "models" / "model.onnx", pointing_at("weights.data"))


@attack("external")
def external_data_by_hard_link(place: Path) -> Path:
    _write(place / "secret.bin", bytes(4))
    (place / "models").mkdir()
    os.link(place / "secret.bin", place / "models" / "weights.data")
    return _write(place / "models" / "model.onnx", pointing_at("weights.data"))


@attack("external")
def external_data_that_exists_outside(place: Path) -> Path:
    _write(place / "secret.bin", bytes(4))
    (place / "models").mkdir()
    return _write(place / "models" / "model.onnx", pointing_at("../secret.bin"))


@attack("external")
def external_data_written_outside(place: Path) -> Path:
    """A tool that saves this model again must not create `place/written.bin`."""
    (place / "models").mkdir()
    return _write(place / "models" / "model.onnx", pointing_at("../written.bin"))


@attack("protobuf")
def archive_that_climbs_out(place: Path) -> Path:
    """A tar file under a model's name, with a member that leaves the folder: nothing may unpack it."""
    path = place / "model.onnx"
    member = _write(place / "payload", honest())
    with tarfile.open(path, "w:gz") as archive:
        archive.add(member, arcname="../../climbed.onnx")
    return path


@attack("size|bytes|MiB")
def sparse_file_of_a_tebibyte(place: Path) -> Path:
    path = place / "model.onnx"
    with path.open("wb") as file:
        file.truncate(1 << 40)
    return path


@attack("size|bytes|MiB")
def one_byte_over_the_cap(place: Path) -> Path:
    path = _write(place / "model.onnx", honest())
    with path.open("r+b") as file:
        file.truncate(50 * 1024 * 1024 + 1)
    return path


@attack("empty")
def empty_file(place: Path) -> Path:
    return _write(place / "model.onnx", b"")


@attack("permission")
def unreadable_file(place: Path) -> Path:
    path = _write(place / "model.onnx", honest())
    path.chmod(0)
    return path


@attack("not found|name")
def name_too_long(place: Path) -> Path:
    return place / ("m" * 5000 + ".onnx")


@attack("not found|name")
def name_with_nul(place: Path) -> Path:
    return place / "model\0.onnx"
