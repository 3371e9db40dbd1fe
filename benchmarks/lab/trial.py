"""What every benchmark's command line ends with: a quick trial, or a measurement that is published."""

from __future__ import annotations

import argparse
from typing import Any


def parsed(parser: argparse.ArgumentParser, trial: str, table: str, **quick: Any) -> argparse.Namespace:
    """Read the command line.

    Args:
        parser: Has the options of this benchmark.
        trial: What --quick does, for the help.
        table: Which table --write replaces, likewise.
        quick: Options that --quick sets.

    Returns:
        The options; those of a trial cannot be published.
    """
    parser.add_argument("--quick", action="store_true", help=f"{trial}: a trial, not a measurement")
    parser.add_argument("--write", action="store_true", help=f"replace the table in {table}")
    options = parser.parse_args()
    if options.quick and options.write:
        parser.error("--quick is a trial: its numbers are not published")
    if options.quick:
        vars(options).update(quick)
    return options
