#!/usr/bin/env python3
"""What it costs to trust a model: a check on its own, opening a registered model, and each run.

A check is a whole process, `tinyvmaf models check` on a clean 10 MB model, in turns with `python -c pass`. Opening is
compared with a bare `onnxruntime.InferenceSession` of the same file: whole processes in turns, imports included; the
first opening of a process that has imported both; and later ones, also of the models that were pulled here. Runs are of
one row of six features, where overhead shows most.
"""

from __future__ import annotations

import argparse
import json
import shlex
import statistics
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from lab.clips import run
from lab.report import machine, publish, spread, table
from lab.runs import Cost, measured, ours
from lab.trial import parsed

CHECK_BAR = 25
"""Milliseconds of CPU that a check may take beyond the start of the interpreter."""
OPEN_BAR = 30
"""Milliseconds that opening a registered model may add."""

BUILD = """
import sys
import numpy as np
from onnx import TensorProto, helper, numpy_helper, save
random = np.random.default_rng(1)
nodes, tensors, before = [], [], "x"
for layer in range(12):
    weights = random.normal(size=(152, 152, 3, 3)).astype(np.float32)
    tensors.append(numpy_helper.from_array(weights, f"w{layer}"))
    nodes.append(helper.make_node("Conv", [before, f"w{layer}"], [f"c{layer}"], pads=[1, 1, 1, 1]))
    nodes.append(helper.make_node("Relu", [f"c{layer}"], [f"r{layer}"]))
    before = f"r{layer}"
ports = [helper.make_tensor_value_info(n, TensorProto.FLOAT, [1, 152, 64, 64]) for n in ("x", before)]
graph = helper.make_graph(nodes, "clean", ports[:1], ports[1:], tensors)
save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), sys.argv[1])
"""
"""Twelve convolutions: 2.5 million weights."""

BARE = "import sys, onnxruntime; onnxruntime.InferenceSession(sys.argv[1])"
OURS = "from tinyvmaf import dnn; dnn.open_session('vmaf_tiny')"
FIRST = """
import sys, time, onnxruntime
from tinyvmaf import dnn
open_session = dnn.open_session
from tinyvmaf.dnn import session
start = time.perf_counter()
onnxruntime.InferenceSession(sys.argv[1]) if len(sys.argv) > 1 else open_session("vmaf_tiny")
print(time.perf_counter() - start)
"""
WARM = """
import json, sys, time
import numpy, onnxruntime
from tinyvmaf import dnn
name, file, opens, calls = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
ways = {"bare": lambda: onnxruntime.InferenceSession(file), "ours": lambda: dnn.open_session(name)}
found = {f"{kind} {what}": [] for kind in ways for what in ("open", "run")}
for turn in range(opens + 1):
    for kind, way in ways.items():
        start = time.perf_counter()
        session = way()
        if turn:
            found[f"{kind} open"].append(time.perf_counter() - start)
if not calls:
    json.dump(found, sys.stdout)
    sys.exit()
row = numpy.array([[0.96, 0.5, 0.85, 0.92, 0.95, 4]], numpy.float32)
both = {kind: way() for kind, way in ways.items()}
runs = {"bare": lambda: both["bare"].run(None, {"features": row}), "ours": lambda: both["ours"].run({"features": row})}
for turn in range(21):
    for kind, once in runs.items():
        start = time.perf_counter()
        for _ in range(calls):
            once()
        if turn:
            found[f"{kind} run"].append((time.perf_counter() - start) / calls)
json.dump(found, sys.stdout)
"""


