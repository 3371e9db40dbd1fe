"""One call from two videos to a Result."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, cast

import numpy as np

from tinyvmaf._version import __version__
from tinyvmaf.errors import UnknownNameError, UsageError
from tinyvmaf.features.base import Feature
from tinyvmaf.models import load, registry
from tinyvmaf.score.logs.names import log_name
from tinyvmaf.score.model import Overload, ScoreModel
from tinyvmaf.score.pipeline import Measured, Progress, make_feature, measure, needed_features, predict
from tinyvmaf.score.result import Result, RunInfo, ScoreInfo

if TYPE_CHECKING:
    from tinyvmaf.video.align import Pairing
    from tinyvmaf.video.base import Video
    from tinyvmaf.video.policy import PairingPolicy
    from tinyvmaf.video.raw import RawFormat

VideoSource: TypeAlias = "str | os.PathLike[str] | Sequence[Any] | Video"
"""A path, frames as NumPy arrays, or a video opened with `open_video` or `open_arrays`."""

_NAMES = {"vmaf_v0.6.1": "vmaf", "vmaf_v0.6.1neg": "vmaf_neg", "vmaf_4k_v0.6.1": "vmaf_4k"}
"""What a Netflix model's score is called when nobody names it."""

MAX_THREADS = 1024
DEFAULT_MODELS = ("vmaf_v0.6.1", "vmaf_tiny")


@dataclass(frozen=True, slots=True)
class NamedModel:
    """A loaded model and the name of its score.

    Attributes:
        name: Key of the score in results and logs.
        model: The model.
        file: Where it came from.
    """

    name: str
    model: ScoreModel
    file: load.ModelFile

    def info(self, keys: Iterable[str]) -> ScoreInfo:
        """Where the score comes from.

        Args:
            keys: Columns that the model added.

        Returns:
            The facts for results and logs.
        """
        file = self.file
        return ScoreInfo(
            self.name, file.id, file.sha256, self.model.kind, target=file.target, registered=file.registered,
            keys=tuple(keys),
        )  # fmt: skip


def load_model(
    model: str | os.PathLike[str],
    name: str | None = None,
    *,
    disable_clip: bool = False,
    enable_transform: bool = False,
    overloads: Sequence[Overload] = (),
) -> NamedModel:
    """Load a model by version, id or path.

    Args:
        model: One of Netflix's versions ("vmaf_v0.6.1"), an id of ours ("vmaf_tiny"), or a path to a .json or .onnx
            file; a `Path` is always a file, whatever its name.
        name: Name of the score; by default one that follows from the model.
        disable_clip: Leave scores outside the model's range as they are.
        enable_transform: Apply the model's score transform.
        overloads: Feature options in place of the model's.

    Returns:
        The model.

    Raises:
        UnknownNameError: No such model.
        ModelError: The file cannot be read or is no model.
        UsageError: An option that this kind of model does not have.
    """
    file = _model_file(model)
    if file.kind == "tiny":
        if disable_clip or enable_transform or overloads:
            raise UsageError(f"Model {model} is a tiny model: clip, transform and feature options do not apply to it.")
        from tinyvmaf.score.fusion import TinyModel

        loaded: ScoreModel = TinyModel(file.data, file.sidecar)
    else:
        from tinyvmaf.score.svm_json import load_svm

        loaded = load_svm(
            file.data, disable_clip=disable_clip, enable_transform=enable_transform, overloads=tuple(overloads)
        )
    default = _NAMES.get(file.id, file.id) if file.registered else Path(file.id).stem
    return NamedModel(name or default, loaded, file)


def _model_file(model: str | os.PathLike[str]) -> load.ModelFile:
    if not isinstance(model, str) or registry.names_a_file(model):
        return load.load_path(Path(model))
    if model in registry.NETFLIX_SHA256 or model in registry.UNAVAILABLE:
        return load.load_version(model)
    ours = registry.tiny_ids()
    if model in ours:
        return load.load_tiny(model)
    known = (*registry.NETFLIX_SHA256, *ours)
    close = get_close_matches(model, known, n=1)
    lead = f"Did you mean {close[0]}? " if close else ""
    raise UnknownNameError(
        f"There is no model {model!r}.", f"{lead}There are: {', '.join(known)}, or a file by its path."
    )


