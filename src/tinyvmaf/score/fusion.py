"""Tiny ONNX models that fuse libvmaf's six elementary features into one score per frame."""

from __future__ import annotations

from typing import Literal

import numpy as np
import numpy.typing as npt

from tinyvmaf.dnn.binding import describe
from tinyvmaf.dnn.graph import Port
from tinyvmaf.errors import ContractError
from tinyvmaf.models.runtime import ModelSession
from tinyvmaf.score.model import Column, ModelInput, Table, check_table

CANONICAL = ("adm2", "vif_scale0", "vif_scale1", "vif_scale2", "vif_scale3", "motion2")
"""The features, in the order in which the graphs read them unless their sidecar says otherwise."""

BLOCK_ROWS = 65536
_FLOATS = {"float32", "float16"}
_FEATURE_OF = {"adm2": "adm", "motion2": "motion", **{f"vif_scale{i}": "vif" for i in range(4)}}


class TinyModel:
    """A graph from six features to one score.

    Attributes:
        session: The open graph.
        batch: Most rows of one run: 1 where the graph fixes it.
        outside: Scores of the last prediction that lay outside the sidecar's output range.
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
        _check_contract(session)
        self._input = session.inputs[0].name
        self.batch = 1 if _is_one_row(session.inputs[0]) else BLOCK_ROWS
        self.outside = 0

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
            (N,) float64 scores, finite ones clipped to the sidecar's output range; NaN where a feature is not finite.

        Raises:
            ContractError: The table or the graph's answer has the wrong shape.
            ModelError: The graph failed.
        """
        rows = check_table(table, self.inputs)
        scores = np.full(len(rows), np.nan)
        whole = np.flatnonzero(np.isfinite(rows).all(axis=1))
        for start in range(0, len(whole), self.batch):
            block = whole[start : start + self.batch]
            scores[block] = self._run(rows[block].astype(np.float32))
        self.outside = self.session.outside(scores)
        span = self.session.sidecar.output_range
        return scores if span is None else np.clip(scores, *span, out=scores, where=np.isfinite(scores))

    def _run(self, rows: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        (answer,) = self.session.run({self._input: rows}).values()
        if answer.size != len(rows):
            raise ContractError(f"A tiny model gives one score per row, but {len(rows)} rows gave {answer.size}.")
        scores: npt.NDArray[np.float32] = answer.reshape(len(rows))
        return scores


def _check_contract(session: ModelSession) -> None:
    """Refuse a graph whose inputs and outputs are not those of a fusion model."""
    ports = (*session.inputs, *session.outputs)
    rows = len(session.inputs) == len(session.outputs) == 1 and _is_from_row_to_score(*ports)
    if not rows or not {port.dtype for port in ports} <= _FLOATS:
        raise ContractError(
            f"A tiny model turns float32 [N, {len(CANONICAL)}] into float32 [N] or [N, 1], or looks at pictures "
            f"[N, 1 or 3, H, W], but {session.name} has {', '.join(map(describe, ports))}.",
            "A no-reference model takes one picture, the distorted frame; a full-reference one takes two.",
        )
    if any(port.dtype == "float16" for port in ports) and not session.fp16_io:
        raise ContractError(
            f"Features are float32, but {session.name} has {', '.join(map(describe, ports))}.",
            "Have them converted: vmaf --tiny-fp16, or DnnConfig(fp16_io=True) in Python.",
        )


def _is_from_row_to_score(taken: Port, given: Port) -> bool:
    takes = _is_batch(taken.shape, (len(CANONICAL),))
    gives = _is_batch(given.shape, ()) or _is_batch(given.shape, (1,))
    return takes and gives and (_is_one_row(taken) or not _is_one_row(given))


def _is_batch(shape: tuple[int | str | None, ...] | None, rest: tuple[int, ...]) -> bool:
    """Whether a shape is a first axis that is free or 1, followed by `rest`."""
    if shape is None or len(shape) != len(rest) + 1:
        return False
    return (shape[0] == 1 or not isinstance(shape[0], int)) and shape[1:] == rest


def _is_one_row(port: Port) -> bool:
    """Whether the batch is fixed: rows then go one by one."""
    return port.shape is not None and port.shape[:1] == (1,)
