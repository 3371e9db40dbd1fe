"""The whole way: samples, a thinner teacher, fit, file."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch

from tinyvmaf._files import write_bytes
from tinyvmaf.train.saliency.compress import compress, survey
from tinyvmaf.train.saliency.describe import DESCRIPTION, sidecar
from tinyvmaf.train.saliency.export import export
from tinyvmaf.train.saliency.fit import Fit, Plan, figures, fit_to_end
from tinyvmaf.train.saliency.network import Network, as_pictures
from tinyvmaf.train.saliency.pictures import Pool, find
from tinyvmaf.train.saliency.samples import Maker, Samples
from tinyvmaf.train.saliency.teacher import Teacher, as_maps, open_teacher

SIDE = 256
"""Of the squares that the student sees while it is fitted."""

SEEN = 288
"""Of those that it sees in use: nearer to the teacher's own, at about 30 frames of 1080p a second on two cores."""

NUMBERS = 440_000
"""Of the student: as many as a file of 500 kB holds."""

SURVEYED = 42
"""Samples on which the teacher is watched at work."""


@dataclass(frozen=True, slots=True)
class Size:
    """How much to do.

    Attributes:
        files: Files of samples for training.
        validation_files: The same for validation.
        steps: Batches of the fit.
        threads: Of PyTorch.
    """

    files: int
    validation_files: int
    steps: int
    threads: int = 1


def make_model(pictures: Path, out: Path, size: Size, resume: bool, say: Callable[[str], None]) -> Path:
    """Label pictures, make the teacher thinner, fit the result to it, write it.

    Args:
        pictures: Folder of photos/, frames/ and cutouts/.
        out: Folder for everything that is made; made if absent. Samples in it are used again.
        size: How much to do.
        resume: Whether to go on from the state saved in `out`, if there is one.
        say: Takes lines for people.

    Returns:
        The file.

    Raises:
        UsageError: There are no pictures.
        ModelError: The teacher has not been pulled, or the file is not good.
    """
    torch.set_num_threads(size.threads)
    teacher = open_teacher()
    train, validation = out / "train", out / "validation"
    label(find(pictures, held_out=True), as_maps(teacher), validation, size.validation_files, 1, say)
    label(find(pictures, held_out=False), as_maps(teacher), train, size.files, 0, say)
    state = out / "state.pt"
    fit = begin(teacher, Samples(train), Plan(steps=size.steps), say)
    if resume and state.exists():
        fit.progress.restore(state)
    fit_to_end(fit, (train, validation), SIDE, state, say)
    held_out = Samples(validation).all()
    report = {name: figures(net, held_out, SIDE) for name, net in (("student", fit.student), ("teacher", teacher))}
    numbers = sum(p.numel() for p in fit.student.parameters())
    facts = {"samples": len(Samples(train)), "steps": fit.progress.step, "seed": fit.plan.seed}
    made = out / "saliency.onnx"
    write_bytes(out / "saliency.json", sidecar(pictures, SEEN, numbers, facts, report).encode())
    write_bytes(made, export(fit.student, DESCRIPTION))
    return made


def begin(teacher: Network, samples: Samples, plan: Plan, say: Callable[[str], None]) -> Fit:
    """Make the teacher thinner.

    Args:
        teacher: Of whole convolutions.
        samples: For training.
        plan: Of the fit.
        say: Takes lines for people.

    Returns:
        A fit at its first step.
    """
    say("watching the teacher at work")
    seen = as_pictures(samples.spread(SURVEYED), SIDE)
    known = survey(teacher, seen.split(4))
    say("choosing how thin each layer becomes")
    return Fit(teacher, compress(teacher, known, NUMBERS), known, plan)


def label(pool: Pool, teacher: Teacher, folder: Path, files: int, seed: int, say: Callable[[str], None]) -> None:
    """Make the samples of a split that are not there yet.

    Args:
        pool: Its pictures and cut-outs.
        teacher: Labels them.
        folder: For the samples.
        files: How many files to make.
        seed: Of everything random.
        say: Takes a line per file.
    """
    objects = folder / "objects"
    objects.mkdir(parents=True, exist_ok=True)
    maker = Maker(pool, teacher, folder, objects, seed)
    for number in range(files):
        say(f"samples {number + 1} of {files}: {maker.make(number)}")
