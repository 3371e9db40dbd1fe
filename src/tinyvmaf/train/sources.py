"""Reference clips: chosen frames of an open clip, reduced in size until its own compression no longer shows."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

from tinyvmaf.errors import DataError
from tinyvmaf.train.distort import at_depth
from tinyvmaf.train.recipe import Source
from tinyvmaf.video.frame import Frame
from tinyvmaf.video.reader import open_video
from tinyvmaf.video.resize import scale_frame


def read_source(source: Source, data: Path) -> list[Frame]:
    """Read the takes of a source.

    Args:
        source: The source.
        data: Folder that its path is relative to.

    Returns:
        4:2:0 frames of the source's size and bits, numbered from 0.

    Raises:
        DataError: The file is missing, is not the one the recipe names, or is too short.
    """
    path = data / source.file
    check_file(path, source.sha256)
    wanted = source.frame_numbers
    found: dict[int, Frame] = {}
    with open_video(path) as video:
        for frame in video:
            if frame.index in wanted:
                found[frame.index] = _prepared(frame, source)
            if len(found) == len(set(wanted)):
                break
    if missing := [number for number in wanted if number not in found]:
        raise DataError(f"{source.file} has no frame {missing[0]}.", "Shorten its takes in the recipe.")
    return [replace(found[number], index=index, time=None) for index, number in enumerate(wanted)]


def _prepared(frame: Frame, source: Source) -> Frame:
    width, height = source.size
    return scale_frame(at_depth(frame, source.bits), width, height, "area")


def check_file(path: Path, sha256: str) -> None:
    """Refuse a file that is not the one we mean.

    Args:
        path: The file.
        sha256: What it must hash to.

    Raises:
        DataError: It is missing or differs.
    """
    try:
        found = hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise DataError(f"The source {path} cannot be read: {error.strerror}.", "Check --data.") from error
    if found != sha256:
        raise DataError(f"The source {path} must have SHA-256 {sha256}, but has {found}.", "Check --data.")
