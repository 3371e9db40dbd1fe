#!/usr/bin/env python3
"""Does the saliency network find what stands out, how fast, and do weighted scores do what they say?

Three parts. `maps`: IoU, F-beta and mean absolute error at 0.5, the area under the curve, and the IoU of blocks on the
38 clips of DAVIS 2016 (480p, 30 frames, masks; never trained on), mean over frames, then over clips, with the 95 %
interval of the bootstrap over clips; of maps of single frames, and of the stream of a clip that looks at every fourth.
`speed`: frames per second of the stream at 1080p, resize included, on frames that are decoded, and what weighting costs
beyond the network. `weights`: the same damage once inside the object and once outside, in plain and weighted VMAF. The
place outside is the object's outline moved into the background, where the texture is most like the object's: areas are
equal in every frame.
"""

from __future__ import annotations

import argparse
import shlex
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from lab.clips import Case, make
from lab.damage import DAMAGES, Planes, confined
from lab.davis import KnownSaliency, Remembered, Sequence, Twins, interval, sequences, twins
from lab.report import machine, publish, spread, table
from lab.runs import ours
from lab.trial import parsed

from tinyvmaf.models.load import load
from tinyvmaf.models.runtime import DnnConfig
from tinyvmaf.score.compare import NamedModel, compare, load_model
from tinyvmaf.video.frame import Colour, Frame
from tinyvmaf.video.raw import RawFormat
from tinyvmaf.video.reader import open_video
from tinyvmaf.vision.map_files import Map
from tinyvmaf.vision.map_scores import Settings, block_scores, pixel_scores
from tinyvmaf.vision.saliency import SaliencyModel, SaliencyStream, plane

FILES = ("docs/saliency.md", "benchmarks/README.md")
EVERY = 4
SIDES = (16, 64)
FIGURES = ("IoU", "F-beta", "MAE", "AUC", *(f"IoU of blocks of {side}" for side in SIDES))
BARS = ("0.60", "", "at most 0.07", "0.96", "", "")
FPS_BAR, OVERHEAD_BAR = 30, 10
LARGE = Case("1080p", 1920, 1080, 48, source="openh264_VID_1080p")


def opened(model: str, threads: int) -> SaliencyModel:
    """A network on the CPU."""
    return SaliencyModel(DnnConfig(device="cpu", threads=threads).open(load(model)))


def titled(model: str) -> str:
    """What a model is called in tables."""
    return Path(model).stem


# Maps


def maps(options: argparse.Namespace) -> str:
    """Figures of every model, of single frames and of streams."""
    models = {titled(name): opened(name, options.threads) for name in options.model}
    found: dict[tuple[str, str], list[list[float]]] = {}
    for sequence in sequences(options.clips):
        for name, model in models.items():
            seen, colour = Remembered(model), sequence.colour
            ways = {
                "single frames": [seen.map(frame, colour) for frame in sequence.frames],
                f"stream, every {EVERY}th": seen.streamed(sequence.frames, colour, EVERY),
            }
            for way, given in ways.items():
                figures = judged(given, sequence)
                found.setdefault((name, way), []).append(figures)
                print(f"{sequence.name}, {name}, {way}: {' '.join(f'{x:.3f}' for x in figures)}", flush=True)
    rows = [["bar", "", *BARS]]
    for (name, way), clips in found.items():
        cells = [interval(column) for column in zip(*clips, strict=True)]
        rows.append([f"`{name}`", way, *(f"{mean:.3f} ({low:.3f}..{high:.3f})" for mean, low, high in cells)])
    count = len(next(iter(found.values())))
    return f"{count} clips, mean (95 % interval over clips):\n\n{table(['model', 'maps', *FIGURES], rows)}"


def judged(found: list[Map], sequence: Sequence) -> list[float]:
    """Each figure, mean over the frames of a clip."""
    rows = []
    for values, mask in zip(found, sequence.masks, strict=True):
        truth = mask.astype(np.float32)
        large = np.clip(plane(values, *mask.shape), 0, 1)
        scores = pixel_scores(large, truth)
        blocks = [block_scores(large, truth, Settings(block_size=side)).iou for side in SIDES]
        auc = np.nan if scores.auc is None else scores.auc
        rows.append([scores.iou, scores.f_beta, scores.mae, auc, *blocks])
    return np.nanmean(rows, axis=0).tolist()


