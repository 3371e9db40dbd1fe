"""Denoising in time from its rules: which five frames meet, and how they are padded."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

Picture = npt.NDArray[Any]


def windows(clip: Sequence[Picture]) -> list[Picture]:
    """Five frames around every frame of a clip that NumPy mirrors at its ends."""
    order = np.pad(np.arange(len(clip)), 2, mode="reflect")
    return [np.stack([clip[i] for i in order[t : t + 5]]) for t in range(len(clip))]


def padded(frames: Picture) -> Picture:
    """Whole fours of rows and columns: the last ones follow again, backwards, without the very last."""
    height, width = frames.shape[1:]
    rows = [*range(height), *(height - 2 - i for i in range(-height % 4))]
    columns = [*range(width), *(width - 2 - i for i in range(-width % 4))]
    return frames[:, rows][:, :, columns]


def denoised(clip: Sequence[Picture], network: Callable[[Picture], Picture]) -> list[Picture]:
    """What a network from [1, 5, H, W] to [1, 1, H, W] makes of a clip of pictures of at least 4 x 4 in 0..1."""
    height, width = clip[0].shape
    results = [network(padded(window)[None])[0, 0] for window in windows(clip)]
    return [np.clip(result, 0.0, 1.0)[:height, :width] for result in results]
