"""Frames as RGB, for networks that were trained on pictures.

Source: ITU-T H.273 for matrices and ranges; chroma of 4:2:0 and 4:2:2 is sited at the left, as MPEG-2, H.264 and H.265
have it, and interpolated linearly.
"""

from __future__ import annotations

from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt

from tinyvmaf.errors import UnknownNameError
from tinyvmaf.video.frame import Colour, Frame, Plane
from tinyvmaf.video.resize import Method, scale_plane

Image: TypeAlias = npt.NDArray[np.float32]

MATRICES: Final[dict[str, tuple[float, float]]] = {
    "bt709": (0.2126, 0.0722),
    "smpte170m": (0.299, 0.114),
    "bt470bg": (0.299, 0.114),
    "fcc": (0.30, 0.11),
    "smpte240m": (0.212, 0.087),
    "bt2020nc": (0.2627, 0.0593),
}
"""FFmpeg's name of a matrix -> the shares of red and blue in luma."""

COMPATIBLE: Final = "compat"
_HD_HEIGHT: Final = 720


def to_rgb(frame: Frame, colour: Colour, size: tuple[int, int] | None = None, method: Method = "bilinear") -> Image:
    """Turn a frame into RGB.

    The matrix COMPATIBLE stands for the conversion of a fork of libvmaf, whose figures it reproduces: coefficients of
    analogue components, limited range, the nearest chroma sample, and 8 bits before and after.

    Where the stream states no matrix, frames of 720 lines and more are taken for BT.709 and smaller ones for BT.601;
    where it states no range, for limited. A frame without chroma becomes grey.

    Args:
        frame: The frame.
        colour: How its code values become colours.
        size: (width, height) to scale all planes to first; its own size by default.
        method: How planes are scaled.

    Returns:
        (3, H, W) float32, red first, 0 to 1: the transfer function is left as it is.

    Raises:
        UnknownNameError: The matrix is not one of MATRICES.
    """
    if colour.matrix == COMPATIBLE:
        return _compatible(frame, size, method)
    height, width = frame.luma.shape
    size = None if size == (width, height) else size
    matrix = colour.matrix or ("bt709" if height >= _HD_HEIGHT else "smpte170m")
    if matrix not in MATRICES:
        raise UnknownNameError(f"Colours of matrix {matrix} are not known.", f"There are: {', '.join(MATRICES)}.")
    shape = (height, width) if size is None else size[::-1]
    planes = frame.planes if size is None else tuple(scale_plane(p, shape, frame.bits, method) for p in frame.planes)
    full = colour.range == "full"
    luma = _normalised(planes[0], frame.bits, full, chroma=False)
    if len(planes) == 1:
        return np.repeat(np.clip(luma, 0, 1)[None], 3, axis=0)
    blue, red = (_upsampled(_normalised(p, frame.bits, full, chroma=True), shape) for p in planes[1:3])
    return _mixed(luma, blue, red, *MATRICES[matrix])


def _compatible(frame: Frame, size: tuple[int, int] | None, method: Method) -> Image:
    shape = frame.luma.shape if size is None else size[::-1]
    planes = (scale_plane(plane, shape, frame.bits, method) for plane in _nearest(frame))
    luma, *chroma = (_eight_bits(plane, frame.bits) for plane in planes)
    y = (luma - np.float32(16)) * np.float32(1 / 219)
    u, v = ((plane - np.float32(128)) * np.float32(1 / 224) for plane in chroma)
    result = np.empty((3, *shape), np.float32)
    result[0] = y + np.float32(1.28033) * v
    result[1] = y - np.float32(0.21482) * u - np.float32(0.38059) * v
    result[2] = y + np.float32(2.12798) * u
    whole: Image = np.floor(np.clip(result, 0, 1) * np.float32(255) + np.float32(0.5))
    return whole * np.float32(1 / 255)


def _nearest(frame: Frame) -> tuple[Plane, ...]:
    """All three planes at the size of luma; grey has chroma in the middle."""
    height, width = frame.luma.shape
    if len(frame.planes) == 1:
        middle = np.full_like(frame.luma, 1 << frame.bits - 1)
        return frame.luma, middle, middle
    rows, columns = (-(-side // part) for side, part in zip((height, width), frame.planes[1].shape, strict=True))
    return frame.luma, *(c.repeat(rows, 0)[:height].repeat(columns, 1)[:, :width] for c in frame.planes[1:3])


def _eight_bits(plane: Plane, bits: int) -> Image:
    """Samples on the scale of 8 bits, halves rounded up."""
    half = 0 if bits == 8 else 1 << bits - 9
    rounded = (plane.astype(np.int32) + half) >> bits - 8
    clipped: Image = np.minimum(rounded, 255).astype(np.float32)
    return clipped


def _mixed(luma: Image, blue: Image, red: Image, kr: float, kb: float) -> Image:
    kg = 1 - kr - kb
    result = np.empty((3, *luma.shape), np.float32)
    np.multiply(red, np.float32(2 * (1 - kr)), out=result[0])
    result[0] += luma
    np.multiply(blue, np.float32(2 * (1 - kb)), out=result[2])
    result[2] += luma
    result[1] = luma - np.float32(2 * kb * (1 - kb) / kg) * blue - np.float32(2 * kr * (1 - kr) / kg) * red
    clipped: Image = np.clip(result, 0, 1, out=result)
    return clipped


def _normalised(plane: Plane, bits: int, full: bool, *, chroma: bool) -> Image:
    """Luma as 0 to 1, chroma as -0.5 to 0.5; footroom and headroom lie outside."""
    unit = 1 << bits - 8
    zero = (1 << bits - 1) if chroma else (0 if full else 16 * unit)
    span = (1 << bits) - 1 if full else (224 if chroma else 219) * unit
    return (plane.astype(np.float32) - np.float32(zero)) * np.float32(1 / span)


def _upsampled(plane: Image, shape: tuple[int, int]) -> Image:
    """Chroma at every luma sample."""
    if plane.shape[1] != shape[1]:
        after = np.concatenate((plane[:, 1:], plane[:, -1:]), axis=1)
        plane = _interleaved(plane, (plane + after) * np.float32(0.5), 1)[:, : shape[1]]
    if plane.shape[0] != shape[0]:
        before = np.concatenate((plane[:1], plane[:-1]))
        after = np.concatenate((plane[1:], plane[-1:]))
        near, far = np.float32(0.75), np.float32(0.25)
        plane = _interleaved(plane * near + before * far, plane * near + after * far, 0)[: shape[0]]
    return plane


def _interleaved(even: Image, odd: Image, axis: int) -> Image:
    shape = list(even.shape)
    shape[axis] *= 2
    return np.stack((even, odd), axis=axis + 1).reshape(shape)
