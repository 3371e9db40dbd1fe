"""Pixel formats and colour names as FFmpeg spells them."""

from __future__ import annotations

import re
from typing import cast

from tinyvmaf.video.frame import Chroma

_PLANAR = re.compile(r"yuv[aj]?(420|422|444)p(?:(9|10|12|14|16)le)?")
_GRAY = re.compile(r"gray8?(?:(9|10|12|14|16)le)?")
_FLOAT = re.compile(r"f(16|32)(le|be)?$")

MATRICES: dict[int, str] = {
    0: "gbr",
    1: "bt709",
    4: "fcc",
    5: "bt470bg",
    6: "smpte170m",
    7: "smpte240m",
    8: "ycgco",
    9: "bt2020nc",
    10: "bt2020c",
    11: "smpte2085",
    12: "chroma-derived-nc",
    13: "chroma-derived-c",
    14: "ictcp",
    15: "ipt-c2",
    16: "ycgco-re",
    17: "ycgco-ro",
}
"""ITU-T H.273 matrix coefficients; numbers that are absent state nothing."""

PRIMARIES: dict[int, str] = {
    1: "bt709",
    4: "bt470m",
    5: "bt470bg",
    6: "smpte170m",
    7: "smpte240m",
    8: "film",
    9: "bt2020",
    10: "smpte428",
    11: "smpte431",
    12: "smpte432",
    22: "ebu3213",
}
"""ITU-T H.273 colour primaries; numbers that are absent state nothing."""

TRANSFERS: dict[int, str] = {
    1: "bt709",
    4: "bt470m",
    5: "bt470bg",
    6: "smpte170m",
    7: "smpte240m",
    8: "linear",
    9: "log100",
    10: "log316",
    11: "iec61966-2-4",
    12: "bt1361e",
    13: "iec61966-2-1",
    14: "bt2020-10",
    15: "bt2020-12",
    16: "smpte2084",
    17: "smpte428",
    18: "arib-std-b67",
}
"""ITU-T H.273 transfer characteristics; numbers that are absent state nothing."""


def planar(name: str) -> tuple[Chroma, int] | None:
    """Chroma and bits of a format whose planes can be used as they are.

    Args:
        name: FFmpeg's pixel format, for example "yuv420p10le"; a fourth, alpha plane is left unused.

    Returns:
        (chroma, bits), None for any other layout.
    """
    match = _PLANAR.fullmatch(name)
    if match:
        return cast(Chroma, match[1]), int(match[2] or 8)
    match = _GRAY.fullmatch(name)
    return ("400", int(match[1] or 8)) if match else None


def pixel_format(chroma: str, bits: int) -> str:
    """FFmpeg's name of a planar format, the inverse of `planar`.

    Args:
        chroma: "400", "420", "422" or "444".
        bits: 8, 9, 10, 12, 14 or 16.

    Returns:
        For example "yuv420p10le" or "gray".
    """
    stem = "gray" if chroma == "400" else f"yuv{chroma}p"
    return stem if bits == 8 else f"{stem}{bits}le"


def is_full_range_format(name: str) -> bool:
    """Whether the format's name itself says full range (yuvj420p and its like).

    Args:
        name: FFmpeg's pixel format.
    """
    return name.startswith("yuvj")


def is_float(name: str) -> bool:
    """Whether samples are floating point.

    Args:
        name: FFmpeg's pixel format.
    """
    return _FLOAT.search(name) is not None


def number_of(table: dict[int, str], name: str | None, default: int = 2) -> int:
    """The H.273 number of a name.

    Args:
        table: MATRICES, PRIMARIES or TRANSFERS.
        name: The name, or None.
        default: What to return for None and for names that are not in the table; 2 means unspecified.
    """
    return next((number for number, entry in table.items() if entry == name), default)
