"""Frames of another size or orientation."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Literal, TypeAlias, cast

import numpy as np

from tinyvmaf.errors import UnknownNameError, UsageError
from tinyvmaf.video.base import MAX_SIDE, plane_shapes
from tinyvmaf.video.frame import Frame, Plane

Method: TypeAlias = Literal["bicubic", "bilinear", "lanczos", "area", "spline"]
METHODS: tuple[Method, ...] = ("bicubic", "bilinear", "lanczos", "area", "spline")


def scale_frame(frame: Frame, width: int, height: int, method: Method = "bicubic", chroma: str = "420") -> Frame:
    """Scale every plane.

    The result equals FFmpeg's `scale=WIDTH:HEIGHT:flags=METHOD+accurate_rnd+bitexact` on the same samples, to the last
    bit and on every processor. FFmpeg without the two flags rounds differently from processor to processor, by one
    code value.

    Args:
        frame: The frame; 8, 9, 10, 12, 14 or 16 bits.
        width: New luma width in samples, 1 to 16384.
        height: New luma height in samples, 1 to 16384.
        method: "bicubic", "bilinear", "lanczos", "area" or "spline".
        chroma: Chroma format of the frame, which decides the size of its chroma planes.

    Returns:
        A new frame with the same index and time, or the same one if the size is right already.

    Raises:
        UnknownNameError: There is no method of that name.
        UsageError: The size is out of range.
    """
    if method not in METHODS:
        raise UnknownNameError(f"The scaling method must be one of {', '.join(METHODS)}, not {method!r}.")
    if not (1 <= width <= MAX_SIDE and 1 <= height <= MAX_SIDE):
        raise UsageError(f"Width and height must be 1 to {MAX_SIDE}, not {width}x{height}.")
    if frame.luma.shape == (height, width):
        return frame
    shapes = plane_shapes(width, height, chroma)
    planes = tuple(
        scale_plane(plane, shape, frame.bits, method) for plane, shape in zip(frame.planes, shapes, strict=False)
    )
    return replace(frame, planes=planes, owner=None)


def rotate_frame(frame: Frame, degrees: int) -> Frame:
    """Turn a frame clockwise.

    Args:
        frame: The frame; 4:2:2 cannot be turned by 90 or 270 degrees, since its chroma would be halved vertically.
        degrees: 0, 90, 180 or 270.

    Returns:
        A new frame with the same index and time, or the same one for 0.

    Raises:
        UsageError: The angle or the chroma format does not allow it.
    """
    if degrees not in (0, 90, 180, 270):
        raise UsageError(f"Frames turn by 0, 90, 180 or 270 degrees, not {degrees}.")
    if degrees == 0:
        return frame
    if degrees != 180 and _is_422(frame):
        raise UsageError("4:2:2 video cannot be turned by 90 degrees.", "Convert it to 4:2:0 or 4:4:4 first.")
    return replace(frame, planes=tuple(_turn(plane, degrees) for plane in frame.planes), owner=None)


def _turn(plane: Plane, degrees: int) -> Plane:
    # Copied, since the samples of a row must touch.
    turned: Plane = np.ascontiguousarray(np.rot90(cast(Any, plane), -degrees // 90))
    turned.flags.writeable = False
    return turned


def _is_422(frame: Frame) -> bool:
    return (
        len(frame.planes) > 1
        and frame.planes[1].shape[0] == frame.luma.shape[0] != 1
        and (frame.planes[1].shape[1] != frame.luma.shape[1])
    )


def scale_plane(plane: Plane, shape: tuple[int, int], bits: int, method: Method) -> Plane:
    """Scale one plane, as `scale_frame` does.

    Args:
        plane: (H, W) samples.
        shape: New height and width.
        bits: Bits of a sample.
        method: One of METHODS.

    Returns:
        A new plane, or the same one if the size is right already.
    """
    if plane.shape == shape:
        return plane
    from tinyvmaf.video import pictures  # loads the media library, which frames of the right size do not need

    return pictures.scale_plane(plane, shape, bits, method)
