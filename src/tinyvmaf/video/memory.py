"""Plane memory that is used again once nothing looks at it any more.

Pages of fresh memory are mapped and cleared at their first use, which takes several times as long as the copy of the
samples itself.
"""

from __future__ import annotations

import ctypes
import math
import weakref
from typing import Any

import numpy as np
import numpy.typing as npt

from tinyvmaf._memory import aligned_zeros
from tinyvmaf.video.frame import Plane


class PlaneMemory:
    """Hands out planes of one reader and takes their memory back by itself; any thread may drop a plane."""

    def __init__(self) -> None:
        self._idle: dict[int, list[npt.NDArray[np.uint8]]] = {}

    def take(self, shape: tuple[int, int], dtype: npt.DTypeLike) -> Plane:
        """Give memory for a plane.

        Args:
            shape: Rows, columns.
            dtype: uint8 or uint16.

        Returns:
            A writable plane of unspecified content. Its memory is used again when neither it nor a view of it is left.
        """
        size = math.prod(shape) * np.dtype(dtype).itemsize
        idle = self._idle.setdefault(size, [])
        memory = idle.pop() if idle else aligned_zeros(size, np.uint8)
        # Every view keeps `lease` alive, and nothing but views does.
        lease: Any = (ctypes.c_ubyte * size).from_buffer(memory.data)
        weakref.finalize(lease, idle.append, memory).atexit = False
        return np.frombuffer(lease, dtype).reshape(shape)

    def clear(self) -> None:
        """Let go of memory that no plane uses; planes that still live take theirs with them."""
        self._idle = {}
