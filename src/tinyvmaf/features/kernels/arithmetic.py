"""Small pieces that several kernels share."""

from __future__ import annotations

from typing import Final

import numba
import numpy as np

from tinyvmaf.features.kernels.flags import FAST

f4 = np.float32
f8 = np.float64
i4 = np.int32

_SQRT_HALF_BITS: Final = 0x3F3504F3
"""sqrt(1/2) as float32 bits: mantissas are taken around 1, from sqrt(1/2) to sqrt(2)."""

_EXPONENT_MASK: Final = -0x800000
"""Sign and exponent of a float32."""


@numba.njit(inline="always", **FAST)
def log2(x):
    """Binary logarithm of a positive, normal float32, to about 4e-7 plus the rounding of the result.

    Integer steps stay narrowable to 32 bits (mask and subtract, no shift), so sixteen lanes fit one register. The
    polynomial is a minimax fit of log2(1 + m) / m.
    """
    bits = f4(x).view(np.int32)
    exponent = i4((bits - i4(_SQRT_HALF_BITS)) & i4(_EXPONENT_MASK))
    m = i4(bits - exponent).view(np.float32) - f4(1.0)
    p = f4(0.170634523)
    p = p * m + f4(-0.272697955)
    p = p * m + f4(0.297262579)
    p = p * m + f4(-0.35896185)
    p = p * m + f4(0.480465025)
    p = p * m + f4(-0.721375883)
    p = p * m + f4(1.442699671)
    return f4(exponent) * f4(1.0 / (1 << 23)) + p * m


@numba.njit(inline="always", **FAST)
def mirror(position, size):
    """Index of a sample beyond either edge, the edge sample itself not repeated."""
    if position < 0:
        position = -position
    if position >= size:
        position = 2 * size - 2 - position
    return position
