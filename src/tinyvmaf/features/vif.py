"""Visual information fidelity, scales 0 to 3, as libvmaf's integer extractor computes it.

Source: H. R. Sheikh and A. C. Bovik, "Image information and visual quality", IEEE Transactions on Image Processing
15(2), 2006, in the pixel-domain form of libvmaf's `integer_vif`: Gaussian windows over 65536, means and decimated
planes kept to 1/256. Each scale is the share of the reference's information that the distorted frame still carries.
"""

from __future__ import annotations

from typing import Any, ClassVar, Final

import numpy as np
import numpy.typing as npt

from tinyvmaf._memory import aligned_zeros
from tinyvmaf.features.base import Feature, Option
from tinyvmaf.features.kernels.native import Kernel, Packed
from tinyvmaf.video.frame import FramePair

SCALES: Final = 4

_ROWS: Final = 2 * (64 + 16) * 208
_MOMENTS: Final = 8 * 5 * 208
_FILTERED: Final = 8 * 5 * 192
_TERMS: Final = 8 * 2 * 192
_SPREAD: Final = 192
"""Sizes of the kernel's tile buffers: see features/kernels/generate_vif.py."""

_frame = Kernel("vif", "frame")


def _scratch(height: int, width: int) -> Packed:
    """Work memory of one thread for one frame size, as the kernel takes it."""
    levels: list[npt.NDArray[Any]] = []
    for scale in range(1, SCALES):
        shape = (max(height >> scale, 1), max(width >> scale, 1))
        levels += [aligned_zeros(shape, np.uint16), aligned_zeros(shape, np.uint16)]
    return Packed(
        *levels,
        *(aligned_zeros(size, np.float32) for size in (_ROWS, _MOMENTS, _FILTERED)),
        *(aligned_zeros(size, np.float64) for size in (_ROWS, _MOMENTS, _FILTERED)),
        aligned_zeros(_TERMS, np.float32),
        aligned_zeros(_SPREAD, np.float32),
        *(aligned_zeros(width + 16, np.float32) for _ in range(3)),
    )


class Vif(Feature):
    """VIF of luma at four scales, 0 (nothing left) to 1 (identical); enhancement may exceed 1."""

    name = "vif"
    provides = ("vif_scale0", "vif_scale1", "vif_scale2", "vif_scale3")
    options: ClassVar[tuple[Option, ...]] = (
        Option("vif_enhn_gain_limit", 100.0, 1.0, 100.0, "egl", "Largest enhancement gain; 1 rewards no enhancement."),
    )

    weighable = True

    def update(self, pair: FramePair) -> list[float]:
        """VIF of one pair: one value per scale."""
        return _ratios(self.sums(pair).sum(axis=0))

    def update_both(self, pair: FramePair) -> tuple[list[float], list[float]]:
        """VIF of one pair without its weights and with them, in one pass."""
        sums = self.sums(pair)
        return _ratios(sums[0]), _ratios(sums.sum(axis=0))

    def sums(self, pair: FramePair) -> npt.NDArray[np.float64]:
        """Numerator and denominator of each scale.

        Args:
            pair: The frames, at least 16 x 16.

        Returns:
            (2, 4, 2) float64: plain sums and what the weights add to them, scale by scale, numerator and denominator;
            all are sums of log2 terms in bits.
        """
        height, width = pair.reference.luma.shape
        scratch = self.scratch((height, width), lambda: _scratch(height, width))
        sums = np.empty(4 * SCALES)
        unit = 2.0 ** (8 - pair.bits)
        _frame(
            pair.reference.luma, pair.distorted.luma, unit, None if pair.bits == 8 else unit, width,
            float(self.values["vif_enhn_gain_limit"]), pair.excess, scratch, sums,
        )  # fmt: skip
        return sums.reshape(SCALES, 2, 2).swapaxes(0, 1)


def _ratios(sums: npt.NDArray[np.float64]) -> list[float]:
    return [float(n / d) if d > 0 else 1.0 for n, d in sums]
