"""VMAF's support vector regression: a table of features becomes one score per frame.

Source: libvmaf's prediction (nu-SVR with a radial kernel, linear rescaling, optional score transform, clipping) and
its bootstrap statistics, in double precision throughout.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from tinyvmaf.score.model import Column, ModelInput, Table, check_table

BLOCK_ROWS = 1024
"""Frames per kernel evaluation: 1024 x 262 support vectors are 2 MiB, which stays in the second-level cache."""

DELTA = 0.01
"""Half the step over which libvmaf takes the slope of the score transform, to carry a deviation through it."""


@dataclass(frozen=True, slots=True)
class Transform:
    """The score transform: a polynomial, then a piecewise linear map, then a bound by the input.

    Attributes:
        polynomial: Coefficients p0, p1, p2; None where none of the three is given.
        knots: (x, y) points, x rising, y never falling; empty for none. The outer segments extend to infinity.
        at_most_input: The result never exceeds what went in (`out_lte_in`).
        at_least_input: The result never falls below what went in (`out_gte_in`).
    """

    polynomial: tuple[float, float, float] | None = None
    knots: tuple[tuple[float, float], ...] = ()
    at_most_input: bool = False
    at_least_input: bool = False

    def apply(self, scores: Column) -> Column:
        """Transform scores.

        Args:
            scores: float64 array of any shape.

        Returns:
            Array of the same shape.
        """
        result = scores
        if self.polynomial is not None:
            p0, p1, p2 = self.polynomial
            result = p0 + p1 * scores + p2 * scores * scores
        if self.knots:
            result = _piecewise(result, np.array(self.knots))
        if self.at_most_input:
            result = np.minimum(result, scores)
        if self.at_least_input:
            result = np.maximum(result, scores)
        return result


def _piecewise(x: Column, knots: npt.NDArray[np.float64]) -> Column:
    start, end = knots[:-1], knots[1:]
    segment = np.clip(np.searchsorted(knots[:, 0], x) - 1, 0, len(start) - 1)
    slope = (end[:, 1] - start[:, 1]) / (end[:, 0] - start[:, 0])
    mapped: Column = start[segment, 1] + slope[segment] * (x - start[segment, 0])
    return mapped


@dataclass(frozen=True, eq=False, slots=True)
class SvmModel:
    """One support vector regression.

    Attributes:
        inputs: The F columns it reads, in order.
        slopes: (F + 1,) rescaling of the score, then of each input; all ones where the model does not rescale.
        intercepts: (F + 1,), likewise; all zeros where the model does not rescale.
        support: (S, F) support vectors in rescaled space.
        coefficients: (S,) their weights.
        rho: Offset subtracted from the weighted sum.
        gamma: Width of the kernel exp(-gamma * squared distance), > 0.
        transform: Score transform, None where none is active.
        clip: Lowest and highest score, None where scores are not clipped.
    """

    inputs: tuple[ModelInput, ...]
    slopes: npt.NDArray[np.float64]
    intercepts: npt.NDArray[np.float64]
    support: npt.NDArray[np.float64]
    coefficients: npt.NDArray[np.float64]
    rho: float
    gamma: float
    transform: Transform | None = None
    clip: tuple[float, float] | None = None

    @property
    def kind(self) -> Literal["svm"]:
        """What the model is made of."""
        return "svm"

    def predict(self, table: Table) -> Column:
        """Score every frame.

        Args:
            table: (N, F) float64 features.

        Returns:
            (N,) float64 scores; NaN where an input is NaN.

        Raises:
            ContractError: The table has the wrong shape.
        """
        return self.finish(self.raw(table))

    def columns(self, table: Table, name: str) -> dict[str, Column]:
        """The model's one log column.

        Args:
            table: (N, F) float64 features.
            name: Name of the model in the log.

        Returns:
            {name: (N,) scores}.
        """
        return {name: self.predict(table)}

    def raw(self, table: Table) -> Column:
        """Score every frame, before transform and clipping.

        Args:
            table: (N, F) float64 features.

        Returns:
            (N,) float64.

        Raises:
            ContractError: The table has the wrong shape.
        """
        rows = check_table(table, self.inputs)
        result = np.empty(len(rows))
        with np.errstate(all="ignore"):
            for start in range(0, len(rows), BLOCK_ROWS):
                block = slice(start, start + BLOCK_ROWS)
                result[block] = self._decide(rows[block] * self.slopes[1:] + self.intercepts[1:])
            rescaled: Column = (result - self.intercepts[0]) / self.slopes[0]
        return rescaled

    def finish(self, scores: Column) -> Column:
        """Transform and clip raw scores, as far as the model asks for it.

        Args:
            scores: What `raw` returned.

        Returns:
            float64 array of the same shape.
        """
        result = scores if self.transform is None else self.transform.apply(scores)
        if self.clip is not None:
            result = np.clip(result, *self.clip)
        return result

    def _decide(self, rescaled: Table) -> Column:
        distance = np.zeros((len(rescaled), len(self.support)))
        for i in range(self.support.shape[1]):
            difference = rescaled[:, i, None] - self.support[None, :, i]
            distance += difference * difference
        # Summed along each row, not by a matrix product, so that a frame's digits do not depend on its block.
        kernel = np.exp(-self.gamma * distance)
        weighted: Column = (kernel * self.coefficients).sum(axis=1) - self.rho
        return weighted


@dataclass(frozen=True, eq=False, slots=True)
class BootstrapModel:
    """A model and the members that were trained on resampled data, which together say how sure the score is.

    Attributes:
        lead: Gives the score.
        members: At least one; their spread gives the interval. All read the inputs of `lead`.
    """

    lead: SvmModel
    members: tuple[SvmModel, ...]

    @property
    def kind(self) -> Literal["bootstrap"]:
        """What the model is made of."""
        return "bootstrap"

    @property
    def inputs(self) -> tuple[ModelInput, ...]:
        """The columns it reads, in order."""
        return self.lead.inputs

    def predict(self, table: Table) -> Column:
        """Score every frame with the lead model.

        Args:
            table: (N, F) float64 features.

        Returns:
            (N,) float64 scores.
        """
        return self.lead.predict(table)

    def columns(self, table: Table, name: str) -> dict[str, Column]:
        """Scores of the lead and of every member, and the statistics of the members.

        Mean, deviation and percentiles are taken before transform and clipping and carried through those of the first
        member afterwards, the deviation by the slope at the mean.

        Args:
            table: (N, F) float64 features.
            name: Name of the model in the log.

        Returns:
            <name>, <name>_0001 and on, <name>_bagging, <name>_stddev, <name>_ci_p95_lo, <name>_ci_p95_hi, each (N,).
        """
        raw = [member.raw(table) for member in self.members]
        scores = {name: self.lead.predict(table)}
        for i, member in enumerate(self.members):
            scores[f"{name}_{i + 1:04d}"] = member.finish(raw[i])
        return scores | {f"{name}_{key}": column for key, column in self._statistics(raw).items()}

    def _statistics(self, raw: Sequence[Column]) -> dict[str, Column]:
        table, finish = np.array(raw), self.members[0].finish
        mean = table.mean(axis=0)
        slope = (finish(mean + DELTA) - finish(mean - DELTA)) / (2 * DELTA)
        low, high = np.percentile(table, (2.5, 97.5), axis=0)
        return {
            "bagging": finish(mean),
            "stddev": table.std(axis=0) * slope,
            "ci_p95_lo": finish(low),
            "ci_p95_hi": finish(high),
        }
