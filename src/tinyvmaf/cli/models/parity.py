"""`tinyvmaf models parity`: every registered model on every device, held against the CPU."""

from __future__ import annotations

import argparse
import json
import math
from dataclasses import asdict
from typing import IO, TYPE_CHECKING, Any, cast

from tinyvmaf.cli.table import print_table

if TYPE_CHECKING:
    from tinyvmaf.score.parity import ModelParity

BREACH = 1


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments.

    Args:
        parser: The command's parser.
    """
    parser.add_argument("models", nargs="*", metavar="MODEL", help="ids or files (default: every registered model)")
    parser.add_argument("--devices", default="cpu:threads=2,cpu:unoptimised", metavar="DEVICE[,DEVICE...]",
                        help="what to compare with the CPU; cpu takes :threads=N and :unoptimised")  # fmt: skip
    parser.add_argument("--tolerance", type=float, default=1e-4, help="largest difference (default: 1e-4)")
    parser.add_argument("--tolerance-fp16", type=float, default=1e-2, help="with float16 (default: 1e-2)")
    parser.add_argument("--reference", metavar="VIDEO", help="pristine clip (default: a generated one)")
    parser.add_argument("--distorted", metavar="VIDEO", help="degraded clip")
    parser.add_argument("--strict", action="store_true", help="an absent device is a breach")
    parser.add_argument("--json", metavar="FILE", help="write the rows as JSON; - for standard output")


def execute(arguments: argparse.Namespace) -> int:
    """Compare and print.

    Args:
        arguments: What `configure` declared.

    Returns:
        0 if no difference is too large, 1 otherwise.
    """
    from tinyvmaf._files import check_writable
    from tinyvmaf.score.parity import compare_devices

    clips = [name for name in (arguments.reference, arguments.distorted) if name is not None]
    if arguments.json not in (None, "-"):
        check_writable(arguments.json, [*clips, *arguments.models])
    rows = compare_devices(
        arguments.models, arguments.devices.split(","), reference=arguments.reference, distorted=arguments.distorted,
        tolerance_fp32=arguments.tolerance, tolerance_fp16=arguments.tolerance_fp16,
    )  # fmt: skip
    if arguments.json is not None:
        _write(rows, arguments.json)
    if arguments.json != "-":
        _print(rows)
    breached = any(not row.passed and (arguments.strict or not row.skipped) for row in rows)
    return BREACH if breached else 0


def _write(rows: list[ModelParity], path: str) -> None:
    content = json.dumps([_finite(asdict(row)) for row in rows], indent=2) + "\n"
    if path == "-":
        print(content, end="")
        return
    from tinyvmaf._files import atomic_write

    with atomic_write(path, "w") as stream:
        cast(IO[str], stream).write(content)


def _finite(row: dict[str, Any]) -> dict[str, Any]:
    return {k: None if isinstance(v, float) and not math.isfinite(v) else v for k, v in row.items()}


def _print(rows: list[ModelParity]) -> None:
    titles = ("model", "device", "ran on", "output", "max diff", "tolerance", "ms", "result")
    cells = []
    for row in rows:
        result = "ok" if row.passed else f"skipped: {row.skipped}" if row.skipped else row.failed or "BREACH"
        numbers = [f"{row.max_abs:.2e}", f"{row.tolerance:.0e}", f"{row.seconds * 1e3:.1f}"]
        shown = numbers if row.attached else [""] * 3
        cells.append([row.model, row.device, row.attached, row.output, *shown, result])
    print_table(titles, cells)
