"""From frame pairs to a table of columns: features on worker threads, then models over all frames at once."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from itertools import chain, islice
from typing import Any, TypeAlias

import numpy as np

from tinyvmaf import _catalogue
from tinyvmaf.errors import MismatchError
from tinyvmaf.features.base import Column, Feature, Partial
from tinyvmaf.score.model import ModelInput, ScoreModel
from tinyvmaf.video.frame import FramePair

CHUNK_SAMPLES = 1 << 20
"""Luma samples that one task holds, so that small frames share the cost of a hand-over."""

CHUNK_FRAMES = 8
"""Most frame pairs in one task."""

WEIGHTED = "_saliency"
"""What the keys of columns end in whose samples were weighted by saliency."""

Progress = Callable[[int], None]
Rows: TypeAlias = list[list[tuple[Partial, Partial]]]
"""Per frame pair of a chunk, what each feature that looked at it said: plain, and weighted or None."""


@dataclass(slots=True)
class Measured:
    """What the features said.

    Attributes:
        frame_numbers: Numbers of the scored frames.
        times: Their presentation times in seconds, NaN where there is no clock.
        columns: Key to one value per scored frame.
        aggregates: Numbers of the whole clip.
        frames: Frames read, scored or not.
    """

    frame_numbers: list[int] = field(default_factory=list)
    times: list[float] = field(default_factory=list)
    columns: dict[str, Column] = field(default_factory=dict)
    aggregates: dict[str, float] = field(default_factory=dict)
    frames: int = 0


def make_feature(name: str, options: Mapping[str, Any] | None = None) -> Feature:
    """Make a feature by name.

    Args:
        name: Catalogue name, such as "vif".
        options: Its options.

    Returns:
        The feature.

    Raises:
        UnknownNameError: No such feature or option.
        UsageError: A value of the wrong type or out of range.
    """
    return _catalogue.find("tinyvmaf.features", name, Feature, "feature")(**dict(options or {}))  # type: ignore[type-abstract]


def needed_features(models: Iterable[ScoreModel], extra: Iterable[Feature]) -> list[Feature]:
    """The features that models and user ask for, each once, the models' first.

    Args:
        models: Models to feed.
        extra: Features to report besides.

    Returns:
        Features whose columns do not repeat.
    """
    wanted = [make_feature(item.feature, dict(item.options)) for model in models for item in model.inputs]
    found: dict[Any, Feature] = {}
    for feature in chain(wanted, extra):
        found.setdefault(feature.identity, feature)
    return list(found.values())


def input_key(item: ModelInput) -> str:
    """The column that a model input is read from.

    Args:
        item: The input.

    Returns:
        Its key with the suffix of its feature's options.
    """
    return item.key + make_feature(item.feature, dict(item.options)).suffix


def measure(
    pairs: Iterable[FramePair],
    features: Sequence[Feature],
    *,
    threads: int = 1,
    subsample: int = 1,
    progress: Progress | None = None,
) -> Measured:
    """Run features over frame pairs.

    Work is spread over threads by frames, never inside one sum, so the digits do not depend on the number of threads.
    Memory is bounded by `threads + 1` chunks of frames. Where pairs have weights, features that heed them give two
    columns in one pass: the plain one, and one whose key ends in WEIGHTED.

    Args:
        pairs: The pairs, in order.
        features: What to measure.
        threads: Worker threads, 1 or more; the calling thread reads the pairs.
        subsample: Score the frames whose number is a multiple of it; temporal features still see every frame.
        progress: Told the number of frames done, from the calling thread.

    Returns:
        The columns of the scored frames.

    Raises:
        MismatchError: The frames are too small for a feature.
    """
    collected = _Collector(features, subsample)
    waiting: deque[tuple[Future[Rows], list[FramePair]]] = deque()
    pool = ThreadPoolExecutor(threads, thread_name_prefix="tinyvmaf-score")

    def take() -> None:
        done, chunk = waiting.popleft()
        collected.take(chunk, done.result())
        if progress is not None:
            progress(collected.measured.frames)

    for feature in features:
        pairs = feature.prepare(pairs)
    try:
        for chunk in _chunks(pairs, features, pool):
            waiting.append((pool.submit(collected.work, chunk), chunk))
            if len(waiting) > threads:
                take()
        while waiting:
            take()
    except BaseException:
        collected.stop()
        raise
    finally:
        pool.shutdown(cancel_futures=True)
    return collected.finish()


class _Collector:
    """What the features said so far, in frame order."""

    def __init__(self, features: Sequence[Feature], subsample: int) -> None:
        self.measured = Measured()
        self._features = features
        self._subsample = subsample
        self._series = [feature.series() for feature in features]
        self._weighted = [feature.series() if feature.weighable else None for feature in features]
        self._weighs = False
        self._stopped = False

    def stop(self) -> None:
        """End the work that goes on: nobody waits for it any more."""
        self._stopped = True
        for feature in self._features:
            feature.stop()

    def _wanted(self, pair: FramePair) -> list[int]:
        """Positions of the features that look at a pair: all if it is scored, else the temporal ones."""
        scored = pair.index % self._subsample == 0
        return [f for f, feature in enumerate(self._features) if scored or feature.temporal]

    def work(self, chunk: list[FramePair]) -> Rows:
        """Measure a chunk; on any thread."""
        return [[self._measured(f, pair) for f in self._wanted(pair)] for pair in chunk if not self._stopped]

    def _measured(self, f: int, pair: FramePair) -> tuple[Partial, Partial]:
        """What a feature says of a pair, and what it says of the pair with its weights."""
        feature = self._features[f]
        if pair.weights is None or not feature.weighable:
            return feature.update(pair), None
        return feature.update_both(pair)

    def take(self, chunk: list[FramePair], rows: Rows) -> None:
        """Pass on the partial results of the next chunk."""
        for pair, row in zip(chunk, rows, strict=True):
            self._weighs = pair.weights is not None
            for f, (plain, weighted) in zip(self._wanted(pair), row, strict=True):
                self._series[f].add(plain)
                series = self._weighted[f]
                if series is not None and self._weighs:
                    series.add(weighted)
            if pair.index % self._subsample == 0:
                time = pair.reference.time
                self.measured.frame_numbers.append(pair.index)
                self.measured.times.append(float("nan") if time is None else float(time))
        self.measured.frames += len(chunk)

    def finish(self) -> Measured:
        """Turn partial results into the columns of the scored frames."""
        for feature, series in zip(self._features, self._series, strict=True):
            columns, aggregates = series.finish(self._subsample if feature.temporal else 1)
            self.measured.columns.update(columns)
            self.measured.aggregates.update(aggregates)
        for feature, weighted in zip(self._features, self._weighted, strict=True):
            if weighted is not None and self._weighs:
                columns, _ = weighted.finish(self._subsample if feature.temporal else 1)
                self.measured.columns.update({key + WEIGHTED: column for key, column in columns.items()})
        return self.measured


def _chunks(
    pairs: Iterable[FramePair], features: Sequence[Feature], pool: ThreadPoolExecutor
) -> Iterator[list[FramePair]]:
    source = iter(pairs)
    first = next(source, None)
    if first is None:
        return
    height, width = first.reference.luma.shape
    _check_size(width, height, features)
    _warm_up(first, features, pool)
    size = min(CHUNK_FRAMES, max(1, CHUNK_SAMPLES // (height * width)))
    rest = chain([first], source)
    del first
    while chunk := list(islice(rest, size)):
        yield chunk


def _check_size(width: int, height: int, features: Sequence[Feature]) -> None:
    for feature in features:
        if min(width, height) < feature.minimum_size:
            raise MismatchError(
                f"Feature {feature.name} needs frames of at least {feature.minimum_size} x {feature.minimum_size} "
                f"samples, but these are {width} x {height}.",
                "Scale both videos up, or leave the feature out.",
            )


def _warm_up(pair: FramePair, features: Sequence[Feature], pool: ThreadPoolExecutor) -> None:
    """Let kernels that were never compiled on this machine compile side by side instead of one after the other."""
    pair = replace(pair, previous=pair.reference)
    for done in [pool.submit(feature.update, pair) for feature in features]:
        done.result()


def predict(model: ScoreModel, name: str, columns: Mapping[str, Column]) -> dict[str, Column]:
    """Run one model over measured columns.

    Args:
        model: The model.
        name: Its name in the log.
        columns: What the features measured.

    Returns:
        The model's columns, its score first; none for a model that reads no features.
    """
    if not model.inputs:
        return {}
    table = np.column_stack([columns[input_key(item)] for item in model.inputs])
    return model.columns(table, name)
