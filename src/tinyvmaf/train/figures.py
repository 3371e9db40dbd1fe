"""How near predictions are to the teacher: correlations and errors, with intervals over sources."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
from scipy import stats

Column: TypeAlias = npt.NDArray[np.float64]
Scored: TypeAlias = tuple[Column, Column]
"""Predictions and the teacher's scores of the same frames."""

Figures: TypeAlias = dict[str, float]

RESAMPLES = 2000


def agreement(predicted: Column, wanted: Column) -> Figures:
    """Figures of one set of frames.

    Args:
        predicted: (N,) scores.
        wanted: (N,) scores of the teacher.

    Returns:
        n, plcc, srocc, rmse and max_error; correlations are NaN where all scores are equal.
    """
    error = predicted - wanted
    varied = np.ptp(predicted) > 0 and np.ptp(wanted) > 0
    return {
        "n": len(error),
        "plcc": float(np.corrcoef(predicted, wanted)[0, 1]) if varied else float("nan"),
        "srocc": float(stats.spearmanr(predicted, wanted).statistic) if varied else float("nan"),
        "rmse": float(np.sqrt(np.mean(error * error))),
        "max_error": float(np.abs(error).max()),
    }


def intervals(by_source: Mapping[str, Scored], seed: int) -> dict[str, tuple[float, float]]:
    """95 % bootstrap intervals when whole sources are drawn with replacement.

    Args:
        by_source: Frames of each source.
        seed: Of the draws.

    Returns:
        (lower, upper) of plcc, srocc and rmse.
    """
    rng = np.random.default_rng(seed)
    names = sorted(by_source)
    draws: list[Figures] = []
    for picked in rng.integers(0, len(names), (RESAMPLES, len(names))):
        draws.append(agreement(*_joined([by_source[names[i]] for i in picked])))
    keys = ("plcc", "srocc", "rmse")
    ends = {key: np.percentile([draw[key] for draw in draws], (2.5, 97.5)) for key in keys}
    return {key: (float(low), float(high)) for key, (low, high) in ends.items()}


def _joined(parts: Sequence[Scored]) -> Scored:
    return np.concatenate([part[0] for part in parts]), np.concatenate([part[1] for part in parts])
