"""One call from two videos to a Result."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, cast

import numpy as np
import numpy.typing as npt

from tinyvmaf._version import __version__
from tinyvmaf.errors import UsageError
from tinyvmaf.features._pictures import PictureModel
from tinyvmaf.features.base import Feature
from tinyvmaf.models import load
from tinyvmaf.models.runtime import DnnConfig, ModelSession
from tinyvmaf.score.fusion import TinyModel
from tinyvmaf.score.hdr import transfer_notes
from tinyvmaf.score.logs.names import log_name
from tinyvmaf.score.model import Column, Overload, ScoreModel
from tinyvmaf.score.pictures import PictureScore
from tinyvmaf.score.pipeline import WEIGHTED, Measured, Progress, make_feature, measure, needed_features, predict
from tinyvmaf.score.result import Result, RunInfo, ScoreInfo
from tinyvmaf.score.tiny import TinyScore, failure, run_notes, tiny_score

if TYPE_CHECKING:
    from tinyvmaf.video.align import Pairing
    from tinyvmaf.video.base import Video
    from tinyvmaf.video.policy import PairingPolicy
    from tinyvmaf.video.raw import RawFormat
    from tinyvmaf.video.single import Single

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

    @property
    def features(self) -> tuple[Feature, ...]:
        """What looks at frames in place of a table of features: the model itself, if it is of that kind."""
        return (self.model.feature,) if isinstance(self.model, PictureScore) else ()

    @property
    def tiny(self) -> TinyScore | None:
        """The model, if it is a tiny one."""
        return self.model if isinstance(self.model, PictureScore | TinyModel) else None

    @property
    def session(self) -> ModelSession | None:
        """The open graph of a tiny model."""
        return None if self.tiny is None else self.tiny.session

    def info(self, columns: Mapping[str, Column], frame_numbers: npt.NDArray[np.int64]) -> ScoreInfo:
        """Where the score comes from, and how its run went.

        Args:
            columns: What the model added.
            frame_numbers: (N,) numbers of the scored frames.

        Returns:
            The facts for results and logs.
        """
        file, tiny = self.file, self.tiny
        return ScoreInfo(
            self.name, file.id, file.sha256, self.model.kind, target=file.target, registered=file.registered,
            keys=tuple(columns), verified=file.verified,
            no_reference=any(isinstance(f, PictureModel) and f.kind == "nr" for f in self.features),
            device="CPU" if tiny is None else tiny.session.attached_device,
            notes=() if tiny is None else run_notes(self.name, tiny),
            failure="" if tiny is None else failure(self.name, columns[self.name], frame_numbers),
        )  # fmt: skip


def load_model(
    model: str | os.PathLike[str],
    name: str | None = None,
    *,
    disable_clip: bool = False,
    enable_transform: bool = False,
    overloads: Sequence[Overload] = (),
    config: DnnConfig | None = None,
    fallback_name: str = "",
) -> NamedModel:
    """Load a model by version, id or path.

    Args:
        model: One of Netflix's versions ("vmaf_v0.6.1"), an id of ours ("vmaf_tiny"), or a path to a .json or .onnx
            file; a `Path` is always a file, whatever its name.
        name: Name of the score; by default one that follows from the model.
        disable_clip: Leave scores outside the model's range as they are.
        enable_transform: Apply the model's score transform.
        overloads: Feature options in place of the model's.
        config: How a tiny model runs; libvmaf's JSON models take only its `verify`.
        fallback_name: Name of a tiny model's score where neither caller, sidecar nor registry has one; by default that
            of the file.

    Returns:
        The model.

    Raises:
        UnknownNameError: No such model.
        ModelError: The file cannot be read or is no model.
        UsageError: An option that this kind of model does not have.
    """
    config = config or DnnConfig()
    file = load.load(model, verify=config.verify, with_cosign=config.with_cosign)
    default = _NAMES.get(file.id, file.id) if file.registered else Path(file.id).stem
    if file.kind == "tiny":
        if disable_clip or enable_transform or overloads:
            raise UsageError(f"Model {model} is a tiny model: clip, transform and feature options do not apply to it.")
        session = config.open(file)
        name = name or (file.id if file.registered else session.sidecar.name or fallback_name or default)
        return NamedModel(name, tiny_score(session, name), file)
    from tinyvmaf.score.svm_json import load_svm

    svm = load_svm(file.data, disable_clip=disable_clip, enable_transform=enable_transform, overloads=tuple(overloads))
    return NamedModel(name or default, svm, file)


def default_threads() -> int:
    """Processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def compare(
    reference: VideoSource | None,
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
            plane or a tuple of planes, uint8 or uint16), or an open video, which is closed at the end. None where
            every model is one that needs no reference.
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
    from tinyvmaf.video.policy import PairingPolicy

    count = _checked_threads(threads)
    if subsample < 1:
        raise UsageError(f"Every n-th frame is scored with n at least 1, not {subsample}.", "Change subsample.")
    if all(isinstance(video, str) and video == "-" for video in (reference, distorted)):
        raise UsageError("Only one of the two videos can come from standard input, but both are named '-'.")
    loaded = [m if isinstance(m, NamedModel) else load_model(m) for m in _several(models)]
    asked = [f if isinstance(f, Feature) else make_feature(f) for f in _several(features)]
    if reference is None:
        _check_no_reference(loaded, asked)
    wanted = _wanted(loaded, asked)
    chroma = any(feature.planes == "all" for feature in wanted)
    started = time.perf_counter()
    with ExitStack() as stack:
        videos = [
            stack.enter_context(_open(source, raw, count, chroma, bits))
            for source in (reference, distorted)
            if source is not None
        ]
        pairing = _paired(videos, policy or PairingPolicy(), chroma)
        stack.callback(pairing.close)
        pairing.notes += transfer_notes(videos, wanted)
        if on_start is not None:
            on_start(pairing)
        measured = measure(pairing, wanted, threads=count, subsample=subsample, progress=progress)
        return _result(measured, loaded, pairing, count, subsample, started)


