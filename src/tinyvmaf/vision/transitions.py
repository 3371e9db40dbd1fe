"""From what is said of every frame to the boundaries of shots, with what the network takes for one put right.

By itself the probability that a shot ends misses long dissolves and nearly all wipes, is high twice in a fade to black
and back, and is high at flashes and where letterboxes come and go.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from tinyvmaf.vision.layout import goes_on
from tinyvmaf.vision.shots import Numbers, runs, scenes
from tinyvmaf.vision.wipes import wipes

FAINT: Final = 0.1
"""Share of the threshold above which a frame may lie in a transition."""
STRONG: Final = 0.8
"""Share of it above which it does."""
LONG: Final = 4
"""Frames that do so in a gradual transition."""


def boundaries(ends: Numbers, inside: Numbers, layouts: npt.NDArray[np.uint8], threshold: float) -> list[int]:
    """First frames of all shots but the first.

    Frames that may lie in one transition are taken together. Where the scene before them goes on behind them they are
    none; where many of them lie in a transition it is one, and the shot ends at the frame where that is most probable;
    else shots end where the authors' rule says (see `tinyvmaf.vision.shots.scenes`). In a wipe where no shot would end,
    one ends in the middle.

    Args:
        ends: (frames,) probability that a shot ends at a frame.
        inside: (frames,) probability that a frame lies in a transition; 0 where nobody says.
        layouts: (frames, 9, 16) uint8; see `tinyvmaf.vision.layout`.
        threshold: What a probability exceeds, strictly.

    Returns:
        Frame numbers, ascending.
    """
    known = ends.copy()
    for first, end in runs((inside > FAINT * threshold) | (ends > threshold)):
        gradual = np.count_nonzero(inside[first:end] > STRONG * threshold) >= LONG
        if not gradual and not (ends[first:end] > threshold).any():
            continue
        best = first + int(ends[first:end].argmax())
        stays = goes_on(layouts, first, end)
        if stays or gradual:
            known[first:end] = 0
            known[best] = 0 if stays else 1
    for first, end in wipes(layouts):
        if not (known[first - 1 : end + 1] > threshold).any():
            known[(first + end) // 2] = 1
    return [first for first, _ in scenes(known, threshold)[1:]]
