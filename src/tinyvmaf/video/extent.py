"""Where a file ends by its own header: some formats state their length in bytes, which shows a cut that decodes well.

Sources: RFC 8794 (EBML) with RFC 9559 (Matroska); the RIFF specification of 1991 for AVI.
"""

from __future__ import annotations

import re
from typing import Final

HEAD: Final = 4096
"""Bytes from the start of a file that are enough to find the length."""

_EBML, _SEGMENT = 0x1A45DFA3, 0x18538067
_RIFF = re.compile(rb"RIFF(.{4})AVI ", re.DOTALL)


def stated_bytes(head: bytes) -> int | None:
    """Length of a Matroska, WebM or AVI file by its header.

    Args:
        head: The first HEAD bytes, or all of a shorter file.

    Returns:
        Bytes from the start of the file to the end of what the header announces; None for other formats, and where
        the length was not known when the header was written, as in live streams.
    """
    riff = _RIFF.match(head)
    if riff:
        size = int.from_bytes(riff[1], "little")
        return 8 + size if size else None
    return _segment_end(head)


def _segment_end(head: bytes) -> int | None:
    place = 0
    while place < len(head):
        start, identity = place, _number(head, place, keep_marker=True)
        if identity is None or (start == 0 and identity[0] != _EBML):
            return None
        size = _number(head, identity[1], keep_marker=False)
        if size is None:
            return None
        place = size[1] + size[0]
        if identity[0] == _SEGMENT:
            unknown = (1 << 7 * (size[1] - identity[1])) - 1
            return None if size[0] == unknown else place
    return None


def _number(head: bytes, place: int, *, keep_marker: bool) -> tuple[int, int] | None:
    """A number of variable length, and where it ends; None where it is malformed or cut off.

    The leading zero bits of the first byte tell how many bytes follow; the one bit after them is a marker, which
    belongs to identities but not to sizes.
    """
    length = 9 - head[place].bit_length() if place < len(head) else 9
    end = place + length
    if length > 8 or end > len(head):
        return None
    value = int.from_bytes(head[place:end])
    return (value if keep_marker else value - (1 << 7 * length), end)
