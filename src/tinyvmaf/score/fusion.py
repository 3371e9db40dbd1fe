"""Tiny ONNX models that fuse libvmaf's six elementary features into one score per frame."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from tinyvmaf.errors import ContractError, ModelError
from tinyvmaf.models.guard import check_onnx
from tinyvmaf.score.model import Column, ModelInput, Table, check_table

CANONICAL = ("adm2", "vif_scale0", "vif_scale1", "vif_scale2", "vif_scale3", "motion2")
"""The features, in the order in which the graphs read them unless their sidecar says otherwise."""

BLOCK_ROWS = 65536
_FEATURE_OF = {"adm2": "adm", "motion2": "motion", **{f"vif_scale{i}": "vif" for i in range(4)}}


@dataclass(frozen=True, slots=True)
class Sidecar:
    """What the JSON beside a graph says about it.

    Attributes:
        name: Name for people, empty where it states none.
        features: Keys in the graph's order, a permutation of CANONICAL.
        mean: Subtracted from the features before the graph sees them, None where the graph takes them raw.
        std: What they are divided by, all > 0, None where the graph takes them raw.
        output_range: Lowest and highest score; predictions are clipped to it. None where they are not.
    """

    name: str = ""
    features: tuple[str, ...] = CANONICAL
    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None
    output_range: tuple[float, float] | None = None


def parse_sidecar(data: bytes | None) -> Sidecar:
    """Read a sidecar.

    Read are `name` or `id`, `features` or `feature_order`, `feature_mean` with `feature_std`, and
    `expected_output_range`. Everything else is for people and is left alone, `input_mean` and `input_std` too: they
    describe a scaler that sits inside the graph.

    Args:
        data: The JSON, None for a graph that has no sidecar.

    Returns:
        What it says.

    Raises:
        ModelError: It does not parse.
        ContractError: Its features are not the six, or its numbers do not fit together.
    """
    if data is None:
        return Sidecar()
    try:
        content = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise ModelError(f"The model's sidecar is not JSON: {str(error)[:120]}.") from error
    if not isinstance(content, dict):
        raise ContractError("The model's sidecar must be a JSON object.")
    features = content.get("features", content.get("feature_order", list(CANONICAL)))
    if not isinstance(features, list) or sorted(map(str, features)) != sorted(CANONICAL):
        raise ContractError(
            f"A tiny model reads the features {', '.join(CANONICAL)}, but the sidecar names {str(features)[:120]}."
        )
    mean, std = (_numbers(content, key, len(CANONICAL)) for key in ("feature_mean", "feature_std"))
    if (mean is None) != (std is None) or (std is not None and min(std) <= 0):
        raise ContractError("A sidecar gives feature_mean and feature_std together, each std above 0, or neither.")
    span = _numbers(content, "expected_output_range", 2)
    if span is not None and span[0] > span[1]:
        raise ContractError(f"expected_output_range gives the lowest score first, not {span}.")
    bounds = None if span is None else (span[0], span[1])
    return Sidecar(str(content.get("name") or content.get("id") or ""), tuple(features), mean, std, bounds)


def _numbers(content: dict[str, Any], key: str, count: int) -> tuple[float, ...] | None:
    value = content.get(key)
    if value is None:
        return None
    fits = isinstance(value, list) and len(value) == count
    if not fits or not all(isinstance(v, int | float) and math.isfinite(v) for v in value):
        raise ContractError(f"{key} of the sidecar must be a list of {count} finite numbers.")
    return tuple(float(v) for v in value)


class TinyModel:
    """A graph from six features to one score, opened on one CPU thread.

    Attributes:
        sidecar: What the JSON beside it says.
        device: Where it runs, always "cpu".
    """

    def __init__(self, data: bytes, sidecar: bytes | None = None) -> None:
        """Check and open the graph.

        Args:
            data: The ONNX file.
            sidecar: The JSON beside it, if any.

        Raises:
            ModelError: The bytes are not a model that may run.
            ContractError: Its input or output is not what a fusion model has.
        """
        self.sidecar = parse_sidecar(sidecar)
        self.device = "cpu"
        check_onnx(data)
        self._session = _open(data)
        self._input, self._output = _check_contract(self._session)

    @property
    def kind(self) -> Literal["tiny"]:
        """What the model is made of."""
        return "tiny"

    @property
    def inputs(self) -> tuple[ModelInput, ...]:
        """The six columns it reads, in the graph's order."""
        return tuple(ModelInput(_FEATURE_OF[key], key) for key in self.sidecar.features)

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
        if self.sidecar.mean is not None and self.sidecar.std is not None:
            rows = (rows - np.array(self.sidecar.mean)) / np.array(self.sidecar.std)
        scores = np.full(len(rows), np.nan)
        whole = np.flatnonzero(np.isfinite(rows).all(axis=1))
        for start in range(0, len(whole), BLOCK_ROWS):
            block = whole[start : start + BLOCK_ROWS]
            scores[block] = self._run(rows[block].astype(np.float32))
        return scores if self.sidecar.output_range is None else np.clip(scores, *self.sidecar.output_range)

    def _run(self, rows: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        try:
            (answer,) = self._session.run([self._output], {self._input: rows})
        except Exception as error:  # ONNX Runtime's own errors share no other base
            raise ModelError(f"The tiny model failed: {_first_line(error)}.") from error
        if answer.size != len(rows):
            raise ContractError(f"A tiny model gives one score per row, but {len(rows)} rows gave {answer.size}.")
        scores: npt.NDArray[np.float32] = answer.reshape(len(rows))
        return scores


def _open(data: bytes) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 4
    try:
        return onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime's own errors share no other base
        raise ModelError(f"ONNX Runtime cannot open the model: {_first_line(error)}.") from error


def _check_contract(session: Any) -> tuple[str, str]:
    """Names of input and output, once their number, types and shapes are those of a fusion model."""
    inputs, outputs = session.get_inputs(), session.get_outputs()
    count = len(CANONICAL)
    takes = len(inputs) == 1 and inputs[0].type == "tensor(float)" and _is_batch(inputs[0].shape, (count,))
    gives = len(outputs) == 1 and outputs[0].type == "tensor(float)"
    gives = gives and (_is_batch(outputs[0].shape, ()) or _is_batch(outputs[0].shape, (1,)))
    if not takes or not gives:
        found = ", ".join(f"{item.name} {item.type} {item.shape}" for item in (*inputs, *outputs))
        raise ContractError(
            f"A tiny model turns float [N, {count}] into float [N] or [N, 1], but this one has {found}."
        )
    return inputs[0].name, outputs[0].name


def _is_batch(shape: list[Any], rest: tuple[int, ...]) -> bool:
    """Whether a shape is a free first axis followed by `rest`."""
    return len(shape) == len(rest) + 1 and not isinstance(shape[0], int) and tuple(shape[1:]) == rest


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:160].rstrip(".")
