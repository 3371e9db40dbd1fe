"""What is known of a tensor before a graph runs: how large it is, and its numbers where other sizes follow from them.

Numbers follow the arithmetic of the runtime exactly (integers wrap, float32 rounds after every step): a size that comes
out smaller here than there would let a graph through that asks for more.
"""

from __future__ import annotations

import itertools
import math
import struct

from tinyvmaf.dnn.graph import BOOL, DOUBLE, FEW, FLOAT, Number, byte_count, product

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Final

_HALVES: Final = (10, 16)
INTEGERS: Final = {
    2: (8, False), 3: (8, True), 4: (16, False), 5: (16, True), 6: (32, True), 7: (64, True), 12: (32, False),
    13: (64, False),
}  # fmt: skip
"""Integer type -> its bits and whether it has a sign."""


class Known:
    """A tensor as far as it is known.

    Attributes:
        dtype: Element type, 0 where unknown.
        dims: Lengths of its axes; with `loose`, their product bounds the number of elements and nothing more is known.
        data: Its numbers in row-major order where they are known, at most FEW.
        loose: Whether the shape depends on numbers that are not known.
        constant: Whether it is a constant of the file, unchanged but for its type and shape.
        given: Whether it is an input of the graph, unchanged.
        fixed: Whether it follows from constants and shapes alone, so that the runtime computes it while it opens the
            model, and keeps it.
        elements: How many elements it has at most.
    """

    __slots__ = ("constant", "data", "dims", "dtype", "elements", "fixed", "given", "loose")

    def __init__(
        self,
        dtype: int,
        dims: Sequence[int],
        data: Sequence[Number] | None = None,
        *,
        loose: bool = False,
        constant: bool = False,
        given: bool = False,
    ) -> None:
        self.dtype = dtype
        self.dims = tuple(dims)
        self.elements = product(self.dims)
        fits = data is not None and len(data) == self.elements <= FEW and not loose
        self.data = tuple(data) if data is not None and fits else None
        self.loose = loose
        self.constant = constant
        self.given = given
        self.fixed = constant

    @property
    def bytes(self) -> int:
        """Memory of its elements."""
        # The processor has no arithmetic for halves: a copy as float32 stands beside each of them.
        return byte_count(self.dtype, self.elements) + (4 * self.elements if self.dtype in _HALVES else 0)

    @property
    def room(self) -> int:
        """A bound of its elements, and of what it is reduced or multiplied to along axes of no length; at least 1."""
        return self.elements or product(max(length, 1) for length in self.dims)

    @property
    def rank(self) -> int:
        """Number of axes."""
        return len(self.dims)

    def scalar(self) -> Number | None:
        """Its only number, None where it has more or it is not known."""
        return self.data[0] if self.data is not None and len(self.data) == 1 else None

    def integers(self) -> list[int] | None:
        """Its numbers as integers, None where they are not known or not whole."""
        if self.data is None or not all(isinstance(v, int) or float(v).is_integer() for v in self.data):
            return None
        return [int(v) for v in self.data]


def picked(value: Known, places: Sequence[Sequence[int]]) -> tuple[Number, ...] | None:
    """The numbers at the chosen places of each axis, in row-major order; None where they are not known.

    Args:
        value: The tensor.
        places: Per axis the indices to keep, each from 0 to its length - 1.
    """
    count = product(len(axis) for axis in places)
    if value.data is None or count > FEW:
        return None
    if not count:
        return ()  # one axis may be as long as it likes then
    steps = [product(value.dims[i + 1 :]) for i in range(value.rank)]
    rows = itertools.product(*places)
    return tuple(value.data[sum(i * step for i, step in zip(row, steps, strict=True))] for row in rows)


def loose(dtype: int, elements: int, rank: int = 1) -> Known:
    """A tensor of which only a bound of its size is known.

    Args:
        dtype: Element type.
        elements: At most so many elements.
        rank: Number of axes.
    """
    return Known(dtype, (elements,) + (1,) * (rank - 1) if rank else (), loose=True)


def rounded(value: Number, dtype: int) -> Number | None:
    """A number as a type of the runtime holds it.

    Args:
        value: The exact or double-precision result of one step.
        dtype: Element type.

    Returns:
        The number, None where the type is not followed or the number is not finite.
    """
    if dtype in INTEGERS:
        return _whole(value, *INTEGERS[dtype])
    if dtype == BOOL:
        return int(bool(value))
    return _real(value, dtype) if dtype in (FLOAT, DOUBLE) else None


def _whole(value: Number, bits: int, is_signed: bool) -> int | None:
    """Whole numbers wrap; what the processor makes of a real one that does not fit is its own business."""
    low = -(1 << bits - 1) if is_signed else 0
    if isinstance(value, float):
        if not math.isfinite(value) or not low <= int(value) < low + (1 << bits):
            return None
        value = int(value)
    return (value - low) % (1 << bits) + low


def _real(value: Number, dtype: int) -> float | None:
    try:
        number = float(value)
        if dtype == FLOAT:
            number = struct.unpack("<f", struct.pack("<f", number))[0]
    except OverflowError:
        return None
    # A whole number would be rounded twice here, and once there.
    exact = not isinstance(value, int) or number == value
    return number if math.isfinite(number) and exact else None


def all_rounded(values: Sequence[Number | None], dtype: int) -> tuple[Number, ...] | None:
    """Numbers as a type holds them, None if one of them cannot be followed."""
    found = [None if value is None else rounded(value, dtype) for value in values]
    return None if any(value is None for value in found) else tuple(v for v in found if v is not None)


def same_size(a: Known, b: Known) -> bool:
    """Whether a value takes the place of another without being larger."""
    if a.dtype != b.dtype:
        return False
    return b.elements <= a.elements if a.loose else not b.loose and a.dims == b.dims


def either(a: Known, b: Known) -> Known:
    """One of two values, nobody knows which."""
    if a.dims == b.dims and not a.loose and not b.loose:
        return Known(a.dtype, a.dims, a.data if a.data == b.data else None)
    return loose(a.dtype, max(a.room, b.room), max(a.rank, b.rank))
