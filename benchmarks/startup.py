#!/usr/bin/env python3
"""How long until `vmaf` is at work: the first run ever, later runs, and `import tinyvmaf`.

A run scores the first two frames of the demo clip, 640x360, so nearly all of it is start-up. The first run has an empty
TINYVMAF_CACHE_DIR: it compiles the kernels. Later runs find them.
"""

from __future__ import annotations

import argparse
import shlex
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from lab.clips import run
from lab.report import machine, publish, spread, table
from lab.runs import measured, ours
from lab.trial import parsed

WARM_BAR = 0.45
"""Seconds."""


def main() -> None:
    """Measure and print one table."""
    options = arguments()
    where = machine()
    mine = ours()
    with tempfile.TemporaryDirectory(prefix="tinyvmaf-bench-") as name:
        folder = Path(name)
        run([str(Path(sys.executable).with_name("tinyvmaf")), "demo", str(folder), "--frames", "2"])
        files = ["-r", str(folder / "reference.mkv"), "-d", str(folder / "distorted.mp4")]
        score = [mine.program, *files, "-q", "--json", "-o", str(folder / "log.json")]
        python = [sys.executable, "-c"]

        def repeat(command: list[str], cache: Callable[[int], str], runs: int) -> tuple[str, str, str]:
            costs = [measured(command, {"TINYVMAF_CACHE_DIR": str(folder / cache(i))}) for i in range(runs)]
            costs_of = [c.wall for c in costs], [c.cpu for c in costs]
            return spread(costs_of[0]), spread(costs_of[1]), f"{max(c.peak for c in costs):.0f}"

        rows = [
            ["first run, empty cache", *repeat(score, lambda i: f"cold{i}", options.cold), ""],
            ["later runs", *repeat(score, lambda _: "cold0", options.runs), f"{WARM_BAR:.2f}"],
            ["`vmaf --version`", *repeat([mine.program, "--version"], lambda _: "cold0", options.runs), ""],
            ["`import tinyvmaf`", *repeat([*python, "import tinyvmaf"], lambda _: "cold0", options.runs), ""],
            ["`python -c pass`, for comparison", *repeat([*python, "pass"], lambda _: "cold0", options.runs), ""],
        ]
    head = ("process", "wall s", "CPU s", "peak MiB", "bar, wall s")
    text = f"{mine.version}, median (smallest..largest):\n\n{table(head, rows)}\n\nMachine: {where}."
    print(text)
    if options.write:
        publish("startup", text, shlex.join(["python", "benchmarks/startup.py", *sys.argv[1:]]))


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=15, help="warm runs (default: 15)")
    parser.add_argument("--cold", type=int, default=3, help="first runs, each with a cache of its own (default: 3)")
    return parsed(parser, "3 warm runs and 1 cold one", "README.md and benchmarks/README.md", runs=3, cold=1)


if __name__ == "__main__":
    main()
