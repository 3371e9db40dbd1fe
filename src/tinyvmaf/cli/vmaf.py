"""`vmaf`: its door, which loads the rest only where an interrupt is already caught."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence

from tinyvmaf.cli.doors import run


def main(argv: Sequence[str] | None = None) -> int:
    """Score two videos as libvmaf's tool does.

    Args:
        argv: The arguments, those of the process by default.

    Returns:
        0 done, 2 a user's mistake or a refused pair, 1 a run that failed, 130 interrupted.
    """
    words = sys.argv[1:] if argv is None else argv
    return run("vmaf", lambda: int(importlib.import_module("tinyvmaf.cli.libvmaf").command(words)))
