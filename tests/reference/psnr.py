"""PSNR from its definition."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt


def psnr(
    reference: npt.NDArray[Any],
    distorted: npt.NDArray[Any],
    peak: int,
    ceiling: float,
    weights: npt.NDArray[np.float32] | None = None,
) -> float:
    """PSNR in dB of one plane, (H, W) each, against a peak code value, at most `ceiling`."""
    squares = (reference.astype(np.float64) - distorted.astype(np.float64)) ** 2
    mse = float(np.average(squares, weights=None if weights is None else weights.astype(np.float64)))
    return ceiling if mse == 0.0 else min(10.0 * np.log10(peak**2 / mse), ceiling)
