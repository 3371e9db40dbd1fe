"""Do models give the same numbers on every device? Registered models on frames of a clip, held against the CPU."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import cycle, islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from tinyvmaf.dnn.parity import ParityRow, compare
from tinyvmaf.errors import UsageError
from tinyvmaf.features._pictures import PictureModel, takes_pictures
from tinyvmaf.models import registry
from tinyvmaf.models.load import load
from tinyvmaf.models.runtime import ModelSession
from tinyvmaf.score.fusion import TinyModel
from tinyvmaf.score.pipeline import input_key, measure, needed_features
from tinyvmaf.video.align import pair_videos
from tinyvmaf.video.frame import FramePair
from tinyvmaf.video.policy import PairingPolicy
from tinyvmaf.video.reader import open_video
from tinyvmaf.video.rgb import to_rgb

Tensors: TypeAlias = Mapping[str, npt.NDArray[Any]]

FRAMES = 24
"""Frame pairs that are looked at."""


@dataclass(frozen=True, slots=True)
class ModelParity(ParityRow):
    """One output of one model on one device.

    Attributes:
        model: Id or path of the model.
    """

    model: str = ""


def compare_devices(
    models: Sequence[str],
    devices: Sequence[str],
    *,
    reference: str | None = None,
    distorted: str | None = None,
    tolerance_fp32: float = 1e-4,
    tolerance_fp16: float = 1e-2,
) -> list[ModelParity]:
    """Run models on devices and compare with the CPU.

    Args:
        models: Ids and paths of ONNX models; all registered ones where there is none.
        devices: Device names, see `tinyvmaf.dnn.parity.compare`.
        reference: The pristine clip; both clips are generated where none is given.
        distorted: The degraded clip.
        tolerance_fp32: Largest absolute difference.
        tolerance_fp16: Largest difference where float16 takes part.

    Returns:
        One row per model, device and output.

    Raises:
        UsageError: Only one clip is given, or a tolerance is negative or not a number.
        TinyVmafError: A model or clip cannot be used.
    """
    if not (0 <= tolerance_fp32 < math.inf and 0 <= tolerance_fp16 < math.inf):
        raise UsageError(f"Tolerances are 0 or more, not {tolerance_fp32} and {tolerance_fp16}.")
    if (reference is None) != (distorted is None):
        raise UsageError("Parity needs both clips or none, but one is given.", "Give --reference and --distorted.")
    names = models or [entry.id for entry in registry.entries() if entry.is_onnx]
    rows: list[ModelParity] = []
    with ExitStack() as stack:
        clips = (reference, distorted) if reference and distorted else _generated(stack)
        pairs = list(_pairs(*clips))
        for name in names:
            file = load(name)
            session = ModelSession(file, device="cpu", fp16_io=True)
            inputs, verdict = _inputs(session, pairs), session.verdict
            session.close()
            found = compare(
                file.data, inputs, devices=devices, name=name, verdict=verdict, tolerance_fp32=tolerance_fp32,
                tolerance_fp16=tolerance_fp16,
            )  # fmt: skip
            rows += [
                ModelParity(**{key: getattr(row, key) for key in ParityRow.__slots__}, model=name) for row in found
            ]
    return rows


def _generated(stack: ExitStack) -> tuple[str, str]:
    from tinyvmaf.video.demo import write_pair

    reference, distorted = write_pair(Path(stack.enter_context(TemporaryDirectory())), FRAMES)
    return str(reference), str(distorted)


def _pairs(reference: str, distorted: str) -> Iterator[FramePair]:
    policy = PairingPolicy(frame_limit=FRAMES)
    with (
        open_video(reference) as one,
        open_video(distorted) as other,
        pair_videos(one, other, policy, chroma_needed=True) as pairing,
    ):
        yield from pairing


def _inputs(session: ModelSession, pairs: Sequence[FramePair]) -> Tensors:
    """What a graph takes, made of the frames: standardised and padded as its sidecar says."""
    if takes_pictures(session):
        return session.prepared(PictureModel(session, "parity").inputs(pairs[len(pairs) // 2]))
    frame = session.sidecar.frame
    if frame is not None and frame.window > 1:
        return {session.inputs[0].name: _window(session, pairs)}
    model = TinyModel(session)
    columns = measure(pairs, needed_features([model], ())).columns
    rows = np.column_stack([columns[input_key(item)] for item in model.inputs]).astype(np.float32)
    return session.prepared({session.inputs[0].name: rows[: model.batch]})


def _window(session: ModelSession, pairs: Sequence[FramePair]) -> npt.NDArray[np.float32]:
    """(1, T, 3, H, W) float32: the reference's frames, again and again until the window is full."""
    frame = session.sidecar.frame
    assert frame is not None  # for the type checker: the caller has looked
    size = None if frame.width is None or frame.height is None else (frame.width, frame.height)
    images = [to_rgb(pair.reference, pair.colour, size, frame.resize) for pair in pairs]
    stacked = np.stack(list(islice(cycle(images), frame.window)))[None] * np.float32(frame.value_range[1])
    wanted = session.inputs[0].shape or ()
    return stacked if wanted[2:3] == (3,) else np.ascontiguousarray(np.moveaxis(stacked, 2, -1))
