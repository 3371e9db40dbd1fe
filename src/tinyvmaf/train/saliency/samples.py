"""Crops and composites with what the teacher says of them, in files of a fixed number of samples.

A file is made from its number, the pictures on disk and the objects that earlier files gave, so that a stopped run
goes on where it was.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageFilter, ImageOps

from tinyvmaf._files import write_bytes
from tinyvmaf.train.saliency.composites import Composite, Pixels, compose, cut_out
from tinyvmaf.train.saliency.pictures import Pool
from tinyvmaf.train.saliency.teacher import SIDE, Teacher

STORED: Final = 256
"""Side of the stored squares."""

PER_FILE: Final = 64

_PLAIN = 0.35
"""Share of samples without a pasted object."""


@dataclass(frozen=True, slots=True)
class Maker:
    """Makes the samples of one split.

    Attributes:
        pool: Its pictures and cut-outs.
        teacher: Labels them.
        folder: For the samples, *.npy, uint8 (PER_FILE, STORED, STORED, 4): red, green, blue, target.
        objects: For what the teacher cuts out of crops, *.png.
        seed: Of everything random.
    """

    pool: Pool
    teacher: Teacher
    folder: Path
    objects: Path
    seed: int

    def make(self, number: int) -> Path:
        """Make one file, unless it is there.

        Args:
            number: Of the file, from 0.

        Returns:
            Its path.
        """
        path = self.folder / f"{number:05d}.npy"
        if not path.exists():
            samples = np.stack([self._sample(number, i) for i in range(PER_FILE)])
            stream = io.BytesIO()
            np.save(stream, samples)
            write_bytes(path, stream.getvalue())
        return path

    def _sample(self, number: int, index: int) -> npt.NDArray[np.uint8]:
        random = np.random.default_rng((self.seed, number, index))
        ground = crop(self.pool.draw(random), random)
        cutouts = self._cutouts(number)
        if not cutouts or random.random() < _PLAIN:
            picture = np.asarray(ground)
            seen = self.teacher(picture)
            self._keep(picture, seen, f"{number:05d}_{index:03d}.png")
            return _stored(picture, seen)
        composite = self._composite(ground, cutouts, random)
        return _stored(composite.picture, composite.target(self.teacher(composite.picture)))

    def _composite(self, ground: Image.Image, cutouts: list[Path], random: np.random.Generator) -> Composite:
        if random.random() < 0.25:
            ground = ground.filter(ImageFilter.GaussianBlur(random.uniform(0.5, 5)))
        count = int(random.choice([1, 2, 3], p=[0.65, 0.25, 0.1]))
        chosen = [cutouts[int(i)] for i in random.integers(len(cutouts), size=count)]
        return compose(ground, [_open_cutout(path) for path in chosen], random)

    def _cutouts(self, number: int) -> list[Path]:
        """What files before this one have cut out, as often as given cut-outs and these are to be drawn alike."""
        own = [path for path in sorted(self.objects.glob("*.png")) if int(path.stem[:5]) < number]
        return [*own, *list(self.pool.cutouts) * max(1, len(own) // max(len(self.pool.cutouts), 1) // 2)]

    def _keep(self, picture: npt.NDArray[np.uint8], seen: npt.NDArray[np.float32], name: str) -> None:
        item = cut_out(picture, seen)
        if item is not None:
            item.save(self.objects / name)


def crop(picture: Image.Image, random: np.random.Generator) -> Image.Image:
    """A part of a picture, squeezed into a square.

    Args:
        picture: RGB, any size.
        random: Decides on its place, area, shape and on mirroring.

    Returns:
        RGB, SIDE x SIDE.
    """
    width, height = picture.size
    area = width * height * random.uniform(0.35, 1)
    shape = np.exp(random.uniform(np.log(0.7), np.log(2)))
    w, h = min(width, round(np.sqrt(area * shape))), min(height, round(np.sqrt(area / shape)))
    x, y = int(random.integers(width - w + 1)), int(random.integers(height - h + 1))
    part = picture.resize((SIDE, SIDE), Image.Resampling.BILINEAR, (x, y, x + w, y + h))
    return ImageOps.mirror(part) if random.random() < 0.5 else part


def _open_cutout(path: Path) -> Image.Image:
    with Image.open(path) as image:
        return image.convert("RGBA")


def _stored(picture: npt.NDArray[np.uint8], target: npt.NDArray[np.float32]) -> npt.NDArray[np.uint8]:
    shown = Image.fromarray(picture).resize((STORED, STORED), Image.Resampling.BILINEAR)
    wanted = Image.fromarray(target).resize((STORED, STORED), Image.Resampling.BILINEAR)
    return np.dstack([np.asarray(shown), np.rint(np.clip(np.asarray(wanted), 0, 1) * 255).astype(np.uint8)])


class Samples:
    """All stored samples of a folder."""

    def __init__(self, folder: Path) -> None:
        self._files = [np.load(path, mmap_mode="r") for path in sorted(folder.glob("*.npy"))]

    def __len__(self) -> int:
        return sum(map(len, self._files))

    def draw(self, count: int, random: np.random.Generator) -> Pixels:
        """Any samples, uint8 (count, h, w, 4)."""
        files = random.integers(len(self._files), size=count)
        return np.stack([self._files[i][random.integers(len(self._files[i]))] for i in files])

    def spread(self, count: int) -> Pixels:
        """Samples evenly over all files, uint8 (count, h, w, 4)."""
        places = np.linspace(0, len(self) - 1, min(count, len(self))).round().astype(int)
        starts = np.cumsum([0, *map(len, self._files)])
        files = np.searchsorted(starts, places, "right") - 1
        return np.stack([self._files[i][place - starts[i]] for i, place in zip(files, places, strict=True)])

    def all(self) -> Pixels:
        """Every sample, uint8 (N, h, w, 4)."""
        return np.concatenate(self._files)
