"""What CSV and JSON have in common: one row a shot, and the check that rows are the shots of a video."""

from __future__ import annotations

import math
from collections.abc import Iterable

from tinyvmaf.vision.shots import Shot

COLUMNS = ("shot_id", "start_frame", "end_frame", "frames", "start_time", "end_time")
"""Frames and shots count from 0, the last frame is inclusive, times are seconds from the first frame of the video."""


def row(number: int, shot: Shot) -> tuple[int | float | None, ...]:
    """The values of COLUMNS.

    Args:
        number: Of the shot, from 0.
        shot: It.
    """
    return (number, shot.first, shot.last, shot.frames, shot.start, shot.end)


def checked(shots: Iterable[Shot]) -> tuple[Shot, ...]:
    """Refuse rows that are not the shots of a video.

    Args:
        shots: As read.

    Returns:
        The same.

    Raises:
        ValueError: They do not follow each other frame by frame from 0, or a time is not finite.
    """
    found, following = tuple(shots), 0
    for shot in found:
        if shot.first != following or shot.last < shot.first:
            raise ValueError(f"shots follow each other without gaps, but {shot.first} to {shot.last} does not")
        if not all(math.isfinite(time) for time in (shot.start, shot.end) if time is not None):
            raise ValueError(f"times are finite, but not those of the shot at {shot.first}")
        following = shot.last + 1
    if not found:
        raise ValueError("a video has a shot at least, but there is none")
    return found
