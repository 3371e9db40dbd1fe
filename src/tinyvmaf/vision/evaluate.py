"""Saliency maps held against masks of what stands out: maps in files, or those of a network over a video."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeAlias

import numpy as np

from tinyvmaf.errors import DataError
from tinyvmaf.models.load import load
from tinyvmaf.models.runtime import DnnConfig
from tinyvmaf.video.base import Video
from tinyvmaf.video.frame import Colour
from tinyvmaf.vision.map_files import Map, map_files, read_map
from tinyvmaf.vision.map_scores import (
    BETA_SQUARED,
    BlockScores,
    PixelScores,
    Settings,
    block_scores,
    pixel_scores,
    ratio,
)
from tinyvmaf.vision.saliency import MODEL, SaliencyModel, SaliencyStream, plane

Progress: TypeAlias = Callable[[int], None]

EVERY: Final = 4
"""Frames from one look of the network to the next where nothing is said."""
SCHEMA_VERSION: Final = 1
"""Of the report: it grows by keys; one that changes its meaning or goes gets another number."""


@dataclass(frozen=True, slots=True)
class Row:
    """What was found of one mask.

    Attributes:
        stem: Name of the mask without its ending.
        prediction: File that holds the map, or the video.
        truth: File that holds the mask.
        width: Of both, in samples.
        height: Likewise.
        pixels: Scores by samples.
        blocks: Scores by blocks.
    """

    stem: str
    prediction: str
    truth: str
    width: int
    height: int
    pixels: PixelScores
    blocks: BlockScores


@dataclass(frozen=True, slots=True)
class Evaluation:
    """All masks, at least one, and the means over them.

    Attributes:
        rows: One for each mask.
        settings: What counted as found.
    """

    rows: tuple[Row, ...]
    settings: Settings

    @property
    def macro_iou(self) -> float:
        """Mean over masks of the IoU of blocks."""
        return _mean([row.blocks.iou for row in self.rows])

    @property
    def micro_iou(self) -> float:
        """IoU of the blocks of all masks together; 1 where the union is empty."""
        return ratio(sum(row.blocks.both for row in self.rows), sum(row.blocks.either for row in self.rows))

    @property
    def pixels(self) -> PixelScores:
        """Means over masks; of AUC over those that have one, None where none has."""
        scores = [row.pixels for row in self.rows]
        areas = [score.auc for score in scores if score.auc is not None]
        return PixelScores(
            iou=_mean([score.iou for score in scores]), f_beta=_mean([score.f_beta for score in scores]),
            mae=_mean([score.mae for score in scores]), auc=_mean(areas) if areas else None,
        )  # fmt: skip


def evaluate_folder(
    predictions: str | Path, masks: str | Path, settings: Settings | None = None, progress: Progress | None = None
) -> Evaluation:
    """Hold maps in files against masks in files of the same names; files without a partner are left alone.

    Args:
        predictions: Folder of maps, see `tinyvmaf.vision.map_files`.
        masks: Folder of masks, likewise.
        settings: What counts as found.
        progress: Told how many pairs are done.

    Returns:
        The scores.

    Raises:
        DataError: No two files have one name, one cannot be read, or sizes differ.
    """
    found, wanted = map_files(predictions), map_files(masks)
    stems = [stem for stem in wanted if stem in found]
    if not stems:
        raise DataError(
            f"Maps and masks are paired by their names, but {predictions} has {len(found)}, {masks} has {len(wanted)}, "
            "and no name is in both.",
            "Files end in .npy, .pgm or .png.",
        )
    pairs = ((str(found[stem]), wanted[stem], read_map(found[stem])) for stem in stems)
    return _evaluated(pairs, settings, progress)


def evaluate_video(
    video: str | os.PathLike[str],
    masks: str | Path,
    model: str | os.PathLike[str] = MODEL,
    settings: Settings | None = None,
    *,
    every: int = EVERY,
    config: DnnConfig | None = None,
    progress: Progress | None = None,
) -> Evaluation:
    """Hold the maps that a network gives over a video against masks: frame i against mask i by sorted name.

    Frames behind the last mask are not looked at.

    Args:
        video: A path, or "-" for Y4M on standard input.
        masks: Folder of masks of the size of the video.
        model: The network: an id or a path.
        settings: What counts as found.
        every: Frames from one look of the network to the next, see `tinyvmaf.vision.saliency.SaliencyStream`.
        config: Where and how the network runs.
        progress: Told how many masks are done.

    Returns:
        The scores.

    Raises:
        DataError: There are no masks, or more than frames; one cannot be read, or has another size than the video.
        UsageError: `every` is less than 1.
        UnknownNameError: The model is not here.
        ModelError: The model cannot be used.
        VideoError: The video cannot be read.
    """
    from tinyvmaf.video.reader import open_video

    files = list(map_files(masks).values())
    if not files:
        raise DataError(f"At least one mask is needed, but {masks} has none.", "Masks end in .npy, .pgm or .png.")
    stream = SaliencyStream(SaliencyModel((config or DnnConfig()).open(load(model))), every)
    with open_video(video, threads=2) as opened:
        pairs = ((opened.facts.name, path, values) for path, values in zip(files, _maps(opened, stream), strict=False))
        result = _evaluated(pairs, settings, progress)
    if len(result.rows) < len(files):
        raise DataError(
            f"Every mask needs a frame, but {opened.facts.name} has {len(result.rows)} and {masks} {len(files)} masks."
        )
    return result


def _maps(video: Video, stream: SaliencyStream) -> Iterator[Map]:
    """A map of each frame at its size."""
    colour = Colour(video.facts.matrix, video.facts.range)
    size = video.facts.height, video.facts.width
    for frame in video:
        for values in stream.push(frame, colour):
            yield np.clip(plane(values, *size), 0, 1)
    for values in stream.finish():
        yield np.clip(plane(values, *size), 0, 1)


def _evaluated(
    pairs: Iterator[tuple[str, Path, Map]], settings: Settings | None, progress: Progress | None
) -> Evaluation:
    settings, rows = settings or Settings(), []
    for prediction, truth, values in pairs:
        rows.append(_row(prediction, truth, values, settings))
        if progress is not None:
            progress(len(rows))
    return Evaluation(tuple(rows), settings)


def _row(prediction: str, truth: Path, values: Map, settings: Settings) -> Row:
    mask = read_map(truth)
    height, width = mask.shape
    try:
        pixels, blocks = pixel_scores(values, mask, settings.threshold), block_scores(values, mask, settings)
    except DataError as error:
        raise DataError(f"{truth}: {error.message}", error.hint) from error
    return Row(truth.stem, prediction, str(truth), width, height, pixels, blocks)


def _mean(numbers: list[float]) -> float:
    return sum(numbers) / len(numbers)


def report(evaluation: Evaluation) -> dict[str, Any]:
    """The evaluation as it is written to JSON.

    Args:
        evaluation: The scores.

    Returns:
        Keys up to `rows`, and those of each row up to `iou`, are those that other tools read; ours follow them.
    """
    settings, pixels = evaluation.settings, evaluation.pixels
    return {
        "schema_version": SCHEMA_VERSION,
        "block_size": settings.block_size,
        "threshold": settings.threshold,
        "n_pairs": len(evaluation.rows),
        "macro_iou": evaluation.macro_iou,
        "micro_iou": evaluation.micro_iou,
        "rows": [_reported(row, settings) for row in evaluation.rows],
        "grid": settings.grid,
        "beta_squared": BETA_SQUARED,
        **_figures(pixels),
    }


def _reported(row: Row, settings: Settings) -> dict[str, Any]:
    return {
        "stem": row.stem,
        "pred_path": row.prediction,
        "gt_path": row.truth,
        "width": row.width,
        "height": row.height,
        "block_size": settings.block_size,
        "pred_blocks": row.blocks.found,
        "gt_blocks": row.blocks.wanted,
        "intersection_blocks": row.blocks.both,
        "union_blocks": row.blocks.either,
        "iou": row.blocks.iou,
        **_figures(row.pixels),
    }


def _figures(pixels: PixelScores) -> dict[str, float | None]:
    return {"pixel_iou": pixels.iou, "f_beta": pixels.f_beta, "mae": pixels.mae, "auc": pixels.auc}
