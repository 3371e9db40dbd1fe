"""How well a saliency map finds what a mask holds: by samples, and by the blocks of an encoder.

Maps and masks are (H, W) in 0 to 1. A mask may be soft; what is said to be in it is what has at least half.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from tinyvmaf.errors import DataError, UsageError

Map: TypeAlias = npt.NDArray[np.floating[Any]]
Grid: TypeAlias = Literal["encoder", "whole"]

GRIDS: Final[dict[Grid, str]] = {
    "encoder": "blocks at the right and lower edges are as large as what is left, as encoders have them",
    "whole": "only whole blocks, what is left at the right and lower edges does not count",
}
"""Each way to lay blocks over a frame, and what it means."""

BETA_SQUARED: Final = 0.3
"""Weight of recall against precision in the F-measure: precision counts more."""

IN_MASK: Final = 0.5
"""Value from which a sample of a mask belongs to it."""

_ROUNDING: Final = 1e-5


@dataclass(frozen=True, slots=True)
class Settings:
    """What counts as found, and in which blocks.

    Attributes:
        threshold: Value of a map, and mean of a block, from which they count as found; 0 to 1.
        block_size: Luma samples on a side of a block, 1 to 4096.
        grid: How blocks are laid over a frame, see GRIDS.
    """

    threshold: float = 0.5
    block_size: int = 16
    grid: Grid = "encoder"

    def __post_init__(self) -> None:
        """Check them.

        Raises:
            UsageError: One is out of range.
        """
        if not 0 <= self.threshold <= 1:
            raise UsageError(f"The threshold lies between 0 and 1, not at {self.threshold:g}.")
        if not 1 <= self.block_size <= 4096:
            raise UsageError(f"The side of a block is 1 to 4096 samples, not {self.block_size}.")
        if self.grid not in GRIDS:
            raise UsageError(f"The grid of blocks is one of {', '.join(GRIDS)}, not {self.grid!r}.")


@dataclass(frozen=True, slots=True)
class PixelScores:
    """How far a map and a mask agree, sample by sample.

    Attributes:
        iou: Samples that are in both over those that are in one of them, at the threshold; 1 where there are none.
        f_beta: (1 + b) P R / (b P + R) of precision P and recall R at the threshold with b = 0.3 (Achanta et al.,
            "Frequency-tuned salient region detection", CVPR 2009); 1 where nothing is in the mask and nothing found.
        mae: Mean absolute difference of map and mask.
        auc: Area under the curve of true against false positives over all thresholds, which is the probability that a
            sample of the mask has a larger value than one outside, ties counting half (Hanley and McNeil, Radiology
            143(1), 1982); None where the mask holds everything or nothing.
    """

    iou: float
    f_beta: float
    mae: float
    auc: float | None


@dataclass(frozen=True, slots=True)
class BlockScores:
    """How far a map and a mask agree, block by block.

    Attributes:
        found: Blocks whose mean is at least the threshold in the map.
        wanted: Blocks whose mean is at least the threshold in the mask.
        both: Blocks that are both.
        either: Blocks that are one of them or both.
    """

    found: int
    wanted: int
    both: int
    either: int

    @property
    def iou(self) -> float:
        """Intersection over union, 1 where the union is empty."""
        return ratio(self.both, self.either)


def pixel_scores(values: Map, mask: Map, threshold: float = 0.5) -> PixelScores:
    """Compare a map with a mask, sample by sample.

    Args:
        values: The map, (H, W) in 0 to 1.
        mask: The truth, likewise.
        threshold: Value from which a sample of the map counts as found.

    Returns:
        The scores.

    Raises:
        DataError: They differ in size, or hold something else than numbers from 0 to 1.
    """
    _check(values, mask)
    truth, found = mask >= IN_MASK, values >= threshold
    both, wanted, taken = (int(np.count_nonzero(flags)) for flags in (truth & found, truth, found))
    return PixelScores(
        iou=ratio(both, wanted + taken - both),
        f_beta=ratio((1 + BETA_SQUARED) * both, BETA_SQUARED * wanted + taken),
        mae=float(np.abs(values - mask).mean(dtype=np.float64)),
        auc=area_under_curve(values[truth], values[~truth]),
    )


def area_under_curve(inside: Map, outside: Map) -> float | None:
    """Probability that a value of one set is larger than one of another, ties counting half.

    Args:
        inside: Values of the one set, (n,).
        outside: Values of the other, (m,).

    Returns:
        0 to 1, exact; None where a set is empty.
    """
    if not inside.size or not outside.size:
        return None
    inside, outside = np.sort(inside), np.sort(outside)
    below = np.searchsorted(outside, inside, "left").sum(dtype=np.int64)
    not_above = np.searchsorted(outside, inside, "right").sum(dtype=np.int64)
    return int(below + not_above) / (2 * inside.size * outside.size)


def block_scores(values: Map, mask: Map, settings: Settings | None = None) -> BlockScores:
    """Compare a map with a mask, block by block.

    Args:
        values: The map, (H, W) in 0 to 1.
        mask: The truth, likewise.
        settings: Threshold, size and grid of the blocks.

    Returns:
        The counts.

    Raises:
        DataError: As `pixel_scores`; or the mask is smaller than a block.
    """
    settings = settings or Settings()
    _check(values, mask)
    height, width = mask.shape
    if min(height, width) < settings.block_size:
        side = settings.block_size
        raise DataError(f"A mask holds a block of {side}x{side} samples, but one is {width}x{height}.")
    found, wanted = (_means(plane, settings) >= settings.threshold for plane in (values, mask))
    counts = (np.count_nonzero(flags) for flags in (found, wanted, found & wanted, found | wanted))
    return BlockScores(*map(int, counts))


def _means(plane: Map, settings: Settings) -> npt.NDArray[np.float64]:
    """Mean of each block; exact for masks of 0 and 1."""
    side = settings.block_size
    if settings.grid == "whole":
        plane = plane[: plane.shape[0] // side * side, : plane.shape[1] // side * side]
    starts = [np.arange(0, length, side) for length in plane.shape]
    sums = np.add.reduceat(plane, starts[1], axis=1, dtype=np.float64)
    rows, columns = (np.diff(at, append=length) for at, length in zip(starts, plane.shape, strict=True))
    means: npt.NDArray[np.float64] = np.add.reduceat(sums, starts[0], axis=0) / np.outer(rows, columns)
    return means


def ratio(part: float, whole: float) -> float:
    """A part of a whole, 1 where the whole is empty.

    Args:
        part: At most the whole.
        whole: 0 or more.

    Returns:
        0 to 1.
    """
    return float(part / whole) if whole else 1.0


def _check(values: Map, mask: Map) -> None:
    if values.ndim != 2 or values.shape != mask.shape or not values.size:
        sizes = ["x".join(map(str, plane.shape[::-1])) for plane in (values, mask)]
        raise DataError(f"A map has the size of its mask, but they are {sizes[0]} and {sizes[1]}.")
    for what, plane in (("map", values), ("mask", mask)):
        low, high = float(plane.min()), float(plane.max())
        if not (low >= -_ROUNDING and high <= 1 + _ROUNDING):
            raise DataError(f"A {what} holds numbers from 0 to 1, but one holds {low:g} to {high:g}.")
