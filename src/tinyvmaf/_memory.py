"""Memory that starts where a cache line does: vector loads and stores that straddle two lines take twice as long."""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np
import numpy.typing as npt

LINE: Final = 64
"""Bytes of a cache line, and of the widest vector register."""


def aligned_zeros(shape: int | tuple[int, ...], dtype: npt.DTypeLike) -> npt.NDArray[Any]:
    """Zeros at a multiple of 64 bytes.

    Args:
        shape: As for `numpy.zeros`.
        dtype: As for `numpy.zeros`.

    Returns:
        The array, C-contiguous.
    """
    kind = np.dtype(dtype)
    size = math.prod(shape if isinstance(shape, tuple) else (shape,)) * kind.itemsize
    memory = np.zeros(size + LINE, np.uint8)
    start = -memory.ctypes.data % LINE
    return memory[start : start + size].view(kind).reshape(shape)
