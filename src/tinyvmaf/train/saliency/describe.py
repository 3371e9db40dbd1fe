"""What is written beside the model: what it takes, what it was made from, how near it is to its teacher."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

from tinyvmaf.models.recipes import U2NETP
from tinyvmaf.train.provenance import licences, versions
from tinyvmaf.train.saliency.export import OPSET

DESCRIPTION: Final = "What stands out in a picture: U2-NetP made thinner, fitted to what it says of open pictures."
TEACHER: Final = {"name": U2NETP.id, "sha256": U2NETP.file.sha256}


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
            "versions": versions(),
            **fit,
            "pictures": licences(pictures),
        },
        "held_out": {"what": "pictures and cut-outs of other sources, against targets of the teacher", **report},
    }
    return json.dumps(content, indent=2) + "\n"
