"""Small graphs that keep the contract of saliency models: what comes out of them is known without running them."""

from __future__ import annotations

import json

import numpy as np
from onnx import helper

from denoisers import file_of, port

VARIABLE = "VMAF_MOBILESAL_MODEL_PATH"
SIDECAR = {"kind": "saliency", "frame": {"colour": "rgb", "multiple": 16}}


def red(size=("height", "width"), kind="float32", gain=1.0):
    """The map is the red channel of the picture, times a gain."""
    nodes = [
        helper.make_node("Slice", ["picture", "first", "second", "channels"], ["channel"]),
        helper.make_node("Mul", ["channel", "gain"], ["saliency_map"]),
    ]
    constants = {"first": np.int64([0]), "second": np.int64([1]), "channels": np.int64([1])}
    return file_of(
        nodes, [port("picture", [1, 3, *size], kind)], [port("saliency_map", [1, 1, *size], kind)],
        gain=np.array(gain, kind), **constants,
    )  # fmt: skip


def write(folder, sidecar=SIDECAR, **options):
    """Write such a graph and its sidecar, and return the graph's path."""
    path = folder / "red.onnx"
    path.write_bytes(red(**options))
    if sidecar is not None:
        path.with_suffix(".json").write_text(json.dumps(sidecar))
    return path
