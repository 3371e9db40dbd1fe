"""One door for every kind of video: pick the reader, yield frames."""

from __future__ import annotations

import io
import os
import stat
import sys
from collections.abc import Iterable, Iterator, Sized
from fractions import Fraction
from typing import Any, BinaryIO, TypeAlias

import numpy as np
import numpy.typing as npt

from tinyvmaf.errors import UnreadableVideoError, UsageError
from tinyvmaf.video.base import MAX_SIDE, Planes, Video, check_file, check_samples, plane_shapes
from tinyvmaf.video.frame import CHROMA_SHIFTS, Chroma, Frame, Plane, StreamFacts
from tinyvmaf.video.raw import RawFormat, RawVideo
from tinyvmaf.video.y4m import MAGIC, Y4mVideo

__all__ = ["Planes", "RawFormat", "Video", "open_arrays", "open_video", "packet_times"]

STDIN = "-"
_BY_FULLNESS: tuple[Chroma, ...] = ("444", "422", "420", "400")
"""The fullest first: a frame of one column looks the same in several of them."""
Item: TypeAlias = "npt.NDArray[Any] | tuple[npt.NDArray[Any], ...]"


def open_video(
    source: str | os.PathLike[str], *, raw: RawFormat | None = None, threads: int = 1, planes: Planes = "all"
) -> Video:
    """Open a video for one pass over its frames.

    Y4M is recognised by its first bytes, everything else goes to the media library. Only local files are read.

    Args:
        source: A path, or "-" for Y4M on standard input.
        raw: The layout of a headerless file; None for files that say what they are.
        threads: Decoder threads, 1 or more.
        planes: "luma" leaves the chroma planes out of every frame; the facts keep naming the format of the file.

    Returns:
        The open video; close it, or use it in a `with` statement.

    Raises:
        UsageError: The arguments contradict each other.
        UnreadableVideoError: The source is missing, empty, or not a video.
        TruncatedVideoError: The file ends inside a frame.
    """
    name = os.fspath(source)
    if threads < 1:
        raise UsageError(f"The number of decoder threads must be 1 or more, not {threads}.")
    if planes not in ("luma", "all"):
        raise UsageError(f"The planes to read must be 'luma' or 'all', not {planes!r}.")
    if raw is not None:
        if name == STDIN:
            raise UsageError("Raw video must be a regular file, not standard input.", "Pipe Y4M instead.")
        return RawVideo(name, raw, planes)
    if name == STDIN:
        return Y4mVideo(_unclosed(sys.stdin.buffer), "<stdin>", planes)
    return _open_y4m(name, planes) or _open_container(name, threads, planes)


def packet_times(path: str | os.PathLike[str]) -> list[Fraction | None]:
    """Presentation times of a container's video packets in seconds; see `tinyvmaf.video.container.packet_times`.

    Args:
        path: A regular file of kind "container".

    Returns:
        One time for each frame shown, sorted; all None where a packet states none.
    """
    from tinyvmaf.video import container

    return container.packet_times(path)


def open_arrays(
    frames: Iterable[Item], *, bits: int = 8, chroma: Chroma | None = None, frame_rate: Fraction | None = None
) -> Video:
    """Read frames that the caller already holds.

    The arrays are used as they are: they must not change until the frame has been scored.

    Args:
        frames: One item a frame: a luma array (H, W), or a tuple of planes, luma first; uint8 for 8 bits, uint16 for
            more, in native or little-endian byte order.
        bits: Significant bits per sample, 8 to 16.
        chroma: "400", "420", "422" or "444"; None takes it from the shapes of the first frame.
        frame_rate: Frames per second, None where there is no clock.

    Returns:
        A video of kind "arrays".

    Raises:
        UsageError: No frames, or the first one has the wrong type, shape or depth.
    """
    if not 8 <= bits <= 16:
        raise UsageError(f"The bit depth must be 8 to 16, not {bits}.")
    return _ArrayVideo(frames, bits, chroma, frame_rate)


