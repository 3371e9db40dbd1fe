"""YUV4MPEG2 from a file or a pipe."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator
from fractions import Fraction
from typing import Any, BinaryIO, cast

import numpy as np

from tinyvmaf.errors import TruncatedVideoError, UnreadableVideoError
from tinyvmaf.video.base import MAX_SIDE, Planes, Video, check_samples, plane_shapes
from tinyvmaf.video.frame import Chroma, Frame, Plane, Range, StreamFacts
from tinyvmaf.video.memory import PlaneMemory

MAGIC = b"YUV4MPEG2 "
MAX_HEADER = 4096
"""Longest stream or frame header line in bytes."""
CHUNK = 1 << 20
"""Bytes read at a time while passing over planes of a pipe."""

_DEEP_TAG = re.compile(r"(?:(420|422|444)p|mono)(9|10|12|14|16)")
_PLAIN_TAGS: dict[str, Chroma] = {
    **dict.fromkeys(("420", "420jpeg", "420mpeg2", "420paldv"), "420"),
    "422": "422",
    "444": "444",
    "444alpha": "444",
    "mono": "400",
}
_INTERLACING: dict[str, tuple[bool | None, bool | None]] = {
    "p": (False, None),
    "?": (None, None),
    "t": (True, True),
    "b": (True, False),
    "m": (True, None),
}


class Y4mVideo(Video):
    """A YUV4MPEG2 stream.

    Args:
        stream: A buffered binary stream at the start of the magic; closed with the video unless it is stdin's.
        name: What to call it in messages and facts.
        planes: "luma" passes over the chroma planes.

    Raises:
        UnreadableVideoError: The header is malformed or states something that is not supported.
    """

    def __init__(self, stream: BinaryIO, name: str, planes: Planes = "all") -> None:
        tags = _read_header(stream, name)
        chroma, bits = _chroma_and_bits(tags.get("C", "420"), name)
        width, height = _side(tags, "W", name), _side(tags, "H", name)
        self._dtype = np.dtype(np.uint8) if bits == 8 else np.dtype("<u2")
        self._shapes = plane_shapes(width, height, chroma, planes)
        stored = plane_shapes(width, height, chroma) + [(height, width)] * (tags.get("C") == "444alpha")
        self._frame_bytes = sum(rows * columns for rows, columns in stored) * self._dtype.itemsize
        self._memory = PlaneMemory()
        self._stream = stream
        self._size = _regular_size(stream)
        interlaced, top_first = _interlacing(tags.get("I", "?"), name)
        super().__init__(
            StreamFacts(
                name,
                "y4m",
                width,
                height,
                chroma,
                bits,
                range=_range(tags.get("XCOLORRANGE"), name),
                frame_rate=_ratio(tags.get("F"), "frame rate", name),
                frame_count=self._count_hint(),
                interlaced=interlaced,
                top_field_first=top_first,
                sample_aspect=_ratio(tags.get("A"), "sample aspect", name),
                format="yuv4mpegpipe",
            )
        )

    def _count_hint(self) -> int | None:
        """Frames that a file of this size holds if no frame header carries parameters."""
        if self._size is None:
            return None
        count, rest = divmod(self._size - self._stream.tell(), self._frame_bytes + len(b"FRAME\n"))
        return None if rest else count

    def _frames(self, start: int) -> Iterator[Frame]:
        index = 0
        while self._next_frame(index):
            if index < start:
                self._pass_over(self._frame_bytes, index)
            else:
                yield self._read_frame(index)
            index += 1
        if not index:
            raise UnreadableVideoError(
                f"A video must hold at least one frame, but {self.facts.name} ends after its Y4M header.",
                "Check what wrote it.",
            )

    def _next_frame(self, index: int) -> bool:
        """Consume a frame header; False at the end of the stream."""
        line = self._stream.readline(MAX_HEADER)
        if not line:
            return False
        if not line.endswith(b"\n") and len(line) < MAX_HEADER:
            raise self._truncated(index)
        if not re.match(rb"FRAME[ \n]", line) or not line.endswith(b"\n"):
            raise UnreadableVideoError(
                f"Every Y4M frame must start with a FRAME line, but frame {index} of {self.facts.name} starts with"
                f" {line[:16]!r}.",
                "The file is damaged, or its header states a wrong size or chroma tag.",
            )
        return True

    def _read_frame(self, index: int) -> Frame:
        planes: list[Plane] = []
        for shape in self._shapes:
            plane = self._memory.take(shape, self._dtype)
            self._fill(memoryview(cast(Any, plane)).cast("B"), index)
            plane.flags.writeable = False
            planes.append(plane)
        self._pass_over(self._frame_bytes - sum(plane.nbytes for plane in planes), index)
        check_samples(tuple(planes), self.facts.bits, self.facts.name, index)
        rate = self.facts.frame_rate
        return Frame(tuple(planes), self.facts.bits, index, index / rate if rate else None)

    def _fill(self, target: memoryview, index: int) -> None:
        done = 0
        while done < len(target):
            got = cast(Any, self._stream).readinto(target[done:])
            if not got:
                raise self._truncated(index)
            done += got

    def _pass_over(self, count: int, index: int) -> None:
        if self._size is not None:
            if self._stream.seek(count, os.SEEK_CUR) > self._size:
                raise self._truncated(index)
            return
        while count:
            got = len(self._stream.read(min(count, CHUNK)))
            if not got:
                raise self._truncated(index)
            count -= got

    def _truncated(self, index: int) -> TruncatedVideoError:
        return TruncatedVideoError(
            f"{self.facts.name} ends inside frame {index}, which needs {self._frame_bytes} bytes.",
            "Write the file again, or cut it to whole frames.",
        )

    def close(self) -> None:
        """Close the stream; safe to call twice."""
        self._stream.close()
        self._memory.clear()


def _read_header(stream: BinaryIO, name: str) -> dict[str, str]:
    """The tags of the stream header, keyed by their letter; X tags by their name."""
    line = stream.readline(MAX_HEADER)
    if not line.startswith(MAGIC):
        raise UnreadableVideoError(f"A Y4M stream must start with YUV4MPEG2, but {name} starts with {line[:16]!r}.")
    if not line.endswith(b"\n"):
        raise UnreadableVideoError(
            f"A Y4M header must be one line of at most {MAX_HEADER} bytes; that of {name} is not."
        )
    tags: dict[str, str] = {}
    for word in line[len(MAGIC) :].decode("latin-1").split():
        key, _, value = word.partition("=") if word[0] == "X" else (word[0], "", word[1:])
        tags[key] = value
    return tags


def _side(tags: dict[str, str], letter: str, name: str) -> int:
    text = tags.get(letter, "")
    if not re.fullmatch(r"[0-9]{1,5}", text) or not 1 <= int(text) <= MAX_SIDE:
        side = "width" if letter == "W" else "height"
        raise UnreadableVideoError(
            f"The {side} in a Y4M header must be 1 to {MAX_SIDE}, but {name} states {text[:32]!r}."
        )
    return int(text)


def _chroma_and_bits(tag: str, name: str) -> tuple[Chroma, int]:
    if tag in _PLAIN_TAGS:
        return _PLAIN_TAGS[tag], 8
    deep = _DEEP_TAG.fullmatch(tag)
    if deep is None:
        raise UnreadableVideoError(
            f"The chroma tag C{tag[:32]} of {name} is not supported.",
            "Convert it to 400, 420, 422 or 444, 8 to 16 bits.",
        )
    return cast(Chroma, deep[1] or "400"), int(deep[2])


def _ratio(text: str | None, what: str, name: str) -> Fraction | None:
    """A ratio a:b; 0:0, and a zero on either side, means that it is not known."""
    if text is None:
        return None
    match = re.fullmatch(r"([0-9]{1,12}):([0-9]{1,12})", text)
    if match is None:
        raise UnreadableVideoError(f"The {what} in a Y4M header must read a:b, but {name} states {text[:32]!r}.")
    above, below = int(match[1]), int(match[2])
    return Fraction(above, below) if above and below else None


def _interlacing(letter: str, name: str) -> tuple[bool | None, bool | None]:
    if letter not in _INTERLACING:
        raise UnreadableVideoError(
            f"The interlacing in a Y4M header must be p, t, b, m or ?, but {name} states {letter[:32]!r}."
        )
    return _INTERLACING[letter]


def _range(text: str | None, name: str) -> Range | None:
    ranges: dict[str, Range] = {"LIMITED": "limited", "FULL": "full"}
    if text is not None and text not in ranges:
        raise UnreadableVideoError(
            f"The XCOLORRANGE in a Y4M header must be LIMITED or FULL, but {name} states {text[:32]!r}."
        )
    return ranges[text] if text else None


def _regular_size(stream: BinaryIO) -> int | None:
    """Size of the file behind the stream, None where it is not a regular file and cannot be sought."""
    try:
        status = os.fstat(stream.fileno())
    except OSError:
        return None
    return status.st_size if stat.S_ISREG(status.st_mode) else None
