"""Shots as JSON."""

from __future__ import annotations

import json
from fractions import Fraction
from typing import IO, Any

import numpy as np

from tinyvmaf.vision.lists.rows import COLUMNS, checked, row
from tinyvmaf.vision.shots import THRESHOLD, Numbers, Shot, Shots

VERSION = 1
"""Of the schema: it grows by keys; one that changes its meaning or goes gets another number."""


def write(shots: Shots, stream: IO[str]) -> None:
    """Write an object: how the shots were found, a list of them, the probabilities of every frame.

    Args:
        shots: The shots.
        stream: Takes the text.
    """
    said: dict[str, Any] = {
        "schema_version": VERSION,
        "video": shots.name,
        "detector": shots.detector,
        "threshold": shots.threshold,
        "frame_rate": None if shots.frame_rate is None else str(shots.frame_rate),
        "frames": shots.frames,
        "shots": [dict(zip(COLUMNS, _rounded(row(*item)), strict=True)) for item in enumerate(shots)],
        "probabilities": _column(shots.probabilities),
        "inside": _column(shots.inside),
    }
    lines = [f"  {json.dumps(key)}: {_value(value)}" for key, value in said.items()]
    stream.write("{\n" + ",\n".join(lines) + "\n}\n")


def _value(value: Any) -> str:
    """Shots have a line each."""
    if isinstance(value, list) and value and isinstance(value[0], dict):
        return "[\n" + ",\n".join(f"    {json.dumps(item)}" for item in value) + "\n  ]"
    return json.dumps(value)


def _column(column: Numbers | None) -> list[Any] | None:
    return None if column is None else _rounded(column.tolist())


def _rounded(values: Any) -> list[Any]:
    return [round(value, 6) if isinstance(value, float) else value for value in values]


def read(text: str) -> Shots:
    """Read what `write` has written; keys that are not known are left alone.

    Args:
        text: The file.

    Returns:
        The shots.

    Raises:
        ValueError: It is something else.
        KeyError: A key is missing.
        TypeError: A value has the wrong type.
    """
    said = json.loads(text)
    if said["schema_version"] != VERSION:
        raise ValueError(f"this version reads schema {VERSION}, not {said['schema_version']}")
    shots = checked(
        Shot(int(one["start_frame"]), int(one["end_frame"]), one.get("start_time"), one.get("end_time"))
        for one in said["shots"]
    )
    rate, columns = said.get("frame_rate"), [_read(said.get(key), shots) for key in ("probabilities", "inside")]
    return Shots(
        shots, str(said.get("video", "")), str(said.get("detector", "")), float(said.get("threshold", THRESHOLD)),
        Fraction(rate) if rate else None, *columns,
    )  # fmt: skip


def _read(numbers: Any, shots: tuple[Shot, ...]) -> Numbers | None:
    if numbers is None:
        return None
    column, frames = np.array(numbers, dtype=np.float64), shots[-1].last + 1
    if column.shape != (frames,):
        raise ValueError(f"every frame has a probability, but {frames} frames have {column.size}")
    return column
