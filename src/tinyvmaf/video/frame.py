"""The nouns of this room: what a stream states of itself, a frame, and a pair of frames."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from tinyvmaf.errors import UsageError

Plane: TypeAlias = npt.NDArray[np.uint8] | npt.NDArray[np.uint16]
Weights: TypeAlias = npt.NDArray[np.float32]
Chroma: TypeAlias = Literal["400", "420", "422", "444"]
Range: TypeAlias = Literal["limited", "full"]

CELL = 8
"""Luma samples on a side of a cell of weights: finer than what attention tells apart, coarse enough to cost nothing."""

CHROMA_SHIFTS: dict[str, tuple[int, int]] = {"420": (1, 1), "422": (1, 0), "444": (0, 0)}
"""log2 of the horizontal and vertical chroma subsampling of each format that has chroma."""


def chroma_size(width: int, height: int, chroma: str) -> tuple[int, int]:
    """Width and height of a chroma plane; odd luma sizes round up.

    Args:
        width: Luma width in samples.
        height: Luma height in samples.
        chroma: "420", "422" or "444".

    Returns:
        (width, height) of each chroma plane.
    """
    right, down = CHROMA_SHIFTS[chroma]
    return -(-width // (1 << right)), -(-height // (1 << down))


def cells(height: int, width: int) -> tuple[int, int]:
    """Rows and columns of the cells of weights of a frame; those at the edges may be smaller.

    Args:
        height: Luma height in samples.
        width: Luma width in samples.

    Returns:
        (rows, columns).
    """
    return -(-height // CELL), -(-width // CELL)


@dataclass(frozen=True, slots=True)
class StreamFacts:
    """What a video states of itself before its first frame is decoded.

    Attributes:
        name: The path as the user gave it, or "<stdin>", "<arrays>".
        kind: "raw", "y4m", "container" or "arrays".
        width: Luma width in samples.
        height: Luma height in samples.
        chroma: "400", "420", "422" or "444".
        bits: Bits per sample, 8 to 16.
        range: "limited", "full", or None where nothing is stated.
        matrix: FFmpeg's name of the YUV matrix ("bt709", "smpte170m", "bt2020nc", ...), None where nothing is stated.
        primaries: FFmpeg's name of the colour primaries, or None.
        transfer: FFmpeg's name of the transfer function, or None.
        frame_rate: Frames per second, None where nothing is stated (raw).
        frame_count: Frames, where the file states it or its size implies it; a hint for containers.
        interlaced: True, False, or None where nothing is stated.
        top_field_first: Field order of an interlaced stream, None where unknown or progressive.
        sample_aspect: Width over height of one sample, None where nothing is stated.
        rotation: Clockwise rotation in degrees that a player would apply: 0, 90, 180 or 270.
        format: Container or format name ("mov,mp4,m4a", "yuv4mpegpipe", "raw").
        codec: Codec name, "rawvideo" where nothing is coded.
        converted_from: The decoder's pixel format when it had to be converted (RGB, for example), else None.
        video_streams: Video streams in the file, cover art left out; the first one is read.
    """

    name: str
    kind: Literal["raw", "y4m", "container", "arrays"]
    width: int
    height: int
    chroma: Chroma
    bits: int
    range: Range | None = None
    matrix: str | None = None
    primaries: str | None = None
    transfer: str | None = None
    frame_rate: Fraction | None = None
    frame_count: int | None = None
    interlaced: bool | None = None
    top_field_first: bool | None = None
    sample_aspect: Fraction | None = None
    rotation: int = 0
    format: str = ""
    codec: str = "rawvideo"
    converted_from: str | None = None
    video_streams: int = 1


@dataclass(frozen=True, slots=True)
class Frame:
    """One decoded picture. Planes are views that nobody writes to.

    Attributes:
        planes: Luma, then both chroma planes where there are any: (H, W) uint8 (8 bits) or uint16 (more), the last
            axis contiguous, rows possibly padded (strides[0] >= W * itemsize).
        bits: Significant bits of a sample; code values lie in 0 .. 2**bits - 1.
        index: Position in the stream, from 0, in presentation order.
        time: Presentation time in seconds, exact, None where the stream has no clock.
        owner: Whatever keeps the planes' memory alive.
    """

    planes: tuple[Plane, ...]
    bits: int
    index: int
    time: Fraction | None = None
    owner: Any = None

    @property
    def luma(self) -> Plane:
        """The luma plane, (H, W)."""
        return self.planes[0]


@dataclass(frozen=True, slots=True)
class Colour:
    """How code values become colours.

    Attributes:
        matrix: FFmpeg's name of the YUV matrix, None where nothing is stated.
        range: "limited", "full", or None where nothing is stated.
    """

    matrix: str | None = None
    range: Range | None = None


@dataclass(frozen=True, slots=True)
class FramePair:
    """One instant of both videos: same size, same bits.

    Attributes:
        reference: The pristine frame.
        distorted: The degraded frame.
        index: Number of the pair, from 0.
        previous: Reference frame of the pair before, None for the first.
        weights: (ceil(H / 8), ceil(W / 8)) float32 weights, at least 0, of the luma samples in each cell of 8 x 8; None
            for all ones.
        colour: How the code values of both frames become colours.
        saliency: (h, w) float32 map in 0..1 of where people look at the reference, None where nobody asked for it.
    """

    reference: Frame
    distorted: Frame
    index: int
    previous: Frame | None = None
    weights: Weights | None = None
    colour: Colour = Colour()
    saliency: Weights | None = None

    @property
    def bits(self) -> int:
        """Significant bits of both frames."""
        return self.reference.bits

    @property
    def excess(self) -> Weights | None:
        """What the weights have above one: sums of it beside plain sums make both plain and weighted figures.

        Raises:
            UsageError: They are not as many as there are cells.
        """
        return None if self.weights is None else self._checked(self.weights) - np.float32(1)

    @property
    def weight_plane(self) -> Weights | None:
        """(H, W) float32 weight of every luma sample, None for all ones.

        Raises:
            UsageError: They are not as many as there are cells.
        """
        if self.weights is None:
            return None
        height, width = self.reference.luma.shape
        return self._checked(self.weights).repeat(CELL, axis=0)[:height].repeat(CELL, axis=1)[:, :width]

    def _checked(self, weights: Weights) -> Weights:
        wanted = cells(*self.reference.luma.shape)
        if weights.shape != wanted or weights.dtype != np.float32:
            raise UsageError(
                f"Weights of this frame are float32 of shape {wanted}, not {weights.dtype} of {weights.shape}.",
                f"Give one for every cell of {CELL} x {CELL} samples.",
            )
        if not weights.max() > 0 or weights.min() < 0:
            raise UsageError("Weights are at least 0 and do not sum to 0, but these are not.", "Check the weight map.")
        return weights
