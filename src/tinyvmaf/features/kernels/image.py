"""Kernel images: position-independent machine code in a file, mapped and called.

An image file is the line MAGIC, one line of JSON (entry: offset of the function; fixups: places that hold an address
inside the image; imports: places that hold the address of a C library function), one line with the SHA-256 of the
code, and the code.
"""

from __future__ import annotations

import ctypes
import functools
import hashlib
import importlib.util
import json
import mmap
import os
import platform
import stat
import struct
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

from tinyvmaf._files import atomic_write

MAGIC = b"tinyvmaf-kernel-1"

IMPORTS = ("memset", "memcpy", "memmove")
"""C library functions that compiled code may call; LLVM makes such calls of plain loops."""

_PROT_READ, _PROT_EXEC = 1, 4

_mapped: list[mmap.mmap] = []
"""Images in use: they stay mapped for the life of the process."""


@dataclass(frozen=True, slots=True)
class Image:
    """Machine code of one kernel.

    Attributes:
        code: The bytes, loadable at any page-aligned address.
        entry: Offset of the function to call.
        fixups: Pairs (place, target): the 8 bytes at `place` become the address of offset `target`.
        imports: Pairs (place, name): the 8 bytes at `place` become the address of that C function.
    """

    code: bytes
    entry: int
    fixups: tuple[tuple[int, int], ...]
    imports: tuple[tuple[int, str], ...]


@functools.cache
def supported() -> bool:
    """Whether images run here: Linux on 64-bit x86, not switched off by TINYVMAF_JIT=1."""
    machine = platform.machine().lower() in ("x86_64", "amd64")
    return sys.platform == "linux" and machine and os.environ.get("TINYVMAF_JIT", "") in ("", "0")


@functools.cache
def cache_folder() -> Path | None:
    """The folder for images of this processor and this source, made on first use.

    Returns:
        The folder, or None where no folder that only this user can write to is to be had.
    """
    import platformdirs

    base = os.environ.get("TINYVMAF_CACHE_DIR") or platformdirs.user_cache_dir("tinyvmaf")
    folder = Path(base) / "kernels" / _build_key()
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        facts = folder.stat()
    except OSError:
        return None
    private = facts.st_uid == os.geteuid() and not facts.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
    return folder if private and os.access(folder, os.W_OK) else None


def _build_key() -> str:
    """Hash of all that the machine code depends on: kernel source, compiler versions, processor."""
    digest = hashlib.sha256()
    for path in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(path.read_bytes())
    for package in ("numba", "llvmlite"):
        # Their version files, found without importing them or parsing package metadata, which would take longer.
        spec = importlib.util.find_spec(package)
        if spec is not None and spec.origin is not None:
            digest.update(Path(spec.origin).with_name("_version.py").read_bytes())
    digest.update(_processor())
    return digest.hexdigest()[:24]


def _processor() -> bytes:
    """What identifies the processor's instruction set: its family, model and flags."""
    wanted = (b"vendor_id", b"cpu family", b"model", b"flags")
    text = Path("/proc/cpuinfo").read_bytes().split(b"\n\n", 1)[0]
    return b"\n".join(line for line in text.splitlines() if line.startswith(wanted))


def save(image: Image, path: Path) -> None:
    """Write an image file, whole or not at all.

    Args:
        image: The image.
        path: Its file.
    """
    facts = asdict(image)
    del facts["code"]
    head = [MAGIC, json.dumps(facts).encode(), hashlib.sha256(image.code).hexdigest().encode(), image.code]
    with atomic_write(path, "wb") as stream:
        stream.write(b"\n".join(head))  # type: ignore[arg-type]


def read(path: Path) -> Image | None:
    """Read an image file.

    Args:
        path: The file.

    Returns:
        The image, or None where there is none or it is damaged.
    """
    try:
        magic, facts, digest, code = path.read_bytes().split(b"\n", 3)
    except (OSError, ValueError):
        return None
    if magic != MAGIC or hashlib.sha256(code).hexdigest().encode() != digest:
        return None
    known = json.loads(facts)
    return Image(code, known["entry"], tuple(map(tuple, known["fixups"])), tuple(map(tuple, known["imports"])))


def load(path: Path) -> int | None:
    """Map an image file into memory, executable.

    Args:
        path: The file.

    Returns:
        Address of its function, or None where the file is absent or damaged, or the system forbids it.
    """
    image = read(path)
    if image is None:
        return None
    memory = mmap.mmap(-1, len(image.code), flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    base = ctypes.addressof(ctypes.c_char.from_buffer(memory))
    memory[:] = image.code
    for place, target in image.fixups:
        memory[place : place + 8] = struct.pack("<Q", base + target)
    libc = ctypes.CDLL(None, use_errno=True)
    for place, name in image.imports:
        address = ctypes.cast(getattr(libc, name), ctypes.c_void_p).value
        memory[place : place + 8] = struct.pack("<Q", address)
    length = -(-len(image.code) // mmap.PAGESIZE) * mmap.PAGESIZE
    if libc.mprotect(ctypes.c_void_p(base), ctypes.c_size_t(length), _PROT_READ | _PROT_EXEC) != 0:
        return None
    _mapped.append(memory)
    return base + image.entry
