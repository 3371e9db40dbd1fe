"""Everything that the media library decodes."""

from __future__ import annotations

import logging
import os
import stat
from collections.abc import Generator, Iterator
from contextlib import ExitStack, nullcontext
from fractions import Fraction
from typing import Any, BinaryIO, cast

import av
import av.error
import av.logging
from av.codec.context import ThreadType
from av.container import InputContainer
from av.packet import Packet
from av.video.stream import VideoStream as Stream

from tinyvmaf.errors import TruncatedVideoError, UnreadableVideoError
from tinyvmaf.video.base import MAX_SIDE, Planes, Video, check_file, check_samples
from tinyvmaf.video.extent import HEAD, stated_bytes
from tinyvmaf.video.frame import Frame
from tinyvmaf.video.pictures import Converter, Picture, plane_views
from tinyvmaf.video.stream_facts import is_still, stated_duration, stream_facts, target_format, video_streams

MAX_THREADS = 4
"""Each decoder thread holds a frame of its own: more would cost memory that the score does not need."""
BUFFER_BYTES = 1 << 18
_ONE_PICTURE_A_PACKET = ("av1", "vp9", "ffv1", "prores", "mjpeg")
"""Codecs whose every packet shows exactly one picture: fewer pictures mean that the decoder dropped some."""
_ONLY_LOGS_DAMAGE = "ffv1"
"""Codec whose decoder paints over a slice with a wrong checksum and only writes that to the log."""
_TAG_OPTIONS: dict[str, Any] = {"metadata_errors": "replace"} if int(av.__version__.split(".")[0]) < 19 else {}
"""Tags that are not UTF-8 must not refuse a video; from version 19 on the library replaces them itself."""
_CUT_HINT = "The file is truncated; copy or write it again."
_DECODER_OPTIONS = {
    # Without "explode" some decoders paint over the damage and say nothing.
    "err_detect": "crccheck+explode",
    "max_pixels": str(MAX_SIDE * MAX_SIDE),
}


