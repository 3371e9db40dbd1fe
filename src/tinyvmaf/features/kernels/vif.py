"""VIF over four scales of one frame pair."""

from __future__ import annotations

import numba
import numpy as np

from tinyvmaf.features.kernels.flags import FAST
from tinyvmaf.features.kernels.vif_scales import (
    decimate_1,
    decimate_2,
    decimate_3,
    statistics_0,
    statistics_1,
    statistics_2,
    statistics_3,
)

f4 = np.float32


@numba.njit(**FAST)
def halve(source, width, out):
    """Mean of every 2 x 2 block of a weight plane."""
    for i in range(source.shape[0] // 2):
        upper = source[2 * i]
        lower = source[2 * i + 1]
        target = out[i]
        for j in range(width // 2):
            target[j] = (upper[2 * j] + upper[2 * j + 1] + lower[2 * j] + lower[2 * j + 1]) * f4(0.25)


@numba.njit(**FAST)
def frame(
    reference, distorted, unit, exact, width, gain_limit, weights,
    x1, y1, w1, x2, y2, w2, x3, y3, w3, rows, moments, filtered, wide_rows, wide_moments, wide_filtered, terms, line, even, odd, sums,
):  # fmt: skip
    """Numerator and denominator of every scale.

    Args:
        reference, distorted: (H, stride) uint8 or uint16 luma; `width` columns count.
        unit: Factor that brings samples to 8-bit units, 2**(8 - bits).
        exact: None for 8-bit samples, else `unit` again.
        gain_limit: Largest enhancement gain: 100, or 1 for NEG models.
        weights: (H, W) float32, or None for all ones.
        x1 .. w3: Planes of scales 1 to 3, (H >> s, W >> s): uint16 in steps of 1/256, weights float32 or None where
            `weights` is.
        rows .. odd: Work buffers.
        sums: (8,) float64: numerator, denominator per scale.
    """
    scale = f4(unit)
    limit = f4(gain_limit)
    step = f4(1 / 256)
    half, quarter, eighth = width // 2, width // 4, width // 8
    for k in range(8):
        sums[k] = 0.0
    statistics_0(reference, distorted, scale, width, limit, weights, rows, moments, filtered, terms, sums[0:2])
    decimate_1(reference, exact, width, x1, line, even, odd)
    decimate_1(distorted, exact, width, y1, line, even, odd)
    if weights is not None:
        halve(weights, width, w1)
        halve(w1, half, w2)
        halve(w2, quarter, w3)
    statistics_1(x1, y1, step, half, limit, w1, rows, moments, filtered, terms, sums[2:4])
    decimate_2(x1, half, x2, line, even, odd)
    decimate_2(y1, half, y2, line, even, odd)
    statistics_2(x2, y2, step, quarter, gain_limit, w2, wide_rows, wide_moments, wide_filtered, terms, sums[4:6])
    decimate_3(x2, quarter, x3, line, even, odd)
    decimate_3(y2, quarter, y3, line, even, odd)
    statistics_3(x3, y3, step, eighth, gain_limit, w3, wide_rows, wide_moments, wide_filtered, terms, sums[6:8])
