"""Small graphs that keep the contract of temporal denoisers: what comes out of them is known without running them."""

from __future__ import annotations

import numpy as np
from onnx import TensorProto, helper, numpy_helper

VARIABLE = "VMAF_FASTDVDNET_PRE_MODEL_PATH"
MEAN = (0.2,) * 5
CENTRE = (0.0, 0.0, 1.0, 0.0, 0.0)
FREE = ("height", "width")
KINDS = {
    "float16": TensorProto.FLOAT16,
    "float32": TensorProto.FLOAT,
    "float64": TensorProto.DOUBLE,
    "int32": TensorProto.INT32,
}


def port(name, shape, kind="float32"):
    """An input or output."""
    return helper.make_tensor_value_info(name, KINDS[kind], shape)


def file_of(nodes, inputs, outputs, **constants):
    """The bytes of a graph."""
    held = [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()]
    graph = helper.make_graph(nodes, "denoiser", inputs, outputs, held)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8).SerializeToString()


def mix(weights=MEAN, size=FREE, kind="float32", level=None):
    """A correlation with weights of shape [5], or [1, 5, k, k] where neighbours count; zeros lie around the frame.

    Args:
        weights: What every frame counts for.
        size: Height and width in the file.
        kind: numpy type of the tensors.
        level: Shape of a second input, which is added to the result; None for a graph without it.
    """
    kernel = np.asarray(weights, kind)
    kernel = kernel if kernel.ndim == 4 else kernel.reshape(1, 5, 1, 1)
    mixed = "denoised" if level is None else "mixed"
    nodes = [helper.make_node("Conv", ["frames", "kernel"], [mixed], pads=[kernel.shape[2] // 2] * 4)]
    inputs = [port("frames", [1, 5, *size], kind)]
    if level is not None:
        nodes.append(helper.make_node("Add", [mixed, "sigma"], ["denoised"]))
        inputs.insert(0, port("sigma", level, kind))
    return file_of(nodes, inputs, [port("denoised", [1, 1, *size], kind)], kernel=kernel)


def write(folder, data=None):
    """Write a graph, the mean of five frames where none is given, and return its path."""
    path = folder / "denoiser.onnx"
    path.write_bytes(mix() if data is None else data)
    return path
