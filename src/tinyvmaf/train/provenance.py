"""What sidecars say of where a model comes from."""

from __future__ import annotations

import csv
from collections import Counter
from importlib.metadata import version
from pathlib import Path

_PACKAGES = ("numpy", "onnx", "onnxruntime", "pillow", "torch")


def versions() -> str:
    """Packages that training depends on, with their versions."""
    return ", ".join(f"{name} {version(name)}" for name in _PACKAGES)


def licences(pictures: Path) -> dict[str, int]:
    """How many pictures there are of each kind under each licence.

    Args:
        pictures: Folder; its manifest.csv has the columns file and licence.

    Returns:
        "photos: CC0" and the like to their number; nothing where there is no list.
    """
    path = pictures / "manifest.csv"
    if not path.is_file():
        return {}
    with path.open(encoding="utf-8", newline="") as stream:
        found = Counter(f"{row['file'].partition('/')[0]}: {row['licence']}" for row in csv.DictReader(stream))
    return dict(sorted(found.items()))
