"""What every reader is: facts first, then its frames, once and in order."""

from __future__ import annotations

import abc
import os
import stat
from collections.abc import Iterator
from types import TracebackType
from typing import Literal, Self, TypeAlias

from tinyvmaf.errors import UnreadableVideoError, UsageError
from tinyvmaf.video.frame import Frame, Plane, StreamFacts, chroma_size

Planes: TypeAlias = Literal["luma", "all"]

MAX_SIDE = 16384
"""Largest width or height read: a header cannot make us allocate more than a few such planes."""


class Video(abc.ABC):
    """A video opened for one pass over its frames.

    Open it, read `facts`, optionally `skip`, iterate, close. One thread at a time may use it. A frame's memory stays
    valid for as long as the frame or one of its planes is referenced, also after `close`.

    Attributes:
        facts: What the stream states of itself.
    """

    def __init__(self, facts: StreamFacts) -> None:
        self.facts = facts
        self._start = 0
        self._read = False

    def skip(self, frames: int) -> None:
        """Leave out the first frames; the indices and times of the others stay what they were.

        Args:
            frames: How many, 0 or more; a number beyond the end leaves nothing.

        Raises:
            UsageError: The number is negative, or frames were already read.
        """
        if frames < 0:
            raise UsageError(f"The number of frames to skip must be 0 or more, not {frames}.")
        if self._read:
            raise UsageError(f"Frames of {self.facts.name} can only be skipped before the first one is read.")
        self._start += frames

    def __iter__(self) -> Iterator[Frame]:
        """Yield the frames in presentation order.

        Raises:
            UsageError: The video was already read.
            UnreadableVideoError: A frame is corrupt or differs in size or format from the first.
            TruncatedVideoError: The video ends inside a frame.
        """
        if self._read:
            raise UsageError(f"{self.facts.name} can be read only once.", "Open it again.")
        self._read = True
        return self._frames(self._start)

    @abc.abstractmethod
    def _frames(self, start: int) -> Iterator[Frame]:
        """Yield the frames from number `start` on."""

    @abc.abstractmethod
    def close(self) -> None:
        """Release the file; safe to call twice."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def check_side(side: str, value: int) -> int:
    """Refuse a width or height of raw video that is not read.

    Args:
        side: "width" or "height", for the message.
        value: Luma samples.

    Returns:
        The same value.

    Raises:
        UsageError: It is not 1 to 16384.
    """
    if not 1 <= value <= MAX_SIDE:
        raise UsageError(f"The {side} of raw video must be 1 to {MAX_SIDE}, not {value}.")
    return value


def plane_shapes(width: int, height: int, chroma: str, planes: Planes = "all") -> list[tuple[int, int]]:
    """Shapes of the planes of a frame, as NumPy spells them.

    Args:
        width: Luma width in samples.
        height: Luma height in samples.
        chroma: "400", "420", "422" or "444".
        planes: "luma" for the first plane only.

    Returns:
        (rows, columns) of each plane.
    """
    luma = (height, width)
    if chroma == "400" or planes == "luma":
        return [luma]
    columns, rows = chroma_size(width, height, chroma)
    return [luma, (rows, columns), (rows, columns)]


def check_samples(planes: tuple[Plane, ...], bits: int, name: str, index: int) -> None:
    """Refuse code values that the stated bit depth does not have: the depth is wrong then, and so would the score be.

    Args:
        planes: Planes of one frame, uint8 or uint16.
        bits: Stated bits per sample.
        name: The video, for the message.
        index: The frame, for the message.

    Raises:
        UnreadableVideoError: A sample is above 2**bits - 1.
    """
    if bits in (8, 16):
        return
    top = max(int(plane.max()) for plane in planes)
    if top >= 1 << bits:
        raise UnreadableVideoError(
            f"Samples of {bits}-bit video must not exceed {(1 << bits) - 1}, but frame {index} of {name} holds {top}.",
            "Check the bit depth (-b), the size, and that samples are little endian in the low bits.",
        )


def check_file(path: str | os.PathLike[str]) -> os.stat_result:
    """Refuse what cannot be a video file before anybody tries to decode it.

    Args:
        path: A local path.

    Returns:
        Its status.

    Raises:
        UnreadableVideoError: The path is missing, a folder, empty, or not readable.
    """
    name = os.fspath(path)
    try:
        status = os.stat(name)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise UnreadableVideoError(
            f"The video {name!r} cannot be opened: {reason}.", "Only local files are read; check the path."
        ) from error
    if stat.S_ISDIR(status.st_mode):
        raise UnreadableVideoError(f"The video {name!r} is a folder.", "Name a file inside it.")
    if stat.S_ISREG(status.st_mode) and status.st_size == 0:
        raise UnreadableVideoError(f"The video {name!r} is empty (0 bytes).", "Check what wrote it.")
    if not os.access(name, os.R_OK):
        raise UnreadableVideoError(f"The video {name!r} is not readable.", "Check its permissions.")
    return status