def main() -> None:
    """Measure and print one table."""
    options = arguments()
    where = machine()
    mine = ours()
    model = str(packaged_model())
    with tempfile.TemporaryDirectory(prefix="tinyvmaf-bench-") as folder:
        clean = Path(folder, "clean.onnx")
        run([sys.executable, "-c", BUILD, str(clean)])
        size = clean.stat().st_size / 1e6
        check = [str(Path(mine.program).with_name("tinyvmaf")), "models", "check", str(clean)]
        checks = in_turns([[sys.executable, "-c", "pass"], check], options.runs)
    python = [sys.executable, "-c"]
    opened = in_turns([[*python, BARE, model], [*python, OURS]], options.runs)
    first = [[float(run([*python, FIRST, *words])) for _ in range(options.runs)] for words in ([model], [])]
    warm = reopened("vmaf_tiny", model, 2 * options.runs, options.calls)
    rows = [
        row(f"`tinyvmaf models check`, {size:.1f} MB, beyond `python -c pass`: CPU ms", *cpu(checks), CHECK_BAR),
        row("opening `vmaf_tiny`, fresh process: wall ms", *wall(opened), OPEN_BAR),
        row("the first opening in a process, imports left out: wall ms", *first, OPEN_BAR),
        row("opening it again, warm: wall ms", warm["bare open"], warm["ours open"], OPEN_BAR),
        *(stored_row(name, file, 2 * options.runs) for name, file in stored_models().items()),
        row("one run of `vmaf_tiny` on one row: wall ms", warm["bare run"], warm["ours run"], None, 3),
    ]
    head = ("what", "without", "with", "added", "bar")
    note = "Added is the difference of the medians."
    text = f"{mine.version}, median (smallest..largest):\n\n{table(head, rows)}\n\n{note}\n\nMachine: {where}."
    print(text)
    if options.write:
        publish("trust", text, shlex.join(["python", "benchmarks/trust.py", *sys.argv[1:]]))


def packaged_model() -> Path:
    """The file of `vmaf_tiny`."""
    from tinyvmaf.models.registry import data_folder

    return data_folder() / "vmaf_tiny.onnx"


def stored_models() -> dict[str, Path]:
    """The models that were pulled on this machine: name to file."""
    from tinyvmaf.models.paths import store_folder
    from tinyvmaf.models.registry import stored_ids

    files = {name: store_folder() / f"{name}.onnx" for name in stored_ids()}
    return {name: file for name, file in files.items() if file.exists()}


def stored_row(name: str, file: Path, opens: int) -> list[str]:
    """What opening a larger model costs: its bytes are hashed, and its nodes checked."""
    again = reopened(name, str(file), opens, 0)
    what = f"opening `{name}`, {file.stat().st_size / 1e6:.1f} MB, warm: wall ms"
    return row(what, again["bare open"], again["ours open"], None)


def reopened(name: str, file: str, opens: int, calls: int) -> dict[str, list[float]]:
    """Seconds of every opening and run in one process, with and without us."""
    found: dict[str, list[float]] = json.loads(run([sys.executable, "-c", WARM, name, file, str(opens), str(calls)]))
    return found


def in_turns(commands: Sequence[list[str]], runs: int) -> list[list[Cost]]:
    """What each command took, `runs` times, in turns; one turn before that is not counted."""
    costs = [[measured(command) for command in commands] for _ in range(runs + 1)][1:]
    return [list(column) for column in zip(*costs, strict=True)]


def wall(costs: list[list[Cost]]) -> list[list[float]]:
    """Seconds of every run of every command."""
    return [[cost.wall for cost in column] for column in costs]


def cpu(costs: list[list[Cost]]) -> list[list[float]]:
    """Seconds of processor time, likewise."""
    return [[cost.cpu for cost in column] for column in costs]


def row(name: str, without: list[float], with_us: list[float], bar: int | None, digits: int = 1) -> list[str]:
    """One line of the table, in milliseconds."""
    sides = [[1e3 * second for second in seconds] for seconds in (without, with_us)]
    added = statistics.median(sides[1]) - statistics.median(sides[0])
    return [name, *(spread(side, digits) for side in sides), f"**{added:.{digits}f}**", "" if bar is None else str(bar)]


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=25, help="processes of each kind (default: 25)")
    parser.add_argument("--calls", type=int, default=500, help="runs of a graph between two looks at the clock")
    return parsed(parser, "3 processes of each kind", "benchmarks/README.md", runs=3)


if __name__ == "__main__":
    main()
