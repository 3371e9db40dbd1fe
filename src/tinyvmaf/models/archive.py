"""One member out of an archive: read into memory, never unpacked to disk, nothing of it run."""

from __future__ import annotations

import io
import stat
import struct
import tarfile
import zipfile
import zlib
from typing import Final

from tinyvmaf.errors import IntegrityError

DAMAGED: Final = (
    zipfile.BadZipFile,
    tarfile.TarError,
    zlib.error,
    struct.error,
    EOFError,
    KeyError,
    ValueError,
    OSError,
    RuntimeError,
)
"""What the standard library raises for archives that are damaged, encrypted or packed in unknown ways."""


def read_member(data: bytes, name: str, size: int) -> bytes:
    """Read one member of a wheel (zip) or of a source package (gzipped tar).

    Args:
        data: The archive.
        name: The member's whole path inside it, compared letter by letter.
        size: Bytes that the member must have.

    Returns:
        The member.

    Raises:
        IntegrityError: There is no such member, it is a link or folder, it has another size, or the archive is damaged.
    """
    try:
        if data[:2] == b"PK":
            with zipfile.ZipFile(io.BytesIO(data)) as archive:
                return read_entry(archive, name, size)
        return _read_tar(data, name, size)
    except DAMAGED as error:
        detail = f"{type(error).__name__}: {error}"
        raise IntegrityError(f"The archive's member {name} cannot be read ({detail}).", "Fetch it again.") from error


def read_entry(archive: zipfile.ZipFile, name: str, most: int) -> bytes:
    """Read a member of an open zip file.

    Args:
        archive: The zip file.
        name: The member's whole path.
        most: Largest size in bytes.

    Returns:
        The member.

    Raises:
        ValueError: It is a link or folder, or larger; other errors of DAMAGED for what zipfile finds.
    """
    entry = archive.getinfo(name)
    if entry.is_dir() or stat.S_ISLNK(entry.external_attr >> 16):
        raise ValueError("it is not a regular file")
    with archive.open(entry) as stream:
        return _bounded(stream.read(most + 1), most)


def _bounded(data: bytes, most: int) -> bytes:
    """The size that an archive states may be false: what counts is what comes out of it."""
    if len(data) > most:
        raise ValueError(f"it has more than {most} bytes")
    return data


def _read_tar(data: bytes, name: str, size: int) -> bytes:
    with tarfile.open(fileobj=io.BytesIO(data), mode="r|gz") as archive:
        for entry in archive:
            if entry.name == name:
                stream = archive.extractfile(entry) if entry.isreg() else None
                if stream is None:
                    raise ValueError("it is not a regular file")
                return _bounded(stream.read(size + 1), size)
    raise KeyError("there is no such member")
