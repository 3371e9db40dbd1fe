"""The bridge between the media library's pictures and planes."""

from __future__ import annotations

from typing import Any, cast

import av.error
import numpy as np
import numpy.typing as npt
from av.video.frame import VideoFrame as Picture
from av.video.reformatter import Interpolation as Flags
from av.video.reformatter import VideoReformatter

from tinyvmaf.errors import UnreadableVideoError
from tinyvmaf.video.base import plane_shapes
from tinyvmaf.video.colour import rgb_to_bt709
from tinyvmaf.video.formats import pixel_format, planar
from tinyvmaf.video.frame import Colour, Frame, Plane
from tinyvmaf.video.stream_facts import is_rgb

__all__ = ["EXACT", "Converter", "Picture", "RgbScaler", "picture_of", "plane_view", "plane_views", "scale_plane"]

EXACT = Flags.ACCURATE_RND | Flags.BITEXACT
"""Scaler flags that give the same digits on every processor."""
_MATRICES = {"bt709": 1, "fcc": 4, "smpte170m": 5, "bt470bg": 5, "smpte240m": 7, "bt2020nc": 9}
"""FFmpeg's name of a matrix -> its scaler's number."""


class Converter:
    """Turns pictures of any integer format into planar YUV or gray without loss of bits."""

    def __init__(self) -> None:
        self._reformatter = VideoReformatter()

    def planes(self, picture: Picture, target: str, name: str) -> tuple[Plane, ...]:
        """Planes of a picture in another layout.

        YUV keeps its samples; only rare chroma formats (4:1:1, 4:1:0, 4:4:0) are interpolated to 4:4:4. RGB becomes
        BT.709 limited range.

        Args:
            picture: The picture.
            target: The planar format that `stream_facts.target_format` chose for it.
            name: The video, for the message.

        Returns:
            Read-only planes, uint8 for 8 bits, else uint16.

        Raises:
            UnreadableVideoError: The library cannot convert the format.
        """
        chroma, bits = cast(tuple[Any, int], planar(target))
        try:
            if is_rgb(picture.format):
                return self._from_rgb(picture, bits)
            return plane_views(self._reformat(picture, target), chroma, bits)
        except (av.error.FFmpegError, ValueError) as error:
            raise UnreadableVideoError(
                f"The pixel format {picture.format.name} of {name} cannot be converted to {target}."
            ) from error

    def _from_rgb(self, picture: Picture, bits: int) -> tuple[Plane, ...]:
        """Only the layout changes here: the library's own matrix is off by some code values above 8 bits."""
        if picture.format.has_palette or picture.format.is_bayer:
            picture = self._reformat(picture, "rgb24" if bits == 8 else "rgb48le")
        separate = self._reformat(picture, "gbrp" if bits == 8 else f"gbrp{bits}le")
        green, blue, red = (plane_view(separate, number, bits) for number in range(3))
        return rgb_to_bt709(red, green, blue, bits)

    def _reformat(self, picture: Picture, layout: str) -> Picture:
        flags = Flags.BICUBIC | EXACT | Flags.FULL_CHR_H_INT | Flags.FULL_CHR_H_INP
        return self._reformatter.reformat(picture, format=layout, interpolation=flags, threads=1)


class RgbScaler:
    """Turns frames into small RGB pictures, as `ffmpeg -pix_fmt rgb24 -s WIDTHxHEIGHT` does: bicubic, in one step.

    What the video does not state is taken as FFmpeg takes it: BT.601, limited range. One thread at a time may use it.

    Args:
        width: Of the pictures.
        height: Likewise.
        colour: How code values become colours; the library keeps to the first it has seen, so each needs a scaler.
    """

    def __init__(self, width: int, height: int, colour: Colour) -> None:
        self._settings: dict[str, Any] = {
            "width": width,
            "height": height,
            "format": "rgb24",
            "interpolation": Flags.BICUBIC | EXACT,
            "src_colorspace": _MATRICES.get(colour.matrix or "", 5),
            "src_color_range": 2 if colour.range == "full" else 1,
            "threads": 1,
        }
        self._reformatter = VideoReformatter()

    def __call__(self, frame: Frame) -> npt.NDArray[np.uint8]:
        """Scale a frame.

        Args:
            frame: The frame; 8, 9, 10, 12, 14 or 16 bits, with chroma or without.

        Returns:
            (height, width, 3) uint8, red first, black 0 and white 255.
        """
        small = self._reformatter.reformat(_decoded(frame), **self._settings)
        return cast("npt.NDArray[np.uint8]", small.to_ndarray())


