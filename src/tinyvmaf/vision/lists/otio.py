"""Shots as an OpenTimelineIO timeline: one track, one clip a shot, each a piece of the video.

Source: the file format of OpenTimelineIO, schemas Timeline.1, Stack.1, Track.1, Clip.2, ExternalReference.1.
"""

from __future__ import annotations

import json
from typing import IO, Any

from tinyvmaf.errors import DataError
from tinyvmaf.vision.shots import Shot, Shots


def write(shots: Shots, stream: IO[str]) -> None:
    """Write the timeline.

    Times are counted in frames of the stated rate; where the rate varies they are those of the nearest such frame.

    Args:
        shots: The shots.
        stream: Takes the text.

    Raises:
        DataError: The video has no clock or no rate.
    """
    if shots.frame_rate is None or any(shot.start is None or shot.end is None for shot in shots):
        raise DataError("A timeline has times, but the video states no frame rate.", "Give one: --rate 25.")
    rate = float(shots.frame_rate)
    whole = _range(0, _frame(shots.shots[-1].end, rate), rate)
    clips = [_clip(number, shot, shots, rate, whole) for number, shot in enumerate(shots)]
    track = {"OTIO_SCHEMA": "Track.1", "name": "Shots", "kind": "Video", "children": clips}
    stack = {"OTIO_SCHEMA": "Stack.1", "name": "tracks", "children": [track]}
    facts = {"detector": shots.detector, "threshold": shots.threshold}
    timeline = {
        "OTIO_SCHEMA": "Timeline.1", "name": shots.name, "metadata": {"tinyvmaf": facts},
        "global_start_time": None, "tracks": stack,
    }  # fmt: skip
    json.dump(timeline, stream, indent=2)
    stream.write("\n")


def _clip(number: int, shot: Shot, shots: Shots, rate: float, whole: Any) -> dict[str, Any]:
    first, end = _frame(shot.start, rate), _frame(shot.end, rate)
    media = {"OTIO_SCHEMA": "ExternalReference.1", "target_url": shots.name, "available_range": whole}
    return {
        "OTIO_SCHEMA": "Clip.2", "name": f"Shot {number + 1}",
        "source_range": _range(first, end - first, rate),
        "metadata": {"tinyvmaf": {"start_frame": shot.first, "end_frame": shot.last}},
        "media_references": {"DEFAULT_MEDIA": media}, "active_media_reference_key": "DEFAULT_MEDIA",
    }  # fmt: skip


def _frame(seconds: float | None, rate: float) -> int:
    return round((seconds or 0.0) * rate)


def _range(first: int, frames: int, rate: float) -> dict[str, Any]:
    moments = {"start_time": first, "duration": frames}
    times = {name: {"OTIO_SCHEMA": "RationalTime.1", "rate": rate, "value": value} for name, value in moments.items()}
    return {"OTIO_SCHEMA": "TimeRange.1", **times}
