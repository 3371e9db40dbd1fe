"""Sums of squared differences over one plane."""

from __future__ import annotations

from typing import Any

import numba
import numpy as np

from tinyvmaf.features.kernels.flags import FAST

BLOCK = 8192
"""Samples whose squared errors are summed in 32 bits: 8192 * 255**2 < 2**32."""


@numba.njit(**FAST)
def squared_error8(reference: Any, distorted: Any, width: int, sums: Any) -> None:
    """Sum of squared differences of 8-bit planes, exact.

    Args:
        reference: (H, row) uint8.
        distorted: (H, row) uint8.
        width: Samples of a row that count.
        sums: (2,) float64, written: the sum, the number of samples.
    """
    total = np.int64(0)
    for y in range(reference.shape[0]):
        for left in range(0, width, BLOCK):
            a = reference[y, left : min(left + BLOCK, width)]
            b = distorted[y, left : min(left + BLOCK, width)]
            part = np.uint32(0)
            for x in range(min(BLOCK, width - left)):
                error = np.int32(a[x]) - np.int32(b[x])
                part = np.uint32(part + np.uint32(error * error))
            total += np.int64(part)
    sums[0] = total
    sums[1] = reference.shape[0] * width


@numba.njit(**FAST)
def squared_error16(reference: Any, distorted: Any, width: int, sums: Any) -> None:
    """Sum of squared differences of planes deeper than 8 bits, exact.

    Args:
        reference: (H, row) uint16.
        distorted: (H, row) uint16.
        width: Samples of a row that count.
        sums: (2,) float64, written: the sum, the number of samples.
    """
    total = np.int64(0)
    for y in range(reference.shape[0]):
        a = reference[y, :width]
        b = distorted[y, :width]
        part = np.int64(0)
        for x in range(width):
            error = np.int64(a[x]) - np.int64(b[x])
            part += error * error
        total += part
    sums[0] = total
    sums[1] = reference.shape[0] * width


@numba.njit(**FAST)
def weighted_error(reference: Any, distorted: Any, width: int, weights: Any, sums: Any) -> None:
    """Weighted sum of squared differences of a plane as large as its weights.

    Args:
        reference: (H, row) uint8 or uint16.
        distorted: (H, row), same dtype.
        width: Samples of a row that count.
        weights: (H, row) float32.
        sums: (2,) float64, written: the weighted sum, the sum of weights.
    """
    total = 0.0
    weight_total = 0.0
    for y in range(reference.shape[0]):
        a = reference[y, :width]
        b = distorted[y, :width]
        row = weights[y, :width]
        for x in range(width):
            error = float(a[x]) - float(b[x])
            total += row[x] * error * error
            weight_total += row[x]
    sums[0] = total
    sums[1] = weight_total


@numba.njit(**FAST)
def chroma_weights(weights: Any, right: int, down: int, out: Any, width: int) -> None:
    """Give each chroma sample the mean weight of the luma samples it stands for.

    Args:
        weights: (H, row) float32.
        right: log2 of the horizontal subsampling, 0 or 1.
        down: log2 of the vertical subsampling, 0 or 1.
        out: (H >> down, row') float32, written.
        width: Luma width >> right.
    """
    quarter = np.float32(0.25)
    for y in range(out.shape[0]):
        upper = weights[y << down, : width << right]
        lower = weights[(y << down) + down, : width << right]
        target = out[y, :width]
        for x in range(width):
            left = x << right
            target[x] = quarter * (upper[left] + upper[left + right] + lower[left] + lower[left + right])
