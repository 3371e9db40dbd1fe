"""Shots as CSV."""

from __future__ import annotations

import csv
from typing import IO

from tinyvmaf.vision.lists.rows import COLUMNS, checked, row
from tinyvmaf.vision.shots import Shot, Shots


def write(shots: Shots, stream: IO[str]) -> None:
    """Write a header and one line a shot; times have six decimals, and are empty without a clock.

    Args:
        shots: The shots.
        stream: Takes the text.
    """
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(COLUMNS)
    for number, shot in enumerate(shots):
        writer.writerow([f"{value:.6f}" if isinstance(value, float) else value for value in row(number, shot)])


def read(text: str) -> Shots:
    """Read what `write` has written; further columns, and those of times, may be there or not.

    Args:
        text: The file.

    Returns:
        The shots.

    Raises:
        ValueError: It is something else.
        KeyError: A column is missing.
    """
    lines = csv.DictReader(text.splitlines())
    return Shots(
        checked(
            Shot(
                int(line["start_frame"]),
                int(line["end_frame"]),
                _time(line.get("start_time")),
                _time(line.get("end_time")),
            )
            for line in lines
        ),
        detector="",
    )


def _time(text: str | None) -> float | None:
    return float(text) if text else None
