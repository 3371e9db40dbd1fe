"""From clips to a model in one call: corpus, fit, export, figures, files."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

from tinyvmaf._files import write_bytes
from tinyvmaf.models.runtime import open_bytes
from tinyvmaf.score.fusion import TinyModel
from tinyvmaf.train.card import DESCRIPTION, Facts, card, sidecar
from tinyvmaf.train.corpus import Teacher, build_corpus
from tinyvmaf.train.evaluate import evaluate
from tinyvmaf.train.export import to_onnx
from tinyvmaf.train.fit import fit
from tinyvmaf.train.recipe import Recipe


def make_model(recipe: Recipe, data: Path, out: Path, cache: Path, jobs: int, say: Callable[[str], None]) -> Path:
    """Make a model with its sidecar and card.

    Args:
        recipe: What to make.
        data: The data folder.
        out: Folder for <name>.onnx, <name>.json and <name>.md.
        cache: Folder for features; a stopped run goes on from there.
        jobs: Processes for encoding and measuring; the result does not depend on it.
        say: Takes lines of progress.

    Returns:
        Path of the ONNX file.
    """
    out.mkdir(parents=True, exist_ok=True)
    corpus, teacher = build_corpus(recipe, data, cache, jobs), Teacher(recipe.teacher)
    say(f"{len(corpus.clips)} clips, {len(corpus.table)} frames, SHA-256 {corpus.sha256}")
    fusion = fit(corpus.of_split("train"), corpus.of_split("selection"), teacher, recipe.fit, say)
    model = to_onnx(fusion, recipe.name, DESCRIPTION)
    say("measuring the exported file")
    report = evaluate(TinyModel(open_bytes(model, threads=1)).predict, teacher, recipe, corpus, data, cache, jobs)
    facts = Facts(recipe, corpus, teacher, fusion, report)
    digest = hashlib.sha256(model).hexdigest()
    texts = {".onnx": model, ".json": sidecar(facts).encode(), ".md": card(facts, digest).encode()}
    for suffix, content in texts.items():
        write_bytes(out / f"{recipe.name}{suffix}", content)
    say(f"{recipe.name}.onnx: {len(model)} bytes, SHA-256 {digest}")
    return out / f"{recipe.name}.onnx"
