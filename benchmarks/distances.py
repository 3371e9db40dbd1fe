#!/usr/bin/env python3
"""What do the perceptual distances say of ordinary encodes?

Natural clips, scaled to 640x360, are encoded with x264 at rising CRF. The table has the mean of every measure over all
clips, one frame in four, and below it how alike the measures order the encodes: Spearman's rank correlation over clips
and CRFs together.
"""

from __future__ import annotations

import argparse
import shlex
import sys
import tempfile
from pathlib import Path

import numpy as np
import numpy.typing as npt
from lab.clips import QUIET, Case, encode, ffmpeg, raw_output, run, sources
from lab.report import machine, publish, table
from lab.runs import ours
from lab.trial import parsed
from scipy.stats import spearmanr

from tinyvmaf import score

CRFS = (17, 22, 27, 32, 37, 42, 47)
DISTANCES = ("lpips_sq", "lpips_alex", "dists", "dists_sq")
KEYS = ("vmaf", *DISTANCES)
FILES = ("docs/distances.md", "benchmarks/README.md")


def main() -> None:
    """Measure and print both tables."""
    options = arguments()
    where = machine()
    clips = sources()[: options.clips]
    values = np.array([measured(clip, options.frames) for clip in clips])
    means = values.mean(axis=0)
    digits = (2, 4, 4, 4)
    rows = [
        [f"CRF {crf}", *(f"{value:.{n}f}" for value, n in zip(line, digits, strict=True))]
        for crf, line in zip(CRFS, means, strict=True)
    ]
    flat = values.reshape(-1, len(KEYS))
    ranks = np.abs(spearmanr(flat).statistic)
    likeness = [[f"`{key}`", *(f"{r:.3f}" for r in line)] for key, line in zip(KEYS, ranks, strict=True)]
    head = [f"`{key}`" for key in KEYS]
    text = (
        f"{ours().version}, mean over {len(clips)} clips:\n\n{table(['x264', *head], rows)}\n\n"
        f"Spearman's rank correlation, sign left out:\n\n{table(['', *head], likeness)}\n\nMachine: {where}."
    )
    print(text)
    if options.write:
        publish("distances", text, shlex.join(["python", "benchmarks/distances.py", *sys.argv[1:]]), FILES)


def measured(clip: Path, frames: int) -> npt.NDArray[np.float64]:
    """Every measure at every CRF, (CRFs, measures)."""
    case = Case(clip.stem, 640, 360, frames)
    with tempfile.TemporaryDirectory(prefix="tinyvmaf-bench-") as folder:
        reference = Path(folder, "reference.y4m")
        raw = Path(folder, "reference.yuv")
        scale = "scale=640:360:flags=bicubic:out_range=limited"
        some = ["-frames:v", str(frames), "-vf", scale, *raw_output(case)]
        run([ffmpeg(), *QUIET, "-i", str(clip), *some, str(raw)])
        inputs = [*raw_output(case), "-s", "640x360", "-r", "25", "-i", str(raw)]
        run([ffmpeg(), *QUIET, *inputs, "-pix_fmt", "yuv420p", str(reference)])
        return np.array([scored(case, raw, reference, crf) for crf in CRFS])


def scored(case: Case, raw: Path, reference: Path, crf: int) -> list[float]:
    """Every measure of one encode."""
    coded = raw.with_name(f"{crf}.mkv")
    encode(case, raw, coded, crf)
    result = score(reference, coded, models="vmaf_v0.6.1", features=DISTANCES, subsample=4)
    return [result.pooled(key).mean for key in KEYS]


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=int, default=99, help="how many clips (default: all)")
    parser.add_argument("--frames", type=int, default=24, help="frames of each (default: 24)")
    return parsed(parser, "2 clips of 4 frames", "docs/distances.md", clips=2, frames=4)


if __name__ == "__main__":
    main()
