"""Logs read back: libvmaf's and ours, in all four formats, told apart by their first characters."""

from __future__ import annotations

import csv
import io
import json
import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from tinyvmaf.errors import DataError, UnknownNameError
from tinyvmaf.score.logs.names import from_xml_name, key_of

MAX_BYTES = 1 << 30

Row: TypeAlias = tuple[int, Mapping[str, float | None]]


@dataclass(frozen=True, eq=False, slots=True)
class Log:
    """What a log holds.

    Attributes:
        version: Of the program that wrote it, empty where the format has no place for it.
        fps: Frames per second of that run, None where not stated.
        frame_numbers: (N,) int64.
        columns: Name as the log spells it to (N,) float64; NaN where a frame has no value.
        pooled: Name to {method: value}; None where a value is not defined. Empty for CSV and SUB.
        aggregates: Numbers of the whole clip.
        extra: Every other top-level block of a JSON log.
    """

    version: str
    fps: float | None
    frame_numbers: npt.NDArray[np.int64]
    columns: Mapping[str, npt.NDArray[np.float64]]
    pooled: Mapping[str, Mapping[str, float | None]] = field(default_factory=dict)
    aggregates: Mapping[str, float | None] = field(default_factory=dict)
    extra: Mapping[str, Any] = field(default_factory=dict)

    def column(self, key: str) -> npt.NDArray[np.float64]:
        """The values of all frames under either spelling.

        Args:
            key: Such as "adm2" or "integer_adm2".

        Returns:
            (N,) float64.

        Raises:
            UnknownNameError: The log has no such column.
        """
        for name in self.columns:
            if name == key or key_of(name) == key_of(key):
                return self.columns[name]
        raise UnknownNameError(f"The log has no column {key!r}.", f"It has: {', '.join(self.columns)}.")


def read_log(path: str | Path) -> Log:
    """Read a log.

    Args:
        path: JSON, XML, CSV or SUB as libvmaf, FFmpeg's libvmaf filter or tinyvmaf writes it, at most 1 GiB.

    Returns:
        What it holds.

    Raises:
        DataError: It cannot be read or does not parse.
    """
    text = _text(Path(path))
    start = text.lstrip()[:6]
    if re.match(r"\{\d", start):
        read = _read_sub
    elif start.startswith("Frame,"):
        read = _read_csv
    else:
        read = _read_xml if start.startswith("<") else _read_json
    try:
        return read(text)
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError, csv.Error) as error:
        detail = f"{type(error).__name__}: {str(error)[:120]}"
        raise DataError(
            f"The log {path} does not parse ({detail}).", "Give a VMAF log in JSON, XML, CSV or SUB."
        ) from error
    except ElementTree.ParseError as error:
        raise DataError(f"The log {path} is not XML: {error}.", "Give a VMAF log.") from error


def _text(path: Path) -> str:
    try:
        if path.is_file() and path.stat().st_size > MAX_BYTES:
            raise DataError(f"A log has at most {MAX_BYTES >> 30} GiB, but {path} has {path.stat().st_size} bytes.")
        with open(path, encoding="utf-8-sig", newline="") as stream:
            return stream.read()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise DataError(f"The log {path} cannot be read: {reason}.", "Check the path.") from error


def _columns(rows: list[Row]) -> tuple[npt.NDArray[np.int64], dict[str, npt.NDArray[np.float64]]]:
    """Turn rows into columns; names appear in the order of their first use."""
    names = dict.fromkeys(name for _, cells in rows for name in cells)
    columns = {name: np.full(len(rows), np.nan) for name in names}
    for i, (_, cells) in enumerate(rows):
        for name, value in cells.items():
            columns[name][i] = np.nan if value is None else float(value)
    return np.array([number for number, _ in rows], dtype=np.int64), columns


def _read_json(text: str) -> Log:
    content = json.loads(text)
    numbers, columns = _columns([(int(frame["frameNum"]), frame["metrics"]) for frame in content["frames"]])
    known = ("version", "fps", "frames", "pooled_metrics", "aggregate_metrics")
    return Log(
        version=str(content.get("version", "")),
        fps=_optional(content.get("fps")),
        frame_numbers=numbers,
        columns=columns,
        pooled={name: _floats(values) for name, values in content.get("pooled_metrics", {}).items()},
        aggregates=_floats(content.get("aggregate_metrics", {})),
        extra={name: value for name, value in content.items() if name not in known},
    )


def _read_xml(text: str) -> Log:
    if "<!DOCTYPE" in text or "<!ENTITY" in text:
        raise ValueError("a log declares no document type")
    root = ElementTree.fromstring(text)
    fyi, aggregates = root.find("fyi"), root.find("aggregate_metrics")
    metrics = [dict(metric.attrib) for metric in root.iterfind("pooled_metrics/metric")]
    numbers, columns = _columns([_xml_row(dict(frame.attrib)) for frame in root.iterfind("frames/frame")])
    return Log(
        version=root.get("version", ""),
        fps=_optional(None if fyi is None else fyi.get("fps")),
        frame_numbers=numbers,
        columns=columns,
        pooled={from_xml_name(metric.pop("name")): _floats(metric) for metric in metrics},
        aggregates=_floats({} if aggregates is None else {from_xml_name(k): v for k, v in aggregates.attrib.items()}),
    )


def _xml_row(attributes: dict[str, str]) -> Row:
    number = int(attributes.pop("frameNum"))
    return number, {from_xml_name(name): float(value) for name, value in attributes.items()}


def _read_csv(text: str) -> Log:
    lines = csv.reader(io.StringIO(text, newline=""))
    header = next(lines)
    rows = [_csv_row(header, line) for line in lines if line]
    numbers, columns = _columns(rows)
    return Log("", None, numbers, columns or {name: np.empty(0) for name in header[1:-1]})


def _csv_row(header: list[str], line: list[str]) -> Row:
    if len(line) != len(header):
        raise ValueError(f"the line of frame {line[0]} has {len(line) - 1} cells, the header {len(header) - 1}")
    cells = zip(header[1:-1], line[1:-1], strict=True)
    return int(line[0]), {name: float(cell) if cell else None for name, cell in cells}


def _read_sub(text: str) -> Log:
    return Log("", None, *_columns(list(_sub_rows(text))))


def _sub_rows(text: str) -> Iterator[Row]:
    for line in text.splitlines():
        match = re.fullmatch(r"\{(\d+)\}\{\d+\}frame: \d+\|(.*)", line)
        if match is None:
            raise ValueError(f"not a line of a MicroDVD log: {line[:60]!r}")
        cells = [cell.rpartition(": ") for cell in match[2].split("|")[:-1]]
        yield int(match[1]), {name: float(value) for name, _, value in cells}


def _optional(value: Any) -> float | None:
    return None if value is None else float(value)


def _floats(values: Mapping[str, Any]) -> dict[str, float | None]:
    return {name: _optional(value) for name, value in values.items()}
