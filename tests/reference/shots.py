"""TransNet V2's procedure on whole clips, as its authors describe it: windows, then scenes, by plain loops."""

from __future__ import annotations

import numpy as np


def predictions(frames, network):
    """Pad the clip, look at windows of 100 every 50 frames, keep the middle 50 of each.

    Args:
        frames: (n, 27, 48, 3) uint8.
        network: (100, 27, 48, 3) to (100, 2).

    Returns:
        (n, 2).
    """
    count = len(frames)
    behind = 25 + (50 - count % 50 if count % 50 else 0)
    padded = [frames[0]] * 25 + list(frames) + [frames[-1]] * behind
    kept = []
    start = 0
    while start + 100 <= len(padded):
        kept.extend(network(np.array(padded[start : start + 100]))[25:75])
        start += 50
    return np.array(kept)[:count]


def scenes(probabilities, threshold=0.5):
    """Scenes end where a probability rises above the threshold, and begin where it falls again."""
    found, start, before, now = [], 0, False, False
    for index, probability in enumerate(probabilities):
        now = probability > threshold
        if before and not now:
            start = index
        if now and not before and index:
            found.append((start, index))
        before = now
    if not now:
        found.append((start, len(probabilities) - 1))
    return found or [(0, len(probabilities) - 1)]