class ContainerVideo(Video):
    """The first video stream of a local file.

    The file is opened here and handed to the demuxer as bytes, so that neither its name nor its contents (playlists)
    can make the media library open anything else. The first frame is decoded at once: it states more than the header.

    Args:
        path: A regular file.
        threads: Decoder threads, of which at most 4 are used.
        planes: "luma" yields only the luma plane.

    Raises:
        UnreadableVideoError: Not a video, no video stream, or its first frame cannot be decoded.
        TruncatedVideoError: The file is shorter than its header or its index says.
    """

    def __init__(self, path: str | os.PathLike[str], threads: int = 1, planes: Planes = "all") -> None:
        self._name = os.fspath(path)
        self._luma_only = planes == "luma"
        self._decoded = 0
        with ExitStack() as files:
            self._container, self._stream = _open_stream(self._name, files)
            # Lets decoder threads finish while the interpreter is free: they may want to log, and freeing the decoder
            # waits for them with the interpreter locked.
            files.callback(self._stream.codec_context.flush_buffers)
            self._codec = self._stream.codec_context.codec.canonical_name
            _prepare_decoder(self._stream, threads)
            _check_index(self._stream, self._name)
            self._pictures = self._decode()
            self._first = next(self._pictures, None)
            if self._first is None:
                raise UnreadableVideoError(f"{self._name} holds a video stream without a single frame.")
            self._source = (self._first.width, self._first.height, self._first.format.name)
            self._target = target_format(self._first, self._name)
            self._converter = Converter()
            super().__init__(stream_facts(self._container, self._stream, self._first, self._target, self._name))
            self._files = files.pop_all()

    def _frames(self, start: int) -> Iterator[Frame]:
        first, self._first = self._first, None
        index, end = 0, Fraction(0)
        picture = first
        while picture is not None:
            self._check_unchanged(picture, index)
            time = self._time(picture, index)
            end = max(end, time or end)
            if index >= start:
                yield self._frame(picture, index, time)
            index += 1
            picture = next(self._pictures, None)
        self._check_end(end)

    def _decode(self) -> Generator[Picture, None, None]:
        """Decode in presentation order; damage that the library notices raises."""
        packets = 0
        try:
            for packet in _packets(self._container, self._stream):
                if packet.is_corrupt:
                    raise self._damaged("the file is incomplete there")
                packets += bool(packet.size) and not packet.is_discard
                for picture in self._decode_packet(packet):
                    self._decoded += 1
                    yield picture
        except av.error.FFmpegError as error:
            raise self._damaged(error.strerror or type(error).__name__) from error
        if self._codec in _ONE_PICTURE_A_PACKET and self._decoded < packets:
            raise self._damaged(f"the other {packets - self._decoded} could not be decoded")

    def _decode_packet(self, packet: Packet[Stream]) -> list[Picture]:
        with av.logging.Capture() if self._codec == _ONLY_LOGS_DAMAGE else nullcontext([]) as complaints:
            pictures = packet.decode()
        if complaints:
            raise self._damaged(complaints[0][2].strip())
        if any(picture.is_corrupt for picture in pictures):
            raise self._damaged("the decoder had to conceal errors")
        return pictures

    def _damaged(self, reason: str) -> UnreadableVideoError:
        return UnreadableVideoError(
            f"{self._name} cannot be decoded after {self._decoded} frame{'s' * (self._decoded != 1)}: {reason}.",
            "The file is damaged or truncated; write it again.",
        )

    def _check_unchanged(self, picture: Picture, index: int) -> None:
        now = (picture.width, picture.height, picture.format.name)
        if now != self._source:
            raise UnreadableVideoError(
                "Size and pixel format must not change inside a video, but frame {} of {} is {}x{} {} after {}x{} {}."
                "".format(index, self._name, *now, *self._source),
                "Split the file at the change.",
            )

    def _time(self, picture: Picture, index: int) -> Fraction | None:
        if is_still(self._container):
            return None
        if picture.pts is not None and picture.time_base:
            return picture.pts * picture.time_base
        return index / self.facts.frame_rate if self.facts.frame_rate else None

    def _frame(self, picture: Picture, index: int, time: Fraction | None) -> Frame:
        if picture.format.name != self._target:
            planes = self._converter.planes(picture, self._target, self._name)
        else:
            planes = plane_views(picture, self.facts.chroma, self.facts.bits)
        if self._luma_only:
            planes = planes[:1]
        check_samples(planes, self.facts.bits, self._name, index)
        return Frame(planes, self.facts.bits, index, time, owner=picture)

    def _check_end(self, end: Fraction) -> None:
        """Refuse a video that stops clearly before the duration in its header."""
        stated = stated_duration(self._container, self._stream)
        if stated is None or self.facts.frame_rate is None:
            return
        missing = stated - (end + 1 / self.facts.frame_rate)
        if missing > 1 and missing > stated / 20:
            raise TruncatedVideoError(
                f"{self._name} states {float(stated):.2f} s of video, but its last frame comes at {float(end):.2f} s.",
                "The file is truncated; write it again.",
            )

    def close(self) -> None:
        """Close the file; safe to call twice. Frames stay valid."""
        self._first = None
        self._pictures.close()
        self._files.close()


def packet_times(path: str | os.PathLike[str]) -> list[Fraction | None]:
    """Presentation times of the video packets, without decoding.

    Args:
        path: A regular file that a container video can be opened from.

    Returns:
        Seconds, sorted, one for each packet that is shown; all None where a packet states no time.

    Raises:
        UnreadableVideoError: Not a video, or it cannot be read to its end.
    """
    name = os.fspath(path)
    times: list[Fraction | None] = []
    with ExitStack() as files:
        container, stream = _open_stream(name, files)
        try:
            for packet in _packets(container, stream):
                if packet.size and not packet.is_discard:
                    times.append(None if packet.pts is None else packet.pts * packet.time_base)
        except av.error.FFmpegError as error:
            raise UnreadableVideoError(f"{name} cannot be read to its end: {error.strerror}.") from error
    known = [time for time in times if time is not None]
    return [*sorted(known)] if len(known) == len(times) else [None] * len(times)


