"""`tinyvmaf models remove`: models out of the user's store."""

from __future__ import annotations

import argparse


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments.

    Args:
        parser: The command's parser.
    """
    parser.add_argument("models", nargs="+", metavar="ID", help="ids of stored models")


def execute(arguments: argparse.Namespace) -> int:
    """Remove the models.

    Args:
        arguments: What `configure` declared.

    Returns:
        The exit code.
    """
    from tinyvmaf.models.store import remove

    for name in arguments.models:
        remove(name)
        print(f"{name}: removed")
    return 0
