"""`tinyvmaf eval-saliency`: saliency maps against masks of what stands out."""

from __future__ import annotations

import argparse
import json
import sys
from typing import TYPE_CHECKING

from tinyvmaf.errors import UsageError

if TYPE_CHECKING:
    from tinyvmaf.vision.evaluate import Evaluation
    from tinyvmaf.vision.map_scores import Settings

OF_VIDEO = ("model", "every", "device", "threads")
"""Options that belong to --video."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments.

    Args:
        parser: The command's parser.
    """
    maps = parser.add_mutually_exclusive_group(required=True)
    maps.add_argument("--pred-dir", metavar="DIR", help="maps, each named as its mask: .npy, .pgm, .png")
    maps.add_argument("--video", metavar="FILE", help="a video to make maps of: frame i goes with mask i")
    parser.add_argument("--gt-dir", metavar="DIR", required=True, help="masks: .npy, .pgm, .png")
    parser.add_argument("--model", metavar="MODEL", help="with --video: an id or a file (default: saliency)")
    parser.add_argument("--every", type=int, metavar="N", help="with --video: look at every N-th frame (default: 4)")
    parser.add_argument("--device", metavar="DEVICE", help="with --video: where the network runs (default: auto)")
    parser.add_argument("--threads", type=int, metavar="N", help="with --video: threads of the network (default: auto)")
    parser.add_argument("--threshold", type=float, default=0.5, metavar="T", help="least value found (default: 0.5)")
    parser.add_argument("--block-size", type=int, default=16, metavar="N", help="side of a block (default: 16)")
    parser.add_argument(
        "--grid", default="encoder", choices=("encoder", "whole"),
        help="blocks cut off at the edges as encoders have them, or whole blocks only (default: encoder)",
    )  # fmt: skip
    parser.add_argument("--out-json", metavar="FILE", help="write all figures; - for standard output")
    parser.add_argument("-q", "--quiet", action="store_true", help="no progress and no table")


def execute(arguments: argparse.Namespace) -> int:
    """Compare, write the report asked for, print the table.

    Args:
        arguments: What `configure` declared.

    Returns:
        The exit code.
    """
    from tinyvmaf._files import atomic_write, check_writable
    from tinyvmaf.vision.evaluate import report
    from tinyvmaf.vision.map_scores import Settings

    target = arguments.out_json
    if target not in (None, "-"):
        check_writable(target, [arguments.video] if arguments.video else [])
    settings = Settings(arguments.threshold, arguments.block_size, arguments.grid)
    evaluation = _evaluated(arguments, settings)
    text = json.dumps(report(evaluation), indent=2, allow_nan=False) + "\n"
    if target == "-":
        sys.stdout.write(text)
    elif target is not None:
        with atomic_write(target) as stream:
            stream.write(text)  # type: ignore[call-overload]
    if target != "-" and not arguments.quiet:
        _print_table(evaluation)
    return 0


def _evaluated(arguments: argparse.Namespace, settings: Settings) -> Evaluation:
    from tinyvmaf.cli.doors import say
    from tinyvmaf.cli.progress import FrameBar
    from tinyvmaf.vision.evaluate import EVERY, evaluate_folder, evaluate_video
    from tinyvmaf.vision.map_files import map_files
    from tinyvmaf.vision.saliency import MODEL

    given = [name for name in OF_VIDEO if getattr(arguments, name) is not None]
    if given and not arguments.video:
        raise UsageError(f"--{given[0]} belongs to --video, but maps come from --pred-dir.")
    with FrameBar("Comparing", arguments.quiet) as bar:
        masks = len(map_files(arguments.gt_dir))
        bar.start(masks)
        if not arguments.video:
            evaluation = evaluate_folder(arguments.pred_dir, arguments.gt_dir, settings, bar)
            if len(evaluation.rows) < masks and not arguments.quiet:
                say("tinyvmaf", f"note: {masks - len(evaluation.rows)} of {masks} masks have no map")
            return evaluation
        from tinyvmaf.models.runtime import DnnConfig

        return evaluate_video(
            arguments.video, arguments.gt_dir, arguments.model or MODEL, settings,
            every=EVERY if arguments.every is None else arguments.every,
            config=DnnConfig(device=arguments.device or "auto", threads=arguments.threads or 0), progress=bar,
        )  # fmt: skip


def _print_table(evaluation: Evaluation) -> None:
    from tinyvmaf.cli.table import print_table

    settings, pixels = evaluation.settings, evaluation.pixels
    side = f"{settings.block_size}x{settings.block_size}"
    rows = [
        ("IoU", f"{pixels.iou:.4f}", f"samples, at {settings.threshold:g}"),
        ("F-beta", f"{pixels.f_beta:.4f}", f"samples, at {settings.threshold:g}, beta^2 = 0.3"),
        ("MAE", f"{pixels.mae:.4f}", "samples"),
        ("AUC", "-" if pixels.auc is None else f"{pixels.auc:.4f}", "samples, all thresholds"),
        ("IoU, macro", f"{evaluation.macro_iou:.4f}", f"blocks of {side}, mean over masks, grid: {settings.grid}"),
        ("IoU, micro", f"{evaluation.micro_iou:.4f}", f"blocks of {side} of all masks, grid: {settings.grid}"),
    ]
    print_table(("figure", "value", "of"), rows)
    print(f"masks: {len(evaluation.rows)}")
