"""VIF in a page of NumPy: slow, obvious, in double precision."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import correlate1d

WINDOWS = [
    np.array(taps) / 65536
    for taps in (
        (489, 935, 1640, 2640, 3896, 5274, 6547, 7455, 7784, 7455, 6547, 5274, 3896, 2640, 1640, 935, 489),
        (1244, 3663, 7925, 12590, 14692, 12590, 7925, 3663, 1244),
        (3571, 16004, 26386, 16004, 3571),
        (10904, 43728, 10904),
    )
]


def down(x, window):
    return correlate1d(x, window, axis=0, mode="mirror")


def across(x, window):
    return correlate1d(x, window, axis=1, mode="mirror")


def rounded(x, steps=256):
    return np.floor(x * steps + 0.5) / steps


def decimate(x, window):
    height, width = x.shape
    filtered = rounded(across(rounded(down(x, window)), window))
    return filtered[: height // 2 * 2 : 2, : width // 2 * 2 : 2]


def vif(reference, distorted, bits=8, gain_limit=100.0, weights=None):
    """[VIF of scale 0, 1, 2, 3]."""
    x = reference / 2.0 ** (bits - 8)
    y = distorted / 2.0 ** (bits - 8)
    w = np.ones_like(x) if weights is None else weights.astype(np.float64)
    scores = []
    for scale, window in enumerate(WINDOWS):
        if scale:
            x, y = decimate(x, window), decimate(y, window)
            w = w[: w.shape[0] // 2 * 2, : w.shape[1] // 2 * 2]
            w = (w[::2, ::2] + w[1::2, ::2] + w[::2, 1::2] + w[1::2, 1::2]) / 4
        mean_x, mean_y = across(rounded(down(x, window)), window), across(rounded(down(y, window)), window)
        variance_x = across(down(x * x, window), window) - mean_x**2
        variance_y = np.maximum(across(down(y * y, window), window) - mean_y**2, 0)
        covariance = across(down(x * y, window), window) - mean_x * mean_y
        gain = covariance / (variance_x + 1e-10)
        noise = np.maximum(variance_y - gain * covariance, 0)
        gain = np.minimum(gain, gain_limit)
        textured = variance_x >= 2
        signal = (covariance > 0) & (variance_y > 0)
        kept = np.where(signal, np.log2(1 + np.where(signal, gain**2 * variance_x / (noise + 2), 0)), 0)
        numerator = np.where(textured, kept, 1 - variance_y * 4 / 65025)
        denominator = np.where(textured, np.log2(1 + np.maximum(variance_x, 0) / 2), 1)
        scores.append((w * numerator).sum() / (w * denominator).sum())
    return scores
