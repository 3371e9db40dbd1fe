"""DAVIS 2016 at 480p: clips with a mask of the object in every frame. For evaluation only: nothing is trained on it."""

from __future__ import annotations

import sys
import tempfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy.ndimage import binary_dilation

from lab.clips import SHARED
from tinyvmaf.features.base import Feature
from tinyvmaf.features.saliency import Saliency
from tinyvmaf.video.frame import Colour, Frame
from tinyvmaf.video.reader import open_video
from tinyvmaf.vision.map_files import Map, read_map
from tinyvmaf.vision.saliency import SaliencyModel, SaliencyStream

FOLDER = SHARED.parent / "davis2016_480p"
CELL = 8
"""Samples on a side of the cells in which places are compared."""
MARGIN = 8
"""Samples around the object that belong neither to it nor to the background."""
LEAST = 0.5
"""Share of the object that must have a counterpart in the background."""
Masks = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Sequence:
    """One clip.

    Attributes:
        name: As DAVIS has it.
        frames: Its frames.
        colour: How their code values become colours.
        masks: (frames, H, W), where the object is.
    """

    name: str
    frames: list[Frame]
    colour: Colour
    masks: Masks


def sequences(limit: int | None = None) -> Iterator[Sequence]:
    """The clips, one after the other.

    Args:
        limit: How many, None for all.
    """
    files = sorted(FOLDER.glob("*.mp4"))[:limit]
    if not files:
        sys.exit("The clips of DAVIS are missing: see the shared data folder beside the checkout.")
    with tempfile.TemporaryDirectory(prefix="tinyvmaf-bench-") as folder:
        with zipfile.ZipFile(FOLDER / "masks.zip") as archive:
            archive.extractall(folder)
        for file in files:
            masks = np.stack([read_map(path) >= 0.5 for path in sorted(Path(folder, file.stem).glob("*.png"))])
            with open_video(file) as video:
                colour = Colour(video.facts.matrix, video.facts.range)
                frames = list(video)
            if len(frames) != len(masks):
                sys.exit(f"{file.stem} has {len(frames)} frames, but {len(masks)} masks.")
            yield Sequence(file.stem, frames, colour, masks)


class Remembered(SaliencyModel):
    """A network that looks at every frame of a clip only once: what it says again costs no time."""

    def __init__(self, model: SaliencyModel) -> None:
        super().__init__(model.session)
        self._maps: dict[int, Map] = {}

    def map(self, frame: Frame, colour: Colour) -> Map:
        """What it says, or said."""
        if frame.index not in self._maps:
            self._maps[frame.index] = super().map(frame, colour)
        return self._maps[frame.index]

    def streamed(self, frames: list[Frame], colour: Colour, every: int) -> list[Map]:
        """Maps of a stream in which it looks at every n-th frame."""
        stream = SaliencyStream(self, every)
        return [values for frame in frames for values in stream.push(frame, colour)] + stream.finish()


class KnownSaliency(Saliency):
    """Weights from a network that is open, or from what it said."""

    def __init__(self, model: SaliencyModel, **options: float | str) -> None:
        Feature.__init__(self, weight=True, **options)
        self._model = model


@dataclass(frozen=True)
class Twins:
    """The object, and a piece of the background of the same shape: the object's outline, moved.

    Attributes:
        inside: (frames, H, W), what of the object has a counterpart.
        outside: (frames, H, W), the counterpart: as many samples in every frame.
        shift: (rows, columns) from one to the other, the same in all frames.
        coverage: Share of the object that has a counterpart, 0 to 1.
        texture: Mean gradient of luma outside over that inside.
    """

    inside: Masks
    outside: Masks
    shift: tuple[int, int]
    coverage: float
    texture: float


def twins(sequence: Sequence) -> Twins | None:
    """Find where in the background the object's outline fits, and the texture is most like the object's.

    Of all shifts by whole cells that keep at least nine tenths of what the best one keeps of the object, the one is
    taken whose mean gradient of luma outside is nearest to that inside.

    Args:
        sequence: The clip.

    Returns:
        Both, or None where less than half of the object fits anywhere.
    """
    masks = sequence.masks
    free = ~np.stack([binary_dilation(mask, iterations=MARGIN) for mask in masks])
    some = slice(None, None, 3)
    object_, room = _cells(masks[some], np.min), _cells(free[some], np.min)
    gradient = _cells(np.stack([_gradient(frame) for frame in sequence.frames[some]]), np.mean)
    found = []
    for rows in range(2 - object_.shape[1], object_.shape[1] - 1, 2):
        for columns in range(2 - object_.shape[2], object_.shape[2] - 1, 2):
            here, there = _overlap(object_.shape, rows, columns)
            fits = object_[here] & room[there]
            count = np.count_nonzero(fits)
            if count:
                texture = gradient[there][fits].mean() / gradient[here][fits].mean()
                found.append((count / np.count_nonzero(object_), float(texture), (rows * CELL, columns * CELL)))
    best = max((coverage for coverage, _, _ in found), default=0.0)
    if best < LEAST:
        return None
    _, texture, shift = min(
        (one for one in found if one[0] >= max(LEAST, 0.9 * best)), key=lambda one: abs(np.log(one[1]))
    )
    here, there = _overlap(masks.shape, *shift)
    inside, outside = np.zeros_like(masks), np.zeros_like(masks)
    inside[here] = outside[there] = masks[here] & free[there]
    return Twins(inside, outside, shift, inside.sum() / masks.sum(), texture)


def _cells(planes: npt.NDArray[np.generic], pool: np.ufunc) -> npt.NDArray[np.generic]:
    """Whole cells of (n, H, W)."""
    count, rows, columns = planes.shape[0], planes.shape[1] // CELL, planes.shape[2] // CELL
    cut = planes[:, : rows * CELL, : columns * CELL].reshape(count, rows, CELL, columns, CELL)
    return pool(cut, axis=(2, 4))


def _gradient(frame: Frame) -> npt.NDArray[np.float32]:
    down, right = np.gradient(frame.luma.astype(np.float32))
    return np.hypot(down, right)


def _overlap(shape: tuple[int, ...], rows: int, columns: int) -> tuple[tuple[slice, ...], tuple[slice, ...]]:
    """Slices of (n, H, W): what can be shifted without leaving it, and where it comes to lie."""
    height, width = shape[1:]
    here = slice(max(0, -rows), height - max(0, rows)), slice(max(0, -columns), width - max(0, columns))
    there = slice(max(0, rows), height + min(0, rows)), slice(max(0, columns), width + min(0, columns))
    return (slice(None), *here), (slice(None), *there)


def interval(values: npt.ArrayLike, draws: int = 4000) -> tuple[float, float, float]:
    """Mean, and its 95 % interval by the bootstrap over clips.

    Args:
        values: One number for each clip.
        draws: Samples with replacement.

    Returns:
        (mean, low, high).
    """
    numbers = np.asarray(values, np.float64)
    drawn = np.random.default_rng(20).choice(numbers, (draws, numbers.size)).mean(axis=1)
    low, high = np.quantile(drawn, (0.025, 0.975))
    return float(numbers.mean()), float(low), float(high)
