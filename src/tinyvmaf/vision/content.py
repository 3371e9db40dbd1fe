"""Cuts without a model: frames that differ from their neighbours far more than those differ from each other."""

from __future__ import annotations

from collections import deque
from math import nan
from typing import Final

import numpy as np

from tinyvmaf.vision.shots import Numbers
from tinyvmaf.vision.windows import NOTHING, Thumbnail

NEIGHBOURS: Final = 2
"""Differences on either side that one is compared with."""
USUAL_RATIO: Final = 3.0
"""How many times its neighbours' mean a difference must be for a probability of one half."""
LEAST: Final = 6.0
"""Mean difference of samples, 0 to 255, below which nothing is a cut."""
FLASH: Final = 2
"""Longest flash, in frames, that is not taken for two cuts."""
_REACH: Final = FLASH + 1
_NEARBY: Final = 2 * NEIGHBOURS + 1
_LATE: Final = _REACH + NEIGHBOURS


class Content:
    """Differences of neighbouring thumbnails as a stream; a few thumbnails are kept.

    The difference between two frames is never counted higher than the one between the frames two further out, so that
    a flash, after which the picture is what it was, does not count. Divided by the mean of its neighbours it is a ratio
    r, which becomes the probability r / (r + 3).
    """

    def __init__(self) -> None:
        self._frames: deque[Thumbnail] = deque(maxlen=2 * _REACH)
        self._differences = deque([nan] * _NEARBY, maxlen=_NEARBY)
        self._count = 0

    def add(self, thumbnail: Thumbnail) -> Numbers:
        """Take the next frame.

        Args:
            thumbnail: It.

        Returns:
            (n, 2) probabilities of the next n frames, n being 0 or 1: that a shot ends, and 0.
        """
        if not self._frames:
            self._frames.extend([thumbnail] * 2 * _REACH)
        return self._push(thumbnail, self._count >= _REACH)

    def finish(self) -> Numbers:
        """Deal with the frames that are left after the last one.

        Returns:
            (n, 2) their probabilities.
        """
        if not self._frames:
            return NOTHING
        last = self._frames[-1]
        left = [self._push(last, self._count >= _REACH and more < FLASH) for more in range(_LATE)]
        return np.concatenate(left)

    def _push(self, thumbnail: Thumbnail, known: bool) -> Numbers:
        """Take a frame; `known` says whether both frames of the difference that it completes are there."""
        self._frames.append(thumbnail)
        inner, outer = _apart(*list(self._frames)[FLASH : FLASH + 2]), _apart(self._frames[0], self._frames[-1])
        self._differences.append(min(inner, outer) if known else nan)
        self._count += 1
        return np.array([[self._probability(), 0.0]]) if self._count > _LATE else NOTHING

    def _probability(self) -> float:
        """Of the difference in the middle of those that are kept."""
        own = self._differences[NEIGHBOURS]
        others = [one for place, one in enumerate(self._differences) if place != NEIGHBOURS and one == one]
        usual = max(1.0, sum(others) / max(1, len(others)))
        return own / (own + USUAL_RATIO * usual) if own >= LEAST else 0.0


def _apart(one: Thumbnail, other: Thumbnail) -> float:
    """Mean absolute difference of samples."""
    return float(np.abs(one.astype(np.int16) - other).mean())
