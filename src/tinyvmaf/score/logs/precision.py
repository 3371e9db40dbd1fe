"""How a log prints numbers.

Source: libvmaf's output writer (%.6f, more digits for tiny fractions) and printf's %g.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tinyvmaf.errors import UsageError


@dataclass(frozen=True, slots=True)
class NumberFormat:
    """A number format.

    Attributes:
        digits: Significant digits, 1 to 17; None for libvmaf's own rule: six decimals, or sixteen where the
            fraction is not zero and below a millionth.
    """

    digits: int | None = None

    def text(self, value: float) -> str:
        """Print one finite number.

        Args:
            value: The number.

        Returns:
            Its digits, valid in JSON.
        """
        return self.texts(np.array([value]))[0]

    def texts(self, values: npt.NDArray[np.float64]) -> list[str]:
        """Print a column.

        Args:
            values: (N,) float64; what is not finite prints as inf, -inf or nan.

        Returns:
            N texts.
        """
        if self.digits is not None:
            pattern = f"%.{self.digits}g"
            return [pattern % value for value in values.tolist()]
        texts = ["%.6f" % value for value in values.tolist()]  # noqa: UP031 - three times as fast as a format call
        for i in np.flatnonzero(_has_tiny_fraction(values)).tolist():
            texts[i] = f"{values[i]:.16f}"
        return texts

    def texts_or(self, values: npt.NDArray[np.float64], missing: str) -> list[str]:
        """Print a column, with a text of its own for what is not finite.

        Args:
            values: (N,) float64.
            missing: Stands for every value that is not finite.

        Returns:
            N texts.
        """
        texts = self.texts(values)
        for i in np.flatnonzero(~np.isfinite(values)).tolist():
            texts[i] = missing
        return texts

    def text_or_null(self, value: float | None) -> str:
        """Print one number for JSON.

        Args:
            value: The number, or None.

        Returns:
            Its digits, "null" for None and for what is not finite.
        """
        return "null" if value is None or not math.isfinite(value) else self.text(value)


LEGACY = NumberFormat()
"""libvmaf's own format."""


def _has_tiny_fraction(values: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
    """Whether the fraction of |value| is not zero and six multiplications by ten do not bring it to one."""
    with np.errstate(invalid="ignore"):
        fraction = np.modf(np.abs(values))[0]
        scaled = fraction.copy()
        # Repeated as libvmaf does it: the rounding of each step decides for fractions close to a millionth.
        for _ in range(6):
            scaled *= 10.0
        tiny: npt.NDArray[np.bool_] = (fraction > 0) & (scaled < 1)
    return tiny


def parse_precision(text: str) -> NumberFormat:
    """Read the value of --precision.

    Args:
        text: "legacy", "max" or "full" (17 digits), or a number of significant digits from 1 to 17.

    Returns:
        The format.

    Raises:
        UsageError: Anything else.
    """
    if text == "legacy":
        return LEGACY
    if text in ("max", "full"):
        return NumberFormat(17)
    if text.isascii() and text.isdecimal() and 1 <= int(text[:3]) <= 17 and len(text) <= 2:
        return NumberFormat(int(text))
    raise UsageError(f"A precision is a number from 1 to 17, max, full or legacy, not {text!r}.")
