"""Outputs that appear whole or not at all."""

from __future__ import annotations

import contextlib
import os
import stat
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, cast

from tinyvmaf.errors import DataError


def check_writable(path: str | Path, inputs: Iterable[str | Path] = ()) -> None:
    """Refuse an output path that cannot be written, before any long work starts.

    Args:
        path: The file that will be written.
        inputs: Files that are read and must not be written over.

    Raises:
        DataError: The folder is missing or not writable, the path is a folder, or it is one of the inputs.
    """
    target = Path(path)
    if not str(path) or str(path).endswith(os.sep) or os.path.isdir(path):
        raise DataError(f"The output must be a file, but {str(path)!r} is a folder.", "Name a file inside it.")
    if os.path.exists(path) and not os.access(target, os.W_OK):
        raise DataError(f"The output {target} is not writable.", "Choose another file or change its permissions.")
    if _is_special(target):
        return
    for source in inputs:
        if same_file(target, source):
            raise DataError(f"The output {target} is also an input, {source}.", "Choose another file.")
    folder = Path(os.path.realpath(target)).parent
    if not folder.is_dir():
        raise DataError(f"The output folder {folder} does not exist.", "Create it or choose another place.")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise DataError(f"The output folder {folder} is not writable.", "Choose another place.")


def same_file(one: str | Path, other: str | Path) -> bool:
    """Whether two paths lead to one file, be it there already or not.

    Args:
        one: A path.
        other: Another.

    Returns:
        True for equal paths, links between them included.
    """
    try:
        return os.path.samefile(one, other)
    except (OSError, ValueError):
        return os.path.realpath(one) == os.path.realpath(other)


def _is_special(target: Path) -> bool:
    """Whether a rename must not replace the target: a device, a pipe, or a name such as /dev/stdout."""
    if str(target.parent) in ("/dev", "/dev/fd") or target.parts[:2] == ("/", "proc"):
        return True
    try:
        return not stat.S_ISREG(target.stat().st_mode)
    except OSError:
        return False


@contextlib.contextmanager
def atomic_write(path: str | Path, mode: str = "w") -> Iterator[IO[str] | IO[bytes]]:
    """Open a temporary file beside `path` and rename it over `path` when the block ends well.

    A device or pipe (/dev/stdout) is written directly. A link stays a link. If the block raises, the target is left as
    it was.

    Args:
        path: The file to produce.
        mode: "w" for UTF-8 text with LF line ends, "wb" for bytes.

    Yields:
        The open file.

    Raises:
        DataError: The file system refused.
    """
    target = Path(path)
    kind = {"encoding": "utf-8", "newline": "\n"} if "b" not in mode else {}
    temporary: str | None = None
    try:
        if _is_special(target):
            with open(target, mode, **kind) as stream:  # type: ignore[call-overload]
                yield stream
            return
        target = Path(os.path.realpath(target))
        mask = os.umask(0)
        os.umask(mask)
        handle, temporary = tempfile.mkstemp(prefix=".tinyvmaf-", suffix=".tmp", dir=target.parent)
        with open(handle, mode, **kind) as stream:  # type: ignore[call-overload]
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        os.chmod(temporary, 0o666 & ~mask)
        os.replace(temporary, target)
        temporary = None
    except OSError as error:
        raise DataError(
            f"Writing {target} failed: {error.strerror or error}.", "Check space and permissions."
        ) from error
    finally:
        if temporary is not None:
            with contextlib.suppress(OSError):
                os.unlink(temporary)


def write_bytes(path: str | Path, data: bytes) -> None:
    """Write a whole file by `atomic_write`.

    Args:
        path: The file to produce.
        data: All of it.

    Raises:
        DataError: The file system refused.
    """
    with atomic_write(path, "wb") as stream:
        cast("IO[bytes]", stream).write(data)
