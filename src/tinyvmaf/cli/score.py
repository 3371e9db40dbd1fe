"""`tinyvmaf score`: the friendly face of scoring."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING, Any

from tinyvmaf.errors import UsageError
from tinyvmaf.video.policy import PAIRING_FLAGS, PairingPolicy

if TYPE_CHECKING:
    from tinyvmaf.score.result import Result

FORMATS = ("json", "csv", "xml", "sub")


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments.

    Args:
        parser: The command's parser.
    """
    parser.add_argument("reference", help="the pristine video; - for Y4M on standard input")
    parser.add_argument("distorted", help="the degraded video")
    parser.add_argument(
        "--model", action="append", metavar="MODEL",
        help="vmaf_v0.6.1, vmaf_v0.6.1neg, vmaf_4k_v0.6.1, vmaf_tiny, or a .json or .onnx file; may be repeated "
        "(default: vmaf_v0.6.1 and vmaf_tiny side by side)",
    )  # fmt: skip
    parser.add_argument(
        "--with", action="append", default=[], metavar="FEATURE[,FEATURE...]", dest="features",
        help="measure besides: psnr, ssim, ms_ssim, adm, vif, motion; options as in libvmaf: psnr=enable_chroma=false",
    )  # fmt: skip
    parser.add_argument(
        "--saliency-weight", nargs="?", const="1", metavar="STRENGTH[:FLOOR]",
        help="score besides with samples weighted by saliency (default strength 1, floor 0.25)",
    )  # fmt: skip
    for name in FORMATS:
        parser.add_argument(f"--{name}", metavar="FILE", help=f"write a {name.upper()} log; - for standard output")
    parser.add_argument("--threads", type=int, metavar="N", help="worker threads (default: all processors)")
    parser.add_argument("--subsample", type=int, default=1, metavar="N", help="score every N-th frame (default: all)")
    parser.add_argument("--frames", type=int, metavar="N", help="score the first N frames only")
    parser.add_argument("--raw", metavar="WxH:CHROMA:BITS", help="layout of headerless files, such as 1920x1080:420:8")
    parser.add_argument("-q", "--quiet", action="store_true", help="no progress, notes or table")
    group = parser.add_argument_group("when the two videos do not match")
    for flag in PAIRING_FLAGS:
        options: dict[str, Any] = {
            "dest": flag.field,
            "help": flag.help,
            "default": getattr(PairingPolicy(), flag.field),
        }
        if flag.choices:
            group.add_argument(flag.flag, choices=flag.choices, **options)
        else:
            group.add_argument(flag.flag, action="store_const", const=flag.value, **options)


def execute(arguments: argparse.Namespace) -> int:
    """Score, write the logs asked for, print the table.

    Args:
        arguments: What `configure` declared.

    Returns:
        The exit code.
    """
    from tinyvmaf.cli.libvmaf_grammar import parse_feature, parse_saliency_weight
    from tinyvmaf.cli.scoring import check_scores, score_files
    from tinyvmaf.score.compare import DEFAULT_MODELS
    from tinyvmaf.score.logs import write_log, write_stream
    from tinyvmaf.score.pipeline import make_feature

    targets = {name: getattr(arguments, name) for name in FORMATS if getattr(arguments, name) is not None}
    check_targets(list(targets.values()), [arguments.reference, arguments.distorted, *(arguments.model or [])])
    specs = [parse_feature(word) for group in arguments.features for word in group.split(",")]
    specs += [] if arguments.saliency_weight is None else [parse_saliency_weight(arguments.saliency_weight)]
    fields = {flag.field: getattr(arguments, flag.field) for flag in PAIRING_FLAGS}
    features = [make_feature(spec.name, dict(spec.options)) for spec in specs]
    result = score_files(
        "tinyvmaf", arguments.reference, arguments.distorted,
        models=arguments.model or DEFAULT_MODELS,
        features=features,
        policy=PairingPolicy(**fields, frame_limit=arguments.frames),
        raw=raw_format(arguments.raw), threads=arguments.threads, subsample=arguments.subsample, quiet=arguments.quiet,
    )  # fmt: skip
    for name, path in targets.items():
        if path == "-":
            write_stream(result, sys.stdout, name)
        else:
            write_log(result, path, name)
    if not arguments.quiet and "-" not in targets.values():
        _print_table(result, [key for feature in features for key in feature.keys])
    check_scores(result)
    return 0


def check_targets(targets: list[str], inputs: list[str]) -> None:
    """Refuse outputs that cannot be written, before any long work starts.

    Args:
        targets: Paths, or "-" for standard output.
        inputs: Files that are read.

    Raises:
        UsageError: Two outputs are one file.
        DataError: One cannot be written, or is an input.
    """
    from tinyvmaf._files import check_writable, same_file

    for i, path in enumerate(targets):
        if any(path == other or same_file(path, other) for other in targets[:i]):
            raise UsageError(f"Every log needs a file of its own, but {path!r} is named twice.")
        if path != "-":
            check_writable(path, inputs)


def raw_format(text: str | None) -> Any:
    """Read the value of --raw.

    Args:
        text: Such as 1920x1080:420:8, or None.

    Returns:
        The layout of a headerless file, or None.

    Raises:
        UsageError: It is something else.
    """
    if text is None:
        return None
    from tinyvmaf.video.raw import RawFormat

    try:
        size, chroma, bits = text.split(":")
        width, height = size.lower().split("x")
        return RawFormat(int(width), int(height), chroma, int(bits))  # type: ignore[arg-type]
    except ValueError as error:
        raise UsageError(f"--raw takes WxH:CHROMA:BITS such as 1920x1080:420:8, not {text!r}.") from error


def _print_table(result: Result, asked: list[str]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from tinyvmaf.score.pipeline import WEIGHTED

    table = Table(box=None, pad_edge=False)
    table.add_column("", overflow="fold")
    for title in ("mean", "harmonic", "p1", "p5", "min"):
        table.add_column(title, justify="right", no_wrap=True)
    table.add_column("worst frame", no_wrap=True)
    scores = [score.name for score in result.scores]
    shown = [name for key in asked for name in (key, key + WEIGHTED) if name in result.columns]
    for key in dict.fromkeys([*scores, *shown]):
        pooled = result.pooled(key)
        numbers = (pooled.mean, pooled.harmonic_mean, pooled.p1, pooled.p5, pooled.min)
        worst = _worst(result, key) if key in scores else ""
        table.add_row(Text(key), *("-" if n is None else f"{n:.3f}" for n in numbers), worst)
    fps = result.run.fps
    speed = "" if fps is None else f", {fps:.1f} fps"
    console = Console(soft_wrap=True, highlight=False)
    console.print(table)
    devices = "".join(f", {score.name} on {score.device}" for score in result.scores if score.kind == "tiny")
    console.print(f"{len(result.frame_numbers)} frames, {result.width}x{result.height}{speed}{devices}", style="dim")


def _worst(result: Result, key: str) -> str:
    worst = result.worst(1, key)
    if not worst:
        return ""
    seconds = worst[0].time
    clock = "" if seconds is None else f" at {int(seconds // 60)}:{seconds % 60:06.3f}"
    return f"{worst[0].frame}{clock}"