def _open_stream(name: str, files: ExitStack) -> tuple[InputContainer, Stream]:
    """Open the file as bytes and choose its video stream; `files` closes both."""
    if not stat.S_ISREG(check_file(name).st_mode):
        hint = "Only Y4M is read from pipes."
        raise UnreadableVideoError(f"A video must be a regular file, but {name!r} is not.", hint)
    try:
        handle = files.enter_context(open(name, "rb"))  # noqa: SIM115 - entered in the same breath
        _check_extent(handle, name)
        options = {"protocol_whitelist": "none", "max_pixels": _DECODER_OPTIONS["max_pixels"]}
        container = files.enter_context(av.open(handle, "r", options=options, buffer_size=BUFFER_BYTES, **_TAG_OPTIONS))
    except (av.error.FFmpegError, ValueError, OSError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise UnreadableVideoError(
            f"{name} is not a video that can be read: {reason}.",
            "Raw YUV needs its size, pixel format and bit depth; a truncated file must be written again.",
        ) from error
    return container, _choose_stream(container, name)


def _check_extent(handle: BinaryIO, name: str) -> None:
    """Refuse a file that is shorter than its own header says; leave it at its start."""
    stated, size = stated_bytes(handle.read(HEAD)), os.fstat(handle.fileno()).st_size
    handle.seek(0)
    if stated is not None and stated > size:
        raise TruncatedVideoError(f"The header of {name} states {stated} bytes, but the file has {size}.", _CUT_HINT)


def _choose_stream(container: InputContainer, name: str) -> Stream:
    chosen = next(iter(video_streams(container)), None)
    if chosen is None:
        kinds = ", ".join(sorted({one.type for one in container.streams})) or "nothing"
        raise UnreadableVideoError(f"{name} must hold a video stream, but holds {kinds} only.", "Name another file.")
    if cast(Any, chosen).codec_context is None:
        raise UnreadableVideoError(f"There is no decoder for the video stream of {name}.", "Convert it first.")
    return chosen


def _packets(container: InputContainer, stream: Stream) -> Iterator[Packet[Stream]]:
    """The packets of one stream, then an empty one that flushes the decoder."""
    packets = container.demux(stream)
    while True:
        try:
            packet = next(packets, None)
        except IndexError:
            # After our flush packet the library also looks for streams that appeared midway and that it never listed.
            return
        if packet is None:
            return
        yield packet


def _prepare_decoder(stream: Stream, threads: int) -> None:
    decoder = stream.codec_context
    if decoder.codec.canonical_name == _ONLY_LOGS_DAMAGE:
        # Messages reach a capture only from its own thread, and Python's last-resort handler must not print them.
        threads = 1
        logging.getLogger("libav").addHandler(logging.NullHandler())
        av.logging.set_level(av.logging.ERROR)
    decoder.thread_type = ThreadType.AUTO if threads > 1 else ThreadType.NONE
    decoder.thread_count = max(1, min(threads, MAX_THREADS))
    decoder.options = dict(_DECODER_OPTIONS)


def _check_index(stream: Stream, name: str) -> None:
    """Refuse a file that ends before the last frame in its index, which MP4 states up front."""
    entries = cast(Any, stream).index_entries
    if not len(entries) or not stream.container.format.name.startswith("mov"):
        return
    last = entries[len(entries) - 1]
    size = os.stat(name).st_size
    if last.pos + last.size > size:
        raise TruncatedVideoError(
            f"The index of {name} needs {last.pos + last.size} bytes, but the file has {size}.", _CUT_HINT
        )
