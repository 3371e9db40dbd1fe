"""The answer to one comparison: a column per feature and score, and everything needed to say how it came about."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any

import numpy as np
import numpy.typing as npt

from tinyvmaf.errors import UnknownNameError, UsageError
from tinyvmaf.score.model import Column, Kind
from tinyvmaf.score.pooling import Pooled, mean, pool


@dataclass(frozen=True, slots=True)
class ScoreInfo:
    """Where a score comes from.

    Attributes:
        name: Its key among the columns.
        model: Version, id or path of the model, as the user named it.
        sha256: Of the model file, 64 lower-case hexadecimal digits.
        kind: "svm", "bootstrap" or "tiny".
        target: What the model was trained to predict: "human", "teacher" or "unknown".
        device: Where it ran, such as "CPU" or "CUDA".
        registered: Whether the hash was pinned.
        keys: Every column that this model added, `name` first; empty stands for `name` alone.
        verified: Whether its signature was asked for, and is good.
        no_reference: Whether it looks at the distorted video only.
        notes: What people should know of its run.
        failure: Which frames a tiny model gave no finite number for, one sentence; empty if there is none.
    """

    name: str
    model: str
    sha256: str
    kind: Kind
    target: str = "unknown"
    device: str = "CPU"
    registered: bool = True
    keys: tuple[str, ...] = ()
    verified: bool = False
    no_reference: bool = False
    notes: tuple[str, ...] = ()
    failure: str = ""

    @property
    def columns(self) -> tuple[str, ...]:
        """Every column that this model added, its score first."""
        return self.keys or (self.name,)


@dataclass(frozen=True, slots=True)
class RunInfo:
    """How the run went.

    Attributes:
        version: Of tinyvmaf.
        threads: Worker threads.
        seconds: Wall time from the first frame to the last score.
        subsample: Every how many frames one was scored, 1 for all.
        frames: Frames that were read, scored or not.
    """

    version: str
    threads: int = 1
    seconds: float = 0.0
    subsample: int = 1
    frames: int = 0

    @property
    def fps(self) -> float | None:
        """Frames read per second of wall time, None where no time passed."""
        return self.frames / self.seconds if self.seconds > 0 else None


@dataclass(frozen=True, slots=True)
class FrameScore:
    """One frame and its score.

    Attributes:
        frame: Frame number.
        time: Presentation time in seconds, None where the videos have no clock.
        value: The score.
    """

    frame: int
    time: float | None
    value: float


@dataclass(frozen=True, eq=False, slots=True)
class Result:
    """The scores of one distorted video against its reference.

    Attributes:
        frame_numbers: (N,) int64 numbers of the scored frames, rising.
        times: (N,) float64 presentation times in seconds, None where the videos have no clock.
        columns: Key to (N,) float64, in log order, scores under their names; NaN where a frame has no value.
        scores: The models that were used, in the order in which the user named them.
        width: Luma width in samples at which the frames were compared.
        height: Luma height likewise.
        run: How the run went.
        aggregates: Numbers of the whole clip that are no pooling of a column, such as apsnr_y.
        inputs: What both videos state of themselves: JSON values, fractions or dataclasses of them.
        pairing: How frames were paired and what was converted for it, likewise.
    """

    frame_numbers: npt.NDArray[np.int64]
    times: Column | None
    columns: Mapping[str, Column]
    scores: tuple[ScoreInfo, ...]
    width: int
    height: int
    run: RunInfo
    aggregates: Mapping[str, float] = field(default_factory=dict)
    inputs: Mapping[str, Any] = field(default_factory=dict)
    pairing: Mapping[str, Any] = field(default_factory=dict)

    def column(self, key: str) -> Column:
        """The values of all frames.

        Args:
            key: Feature key or score name.

        Returns:
            (N,) float64.

        Raises:
            UnknownNameError: No such column.
        """
        if key not in self.columns:
            close = get_close_matches(key, self.columns, n=1)
            hint = f"Did you mean {close[0]}?" if close else f"There are: {', '.join(self.columns)}."
            raise UnknownNameError(f"The result has no column {key!r}.", hint)
        return self.columns[key]

    def pooled(self, key: str) -> Pooled:
        """One column in a few numbers.

        Args:
            key: Feature key or score name.

        Returns:
            The summary.

        Raises:
            UnknownNameError: No such column.
        """
        return pool(self.column(key))

    def score(self, name: str | None = None) -> float:
        """The mean of a score over all frames.

        Args:
            name: Name of the score; the first one by default.

        Returns:
            The mean, NaN where a frame has no value.

        Raises:
            UsageError: No model was used.
            UnknownNameError: No such score.
        """
        value = mean(self.column(self._score_name(name)))
        return math.nan if value is None else value

    def worst(self, count: int, name: str | None = None) -> tuple[FrameScore, ...]:
        """The frames with the lowest score, the worst first and the earlier first among equals.

        Args:
            count: How many at most, >= 0. Frames without a value are left out.
            name: Name of the score; the first one by default.

        Returns:
            The frames.

        Raises:
            UsageError: No model was used, or count is negative.
            UnknownNameError: No such score.
        """
        if count < 0:
            raise UsageError(f"A number of frames is at least 0, not {count}.")
        values = self.column(self._score_name(name))
        order = np.argsort(values, kind="stable")
        order = order[~np.isnan(values[order])][:count]
        times = [None] * len(order) if self.times is None else self.times[order].tolist()
        frames = zip(self.frame_numbers[order].tolist(), times, values[order].tolist(), strict=True)
        return tuple(FrameScore(*frame) for frame in frames)

    def _score_name(self, name: str | None) -> str:
        if name is not None:
            return name
        if not self.scores:
            raise UsageError("The result has no score, because no model was used.", "Name a column.")
        return self.scores[0].name