def _paired(videos: Sequence[Video], policy: PairingPolicy, chroma: bool) -> Pairing | Single:
    from tinyvmaf.video.align import pair_videos
    from tinyvmaf.video.single import Single

    if len(videos) == 1:
        return Single(videos[0], policy)
    return pair_videos(videos[0], videos[1], policy, chroma_needed=chroma)


def _check_no_reference(models: Sequence[NamedModel], features: Sequence[Feature]) -> None:
    """Without a reference only models of the distorted video's own frames can score."""
    for named in models:
        if not any(isinstance(f, PictureModel) and f.kind == "nr" for f in named.features):
            raise UsageError(
                f"Without a reference only no-reference models can score, but {named.name} needs one.",
                "Give a reference, or a model that takes one frame.",
            )
    for feature in features:
        raise UsageError(f"Feature {feature.name} needs a reference, but there is none.", "Give one.")


def _checked_threads(threads: int | None) -> int:
    count = threads or default_threads()
    if not 1 <= count <= MAX_THREADS:
        raise UsageError(f"The number of threads is 1 to {MAX_THREADS}, or 0 for all processors, not {threads}.")
    return count


def _several(items: Any) -> Sequence[Any]:
    return (items,) if isinstance(items, str | os.PathLike | NamedModel | Feature) else items


def _wanted(models: Sequence[NamedModel], extra: Sequence[Feature]) -> list[Feature]:
    """Every feature that has to be measured, after checking that there is one and that names differ."""
    wanted = needed_features((m.model for m in models), [*extra, *(f for m in models for f in m.features)])
    if not wanted:
        raise UsageError("There is nothing to measure: neither a model nor a feature is asked for.")
    if any(feature.weighs for feature in wanted):
        models = [*models, *(replace(m, name=m.name + WEIGHTED) for m in models if m.model.inputs)]
    _check_names(models, wanted)
    return wanted


def _check_names(models: Sequence[NamedModel], features: Sequence[Feature]) -> None:
    by_name: dict[str, NamedModel] = {}
    own = [feature for model in models for feature in model.features]
    keys = [key for feature in features if feature not in own for key in feature.keys]
    if twice := sorted({key for key in keys if keys.count(key) > 1}):
        raise UsageError(f"Every column needs a name of its own, but two features give {twice[0]!r}.", "Ask for one.")
    for model in models:
        name = model.name
        if name in by_name:
            cure = _cure(model, by_name[name])
            raise UsageError(f"Every model needs a name of its own, but {name!r} is used twice.", cure)
        by_name[name] = model
        if name in keys or name in map(log_name, keys):
            raise UsageError(f"A model cannot have the name {name!r}, which a feature has.", "Give it another name=.")


def _cure(model: NamedModel, other: NamedModel) -> str:
    """What helps where two models have one name."""
    if model.file.sha256 == other.file.sha256:
        return "It is the same model: give it once."
    if model.session is not None and other.session is not None:
        return "Change the name in the sidecar of one, or give one an id: tinyvmaf models import FILE ID."
    return "Give one a name=."


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
    measured: Measured,
    models: Sequence[NamedModel],
    pairing: Pairing | Single,
    threads: int,
    subsample: int,
    started: float,
) -> Result:
    columns = dict(measured.columns)
    scores: list[ScoreInfo] = []
    frame_numbers = np.array(measured.frame_numbers, dtype=np.int64)
    for named in models:
        # A model that looks at frames has measured its score already; it is listed where its turn comes.
        own = {key: columns.pop(key) for feature in named.features for key in feature.keys}
        added = predict(named.model, named.name, measured.columns) | own
        scores.append(_added(named, added, columns, frame_numbers))
        if named.model.inputs and any(key.endswith(WEIGHTED) for key in measured.columns):
            weighted = replace(named, name=named.name + WEIGHTED)
            added = predict(weighted.model, weighted.name, _weighted(measured.columns))
            # No study says that the model still predicts what it was trained for.
            scores.append(replace(_added(weighted, added, columns, frame_numbers), target="unknown"))
    times = np.array(measured.times)
    inputs: Mapping[str, Any] = {
        name: getattr(pairing, name) for name in ("reference", "distorted") if hasattr(pairing, name)
    }
    return Result(
        frame_numbers=frame_numbers,
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


def _added(
    named: NamedModel, added: Mapping[str, Column], columns: dict[str, Column], frame_numbers: npt.NDArray[np.int64]
) -> ScoreInfo:
    """Put what a model adds beside the other columns."""
    if twice := sorted(added.keys() & columns.keys()):
        raise UsageError(f"Two columns are named {twice[0]!r}.", f"Give model {named.name} another name.")
    columns.update(added)
    return named.info(added, frame_numbers)


def _weighted(columns: Mapping[str, Column]) -> dict[str, Column]:
    """The weighted columns under the keys of the plain ones."""
    return {key: columns.get(key + WEIGHTED, column) for key, column in columns.items()}