def _decoded(frame: Frame) -> Picture:
    """The picture that a frame's planes are views of, where they are, else a copy."""
    owner, height, width = frame.owner, *frame.luma.shape
    if isinstance(owner, Picture) and (chroma_and_bits := planar(owner.format.name)) is not None:
        views = plane_views(owner, *chroma_and_bits)
        if len(views) == len(frame.planes) and all(map(_same_memory, views, frame.planes)):
            return owner
    return picture_of(frame.planes, _chroma_of(frame, height, width), frame.bits)


def _same_memory(one: Plane, other: Plane) -> bool:
    facts, others = one.__array_interface__, other.__array_interface__
    return all(facts[key] == others[key] for key in ("data", "shape", "strides", "typestr"))


def _chroma_of(frame: Frame, height: int, width: int) -> str:
    shapes = [plane.shape for plane in frame.planes]
    return next(c for c in ("400", "420", "422", "444") if plane_shapes(width, height, c) == shapes)


def plane_views(picture: Picture, chroma: str, bits: int) -> tuple[Plane, ...]:
    """All planes of a planar picture, an alpha plane left out; see `plane_view`.

    Args:
        picture: A planar picture.
        chroma: "400", "420", "422" or "444".
        bits: Bits per sample of its format.
    """
    return tuple(plane_view(picture, number, bits) for number in range(1 if chroma == "400" else 3))


def plane_view(picture: Picture, number: int, bits: int) -> Plane:
    """A plane of a picture as a read-only array on the same memory, which keeps the picture alive.

    Args:
        picture: A planar picture.
        number: Which plane, from 0.
        bits: Bits per sample of its format.

    Returns:
        (H, W) uint8 for 8 bits, else uint16; rows may be padded.
    """
    view = _writable_view(picture, number, bits)
    if view.strides[0] < 0:
        view = view.copy()
    view.flags.writeable = False
    return view


def picture_of(planes: tuple[Plane, ...], chroma: str, bits: int) -> Picture:
    """A new picture with a copy of the planes.

    Args:
        planes: Luma, then both chroma planes unless chroma is "400".
        chroma: "400", "420", "422" or "444".
        bits: Bits per sample.

    Returns:
        A picture in the planar format of that name.
    """
    rows, columns = planes[0].shape
    picture = Picture(columns, rows, pixel_format(chroma, bits))
    for number, plane in enumerate(planes):
        _writable_view(picture, number, bits)[:] = plane
    return picture


def _writable_view(picture: Picture, number: int, bits: int) -> npt.NDArray[Any]:
    plane = picture.planes[number]
    samples = np.frombuffer(memoryview(cast(Any, plane)), np.uint8 if bits == 8 else np.dtype("<u2"))
    rows = samples.reshape(plane.height, -1)
    # A negative line size means that the memory holds the picture upside down.
    upright = rows[::-1] if plane.line_size < 0 else rows
    return upright[:, : plane.width]


def scale_plane(plane: Plane, shape: tuple[int, int], bits: int, method: str) -> Plane:
    """One plane in another size, with the library's scaler and exact rounding.

    Args:
        plane: (H, W) uint8 for 8 bits, else uint16.
        shape: New (rows, columns).
        bits: Bits per sample: 8, 9, 10, 12, 14 or 16.
        method: "bicubic", "bilinear", "lanczos", "area" or "spline".

    Returns:
        A new read-only plane.
    """
    picture = picture_of((plane,), "400", bits)
    flags = Flags[method.upper()] | EXACT
    return plane_view(picture.reformat(width=shape[1], height=shape[0], interpolation=flags, threads=1), 0, bits)
