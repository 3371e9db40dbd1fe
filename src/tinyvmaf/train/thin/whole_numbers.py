"""Kernels as whole numbers: in files of a quarter of the size.

A kernel is whole numbers of -127..127 times one float16 number per output channel. ONNX Runtime spreads them to
float32 once, when it opens the file, so that it runs as fast as one of float32 weights.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

_MOST = 127


def steps_of(kernel: npt.NDArray[np.floating]) -> npt.NDArray[np.float16]:
    """What one step of each output channel stands for.

    Args:
        kernel: (outputs, inputs, h, w).

    Returns:
        (outputs, 1, 1, 1).
    """
    top = np.abs(kernel).max(axis=(1, 2, 3), keepdims=True)
    return np.asarray(np.maximum(top / _MOST, 1e-7), np.float16)


def wholes_of(kernel: npt.NDArray[np.floating], steps: npt.NDArray[np.float16]) -> npt.NDArray[np.int8]:
    """The kernel in steps.

    Args:
        kernel: (outputs, inputs, h, w).
        steps: Of `steps_of`.
    """
    wholes = np.rint(kernel / steps.astype(np.float32))
    return np.asarray(np.clip(wholes, -_MOST, _MOST), np.int8)
