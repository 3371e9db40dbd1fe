"""`tinyvmaf models pull`: third-party models into the user's store."""

from __future__ import annotations

import argparse
from pathlib import Path

from tinyvmaf.cli.progress import ByteBar


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments.

    Args:
        parser: The command's parser.
    """
    parser.add_argument("models", nargs="+", metavar="MODEL", help="ids; see `tinyvmaf models list`")
    parser.add_argument("--from", dest="folder", type=Path, metavar="DIR", help="take the files from a folder")
    parser.add_argument("--force", action="store_true", help="fetch again what is there")
    parser.add_argument("-q", "--quiet", action="store_true", help="no progress")


def execute(arguments: argparse.Namespace) -> int:
    """Fetch the models.

    Args:
        arguments: What `configure` declared.

    Returns:
        The exit code.
    """
    from tinyvmaf.models.pull import pull

    for name in arguments.models:
        with ByteBar(name, arguments.quiet) as bar:
            entry = pull(name, source_dir=arguments.folder, progress=bar, force=arguments.force)
        print(
            f"{entry.id}: {entry.folder / entry.file}, SHA-256 {entry.sha256}, licence {entry.licence or 'not stated'}"
        )
    return 0
