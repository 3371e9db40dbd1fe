"""The six features of every frame of the corpus, kept on disk clip by clip so that a stopped run goes on."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from importlib import metadata, resources
from pathlib import Path
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from tinyvmaf._files import write_bytes
from tinyvmaf.features.adm import Adm
from tinyvmaf.features.base import Feature
from tinyvmaf.features.motion import Motion
from tinyvmaf.features.vif import Vif
from tinyvmaf.score.fusion import CANONICAL
from tinyvmaf.train.distort import distort
from tinyvmaf.train.recipe import Distortion, Recipe, Source
from tinyvmaf.train.sources import read_source
from tinyvmaf.video.frame import Frame, FramePair

Table: TypeAlias = npt.NDArray[np.float64]

_KERNELS = ("vif", "vif_scales", "adm", "motion", "arithmetic", "flags")
_CODE = ("vif.py", "adm.py", "motion.py", *(f"kernels/{name}.py" for name in _KERNELS))
_PACKAGES = ("av", "numpy", "scipy", "numba")


@dataclass(frozen=True, slots=True)
class Clip:
    """One degraded clip of the corpus, measured.

    Attributes:
        source: What was degraded.
        distortion: How.
        level: How strongly.
        table: (N, 6) features, columns as in CANONICAL.
    """

    source: Source
    distortion: Distortion
    level: float
    table: Table


def measure(reference: Sequence[Frame], distorted: Sequence[Frame]) -> Table:
    """The six features of every frame of a pair of clips.

    Args:
        reference: The pristine clip.
        distorted: The degraded clip, as many frames of the same size and bits.

    Returns:
        (N, 6) float64, columns as in CANONICAL.
    """
    before = [None, *reference[:-1]]
    pairs = [FramePair(*both, i, before[i]) for i, both in enumerate(zip(reference, distorted, strict=True))]
    columns: dict[str, npt.NDArray[np.float64]] = {}
    features: tuple[Feature, ...] = (Adm(), Vif(), Motion())
    for feature in features:
        columns |= feature.compute([feature.update(pair) for pair in pairs])
    return np.column_stack([columns[key] for key in CANONICAL])


def measure_source(recipe: Recipe, source: Source, data: Path, cache: Path) -> Iterator[Clip]:
    """Measure every distortion of one source, or take it from the cache.

    Args:
        recipe: Names the distortions.
        source: One of its sources.
        data: Folder that the source's path is relative to.
        cache: Folder for one .npy file per clip, each written whole or not at all.

    Yields:
        One clip per distortion and level, in the order of the recipe.

    Raises:
        DataError: The source is missing or is not the file that the recipe names.
    """
    folder = cache / source.name
    folder.mkdir(parents=True, exist_ok=True)
    reference: list[Frame] = []
    for distortion in recipe.distortions:
        for level in distortion.levels:
            path = folder / f"{distortion.name}-{level:g}-{cache_key(source, distortion, level)}.npy"
            if not path.exists():
                reference = reference or read_source(source, data)
                _save(path, measure(reference, distort(reference, distortion, level)))
            yield Clip(source, distortion, level, np.load(path, allow_pickle=False))


def _save(path: Path, table: Table) -> None:
    buffer = io.BytesIO()
    np.save(buffer, table, allow_pickle=False)
    write_bytes(path, buffer.getvalue())


def cache_key(source: Source, distortion: Distortion, level: float) -> str:
    """Short hash of everything that decides the features of a clip: settings, kernels and package versions.

    Args:
        source: The source.
        distortion: The distortion; its other levels do not count.
        level: The level.

    Returns:
        16 hexadecimal digits.
    """
    folder = resources.files("tinyvmaf.features")
    code = hashlib.sha256(b"".join(folder.joinpath(name).read_bytes() for name in _CODE)).hexdigest()
    settings = asdict(source) | {"split": "", "distortion": asdict(distortion) | {"levels": level}}
    versions = {name: metadata.version(name) for name in _PACKAGES}
    text = json.dumps([settings, versions, code], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]
