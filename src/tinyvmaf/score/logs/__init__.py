"""libvmaf's four log formats, written and read back.

>>> from tinyvmaf.score.logs import read_log
>>> read_log("vmaf.json").column("adm2")  # doctest: +SKIP
"""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from tinyvmaf._files import atomic_write
from tinyvmaf.errors import UnknownNameError
from tinyvmaf.score.logs import csv, json, sub, xml
from tinyvmaf.score.logs.precision import LEGACY, NumberFormat, parse_precision
from tinyvmaf.score.result import Result

if TYPE_CHECKING:
    from tinyvmaf.score.logs.read import Log, read_log

__all__ = ["FORMATS", "LEGACY", "Log", "NumberFormat", "parse_precision", "read_log", "write_log", "write_stream"]

FORMATS = ("xml", "json", "csv", "sub")
_WRITERS = {"xml": xml.write_xml, "json": json.write_json, "csv": csv.write_csv, "sub": sub.write_sub}


def __getattr__(name: str) -> Any:
    """Load the reader when it is asked for: its XML parser would take part of a scoring run's start-up time."""
    if name in ("Log", "read_log"):
        return getattr(importlib.import_module("tinyvmaf.score.logs.read"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def write_log(result: Result, path: str | Path, log_format: str, precision: NumberFormat = LEGACY) -> None:
    """Write a log file that appears whole or not at all.

    Args:
        result: What to write.
        path: The file, replaced if it exists.
        log_format: One of FORMATS.
        precision: How numbers are printed.

    Raises:
        UnknownNameError: No such format.
        DataError: The file cannot be written, or two columns share a name.
    """
    _check_format(log_format)
    with atomic_write(path) as stream:
        write_stream(result, stream, log_format, precision)  # type: ignore[arg-type]


def write_stream(result: Result, stream: IO[str], log_format: str, precision: NumberFormat = LEGACY) -> None:
    """Write a log to an open text stream.

    Args:
        result: What to write.
        stream: Takes the text, piece by piece.
        log_format: One of FORMATS.
        precision: How numbers are printed.

    Raises:
        UnknownNameError: No such format.
        DataError: Two columns share a name.
    """
    _check_format(log_format)
    _WRITERS[log_format](result, stream, precision)


def _check_format(log_format: str) -> None:
    if log_format not in _WRITERS:
        raise UnknownNameError(f"There is no log format {log_format!r}.", f"There are: {', '.join(FORMATS)}.")
