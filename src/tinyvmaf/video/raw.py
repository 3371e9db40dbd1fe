"""Headerless planar YUV: the caller states size, chroma and bits, the file size proves them."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from tinyvmaf.errors import TruncatedVideoError, UnreadableVideoError, UsageError
from tinyvmaf.video.base import Planes, Video, check_file, check_samples, check_side, plane_shapes
from tinyvmaf.video.frame import CHROMA_SHIFTS, Chroma, Frame, Plane, StreamFacts
from tinyvmaf.video.memory import PlaneMemory
from tinyvmaf.video.y4m import MAGIC

RAW_BITS = (8, 10, 12, 16)
_HEAD = 64
"""Bytes in which a file of another kind gives itself away."""
_HEADERS = {
    "a Y4M file": re.compile(re.escape(MAGIC)),
    # The size of the first box: far below 256 bytes, which makes the signature one of 7 bytes.
    "an MP4 or MOV file": re.compile(rb"\0\0\0.ftyp", re.DOTALL),
    "an AVI file": re.compile(rb"RIFF.{4}AVI ", re.DOTALL),
    "a Matroska or WebM file": re.compile(rb"\x1aE\xdf\xa3.*(?:matroska|webm)", re.DOTALL),
}
"""How files begin that state their own layout, each long enough for samples not to look like it by chance."""


@dataclass(frozen=True)
class RawFormat:
    """The layout of a headerless file.

    Attributes:
        width: Luma width in samples, 1 to 16384.
        height: Luma height in samples, 1 to 16384.
        chroma: "400", "420", "422" or "444"; odd luma sizes round up.
        bits: 8, 10, 12 or 16; more than 8 means 16-bit little-endian words, value in the low bits.
    """

    width: int
    height: int
    chroma: Chroma = "420"
    bits: int = 8

    def __post_init__(self) -> None:
        """Check the four numbers.

        Raises:
            UsageError: One of them is out of range.
        """
        for side, value in (("width", self.width), ("height", self.height)):
            check_side(side, value)
        if self.chroma != "400" and self.chroma not in CHROMA_SHIFTS:
            raise UsageError(f"The pixel format of raw video must be 400, 420, 422 or 444, not {self.chroma}.")
        if self.bits not in RAW_BITS:
            raise UsageError(f"The bit depth of raw video must be 8, 10, 12 or 16, not {self.bits}.")

    @property
    def dtype(self) -> np.dtype[np.uint8] | np.dtype[np.uint16]:
        """uint8 for 8 bits, else little-endian uint16."""
        return np.dtype(np.uint8) if self.bits == 8 else np.dtype("<u2")

    @property
    def frame_bytes(self) -> int:
        """Bytes of one frame, all planes."""
        samples = sum(rows * columns for rows, columns in plane_shapes(self.width, self.height, self.chroma))
        return samples * self.dtype.itemsize


class RawVideo(Video):
    """A headerless planar YUV file.

    Args:
        path: A regular file.
        layout: Its size, chroma and bits.
        planes: "luma" reads, and yields, only the luma plane.

    Raises:
        UnreadableVideoError: The file is missing, empty, not a regular file, not readable, or has a header.
        TruncatedVideoError: Its size is not a multiple of the frame size.
    """

    def __init__(self, path: str | os.PathLike[str], layout: RawFormat, planes: Planes = "all") -> None:
        name = os.fspath(path)
        count = _count_frames(name, layout)
        super().__init__(
            StreamFacts(
                name, "raw", layout.width, layout.height, layout.chroma, layout.bits, frame_count=count, format="raw"
            )
        )
        self._layout = layout
        self._shapes = plane_shapes(layout.width, layout.height, layout.chroma, planes)
        self._memory = PlaneMemory()
        self._handle = os.open(name, os.O_RDONLY | os.O_CLOEXEC)

    def _frames(self, start: int) -> Iterator[Frame]:
        for index in range(start, self.facts.frame_count or 0):
            planes = self._read_planes(index)
            check_samples(planes, self.facts.bits, self.facts.name, index)
            yield Frame(planes, self.facts.bits, index)

    def _read_planes(self, index: int) -> tuple[Plane, ...]:
        """Read one frame into memory of its own: a frame may outlive the next reads."""
        planes = tuple(self._memory.take(shape, self._layout.dtype) for shape in self._shapes)
        wanted = sum(plane.nbytes for plane in planes)
        try:
            got = os.preadv(self._handle, [plane.data.cast("B") for plane in planes], index * self._layout.frame_bytes)
        except OSError as error:
            raise UnreadableVideoError(
                f"Reading frame {index} of {self.facts.name} failed: {error.strerror}."
            ) from error
        if got != wanted:
            raise TruncatedVideoError(
                f"Frame {index} of {self.facts.name} needs {wanted} bytes, but only {got} could be read.",
                "The file shrank while it was read.",
            )
        for plane in planes:
            plane.flags.writeable = False
        return planes

    def close(self) -> None:
        """Close the file; safe to call twice."""
        self._memory.clear()
        if self._handle >= 0:
            os.close(self._handle)
            self._handle = -1


def _count_frames(name: str, layout: RawFormat) -> int:
    """Frames in the file, after checking that it holds whole ones."""
    status = check_file(name)
    if not stat.S_ISREG(status.st_mode):
        raise UnreadableVideoError(
            f"Raw video must be a regular file, but {name!r} is not.", "Use Y4M to read from a pipe."
        )
    _check_headerless(name)
    count, rest = divmod(status.st_size, layout.frame_bytes)
    if rest:
        raise TruncatedVideoError(
            f"The size of raw video must be a multiple of its frame size, but {name!r} has {status.st_size} bytes,"
            f" which is {count} frames of {layout.frame_bytes} bytes and {rest} bytes more.",
            "Check width, height, pixel format and bit depth, or cut the file to whole frames.",
        )
    return count


def _check_headerless(name: str) -> None:
    """Refuse a file whose header would be taken for samples, also where its size happens to fit."""
    with open(name, "rb", buffering=0) as stream:
        head = stream.read(_HEAD)
    kind = next((kind for kind, header in _HEADERS.items() if header.match(head)), None)
    if kind is not None:
        raise UnreadableVideoError(
            f"Raw video must hold nothing but samples, but {name!r} is {kind}.",
            "Leave out -w -h -p -b (--raw of tinyvmaf score), which hold for both files; if the other one is raw, "
            "convert it to Y4M.",
        )
