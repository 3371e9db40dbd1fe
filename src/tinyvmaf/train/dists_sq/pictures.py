"""Which pictures there are, which are held out, and how crops of them become scenes."""

from __future__ import annotations

import csv
import functools
import re
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image as Pillow

from tinyvmaf.errors import DataError
from tinyvmaf.train.dists_sq.damage import Image

HELD_OUT = {
    "test": (
        "plasma-workspace-wallpapers", "kphotoalbum", "libelementary-data", "PyPI scikit-image", "budgie-*",
        "sam2_dog", "pips2_camel", "openh264_VID_1080p", "mdn_flower*",
    ),
    "validation": (
        "lxqt-themes", "puzzle-jigsaw", "sam2_cups", "androidx_emulator*", "udacity*",
        "mdn_stream*",
    ),
}  # fmt: skip
"""Sources, packages of photographs or clips, that are not trained on; all others are."""

SIDES = (128, 128, 128, 160, 192)
"""Sides of the crops, each as likely as it is often here."""

FRAMES_SHARE = 0.35
"""Share of scenes from clips; their frames look alike, so they count less than photographs."""

STICKER_SHARE = 0.3
"""Share of scenes with a cut-out object on them."""


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture file.

    Attributes:
        path: The file.
        source: Package or clip that it comes from.
        licence: Of the picture.
        kind: "photos", "frames" or "cutouts".
    """

    path: Path
    source: str
    licence: str
    kind: str


def find(folder: Path) -> list[Picture]:
    """Read the list of pictures.

    Args:
        folder: Has a manifest.csv with the columns file, package_or_clip and licence; files lie in photos/, frames/
            (named CLIP_NUMBER.png) and cutouts/.

    Returns:
        All pictures, in the order of their names.

    Raises:
        DataError: There is no such list.
    """
    try:
        with (folder / "manifest.csv").open(encoding="utf-8", newline="") as file:
            rows = sorted(csv.DictReader(file), key=lambda row: row["file"])
            return [_picture(folder, row) for row in rows if (folder / row["file"]).is_file()]
    except (OSError, KeyError) as error:
        columns = "It has the columns file, package_or_clip and licence."
        raise DataError(f"The folder {folder} has no manifest.csv of pictures.", columns) from error


def _picture(folder: Path, row: dict[str, str]) -> Picture:
    path, kind = folder / row["file"], row["file"].split("/")[0]
    source = re.sub(r"_\d+$", "", path.stem) if kind == "frames" else row["package_or_clip"]
    return Picture(path, source, row["licence"], kind)


def split_of(picture: Picture) -> str:
    """Where a picture belongs.

    Args:
        picture: The picture.

    Returns:
        "train", "validation" or "test".
    """
    for split, patterns in HELD_OUT.items():
        if any(fnmatchcase(picture.source, pattern) for pattern in patterns):
            return split
    return "train"


@functools.lru_cache(maxsize=256)
def _opened(path: Path, mode: str) -> Pillow.Image:
    with Pillow.open(path) as file:
        return file.convert(mode)


class Scenes:
    """An endless supply of crops.

    Args:
        pictures: Where they come from.

    Raises:
        DataError: There are none.
    """

    def __init__(self, pictures: Sequence[Picture]) -> None:
        self._photos = [one for one in pictures if one.kind == "photos"]
        self._stickers = [one for one in pictures if one.kind == "cutouts"]
        clips = sorted({one.source for one in pictures if one.kind == "frames"})
        self._clips = [[one for one in pictures if (one.source, one.kind) == (clip, "frames")] for clip in clips]
        if not self._photos and not self._clips:
            raise DataError("Training needs photographs or frames, but there are none.")

    def draw(self, rng: np.random.Generator, side: int | None = None) -> Image:
        """A random crop of a random picture at a random scale.

        Args:
            rng: Random numbers.
            side: Rows and columns; drawn from SIDES by default.

        Returns:
            (side, side, 3) in 0..1.
        """
        side = side or int(rng.choice(SIDES))
        crop = _crop(_opened(self._pick(rng).path, "RGB"), side, rng)
        if self._stickers and rng.random() < STICKER_SHARE:
            _stick(crop, _opened(self._stickers[rng.integers(len(self._stickers))].path, "RGBA"), rng)
        pixels = np.asarray(crop, np.float32) / 255
        return np.ascontiguousarray(pixels[:, :: rng.choice((-1, 1))])

    def _pick(self, rng: np.random.Generator) -> Picture:
        if self._clips and (not self._photos or rng.random() < FRAMES_SHARE):
            clip = self._clips[rng.integers(len(self._clips))]
            return clip[rng.integers(len(clip))]
        return self._photos[rng.integers(len(self._photos))]


def _crop(picture: Pillow.Image, side: int, rng: np.random.Generator) -> Pillow.Image:
    """A square that spans from `side` samples of the picture to all of its shorter side."""
    shorter = min(picture.size)
    span = shorter * min(side / shorter, 1.0) ** rng.random()
    left, top = (rng.uniform(0, length - span) for length in picture.size)
    return picture.resize((side, side), Pillow.Resampling.LANCZOS, (left, top, left + span, top + span))


def _stick(crop: Pillow.Image, sticker: Pillow.Image, rng: np.random.Generator) -> None:
    share = rng.uniform(0.3, 0.9) * crop.width / max(sticker.size)
    width, height = (max(round(length * share), 8) for length in sticker.size)
    left, top = rng.integers(0, crop.width - width + 1), rng.integers(0, crop.height - height + 1)
    small = sticker.resize((width, height), Pillow.Resampling.LANCZOS)
    crop.paste(small, (int(left), int(top)), small)


def as_bytes(image: npt.NDArray[np.floating]) -> npt.NDArray[np.uint8]:
    """Round to 8 bits.

    Args:
        image: R'G'B' in 0..1; what leaves the range is clipped.
    """
    return np.asarray(np.clip(np.rint(image * 255), 0, 255), np.uint8)
