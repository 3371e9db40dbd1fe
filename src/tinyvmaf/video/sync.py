"""Do the two clips show the same moment? Answers from thumbnails, without believing any timestamp.

Notation: r(i) and d(i) are the directions of the thumbnails of frame i, e = 1 - <d(i), r(i+k)> how far the distorted
frame is from a reference frame, m = 1 - <r(i), r(i+k)> how far the reference itself moved. The *preference*

    c = (e(0) - e(k)) / m

is +1 when d(i) is exactly r(i+k) and -1 when it is exactly r(i). Blur, noise and graded brightness do not move its
sign; a heavily compressed clip moves it towards 0. A frame votes only where the motion exceeds what compression
destroyed (e(k) <= m, or 3 m for the nearest k): encoders that repeat the last picture in slow scenes must not look
like a delay.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Any, TypeAlias, cast

import numpy as np
import numpy.typing as npt

from tinyvmaf.video.thumbnails import Direction

Floats: TypeAlias = npt.NDArray[np.floating[Any]]
Slots: TypeAlias = npt.NDArray[np.int64]
"""Positions of reference frames beside a distorted one: REACH is its own, lower ones come before it."""
Directions: TypeAlias = "list[Direction] | npt.NDArray[np.float32]"

REACH = 8
"""Frames before and after that every distorted frame is compared with."""
MOVED = 1e-4
"""Smallest motion m that can be told from rounding."""
_NEAR, _NEAR_LOUD = 2, 3
"""Up to 2 frames away, motion is small beside what compression destroys: up to 3 times as much is let vote there."""
_DOUBT = 0.2
"""Preference that a sound pair may show for a while: encoders and temporal filters lag a little."""
_PROOF = 3.0
"""Sum of preferences, less doubt, that proves a shift: four clear frames. 117 sound pairs (13 natural clips, 9 encodes
each down to the worst quality of x264, x265, VP9, MPEG-4 and MPEG-2) stayed below 0.9."""
_VOTES = 4
_PLAIN = 0.6
"""Preference that is no encoder's doing where it lasts. Of 980 sound pairs (10 natural clips, 22 degradations, 11 kinds
of reference) only one shows it in two frames on end, and that one mixes every frame with half of the last."""
_REPEATED = 0.7
"""Preference for the frame before or after that is worth a note in a single frame."""
_PLAIN_RUN, _PLAIN_END = 3, 2
"""Frames on end with such a preference for one and the same other moment that prove a shift; the second number
holds at the end of the clips, where nothing follows that would make up for it."""
_FAR, _FAR_MOVED = 5, 0.15
"""Frames away, and motion m, from which on a picture counts as another one; grain moves less."""
_STRANGE = 0.7
"""Part of that motion that a lost frame differs from its own; 0.5 is what a cleaned picture differs from a grainy."""
_LOST = 0.25
"""Mean preference for the own frame below which a frame counts as lost; the worst encodes show twice that."""
_CLEARLY = 0.8
"""Part of the distance without offset that may be left with the one found."""
_SLOTS = 2 * REACH + 1


@dataclass(frozen=True, slots=True)
class Shift:
    """A proven difference in time.

    Attributes:
        offset: Distorted frame i shows reference frame i + offset; None if it shows none within reach.
        first: About the first pair of the run that proves it.
        votes: Frames that voted.
    """

    offset: int | None
    first: int
    votes: int


class SyncMonitor:
    """Watches a stream of pairs for runs in which the distorted clip shows another moment of the reference.

    A single repeated frame is a fault that a score should see, so it is counted and not held against the pairing;
    a run of at least three frames with one and the same shift is, or of two at the end.
    """

    def __init__(self) -> None:
        self._ring: npt.NDArray[np.float32] | None = None
        self._waiting: deque[tuple[Direction, bool, bool]] = deque()
        self._before: Direction | None = None
        self._lost = 0.0
        self._next = 0
        self._received = 0
        self._sums = np.zeros(_SLOTS)
        self._votes = np.zeros(_SLOTS, np.int64)
        self._starts = np.zeros(_SLOTS, np.int64)
        self._runs = np.zeros(_SLOTS, np.int64)
        self._begun = np.zeros(_SLOTS, np.int64)
        self.frozen = False
        """Whether the newest distorted frame shows the picture of the one before."""
        self.repeated: list[int] = []
        """Pairs, at most 1000, whose distorted frame clearly shows the reference frame before or after."""

    def push(self, reference: Direction, distorted: Direction, clear: bool = True) -> Shift | None:
        """Add a pair; the verdict comes up to 8 pairs later.

        Args:
            reference: Direction of the reference frame.
            distorted: Direction of the distorted frame.
            clear: Whether both have enough contrast for a lack of likeness to mean something.

        Returns:
            A shift as soon as it is proven.
        """
        self.frozen = self._before is not None and 1 - float(self._before @ distorted) < MOVED
        self._before = distorted
        if self._ring is None:
            self._ring = np.zeros((_SLOTS, reference.size), np.float32)
        self._ring[self._received % _SLOTS] = reference
        self._waiting.append((distorted, clear, self.frozen))
        self._received += 1
        return self._judge() if len(self._waiting) > REACH else None

    def finish(self) -> Shift | None:
        """Judge the last pairs, which have fewer frames after them."""
        found = None
        while self._waiting and found is None:
            found = self._judge()
        return found or self._plain(_PLAIN_END)

    def _judge(self) -> Shift | None:
        distorted, clear, frozen = self._waiting.popleft()
        index, self._next = self._next, self._next + 1
        ring = cast("npt.NDArray[np.float32]", self._ring)
        here = ring[index % _SLOTS]
        if not distorted.any() or not here.any():
            self._runs[:] = 0
            return None
        apart, moved = 1 - ring @ distorted, 1 - ring @ here
        frames = np.arange(max(0, index - REACH), min(self._received, index + REACH + 1))
        rows = frames % _SLOTS
        slots, now = frames - index + REACH, float(apart[index % _SLOTS])
        if clear and not frozen and self._is_lost(slots, apart[rows], moved[rows], now):
            return Shift(None, max(0, index - int(_PROOF / _LOST)), int(_PROOF / _LOST))
        voting, preference = _votes_of(slots, apart[rows], moved[rows], now)
        self._note_repeat(index, voting, preference)
        nearest = voting == slots[apart[rows].argmin()]
        self._count_runs(index, slots, voting[nearest & (preference >= _PLAIN)])
        # A freeze shows one picture at many moments: it may end anywhere, also behind a cut, and proves no shift.
        found = None if frozen else self._gather(index, voting, preference)
        return found or self._plain(_PLAIN_RUN)

    def _is_lost(self, slots: Slots, apart: Floats, moved: Floats, now: float) -> bool:
        """Whether, for a long time, the distorted frames were no closer to their own frame than to distant ones."""
        far = (np.abs(slots - REACH) >= _FAR) & (moved >= _FAR_MOVED)
        if far.any():
            preference = float(((now - apart[far]) / moved[far]).mean())
            strange = now >= _STRANGE * float(moved[far].mean())
            self._lost = max(0.0, self._lost + (min(preference, 0) + _LOST if strange else -_LOST))
        return self._lost >= _PROOF

    def _note_repeat(self, index: int, slots: Slots, preference: Floats) -> None:
        neighbours = preference[np.abs(slots - REACH) == 1]
        if len(self.repeated) < 1000 and neighbours.size and neighbours.max() > _REPEATED:
            self.repeated.append(index)

    def _gather(self, index: int, slots: Slots, preference: Floats) -> Shift | None:
        """Add a frame's preferences to the sums, and look whether one of them is a proof."""
        fresh = self._sums[slots] <= 0
        self._starts[slots[fresh]] = index
        self._votes[slots[fresh]] = 0
        self._sums[slots] = np.maximum(0, self._sums[slots] + np.clip(preference, -1, 1) - _DOUBT)
        self._votes[slots] += 1
        best = int(self._sums.argmax())
        if self._sums[best] < _PROOF or self._votes[best] < _VOTES:
            return None
        return Shift(best - REACH, int(self._starts[best]), int(self._votes[best]))

    def _count_runs(self, index: int, known: Slots, plain: Slots) -> None:
        """Go on with the run of the nearest moment, if it is plainly preferred; all others end.

        At each further picture of a freeze another moment is the nearest, so no run comes of it. Runs towards moments
        after the last frame, which nothing can tell any more, stay as they are.
        """
        self._runs[np.setdiff1d(known, plain)] = 0
        self._begun[plain[self._runs[plain] == 0]] = index
        self._runs[plain] += 1

    def _plain(self, least: int) -> Shift | None:
        best = int(self._runs.argmax())
        votes = int(self._runs[best])
        return Shift(best - REACH, int(self._begun[best]), votes) if votes >= least else None


