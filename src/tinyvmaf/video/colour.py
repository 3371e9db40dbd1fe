"""Bit depths, ranges and colour names: explicit arguments, no guesses.

Code values follow ITU-T H.273. With b bits, limited luma spans 16..235 and limited chroma 16..240, both times
2**(b-8); full luma spans 0..2**b-1, and full chroma is 2**b-1 wide around its neutral value 2**(b-1).
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from tinyvmaf.errors import UsageError
from tinyvmaf.video.frame import Frame, Plane, Range

MATRIX_ALIASES: dict[str, str] = {"bt470bg": "smpte170m"}
"""Both are BT.601 (Kr 0.299, Kb 0.114). "fcc" is not: its Kr is 0.30 and its Kb 0.11."""

PRIMARIES_ALIASES: dict[str, str] = {"smpte240m": "smpte170m"}
"""The same chromaticities and white point. "bt470bg" has other ones."""

TRANSFER_ALIASES: dict[str, str] = {"smpte170m": "bt709", "bt2020-10": "bt709", "bt2020-12": "bt709"}
"""One curve; the 12-bit name only states its constants with more digits."""

_KR, _KB = 0.2126, 0.0722
"""BT.709: the shares of red and blue in luma."""


def same_matrix(one: str, other: str) -> bool:
    """Whether two matrix names mean the same numbers.

    Args:
        one: FFmpeg's name of a matrix.
        other: Another one.
    """
    return MATRIX_ALIASES.get(one, one) == MATRIX_ALIASES.get(other, other)


def same_primaries(one: str, other: str) -> bool:
    """Whether two names of primaries mean the same colours.

    Args:
        one: FFmpeg's name of colour primaries.
        other: Another one.
    """
    return PRIMARIES_ALIASES.get(one, one) == PRIMARIES_ALIASES.get(other, other)


def same_transfer(one: str, other: str) -> bool:
    """Whether two transfer names mean the same curve.

    Args:
        one: FFmpeg's name of a transfer function.
        other: Another one.
    """
    return TRANSFER_ALIASES.get(one, one) == TRANSFER_ALIASES.get(other, other)


def raise_bits(plane: Plane, source: int, target: int, range_: Range | None, *, chroma: bool = False) -> Plane:
    """Express samples with more bits.

    Limited range is shifted left, which H.273 makes exact. Full range is stretched and rounded to nearest. Where no
    range is stated, samples are shifted, as every common tool does.

    Args:
        plane: (H, W) uint8 for 8 bits, else uint16.
        source: Its bits, 8 to 16.
        target: The bits wanted, `source` to 16.
        range_: "limited", "full", or None where nothing is stated.
        chroma: Whether the plane holds chroma, whose full range is stretched around the neutral value.

    Returns:
        A new plane, uint16, or the same one if the bits are right already.

    Raises:
        UsageError: The target has fewer bits.
    """
    if not 8 <= source <= target <= 16:
        raise UsageError(f"Bits can be raised from 8 or more up to 16, not from {source} to {target}.")
    if source == target:
        return plane
    if range_ == "full":
        return _look_up(plane, _stretch_table(source, target, chroma))
    return _sealed(np.left_shift(plane, target - source, dtype=np.uint16))


def convert_range(plane: Plane, bits: int, source: Range, target: Range, *, chroma: bool = False) -> Plane:
    """Move samples between limited and full range, rounded to nearest and clipped to the target's code values.

    Args:
        plane: (H, W) uint8 for 8 bits, else uint16.
        bits: Bits per sample, 8 to 16.
        source: Range of the samples.
        target: Range wanted.
        chroma: Whether the plane holds chroma.

    Returns:
        A new plane of the same type, or the same one if the range is right already.
    """
    return plane if source == target else _look_up(plane, _range_table(bits, source == "full", chroma))


def raise_frame_bits(frame: Frame, bits: int, range_: Range | None) -> Frame:
    """`raise_bits` for all planes of a frame.

    Args:
        frame: The frame.
        bits: The bits wanted, at least those of the frame.
        range_: Range of its samples, None where nothing is stated.

    Returns:
        A frame with the same index and time; the same one if the bits are right already.
    """
    if bits == frame.bits:
        return frame
    planes = tuple(
        raise_bits(plane, frame.bits, bits, range_, chroma=number > 0) for number, plane in enumerate(frame.planes)
    )
    return replace(frame, planes=planes, bits=bits, owner=None)


def convert_frame_range(frame: Frame, source: Range, target: Range) -> Frame:
    """`convert_range` for all planes of a frame.

    Args:
        frame: The frame.
        source: Range of its samples.
        target: Range wanted.

    Returns:
        A frame with the same index and time; the same one if the range is right already.
    """
    if source == target:
        return frame
    planes = tuple(
        convert_range(plane, frame.bits, source, target, chroma=number > 0) for number, plane in enumerate(frame.planes)
    )
    return replace(frame, planes=planes, owner=None)


def rgb_to_bt709(red: Plane, green: Plane, blue: Plane, bits: int) -> tuple[Plane, Plane, Plane]:
    """Full-range RGB as limited-range BT.709 YUV, rounded to nearest.

    Args:
        red: (H, W) uint8 for 8 bits, else uint16.
        green: The same for green.
        blue: The same for blue.
        bits: Bits per sample, 8 to 16, before and after.

    Returns:
        Luma and both chroma planes, each (H, W).
    """
    unit, top = 1 << bits - 8, (1 << bits) - 1
    r, g, b = (plane.astype(np.float32) / np.float32(top) for plane in (red, green, blue))
    luma = np.float32(_KR) * r + np.float32(1 - _KR - _KB) * g + np.float32(_KB) * b
    blue_difference = (b - luma) / np.float32(2 * (1 - _KB))
    red_difference = (r - luma) / np.float32(2 * (1 - _KR))
    parts = (luma * (219 * unit) + 16 * unit, blue_difference * (224 * unit), red_difference * (224 * unit))
    codes = (parts[0], parts[1] + (1 << bits - 1), parts[2] + (1 << bits - 1))
    first, second, third = (_sealed(np.rint(code).astype(red.dtype)) for code in codes)
    return first, second, third


@lru_cache(maxsize=16)
def _stretch_table(source: int, target: int, chroma: bool) -> npt.NDArray[np.uint16]:
    """Full range to full range: multiply by (2**target - 1) / (2**source - 1) around zero or the neutral value."""
    top, wide = (1 << source) - 1, (1 << target) - 1
    zero, new_zero = (1 << source - 1, 1 << target - 1) if chroma else (0, 0)
    codes = np.arange(top + 1, dtype=np.int64) - zero
    values = _divide((codes * wide), top) + new_zero
    return np.clip(values, 0, wide).astype(np.uint16)


@lru_cache(maxsize=16)
def _range_table(bits: int, from_full: bool, chroma: bool) -> npt.NDArray[np.uint8] | npt.NDArray[np.uint16]:
    """Every code value of one range in the other."""
    unit, top = 1 << bits - 8, (1 << bits) - 1
    span = (224 if chroma else 219) * unit
    neutral = 1 << bits - 1
    limited_zero, full_zero = (neutral, neutral) if chroma else (16 * unit, 0)
    codes = np.arange(top + 1, dtype=np.int64)
    if from_full:
        values = _divide((codes - full_zero) * span, top) + limited_zero
        values = np.clip(values, 16 * unit, 16 * unit + span)
    else:
        values = np.clip(_divide((codes - limited_zero) * top, span) + full_zero, 0, top)
    return values.astype(np.uint8) if bits == 8 else values.astype(np.uint16)


def _divide(above: npt.NDArray[np.int64], below: int) -> npt.NDArray[np.int64]:
    """Round to nearest, halves up."""
    return (2 * above + below) // (2 * below)


def _look_up(plane: Plane, table: Plane) -> Plane:
    # Clipping keeps a code value that the depth does not have from reading outside the table.
    return _sealed(table.take(plane, mode="clip"))


def _sealed(plane: Plane) -> Plane:
    plane.flags.writeable = False
    return plane
