"""Motion in a few lines of NumPy."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import correlate1d

TAPS = np.array((3571, 16004, 26386, 16004, 3571)) / 65536


def motion(previous, current, bits=8, weights=None):
    """Mean absolute low-passed difference in 8-bit steps."""
    difference = previous.astype(np.float64) - current.astype(np.float64)
    down = np.floor(correlate1d(difference, TAPS, axis=0, mode="mirror") / 2.0 ** (bits - 8) * 256 + 0.5)
    across = np.abs(np.floor(correlate1d(down, TAPS, axis=1, mode="mirror") + 0.5)) / 256
    return float(np.average(across, weights=weights))
