"""Figures of a fitted network: how near it is to DISTS on pictures and kinds of damage that it never saw."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image as Pillow

from tinyvmaf.train.dists_sq.corpus import TAUGHT, UNSEEN, Scene, as_tensor, every_version, load, save
from tinyvmaf.train.dists_sq.damage import Damage, Image
from tinyvmaf.train.dists_sq.fit import predict
from tinyvmaf.train.dists_sq.network import Network
from tinyvmaf.train.dists_sq.pictures import Picture, Scenes, as_bytes
from tinyvmaf.train.dists_sq.teacher import Teacher
from tinyvmaf.train.figures import Figures, agreement, intervals

TOGETHER = 11
"""Versions that are labelled at once, which bounds memory."""

STRENGTHS = {"taught": (0.25, 0.7), "unseen": (0.15, 0.4, 0.65, 0.9)}
"""Of every kind of damage in the test; there are more taught kinds, so fewer of each."""

WAYS: Mapping[str, Mapping[str, Damage]] = {"taught": TAUGHT, "unseen": UNSEEN}

OUTSIDE_SIDE = 256
"""Shorter side of pictures from outside, as DISTS was published with."""


@dataclass(frozen=True, slots=True)
class Case:
    """A pair of the test.

    Attributes:
        reference: Which reference.
        name: How it was damaged.
        predicted: Distance by the network.
        wanted: By DISTS.
    """

    reference: str
    name: str
    predicted: float
    wanted: float


def crops(pictures: Sequence[Picture], count: int) -> Iterator[tuple[str, Image]]:
    """References for the test, the same ones every time.

    Args:
        pictures: Held out ones.
        count: How many.

    Yields:
        A name and a crop.
    """
    scenes = Scenes(pictures)
    for index in range(count):
        yield f"crop{index:03}", scenes.draw(np.random.default_rng([zlib.crc32(b"test"), index]))


def whole_pictures(folder: Path, count: int) -> Iterator[tuple[str, Image]]:
    """References from a folder of pictures that is for evaluation only.

    Args:
        folder: Holds picture files.
        count: How many to take, evenly over their names.

    Yields:
        A name and the picture, its shorter side OUTSIDE_SIDE.
    """
    files = sorted(path for path in folder.iterdir() if path.suffix.lower() in (".png", ".jpg", ".jpeg", ".webp"))
    for place in np.linspace(0, len(files) - 1, min(count, len(files))).round().astype(int):
        with Pillow.open(files[place]) as file:
            share = OUTSIDE_SIDE / min(file.size)
            size = round(file.width * share), round(file.height * share)
            small = file.convert("RGB").resize(size, Pillow.Resampling.LANCZOS)
        yield f"{folder.name}-{files[place].stem}", np.asarray(small, np.float32) / np.float32(255)


def labelled(
    references: Iterable[tuple[str, Image]], kind: str, teacher: Teacher, folder: Path
) -> Iterator[tuple[str, Scene]]:
    """Damage references in all ways of one kind and label them; what lies in the folder is not made again.

    Args:
        references: Names and pictures.
        kind: "taught" or "unseen".
        teacher: Labels them.
        folder: Keeps the scenes.

    Yields:
        Name of the reference, and a scene that holds it with some of its versions.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name, image in references:
        if not (folder / f"{name}-00.npz").exists():
            _make(name, image, kind, teacher, folder)
        for path in sorted(folder.glob(f"{name}-??.npz"), reverse=True):
            yield name, load(path)


def _make(name: str, image: Image, kind: str, teacher: Teacher, folder: Path) -> None:
    rng = np.random.default_rng([zlib.crc32(name.encode()), zlib.crc32(kind.encode())])
    versions, names = every_version(image, WAYS[kind], STRENGTHS[kind], rng)
    pixels = as_bytes(np.stack(versions))
    parts = [range(n, min(n + TOGETHER, len(names))) for n in range(1, len(names), TOGETHER)]
    # The first part is written last: where it lies, all the others do.
    for number, part in reversed(list(enumerate(parts))):
        chosen = [0, *part]
        labels = teacher.label(as_tensor(pixels[chosen]))
        save(Scene(pixels[chosen], tuple(names[n] for n in chosen), labels), folder / f"{name}-{number:02}.npz")


def cases(network: Network, scenes: Iterable[tuple[str, Scene]]) -> list[Case]:
    """Compare the network with DISTS.

    Args:
        network: Fitted.
        scenes: What `labelled` yields.
    """
    found = []
    for reference, scene in scenes:
        predicted, wanted = predict(network, scene)[0], scene.labels.distance[0]
        rows = zip(scene.names[1:], predicted[1:].tolist(), wanted[1:].tolist(), strict=True)
        found += [Case(reference, *row) for row in rows]
    return found


def figures(found: Sequence[Case]) -> dict[str, Any]:
    """Agreement in numbers.

    Args:
        found: All pairs of one test.

    Returns:
        "all": n, plcc, srocc, rmse and max_error of all pairs; "intervals": their 95 % intervals over references;
        "kinds": the same figures by kind of damage.
    """
    groups: dict[str, list[Case]] = {}
    for case in found:
        groups.setdefault(case.name, []).append(case)
    references = sorted({case.reference for case in found})
    by_reference = {name: _columns([case for case in found if case.reference == name]) for name in references}
    return {
        "all": _agreement(found),
        "references": len(references),
        "intervals": intervals(by_reference, seed=1),
        "kinds": {name: _agreement(group) for name, group in sorted(groups.items())},
    }


def _agreement(found: Sequence[Case]) -> Figures:
    predicted, wanted = _columns(found)
    spread = {"from": float(wanted.min()), "to": float(wanted.max())}
    return agreement(predicted, wanted) | spread


def _columns(found: Sequence[Case]) -> tuple[np.ndarray, np.ndarray]:
    return np.array([case.predicted for case in found]), np.array([case.wanted for case in found])
