"""libvmaf's JSON log, then what it has no place for: models, pairing, inputs, run.

Source: the byte layout of libvmaf 3.2. The blocks after `aggregate_metrics` are ours; docs/schema describes all.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, is_dataclass
from fractions import Fraction
from typing import IO, Any

import numpy as np

from tinyvmaf.score.logs.names import column_names
from tinyvmaf.score.logs.precision import LEGACY, NumberFormat
from tinyvmaf.score.logs.rows import BLOCK_FRAMES, frame_rows
from tinyvmaf.score.pooling import LOG_METHODS, mean
from tinyvmaf.score.result import Result, ScoreInfo

SCHEMA = "urn:tinyvmaf:schema:vmaf-log:1"
"""$id of the JSON Schema that every log follows."""


def write_json(result: Result, stream: IO[str], precision: NumberFormat = LEGACY) -> None:
    """Write the JSON log.

    Args:
        result: What to write.
        stream: Takes the text, piece by piece.
        precision: How numbers are printed; the frame rate always has two decimals.

    Raises:
        DataError: Two columns share a name.
    """
    names = {key: _quoted(name) for key, name in column_names(result).items()}
    stream.write(f'{{\n  "version": {_quoted(result.run.version)},\n')
    stream.write(f'  "fps": {"null" if result.run.fps is None else f"{result.run.fps:.2f}"},\n')
    stream.write('  "frames": [')
    stream.writelines(_frames(result, list(names.values()), precision))
    stream.write('\n  ],\n  "pooled_metrics": {')
    stream.writelines(_pooled(result, names, precision))
    aggregates = [f"\n    {_quoted(k)}: {precision.text_or_null(v)}" for k, v in result.aggregates.items()]
    stream.write(f'\n  }},\n  "aggregate_metrics": {{{",".join(aggregates)}\n  }},\n')
    tiny = [score for score in result.scores if score.kind == "tiny"]
    if tiny:
        stream.writelines(_tiny_model(result, tiny, precision))
    blocks = {
        "models": [_model(score) for score in result.scores],
        "pairing": result.pairing,
        "inputs": result.inputs,
        "run": asdict(result.run) | {"width": result.width, "height": result.height},
        "schema": SCHEMA,
    }
    stream.write(",\n".join(f'  "{name}": {_indented(value)}' for name, value in blocks.items()) + "\n}\n")


def _frames(result: Result, names: list[str], precision: NumberFormat) -> Iterator[str]:
    lead = [f"        {name}: " for name in names]
    separator = "\n"
    for number, texts in frame_rows(result, precision, "null"):
        lines = ",\n".join(map(str.__add__, lead, texts))
        metrics = f"\n{lines}" if lines else ""
        yield f'{separator}    {{\n      "frameNum": {number},\n      "metrics": {{{metrics}\n      }}\n    }}'
        separator = ",\n"


def _pooled(result: Result, names: Mapping[str, str], precision: NumberFormat) -> Iterator[str]:
    separator = "\n"
    for key, name in names.items():
        pooled = result.pooled(key)
        lines = [f'\n      "{method}": {precision.text_or_null(getattr(pooled, method))}' for method in LOG_METHODS]
        yield f"{separator}    {name}: {{{','.join(lines)}\n    }}"
        separator = ",\n"


def _tiny_model(result: Result, scores: Sequence[ScoreInfo], precision: NumberFormat) -> Iterator[str]:
    """The block of tiny-model consumers, one value per scored frame: the first model, and the names of all."""
    score = scores[0]
    values = result.columns[score.name]
    facts = {
        "name": score.name, "kind": "nr" if score.no_reference else "fr", "device": score.device,
        "sha256": score.sha256, "verified": score.verified, "names": [item.name for item in scores],
    }  # fmt: skip
    yield '  "tiny_model": {\n'
    yield "".join(f'    "{name}": {json.dumps(value)},\n' for name, value in facts.items())
    yield f'    "mean": {precision.text_or_null(mean(values))},\n    "per_frame": ['
    for start in range(0, len(values), BLOCK_FRAMES):
        texts = precision.texts_or(values[start : start + BLOCK_FRAMES], "null")
        yield (", " if start else "") + ", ".join(texts)
    yield "]\n  },\n"


def _model(score: ScoreInfo) -> dict[str, Any]:
    return {name: value for name, value in asdict(score).items() if name != "keys"} | {"columns": score.columns}


def _indented(value: Any) -> str:
    return json.dumps(plain(value), indent=2, allow_nan=False).replace("\n", "\n  ")


def _quoted(text: str) -> str:
    return json.dumps(text)


def plain(value: Any) -> Any:
    """A value in JSON's own types.

    Args:
        value: Any nesting of mappings, sequences, dataclasses, numbers (NumPy's too), fractions and
            texts.

    Returns:
        The same in dict, list, int, float, bool, str and None: a fraction becomes "24000/1001", a number that is not
        finite None, and anything else its text.
    """
    if is_dataclass(value) and not isinstance(value, type):
        value = asdict(value)
    if isinstance(value, Mapping):
        return {str(name): plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(item) for item in value]
    if isinstance(value, np.ndarray | np.generic):
        return plain(value.tolist())
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, Fraction):
        return f"{value.numerator}/{value.denominator}"
    return str(value)
