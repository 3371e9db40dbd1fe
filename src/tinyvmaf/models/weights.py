"""The layouts of weight files: PyTorch's two, and NumPy arrays in a nested dictionary."""

from __future__ import annotations

import io
import zipfile
from typing import TYPE_CHECKING, Any, Final

from tinyvmaf.models.archive import DAMAGED, read_entry
from tinyvmaf.models.unpickle import Machine, Pending, Storage, refused

if TYPE_CHECKING:
    from tinyvmaf.models.unpickle import Array

MAX_BYTES: Final = 256 << 20
"""Largest file that is looked at, and largest member of an archive."""

MAX_ITEMS: Final = 4096
MAX_DEPTH: Final = 4

_MAGIC: Final = 0x1950A86A20F9469CFC6C
_PROTOCOL: Final = 1001


def torch_arrays(data: bytes) -> dict[str, Array]:
    """Tensors of a state dictionary that `torch.save` wrote, in its archive format or the older plain one.

    Args:
        data: The file.

    Returns:
        Name to read-only array, in the order of the file.

    Raises:
        ModelError: The file is damaged or too large, or holds anything but tensors by name.
    """
    return _flat(_archive(_bounded(data)) if data[:4] == b"PK\3\4" else _plain(_bounded(data)))


def numpy_arrays(data: bytes) -> dict[str, Array]:
    """Arrays of a pickled, nested dictionary.

    Args:
        data: The file.

    Returns:
        Keys joined by "/" to read-only float32 array, in the order of the file.

    Raises:
        ModelError: The file is damaged or too large, or holds anything but float32 arrays in dictionaries.
    """
    return _flat(Machine(_bounded(data)).run())


def _bounded(data: bytes) -> bytes:
    if len(data) > MAX_BYTES:
        raise refused(f"it has {len(data)} bytes, more than {MAX_BYTES >> 20} MiB")
    return data


def _flat(value: object) -> dict[str, Array]:
    """Breadth first, so that a dictionary that contains itself only costs what the limits allow."""
    level: dict[str, object] = {"": value}
    found: dict[str, Array] = {}
    for _ in range(MAX_DEPTH):
        found |= {name: item.array() for name, item in level.items() if isinstance(item, Pending)}
        level = _below({name: item for name, item in level.items() if not isinstance(item, Pending)})
    if level:
        raise refused(f"its dictionaries are nested deeper than {MAX_DEPTH} levels")
    return found


def _below(level: dict[str, object]) -> dict[str, object]:
    below: dict[str, object] = {}
    for name, item in level.items():
        if not isinstance(item, dict):
            raise refused(f"{name or 'its content'} is neither an array nor a dictionary")
        below |= {f"{name}/{key}" if name else key: part for key, part in item.items()}
        if len(below) > MAX_ITEMS:
            raise refused(f"it has more than {MAX_ITEMS} items")
    return below


def _archive(data: bytes) -> object:
    """The format of 2020: a zip file with the pickle `*/data.pkl` and a member `*/data/KEY` for each storage."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            (pickle,) = (name for name in archive.namelist() if name.partition("/")[2] == "data.pkl")
            folder = pickle.removesuffix("data.pkl")
            order = f"{folder}byteorder"
            if order in archive.namelist() and read_entry(archive, order, MAX_BYTES) != b"little":
                raise refused("its numbers are not little-endian")
            machine = Machine(read_entry(archive, pickle, MAX_BYTES))
            content = machine.run()
            total = sum(storage.size for storage in machine.storages.values())
            if total > MAX_BYTES:
                raise refused(f"it has {total} bytes of numbers, more than {MAX_BYTES >> 20} MiB")
            for key, storage in machine.storages.items():
                storage.data = read_entry(archive, f"{folder}data/{key}", storage.size)
            return content
    except DAMAGED as error:
        raise refused(f"it is no archive of PyTorch ({type(error).__name__}: {error})") from error


def _plain(data: bytes) -> object:
    """The format before: magic, protocol, system, content, storage keys; then each storage's count and numbers."""
    position = 0
    parts: list[Any] = []
    storages: dict[str, Storage] = {}
    for _ in range(5):
        machine = Machine(data, position)
        parts.append(machine.run())
        position = machine.position
        storages |= machine.storages
    magic, protocol, system, content, keys = parts
    if (magic, protocol) != (_MAGIC, _PROTOCOL) or not isinstance(system, dict):
        raise refused("it is no file of PyTorch")
    if system.get("little_endian") is not True:
        raise refused("its numbers are not little-endian")
    for storage in _listed(keys, storages):
        count, start, position = data[position : position + 8], position + 8, position + 8 + storage.size
        if int.from_bytes(count, "little") != storage.count:
            raise refused("a storage has another size than its tensors say")
        storage.data = data[start:position]
    return content


def _listed(keys: object, storages: dict[str, Storage]) -> list[Storage]:
    """Storages in the order in which their numbers follow."""
    if not isinstance(keys, list) or not all(isinstance(key, str) and key in storages for key in keys):
        raise refused("its list of storages is not one")
    return [storages[key] for key in keys]
