"""Thumbnails in, probabilities out: the network sees windows of frames, and each frame once in the middle of one.

Source: the procedure of Soucek and Lokoc, "TransNet V2" (2020), as their code has it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt

from tinyvmaf.vision.shots import Numbers

Thumbnail: TypeAlias = npt.NDArray[np.uint8]
"""(27, 48, 3): R'G'B', 0 to 255."""
Network: TypeAlias = Callable[[npt.NDArray[np.uint8]], Numbers]
"""(T, 27, 48, 3) thumbnails to (T, 2) probabilities: a shot ends at the frame; the frame lies in a transition."""

WINDOW, STEP, MARGIN = 100, 50, 25
NOTHING: Final[Numbers] = np.empty((0, 2))
"""What is said of no frames."""


class Windows:
    """Every window of 100 frames, 50 apart, of which the middle 50 count.

    The first frame is repeated 25 times in front of the clip, the last one behind it. At most 100 thumbnails are kept.

    Args:
        network: Looks at a window.
    """

    def __init__(self, network: Network) -> None:
        self._network = network
        self._frames: list[Thumbnail] = []

    def add(self, thumbnail: Thumbnail) -> Numbers:
        """Take the next frame.

        Args:
            thumbnail: It.

        Returns:
            (n, 2) probabilities of the next n frames; n is 50 when a window is full, else 0.
        """
        if not self._frames:
            self._frames = [thumbnail] * MARGIN
        self._frames.append(thumbnail)
        return self._look() if len(self._frames) == WINDOW else NOTHING

    def finish(self) -> Numbers:
        """Deal with the frames that are left after the last one.

        Returns:
            (n, 2) their probabilities.
        """
        left = max(0, len(self._frames) - MARGIN)
        found = [NOTHING]
        while left > sum(map(len, found)):
            self._frames += [self._frames[-1]] * (WINDOW - len(self._frames))
            found.append(self._look())
        self._frames = []
        return np.concatenate(found)[:left]

    def _look(self) -> Numbers:
        found = self._network(np.stack(self._frames))[MARGIN : MARGIN + STEP]
        del self._frames[:STEP]
        return found
