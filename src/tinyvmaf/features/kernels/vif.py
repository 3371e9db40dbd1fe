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
def frame(
    reference, distorted, unit, exact, width, gain_limit, weights,
    x1, y1, x2, y2, x3, y3, rows, moments, filtered, wide_rows, wide_moments, wide_filtered, terms, spread, line, even, odd, sums,
):  # fmt: skip
    """Numerator and denominator of every scale.

    Args:
        reference, distorted: (H, stride) uint8 or uint16 luma; `width` columns count.
        unit: Factor that brings samples to 8-bit units, 2**(8 - bits).
        exact: None for 8-bit samples, else `unit` again.
        gain_limit: Largest enhancement gain: 100, or 1 for NEG models.
        weights: What the weight of each cell of 8 x 8 samples has above one, float32, or None for all ones.
        x1 .. y3: Planes of scales 1 to 3, (H >> s, W >> s): uint16 in steps of 1/256.
        rows .. odd: Work buffers.
        sums: (16,) float64: numerator, denominator, and what weights add to each, per scale.
    """
    scale = f4(unit)
    limit = f4(gain_limit)
    step = f4(1 / 256)
    half, quarter, eighth = width // 2, width // 4, width // 8
    for k in range(16):
        sums[k] = 0.0
    statistics_0(reference, distorted, scale, width, limit, weights, rows, moments, filtered, terms, spread, sums[0:4])
    decimate_1(reference, exact, width, x1, line, even, odd)
    decimate_1(distorted, exact, width, y1, line, even, odd)
    statistics_1(x1, y1, step, half, limit, weights, rows, moments, filtered, terms, spread, sums[4:8])
    decimate_2(x1, half, x2, line, even, odd)
    decimate_2(y1, half, y2, line, even, odd)
    statistics_2(
        x2, y2, step, quarter, gain_limit, weights, wide_rows, wide_moments, wide_filtered, terms, spread, sums[8:12]
    )
    decimate_3(x2, quarter, x3, line, even, odd)
    decimate_3(y2, quarter, y3, line, even, odd)
    statistics_3(
        x3, y3, step, eighth, gain_limit, weights, wide_rows, wide_moments, wide_filtered, terms, spread, sums[12:16]
    )
