"""The commands of `tinyvmaf`: one small file each, imported only when it is the one that was typed."""

from __future__ import annotations

import argparse
import importlib
from collections.abc import Mapping, Sequence
from typing import NoReturn

from tinyvmaf._version import __version__
from tinyvmaf.errors import UsageError

PROGRAM = "tinyvmaf"

COMMANDS = {
    "score": "score a distorted video against its reference",
    "shots": "find where a video is cut, and write lists of its shots",
    "eval-saliency": "compare saliency maps with masks of what stands out",
    "models": "list, check, verify, pull and compare models",
    "demo": "write a short pair of clips to try things on",
}
"""Each command, its module's name and its one-line help."""

GROUPS = {
    "models": {
        "list": "list the models that are packaged, stored or can be pulled",
        "show": "show what is known of a model",
        "check": "say whether the guard accepts an ONNX file",
        "verify": "compare every byte of models with what is pinned, and check signatures",
        "pull": "fetch models that are not ours to hand on",
        "import": "copy a model of yours into the store, pinned under a name",
        "remove": "remove models from the store",
        "sign": "sign a model with Sigstore",
        "parity": "compare devices: the same frames, the largest difference",
    }
}
"""Commands that have commands of their own, in a package of the command's name."""


class Parser(argparse.ArgumentParser):
    """An argument parser whose errors are ours: one line, exit code 2."""

    def error(self, message: str) -> NoReturn:
        """Refuse the command line."""
        raise UsageError(f"{message[:1].upper()}{message[1:]}.", f"See {self.prog} --help.")


def command(argv: Sequence[str]) -> int:
    """Run the command that is named.

    Args:
        argv: The arguments.

    Returns:
        The exit code.

    Raises:
        TinyVmafError: What the exit code tells of.
    """
    argv = list(argv)
    chosen = next((place for place, word in enumerate(argv) if not word.startswith("-")), None)
    if chosen is not None and argv[chosen] in GROUPS:
        name = argv[chosen]
        return _dispatch(f"{PROGRAM} {name}", COMMANDS[name], GROUPS[name], f"tinyvmaf.cli.{name}.", argv[chosen + 1 :])
    return _dispatch(PROGRAM, "video quality with tiny models", COMMANDS, "tinyvmaf.cli.", argv)


def _dispatch(program: str, text: str, known: Mapping[str, str], package: str, argv: list[str]) -> int:
    top = Parser(prog=program, description=f"{text.capitalize()}.", allow_abbrev=False)
    top.add_argument("--version", action="version", version=f"{PROGRAM} {__version__}")
    commands = top.add_subparsers(dest="command", metavar="COMMAND", required=True)
    chosen = next((word for word in argv if not word.startswith("-")), None)
    for name, line in known.items():
        parser = commands.add_parser(name, help=line, description=line.capitalize() + ".", allow_abbrev=False)
        if name == chosen and name not in GROUPS:
            importlib.import_module(f"{package}{_module(name)}").configure(parser)
    try:
        arguments = top.parse_args(argv)
    except SystemExit:  # help or version was printed
        return 0
    code: int = importlib.import_module(f"{package}{_module(arguments.command)}").execute(arguments)
    return code


def _module(command: str) -> str:
    """The module of a command; some words are Python's own."""
    return f"{command}_" if command == "import" else command.replace("-", "_")
