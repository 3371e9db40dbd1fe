"""`tinyvmaf models list`: what is there by name, and what can be pulled."""

from __future__ import annotations

import argparse
import json
from typing import Any

from tinyvmaf.cli.doors import say
from tinyvmaf.cli.table import print_table


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments.

    Args:
        parser: The command's parser.
    """
    parser.add_argument("--json", action="store_true", help="print JSON")


def execute(arguments: argparse.Namespace) -> int:
    """Print the models, and one line on standard error for each damaged one of the store.

    Args:
        arguments: What `configure` declared.

    Returns:
        The exit code.
    """
    rows = _rows()
    if arguments.json:
        print(json.dumps(rows, indent=2))
        return 0
    print_table([title.replace("_", " ") for title in rows[0]], [list(row.values()) for row in rows])
    return 0


def _rows() -> list[dict[str, str]]:
    from tinyvmaf.models import registry, store
    from tinyvmaf.models.pull import pullable

    stored, broken = store.survey()
    for text in broken.values():
        say("tinyvmaf", text)
    rows = [_row(entry, "packaged" if entry.packaged else "stored") for entry in (*registry.packaged(), *stored)]
    rows += [_row(registry.find(name), "packaged") for name in registry.NETFLIX_SHA256]
    there = {row["id"] for row in rows}
    return rows + [_row(recipe, "can be pulled") for recipe in pullable() if recipe.id not in there]


def _row(item: Any, where: str) -> dict[str, str]:
    """A registry entry, or a recipe, which says the same in its `entry`."""
    said = getattr(item, "entry", {})
    keys = ("kind", "target", "licence", "data_licence", "description")
    return {"id": item.id, "where": where} | {key: str(said.get(key) or getattr(item, key, "")) for key in keys}
