"""The corpus: every source in every distortion at every level, measured and labelled by the teacher."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import numpy.typing as npt
from rich.console import Console
from rich.progress import track

from tinyvmaf.models.load import load
from tinyvmaf.score.fusion import CANONICAL
from tinyvmaf.score.svm_json import load_svm
from tinyvmaf.train.features import Clip, Table, measure_source
from tinyvmaf.train.recipe import Recipe, Source, Split

Column = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Corpus:
    """All clips of a recipe.

    Attributes:
        clips: Sources in the order of the recipe, then distortions, then levels.
    """

    clips: tuple[Clip, ...]

    def of_split(self, split: Split) -> Corpus:
        """The clips whose source belongs to a split."""
        return Corpus(tuple(clip for clip in self.clips if clip.source.split == split))

    @property
    def table(self) -> Table:
        """(N, 6) features of all frames."""
        return np.concatenate([clip.table for clip in self.clips])

    @property
    def sha256(self) -> str:
        """Of all features in order: equal for two corpora that give the same fit."""
        return hashlib.sha256(b"".join(np.ascontiguousarray(c.table, "<f8").tobytes() for c in self.clips)).hexdigest()


def build_corpus(recipe: Recipe, data: Path, cache: Path, jobs: int = 1, sources: Iterable[Source] = ()) -> Corpus:
    """Measure everything that is not yet in the cache.

    Args:
        recipe: What to make.
        data: Folder that the sources' paths are relative to.
        cache: Folder for the features.
        jobs: Processes that share the sources; the result does not depend on it.
        sources: Only these; none means all of the recipe.

    Returns:
        The corpus.
    """
    chosen = tuple(sources) or recipe.sources
    work = partial(_clips_of, recipe, data, cache)
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        done = track(pool.map(work, chosen), "Encoding and measuring", total=len(chosen), console=Console(stderr=True))
        return Corpus(tuple(clip for clips in done for clip in clips))


def _clips_of(recipe: Recipe, data: Path, cache: Path, source: Source) -> list[Clip]:
    return list(measure_source(recipe, source, data, cache))


class Teacher:
    """The model that is imitated: a known function of the six features.

    Attributes:
        name: Its version name.
        sha256: Of its file.
    """

    def __init__(self, name: str) -> None:
        file = load(name)
        self.name, self.sha256 = name, file.sha256
        self._model = load_svm(file.data, disable_clip=True)
        self._order = [CANONICAL.index(item.key) for item in self._model.inputs]

    def raw(self, table: Table) -> Column:
        """Scores before clipping.

        Args:
            table: (N, 6) features, columns as in CANONICAL.

        Returns:
            (N,) float64.
        """
        return self._model.columns(table[:, self._order], "vmaf")["vmaf"]

    def __call__(self, table: Table) -> Column:
        """Scores as libvmaf reports them, 0 to 100."""
        return np.clip(self.raw(table), 0.0, 100.0)


def levels_in_order(clips: Sequence[Clip]) -> list[list[Clip]]:
    """Clips of one source and one ordered distortion, mild to strong.

    Args:
        clips: Any clips.

    Returns:
        One list per source and distortion with at least two levels.
    """
    ladders: dict[tuple[str, str], list[Clip]] = {}
    for clip in clips:
        if clip.distortion.ordered:
            ladders.setdefault((clip.source.name, clip.distortion.name), []).append(clip)
    return [ladder for ladder in ladders.values() if len(ladder) > 1]
