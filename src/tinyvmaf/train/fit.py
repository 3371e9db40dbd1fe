"""The fit: full-batch L-BFGS in float64, from several random starts, the same bits for the same corpus."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize

from tinyvmaf.train.augment import extra_rows
from tinyvmaf.train.corpus import Corpus, Teacher, levels_in_order
from tinyvmaf.train.features import Table
from tinyvmaf.train.network import Array, Weights, backward, forward, random_weights
from tinyvmaf.train.recipe import FitSettings

Pairs = npt.NDArray[np.intp]

SCORES = (0.0, 100.0)
"""Lowest and highest score."""

_CENTRE, _SPAN = 50.0, 25.0
"""The network learns (score - centre) / span, which is of the order of one."""


@dataclass(frozen=True, slots=True)
class Fusion:
    """A fitted model in float64, with its scaler.

    Attributes:
        weights: Network from standardised features to a score before clipping.
        mean: (6,) subtracted from the clipped features.
        std: (6,) what they are divided by.
        settings: The box and the lift.
    """

    weights: Weights
    mean: Array
    std: Array
    settings: FitSettings

    def predict(self, table: Table) -> Array:
        """Scores before lift and clipping.

        Args:
            table: (N, 6) features.

        Returns:
            (N,) float64.
        """
        return forward(self.weights, _standardised(table, self.mean, self.std, self.settings))[0]


@dataclass(frozen=True, slots=True)
class _Problem:
    """What is minimised: weighted squared errors, and squared rises along ladders of distortion."""

    x: Array
    y: Array
    weight: Array
    pairs: Pairs
    order_weight: float

    def _error(self, output: Array) -> Array:
        """Zero where teacher and output lie beyond the same end of the scale, since both are clipped there."""
        low, high = ((end - _CENTRE) / _SPAN for end in SCORES)
        error = output - np.clip(self.y, low, high)
        error = np.where(self.y > high, np.minimum(error, 0.0), error)
        return np.where(self.y < low, np.maximum(error, 0.0), error)

    def loss(self, flat: Array, shape: Weights) -> tuple[float, Array]:
        """The loss at a vector of all parameters, and its gradient; `shape` tells how to take the vector apart."""
        weights = shape.like(flat)
        output, first, second = forward(weights, self.x)
        error = self._error(output)
        rise = np.maximum(output[self.pairs[:, 1]] - output[self.pairs[:, 0]], 0.0)
        scale = self.order_weight / max(len(self.pairs), 1)
        slope = 2 * self.weight * error
        np.add.at(slope, self.pairs[:, 1], 2 * scale * rise)
        np.add.at(slope, self.pairs[:, 0], -2 * scale * rise)
        gradient = backward(weights, self.x, first, second, slope).flat
        return float(self.weight @ (error * error) + scale * (rise @ rise)), gradient


def fit(
    train: Corpus, selection: Corpus, teacher: Teacher, settings: FitSettings, say: Callable[[str], None]
) -> Fusion:
    """Fit the model.

    Args:
        train: Clips that the weights are fitted to.
        selection: Clips that choose among the random starts.
        teacher: Labels every row.
        settings: All numbers of the fit.
        say: Takes a line of progress.

    Returns:
        The start that is nearest to the teacher on the selection clips.
    """
    mean, std = train.table.mean(axis=0), train.table.std(axis=0)
    problem = _problem(train, teacher, settings, mean, std)
    rows, wanted = selection.table, teacher(selection.table)
    best: tuple[float, Fusion] | None = None
    for start in range(settings.starts):
        weights = _minimise(problem, settings, start)
        fusion = Fusion(weights, mean, std, settings)
        error = float(np.sqrt(np.mean((np.clip(fusion.predict(rows), 0, 100) - wanted) ** 2)))
        say(f"start {start + 1} of {settings.starts}: RMSE {error:.4f} on the selection sources")
        if best is None or error < best[0]:
            best = error, fusion
    if best is None:
        raise ValueError("a fit needs at least one start")
    return best[1]


def _problem(train: Corpus, teacher: Teacher, settings: FitSettings, mean: Array, std: Array) -> _Problem:
    extra = extra_rows(train.table, settings, np.random.default_rng([settings.seed, 0]))
    rows = np.concatenate([train.table, extra])
    weight = np.full(len(rows), settings.extra_weight / max(len(extra), 1))
    weight[: len(train.table)] = 1 / len(train.table)
    return _Problem(
        x=_standardised(rows, mean, std, settings),
        y=(teacher.raw(np.clip(rows, settings.lowest, settings.highest)) - _CENTRE) / _SPAN,
        weight=weight,
        pairs=_falling_pairs(train, teacher),
        order_weight=settings.order_weight,
    )


def _standardised(table: Table, mean: Array, std: Array, settings: FitSettings) -> Array:
    return (np.clip(table, settings.lowest, settings.highest) - mean) / std


def _falling_pairs(corpus: Corpus, teacher: Teacher) -> Pairs:
    """(P, 2) rows of the same frame at one level and the next, where the teacher's score falls."""
    starts = np.concatenate([[0], np.cumsum([len(clip.table) for clip in corpus.clips])])
    first_row = {id(clip): int(start) for clip, start in zip(corpus.clips, starts[:-1], strict=True)}
    found = []
    for ladder in levels_in_order(corpus.clips):
        for mild, strong in pairwise(ladder):
            falls = np.flatnonzero(teacher(mild.table) > teacher(strong.table))
            found.append(np.column_stack([first_row[id(mild)] + falls, first_row[id(strong)] + falls]))
    return np.concatenate(found) if found else np.empty((0, 2), np.intp)


def _minimise(problem: _Problem, settings: FitSettings, start: int) -> Weights:
    first = random_weights((problem.x.shape[1], *settings.hidden), np.random.default_rng([settings.seed, 1, start]))
    result = minimize(
        problem.loss, first.flat, args=(first,), jac=True, method="L-BFGS-B",
        options={"maxiter": settings.iterations, "maxfun": 2 * settings.iterations, "maxcor": 40, "ftol": 0, "gtol": 0},
    )  # fmt: skip
    weights = first.like(np.asarray(result.x, np.float64))
    return replace(weights, w3=weights.w3 * _SPAN, b3=weights.b3 * _SPAN + _CENTRE)
