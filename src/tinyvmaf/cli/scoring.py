"""What both command lines that score have in common: run, say what was mended, keep the terminal informed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from tinyvmaf.cli.doors import say
from tinyvmaf.cli.progress import FrameBar
from tinyvmaf.errors import RunError
from tinyvmaf.features.kernels import native
from tinyvmaf.score.compare import NamedModel, compare
from tinyvmaf.score.result import Result

if TYPE_CHECKING:
    from tinyvmaf.features.base import Feature
    from tinyvmaf.video.policy import PairingPolicy
    from tinyvmaf.video.raw import RawFormat


def score_files(
    program: str,
    reference: str | None,
    distorted: str,
    *,
    models: Sequence[str | NamedModel],
    features: Sequence[Feature],
    policy: PairingPolicy,
    raw: RawFormat | None,
    threads: int | None,
    subsample: int,
    quiet: bool,
) -> Result:
    """Score two files with a progress bar, and say on standard error what was mended or noticed.

    Args:
        program: Name before each message.
        reference: Path of the reference, or "-"; None for models that need none.
        distorted: Path of the distorted video, or "-".
        models: What to score with.
        features: What to measure besides.
        policy: What pairing may accept.
        raw: Layout of headerless files, None for files that state their own.
        threads: Worker threads, None for all processors.
        subsample: Score every n-th frame.
        quiet: Say nothing but errors.

    Returns:
        The scores.

    Raises:
        TinyVmafError: What went wrong.
    """
    native.listener = None if quiet else lambda text: say(program, text)
    with FrameBar("Scoring", quiet) as bar:
        result = compare(
            reference,
            distorted,
            models=models,
            features=features,
            policy=policy,
            raw=raw,
            threads=threads,
            subsample=subsample,
            progress=bar,
            on_start=lambda pairing: bar.start(pairing.expected_count),
        )
    if not quiet:
        for text in _notes(result):
            say(program, f"note: {text}")
    return result


def check_scores(result: Result) -> None:
    """Fail where a tiny model gave something else than numbers; called when all logs are written.

    Args:
        result: The scores.

    Raises:
        RunError: It did.
    """
    failures = [score.failure for score in result.scores if score.failure]
    if failures:
        raise RunError(" ".join(failures), "Logs are complete; such values are null or missing in them.")


def _notes(result: Result) -> list[str]:
    """What was mended or noticed, of the videos and of the models."""
    return [note["text"] for note in result.pairing.get("notes", [])] + [
        note for score in result.scores for note in score.notes
    ]
