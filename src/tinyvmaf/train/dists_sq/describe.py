"""What is written beside the model: what it takes, what it was made from, how near it is to its teacher."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tinyvmaf.models.convert.graph import OPSET
from tinyvmaf.models.recipes import DISTS
from tinyvmaf.train.dists_sq.export import DESCRIPTION
from tinyvmaf.train.provenance import licences, versions


def sidecar(pictures: Path, parameters: int, fit: Mapping[str, int], tests: Mapping[str, Mapping[str, Any]]) -> str:
    """The sidecar of the model.

    Args:
        pictures: Folder with a manifest.csv of pictures and licences.
        parameters: How many numbers it has.
        fit: What the fit was, name to number.
        tests: Of `run.make_model`, name to figures.

    Returns:
        JSON text.
    """
    content = {
        "name": "dists_sq",
        "kind": "fr",
        "target": "teacher",
        "better": "lower",
        "description": DESCRIPTION,
        "license": "MIT AND BSD-3-Clause",
        "data_license": "open",
        "source": "thinner factors of DISTS (MIT) on torchvision's VGG16 (BSD-3-Clause), fitted to what DISTS says",
        "onnx_opset": OPSET,
        "input_names": ["ref", "dist"],
        "output_names": ["score"],
        "frame": {"colour": "rgb", "value_range": [0, 1]},
        "parameters": parameters,
        "teacher": {"name": DISTS.id, "sha256": DISTS.file.sha256},
        "training": {
            "command": "python -m tinyvmaf.train.dists_sq --pictures DIR --teacher dists.onnx --out DIR",
            "versions": versions(),
            **fit,
            "pictures": licences(pictures),
        },
        "held_out": {
            "what": "agreement with DISTS on pictures of other sources, damaged in ways that were taught and in others",
            **{name: figures["all"] for name, figures in tests.items()},
        },
    }
    return json.dumps(content, indent=2) + "\n"