class _ArrayVideo(Video):
    """Frames from an iterable of arrays."""

    def __init__(self, frames: Iterable[Item], bits: int, chroma: Chroma | None, frame_rate: Fraction | None) -> None:
        self._items: Iterator[Item] = iter(frames)
        first = next(self._items, None)
        if first is None:
            raise UsageError("A video needs at least one frame, but no array was given.")
        self._first: Item | None = first
        planes = _as_planes(first, bits, 0)
        height, width = planes[0].shape
        if max(width, height) > MAX_SIDE:
            raise UsageError(f"Width and height must be 1 to {MAX_SIDE}, not {width}x{height}.")
        found = _chroma_of(planes)
        if chroma is not None and chroma != found:
            raise UsageError(f"The planes of frame 0 are shaped as {found}, not as {chroma}.")
        self._shapes = [plane.shape for plane in planes]
        count = len(frames) if isinstance(frames, Sized) else None
        super().__init__(
            StreamFacts(
                "<arrays>",
                "arrays",
                width,
                height,
                found,
                bits,
                frame_rate=frame_rate,
                frame_count=count,
                format="arrays",
            )
        )

    def _frames(self, start: int) -> Iterator[Frame]:
        index, item = 0, self._first
        self._first = None
        while item is not None:
            if index >= start:
                yield self._frame(item, index)
            index += 1
            item = next(self._items, None)

    def _frame(self, item: Item, index: int) -> Frame:
        bits, rate = self.facts.bits, self.facts.frame_rate
        planes = _as_planes(item, bits, index)
        shapes = [plane.shape for plane in planes]
        if shapes != self._shapes:
            raise UsageError(f"All frames must have the same shape {self._shapes}, but frame {index} has {shapes}.")
        check_samples(planes, bits, self.facts.name, index)
        return Frame(planes, bits, index, index / rate if rate else None, owner=item)

    def close(self) -> None:
        """Drop the arrays; safe to call twice."""
        self._first = None
        self._items = iter(())


def _as_planes(item: Item, bits: int, index: int) -> tuple[Plane, ...]:
    """Read-only views of one item, after checking type and shape."""
    planes = item if isinstance(item, tuple) else (item,)
    wanted = np.dtype(np.uint8 if bits == 8 else np.uint16)
    for plane in planes:
        if not isinstance(plane, np.ndarray) or plane.ndim != 2 or plane.size == 0:
            raise UsageError(f"Every plane must be a 2-D array with samples, but one of frame {index} is not.")
        if plane.dtype != wanted:
            raise UsageError(f"Planes of {bits}-bit video must be {wanted}, but frame {index} holds {plane.dtype}.")
    return tuple(_read_only(plane) for plane in planes)


def _read_only(plane: npt.NDArray[Any]) -> Plane:
    """The same memory, or a copy where the samples of a row do not touch or rows overlap or run backwards."""
    row = plane.shape[1] * plane.itemsize
    tight = plane if plane.strides[1] == plane.itemsize and plane.strides[0] >= row else np.array(plane, order="C")
    view = tight.view()
    view.flags.writeable = False
    return view


def _chroma_of(planes: tuple[Plane, ...]) -> Chroma:
    shapes = [plane.shape for plane in planes]
    height, width = shapes[0]
    for chroma in _BY_FULLNESS:
        if shapes == plane_shapes(width, height, chroma):
            return chroma
    raise UsageError(f"The planes must be shaped as 400, {', '.join(CHROMA_SHIFTS)}, but frame 0 has {shapes}.")


def _open_y4m(name: str, planes: Planes) -> Video | None:
    """A Y4M reader if the file or pipe starts with its magic; a pipe that does not is refused."""
    status = check_file(name)
    try:
        stream = io.open(name, "rb")  # noqa: SIM115, UP020 - the video owns it from here on
    except OSError as error:
        raise UnreadableVideoError(f"The video {name!r} cannot be opened: {error.strerror}.") from error
    if stream.peek(len(MAGIC))[: len(MAGIC)] == MAGIC:
        return _closing(stream, name, planes)
    stream.close()
    if not stat.S_ISREG(status.st_mode):
        raise UnreadableVideoError(
            f"A pipe must carry Y4M, but {name!r} starts with something else.", "Convert it: ffmpeg -f yuv4mpegpipe."
        )
    return None


def _closing(stream: BinaryIO, name: str, planes: Planes) -> Video:
    try:
        return Y4mVideo(stream, name, planes)
    except BaseException:
        stream.close()
        raise


def _open_container(name: str, threads: int, planes: Planes) -> Video:
    from tinyvmaf.video.container import ContainerVideo  # loads the media library, which raw and Y4M do not need

    return ContainerVideo(name, threads, planes)


def _unclosed(stream: BinaryIO) -> BinaryIO:
    """A second stream on the same descriptor, so that closing the video leaves standard input open."""
    try:
        return open(stream.fileno(), "rb", closefd=False)
    except (OSError, ValueError):
        return stream
