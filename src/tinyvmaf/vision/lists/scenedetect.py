"""Shots as the CSV of PySceneDetect's `list-scenes`, which its `load-scenes` reads.

Frames and scenes count from 1 there, the last frame is inclusive, and times end where the next scene begins.
"""

from __future__ import annotations

import csv
from typing import IO

from tinyvmaf.errors import DataError
from tinyvmaf.vision.shots import Shots

_PARTS = ("Frame", "Timecode", "Time (seconds)")
COLUMNS = (
    "Scene Number",
    *(f"{edge} {part}" for edge in ("Start", "End") for part in _PARTS),
    *(f"Length ({unit})" for unit in ("frames", "timecode", "seconds")),
)


def write(shots: Shots, stream: IO[str]) -> None:
    """Write the list of cuts, a header, and one line a shot.

    Args:
        shots: The shots.
        stream: Takes the text.

    Raises:
        DataError: The video has no clock.
    """
    if any(shot.start is None or shot.end is None for shot in shots):
        raise DataError("PySceneDetect's list has times, but the video states no frame rate.", "Give one: --rate 25.")
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(["Timecode List:", *(timecode(shot.start or 0) for shot in shots.shots[1:])])
    writer.writerow(COLUMNS)
    for number, shot in enumerate(shots, 1):
        start, end = shot.start or 0.0, shot.end or 0.0
        moments = [(shot.first + 1, start), (shot.last + 1, end), (shot.frames, end - start)]
        cells = [cell for frame, time in moments for cell in (frame, timecode(time), f"{time:.3f}")]
        writer.writerow([number, *cells])


def timecode(seconds: float) -> str:
    """Hours, minutes, seconds and milliseconds: 00:01:02.345.

    Args:
        seconds: 0 or more.
    """
    thousandths = round(seconds * 1000)
    minutes, rest = divmod(thousandths, 60_000)
    return f"{minutes // 60:02d}:{minutes % 60:02d}:{rest // 1000:02d}.{rest % 1000:03d}"
