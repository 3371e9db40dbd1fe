"""`tinyvmaf`: one small file per command, imported only when it is the one that was typed."""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Sequence
from typing import NoReturn

from tinyvmaf._version import __version__
from tinyvmaf.cli.doors import run
from tinyvmaf.errors import UsageError

PROGRAM = "tinyvmaf"

COMMANDS = {
    "score": "score a distorted video against its reference",
    "demo": "write a short pair of clips to try things on",
}
"""Each command, its module's name and its one-line help."""


class Parser(argparse.ArgumentParser):
    """An argument parser whose errors are ours: one line, exit code 2."""

    def error(self, message: str) -> NoReturn:
        """Refuse the command line."""
        raise UsageError(f"{message[:1].upper()}{message[1:]}.", f"See {self.prog} --help.")


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command.

    Args:
        argv: The arguments, those of the process by default.

    Returns:
        0 done, 2 a user's mistake or a refused pair, 1 a run that failed, 130 interrupted.
    """
    return run(PROGRAM, lambda: _main(list(sys.argv[1:] if argv is None else argv)))


def _main(argv: list[str]) -> int:
    top = Parser(prog=PROGRAM, description="Video quality with tiny models.", allow_abbrev=False)
    top.add_argument("--version", action="version", version=f"{PROGRAM} {__version__}")
    commands = top.add_subparsers(dest="command", metavar="COMMAND", required=True)
    chosen = next((word for word in argv if not word.startswith("-")), None)
    for name, text in COMMANDS.items():
        parser = commands.add_parser(name, help=text, description=text.capitalize() + ".", allow_abbrev=False)
        if name == chosen:
            importlib.import_module(f"tinyvmaf.cli.{name}").configure(parser)
    try:
        arguments = top.parse_args(argv)
    except SystemExit:  # help or version was printed
        return 0
    code: int = importlib.import_module(f"tinyvmaf.cli.{arguments.command}").execute(arguments)
    return code
