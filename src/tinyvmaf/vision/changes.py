"""A cheap first look: the network sees only stretches of a video in which the picture changes.

A shot ends where one picture takes the place of another. So frames are passed over that differ little from their
neighbours and, in layout or in colours, from what was shown a second before.
"""

from __future__ import annotations

from collections import deque
from typing import Final

import numpy as np

from tinyvmaf.vision.shots import Numbers
from tinyvmaf.vision.windows import MARGIN, NOTHING, Network, Thumbnail

SUDDEN: Final = 8.0
"""Mean difference of samples, 0 to 255, between neighbours from which a change is sudden."""
LAYOUT: Final = 16.0
"""The same of tiles over REACH frames, from which the layout has changed."""
COLOURS: Final = 0.3
"""Share of the picture, times two, that has left its bin of 64 colours over REACH frames, likewise."""
REACH: Final = 24
"""Frames over which slow changes are measured."""
GAP: Final = 2 * MARGIN
"""Quiet frames that part two stretches: fewer cost less to look at than margins of their own."""
LONGEST: Final = 100
"""Frames of a stretch that are looked at together, without margins."""


class Changes:
    """Says of every frame, in order, since when the picture has been changing."""

    def __init__(self) -> None:
        self._last: Thumbnail | None = None
        self._before: deque[tuple[Numbers, Numbers]] = deque(maxlen=REACH + 1)

    def add(self, thumbnail: Thumbnail) -> int:
        """Take the next frame.

        Args:
            thumbnail: It.

        Returns:
            How many frames back the change began of which this frame is a part: 0 for no change.
        """
        sudden = self._last is not None and float(np.abs(thumbnail.astype(np.int16) - self._last).mean()) >= SUDDEN
        self._last = thumbnail
        if sudden:  # what comes next is compared with what came after it
            self._before.clear()
        self._before.append((_tiles(thumbnail), _colours(thumbnail)))
        if sudden:
            return 2
        (tiles, colours), (old_tiles, old_colours) = self._before[-1], self._before[0]
        layout, shares = np.abs(tiles - old_tiles).mean(), np.abs(colours - old_colours).sum()
        return len(self._before) if layout >= LAYOUT and shares >= COLOURS else 0


class Stretches:
    """Probabilities as a stream, from windows around changes; frames without change have probability 0.

    A window is a stretch of changes with at least 25 frames before and behind it, as in the authors' procedure, but as
    long as the stretch. At most a few hundred thumbnails are kept.

    Args:
        network: Looks at windows of any length.
    """

    def __init__(self, network: Network) -> None:
        self._network = network
        self._changes = Changes()
        self._frames: list[Thumbnail] = []
        self._busy: list[bool] = []

    def add(self, thumbnail: Thumbnail) -> Numbers:
        """Take the next frame.

        Args:
            thumbnail: It.

        Returns:
            (n, 2) probabilities of the next n frames, as far as they are certain.
        """
        if not self._frames:
            self._frames, self._busy = [thumbnail] * MARGIN, [False] * MARGIN
        self._push(thumbnail, self._changes.add(thumbnail))
        return self._settle(REACH + 1)

    def finish(self) -> Numbers:
        """Deal with the frames that are left after the last one.

        Returns:
            (n, 2) their probabilities.
        """
        left = max(0, len(self._frames) - MARGIN)
        if not left:
            return NOTHING
        for _ in range(LONGEST + GAP):
            self._push(self._frames[-1], 0)
        return self._settle(0)[:left]

    def _push(self, thumbnail: Thumbnail, since: int) -> None:
        self._frames.append(thumbnail)
        self._busy.append(False)
        first = max(MARGIN, len(self._busy) - since)
        self._busy[first:] = [since > 0] * (len(self._busy) - first) if since else self._busy[first:]

    def _settle(self, wait: int) -> Numbers:
        """Deal with frames about which nothing that is still to come can change anything."""
        found, known = [NOTHING], len(self._busy) - wait
        while known > MARGIN:
            if not self._busy[MARGIN]:
                quiet = next((i for i in range(MARGIN, known) if self._busy[i]), known) - MARGIN
                found.append(np.zeros((quiet, 2)))
                self._drop(quiet)
            elif length := self._stretch(known):
                window = np.stack(self._frames[: length + 2 * MARGIN])
                found.append(self._network(window)[MARGIN : MARGIN + length])
                self._drop(length)
            else:
                break
            known = len(self._busy) - wait
        return np.concatenate(found)

    def _stretch(self, known: int) -> int:
        """Frames of the stretch that begins now, 0 where its end or its margin is not there yet."""
        end = MARGIN + 1
        for place in range(end, min(known, MARGIN + LONGEST)):
            if self._busy[place]:
                end = place + 1
            elif place - end >= GAP - 1:
                return end - MARGIN
        return end - MARGIN if known >= MARGIN + LONGEST + MARGIN else 0

    def _drop(self, frames: int) -> None:
        del self._frames[:frames], self._busy[:frames]


def _tiles(thumbnail: Thumbnail) -> Numbers:
    """(9, 16, 3) means of tiles of 3 x 3."""
    tiles: Numbers = thumbnail.reshape(9, 3, 16, 3, 3).mean(axis=(1, 3))
    return tiles


def _colours(thumbnail: Thumbnail) -> Numbers:
    """(64,) share of the picture in each of 4 x 4 x 4 bins of colours."""
    red, green, blue = (thumbnail[..., plane].astype(np.intp) >> 6 for plane in range(3))
    bins = (red * 4 + green) * 4 + blue
    shares: Numbers = np.bincount(bins.ravel(), minlength=64) / bins.size
    return shares
