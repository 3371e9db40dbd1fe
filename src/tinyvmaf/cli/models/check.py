"""`tinyvmaf models check`: the guard's verdict on files, nothing of which is run."""

from __future__ import annotations

from tinyvmaf.cli.doors import say
from tinyvmaf.dnn import guard
from tinyvmaf.errors import ModelError, UsageError
from tinyvmaf.models import paths

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence
    from typing import Any

USAGE = """usage: tinyvmaf models check [-h] [--json] FILE [FILE ...]

Say whether the guard accepts ONNX files: 0 if it accepts all of them, 2 if not.

  FILE        an ONNX file
  --json      print one JSON object per file
  -h, --help  show this help message and exit
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare nothing: `command` reads the words itself.

    Args:
        parser: The command's parser.
    """


def command(words: Sequence[str]) -> int:
    """Print one line per file.

    Args:
        words: The arguments behind `models check`.

    Returns:
        0 if every file is accepted, 2 if one is refused or cannot be read.

    Raises:
        UsageError: There is no file, or an option that does not exist.
    """
    end = words.index("--") if "--" in words else len(words)
    options = [word for word in words[:end] if word.startswith("-")]
    files = [word for word in words[:end] if not word.startswith("-")] + list(words[end + 1 :])
    if "-h" in options or "--help" in options:
        print(USAGE, end="")
        return 0
    unknown = [word for word in options if word != "--json"]
    if unknown or not files:
        what = f"There is no option {unknown[0]}." if unknown else "A file to check is required."
        raise UsageError(what, "See tinyvmaf models check --help.")
    return max(_check(name, bool(options)) for name in files)


def _check(name: str, as_json: bool) -> int:
    try:
        verdict = guard.check(paths.read(name, guard.DEFAULT.file_bytes, jailed=True))
    except ModelError as error:
        verdict = guard.Verdict(False, str(error))
    if as_json:
        import json

        print(json.dumps(_facts(name, verdict)))
    elif verdict.accepted:
        print(f"{paths.printable(name)}: {verdict.line}")
    else:
        say("tinyvmaf", f"{paths.printable(name)}: {verdict.line}")
    return 0 if verdict.accepted else ModelError.exit_code


def _facts(name: str, verdict: guard.Verdict) -> dict[str, Any]:
    facts: dict[str, Any] = {"file": name, "accepted": verdict.accepted, "reason": verdict.reason}
    if verdict.report is not None:
        report = verdict.report
        facts |= {key: getattr(report, key) for key in ("opset", "operators", "nodes", "parameters", "work")}
        facts |= {"peak_bytes": report.peak_bytes, "loops": report.loops, "note": report.misfit}
        for key in ("inputs", "outputs"):
            facts[key] = [{"name": p.name, "dtype": p.dtype, "shape": p.shape} for p in getattr(report, key)]
    return facts
