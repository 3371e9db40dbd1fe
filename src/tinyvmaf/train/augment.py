"""Points around the corpus that the teacher can label exactly, so that the fit holds between and beyond the encodes."""

from __future__ import annotations

import numpy as np

from tinyvmaf.train.features import Table
from tinyvmaf.train.recipe import FitSettings

_MOTION = 5
_SHARES = (0.45, 0.3, 0.1, 0.15)
"""Of mixtures, of scattered frames, of nearly identical frames, and of points anywhere in the box."""

_SCATTER = 0.05
"""Deviation of scattered frames, in deviations of the corpus."""

_STILL_MOTION = 0.3
"""Share of the extra rows that keep the motion of the frame they come from."""


def extra_rows(table: Table, settings: FitSettings, rng: np.random.Generator) -> Table:
    """Draw points that no encode of the corpus has produced.

    Mixtures lie between two frames of the corpus, scattered ones near a frame. Nearly identical ones have all
    similarities within 2 % of 1. The last kind has similarities that share a level, as they do in any real frame, and
    covers the whole box. Motion is independent of the distortion, so most rows get a new one.

    Args:
        table: (N, 6) features of the training frames.
        settings: Number of rows and the box.
        rng: Source of randomness.

    Returns:
        (extra_rows, 6) features inside the box.
    """
    mixed, scattered, near, anywhere = (round(share * settings.extra_rows) for share in _SHARES)
    low, high = np.array(settings.lowest), np.array(settings.highest)
    between = rng.random((mixed, 1))
    rows = [
        between * _pick(table, mixed, rng) + (1 - between) * _pick(table, mixed, rng),
        _pick(table, scattered, rng) + _SCATTER * table.std(axis=0) * rng.standard_normal((scattered, 6)),
        1 - 0.02 * rng.random((near, 1)) * rng.random((near, 6)),
        low + (high - low) * _levelled(anywhere, rng),
    ]
    points = np.concatenate(rows)
    moved = rng.random(len(points)) >= _STILL_MOTION
    moved[mixed + scattered :] = True
    # Squared, since low motion is by far the most common.
    points[moved, _MOTION] = high[_MOTION] * rng.random(int(moved.sum())) ** 2
    return np.asarray(np.clip(points, low, high))


def _pick(table: Table, count: int, rng: np.random.Generator) -> Table:
    return table[rng.integers(0, len(table), count)]


def _levelled(count: int, rng: np.random.Generator) -> Table:
    """Points in the unit box whose coordinates scatter around a common level."""
    return np.clip(rng.random((count, 1)) + 0.15 * rng.standard_normal((count, 6)), 0, 1)
