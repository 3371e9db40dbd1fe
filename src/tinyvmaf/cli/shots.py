"""`tinyvmaf shots`: where a video is cut, as a table and as files that other programs read."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING, Any

from tinyvmaf.errors import UsageError

if TYPE_CHECKING:
    from tinyvmaf.vision.shots import Shots

OUTPUTS = {
    "csv": ("--csv", "a CSV list"),
    "json": ("--json", "a JSON list with the probability of every frame"),
    "scenedetect": ("--scenedetect-csv", "PySceneDetect's CSV list"),
    "otio": ("--otio", "an OpenTimelineIO timeline"),
    "qpfile": ("--qpfile", "keyframes for x264 and x265"),
}
"""Each format of lists, the option that asks for it, and what it writes."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments.

    Args:
        parser: The command's parser.
    """
    parser.add_argument("video", help="the video; - for Y4M on standard input")
    for kind, (flag, text) in OUTPUTS.items():
        parser.add_argument(flag, dest=kind, metavar="FILE", help=f"write {text}; - for standard output")
    parser.add_argument(
        "--detector", default="transnet_v2", choices=("transnet_v2", "content", "auto"),
        help="the network, differences of frames, or the network where it was pulled (default: transnet_v2)",
    )  # fmt: skip
    parser.add_argument("--threshold", type=float, default=0.5, metavar="P", help="least probability (default: 0.5)")
    parser.add_argument("--min-length", default="1", metavar="N|Ns", help="shortest shot: 12 frames, 0.5s (default: 1)")
    parser.add_argument("--original", action="store_true", help="do as the network's authors do, no more")
    parser.add_argument("--device", default="auto", metavar="DEVICE", help="where the network runs (default: auto)")
    parser.add_argument("--threads", type=int, default=0, metavar="N", help="threads (default: all processors)")
    parser.add_argument("--raw", metavar="WxH:CHROMA:BITS", help="layout of a headerless file: 1920x1080:420:8")
    parser.add_argument("--rate", metavar="FPS", help="frame rate where the video states none: 25, 30000/1001")
    parser.add_argument("-q", "--quiet", action="store_true", help="no progress and no table")


def execute(arguments: argparse.Namespace) -> int:
    """Find the shots, write the lists asked for, print the table.

    Args:
        arguments: What `configure` declared.

    Returns:
        The exit code.
    """
    from tinyvmaf.cli.progress import FrameBar
    from tinyvmaf.cli.score import check_targets, raw_format
    from tinyvmaf.vision.detect import detect_shots
    from tinyvmaf.vision.lists import write_list, write_shots

    targets = {kind: path for kind in OUTPUTS if (path := getattr(arguments, kind)) is not None}
    check_targets(list(targets.values()), [arguments.video])
    with FrameBar("Looking for shots", arguments.quiet) as bar:
        shots = detect_shots(
            arguments.video, arguments.detector, threshold=arguments.threshold,
            min_length=_length(arguments.min_length), original=arguments.original,
            device=arguments.device, threads=arguments.threads, raw=raw_format(arguments.raw),
            frame_rate=_rate(arguments.rate), progress=bar, on_start=lambda video: bar.start(video.facts.frame_count),
        )  # fmt: skip
    for kind, path in targets.items():
        if path == "-":
            write_list(shots, sys.stdout, kind)
        else:
            write_shots(shots, path, kind)
    if not arguments.quiet and "-" not in targets.values():
        _print_table(shots)
    return 0


def _length(text: str) -> Any:
    """Frames, or seconds where the number ends in s."""
    from tinyvmaf.vision.detect import Shortest

    try:
        return Shortest(seconds=float(text[:-1])) if text.endswith("s") else Shortest(frames=int(text))
    except ValueError as error:
        raise UsageError(f"--min-length takes frames such as 12 or seconds such as 0.5s, not {text!r}.") from error


def _rate(text: str | None) -> Any:
    if text is None:
        return None
    from fractions import Fraction

    try:
        rate = Fraction(text)
    except (ValueError, ZeroDivisionError) as error:
        raise UsageError(f"--rate takes frames per second such as 25 or 30000/1001, not {text!r}.") from error
    if not 0 < rate <= 1000:
        raise UsageError(f"--rate is above 0 and at most 1000 frames per second, not {text}.")
    return rate


def _print_table(shots: Shots) -> None:
    from rich.console import Console
    from rich.table import Table

    from tinyvmaf.vision.lists.scenedetect import timecode

    table = Table(box=None, pad_edge=False)
    for title in ("shot", "first", "last", "frames", "start", "end"):
        table.add_column(title, justify="right", no_wrap=True)
    for number, shot in enumerate(shots):
        times = ("-" if time is None else timecode(time) for time in (shot.start, shot.end))
        table.add_row(str(number), str(shot.first), str(shot.last), str(shot.frames), *times)
    console = Console(soft_wrap=True, highlight=False)
    console.print(table)
    console.print(f"{len(shots)} shots, {shots.frames} frames, found by {shots.detector}", style="dim")
