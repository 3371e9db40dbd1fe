"""Frames into files: encoded by the media library, or as Y4M."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from fractions import Fraction
from types import TracebackType
from typing import BinaryIO, Self, cast

import av
import av.error
import numpy as np
from av.video.frame import PictureType
from av.video.stream import VideoStream

from tinyvmaf.errors import DataError, UsageError
from tinyvmaf.video.base import plane_shapes
from tinyvmaf.video.formats import MATRICES, PRIMARIES, TRANSFERS, number_of, pixel_format
from tinyvmaf.video.frame import Chroma, Frame, Plane, StreamFacts
from tinyvmaf.video.pictures import picture_of

CODECS = ("libx264", "libx265", "libsvtav1", "libvpx-vp9", "ffv1")
_TICKS = 90_000
"""Time base of the stream in ticks a second: exact for the usual rates, fine enough for any other."""
_SILENT = {"libx265": {"x265-params": "log-level=none"}}


class VideoWriter:
    """Encodes frames into a container.

    Use it in a `with` statement: the file is complete only after `close`. It is written in place, so write to a
    temporary path where a half-written file would matter.

    Args:
        path: The file; its extension chooses the container.
        width: Luma width in samples.
        height: Luma height in samples.
        chroma: "400", "420", "422" or "444".
        bits: Bits per sample that the codec accepts.
        frame_rate: Frames per second; times of frames without one follow from it.
        codec: "libx264", "libx265", "libsvtav1", "libvpx-vp9" or "ffv1".
        options: The encoder's options, as strings.
        colour: Facts whose range, matrix, primaries, transfer and sample aspect the stream shall state.

    Raises:
        UsageError: The codec is not one of ours, or refuses the format or the options.
        DataError: The file cannot be written.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        width: int,
        height: int,
        chroma: Chroma = "420",
        bits: int = 8,
        frame_rate: Fraction = Fraction(25),
        codec: str = "libx264",
        options: Mapping[str, str] | None = None,
        colour: StreamFacts | None = None,
    ) -> None:
        if codec not in CODECS:
            raise UsageError(f"The codec must be one of {', '.join(CODECS)}, not {codec!r}.")
        self._name, self._codec = os.fspath(path), codec
        self._shapes = plane_shapes(width, height, chroma)
        self._chroma, self._bits, self._rate = chroma, bits, frame_rate
        self._colour = colour
        self._frames = 0
        self._failed = False
        # SVT-AV1 reports itself on standard error unless the environment asks for errors only.
        os.environ.setdefault("SVT_LOG", "1")
        try:
            self._container = av.open("file:" + os.path.abspath(self._name), "w")
            self._stream = cast(VideoStream, self._container.add_stream(codec, rate=frame_rate))
            self._describe(width, height, {**_SILENT.get(codec, {}), **(options or {})})
        except (av.error.FFmpegError, ValueError, OSError) as error:
            raise DataError(
                f"Writing {self._name} failed: {_reason(error)}.", "Check the path and its extension."
            ) from error

    def _describe(self, width: int, height: int, options: dict[str, str]) -> None:
        encoder = self._stream.codec_context
        encoder.width, encoder.height = width, height
        encoder.pix_fmt = pixel_format(self._chroma, self._bits)
        encoder.time_base = Fraction(1, _TICKS)
        encoder.options = options
        if self._colour is None:
            return
        encoder.color_range = {"limited": 1, "full": 2}.get(self._colour.range or "", 0)
        encoder.colorspace = number_of(MATRICES, self._colour.matrix)
        encoder.color_primaries = number_of(PRIMARIES, self._colour.primaries)
        encoder.color_trc = number_of(TRANSFERS, self._colour.transfer)
        if self._colour.sample_aspect:
            encoder.sample_aspect_ratio = self._colour.sample_aspect

    def write(self, planes: tuple[Plane, ...], time: Fraction | None = None) -> None:
        """Encode one frame.

        Args:
            planes: Luma, then both chroma planes unless chroma is "400": uint8 for 8 bits, else uint16.
            time: Presentation time in seconds, later than that of the frame before; None follows the frame rate.

        Raises:
            UsageError: The planes do not fit the stream, or the encoder refuses it.
        """
        shapes = [plane.shape for plane in planes]
        if shapes != self._shapes:
            raise UsageError(f"The planes of {self._name} must be shaped {self._shapes}, not {shapes}.")
        picture = picture_of(planes, self._chroma, self._bits)
        moment = self._frames / self._rate if time is None else time
        picture.pts, picture.time_base = round(moment * _TICKS), Fraction(1, _TICKS)
        # A type carried over from a decoder would force one kind of frame.
        picture.pict_type = PictureType.NONE
        if self._colour is not None:
            encoder = self._stream.codec_context
            picture.color_range, picture.colorspace = encoder.color_range, encoder.colorspace
            picture.color_primaries, picture.color_trc = encoder.color_primaries, encoder.color_trc
        self._frames += 1
        self._encode(picture)

    def _encode(self, picture: av.VideoFrame | None) -> None:
        try:
            self._container.mux(self._stream.encode(picture))
        except (av.error.FFmpegError, ValueError, OSError) as error:
            self._failed = True
            raise UsageError(
                f"The encoder {self._codec} refused {pixel_format(self._chroma, self._bits)} video for {self._name}:"
                f" {_reason(error)}.",
                "Check the bit depth, the chroma format, the options and the container.",
            ) from error

    def close(self) -> None:
        """Flush the encoder and finish the file; safe to call twice.

        Raises:
            UsageError: The encoder failed at the end.
        """
        try:
            if self._frames and not self._failed:
                self._encode(None)
        finally:
            self._frames = 0
            self._container.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._failed = self._failed or kind is not None
        self.close()


def write_y4m(stream: BinaryIO, frames: Iterable[Frame], facts: StreamFacts) -> int:
    """Write frames as YUV4MPEG2, which states size, rate, range, interlacing and sample aspect, but no matrix.

    Args:
        stream: A writable binary stream.
        frames: Frames with all planes of the facts' chroma format.
        facts: What the header shall state.

    Returns:
        The number of frames written.
    """
    stream.write(_y4m_header(facts))
    count = 0
    for frame in frames:
        stream.write(b"FRAME\n")
        for plane in frame.planes:
            # astype changes nothing on little-endian machines, where samples already lie as the format wants them.
            stream.write(np.ascontiguousarray(plane, plane.dtype.newbyteorder("<")).data)
        count += 1
    return count


def _y4m_header(facts: StreamFacts) -> bytes:
    rate, aspect = facts.frame_rate or Fraction(0), facts.sample_aspect or Fraction(0)
    order = {None: "?", False: "p", True: {True: "t", False: "b", None: "m"}[facts.top_field_first]}
    words = [
        "YUV4MPEG2",
        f"W{facts.width}",
        f"H{facts.height}",
        f"F{rate.numerator}:{rate.denominator if rate else 0}",
        f"I{order[facts.interlaced]}",
        f"A{aspect.numerator}:{aspect.denominator if aspect else 0}",
        f"C{_y4m_chroma(facts.chroma, facts.bits)}",
    ]
    if facts.range:
        words.append("XCOLORRANGE=" + facts.range.upper())
    return (" ".join(words) + "\n").encode("ascii")


def _y4m_chroma(chroma: str, bits: int) -> str:
    if chroma == "400":
        return "mono" if bits == 8 else f"mono{bits}"
    return chroma if bits == 8 else f"{chroma}p{bits}"


def _reason(error: BaseException) -> str:
    return getattr(error, "strerror", None) or str(error)
