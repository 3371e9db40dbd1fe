"""A result's frames as text, a block at a time, so that a long clip is never held as one string."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tinyvmaf.score.logs.precision import NumberFormat
from tinyvmaf.score.result import Result

BLOCK_FRAMES = 1024


def frame_rows(result: Result, precision: NumberFormat, missing: str | None) -> Iterator[tuple[int, Sequence[str]]]:
    """Every frame with the printed values of all columns.

    Args:
        result: The result.
        precision: How numbers are printed.
        missing: Stands for values that are not finite; None prints them as inf, -inf and nan.

    Yields:
        Frame number and one text per column, in log order.
    """
    columns = list(result.columns.values())
    for start in range(0, len(result.frame_numbers), BLOCK_FRAMES):
        block = slice(start, start + BLOCK_FRAMES)
        numbers = result.frame_numbers[block].tolist()
        if missing is None:
            texts = [precision.texts(column[block]) for column in columns]
        else:
            texts = [precision.texts_or(column[block], missing) for column in columns]
        yield from zip(numbers, zip(*texts, strict=True) if texts else [()] * len(numbers), strict=True)
