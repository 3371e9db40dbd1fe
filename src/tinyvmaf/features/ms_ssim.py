"""MS-SSIM of the luma plane, over five scales.

Source: Wang, Simoncelli and Bovik, "Multiscale structural similarity for image quality assessment", Asilomar 2003,
doi:10.1109/ACSSC.2003.1292216, as libvmaf's `float_ms_ssim` extractor has it: contrast and structure are averaged
apart from each other on every scale, luminance counts on the last, and pictures shrink through the low-pass of the 9/7
wavelet.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, Final

import numpy as np

from tinyvmaf.errors import MismatchError
from tinyvmaf.features._similarity import (
    CLIP_DB,
    ENABLE_DB,
    WINDOW,
    WORK_SIZE,
    box_decimate,
    db_ceiling,
    decimated_size,
    to_db,
    window_lacks,
)
from tinyvmaf.features.base import Feature, Option
from tinyvmaf.features.kernels.native import Kernel
from tinyvmaf.video.frame import FramePair

EXPONENTS: Final = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
"""Exponent of contrast and structure on each scale; the last one also luminance's (the paper, section 3.2)."""

MINIMUM_SIZE: Final = WINDOW << (len(EXPONENTS) - 1)
"""Shortest side whose fifth scale, rounded down, still holds one window: 176 samples."""

_low_pass_decimate = Kernel("ssim", "low_pass_decimate")


class MsSsim(Feature):
    """Structural similarity of luma over five scales: 1 for identical pictures."""

    name = "ms_ssim"
    provides = ("ms_ssim",)
    options = (
        Option("enable_lcs", False, help="add each scale's factors as ms_ssim_l_scale0 ... ms_ssim_s_scale4"),
        ENABLE_DB,
        CLIP_DB,
    )
    minimum_size = MINIMUM_SIZE
    weighable = True

    @property
    def keys(self) -> tuple[str, ...]:
        """`ms_ssim`, then luminance, contrast and structure of every scale where enable_lcs asks for them."""
        if not self.values["enable_lcs"]:
            return ("ms_ssim",)
        return ("ms_ssim", *(f"ms_ssim_{kind}_scale{scale}" for kind in "lcs" for scale in range(len(EXPONENTS))))

    def update(self, pair: FramePair) -> tuple[float, ...]:
        """Measure one pair.

        Args:
            pair: Both frames; `weights` weigh the window centred on each sample, on every scale.

        Returns:
            One value per key.

        Raises:
            MismatchError: The picture is too small for five scales.
            UsageError: All weights inside the picture are zero.
        """
        height, width = pair.reference.luma.shape
        if min(height, width) < MINIMUM_SIZE:
            raise MismatchError(
                f"MS-SSIM needs at least {MINIMUM_SIZE} x {MINIMUM_SIZE} samples, but has {width} x {height}.",
                "Leave ms_ssim out for such small video, or measure ssim.",
            )
        buffers = self.scratch((height, width), lambda: _Pyramid(height, width))
        scales = [window_lacks(*level, work=buffers.work)[1:] for level in buffers.levels(pair)]
        score = combine(scales)
        if self.values["enable_db"]:
            score = to_db(1.0 - score, db_ceiling(pair) if self.values["clip_db"] else math.inf)
        if not self.values["enable_lcs"]:
            return (score,)
        return (score, *(1.0 - scale[kind] for kind in range(3) for scale in scales))


class _Pyramid:
    """Work memory of one thread: the smaller scales and the kernels' own buffers."""

    def __init__(self, height: int, width: int) -> None:
        self.work = np.empty(WORK_SIZE, np.float32)
        self.row = np.empty(2 * width + 32, np.float32)
        self.images: list[list[Any]] = []
        for _ in EXPONENTS[1:]:
            height, width = decimated_size(height, 2), decimated_size(width, 2)
            self.images.append([np.empty((height, width), np.float32) for _ in range(3)])

    def levels(self, pair: FramePair) -> Iterator[tuple[Any, Any, float, Any]]:
        """Reference, distorted, the factor that brings both to 0 .. 255, and weights or None, scale by scale."""
        level = pair.reference.luma, pair.distorted.luma, 1.0 / (1 << (pair.bits - 8)), pair.weight_plane
        yield level
        for images in self.images:
            level = self._next(*level, *images)
            yield level

    def _next(self, ref: Any, dis: Any, gain: float, weights: Any, *images: Any) -> tuple[Any, Any, float, Any]:
        width, small = ref.shape[1], images[0].shape[1]
        _low_pass_decimate(ref, width, gain, self.row, images[0], small)
        _low_pass_decimate(dis, width, gain, self.row, images[1], small)
        if weights is None:
            return images[0], images[1], 1.0, None
        # The wavelet's low-pass has negative taps, which a weight must not meet: weights shrink by plain means.
        box_decimate(weights, width, 2, 1.0, self.row, images[2], small)
        return images[0], images[1], 1.0, images[2]


def combine(scales: list[tuple[float, ...]]) -> float:
    """Multiply the scales' contrast, structure and the last one's luminance.

    A picture whose structure opposes the reference's on average (mean below 0) scores 0, where a power is undefined.

    Args:
        scales: For each scale what luminance, contrast and structure lack to 1.

    Returns:
        MS-SSIM, 0 to 1.
    """
    score = (1.0 - scales[-1][0]) ** EXPONENTS[-1]
    for (_, contrast, structure), exponent in zip(scales, EXPONENTS, strict=True):
        score *= (max(1.0 - contrast, 0.0) * max(1.0 - structure, 0.0)) ** exponent
    return float(score)
