"""Shots, and how they follow from the probability of every frame that a shot ends at it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from heapq import heapify, heappop, heappush
from itertools import pairwise
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

Numbers: TypeAlias = npt.NDArray[np.float64]

THRESHOLD = 0.5
"""A shot ends where the probability rises above it."""


@dataclass(frozen=True, slots=True)
class Shot:
    """Frames between two boundaries.

    Attributes:
        first: Number of its first frame, from 0.
        last: Number of its last frame, inclusive. Frames inside a transition belong to the shot that ends.
        start: When its first frame is shown, in seconds from the first frame of the video, None without a clock.
        end: When the last frame makes room for the next one, likewise.
    """

    first: int
    last: int
    start: float | None = None
    end: float | None = None

    @property
    def frames(self) -> int:
        """How many frames it has, 1 or more."""
        return self.last - self.first + 1


@dataclass(frozen=True, slots=True)
class Shots(Sequence[Shot]):
    """All shots of a video, in order, without gaps.

    Attributes:
        shots: The shots.
        name: The video, as the user named it.
        detector: What found them: "transnet_v2" or "content".
        threshold: What a probability had to exceed, 0 to 1.
        frame_rate: Frames per second, None where nobody states it.
        probabilities: (frames,) float64: that a shot ends at a frame; None where they were not kept.
        inside: (frames,) float64: that a frame lies in a transition; likewise.
    """

    shots: tuple[Shot, ...]
    name: str = ""
    detector: str = "transnet_v2"
    threshold: float = THRESHOLD
    frame_rate: Fraction | None = None
    probabilities: Numbers | None = None
    inside: Numbers | None = None

    def __len__(self) -> int:
        return len(self.shots)

    def __getitem__(self, index):  # type: ignore[no-untyped-def]  # as that of a tuple
        return self.shots[index]

    def __iter__(self) -> Iterator[Shot]:
        return iter(self.shots)

    @property
    def frames(self) -> int:
        """Frames of the video."""
        return self.shots[-1].last + 1 if self.shots else 0

    @property
    def boundaries(self) -> tuple[int, ...]:
        """First frames of all shots but the first."""
        return tuple(shot.first for shot in self.shots[1:])


def scenes(probabilities: Numbers, threshold: float = THRESHOLD) -> list[tuple[int, int]]:
    """Scenes as TransNet V2's authors cut them: from where the probability falls to where it rises again.

    Frames above the threshold, but for the first of a run of them, belong to no scene.

    Args:
        probabilities: (frames,) that a shot ends at a frame.
        threshold: What a boundary exceeds, strictly.

    Returns:
        First and last frame, inclusive, of each scene; one of all frames where none is left. There must be frames.
    """
    last = len(probabilities) - 1
    above = runs(np.asarray(probabilities) > threshold)
    starts = [0, *(end for _, end in above)]
    ends = [*(first for first, _ in above), last]
    found = [(start, end) for start, end in zip(starts, ends, strict=True) if start <= last and (end or not last)]
    return found or [(0, last)]


def runs(flags: npt.NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Find runs of frames.

    Args:
        flags: (frames,).

    Returns:
        First frame of each run, and the first one behind it.
    """
    edges = np.flatnonzero(np.diff(flags, prepend=False, append=False))
    return list(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))


def merged(
    firsts: Sequence[int], probabilities: Numbers, times: Numbers, min_frames: int = 1, min_seconds: float = 0.0
) -> list[int]:
    """Leave out boundaries until no shot is too short: of the shortest shot's two, the less probable one.

    Args:
        firsts: First frames of all shots but the first.
        probabilities: (frames,) that a shot ends at a frame.
        times: (frames + 1,) see `frame_edges`.
        min_frames: Fewest frames of a shot.
        min_seconds: Shortest shot in seconds; not looked at without a clock.

    Returns:
        The boundaries that are left.
    """
    edges = [0, *firsts, len(probabilities)]
    after, before = dict(pairwise(edges)), {end: first for first, end in pairwise(edges)}
    strength = {edge: float(probabilities[before[edge] : edge].max()) for edge in firsts}
    waiting = [(end - first, first, end) for first, end in pairwise(edges)]
    heapify(waiting)
    while waiting:
        length, first, end = heappop(waiting)
        short = length < min_frames or times[end] - times[first] < min_seconds
        inner = [edge for edge in (first, end) if edge in strength]
        if after.get(first) != end or not short or not inner:
            continue
        gone = min(inner, key=strength.__getitem__)
        del strength[gone]
        start, stop = before.pop(gone), after.pop(gone)
        after[start], before[stop] = stop, start
        heappush(waiting, (stop - start, start, stop))
    return sorted(strength)


def shots_between(firsts: Sequence[int], times: Numbers) -> tuple[Shot, ...]:
    """Shots from their boundaries.

    Args:
        firsts: First frames of all shots but the first.
        times: (frames + 1,) see `frame_edges`.

    Returns:
        The shots, none for a video without frames.
    """
    frames = len(times) - 1
    edges = [0, *firsts, frames] if frames > 0 else []
    seconds = [None if np.isnan(times[edge]) else float(times[edge]) for edge in edges]
    return tuple(
        Shot(first, end - 1, start, stop)
        for first, end, start, stop in zip(edges, edges[1:], seconds, seconds[1:], strict=False)
    )


def frame_edges(times: Sequence[float], frame_rate: Fraction | None) -> Numbers:
    """When frames begin, and when the last one ends, from the first one on.

    Times that do not increase, as broken files have them, are replaced by those that follow from the rate.

    Args:
        times: (frames,) presentation times in seconds, NaN where a frame has none.
        frame_rate: Frames per second, or None.

    Returns:
        (frames + 1,) seconds; all NaN where there is no clock.
    """
    found = np.asarray(times, dtype=np.float64)
    if len(found) and np.isfinite(found).all() and (np.diff(found) > 0).all():
        step = 1 / float(frame_rate) if frame_rate else float(found[-1] - found[-2]) if len(found) > 1 else np.nan
        known: Numbers = np.append(found, found[-1] + step) - found[0]
        return known
    numbers = np.arange(len(found) + 1, dtype=np.float64)
    edges: Numbers = numbers / float(frame_rate) if frame_rate else np.full(len(numbers), np.nan)
    return edges
