"""From pictures and DISTS to dists_sq.onnx: scenes, fit, file, figures."""

from __future__ import annotations

import itertools
import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from tinyvmaf._files import write_bytes
from tinyvmaf.errors import UsageError
from tinyvmaf.train.dists_sq import corpus, evaluate
from tinyvmaf.train.dists_sq.damage import Image
from tinyvmaf.train.dists_sq.describe import sidecar
from tinyvmaf.train.dists_sq.export import rounded, to_onnx
from tinyvmaf.train.dists_sq.fit import Fit, Settings
from tinyvmaf.train.dists_sq.network import Network
from tinyvmaf.train.dists_sq.pictures import Picture, Scenes, find, split_of
from tinyvmaf.train.dists_sq.start import OUTPUTS, RANKS, start, watched
from tinyvmaf.train.dists_sq.teacher import Teacher, read_teacher

Say = Callable[[str], None]

VALIDATION_SCENES = 40

WATCHED = 320
"""Pictures at which the teacher is watched."""


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
    teacher, pictures = Teacher(read_teacher(plan.teacher), plan.precision), find(plan.pictures)
    train = _label(plan, teacher, pictures, "train", plan.scenes, say)
    validation = _label(plan, teacher, pictures, "validation", VALIDATION_SCENES, say)
    settings = Settings(steps=plan.steps)
    fit = resumed(teacher, settings, state) if state.exists() else begin(teacher, train, settings, say)

    def tell(line: str) -> None:
        say(f"{line} | {_line(_validated(fit.student, validation))}")

    fit.run(train, tell, state)
    finish(plan, fit.student, fit.progress.step, teacher, pictures, say)


def begin(teacher: Teacher, train: Sequence[Path], settings: Settings, say: Say) -> Fit:
    """Make the teacher thinner.

    Args:
        teacher: To start from.
        train: Files of scenes.
        settings: Of the fit.
        say: Takes lines of progress.

    Returns:
        A fit at its first step.
    """
    pictures = watched((corpus.load(path).pictures for path in train), WATCHED)
    student, seen = start(teacher.network, pictures, say)
    return Fit(teacher, student, seen, settings)


def resumed(teacher: Teacher, settings: Settings, state: Path) -> Fit:
    """Go on with a fit.

    Args:
        teacher: To learn from.
        settings: Of the fit.
        state: What it saved.

    Returns:
        The fit where it stopped.
    """
    student = Network(OUTPUTS, RANKS)
    # What its convolutions see is part of the state; until that is read, anything does.
    fit = Fit(teacher, student, [torch.eye(9 * c.inside + 1).double() for c in student.convolutions], settings)
    fit.progress.restore(state)
    return fit


def finish(plan: Plan, student: Network, steps: int, teacher: Teacher, pictures: Sequence[Picture], say: Say) -> None:
    """Write the model, its sidecar and a report.

    Args:
        plan: What is made of what.
        student: Fitted.
        steps: Updates of the fit.
        teacher: Labels the tests.
        pictures: All that there are.
        say: Takes lines of progress.
    """
    network = rounded(student)
    tests = _tested(plan, network, teacher, pictures, say)
    facts = {"scenes": plan.scenes, "steps": steps}
    numbers = sum(p.numel() for p in network.parameters())
    write_bytes(
        plan.out / "report.json", json.dumps({"pictures": _counted(pictures), "tests": tests}, indent=1).encode()
    )
    write_bytes(plan.out / "dists_sq.json", sidecar(plan.pictures, numbers, facts, tests).encode())
    write_bytes(plan.out / "dists_sq.onnx", to_onnx(network))


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


def _validated(network: Network, paths: Sequence[Path]) -> dict[str, Any]:
    scenes = ((path.stem, corpus.load(path)) for path in paths)
    return evaluate.figures(evaluate.cases(network, scenes))


def _tested(
    plan: Plan, network: Network, teacher: Teacher, pictures: Sequence[Picture], say: Say
) -> dict[str, dict[str, Any]]:
    tests = {}
    for place, kind in itertools.product((None, *plan.outside), evaluate.WAYS):
        name = f"{place.name if place else 'open'}-{kind}"
        scenes = evaluate.labelled(_references(plan, place, pictures), kind, teacher, plan.out / "scenes" / name)
        tests[name] = evaluate.figures(evaluate.cases(network, scenes))
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
