"""Figures of the exported file: fidelity to the teacher on sources it never saw, order, identity, extremes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np

from tinyvmaf.score.fusion import CANONICAL
from tinyvmaf.train.corpus import Corpus, Teacher, build_corpus, levels_in_order
from tinyvmaf.train.distort import distort
from tinyvmaf.train.features import Clip, Table
from tinyvmaf.train.figures import Column, Figures, agreement, intervals
from tinyvmaf.train.oracle import libvmaf_scores
from tinyvmaf.train.outside import davis_recipe, golden_pairs
from tinyvmaf.train.recipe import Recipe
from tinyvmaf.train.sources import read_source

Predict: TypeAlias = Callable[[Table], Column]

TOLERANCE = 1e-4
"""Rise of a pooled score that counts as one: single precision resolves 100 to about 1e-5."""

WITNESSED = {"x264": 28.0, "svtav1": 44.0, "blur": 1.5, "noise": 8.0}
"""Distortions of every test source on which the labels are compared with libvmaf."""

EXTREMES: dict[str, tuple[float, ...]] = {
    "everything lost, still": (0, 0, 0, 0, 0, 0),
    "everything lost, motion 30": (0, 0, 0, 0, 0, 30),
    "everything lost, motion 1000": (0, 0, 0, 0, 0, 1000),
    "half of the detail": (0.5, 0.5, 0.5, 0.5, 0.5, 5),
    "enhanced": (1.05, 1.2, 1.2, 1.2, 1.2, 5),
    "far outside": (50, 50, 50, 50, 50, 1e6),
    "negative": (-5, -5, -5, -5, -5, -5),
}
"""Features that no clip of the corpus has."""


@dataclass(frozen=True, slots=True)
class Order:
    """Whether more distortion ever raises the pooled score.

    Attributes:
        steps: Pairs of neighbouring levels looked at.
        rises: How many of them raise it by more than TOLERANCE.
        largest: The largest rise, 0 for none.
        where: Source and distortion of each ladder with a rise.
    """

    steps: int
    rises: int
    largest: float
    where: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Report:
    """Everything that is measured on the exported file.

    Attributes:
        frames: Test frames of all distortions that are not the identity.
        spread: 95 % intervals of `frames` over sources.
        beyond_lift: Those of `frames` that the lift towards identity leaves alone.
        everything: All test frames, identical ones included.
        pooled: Means of the test clips that are not identical.
        worst_pooled: Largest difference of a pooled score.
        by_distortion: Per-frame figures by distortion.
        by_source: Per-frame figures by source, identical frames left out.
        order: Of the model on the test sources, and of the teacher.
        order_seen: Likewise on the training and selection sources.
        identical: Lowest score of the model, and of the teacher, on identical frames.
        davis: Per-frame figures on DAVIS under x264.
        davis_order: Order there, of model and teacher.
        golden: Pair to pooled score of model and teacher.
        extremes: Name to score of model and of teacher.
        labels: n, mean and max difference between our labels and libvmaf.
    """

    frames: Figures
    spread: dict[str, tuple[float, float]]
    beyond_lift: Figures
    everything: Figures
    pooled: Figures
    worst_pooled: float
    by_distortion: dict[str, Figures]
    by_source: dict[str, Figures]
    order: tuple[Order, Order]
    order_seen: tuple[Order, Order]
    identical: tuple[float, float]
    davis: Figures
    davis_order: tuple[Order, Order]
    golden: dict[str, tuple[float, float]]
    extremes: dict[str, tuple[float, float]]
    labels: Figures


def evaluate(
    predict: Predict, teacher: Teacher, recipe: Recipe, corpus: Corpus, data: Path, cache: Path, jobs: int
) -> Report:
    """Measure an exported model.

    Args:
        predict: The exported model.
        teacher: What it imitates.
        recipe: How it was made.
        corpus: All clips.
        data: The data folder.
        cache: Folder for features.
        jobs: Processes.

    Returns:
        The figures.
    """
    test = corpus.of_split("test")
    degraded = [clip for clip in test.clips if clip.distortion.kind != "identical"]
    identical = np.concatenate([clip.table for clip in corpus.clips if clip.distortion.kind == "identical"])
    seen = [clip for clip in corpus.clips if clip.source.split != "test"]
    davis = build_corpus(davis_recipe(recipe, data), data, cache, jobs)
    extremes = {name: np.array([row], np.float64) for name, row in EXTREMES.items()}
    pooled = _pooled(degraded, predict), _pooled(degraded, teacher)
    return Report(
        frames=_figures(degraded, predict, teacher),
        spread=intervals(
            {name: _scored(clips, predict, teacher) for name, clips in _by(degraded, _source_name)}, recipe.fit.seed
        ),
        beyond_lift=_beyond_lift(degraded, predict, teacher, recipe.fit.lift),
        everything=_figures(test.clips, predict, teacher),
        pooled=agreement(*pooled),
        worst_pooled=float(np.abs(pooled[0] - pooled[1]).max()),
        by_distortion={n: _figures(clips, predict, teacher) for n, clips in _by(test.clips, _distortion_name)},
        by_source={n: _figures(clips, predict, teacher) for n, clips in _by(degraded, _source_name)},
        order=(order(test.clips, predict), order(test.clips, teacher)),
        order_seen=(order(seen, predict), order(seen, teacher)),
        identical=(float(predict(identical).min()), float(teacher(identical).min())),
        davis=_figures(davis.clips, predict, teacher),
        davis_order=(order(davis.clips, predict), order(davis.clips, teacher)),
        golden={n: (float(predict(t).mean()), float(teacher(t).mean())) for n, t in golden_pairs(data)},
        extremes={n: (float(predict(row)[0]), float(teacher(row)[0])) for n, row in extremes.items()},
        labels=_witness(recipe, test, teacher, data),
    )


def order(clips: Sequence[Clip], score: Predict) -> Order:
    """Look for pooled scores that rise along a ladder.

    Args:
        clips: Any clips; those of unordered distortions are left out.
        score: Scores of the frames of a table.

    Returns:
        What was found; a level is compared with the lowest score of all milder ones.
    """
    steps, rises, where = 0, [], []
    for ladder in levels_in_order(clips):
        pooled = np.array([score(clip.table).mean() for clip in ladder])
        gain = pooled[1:] - np.minimum.accumulate(pooled)[:-1]
        steps += len(gain)
        found = gain[gain > TOLERANCE]
        rises += found.tolist()
        if len(found):
            where.append(f"{ladder[0].source.name} {ladder[0].distortion.name}")
    return Order(steps, len(rises), max(rises, default=0.0), tuple(where))


def _source_name(clip: Clip) -> str:
    return clip.source.name


def _distortion_name(clip: Clip) -> str:
    return clip.distortion.name


def _by(clips: Iterable[Clip], key: Callable[[Clip], str]) -> Iterable[tuple[str, list[Clip]]]:
    groups: dict[str, list[Clip]] = {}
    for clip in clips:
        groups.setdefault(key(clip), []).append(clip)
    return groups.items()


def _scored(clips: Sequence[Clip], predict: Predict, teacher: Teacher) -> tuple[Column, Column]:
    table = np.concatenate([clip.table for clip in clips])
    return predict(table), teacher(table)


def _figures(clips: Sequence[Clip], predict: Predict, teacher: Teacher) -> Figures:
    return agreement(*_scored(clips, predict, teacher))


def _beyond_lift(clips: Sequence[Clip], predict: Predict, teacher: Teacher, lift: float) -> Figures:
    table = np.concatenate([clip.table for clip in clips])
    distance = np.abs(1 - table[:, [key != "motion2" for key in CANONICAL]]).sum(axis=1)
    left = table[distance >= lift]
    return agreement(predict(left), teacher(left))


def _pooled(clips: Sequence[Clip], score: Predict) -> Column:
    return np.array([score(clip.table).mean() for clip in clips])


def _witness(recipe: Recipe, test: Corpus, teacher: Teacher, data: Path) -> Figures:
    """Our labels against libvmaf's own scores of the same frames."""
    kinds = {item.name: item for item in recipe.distortions}
    ours, theirs = [], []
    for source in recipe.of_split("test"):
        reference = read_source(source, data)
        for name, level in WITNESSED.items():
            made = distort(reference, kinds[name], level)
            theirs.append(libvmaf_scores(reference, made, recipe.teacher))
            (clip,) = (c for c in test.clips if (c.source, c.distortion.name, c.level) == (source, name, level))
            ours.append(teacher(clip.table))
    return agreement(np.concatenate(ours), np.concatenate(theirs))