# Speed


def speed(options: argparse.Namespace) -> str:
    """Frames per second at 1080p, and what weights cost."""
    with tempfile.TemporaryDirectory(prefix="tinyvmaf-bench-") as folder:
        pair = make(LARGE, Path(folder))
        layout = RawFormat(LARGE.width, LARGE.height, "420", 8)
        frames, damaged = (
            [f for f in _read(path, layout)][: options.frames] for path in (pair.reference, pair.distorted)
        )
    rows = [["bar", f"{FPS_BAR}", "", "", f"{OVERHEAD_BAR} %", ""]]
    for name in options.model:
        model = opened(name, options.threads)
        known = Remembered(model)
        kinds: dict[str, Callable[[], None]] = {
            "stream": lambda model=model: streamed(model, frames, EVERY),
            "all": lambda model=model: streamed(model, frames, 1),
            "plain": lambda: scored(frames, damaged, options.threads),
            "weighted": lambda known=known: scored(frames, damaged, options.threads, known),
            "both": lambda model=model: scored(frames, damaged, options.threads, model),
        }
        times = timed(kinds, options.runs)
        fps = {kind: [len(frames) / seconds for seconds in column] for kind, column in times.items()}
        more = [100 * (weighted / plain - 1) for weighted, plain in zip(times["weighted"], times["plain"], strict=True)]
        rows.append([
            f"`{titled(name)}`", f"**{spread(fps['stream'], 1)}**", spread(fps["all"], 1), spread(fps["plain"], 1),
            f"**{spread(more, 1)} %**", spread(fps["both"], 1),
        ])  # fmt: skip
    head = ["model", f"stream, every {EVERY}th", "stream, every frame", "`vmaf` alone", "weights beyond the network",
            "`vmaf` and `vmaf_saliency`"]  # fmt: skip
    return (
        f"{len(frames)} frames of 1080p in memory, {options.threads} threads, {options.runs} runs of each in turn, "
        f"frames per second:\n\n{table(head, rows)}\n\nMedian (smallest..largest). Weights beyond the network: time "
        "added to scoring where the maps are there already."
    )


def _read(path: Path, layout: RawFormat) -> list[Frame]:
    with open_video(path, raw=layout) as video:
        return [Frame(tuple(plane.copy() for plane in frame.planes), frame.bits, frame.index) for frame in video]


def streamed(model: SaliencyModel, frames: list[Frame], every: int) -> None:
    """Make all maps of a clip."""
    stream, colour = SaliencyStream(model, every), Colour("bt709", "limited")
    count = sum(len(stream.push(frame, colour)) for frame in frames) + len(stream.finish())
    assert count == len(frames)


def scored(frames: list[Frame], damaged: list[Frame], threads: int, model: SaliencyModel | None = None) -> None:
    """Score a clip, weighted besides where there is a network."""
    features = [] if model is None else [KnownSaliency(model, every=EVERY)]
    pair = [[frame.planes for frame in clip] for clip in (frames, damaged)]
    compare(*pair, models="vmaf_v0.6.1", features=features, threads=threads)


def timed(kinds: dict[str, Callable[[], None]], runs: int) -> dict[str, list[float]]:
    """Seconds of each kind, run in turn after one that does not count."""
    times: dict[str, list[float]] = {kind: [] for kind in kinds}
    for turn in range(runs + 1):
        for kind, work in kinds.items():
            started = time.perf_counter()
            work()
            if turn:
                times[kind].append(time.perf_counter() - started)
    return times


# Weights


