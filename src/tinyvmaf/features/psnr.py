"""PSNR of each plane, in decibels.

Source: mean squared error against the peak code value, capped, as libvmaf's `psnr` extractor has it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

import numpy as np

from tinyvmaf.errors import UsageError
from tinyvmaf.features.base import Column, Feature, Option, OptionValue
from tinyvmaf.features.kernels.native import Kernel
from tinyvmaf.video.frame import FramePair, Weights

PLANES: Final = ("y", "cb", "cr")
LEAST_MSE: Final = 1e-16
"""What a mean squared error of zero counts as, in squared code values (libvmaf integer_psnr.c)."""

_squared_error8 = Kernel("psnr", "squared_error8")
_squared_error16 = Kernel("psnr", "squared_error16")
_weighted_error = Kernel("psnr", "weighted_error")
_chroma_weights = Kernel("psnr", "chroma_weights")


class PlaneError(NamedTuple):
    """What one plane of one pair contributes.

    Attributes:
        error: Sum of (weighted) squared differences, in squared code values.
        samples: Number of samples, or their weights' sum.
        peak: Peak code value.
        ceiling: Largest PSNR of this plane in dB.
    """

    error: float
    samples: float
    peak: int
    ceiling: float

    @property
    def mse(self) -> float:
        """Mean squared error, in squared code values."""
        return self.error / self.samples

    @property
    def psnr(self) -> float:
        """PSNR in dB."""
        return psnr_db(self.mse, self.peak, self.ceiling)


class Psnr(Feature):
    """Peak signal-to-noise ratio of luma and both chroma planes; grey video has the luma column only.

    Of subsampled chroma beside odd luma the last column and row do not count, as in libvmaf, which rounds down here.
    """

    name = "psnr"
    provides = ("psnr_y", "psnr_cb", "psnr_cr")
    options = (
        Option("enable_chroma", True, help="measure the chroma planes too"),
        Option("enable_mse", False, help="add the mean squared errors as mse_y, mse_cb, mse_cr"),
        Option("enable_apsnr", False, help="add the PSNR of the whole clip's mean squared error"),
        Option("reduced_hbd_peak", False, help="peak 255 * 2**(bits - 8) instead of 2**bits - 1"),
        Option("min_sse", 0.0, low=0.0, help="smallest sum of squared errors told apart; sets the ceiling"),
    )
    unit = "dB"
    minimum_size = 2
    weighable = True

    def __init__(self, **options: str | OptionValue) -> None:
        """Check the options, as every feature does; enable_chroma decides which planes are read."""
        super().__init__(**options)
        self.planes = "all" if self.values["enable_chroma"] else "luma"

    @property
    def keys(self) -> tuple[str, ...]:
        """Keys of the columns, as many planes as are enabled; with enable_mse each PSNR is followed by its MSE."""
        kinds = ("psnr", "mse") if self.values["enable_mse"] else ("psnr",)
        planes = PLANES if self.values["enable_chroma"] else PLANES[:1]
        return tuple(f"{kind}_{plane}" for plane in planes for kind in kinds)

    def update(self, pair: FramePair) -> tuple[PlaneError, ...]:
        """Sum the squared differences of each plane.

        Args:
            pair: Both frames; `weights` weigh luma samples, chroma samples take the mean of theirs.

        Returns:
            One entry per plane that the frames have and the options want.

        Raises:
            UsageError: All weights are zero.
        """
        count = len(pair.reference.planes) if self.values["enable_chroma"] else 1
        reduced = self.values["reduced_hbd_peak"]
        peak = 255 << (pair.bits - 8) if reduced else (1 << pair.bits) - 1
        return tuple(self._plane_error(pair, index, peak) for index in range(count))

    def _plane_error(self, pair: FramePair, index: int, peak: int) -> PlaneError:
        height, width = _counted_size(pair, index)
        reference = pair.reference.planes[index][:height, :width]
        distorted = pair.distorted.planes[index][:height, :width]
        sums = np.empty(2)
        plane_weights = pair.weight_plane
        if plane_weights is None:
            kernel = _squared_error8 if reference.dtype == np.uint8 else _squared_error16
            kernel(reference, distorted, width, sums)
        else:
            weights = self._weights(plane_weights, height, width) if index else plane_weights
            _weighted_error(reference, distorted, width, weights, sums)
            if not sums[1] > 0.0:
                raise UsageError("At least one weight must be above zero, but they sum to 0.", "Check the weight map.")
        return PlaneError(float(sums[0]), float(sums[1]), peak, self._ceiling(pair.bits, peak, height * width))

    def _weights(self, weights: Weights, height: int, width: int) -> Weights:
        """Weights of chroma samples."""
        out = self.scratch((height, width), lambda: np.empty((height, width), np.float32))
        right, down = int(width < weights.shape[1]), int(height < weights.shape[0])
        _chroma_weights(weights, right, down, out, width)
        return out

    def _ceiling(self, bits: int, peak: int, samples: int) -> float:
        least = float(self.values["min_sse"])
        if least == 0.0:
            return 6.0 * bits + 12.0
        return float(math.ceil(10.0 * math.log10(peak * peak * samples / least)))

    def compute(self, partials: Sequence[tuple[PlaneError, ...]]) -> dict[str, Column]:
        """Turn sums into decibels.

        Args:
            partials: What `update` returned, in frame order.

        Returns:
            Key to one value per frame; chroma keys are absent for grey video.
        """
        columns: dict[str, Column] = {}
        for plane, errors in zip(PLANES, zip(*partials, strict=True), strict=False):
            columns[f"psnr_{plane}"] = np.array([error.psnr for error in errors])
            if self.values["enable_mse"]:
                columns[f"mse_{plane}"] = np.array([error.mse for error in errors])
        return columns

    def aggregate(self, partials: Sequence[tuple[PlaneError, ...]]) -> Mapping[str, float]:
        """PSNR of the whole clip's mean squared error, one per plane, where enable_apsnr asks for it.

        Args:
            partials: What `update` returned for the scored frames.

        Returns:
            apsnr_y, apsnr_cb, apsnr_cr in dB, or nothing.
        """
        if not self.values["enable_apsnr"]:
            return {}
        planes = zip(PLANES, zip(*partials, strict=True), strict=False)
        return {f"apsnr_{plane}": apsnr_db(errors) for plane, errors in planes}


def _counted_size(pair: FramePair, index: int) -> tuple[int, int]:
    """Height and width of the part of a plane that counts."""
    luma, plane = pair.reference.luma.shape, pair.reference.planes[index].shape
    height, width = (full // 2 if part < full else full for full, part in zip(luma, plane, strict=True))
    return height, width


def psnr_db(mse: float, peak: int, ceiling: float) -> float:
    """Convert a mean squared error into decibels.

    Args:
        mse: Mean of (reference - distorted)**2 in squared code values, >= 0.
        peak: Peak code value.
        ceiling: Largest value returned, in dB.

    Returns:
        PSNR in dB.

    Example:
        >>> psnr_db(mse=65025.0, peak=255, ceiling=60.0)
        0.0
    """
    return min(10.0 * math.log10(peak * peak / max(mse, LEAST_MSE)), ceiling)


def apsnr_db(errors: Sequence[PlaneError]) -> float:
    """PSNR of the mean squared error over all frames of one plane.

    Args:
        errors: One entry per frame.

    Returns:
        Decibels, at most what half a squared code value in the whole clip would give, rounded up (libvmaf).
    """
    error, samples = sum(e.error for e in errors), sum(e.samples for e in errors)
    energy = float(errors[0].peak) ** 2 * samples
    ceiling = float(math.ceil(10.0 * math.log10(2.0 * energy)))
    return min(10.0 * math.log10(energy / error), ceiling) if error > 0.0 else ceiling
