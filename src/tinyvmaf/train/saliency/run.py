"""The whole way: samples, fit, file."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO, cast

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from tinyvmaf._files import atomic_write
from tinyvmaf.train.saliency.calibrate import calibrate
from tinyvmaf.train.saliency.composites import Pixels
from tinyvmaf.train.saliency.export import export
from tinyvmaf.train.saliency.fit import Fit, Plan, Samples, fit_to_end
from tinyvmaf.train.saliency.network import Network
from tinyvmaf.train.saliency.pictures import Pool, find
from tinyvmaf.train.saliency.samples import Maker
from tinyvmaf.train.saliency.teacher import Teacher, open_teacher

_OBJECT_SIDE = 160
"""Side of the squares that objects to paste are kept in."""


@dataclass(frozen=True, slots=True)
class Size:
    """How much to do.

    Attributes:
        files: Files of samples for training.
        validation_files: The same for validation.
        steps: Batches of the fit.
        threads: Of the fit.
    """

    files: int
    validation_files: int
    steps: int
    threads: int = 1


def make_model(pictures: Path, out: Path, size: Size, resume: bool, say: Callable[[str], None]) -> Path:
    """Label pictures, fit the network, write it.

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
    label(find(pictures, held_out=True), teacher, validation, size.validation_files, 1, say)
    label(find(pictures, held_out=False), teacher, train, size.files, 0, say)
    fit = Fit(Plan(steps=size.steps))
    state = out / "state.pt"
    if resume and state.exists():
        fit.restore(state)
    given = find(pictures, held_out=False).cutouts
    fit_to_end(fit, (train, validation), partial(load_objects, train / "objects", given), out, say)
    return write(out / "best.pt", Samples(validation).all(), fit.plan.sides[-1][1], out / "saliency.onnx")


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


def load_objects(folder: Path, given: Sequence[Path]) -> Tensor:
    """Objects to paste while fitting.

    Args:
        folder: Of what the teacher has cut out, *.png.
        given: Further cut-outs.

    Returns:
        float (K, 4, S, S) in 0..1: red, green, blue, alpha, each squeezed into its square.
    """
    squares = []
    for path in (*sorted(folder.glob("*.png")), *given):
        with Image.open(path) as image:
            whole = image.convert("RGBA")
        part = whole.crop(whole.getchannel("A").getbbox())
        squares.append(np.asarray(part.resize((_OBJECT_SIDE, _OBJECT_SIDE), Image.Resampling.BILINEAR)))
    if not squares:
        return torch.zeros(0, 4, 1, 1)
    return torch.from_numpy(np.stack(squares)).permute(0, 3, 1, 2).float() / 255


def write(weights: Path, held_out: Pixels, side: int, path: Path) -> Path:
    """Calibrate and export saved weights.

    Args:
        weights: Of a network, as `fit_to_end` saves them.
        held_out: Samples of validation.
        side: Of the square that the network is to see.
        path: The file to write.

    Returns:
        The path.

    Raises:
        ModelError: The file is not good.
    """
    network = Network()
    network.load_state_dict(torch.load(weights, weights_only=True))
    calibrated = calibrate(network.eval(), held_out, side)
    data = export(calibrated, "What stands out in a picture: distilled from U2-NetP on open pictures.")
    with atomic_write(path, "wb") as stream:
        cast(IO[bytes], stream).write(data)
    return path