def default_threads() -> int:
    """Processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def compare(
    reference: VideoSource,
    distorted: VideoSource,
    *,
    models: str | NamedModel | Sequence[str | NamedModel] = DEFAULT_MODELS,
    features: str | Feature | Sequence[str | Feature] = (),
    policy: PairingPolicy | None = None,
    raw: RawFormat | None = None,
    threads: int | None = None,
    subsample: int = 1,
    bits: int = 8,
    progress: Progress | None = None,
    on_start: Any = None,
) -> Result:
    """Score a distorted video against its reference.

    Args:
        reference: The pristine video: a path, "-" for Y4M on standard input, frames as NumPy arrays (each a 2-D luma
            plane or a tuple of planes, uint8 or uint16), or an open video, which is closed at the end.
        distorted: The degraded video, likewise.
        models: What to score with, one or several; see `load_model`.
        features: What to measure beyond what the models need, by name or as made by `make_feature`, one or several.
        policy: Which mismatches of the two videos are accepted or mended; by default only harmless ones.
        raw: Layout of both files when they are headerless.
        threads: Worker threads, at most 1024; all processors by default.
        subsample: Score every n-th frame only.
        bits: Bits per sample of frames given as arrays.
        progress: Told the number of frames done.
        on_start: Told the pairing before the first frame is read.

    Returns:
        The scores, per frame and pooled, and how they came about.

    Raises:
        TinyVmafError: See `tinyvmaf.errors`: unreadable or mismatched videos, unknown models, features or options.
    """
    from tinyvmaf.video.align import pair_videos
    from tinyvmaf.video.policy import PairingPolicy

    count = _checked_threads(threads)
    if subsample < 1:
        raise UsageError(f"Every n-th frame is scored with n at least 1, not {subsample}.", "Change subsample.")
    if all(isinstance(video, str) and video == "-" for video in (reference, distorted)):
        raise UsageError("Only one of the two videos can come from standard input, but both are named '-'.")
    loaded = [m if isinstance(m, NamedModel) else load_model(m) for m in _several(models)]
    wanted = _wanted(loaded, [f if isinstance(f, Feature) else make_feature(f) for f in _several(features)])
    chroma = any(feature.planes == "all" for feature in wanted)
    started = time.perf_counter()
    with (
        _open(reference, raw, count, chroma, bits) as first,
        _open(distorted, raw, count, chroma, bits) as second,
        pair_videos(first, second, policy or PairingPolicy(), chroma_needed=chroma) as pairing,
    ):
        if on_start is not None:
            on_start(pairing)
        measured = measure(pairing, wanted, threads=count, subsample=subsample, progress=progress)
        return _result(measured, loaded, pairing, count, subsample, started)


def _checked_threads(threads: int | None) -> int:
    count = threads or default_threads()
    if not 1 <= count <= MAX_THREADS:
        raise UsageError(f"The number of threads is 1 to {MAX_THREADS}, or 0 for all processors, not {threads}.")
    return count


def _several(items: Any) -> Sequence[Any]:
    return (items,) if isinstance(items, str | os.PathLike | NamedModel | Feature) else items


def _wanted(models: Sequence[NamedModel], extra: Sequence[Feature]) -> list[Feature]:
    """Every feature that has to be measured, after checking that there is one and that names differ."""
    wanted = needed_features((m.model for m in models), extra)
    if not wanted:
        raise UsageError("There is nothing to measure: neither a model nor a feature is asked for.")
    _check_names(models, wanted)
    return wanted


def _check_names(models: Sequence[NamedModel], features: Sequence[Feature]) -> None:
    names = [m.name for m in models]
    keys = [key for feature in features for key in feature.keys]
    for name in names:
        if names.count(name) > 1:
            raise UsageError(f"Every model needs a name of its own, but {name!r} is used twice.", "Give one a name=.")
        if name in keys or name in map(log_name, keys):
            raise UsageError(f"A model cannot have the name {name!r}, which a feature has.", "Give it another name=.")


def _open(source: VideoSource, raw: RawFormat | None, threads: int, chroma: bool, bits: int) -> Video:
    from tinyvmaf.video.base import Video
    from tinyvmaf.video.reader import open_arrays, open_video

    if isinstance(source, Video):
        return source
    if isinstance(source, str | os.PathLike):
        # Both videos decode at the same time, and every decoder thread holds frames of its own.
        return open_video(source, raw=raw, threads=max(1, threads // 2), planes="all" if chroma else "luma")
    return open_arrays(cast("Sequence[Any]", source), bits=bits)


def _result(
    measured: Measured, models: Sequence[NamedModel], pairing: Pairing, threads: int, subsample: int, started: float
) -> Result:
    columns = dict(measured.columns)
    scores: list[ScoreInfo] = []
    for named in models:
        added = predict(named.model, named.name, measured.columns)
        if twice := sorted(added.keys() & columns.keys()):
            raise UsageError(f"Two columns are named {twice[0]!r}.", f"Give model {named.name} another name.")
        columns.update(added)
        scores.append(named.info(added))
    times = np.array(measured.times)
    inputs: Mapping[str, Any] = {"reference": pairing.reference, "distorted": pairing.distorted}
    return Result(
        frame_numbers=np.array(measured.frame_numbers, dtype=np.int64),
        times=None if np.isnan(times).any() else times,
        columns=columns,
        scores=tuple(scores),
        width=pairing.width,
        height=pairing.height,
        run=RunInfo(__version__, threads, time.perf_counter() - started, subsample, measured.frames),
        aggregates=measured.aggregates,
        inputs=inputs,
        pairing=pairing.facts(),
    )
