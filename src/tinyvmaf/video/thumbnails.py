"""Small pictures of luma planes: all that the checks of content look at."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from tinyvmaf.video.frame import Plane

Thumbnail: TypeAlias = npt.NDArray[np.float32]
"""(bands, columns) float32, code values on the scale of 8 bits."""
Direction: TypeAlias = npt.NDArray[np.float32]
"""(samples,) float32: a thumbnail without its mean, scaled to length 1; all zeros for a flat picture."""

BANDS = 48
COLUMNS = 160
FLAT = 1.0
"""Standard deviation, in 8-bit code values, below which a picture shows nothing to compare."""


def shrink(luma: Plane, bits: int) -> Thumbnail:
    """Average blocks of a few rows out of each of at most 48 bands.

    Rows are sampled rather than all averaged: a frame of 1080p takes a tenth of a millisecond.

    Args:
        luma: (H, W) uint8 for 8 bits, else uint16.
        bits: Significant bits per sample, 8 to 16.

    Returns:
        (bands, columns) float32 means on the scale of 8 bits; 160 to 320 columns where the plane has as many.
    """
    height, width = luma.shape
    block = 1
    while block * 2 <= width // COLUMNS:
        block *= 2
    bands = max(1, min(BANDS, height // block))
    pitch = height // bands
    rows = min(block, 2, pitch)
    line, sample = luma.strides
    shape = (bands, rows, width // block * block)
    used = np.lib.stride_tricks.as_strided(luma, shape, (line * pitch, line, sample), writeable=False)
    sums = used.sum(axis=1, dtype=np.uint16 if bits == 8 else np.uint32)
    step = block
    while step > 1:
        sums = sums[:, 0::2] + sums[:, 1::2]
        step //= 2
    means: Thumbnail = sums.astype(np.float32) * np.float32(1 / (rows * block << bits - 8))
    return means


def halve(thumbnail: Thumbnail) -> Thumbnail:
    """A thumbnail of half the size, for many that have to be kept.

    Args:
        thumbnail: (bands, columns) float32.

    Returns:
        (bands // 2, columns // 2) float32 means of 2 x 2 samples; the thumbnail itself where it is too small.
    """
    bands, columns = thumbnail.shape[0] // 2, thumbnail.shape[1] // 2
    if not bands or not columns:
        return thumbnail
    # Sums of slices take a tenth of the time of a mean over two axes.
    rows = thumbnail[0 : 2 * bands : 2] + thumbnail[1 : 2 * bands : 2]
    halved: Thumbnail = rows[:, 0 : 2 * columns : 2] + rows[:, 1 : 2 * columns : 2]
    halved *= np.float32(0.25)
    return halved


def direction(thumbnail: Thumbnail) -> Direction:
    """What remains of a picture when brightness and contrast are taken away.

    Args:
        thumbnail: (bands, columns) float32.

    Returns:
        (bands * columns,) float32 of length 1; zeros where the picture is flat.
    """
    centred = (thumbnail - thumbnail.mean()).ravel()
    length = float(np.sqrt(centred @ centred))
    if length <= FLAT * np.sqrt(centred.size):
        return np.zeros_like(centred)
    scaled: Direction = centred * np.float32(1 / length)
    return scaled


def detail(thumbnail: Thumbnail, reach: int = 4) -> Direction:
    """`direction` of the fine structure only: each sample less the mean of its neighbours in the row.

    Two unrelated pictures often share the coarse layout (bright sky over dark ground) but never the detail.

    Args:
        thumbnail: (bands, columns) float32.
        reach: Neighbours on either side.

    Returns:
        (bands * columns,) float32 of length 1; zeros where there is no detail.
    """
    columns = thumbnail.shape[1]
    padded = np.pad(thumbnail, ((0, 0), (reach + 1, reach)), mode="edge").cumsum(axis=1, dtype=np.float64)
    span = 2 * reach + 1
    means = (padded[:, span:] - padded[:, :columns]) / span
    return direction((thumbnail - means).astype(np.float32))
