"""Outputs that appear whole or not at all."""

from __future__ import annotations

import contextlib
import os
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from tinyvmaf.errors import DataError


def check_writable(path: str | Path) -> None:
    """Refuse an output path that cannot be written, before any long work starts.

    Args:
        path: The file that will be written.

    Raises:
        DataError: The folder is missing or not writable, or the path is a folder.
    """
    target = Path(path)
    if target.is_dir():
        raise DataError(f"The output must be a file, but {target} is a folder.", "Name a file inside it.")
    if target.exists() and not os.access(target, os.W_OK):
        raise DataError(f"The output {target} is not writable.", "Choose another file or change its permissions.")
    if _is_special(target):
        return
    folder = target.parent
    if not folder.is_dir():
        raise DataError(f"The output folder {folder} does not exist.", "Create it or choose another place.")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise DataError(f"The output folder {folder} is not writable.", "Choose another place.")


def _is_special(target: Path) -> bool:
    """Whether the target is a device or pipe such as /dev/stdout, which a rename would replace."""
    try:
        return not stat.S_ISREG(target.stat().st_mode)
    except OSError:
        return False


@contextlib.contextmanager
def atomic_write(path: str | Path, mode: str = "w") -> Iterator[IO[str] | IO[bytes]]:
    """Open a temporary file beside `path` and rename it over `path` when the block ends well.

    A device or pipe (/dev/stdout) is written directly. If the block raises, the target is left as it was.

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
        mask = os.umask(0)
        os.umask(mask)
        handle, temporary = tempfile.mkstemp(prefix=f".{target.name}.", suffix=".tmp", dir=target.parent)
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
