#!/usr/bin/env python3
"""How many frame pairs a second the networks look at, and how much of that time is theirs.

Every network runs in a process of its own, on frames that are decoded already: pairs of 8-bit 4:2:0 with texture, one
size at a time. The peer is ONNX Runtime on the same file with pictures that are RGB already, in turns with the feature;
what is left is conversion to RGB, checks of what goes in and out, and the result.
"""

from __future__ import annotations

import argparse
import json
import shlex
import statistics
import sys

from lab.clips import run
from lab.report import machine, publish, spread, table
from lab.runs import ours
from lab.trial import parsed

SIZES = ((576, 324), (1920, 1080))
FILES = ("docs/distances.md", "benchmarks/README.md")
NETWORKS = ("lpips_sq", "lpips_alex", "dists", "dists_sq")

TURNS = """
import json, resource, sys, time
import numpy as np, onnxruntime
from tinyvmaf.models.load import load
from tinyvmaf.score.pipeline import make_feature
from tinyvmaf.video.frame import Frame, FramePair
name, width, height, frames, threads = sys.argv[1], *map(int, sys.argv[2:])
random = np.random.default_rng(1)
def frame(index):
    sizes = ((height, width), *(((height + 1) // 2, (width + 1) // 2),) * 2)
    return Frame(tuple(random.integers(60, 180, size, np.uint8) for size in sizes), 8, index)
pair = FramePair(frame(0), frame(0), 0)
feature = make_feature(name, {"threads": threads})
options = onnxruntime.SessionOptions()
options.intra_op_num_threads = threads
bare = onnxruntime.InferenceSession(load(name).data, options, providers=["CPUExecutionProvider"])
pictures = {port.name: random.random((1, 3, height, width), np.float32) for port in bare.get_inputs()}
ways = {"ours": lambda: feature.update(pair), "bare": lambda: bare.run(None, pictures)}
found = {key: [] for key in ways}
for turn in range(frames + 1):
    for key, way in ways.items():
        start = time.perf_counter()
        way()
        if turn:
            found[key].append(time.perf_counter() - start)
found["peak"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
json.dump(found, sys.stdout)
"""


def main() -> None:
    """Measure and print one table."""
    options = arguments()
    where = machine()
    rows = [row(name, *size, options) for name in options.networks for size in SIZES]
    head = ("network, size", "pairs a second", "ONNX Runtime alone", "wall ratio", "peak MiB of both")
    text = f"{ours().version}, {options.threads} threads, median (smallest..largest):\n\n{table(head, rows)}"
    text += f"\n\nMachine: {where}."
    print(text)
    if options.write:
        publish("networks", text, shlex.join(["python", "benchmarks/networks.py", *sys.argv[1:]]), FILES)


def row(name: str, width: int, height: int, options: argparse.Namespace) -> list[str]:
    """One line of the table."""
    words = [name, str(width), str(height), str(options.frames), str(options.threads)]
    found = json.loads(run([sys.executable, "-c", TURNS, *words]))
    ratios = [mine / bare for mine, bare in zip(found["ours"], found["bare"], strict=True)]
    speeds = ([1 / seconds for seconds in found[key]] for key in ("ours", "bare"))
    peak = f"{found['peak']:.0f}"
    return [f"`{name}`, {width}x{height}", *(spread(s) for s in speeds), f"**{statistics.median(ratios):.2f}**", peak]


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, default=7, help="pairs of each (default: 7)")
    parser.add_argument("--threads", type=int, default=2, help="threads of the network (default: 2)")
    parser.add_argument("--networks", nargs="+", default=NETWORKS, help="features; those that are pulled must be here")
    return parsed(parser, "1 pair of each", "docs/distances.md", frames=1)


if __name__ == "__main__":
    main()
