"""`tinyvmaf`: its door, which loads the rest only where an interrupt is already caught."""

from __future__ import annotations

import importlib
import sys

from tinyvmaf.cli.doors import run

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command.

    Args:
        argv: The arguments, those of the process by default.

    Returns:
        0 done, 2 a user's mistake or a refused pair, 1 a run that failed, 130 interrupted.
    """
    words = list(sys.argv[1:] if argv is None else argv)
    return run("tinyvmaf", lambda: _command(words))


def _command(words: list[str]) -> int:
    # A check is quicker than the library that parses command lines: it reads its few words itself.
    if words[:2] == ["models", "check"]:
        return int(importlib.import_module("tinyvmaf.cli.models.check").command(words[2:]))
    return int(importlib.import_module("tinyvmaf.cli.commands").command(words))
