"""Scenes on disk: one crop, damaged versions of it, and what the teacher says of every pair."""

from __future__ import annotations

import io
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from tinyvmaf._files import write_bytes
from tinyvmaf.train.dists_sq import damage, encode
from tinyvmaf.train.dists_sq.damage import Damage, Image
from tinyvmaf.train.dists_sq.pictures import Scenes, as_bytes
from tinyvmaf.train.dists_sq.teacher import Labels, Teacher

TAUGHT: Mapping[str, Damage] = {**damage.TAUGHT, **encode.TAUGHT}
UNSEEN: Mapping[str, Damage] = {**damage.UNSEEN, **encode.UNSEEN}

VERSIONS = 7
"""Damaged versions in a scene for training."""

OFTEN = {"x264": 4.0, "jpeg": 3.0, "blur": 2.0, "noise": 2.0, "rescale": 2.0, "webp": 1.5, "x265": 0.5, "median": 0.5}
"""How often a way to damage is drawn, in units of the others."""

TWICE = 0.25
"""Share of versions that are damaged in two ways."""

LADDERS = 0.2
"""Share of scenes with one way to damage at rising strengths."""


@dataclass(frozen=True, slots=True)
class Scene:
    """A picture, its versions, and their labels.

    Attributes:
        pixels: (G, H, W, 3) uint8; the first is the reference.
        names: (G,) how each was damaged.
        labels: What the teacher says.
    """

    pixels: npt.NDArray[np.uint8]
    names: tuple[str, ...]
    labels: Labels

    @property
    def pictures(self) -> torch.Tensor:
        """(G, 3, H, W) float32 in 0..1."""
        return as_tensor(self.pixels)


def as_tensor(pixels: npt.NDArray[np.uint8]) -> torch.Tensor:
    """Pictures as networks take them.

    Args:
        pixels: (G, H, W, 3).

    Returns:
        (G, 3, H, W) float32 in 0..1.
    """
    return torch.from_numpy(pixels).permute(0, 3, 1, 2).contiguous().float() / 255


def training_versions(image: Image, rng: np.random.Generator) -> tuple[list[Image], tuple[str, ...]]:
    """Damage a picture in ways that the network is taught.

    Args:
        image: The reference.
        rng: Random numbers.

    Returns:
        The reference with VERSIONS damaged versions, and what was done to each.
    """
    if rng.random() < LADDERS:
        name, strengths = _draw(rng), np.sort(rng.random(VERSIONS))
        steps = [_clipped(TAUGHT[name](image, float(s), rng)) for s in strengths]
        return [image, *steps], ("", *(name,) * VERSIONS)
    made = [_damaged(image, rng) for _ in range(VERSIONS)]
    return [image, *(version for version, _ in made)], ("", *(name for _, name in made))


def _damaged(image: Image, rng: np.random.Generator) -> tuple[Image, str]:
    name = _draw(rng)
    if rng.random() >= TWICE:
        return _clipped(TAUGHT[name](image, float(rng.random()), rng)), name
    other = _draw(rng)
    first = _clipped(TAUGHT[name](image, float(0.7 * rng.random()), rng))
    return _clipped(TAUGHT[other](first, float(0.7 * rng.random()), rng)), f"{name}+{other}"


def _draw(rng: np.random.Generator) -> str:
    weights = np.array([OFTEN.get(name, 1.0) for name in TAUGHT])
    return list(TAUGHT)[rng.choice(len(TAUGHT), p=weights / weights.sum())]


def every_version(
    image: Image, ways: Mapping[str, Damage], strengths: tuple[float, ...], rng: np.random.Generator
) -> tuple[list[Image], tuple[str, ...]]:
    """Damage a picture in all ways.

    Args:
        image: The reference.
        ways: Name to way.
        strengths: How much; each moves a little, so that no two pictures get the same.
        rng: Random numbers.

    Returns:
        The reference with its versions, and what was done to each.
    """
    plan = [(name, float(np.clip(s + rng.uniform(-0.1, 0.1), 0, 1))) for name in ways for s in strengths]
    versions = [_clipped(ways[name](image, strength, rng)) for name, strength in plan]
    return [image, *versions], ("", *(name for name, _ in plan))


def _clipped(image: npt.NDArray[np.floating]) -> Image:
    return np.asarray(np.clip(image, 0, 1), np.float32)


def make_scene(scenes: Scenes, teacher: Teacher, split: str, index: int) -> Scene:
    """Make one scene; the same index gives the same scene.

    Args:
        scenes: Where crops come from.
        teacher: Labels them.
        split: Its name seeds the random numbers.
        index: Number of the scene.
    """
    rng = np.random.default_rng([zlib.crc32(split.encode()), index])
    versions, names = training_versions(scenes.draw(rng), rng)
    pixels = as_bytes(np.stack(versions))
    return Scene(pixels, names, teacher.label(as_tensor(pixels)))


def scene_path(folder: Path, index: int) -> Path:
    """Where a scene lies.

    Args:
        folder: Of its split.
        index: Its number.
    """
    return folder / f"{index:05}.npz"


def save(scene: Scene, path: Path) -> None:
    """Write a scene; a reader never sees half of it.

    Args:
        scene: What to write.
        path: An .npz file.
    """
    labels = scene.labels
    stream = io.BytesIO()
    np.savez(
        stream,
        pixels=scene.pixels,
        names=np.array(scene.names),
        means=labels.means.numpy(),
        structure=labels.structure.numpy(),
        distance=labels.distance.numpy(),
    )
    write_bytes(path, stream.getvalue())


def load(path: Path) -> Scene:
    """Read a scene.

    Args:
        path: What `save` wrote.
    """
    with np.load(path) as stored:
        labels = Labels(*(torch.from_numpy(stored[name]) for name in ("means", "structure", "distance")))
        return Scene(stored["pixels"], tuple(map(str, stored["names"])), labels)