def _votes_of(known: Slots, apart: Floats, moved: Floats, now: float) -> tuple[Slots, Floats]:
    """Slots for which a frame may vote, and its preference for each."""
    near = np.abs(known - REACH) <= _NEAR
    votes = (moved >= MOVED) & (apart <= np.where(near, _NEAR_LOUD, 1) * moved)
    return known[votes], (now - apart[votes]) / moved[votes]


@dataclass(frozen=True, slots=True)
class Search:
    """What a search for a constant offset found.

    Attributes:
        offset: Distorted frame i shows reference frame i + offset; None if nothing decisive was found.
        moving: Whether there was enough motion to decide at all.
    """

    offset: int | None
    moving: bool


def find_offset(references: Directions, distorted: Directions, reach: int) -> Search:
    """Find the one offset at which the first frames of both clips show the same pictures.

    Args:
        references: Directions of the first reference frames, in a list or as rows.
        distorted: Directions of the first distorted frames.
        reach: Largest offset tried, in frames, either way.

    Returns:
        The offset that every other one loses against, if there is such a one.
    """
    rows = np.asarray(references)
    columns = np.asarray(distorted)
    apart, moved = 1 - columns @ rows.T, 1 - rows @ rows.T
    apart[~columns.any(axis=1)] = np.nan
    apart[:, ~rows.any(axis=1)] = np.nan
    offsets = [o for o in range(-reach, reach + 1) if _overlap(apart.shape, o) >= _least(apart.shape)]
    cost = {o: _mean(np.diagonal(apart, o)) for o in offsets}
    known = {o: value for o, value in cost.items() if np.isfinite(value)}
    if not known:
        return Search(None, False)
    best = min(known, key=lambda o: (known[o], abs(o)))
    duels = {other: _duel(apart, moved, best, other) for other in known if other != best}
    decided = [won for won in duels.values() if won is not None]
    if not decided:
        return Search(None, False)
    clear = min(decided) > 0 and (best == 0 or _beats_zero(known, duels, best))
    return Search(best if clear else None, True)


