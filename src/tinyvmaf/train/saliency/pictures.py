"""Open pictures and cut-outs on disk, split by where they come from."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from tinyvmaf.errors import UsageError

HELD_OUT = 12
"""One source in so many is for validation."""

_KINDS = frozenset((".jpg", ".jpeg", ".png", ".webp"))


@dataclass(frozen=True, slots=True)
class Pool:
    """The material of one split.

    Attributes:
        groups: Files of every source: the frames of one clip are one group, a photograph is its own.
        cutouts: Objects with alpha.
    """

    groups: Sequence[Sequence[Path]]
    cutouts: Sequence[Path]

    def draw(self, random: np.random.Generator) -> Image.Image:
        """A picture: sources in proportion to the root of their number of pictures, then any of their pictures."""
        weights = np.sqrt([len(group) for group in self.groups])
        group = self.groups[int(random.choice(len(self.groups), p=weights / weights.sum()))]
        with Image.open(group[int(random.integers(len(group)))]) as picture:
            return picture.convert("RGB")


def find(folder: Path, held_out: bool) -> Pool:
    """List the pictures of a split.

    Args:
        folder: Holds photos/ (one source a file), frames/ (CLIP_NUMBER.png) and cutouts/ (with alpha).
        held_out: Whether to list the sources of validation, or all others.

    Returns:
        Its pool.

    Raises:
        UsageError: There are no pictures.
    """
    groups: dict[str, list[Path]] = {}
    for path in _files(folder / "photos"):
        groups[path.stem] = [path]
    for path in _files(folder / "frames"):
        groups.setdefault(path.stem.rpartition("_")[0], []).append(path)
    chosen = [files for name, files in sorted(groups.items()) if is_held_out(name) == held_out]
    if not chosen:
        raise UsageError(f"{folder} holds no pictures for this split", hint="Put some into photos/ or frames/")
    cutouts = [path for path in _files(folder / "cutouts") if is_held_out(path.stem) == held_out]
    return Pool(tuple(map(tuple, chosen)), tuple(cutouts))


def is_held_out(source: str) -> bool:
    """Whether a source belongs to validation: a fixed property of its name."""
    return int.from_bytes(hashlib.sha256(source.encode()).digest()[:4]) % HELD_OUT == 0


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.glob("*") if path.suffix.lower() in _KINDS) if folder.is_dir() else []
