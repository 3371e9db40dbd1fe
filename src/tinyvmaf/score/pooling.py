"""From one number per frame to one number per clip.

Source: libvmaf's pooling (min, max, mean, harmonic mean); percentiles by linear interpolation.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from tinyvmaf.errors import UnknownNameError

Values: TypeAlias = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Pooled:
    """A column in a few numbers, each None where it is not defined: no frame, a missing frame, an infinite result.

    Attributes:
        min: Smallest value.
        max: Largest value.
        mean: Arithmetic mean.
        harmonic_mean: n / sum(1 / (value + 1)) - 1; defined where every value is finite and above -1.
        median: 50th percentile.
        p1: 1st percentile.
        p5: 5th percentile.
        p10: 10th percentile.
    """

    min: float | None
    max: float | None
    mean: float | None
    harmonic_mean: float | None
    median: float | None
    p1: float | None
    p5: float | None
    p10: float | None


LOG_METHODS = ("min", "max", "mean", "harmonic_mean")
"""What logs hold, in libvmaf's order."""


def pool(values: Values) -> Pooled:
    """Summarise one column.

    Args:
        values: (N,) float64; NaN stands for a missing frame.

    Returns:
        The summary.
    """
    methods: dict[str, Callable[[Values], float | None]] = {
        "min": _minimum, "max": _maximum, "mean": mean, "harmonic_mean": harmonic_mean,
    }  # fmt: skip
    ordered = np.sort(np.asarray(values, dtype=np.float64))
    ranks = {"median": 50.0, "p1": 1.0, "p5": 5.0, "p10": 10.0}
    return Pooled(
        **{name: method(values) for name, method in methods.items()},
        **{name: percentile(ordered, rank) for name, rank in ranks.items()},
    )


def pool_by(values: Values, method: str) -> float | None:
    """Summarise one column by one method.

    Args:
        values: (N,) float64.
        method: "min", "max", "mean", "harmonic_mean", "median", or "p" and a rank from 0 to 100 such as "p5", "p0.5".

    Returns:
        The number, None where it is not defined.

    Raises:
        UnknownNameError: No such method.
    """
    if method in LOG_METHODS or method == "median":
        return getattr(pool(values), method)  # type: ignore[no-any-return]
    rank = re.fullmatch(r"p(\d{1,3}(?:\.\d+)?)", method)
    if rank is None or float(rank[1]) > 100:
        raise UnknownNameError(
            f"There is no pooling method {method!r}.", f"There are: {', '.join(LOG_METHODS)}, median, p0 to p100."
        )
    return percentile(values, float(rank[1]))


def mean(values: Values) -> float | None:
    """Arithmetic mean.

    Args:
        values: (N,) float64.

    Returns:
        The mean, None where N is 0 or the mean is not finite.
    """
    if len(values) == 0:
        return None
    with np.errstate(all="ignore"):
        return _finite(float(np.mean(values)))


def harmonic_mean(values: Values) -> float | None:
    """Harmonic mean of the values plus one, minus one.

    Args:
        values: (N,) float64.

    Returns:
        n / sum(1 / (value + 1)) - 1, None where a value is not finite or not above -1, or N is 0.
    """
    shifted = np.asarray(values, dtype=np.float64) + 1
    if len(shifted) == 0 or not (np.isfinite(shifted) & (shifted > 0)).all():
        return None
    with np.errstate(all="ignore"):
        return _finite(float(len(shifted) / np.sum(1 / shifted) - 1))


def percentile(values: Values, rank: float) -> float | None:
    """The value below which a share of all values lies, interpolated linearly between neighbours.

    Args:
        values: (N,) float64 in any order.
        rank: 0 (minimum) to 100 (maximum).

    Returns:
        The percentile, None where a value is not finite or N is 0.
    """
    if len(values) == 0 or not np.isfinite(values).all():
        return None
    ordered = np.sort(np.asarray(values, dtype=np.float64))
    # np.percentile gives the same, but loads numpy.ma, a tenth of the time that a run takes to start.
    with np.errstate(all="ignore"):
        return _finite(float(np.interp(rank / 100 * (len(ordered) - 1), np.arange(len(ordered)), ordered)))


def _minimum(values: Values) -> float | None:
    return _finite(float(np.min(values))) if len(values) else None


def _maximum(values: Values) -> float | None:
    return _finite(float(np.max(values))) if len(values) else None


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
