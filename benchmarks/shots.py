#!/usr/bin/env python3
"""How many of the transitions in edited films does `tinyvmaf shots` find, and how many that are none, beside its peers?

Films are made from natural clips by `lab.transitions`, 10 transitions each, and encoded with x264. A transition is
found where a new shot is said to begin within 2 frames of it; every other beginning is a false alarm, and so is a
second one in the same transition. Rules and thresholds were chosen on the development films, which share no clip with
the others.
Films and what was found in them are kept in a folder, so that an interrupted run goes on where it was.
"""

from __future__ import annotations

import argparse
import json
import shlex
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from lab.clips import SHARED
from lab.report import machine, publish, table
from lab.trial import parsed

PLAN = {
    "cut": 10,
    "dissolve": 12,
    "fade": 5,
    "wipe": 5,
    "flash": 4,
    "whip pan": 3,
    "letterbox": 3,
    "fast motion": 3,
}
"""Films of each kind; development has half as many."""
GRADUAL = ("dissolve", "fade", "wipe")
DEVELOPMENT = (
    *("androidx_360p", "flutter_bee", "mdn_flower", "openh264_VID_720p"),
    *("sam2_bedroom", "sam2_cups", "pips2_camel"),
)
"""Clips of the development films, all under open licences."""
LEFT_OUT = "portrait"
TOLERANCE = 2
"""Frames."""
DIFFERENCE = 44.0
"""Mean absolute difference of luma, 0 to 255, of a cut: the best one on the development films."""
BARS = {"all cuts": 97, "all gradual": 85}

TITLES = {
    "flash": "cuts among flashes",
    "whip pan": "cuts among whip pans",
    "letterbox": "cuts among letterboxes",
    "fast motion": "cuts in fast motion",
}

Found = list[int]


def ours(**how: Any) -> Callable[[Path], Found]:
    """A detector of this package."""

    def find(path: Path) -> Found:
        from tinyvmaf.vision.detect import detect_shots

        return list(detect_shots(path, **how).boundaries)

    return find


def adaptive(path: Path) -> Found:
    """PySceneDetect's AdaptiveDetector as it comes."""
    from scenedetect import AdaptiveDetector, detect

    return [start.frame_num for start, _ in detect(str(path), AdaptiveDetector())[1:]]


def difference(path: Path) -> Found:
    """Frames that differ from the one before by more than a number."""
    import numpy as np

    from tinyvmaf.video.reader import open_video

    found, last = [], None
    with open_video(path, planes="luma") as video:
        for frame in video:
            luma = frame.luma.astype(np.int16)
            if last is not None and np.abs(luma - last).mean() > DIFFERENCE:
                found.append(frame.index)
            last = luma
    return found


DETECTORS: dict[str, Callable[[Path], Found]] = {
    "tinyvmaf": ours(),
    "TransNet V2 alone": ours(original=True),
    "tinyvmaf, content": ours(detector="content"),
    "PySceneDetect Adaptive": adaptive,
    "frame difference": difference,
}
"""The second is the authors' procedure: all windows, and no rule of ours."""


def clips(half: str) -> list[Path]:
    """What the films of a half are made from."""
    shared = sorted(SHARED.iterdir())
    development = [path for path in shared if any(name in path.name for name in DEVELOPMENT)]
    if half == "development":
        return development
    others = [path for path in shared if path not in development and LEFT_OUT not in path.name]
    return others + sorted((SHARED.parent / "davis2016_480p").glob("*.mp4"))


def films(half: str, folder: Path, quick: bool) -> Iterator[tuple[str, Path, list[tuple[int, int]]]]:
    """Kind, file and transitions (last frame before, first frame behind) of every film; made where it is not there."""
    from lab.transitions import film, write

    sources = clips(half)
    for place, (kind, count) in enumerate(PLAN.items()):
        wanted = count if half == "held-out" else max(1, round(count / 2))
        for number in range(1 if quick else wanted):
            path = folder / f"{half}-{kind.replace(' ', '-')}-{number}.mp4"
            facts = path.with_suffix(".json")
            if not facts.exists():
                made = film(kind, sources, 100 * place + number + 1000 * (half == "held-out"))
                write(made, path)
                facts.write_text(json.dumps([(one.before, one.after) for one in made.transitions]))
                print(f"made {path.name}: {len(made.frames)} frames", flush=True)
            yield kind, path, json.loads(facts.read_text())


def found_in(path: Path, detector: str) -> Found:
    """What a detector finds in a film, remembered beside it."""
    kept = path.with_name(f"{path.stem}.{detector.replace(' ', '_').replace(',', '')}.json")
    if not kept.exists():
        kept.write_text(json.dumps(DETECTORS[detector](path)))
    beginnings: Found = json.loads(kept.read_text())
    return beginnings


def matched(found: Found, transitions: list[tuple[int, int]]) -> tuple[int, int, int]:
    """How many transitions were found, were missed, and were false alarms; each beginning counts for one transition."""
    left, hits = set(found), 0
    for before, after in transitions:
        near = [first for first in left if before + 1 - TOLERANCE <= first <= after + TOLERANCE]
        if near:
            hits += 1
            left.remove(min(near, key=lambda first: abs(2 * first - before - after)))
    return hits, len(transitions) - hits, len(left)


def main() -> None:
    """Make the films, run all detectors, print one table."""
    options = arguments()
    if not SHARED.is_dir():
        sys.exit("The films are made from the shared data folder, which is not beside this checkout.")
    where, folder = machine(), Path(options.folder)
    folder.mkdir(parents=True, exist_ok=True)
    sums: dict[tuple[str, str], list[int]] = defaultdict(lambda: [0, 0, 0])
    for kind, path, transitions in films(options.half, folder, options.quick):
        for detector in DETECTORS:
            counts = matched(found_in(path, detector), transitions)
            for name in (kind, "all gradual" if kind in GRADUAL else "all cuts"):
                sums[name, detector] = [a + b for a, b in zip(sums[name, detector], counts, strict=True)]
        print(f"{path.name}: {counts}", flush=True)
    text = f"{render(sums)}\n\nMachine: {where}."
    print(f"\n{text}")
    if options.write:
        publish("shots", text, shlex.join(["python", "benchmarks/shots.py", *sys.argv[1:]]), ["benchmarks/README.md"])


def render(sums: dict[tuple[str, str], list[int]]) -> str:
    """The table: a row per kind, F1 with precision and recall per detector."""
    rows = []
    for name in [*PLAN, *BARS]:
        hits, missed, _ = sums[name, "tinyvmaf"]
        cells = [score(*sums[name, detector], bold=detector == "tinyvmaf") for detector in DETECTORS]
        rows.append([TITLES.get(name, name), str(hits + missed), *cells, str(BARS.get(name, ""))])
    head = ("transitions", "number", *DETECTORS, "bar")
    return f"F1, and in brackets precision and recall, in per cent:\n\n{table(head, rows)}"


def score(hits: int, missed: int, alarms: int, bold: bool) -> str:
    """98.7 (99, 98)."""
    f1 = 200 * hits / max(1, 2 * hits + missed + alarms)
    precision, recall = 100 * hits / max(1, hits + alarms), 100 * hits / max(1, hits + missed)
    shown = f"**{f1:.1f}**" if bold else f"{f1:.1f}"
    return f"{shown} ({precision:.0f}, {recall:.0f})"


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--half", choices=("held-out", "development"), default="held-out", help="which films")
    parser.add_argument("--folder", default="shots-films", help="where films are kept (default: shots-films)")
    return parsed(parser, "one film of each kind", "benchmarks/README.md")


if __name__ == "__main__":
    main()
