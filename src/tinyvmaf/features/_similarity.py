"""What SSIM and MS-SSIM share: windows, decimated sizes, decibels."""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from tinyvmaf.errors import UsageError
from tinyvmaf.features.base import Option
from tinyvmaf.features.kernels.native import Kernel
from tinyvmaf.video.frame import FramePair

WINDOW: Final = 11
"""Side of the Gaussian window in samples; only windows inside the picture count."""

WORK_SIZE: Final = 34560
"""float32 samples of the kernel's buffer (WORK_SIZE of kernels/ssim.py)."""

ENABLE_DB: Final = Option("enable_db", False, help="-10 * log10(1 - similarity) instead of the similarity")
CLIP_DB: Final = Option("clip_db", False, help="cap decibels at the PSNR of half a squared code value, rounded up")

_DB_LEAST_SSE: Final = 0.5
"""Sum of squared errors whose PSNR, rounded up, caps decibels under clip_db (libvmaf float_ssim.c)."""

_SUMS: Final = 5
"""Sums that the kernel writes (SUMS of kernels/ssim.py)."""

_statistics = Kernel("ssim", "statistics")
box_decimate = Kernel("ssim", "box_decimate")


def window_lacks(
    reference: npt.NDArray[Any],
    distorted: npt.NDArray[Any],
    gain: float,
    weights: npt.NDArray[np.float32] | None,
    work: npt.NDArray[np.float32],
) -> tuple[float, ...]:
    """What SSIM and its factors lack to 1, averaged over all windows.

    Args:
        reference: (H, W) uint8, uint16 or float32.
        distorted: (H, W), same dtype.
        gain: Factor that brings samples to 0 .. 255.
        weights: (H, W) float32 weight of the window centred on each sample, or None.
        work: The kernel's buffer.

    Returns:
        Means of 1 - ssim, 1 - luminance, 1 - contrast, 1 - structure.

    Raises:
        UsageError: All weights inside the picture are zero.
    """
    sums = np.empty(_SUMS)
    _statistics(reference, distorted, reference.shape[1], gain, weights, work, sums)
    if not sums[4] > 0.0:
        raise UsageError("At least one weight must be above zero, but they sum to 0.", "Check the weight map.")
    return tuple(float(value) for value in sums[:4] / sums[4])


def decimated_size(side: int, factor: int) -> int:
    """Samples left of a side. Odd sides gain one whatever the factor is, as in libvmaf's iqa/decimate.c.

    Args:
        side: Samples of the full side.
        factor: Decimation factor; 1 keeps the picture.

    Returns:
        Samples kept.
    """
    return side if factor == 1 else side // factor + (side & 1)


def to_db(lack: float, ceiling: float) -> float:
    """Similarity in decibels.

    Args:
        lack: What the similarity lacks to 1, >= 0.
        ceiling: Largest value returned, may be infinite.

    Returns:
        -10 * log10(lack), at most the ceiling.
    """
    return min(-10.0 * math.log10(lack), ceiling) if lack > 0.0 else ceiling


def db_ceiling(pair: FramePair) -> float:
    """PSNR of half a squared code value spread over the luma plane, rounded up.

    Args:
        pair: Any pair of the clip.

    Returns:
        Decibels.
    """
    peak = (1 << pair.bits) - 1
    return float(math.ceil(10.0 * math.log10(peak * peak * pair.reference.luma.size / _DB_LEAST_SSE)))
