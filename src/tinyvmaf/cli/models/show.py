"""`tinyvmaf models show`: everything that is known of one model."""

from __future__ import annotations

import argparse
import json
from typing import Any


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments.

    Args:
        parser: The command's parser.
    """
    parser.add_argument("model", help="an id, or a file")
    parser.add_argument("--json", action="store_true", help="print JSON")


def execute(arguments: argparse.Namespace) -> int:
    """Print the facts.

    Args:
        arguments: What `configure` declared.

    Returns:
        The exit code.
    """
    facts = _facts(arguments.model)
    if arguments.json:
        print(json.dumps(facts, indent=2))
        return 0
    from tinyvmaf.models.paths import printable

    width = max(map(len, facts))
    for key, value in facts.items():
        print(f"{key:<{width}}  {printable(str(value))}")
    return 0


def _facts(name: str) -> dict[str, Any]:
    from tinyvmaf.dnn import guard
    from tinyvmaf.models.load import load
    from tinyvmaf.models.sidecar import parse_sidecar

    file = load(name)
    facts: dict[str, Any] = {"id": file.id, "registered": file.registered, "bytes": len(file.data)}
    facts |= {"sha256": file.sha256, "target": file.target}
    if file.entry is not None:
        facts |= file.entry.record()
    if file.kind == "tiny":
        verdict = guard.check(file.data)
        facts["guard"] = verdict.line
        if verdict.report is not None:
            for key in ("inputs", "outputs"):
                ports = getattr(verdict.report, key)
                facts[key] = ", ".join(f"{p.name} {p.dtype} {list(p.shape or ())}" for p in ports)
        sidecar = parse_sidecar(file.sidecar)
        said = {key: getattr(sidecar, key) for key in ("name", "features", "mean", "std", "output_range")}
        facts["sidecar"] = "; ".join(f"{key}: {value}" for key, value in said.items() if value) or "none"
    return facts
