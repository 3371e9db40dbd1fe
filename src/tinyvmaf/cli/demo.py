"""`tinyvmaf demo`: a short pair of clips, made on the spot."""

from __future__ import annotations

import argparse
from pathlib import Path


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments.

    Args:
        parser: The command's parser.
    """
    parser.add_argument("folder", nargs="?", default="demo", help="where to write the clips (default: demo)")
    parser.add_argument("--frames", type=int, default=50, metavar="N", help="length of the clips (default: 50)")


def execute(arguments: argparse.Namespace) -> int:
    """Write the clips and say what to type next.

    Args:
        arguments: What `configure` declared.

    Returns:
        The exit code.
    """
    from tinyvmaf.video.demo import write_pair

    reference, distorted = write_pair(Path(arguments.folder), arguments.frames)
    print(f"Wrote {reference} and {distorted}. Now try:")
    print(f"  vmaf -r {reference} -d {distorted} --json -o out.json")
    print(f"  tinyvmaf score {reference} {distorted}")
    return 0
