"""Lists of shots as files: ours as CSV and JSON, PySceneDetect's CSV, OTIO, keyframes for x264 and x265.

>>> from tinyvmaf.vision.lists import read_shots
>>> read_shots("shots.json").boundaries  # doctest: +SKIP
"""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import IO, Any, Final

from tinyvmaf._files import atomic_write
from tinyvmaf.errors import DataError, UnknownNameError
from tinyvmaf.vision.shots import Shots

__all__ = ["FORMATS", "read_shots", "write_list", "write_shots"]

FORMATS: Final = {
    "csv": "CSV: number, first and last frame, frames, times",
    "json": "JSON: the same, and the probability of every frame",
    "scenedetect": "CSV as PySceneDetect writes and loads it",
    "otio": "OpenTimelineIO: a clip for each shot",
    "qpfile": "for x264 and x265 --qpfile: a keyframe where each shot begins",
}
"""Each format and its one-line help."""

_LARGEST = 64 << 20
"""Bytes of a list that is read: ten hours of probabilities at 60 frames per second have a quarter."""


def write_list(shots: Shots, stream: IO[str], kind: str) -> None:
    """Write a list to an open text stream.

    Args:
        shots: The shots.
        stream: Takes the text.
        kind: One of FORMATS.

    Raises:
        UnknownNameError: There is no such format.
        DataError: The format needs a frame rate, and nobody states it.
    """
    if kind not in FORMATS:
        raise UnknownNameError(f"There is no format {kind!r} of shots.", f"There are: {', '.join(FORMATS)}.")
    module: Any = importlib.import_module(f"{__name__}.{kind}")
    module.write(shots, stream)


def write_shots(shots: Shots, path: str | Path, kind: str) -> None:
    """Write a list that appears whole or not at all.

    Args:
        shots: The shots.
        path: The file, replaced if it exists.
        kind: One of FORMATS.

    Raises:
        UnknownNameError: There is no such format.
        DataError: The file cannot be written, or the format needs a frame rate that nobody states.
    """
    with atomic_write(path) as stream:
        write_list(shots, stream, kind)  # type: ignore[arg-type]


def read_shots(path: str | Path) -> Shots:
    """Read a list back, ours as JSON or CSV.

    Args:
        path: The file.

    Returns:
        The shots; from CSV without name, detector, rate and probabilities.

    Raises:
        DataError: It cannot be read, or is no such list.
    """
    try:
        with open(path, encoding="utf-8") as stream:
            text = stream.read(_LARGEST + 1)
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"The list of shots {path} cannot be read: {error}.") from error
    if len(text) > _LARGEST:
        raise DataError(f"A list of shots has at most {_LARGEST} bytes, but {path} has more.")
    kind = "json" if text.lstrip().startswith("{") else "csv"
    module: Any = importlib.import_module(f"{__name__}.{kind}")
    try:
        shots: Shots = module.read(text)
    except (ValueError, KeyError, TypeError, ZeroDivisionError) as error:
        raise DataError(f"{path} is no list of shots: {error}.", "Write one with tinyvmaf shots.") from error
    return shots
