"""Wipes, which the network hardly sees: one picture moves in over another, tile by tile.

Two frames a little apart show different scenes, and in every frame between them each tile is that of one or of the
other; the share of the second grows steadily. In a dissolve tiles are neither, in motion they are something else.
"""

from __future__ import annotations

from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt

Frames: TypeAlias = npt.NDArray[np.float32]

LENGTHS: Final = (10, 16, 24, 36)
"""Frames of the wipes that are looked for; those of other lengths resemble the nearest."""
CHANGE: Final = 25.0
"""Least mean difference of luma, 0 to 255, between two scenes."""
UNLIKE: Final = 0.4
"""Largest correlation of two scenes."""
NEITHER: Final = 0.16
"""Most that tiles may differ from both scenes, as a share of what these differ by."""
STEADY: Final = ((0.05, 0.45), (0.25, 0.75), (0.55, 0.95))
"""Share of the second scene after a quarter, a half and three quarters of the wipe: lowest and highest."""
ROWS: Final = slice(1, 8)
"""Rows of tiles that are looked at: letterboxes come and go in the others."""


def wipes(layouts: npt.NDArray[np.uint8]) -> list[tuple[int, int]]:
    """Find wipes.

    Args:
        layouts: (frames, 9, 16); see `tinyvmaf.vision.layout`.

    Returns:
        First frame of each wipe, and the first one behind it; in order and apart from each other.
    """
    frames = np.ascontiguousarray(layouts[:, ROWS], np.float32).reshape(len(layouts), -1)
    found: list[tuple[int, int]] = []
    for _, first, end in sorted(item for length in LENGTHS for item in _of_length(frames, length)):
        if all(end <= other or first >= behind for other, behind in found):
            found.append((first, end))
    return sorted(found)


def _of_length(frames: Frames, length: int) -> list[tuple[float, int, int]]:
    """What is left over, first frame and end of each wipe of a length."""
    reach = length + 1
    old, new = frames[:-reach], frames[reach:]
    if not len(old):
        return []
    change = np.abs(old - new).mean(axis=1) > CHANGE
    candidates = np.flatnonzero(change & (_correlations(old, new) < UNLIKE))
    rests = ((_rest(frames[place : place + reach + 1]), int(place) + 1) for place in candidates)
    return [(rest, first, first + length) for rest, first in rests if rest < NEITHER]


def _correlations(one: Frames, other: Frames) -> Frames:
    one, other = (rows - rows.mean(axis=1, keepdims=True) for rows in (one, other))
    lengths = np.sqrt((one * one).sum(axis=1) * (other * other).sum(axis=1))
    found: Frames = (one * other).sum(axis=1) / np.maximum(lengths, np.float32(1))
    return found


def _rest(frames: Frames) -> float:
    """How far the tiles between the first and the last frame are from both, 1 where they do not change steadily."""
    old, new, between = frames[0], frames[-1], frames[1:-1]
    apart, from_old, from_new = np.abs(new - old), np.abs(between - old), np.abs(between - new)
    share = ((from_new < from_old) * apart).sum(axis=1) / apart.sum()
    quarters = (share[len(between) * part // 4] for part in (1, 2, 3))
    if not all(low < value < high for value, (low, high) in zip(quarters, STEADY, strict=True)):
        return 1.0
    return float(np.minimum(from_old, from_new).sum() / (apart.sum() * len(between)))