def weights(options: argparse.Namespace) -> str:
    """Drops of plain and weighted VMAF by damage inside the object and outside it."""
    vmaf = load_model("vmaf_v0.6.1", disable_clip=True)
    found: dict[str, dict[str, Drops]] = {}
    left_out, pairs = [], []
    model = opened(options.model[0], options.threads)
    for sequence in sequences(options.clips):
        places = twins(sequence)
        if places is None:
            left_out.append(sequence.name)
            continue
        pairs.append((places.coverage, places.texture))
        found[sequence.name] = drops(sequence, places, KnownSaliency(Remembered(model), every=EVERY), vmaf)
        print(f"{sequence.name}: {found[sequence.name]}", flush=True)
    without = (
        f" Left out, because less than half of the object fits elsewhere: {', '.join(left_out)}." if left_out else ""
    )
    head = ["damage", "drop inside, plain", "drop outside, plain", "inside, weighted", "outside, weighted",
            "clips where inside drops more, plain", "weighted", "inside less outside, plain", "weighted",
            "clips where weights widen it"]  # fmt: skip
    clips = ["clip", *(f"{name}: {kind} in / out" for name in DAMAGES for kind in ("plain", "weighted"))]
    rows = [
        [name, *(f"{inside:.2f} / {outside:.2f}" for damage in DAMAGES for inside, outside in one[damage])]
        for name, one in found.items()
    ]
    coverage, texture = np.median(pairs, axis=0)
    return (
        f"maps of `{titled(options.model[0])}`, strength 1, floor 0.25, {len(found)} clips.{without} In the middle "
        f"clip {coverage:.0%} of the object have a counterpart, whose gradients are {texture:.2f} times the object's. "
        "Drop of the mean score below that of the reference against itself; differences with 95 % interval over clips:"
        f"\n\n{table(head, [summary(name, [one[name] for one in found.values()]) for name in DAMAGES])}\n\n"
        f"Each clip:\n\n{table(clips, rows)}"
    )


Drops = dict[str, tuple[tuple[float, float], tuple[float, float]]]
"""Of each damage ((plain inside, outside), (weighted inside, outside))."""


def drops(sequence: Sequence, places: Twins, weighing: KnownSaliency, vmaf: NamedModel) -> Drops:
    """What each damage costs."""
    untouched = [frame.planes for frame in sequence.frames]

    def scores(damaged: Planes) -> tuple[float, float]:
        result = compare(untouched, damaged, models=vmaf, features=weighing)
        return result.score("vmaf"), result.score("vmaf_saliency")

    whole = scores(untouched)
    found = {}
    for name, damage in DAMAGES.items():
        inside, outside = damage(sequence, places)
        after = scores(confined(sequence, inside, places.inside)), scores(confined(sequence, outside, places.outside))
        found[name] = tuple((whole[kind] - after[0][kind], whole[kind] - after[1][kind]) for kind in (0, 1))
    return found


def summary(name: str, clips: list[tuple[tuple[float, float], tuple[float, float]]]) -> list[str]:
    """The row of one damage."""
    values = np.array(clips)  # (clips, plain and weighted, inside and outside)
    gaps = values[:, :, 0] - values[:, :, 1]
    means = values.mean(axis=0)
    more = np.count_nonzero(gaps > 0, axis=0)
    wider = np.count_nonzero(gaps[:, 1] > gaps[:, 0])
    shown = ["{:.2f} ({:.2f}..{:.2f})".format(*interval(gaps[:, kind])) for kind in (0, 1)]
    count = len(clips)
    return [
        name, *(f"{number:.2f}" for number in means.reshape(-1)),
        f"{more[0]} of {count}", f"**{more[1]} of {count}**", *shown, f"**{wider} of {count}**",
    ]  # fmt: skip


PARTS: dict[str, Callable[[argparse.Namespace], str]] = {"maps": maps, "speed": speed, "weights": weights}


def main() -> None:
    """Measure what is asked for and print it."""
    options = arguments()
    where = machine()
    for part in options.parts:
        text = f"{ours().version}, {PARTS[part](options)}\n\nMachine: {where}."
        print(f"\n{text}")
        if options.write:
            command = shlex.join(["python", "benchmarks/saliency.py", *sys.argv[1:]])
            publish(f"saliency_{part}", text, command, FILES)


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS), help="(default: all)")
    parser.add_argument("--model", nargs="+", default=["saliency", "u2netp"], help="ids or files; weights: the first")
    parser.add_argument("--clips", type=int, metavar="N", help="how many clips of DAVIS (default: all)")
    parser.add_argument("--frames", type=int, default=48, metavar="N", help="frames at 1080p (default: 48)")
    parser.add_argument("--runs", type=int, default=5, metavar="N", help="runs of each at 1080p (default: 5)")
    parser.add_argument("--threads", type=int, default=2, metavar="N", help="(default: 2)")
    return parsed(parser, "2 clips, 8 frames, 1 run", "docs/saliency.md", clips=2, frames=8, runs=1)


if __name__ == "__main__":
    main()
