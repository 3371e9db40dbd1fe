"""SSIM in float64 from its definition, with libvmaf's taps, sizes and clipping."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.ndimage import correlate1d

Image = npt.NDArray[np.float64]

WINDOW = np.array([0.001028, 0.007599, 0.036001, 0.109361, 0.213006, 0.266012])
WINDOW = np.concatenate([WINDOW, WINDOW[-2::-1]]).astype(np.float32).astype(np.float64)
C1, C2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2


def to_image(plane: npt.NDArray[Any], bits: int) -> Image:
    """A plane in 8-bit units."""
    return plane.astype(np.float64) / (1 << (bits - 8))


def blur(image: Image) -> Image:
    """Window means where the window lies inside the image."""
    rows = correlate1d(image, WINDOW, axis=1)[:, 5:-5]
    return correlate1d(rows, WINDOW, axis=0)[5:-5]


def decimate(image: Image, taps: npt.NDArray[np.float64], factor: int) -> Image:
    """Filter with a square of taps, mirrored borders, and keep every factor-th sample; odd sides gain one."""
    before = len(taps) // 2
    padded = np.pad(image, ((before, len(taps)), (before, len(taps))), mode="symmetric")
    windows = np.lib.stride_tricks.sliding_window_view(padded, taps.shape)[::factor, ::factor]
    height, width = (side // factor + side % 2 for side in image.shape)
    return np.einsum("yxvu,vu->yx", windows, taps)[:height, :width]


def shrink(image: Image, factor: int) -> Image:
    """Mean of factor x factor samples."""
    return image if factor == 1 else decimate(image, np.full((factor, factor), 1 / factor**2), factor)


def maps(x: Image, y: Image) -> tuple[Image, Image, Image]:
    """Luminance, contrast and structure of every window."""
    mu_x, mu_y = blur(x), blur(y)
    var_x, var_y = np.maximum(blur(x * x) - mu_x**2, 0), np.maximum(blur(y * y) - mu_y**2, 0)
    covariance = blur(x * y) - mu_x * mu_y
    deviations = np.sqrt(var_x * var_y)
    covariance = np.where((deviations <= 0) & (covariance < 0), 0, covariance)
    luminance = (2 * mu_x * mu_y + C1) / (mu_x**2 + mu_y**2 + C1)
    contrast = (2 * deviations + C2) / (var_x + var_y + C2)
    structure = (covariance + C2 / 2) / (deviations + C2 / 2)
    return luminance, contrast, structure


def ssim(
    reference: npt.NDArray[Any],
    distorted: npt.NDArray[Any],
    bits: int,
    scale: int = 0,
    weights: npt.NDArray[np.float32] | None = None,
) -> tuple[float, float, float, float]:
    """Means of SSIM, luminance, contrast and structure."""
    factor = scale or max(1, int(np.floor(min(reference.shape) / 256 + 0.5)))
    luminance, contrast, structure = maps(*(shrink(to_image(p, bits), factor) for p in (reference, distorted)))
    weight = None if weights is None else shrink(weights.astype(np.float64), factor)[5:-5, 5:-5]
    together = luminance * contrast * structure
    ssim_mean, *factors = (float(np.average(m, weights=weight)) for m in (together, luminance, contrast, structure))
    return ssim_mean, *factors
