"""Where model files may lie, and how one is opened: once, without waiting, and never outside the folder that is set.

The environment variable VMAF_TINY_MODEL_DIR names the one folder, called the jail, from which ONNX models may be
loaded by path. The packaged models and those of the user's store are exempt: their bytes are pinned, so that it does
not matter where they lie. A hard link inside the jail counts as a file of the jail.
"""

from __future__ import annotations

import os
import stat

from tinyvmaf.errors import ModelError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pathlib import Path
    from typing import Final

JAIL: Final = "VMAF_TINY_MODEL_DIR"
DATA: Final = "TINYVMAF_DATA_DIR"

# Without O_NONBLOCK the open of a pipe would wait for a writer.
_READ: Final = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK
_FOLDER: Final = os.O_RDONLY | os.O_CLOEXEC | os.O_DIRECTORY | os.O_NOFOLLOW


def store_folder() -> Path:
    """The folder of the user's own models, `models` in TINYVMAF_DATA_DIR or in the system's place for user data.

    Returns:
        The path; it need not exist.
    """
    from pathlib import Path

    chosen = os.environ.get(DATA)
    if chosen:
        return Path(chosen, "models")
    import platformdirs

    return platformdirs.user_data_path("tinyvmaf") / "models"


def read(path: str | os.PathLike[str], limit: int, *, jailed: bool = False) -> bytes:
    """Read a whole regular file, opened once.

    Args:
        path: The file.
        limit: Most bytes that it may have.
        jailed: Whether it must lie inside the jail, if one is set, after all links are followed.

    Returns:
        Its content.

    Raises:
        ModelError: It cannot be read, is not a regular file, is too large, changes its size while it is read, or lies
            outside the jail; or the jail is not a folder.
    """
    jail = os.environ.get(JAIL) if jailed else None
    try:
        handle = _open_inside(os.fspath(path), jail) if jail else _open_regular(path)
        with open(handle, "rb") as stream:
            size = os.fstat(handle).st_size
            data = stream.read(size + 1) if size <= limit else b""
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise ModelError(f"The file {printable(path)} cannot be read: {reason}.", "Check the path.") from error
    if size > limit:
        raise ModelError(f"The file {printable(path)} must have at most {limit} bytes, but it has {size}.")
    if len(data) != size:
        raise ModelError(f"The file {printable(path)} must keep still while it is read, but its size changed.")
    return data


def _open_regular(name: str | os.PathLike[str], folder: int | None = None, follow: bool = True) -> int:
    # Looked at before it is opened, because to open a device can have effects, and after, because it may have changed.
    _check_regular(os.stat(name, dir_fd=folder, follow_symlinks=follow), name)
    handle = os.open(name, _READ | (0 if follow else os.O_NOFOLLOW), dir_fd=folder)
    try:
        _check_regular(os.fstat(handle), name)
    except ModelError:
        os.close(handle)
        raise
    return handle


def _check_regular(facts: os.stat_result, name: str | os.PathLike[str]) -> None:
    if not stat.S_ISREG(facts.st_mode):
        raise ModelError(f"A model must be a regular file, but {printable(name)} is not one.")


def _open_inside(path: str, jail: str) -> int:
    """Open a file of the jail by walking down from it: a link put in the way after the check is not followed."""
    root = os.path.realpath(jail)
    if not os.path.isdir(root):
        raise ModelError(f"{JAIL} must name a folder, but {jail} is not one.", f"Correct or unset {JAIL}.")
    *folders, name = _parts(path, root)
    handles = [os.open(root, _FOLDER)]
    try:
        for folder in folders:
            handles.append(os.open(folder, _FOLDER, dir_fd=handles[-1]))
        return _open_regular(name, handles[-1], follow=False)
    finally:
        for handle in handles:
            os.close(handle)


def _parts(path: str, root: str) -> list[str]:
    """The names on the way from the jail to a file, free of links."""
    target = os.path.realpath(path, strict=True)
    inside = f"{root.rstrip(os.sep)}{os.sep}"
    if not target.startswith(inside):
        raise ModelError(
            f"With {JAIL} set, models must lie inside {root}, but {printable(path)} is {printable(target)}.",
            f"Move the model there, or unset {JAIL}.",
        )
    return target.removeprefix(inside).split(os.sep)


def printable(path: str | os.PathLike[str]) -> str:
    """A path as it can be printed on one line.

    Args:
        path: Any path.

    Returns:
        The path itself, or its ASCII spelling in quotes where it is empty or holds what does not print.
    """
    text = os.fsdecode(path)
    return text if text and text.isprintable() else ascii(text)
