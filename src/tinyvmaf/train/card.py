"""What is written beside the model: the sidecar that programs read and the card that people read."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from importlib import metadata
from typing import Any

from tinyvmaf.score.fusion import CANONICAL
from tinyvmaf.train.corpus import Corpus, Teacher
from tinyvmaf.train.evaluate import TOLERANCE, Order, Report
from tinyvmaf.train.export import OPSET
from tinyvmaf.train.figures import Figures
from tinyvmaf.train.fit import SCORES, Fusion
from tinyvmaf.train.recipe import SPLITS, Recipe

DESCRIPTION = "Six VMAF features to the score of vmaf_v0.6.1, identical frames near 100."
_PACKAGES = ("av", "numpy", "numba", "onnx", "scipy")
_DIGITS = 5


@dataclass(frozen=True, slots=True)
class Facts:
    """All that sidecar and card are made from.

    Attributes:
        recipe: How the model was made.
        corpus: What it was made from.
        teacher: What it imitates.
        fusion: The fitted model.
        report: What was measured on the exported file.
    """

    recipe: Recipe
    corpus: Corpus
    teacher: Teacher
    fusion: Fusion
    report: Report

    def clips(self, split: str) -> int:
        """Number of clips of a split."""
        return sum(clip.source.split == split for clip in self.corpus.clips)

    def frames(self, split: str) -> int:
        """Number of frame pairs of a split."""
        return sum(len(clip.table) for clip in self.corpus.clips if clip.source.split == split)

    @property
    def versions(self) -> str:
        """Packages that decide the digits, with their versions."""
        return ", ".join(f"{name} {metadata.version(name)}" for name in _PACKAGES)


def sidecar(facts: Facts) -> str:
    """The JSON beside the ONNX file.

    Args:
        facts: What there is to say.

    Returns:
        JSON text.
    """
    recipe, report = facts.recipe, facts.report
    content: dict[str, Any] = {
        "name": recipe.name,
        "kind": "fr",
        "target": "teacher",
        "description": DESCRIPTION,
        "license": recipe.license,
        "onnx_opset": OPSET,
        "input_name": "features",
        "output_name": "score",
        "features": list(CANONICAL),
        "expected_output_range": list(SCORES),
        "parameters": facts.fusion.weights.count,
        "teacher": {"name": facts.teacher.name, "sha256": facts.teacher.sha256},
        "training": {
            "command": "python -m tinyvmaf.train --data DIR --out DIR",
            "recipe_sha256": recipe.sha256,
            "corpus_sha256": facts.corpus.sha256,
            "seed": recipe.fit.seed,
            "versions": facts.versions,
            "frames": {split: facts.frames(split) for split in SPLITS},
            "sources": {split: [source.file for source in recipe.of_split(split)] for split in SPLITS},
        },
        "held_out": {
            "what": "frames of the test sources, identical pairs left out; 95 % intervals over sources",
            "per_frame": _rounded(report.frames),
            "intervals": {key: [round(end, _DIGITS) for end in ends] for key, ends in report.spread.items()},
            "pooled": _rounded(report.pooled),
            "pooled_rises": report.order[0].rises,
        },
    }
    return json.dumps(content, indent=2, ensure_ascii=False) + "\n"


def _rounded(figures: Figures) -> Figures:
    return {key: round(value, _DIGITS) for key, value in figures.items()}


def card(facts: Facts, model_sha256: str) -> str:
    """The model card.

    Args:
        facts: What there is to say.
        model_sha256: Of the ONNX file.

    Returns:
        Markdown text.
    """
    return "\n".join([*_head(facts, model_sha256), *_fidelity(facts), *_behaviour(facts), *_making(facts)]) + "\n"


def _head(facts: Facts, model_sha256: str) -> list[str]:
    recipe, report = facts.recipe, facts.report
    spread = report.spread
    return [
        f"# {recipe.name}",
        "",
        f"Written by `python -m tinyvmaf.train` from what it measured. SHA-256 of the model: `{model_sha256}`.",
        "",
        f"A network of {facts.fusion.weights.count} parameters that turns libvmaf's six elementary features of a frame"
        f" ({', '.join(CANONICAL)}) into a score from 0 to 100. **Target: teacher.** It imitates"
        f" `{facts.teacher.name}`; its figures say how near it is to that model, not how well it agrees with people.",
        "",
        f"| on {len(recipe.of_split('test'))} sources used for nothing else | per frame | 95 % interval over sources |",
        "|---|---|---|",
        f"| PLCC | {report.frames['plcc']:.6f} | {spread['plcc'][0]:.6f} to {spread['plcc'][1]:.6f} |",
        f"| SROCC | {report.frames['srocc']:.6f} | {spread['srocc'][0]:.6f} to {spread['srocc'][1]:.6f} |",
        f"| RMSE | {report.frames['rmse']:.4f} | {spread['rmse'][0]:.4f} to {spread['rmse'][1]:.4f} |",
        f"| largest error | {report.frames['max_error']:.3f} | |",
        f"| frames | {report.frames['n']} | |",
        "",
        f"Pooled scores (means) of the {report.pooled['n']} test clips: RMSE {report.pooled['rmse']:.4f}, largest"
        f" difference {report.worst_pooled:.3f}. Licence: {recipe.license}; every source is under an open licence.",
    ]


def _fidelity(facts: Facts) -> list[str]:
    report = facts.report
    return [
        "",
        "## Fidelity",
        "",
        "Identical pairs are left out above, because there the model differs on purpose (see below); with them the RMSE"
        f" per frame is {report.everything['rmse']:.4f}. Nearly identical frames are counted although the lift moves"
        f" them too: without the {report.frames['n'] - report.beyond_lift['n']:g} of them the RMSE is"
        f" {report.beyond_lift['rmse']:.4f} and the largest error {report.beyond_lift['max_error']:.3f}.",
        "",
        *_table("distortion", report.by_distortion.items()),
        "",
        *_table("test source", report.by_source.items()),
        "",
        f"The labels are the teacher's scores of our own features. Against libvmaf itself they differ by"
        f" {report.labels['rmse']:.6f} (RMSE; largest {report.labels['max_error']:.6f}) on {report.labels['n']} frames"
        " of the test sources.",
        "",
        f"Away from the corpus: {report.davis['n']} frames of every third DAVIS 2016 sequence under x264 (research"
        f" licence, only measured): PLCC {report.davis['plcc']:.6f}, RMSE {report.davis['rmse']:.4f}, largest error"
        f" {report.davis['max_error']:.3f}.",
        "",
        "| Netflix's test pair, pooled | model | teacher |",
        "|---|---|---|",
        *(f"| {name} | {ours:.3f} | {theirs:.3f} |" for name, (ours, theirs) in report.golden.items()),
    ]


def _table(title: str, rows: Iterable[tuple[str, Figures]]) -> list[str]:
    lines = [f"| {title} | frames | PLCC | RMSE | largest error |", "|---|---|---|---|---|"]
    for name, f in rows:
        plcc = "" if f["plcc"] != f["plcc"] else f"{f['plcc']:.6f}"
        lines.append(f"| {name} | {f['n']} | {plcc} | {f['rmse']:.4f} | {f['max_error']:.3f} |")
    return lines


def _behaviour(facts: Facts) -> list[str]:
    report, lift = facts.report, facts.recipe.fit.lift
    return [
        "",
        "## Where it differs from the teacher on purpose",
        "",
        "The teacher gives still identical frames 97.4. Here the score is lifted towards 100 where the five"
        f" similarities together lie less than {lift:g} away from 1, linearly up to 100 at identity; frames further"
        " away are left alone. Lowest score of identical frames of the corpus:"
        f" {report.identical[0]:.3f} (teacher {report.identical[1]:.3f}).",
        "",
        f"Features are clipped to a box first (lowest {_list(facts.recipe.fit.lowest)}, highest"
        f" {_list(facts.recipe.fit.highest)}) and scores to 0..100 last. Outside the box the teacher drifts: with huge"
        " motion it gives everything 100.",
        "",
        "## Does more distortion ever raise a pooled score?",
        "",
        f"Neighbouring levels of every ordered distortion; a rise is more than {TOLERANCE:g} above the lowest score of"
        " all milder levels.",
        "",
        "| clips | steps | rises, model | largest | rises, teacher | largest |",
        "|---|---|---|---|---|---|",
        _order_row("test sources", report.order),
        _order_row("training and selection sources", report.order_seen),
        _order_row("DAVIS, x264", report.davis_order),
        *_places("Model", [report.order[0], report.order_seen[0], report.davis_order[0]]),
        *_places("Teacher", [report.order[1], report.order_seen[1], report.davis_order[1]]),
        "",
        "A rise that model and teacher share comes from the encode: a constant rate factor is a wish, and an encoder"
        " may serve a clip better at a higher one.",
        "",
        "## Features that no clip has",
        "",
        "| features | model | teacher |",
        "|---|---|---|",
        *(f"| {name} | {ours:.2f} | {theirs:.2f} |" for name, (ours, theirs) in report.extremes.items()),
        "",
        "What the six features do not see, the model does not see either: colour, a constant shift of brightness, and"
        " anything in a frame without detail. Like the teacher it rewards raised contrast.",
    ]


def _order_row(name: str, both: tuple[Order, Order]) -> str:
    ours, theirs = both
    return f"| {name} | {ours.steps} | {ours.rises} | {ours.largest:.4f} | {theirs.rises} | {theirs.largest:.4f} |"


def _places(who: str, found: Iterable[Order]) -> list[str]:
    where = [place for item in found for place in item.where]
    return ["", f"{who}: {'; '.join(where)}."] if where else []


def _list(values: Iterable[float]) -> str:
    return ", ".join(f"{value:g}" for value in values)


def _making(facts: Facts) -> list[str]:
    recipe = facts.recipe
    levels = "; ".join(f"{d.name} {_list(d.levels)}" for d in recipe.distortions)
    return [
        "",
        "## How it was made",
        "",
        "One command makes the corpus, the features, the fit, the file and this card:"
        " `python -m tinyvmaf.train --data DIR --out DIR`.",
        "",
        "| split | sources | clips | frames |",
        "|---|---|---|---|",
        *(
            f"| {split} | {', '.join(s.name for s in recipe.of_split(split))} | {facts.clips(split)} |"
            f" {facts.frames(split)} |"
            for split in SPLITS
        ),
        "",
        "The split is by source. Training sources fit the weights, selection sources choose among"
        f" {recipe.fit.starts} random starts, test sources give the figures above and nothing else.",
        "",
        f"Distortions and their levels: {levels}.",
        "",
        "The fit is full-batch L-BFGS in float64. Squared errors count only inside 0..100: where teacher and network"
        " both lie beyond the same end, clipping makes them equal. To the training frames come"
        f" {recipe.fit.extra_rows} points around them that the teacher labels, and a mild penalty where a stronger"
        " level scores above a weaker one although the teacher's score falls.",
        "",
        "The same machine gives the same file bit for bit. It rests on encoders, on kernels compiled for the processor"
        f" at hand and on the order of sums in BLAS, so another processor family or other versions than"
        f" {facts.versions} may give slightly different digits.",
        "",
        f"Recipe SHA-256 `{recipe.sha256}`, features SHA-256 `{facts.corpus.sha256}`, teacher SHA-256"
        f" `{facts.teacher.sha256}`.",
    ]
