"""Tiny ONNX models as users hand them in: which sort of score a graph gives, and what is to be said of a run."""

from __future__ import annotations

from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt

from tinyvmaf.errors import ContractError
from tinyvmaf.features._pictures import takes_pictures
from tinyvmaf.models.runtime import ModelSession
from tinyvmaf.score.fusion import TinyModel
from tinyvmaf.score.model import Column
from tinyvmaf.score.pictures import PictureScore

TinyScore: TypeAlias = TinyModel | PictureScore

_SHOTS: Final = ("shots", "shot_detector")
_FEATURES, _ONE, _TWO = "features of both videos", "one picture", "two pictures"
_TAKES: Final = {"fr": (_FEATURES, _TWO), "nr": (_ONE,), "filter": (_ONE,), "saliency": (_ONE,)}
"""What a graph of each kind takes."""


def tiny_score(session: ModelSession, name: str) -> TinyScore:
    """Make a score model of a graph.

    Args:
        session: The open graph.
        name: Key of the score.

    Returns:
        The model.

    Raises:
        ContractError: The graph gives no scores, or its sidecar or registry entry calls it another kind than it is.
    """
    entry = session.file.entry
    said = {"registry entry": "" if entry is None else entry.kind, "sidecar": session.sidecar.kind}
    if any(kind in _SHOTS for kind in said.values()):
        raise ContractError(
            f"{session.name} finds where shots end (its kind is shots) and gives no score.",
            "Open it with tinyvmaf.dnn.open_session; a no-reference model takes one picture, [N, 1 or 3, H, W].",
        )
    model = PictureScore(session, name) if takes_pictures(session) else TinyModel(session)
    takes = _takes(model)
    for where, kind in said.items():
        if takes not in _TAKES.get(kind, (takes,)):
            fits = ", ".join(word for word, wanted in _TAKES.items() if takes in wanted)
            raise ContractError(
                f"The {where} of {session.name} calls it {kind}, but its graph takes {takes}.",
                f"Correct the kind; it may be {fits}.",
            )
    return model


def _takes(model: TinyScore) -> str:
    if isinstance(model, TinyModel):
        return _FEATURES
    return _ONE if model.feature.kind == "nr" else _TWO


def run_notes(name: str, model: TinyScore) -> tuple[str, ...]:
    """What people should know of the last run: passed-over devices, pictures for a score, scores out of range.

    Args:
        name: Name of the score.
        model: The model.

    Returns:
        Sentences.
    """
    session = model.session
    notes = []
    if session.fallbacks:
        notes.append(f"{name} runs on {session.attached_device}: {'; '.join(session.fallbacks)}.")
    gives = model.feature.gives if isinstance(model, PictureScore) else ""
    if gives:
        mean = "picture" if gives == "pictures" else "numbers"
        notes.append(f"{name} gives {gives}, not a score: each frame's value is the mean of its {mean}.")
    if model.outside:
        clipped = ", and were clipped to it" if isinstance(model, TinyModel) else ""
        span = session.sidecar.output_range
        notes.append(f"{model.outside} scores of {name} lay outside the range of its sidecar, {span}{clipped}.")
    return tuple(notes)


def failure(name: str, scores: Column, frame_numbers: npt.NDArray[np.int64]) -> str:
    """Which scores are no numbers.

    Args:
        name: Name of the score.
        scores: (N,) float64.
        frame_numbers: (N,) int64.

    Returns:
        One sentence, empty where all scores are finite.
    """
    wrong = frame_numbers[~np.isfinite(scores)]
    if not len(wrong):
        return ""
    return f"{name} gave no finite number for {len(wrong)} of {len(scores)} frames, the first is frame {wrong[0]}."
