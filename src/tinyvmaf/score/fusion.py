"""Tiny ONNX models that fuse libvmaf's six elementary features into one score per frame."""

from __future__ import annotations

from typing import Literal

import numpy as np
import numpy.typing as npt

from tinyvmaf.dnn.binding import describe
from tinyvmaf.errors import ContractError
from tinyvmaf.models.runtime import ModelSession
from tinyvmaf.score.model import Column, ModelInput, Table, check_table

CANONICAL = ("adm2", "vif_scale0", "vif_scale1", "vif_scale2", "vif_scale3", "motion2")
"""The features, in the order in which the graphs read them unless their sidecar says otherwise."""

BLOCK_ROWS = 65536
_FEATURE_OF = {"adm2": "adm", "motion2": "motion", **{f"vif_scale{i}": "vif" for i in range(4)}}


class TinyModel:
    """A graph from six features to one score.

    Attributes:
        session: The open graph.
    """

    def __init__(self, session: ModelSession) -> None:
        """Check that the graph is a fusion model.

        Args:
            session: The open graph.

        Raises:
            ContractError: Its input, its output or the features of its sidecar are not what a fusion model has.
        """
        self.session = session
        self._keys = session.sidecar.features or CANONICAL
        if sorted(self._keys) != sorted(CANONICAL):
            raise ContractError(
                f"A tiny model reads the features {', '.join(CANONICAL)}, but the sidecar names "
                f"{', '.join(self._keys)[:120]}."
            )
        self._input = _check_contract(session)

    @property
    def kind(self) -> Literal["tiny"]:
        """What the model is made of."""
        return "tiny"

    @property
    def inputs(self) -> tuple[ModelInput, ...]:
        """The six columns it reads, in the graph's order."""
        return tuple(ModelInput(_FEATURE_OF[key], key) for key in self._keys)

    def columns(self, table: Table, name: str) -> dict[str, Column]:
        """The model's one log column.

        Args:
            table: (N, 6) float64 features.
            name: Name of the model in the log.

        Returns:
            {name: (N,) scores}.
        """
        return {name: self.predict(table)}

    def predict(self, table: Table) -> Column:
        """Score every frame.

        Args:
            table: (N, 6) float64 features in the order of `inputs`.

        Returns:
            (N,) float64 scores, clipped to the sidecar's output range; NaN where a feature is not finite.

        Raises:
            ContractError: The table or the graph's answer has the wrong shape.
            ModelError: The graph failed.
        """
        rows = check_table(table, self.inputs)
        scores = np.full(len(rows), np.nan)
        whole = np.flatnonzero(np.isfinite(rows).all(axis=1))
        for start in range(0, len(whole), BLOCK_ROWS):
            block = whole[start : start + BLOCK_ROWS]
            scores[block] = self._run(rows[block].astype(np.float32))
        span = self.session.sidecar.output_range
        return scores if span is None else np.clip(scores, *span)

    def _run(self, rows: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        (answer,) = self.session.run({self._input: rows}).values()
        if answer.size != len(rows):
            raise ContractError(f"A tiny model gives one score per row, but {len(rows)} rows gave {answer.size}.")
        scores: npt.NDArray[np.float32] = answer.reshape(len(rows))
        return scores


def _check_contract(session: ModelSession) -> str:
    """Name of the input, once number, types and shapes of inputs and outputs are those of a fusion model."""
    inputs, outputs = session.inputs, session.outputs
    count = len(CANONICAL)
    takes = len(inputs) == 1 and inputs[0].dtype == "float32" and _is_batch(inputs[0].shape, (count,))
    gives = len(outputs) == 1 and outputs[0].dtype == "float32"
    gives = gives and (_is_batch(outputs[0].shape, ()) or _is_batch(outputs[0].shape, (1,)))
    if not takes or not gives:
        found = ", ".join(map(describe, (*inputs, *outputs)))
        raise ContractError(
            f"A tiny model turns float32 [N, {count}] into float32 [N] or [N, 1], but this one has {found}."
        )
    return inputs[0].name


def _is_batch(shape: tuple[int | str | None, ...] | None, rest: tuple[int, ...]) -> bool:
    """Whether a shape is a free first axis followed by `rest`."""
    return shape is not None and len(shape) == len(rest) + 1 and not isinstance(shape[0], int) and shape[1:] == rest
