"""What is written beside the model: what it takes, what it was made from, how near it is to its teacher."""

from __future__ import annotations

import csv
import json
from collections import Counter
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

from tinyvmaf.models.recipes import U2NETP
from tinyvmaf.train.saliency.export import OPSET

DESCRIPTION: Final = "What stands out in a picture: U2-NetP made thinner, fitted to what it says of open pictures."
TEACHER: Final = {"name": U2NETP.id, "sha256": U2NETP.file.sha256}

_PACKAGES = ("numpy", "onnx", "onnxruntime", "pillow", "torch")


def sidecar(pictures: Path, side: int, parameters: int, fit: dict[str, int], report: dict[str, Any]) -> str:
    """The sidecar of the model.

    Args:
        pictures: Folder with a manifest.csv of pictures and licences, or without.
        side: Of the squares that the model sees.
        parameters: How many numbers it has.
        fit: What the fit was, name to number.
        report: Figures on held-out pictures.

    Returns:
        JSON text.
    """
    content = {
        "name": "saliency",
        "kind": "saliency",
        "target": "none",
        "description": DESCRIPTION,
        "license": "Apache-2.0",
        "data_license": "open",
        "source": "thinner factors of U2-NetP (Apache-2.0, trained by its authors on DUTS-TR), fitted to its maps",
        "onnx_opset": OPSET,
        "input_names": ["picture"],
        "output_names": ["saliency_map"],
        "frame": {
            "colour": "rgb",
            "width": side,
            "height": side,
            "resize": "bilinear",
            "value_range": [0, 1],
            "scaled_by": "largest",
            "mean": [0.0, 0.0, 0.0],
            "std": [1.0, 1.0, 1.0],
        },
        "parameters": parameters,
        "teacher": TEACHER,
        "training": {
            "command": "python -m tinyvmaf.train.saliency --pictures DIR --out DIR",
            "versions": ", ".join(f"{name} {version(name)}" for name in _PACKAGES),
            **fit,
            "pictures": licences(pictures),
        },
        "held_out": {"what": "pictures and cut-outs of other sources, against targets of the teacher", **report},
    }
    return json.dumps(content, indent=2) + "\n"


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
