"""Additive detail metric, as libvmaf's integer extractor computes it.

Source: S. Li, F. Zhang, L. Ma and K. N. Ngan, "Image quality assessment by separately evaluating detail losses and
additive impairments", IEEE Transactions on Multimedia 13(5), 2011, in the form of libvmaf's `integer_adm`: four levels
of a Daubechies-2 transform, CSF weights from the visibility model of A. B. Watson et al., "Visibility of wavelet
quantization noise", IEEE Transactions on Image Processing 6(8), 1997.
"""

from __future__ import annotations

import math
from typing import Any, ClassVar, Final

import numpy as np
import numpy.typing as npt

from tinyvmaf._memory import aligned_zeros
from tinyvmaf.errors import MismatchError
from tinyvmaf.features.base import Feature, Option
from tinyvmaf.features.kernels.native import Kernel, Packed
from tinyvmaf.video.frame import FramePair

SCALES: Final = 4

_AMPLITUDES: Final = ((0.67234, 0.72709), (0.41317, 0.49428), (0.22727, 0.28688), (0.11792, 0.15214))
"""Basis function amplitude of the straight and the diagonal bands per level: Watson et al., table V."""

_THRESHOLD: Final = (0.495, 0.466, 0.401)
"""Watson et al., table IV for luma: a, k, f0; orientation factors g are 1 (straight) and 0.534 (diagonal)."""

_ORIENTATION: Final = (1.0, 0.534)
_PIXELS_PER_DEGREE: Final = 3.0 * 1080 * math.pi / 180
"""A screen of 1080 lines at three times its height, as all VMAF models of generation 0 assume."""

_INTEGER_CSF: Final = (36453 / 2**21, 49417 / 2**23)
"""The first scale's CSF weights in libvmaf's fixed point."""

_NOISE: Final = 1 / 32
"""Added per sample of a band before the cube root, so that empty bands compare as equal."""

_SLOTS: Final = 23 * (8192 + 64)
_LINE: Final = 4 * (8192 + 64)
_SPREAD: Final = 2 * (8192 + 64)
MAXIMUM_WIDTH: Final = 2 * (8192 - 32)
"""Widest frame the kernel's row slots hold: see features/kernels/adm.py."""

_frame = Kernel("adm", "frame")


def _csf() -> npt.NDArray[np.float64]:
    """CSF weight per scale of the straight and the diagonal bands: one over the quantisation step just visible."""
    a, k, f0 = _THRESHOLD
    weights = np.empty((SCALES, 2))
    for level, amplitudes in enumerate(_AMPLITUDES):
        for kind in (0, 1):
            t = math.log10(2.0 ** (level + 1) * f0 * _ORIENTATION[kind] / _PIXELS_PER_DEGREE)
            weights[level, kind] = amplitudes[kind] / (2 * a * 10 ** (k * t * t))
    return weights


CSF: Final = _csf()
_KERNEL_CSF: Final = Packed(np.vstack([_INTEGER_CSF, CSF[1:]]))


def _scratch(height: int, width: int, weighted: bool) -> Packed:
    """Work memory of one thread for one frame size, as the kernel takes it."""
    levels: list[npt.NDArray[Any]] = []
    for scale in range(1, SCALES + 1):
        shape = (-(-height >> scale), -(-width >> scale))
        kind = np.int16 if scale == 1 else np.float64
        levels += [aligned_zeros(shape, kind), aligned_zeros(shape, kind)]
    return Packed(
        *levels,
        aligned_zeros((-(-height >> 4), -(-width >> 4)), np.float32) if weighted else None,
        aligned_zeros(_SLOTS, np.float32),
        aligned_zeros(_LINE, np.float32),
        aligned_zeros(_SLOTS, np.float64),
        aligned_zeros(_LINE, np.float64),
        aligned_zeros(_SPREAD, np.float32),
    )


class Adm(Feature):
    """Share of the reference's visible detail that survives, 0 to 1; enhancement may exceed 1."""

    name = "adm"
    provides = ("adm2", "adm_scale0", "adm_scale1", "adm_scale2", "adm_scale3")
    options: ClassVar[tuple[Option, ...]] = (
        Option("adm_enhn_gain_limit", 100.0, 1.0, 100.0, "egl", "Largest enhancement gain; 1 rewards no enhancement."),
    )

    weighable = True

    def update(self, pair: FramePair) -> list[float]:
        """ADM of one pair: over all scales, then per scale."""
        return _ratios(self.sums(pair).sum(axis=0))

    def update_both(self, pair: FramePair) -> tuple[list[float], list[float]]:
        """ADM of one pair without its weights and with them, in one pass."""
        sums = self.sums(pair)
        return _ratios(sums[0]), _ratios(sums.sum(axis=0))

    def sums(self, pair: FramePair) -> npt.NDArray[np.float64]:
        """Band sums of one pair.

        Args:
            pair: The frames, 16 x 16 to MAXIMUM_WIDTH.

        Returns:
            (2, 4, 7) float64: plain sums and what the weights add to them, each with a row per scale: cubes of the
            reference's h, v, d bands, cubes of the masked signal's h, v, d bands, samples.

        Raises:
            MismatchError: The frame is too wide.
        """
        height, width = pair.reference.luma.shape
        if width > MAXIMUM_WIDTH:
            raise MismatchError(
                f"ADM takes frames up to {MAXIMUM_WIDTH} samples wide, not {width}.", "Scale them down."
            )
        weighted = pair.weights is not None
        scratch = self.scratch((height, width, weighted), lambda: _scratch(height, width, weighted))
        sums = np.empty((SCALES, 14))
        exact = None if pair.bits == 8 else 2.0 ** (8 - pair.bits)
        _frame(
            pair.reference.luma, pair.distorted.luma, exact, width,
            float(self.values["adm_enhn_gain_limit"]), _KERNEL_CSF, pair.excess, scratch, sums,
        )  # fmt: skip
        return sums.reshape(SCALES, 2, 7).swapaxes(0, 1)


def _ratios(sums: npt.NDArray[np.float64]) -> list[float]:
    """ADM over all scales, then of each, from the (4, 7) sums."""
    straight, diagonal = CSF[:, :1], CSF[:, 1:]
    floor = np.cbrt(sums[:, 6:] * _NOISE)
    seen = np.cbrt(sums[:, :3]) * np.hstack([straight, straight, diagonal])
    denominator = (seen + floor).sum(axis=1)
    numerator = (np.cbrt(sums[:, 3:6]) + floor).sum(axis=1)
    scales = np.divide(numerator, denominator, out=np.ones(SCALES), where=denominator > 0)
    total = float(denominator.sum())
    return [float(numerator.sum()) / total if total > 0 else 1.0, *map(float, scales)]
