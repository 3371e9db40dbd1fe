"""Tiny ONNX models that look at the frames themselves: their number per frame is the score."""

from __future__ import annotations

from typing import Literal

from tinyvmaf.features._pictures import PictureModel
from tinyvmaf.models.runtime import ModelSession
from tinyvmaf.score.model import Column, ModelInput, Table


class PictureScore:
    """A graph from one frame, or from a pair of frames, to one score.

    Attributes:
        session: The open graph.
        feature: What runs it on every frame.
    """

    def __init__(self, session: ModelSession, name: str) -> None:
        """Find out what the graph takes.

        Args:
            session: The open graph.
            name: Key of the score.

        Raises:
            ContractError: It does not take one or two pictures.
        """
        self.session = session
        self.feature = PictureModel(session, name)

    @property
    def kind(self) -> Literal["tiny"]:
        """What the model is made of."""
        return "tiny"

    @property
    def inputs(self) -> tuple[ModelInput, ...]:
        """None: the score is measured on the frames, not computed from features."""
        return ()

    @property
    def outside(self) -> int:
        """Scores of the last run that lay outside the sidecar's output range; they are left as they are."""
        return self.feature.outside

    def columns(self, table: Table, name: str) -> dict[str, Column]:
        """None: `feature` provides the score."""
        return {}
