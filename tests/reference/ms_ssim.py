"""MS-SSIM in float64 from its definition, with libvmaf's low-pass."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from reference.ssim import decimate, maps, shrink, to_image

LOW_PASS = np.array([0.026727, -0.016828, -0.078201, 0.266846, 0.602914])
LOW_PASS = np.concatenate([LOW_PASS, LOW_PASS[-2::-1]])
EXPONENTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)


def ms_ssim(
    reference: npt.NDArray[Any],
    distorted: npt.NDArray[Any],
    bits: int,
    weights: npt.NDArray[np.float32] | None = None,
) -> float:
    """MS-SSIM over five scales."""
    x, y = to_image(reference, bits), to_image(distorted, bits)
    weight = np.ones(x.shape) if weights is None else weights.astype(np.float64)
    score = 1.0
    for scale, exponent in enumerate(EXPONENTS):
        if scale:
            x, y = (decimate(image, np.outer(LOW_PASS, LOW_PASS), 2) for image in (x, y))
            weight = shrink(weight, 2)
        luminance, contrast, structure = (np.average(m, weights=weight[5:-5, 5:-5]) for m in maps(x, y))
        score *= (contrast * structure) ** exponent * (luminance**exponent if scale == 4 else 1.0)
    return float(score)