def _beats_zero(known: dict[int, float], duels: dict[int, float | None], best: int) -> bool:
    """Whether "no offset" was compared, and lost clearly: a loop repeats itself without being late."""
    return 0 not in known or (duels[0] is not None and known[best] < _CLEARLY * known[0])


def _least(shape: tuple[int, ...]) -> int:
    """Frames that must overlap: a quarter of the shorter clip, at least five."""
    return max(5, min(shape) // 4)


def _overlap(shape: tuple[int, ...], offset: int) -> int:
    return int(min(shape[0], shape[1] - offset) - max(0, -offset))


def _mean(values: npt.NDArray[np.float32]) -> float:
    return float(np.nanmean(values)) if np.isfinite(values).any() else np.inf


def _duel(apart: npt.NDArray[np.float32], moved: npt.NDArray[np.float32], best: int, other: int) -> float | None:
    """Mean preference of `best` over `other` less doubt; None where too few frames moved to tell them apart."""
    low = max(0, -best, -other)
    high = min(apart.shape[0], apart.shape[1] - best, apart.shape[1] - other)
    frames = np.arange(low, high)
    motion = moved[frames + best, frames + other]
    near, far = apart[frames, frames + best], apart[frames, frames + other]
    loud = _NEAR_LOUD if abs(best - other) <= _NEAR else 1
    votes = (motion >= MOVED) & (near <= loud * motion)
    if votes.sum() < max(_VOTES, votes.size // 3):
        return None
    preference = np.clip((far[votes] - near[votes]) / motion[votes], -1, 1)
    return float(preference.mean()) - _DOUBT
