"""What the commands of all training rooms have in common: messages, exit codes, numbers from 1."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable

from tinyvmaf.errors import TinyVmafError


def run(ready: Callable[[], Callable[[], object]], install: str, again: str) -> int:
    """Run a training.

    Args:
        ready: Imports what the training needs, and returns the training.
        install: Command that installs what may be missing.
        again: What an interrupted training says.

    Returns:
        0 done, 2 a user's mistake, 1 a run that failed, 130 interrupted.
    """
    try:
        make = ready()
    except ModuleNotFoundError as error:
        say(f"error: Training needs the package {error.name}. Run: {install}")
        return 2
    try:
        make()
    except TinyVmafError as error:
        say(f"error: {error}")
        return error.exit_code
    except KeyboardInterrupt:
        say(again)
        return 130
    return 0


def count(text: str) -> int:
    """Read a number from 1, for argparse.

    Args:
        text: As typed.

    Returns:
        The number.

    Raises:
        ArgumentTypeError: It is less than 1.
    """
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("it must be 1 or more")
    return number


def say(line: str) -> None:
    """Print a line for people.

    Args:
        line: Without its end.
    """
    print(line, file=sys.stderr, flush=True)
