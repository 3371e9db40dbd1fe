#!/usr/bin/env python3
"""How far are tinyvmaf's features and scores from libvmaf's, frame by frame, over natural clips?

Clips as in score.py. Each is scored by both at two even sizes and an odd one, at 8, 10, 12 and 16 bits in turn as far
as FFmpeg's libvmaf filter takes them without converting. The table has the largest absolute difference of any frame,
and of the mean of any clip. Both logs hold six decimals. The filter always uses libvmaf's vector code, which at odd
sizes differs from libvmaf's own plain C in ADM; such clips have columns of their own.
"""

from __future__ import annotations

import argparse
import shlex
import subprocess
import sys
import tempfile
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lab.clips import Case, Pair, make, run, sources
from lab.report import machine, publish, table
from lab.runs import Peer, column, largest_difference, log_of, ours, peers
from lab.trial import parsed

MODELS = (
    "version=vmaf_v0.6.1:name=vmaf",
    "version=vmaf_v0.6.1neg:name=vmaf_neg",
    "version=vmaf_4k_v0.6.1:name=vmaf_4k",
)
FEATURES = ("psnr", "float_ssim", "float_ms_ssim")
METRICS = (
    *(f"integer_{key}" for key in ("adm2", "motion2", "vif_scale0", "vif_scale1", "vif_scale2", "vif_scale3")),
    *("psnr_y", "psnr_cb", "psnr_cr", "float_ssim", "float_ms_ssim", "vmaf", "vmaf_neg", "vmaf_4k"),
)
SIZES = ((576, 324), (1280, 720), (481, 321))
FRAMES = 24


@dataclass
class Difference:
    """Largest differences of one metric.

    Attributes:
        frame: Of any frame.
        mean: Of the mean of any clip.
    """

    frame: float = 0.0
    mean: float = 0.0

    def push(self, one: list[Any], other: list[Any]) -> None:
        """Add one clip's columns."""
        if not one and not other:
            return
        self.frame = max(self.frame, largest_difference(one, other))
        self.mean = max(self.mean, abs(mean(one) - mean(other)))


@dataclass
class Group:
    """All clips of one kind."""

    clips: int = 0
    metrics: dict[str, Difference] = field(default_factory=lambda: defaultdict(Difference))


def mean(values: list[Any]) -> float:
    """Mean of the values that are there."""
    present = [value for value in values if value is not None]
    return sum(present) / len(present) if present else 0.0


def main() -> None:
    """Score every clip with both and print one table."""
    options = arguments()
    mine, filter_ = ours(), peers()[0]
    where = machine()
    names = [path.name for path in sources()] or ["demo"]
    groups: dict[str, Group] = {}
    refused = set()
    for index, name in enumerate(names[: 2 if options.quick else None]):
        for number, (width, height) in enumerate(SIZES):
            bits = (8, 10, 12, 16)[(index + number) % 4]
            case = Case(f"{name} {width}x{height} {bits} bits", width, height, FRAMES, bits, source=name)
            if bits in refused or not add(case, mine, filter_, groups):
                refused.add(bits)
                print(f"{case.name}: FFmpeg's filter converts {bits} bits, scored at 8 bits instead", flush=True)
                case = Case(f"{name} {width}x{height} 8 bits", width, height, FRAMES, 8, source=name)
                add(case, mine, filter_, groups)
    title = f"{mine.version} against {filter_.name} ({filter_.version}), largest difference, {FRAMES} frames a clip:"
    text = f"{title}\n\n{render(groups)}\n\nMachine: {where}."
    print(f"\n{text}")
    if options.write:
        publish("accuracy", text, shlex.join(["python", "benchmarks/accuracy.py", *sys.argv[1:]]))


def add(case: Case, mine: Peer, other: Peer, groups: dict[str, Group]) -> bool:
    """Score one clip with both; False where FFmpeg would convert it first."""
    with tempfile.TemporaryDirectory(prefix="tinyvmaf-bench-") as name:
        folder = Path(name)
        pair = make(case, folder)
        if converts(other, pair, folder):
            return False
        logs = []
        for peer in (mine, other):
            log = folder / f"{peer.kind}.json"
            run(peer.command(pair, 2, log, MODELS, FEATURES))
            logs.append(log_of(log))
    kind = "odd sizes" if case.width % 2 or case.height % 2 else f"{case.bits} bits"
    group = groups.setdefault(kind, Group())
    group.clips += 1
    for metric in METRICS:
        one, two = (column(log, metric) for log in logs)
        if any(value is not None for value in two):
            group.metrics[metric].push(one, two)
    print(f"{case.name}: VMAF differs by {largest_difference(*(column(log, 'vmaf') for log in logs)):.6f}", flush=True)
    return True


def converts(peer: Peer, pair: Pair, folder: Path) -> bool:
    """Whether FFmpeg puts a conversion before its filter, which would make the comparison void."""
    command = peer.command(pair, 1, folder / "probe.json")
    command[command.index("error")] = "verbose"
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    return "auto_scale" in done.stderr


def render(groups: dict[str, Group]) -> str:
    """One row a metric, two columns a kind of clip."""
    kinds = sorted(groups, key=lambda kind: (kind == "odd sizes", len(kind), kind))
    head = ["metric"]
    for kind in kinds:
        head += [f"{kind}, clips: {groups[kind].clips}; frame", "mean"]
    rows = []
    for metric in METRICS:
        row = [f"`{metric}`"]
        for kind in kinds:
            found = groups[kind].metrics.get(metric)
            row += ["", ""] if found is None else [f"{found.frame:.1e}", f"{found.mean:.1e}"]
        rows.append(row)
    return table(head, rows)


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    return parsed(parser, "two clips only", "README.md and benchmarks/README.md")


if __name__ == "__main__":
    main()
