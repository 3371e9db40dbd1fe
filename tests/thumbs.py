"""Thumbnails: of natural clips, and drawn by integer arithmetic, the same everywhere, with cuts at known frames."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from clips import natural

CUTS = (39, 120, 190)
"""Last frames of the shots that end with a cut."""
DISSOLVE = range(150, 162)
"""Frames that mix two shots."""


FLOWER, BEE, BEDROOM = 6, 4, 11
"""Positions of natural clips that show different things."""


def still_life(clip, length):
    """(length, 27, 48, 3) uint8, grey: a natural clip that moves a little, forwards and backwards in turn."""
    frames = np.stack([np.repeat(planes[0][..., None], 3, axis=2) for planes in natural(clip, 48, 27, 30)])
    return frames[np.abs((np.arange(length) + 29) % 58 - 29)]


def scene(number, length):
    """(length, 27, 48, 3) uint8: waves that drift, in colours and at a pace of the scene's own."""
    t, y, x, c = np.ogrid[:length, :27, :48, :3]
    wave = np.abs((x * (1 + number % 3) + t // (1 + number % 2) + 17 * number * c) % 48 - 24)
    level = (97 * number + 61 * c * (number + 1)) % 160
    return (level + wave * 3 + y * (number % 4)).clip(0, 255).astype(np.uint8)


def drawn(length=213):
    """Five scenes: a cut after 39, 120 and 190, a dissolve in between over frames 150 to 161."""
    edges = [0, *(cut + 1 for cut in CUTS[:2]), DISSOLVE.start, CUTS[2] + 1, length]
    pieces = [scene(number, end - start) for number, (start, end) in enumerate(pairwise(edges))]
    frames = np.concatenate(pieces)
    old, new = scene(2, 80).astype(int), frames.astype(int)
    for place, frame in enumerate(DISSOLVE, 1):
        share = len(DISSOLVE) + 1
        frames[frame] = (old[DISSOLVE.start - CUTS[1] - 1 + place - 1] * (share - place) + new[frame] * place) // share
    return frames
