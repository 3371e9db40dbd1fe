"""From pictures and DISTS to dists_sq.onnx: scenes, fit, file, figures."""

from __future__ import annotations

import itertools
import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tinyvmaf._files import write_bytes
from tinyvmaf.errors import UsageError
from tinyvmaf.train.dists_sq import corpus, evaluate
from tinyvmaf.train.dists_sq.damage import Image
from tinyvmaf.train.dists_sq.export import to_onnx
from tinyvmaf.train.dists_sq.fit import Fit, Settings
from tinyvmaf.train.dists_sq.network import Tensors
from tinyvmaf.train.dists_sq.pictures import Picture, Scenes, find, split_of
from tinyvmaf.train.dists_sq.teacher import Teacher

Say = Callable[[str], None]

VALIDATION_SCENES = 40


@dataclass(frozen=True, slots=True)
class Plan:
    """What is made of what.

    Attributes:
        pictures: Folder with a manifest.csv; see `tinyvmaf.train.dists_sq.pictures.find`.
        teacher: The file dists.onnx.
        out: Folder for everything that is made.
        scenes: Number of scenes for training.
        steps: Number of updates.
        precision: Of the teacher's convolutions, "bfloat16" or "float32".
        test_crops: References of the test.
        outside: Folders of pictures that serve for evaluation only.
    """

    pictures: Path
    teacher: Path
    out: Path
    scenes: int
    steps: int
    precision: str
    test_crops: int
    outside: tuple[Path, ...]


def make_model(plan: Plan, resume: bool, say: Say) -> None:
    """Do all that is not done yet.

    Args:
        plan: What is made of what.
        resume: Whether to go on with a fit that lies in the folder.
        say: Takes lines of progress.

    Raises:
        UsageError: A fit lies there, but `resume` is not set.
        TinyVmafError: Pictures or teacher cannot be read.
    """
    state = plan.out / "fit.pt"
    if state.exists() and not resume:
        raise UsageError(f"The folder {plan.out} holds a fit already.", "Add --resume, or choose another folder.")
    plan.out.mkdir(parents=True, exist_ok=True)
    teacher, pictures = Teacher(plan.teacher, plan.precision), find(plan.pictures)
    train = _label(plan, teacher, pictures, "train", plan.scenes, say)
    validation = _label(plan, teacher, pictures, "validation", VALIDATION_SCENES, say)
    fit = Fit(teacher.alpha, Settings(steps=plan.steps), state)

    def tell(line: str) -> None:
        say(f"{line} | {_line(_validated(fit.average, validation))}")

    fit.run(lambda: train, tell)
    weights = evaluate.rounded(fit.average)
    write_bytes(plan.out / "dists_sq.onnx", to_onnx(weights))
    report = {"pictures": _counted(pictures), "tests": _tested(plan, weights, teacher, pictures, say)}
    write_bytes(plan.out / "report.json", json.dumps(report, indent=1).encode())


def _label(plan: Plan, teacher: Teacher, pictures: Sequence[Picture], split: str, count: int, say: Say) -> list[Path]:
    folder = plan.out / "scenes" / split
    folder.mkdir(parents=True, exist_ok=True)
    scenes = Scenes([one for one in pictures if split_of(one) == split])
    paths = [corpus.scene_path(folder, index) for index in range(count)]
    for index, path in enumerate(paths):
        if not path.exists():
            corpus.save(corpus.make_scene(scenes, teacher, split, index), path)
        if index % 100 == 99:
            say(f"{split}: {index + 1} scenes of {count}")
    return paths


def _validated(weights: Tensors, paths: Sequence[Path]) -> dict[str, Any]:
    scenes = ((path.stem, corpus.load(path)) for path in paths)
    return evaluate.figures(evaluate.cases(weights, scenes))


def _tested(
    plan: Plan, weights: Tensors, teacher: Teacher, pictures: Sequence[Picture], say: Say
) -> dict[str, dict[str, Any]]:
    tests = {}
    for place, kind in itertools.product((None, *plan.outside), evaluate.WAYS):
        name = f"{place.name if place else 'open'}-{kind}"
        scenes = evaluate.labelled(_references(plan, place, pictures), kind, teacher, plan.out / "scenes" / name)
        tests[name] = evaluate.figures(evaluate.cases(weights, scenes))
        say(f"{name}: {_line(tests[name])}")
    return tests


def _references(plan: Plan, place: Path | None, pictures: Sequence[Picture]) -> Iterator[tuple[str, Image]]:
    if place:
        return evaluate.whole_pictures(place, plan.test_crops)
    return evaluate.crops([one for one in pictures if split_of(one) == "test"], plan.test_crops)


def _line(found: dict[str, Any]) -> str:
    return " ".join(f"{key} {found['all'][key]:.4f}" for key in ("srocc", "plcc", "rmse"))


def _counted(pictures: Sequence[Picture]) -> dict[str, dict[str, int]]:
    """Number of pictures by split and licence."""
    splits = sorted({split_of(one) for one in pictures})
    return {
        split: dict(Counter(f"{one.kind}: {one.licence}" for one in pictures if split_of(one) == split))
        for split in splits
    }
