"""SSIM of the luma plane, on a scale that follows the picture size.

Source: Wang, Bovik, Sheikh and Simoncelli, "Image quality assessment: from error visibility to structural similarity",
IEEE TIP 13(4), 2004, doi:10.1109/TIP.2003.819861, as libvmaf's `float_ssim` extractor has it.
"""

from __future__ import annotations

import math
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
from tinyvmaf.video.frame import FramePair

VIEWED_SIDE: Final = 256
"""Shorter side in samples that the automatic scale aims at (Wang's suggestion, libvmaf ssim.c)."""


class Ssim(Feature):
    """Structural similarity of luma: 1 for identical pictures."""

    name = "ssim"
    provides = ("ssim",)
    options = (
        Option("enable_lcs", False, help="add luminance, contrast and structure as ssim_l, ssim_c, ssim_s"),
        ENABLE_DB,
        CLIP_DB,
        Option("scale", 0, low=0, high=10, help="decimation factor; 0 follows the picture size, 1 keeps it"),
    )
    minimum_size = WINDOW
    weighable = True

    @property
    def keys(self) -> tuple[str, ...]:
        """`ssim`, then its three factors where enable_lcs asks for them."""
        return ("ssim", "ssim_l", "ssim_c", "ssim_s") if self.values["enable_lcs"] else ("ssim",)

    def update(self, pair: FramePair) -> tuple[float, ...]:
        """Measure one pair.

        Args:
            pair: Both frames; `weights` weigh the window centred on each sample.

        Returns:
            One value per key.

        Raises:
            MismatchError: The decimated picture is smaller than the window.
            UsageError: All weights inside the picture are zero.
        """
        height, width = pair.reference.luma.shape
        factor = int(self.values["scale"]) or automatic_scale(width, height)
        size = decimated_size(height, factor), decimated_size(width, factor)
        if min(size) < WINDOW:
            raise MismatchError(
                f"SSIM needs {WINDOW} x {WINDOW} samples after decimation by {factor}, but has {size[1]} x {size[0]}.",
                "Use scale=1 or larger video.",
            )
        buffers = self.scratch((height, width, factor), lambda: _Buffers(size, width, factor))
        lacks = window_lacks(*buffers.prepare(pair), work=buffers.work)
        score = 1.0 - lacks[0]
        if self.values["enable_db"]:
            score = to_db(lacks[0], db_ceiling(pair) if self.values["clip_db"] else math.inf)
        return (score, *(1.0 - lack for lack in lacks[1:])) if self.values["enable_lcs"] else (score,)


class _Buffers:
    """Work memory of one thread: decimated planes and the kernels' own buffers."""

    def __init__(self, size: tuple[int, int], width: int, factor: int) -> None:
        self.factor = factor
        self.work = np.empty(WORK_SIZE, np.float32)
        if factor > 1:
            self.row = np.empty(width + 2 * factor, np.float32)
            self.images = [np.empty(size, np.float32) for _ in range(3)]

    def prepare(self, pair: FramePair) -> tuple[Any, Any, float, Any]:
        """Reference, distorted, the factor that brings both to 0 .. 255, and weights or None, all decimated."""
        gain = 1.0 / (1 << (pair.bits - 8))
        weights = pair.weight_plane
        if self.factor == 1:
            return pair.reference.luma, pair.distorted.luma, gain, weights
        planes: list[tuple[Any, float]] = [(pair.reference.luma, gain), (pair.distorted.luma, gain)]
        if weights is not None:
            planes.append((weights, 1.0))
        for (plane, plane_gain), out in zip(planes, self.images, strict=False):
            box_decimate(plane, plane.shape[1], self.factor, plane_gain, self.row, out, out.shape[1])
        return self.images[0], self.images[1], 1.0, None if weights is None else self.images[2]


def automatic_scale(width: int, height: int) -> int:
    """Decimation factor that brings the shorter side near 256 samples.

    Args:
        width: Width in samples.
        height: Height in samples.

    Returns:
        The factor, at least 1; halves round up.
    """
    return max(1, int(min(width, height) / VIEWED_SIDE + 0.5))
