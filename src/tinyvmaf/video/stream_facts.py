"""What a container's stream and its first picture say, put into our words."""

from __future__ import annotations

import re
from fractions import Fraction
from typing import TYPE_CHECKING, Any, cast

from tinyvmaf.errors import UnreadableVideoError
from tinyvmaf.video.formats import MATRICES, PRIMARIES, TRANSFERS, is_float, is_full_range_format, pixel_format, planar
from tinyvmaf.video.frame import Chroma, Range, StreamFacts

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.format import VideoFormat
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

_ATTACHED = 1 << 10
"""FFmpeg's AV_DISPOSITION_ATTACHED_PIC: cover art, not video."""
_DEPTHS = (8, 9, 10, 12, 14, 16)
_STATED_DURATION = ("mov", "matroska", "avi", "flv", "asf")
"""Demuxers whose duration comes from the header; others estimate it from the file as it is."""
_DURATION_TAG = re.compile(r"(\d{1,4}):(\d\d):(\d\d(?:\.\d{1,9})?)")
"""Matroska states the duration of one stream in a tag."""


def is_still(container: InputContainer) -> bool:
    """Whether the file is an image.

    Args:
        container: The open file.
    """
    return container.format.name.endswith("_pipe") or container.format.name == "image2"


def video_streams(container: InputContainer) -> list[VideoStream]:
    """The video streams of a file but for cover art, in its order.

    Args:
        container: The open file.
    """
    return [one for one in container.streams.video if not int(one.disposition) & _ATTACHED]


def is_rgb(layout: VideoFormat) -> bool:
    """Whether samples are colours of another kind than YUV.

    Args:
        layout: A pixel format.
    """
    return layout.is_rgb or layout.has_palette or layout.is_bayer or layout.name.startswith("xyz")


def target_format(picture: VideoFrame, name: str) -> str:
    """The planar format that holds the picture's samples without loss of bits.

    Args:
        picture: The first picture.
        name: The video, for the message.

    Returns:
        FFmpeg's name of a planar YUV or gray format of 8 to 16 bits.

    Raises:
        UnreadableVideoError: The samples are floating point.
    """
    layout = picture.format
    if planar(layout.name):
        return layout.name
    if is_float(layout.name):
        raise UnreadableVideoError(
            f"Samples must be integers of 8 to 16 bits, but {name} holds {layout.name}.", "Convert it to 16 bits first."
        )
    parts = [part for part in layout.components if not part.is_alpha]
    bits = next(depth for depth in _DEPTHS if depth >= min(16, 8 if layout.has_palette else parts[0].bits))
    if is_rgb(layout):
        return pixel_format("444", bits)
    if len(parts) == 1:
        return pixel_format("400", bits)
    ratio = layout.chroma_width(64), layout.chroma_height(64)
    chroma = {(32, 32): "420", (32, 64): "422"}.get(ratio, "444")
    return pixel_format(chroma, bits)


def stream_facts(
    container: InputContainer, stream: VideoStream, first: VideoFrame, target: str, name: str
) -> StreamFacts:
    """Facts of a stream; what the first picture states wins over the header.

    Args:
        container: The open file.
        stream: Its video stream.
        first: Its first picture.
        target: The planar format that frames will have.
        name: The path as the user gave it.
    """
    decoder = stream.codec_context
    converted = first.format.name if target != first.format.name else None
    rgb = converted is not None and is_rgb(first.format)
    chroma, bits = cast(tuple[Chroma, int], planar(target))
    interlaced, top_first = _interlacing(first, decoder.field_order)
    return StreamFacts(
        name,
        "container",
        first.width,
        first.height,
        chroma,
        bits,
        range="limited" if rgb else _range(first, decoder.color_range),
        matrix="bt709" if rgb else MATRICES.get(first.colorspace) or MATRICES.get(decoder.colorspace),
        primaries=PRIMARIES.get(first.color_primaries) or PRIMARIES.get(decoder.color_primaries),
        transfer=TRANSFERS.get(first.color_trc) or TRANSFERS.get(decoder.color_trc),
        frame_rate=_frame_rate(container, stream, first),
        frame_count=stream.frames or None,
        interlaced=interlaced,
        top_field_first=top_first,
        sample_aspect=_fraction(stream.sample_aspect_ratio),
        # The library turns counter-clockwise, players are told clockwise.
        rotation=round(-first.rotation / 90) * 90 % 360,
        format=container.format.name,
        codec=decoder.codec.canonical_name,
        converted_from=converted,
        video_streams=len(video_streams(container)),
    )


def _fraction(value: Any) -> Fraction | None:
    """The library's ratio, which is a type of its own from version 19 on; None where it is unset or zero."""
    return Fraction(value.numerator, value.denominator) if value else None


def _range(first: VideoFrame, stated: int) -> Range | None:
    if is_full_range_format(first.format.name):
        return "full"
    ranges: dict[int, Range] = {1: "limited", 2: "full"}
    return ranges.get(first.color_range) or ranges.get(stated)


def _interlacing(first: VideoFrame, order: int) -> tuple[bool | None, bool | None]:
    """FFmpeg's field orders: 0 unknown, 1 progressive, 2 and 5 top field shown first, 3 and 4 bottom."""
    if order >= 2:
        return True, order in (2, 5)
    if first.interlaced_frame:
        return True, None
    return (False if order == 1 else None), None


def _frame_rate(container: InputContainer, stream: VideoStream, first: VideoFrame) -> Fraction | None:
    """Frames per second; None for a still image, whose rate the demuxer invents."""
    if is_still(container):
        return None
    average, guessed = cast(Any, stream).average_rate, cast(Any, stream).guessed_rate
    # Without timestamps the average is the demuxer's own default, the guess what the codec states.
    rates = (average, guessed) if first.pts is not None else (guessed, average)
    return next((_fraction(rate) for rate in rates if rate), None)


def stated_duration(container: InputContainer, stream: VideoStream) -> Fraction | None:
    """Seconds of video that the header promises, None where it promises none for this stream.

    Args:
        container: The open file.
        stream: Its video stream.
    """
    if not container.format.name.startswith(_STATED_DURATION):
        return None
    if stream.duration and stream.time_base:
        return stream.duration * stream.time_base
    tag = _DURATION_TAG.fullmatch(stream.metadata.get("DURATION", ""))
    if tag:
        return int(tag[1]) * 3600 + int(tag[2]) * 60 + Fraction(tag[3])
    if container.duration and len(container.streams) == 1:
        return Fraction(container.duration, 1_000_000)
    return None
