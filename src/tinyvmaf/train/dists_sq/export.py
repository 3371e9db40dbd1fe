"""The fitted network as an ONNX file, the same bytes for the same weights."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from tinyvmaf.dnn.guard import check
from tinyvmaf.models.convert.graph import Graph
from tinyvmaf.models.convert.pairs import spatial_mean
from tinyvmaf.train.dists_sq.network import FAINT, STABILITY, WIDTHS, Tensors

Arrays: TypeAlias = Mapping[str, npt.NDArray[np.float32]]

PICTURES = {"ref": (1, 3, "H", "W"), "dist": (1, 3, "H", "W")}
SCORE = {"score": (1,)}
DESCRIPTION = "How unlike two pictures are in structure and texture: a small network that was taught by DISTS."


def to_onnx(weights: Tensors) -> bytes:
    """Write the model; matrices are rounded to float16 in the file, arithmetic is float32.

    Args:
        weights: Of the network.

    Returns:
        The file: "ref" and "dist", float [1, 3, H, W] R'G'B' in 0..1, to "score", float [1], 0 for equal pictures.

    Raises:
        ModelError: Our own guard would refuse it.
    """
    graph, stored = Graph(), {name: value.detach().numpy() for name, value in weights.items()}
    (textures, means, *stages), (other_textures, other_means, *other_stages) = (
        _look(graph, picture, stored) for picture in PICTURES
    )
    detail, *structure = (_structure(graph, *pair) for pair in zip(stages, other_stages, strict=True))
    colour = graph.add("Concat", _unlike(graph, means, other_means), detail, axis=1)
    terms = graph.add("Concat", _unlike(graph, textures, other_textures), *structure, axis=1)
    parts = [
        _weighed(graph, colour, "colour_shares", np.exp(stored["colour_shares"])),
        _weighed(graph, _bent(graph, terms, np.exp(stored["knees"])), "shares", np.exp(stored["shares"]).sum(1)),
    ]
    axis = graph.constant("last_axis", [1], np.int64)
    graph.add("Squeeze", graph.add("Add", *parts), axis, name="score")
    data = graph.file("dists_sq", PICTURES, SCORE, DESCRIPTION)
    check(data).require()
    return data


def _look(graph: Graph, picture: str, stored: Arrays) -> list[str]:
    """Texture features [1, C], means of R, G and B [1, 3], the picture, and the features of all stages."""
    centred = graph.add("Sub", picture, graph.constant("middle", 0.5))
    value, stages = graph.add("Mul", centred, graph.constant("gain", 4.0)), [picture]
    for stage in range(len(WIDTHS)):
        if stage:
            # Odd sizes end in a pool of fewer samples, whose mean is theirs alone.
            value = graph.add(
                "AveragePool", value, kernel_shape=[3, 3], strides=[2, 2], pads=[1] * 4, count_include_pad=0
            )
        for layer in range(2):
            kernel = stored[f"kernel{stage}{layer}"]
            names = (
                graph.half(f"kernel{stage}{layer}", kernel.reshape(len(kernel), -1, 3, 3)),
                graph.constant(f"bias{stage}{layer}", stored[f"bias{stage}{layer}"]),
            )
            value = graph.add("Relu", graph.add("Conv", value, *names, kernel_shape=[3, 3], pads=[1, 1, 1, 1]))
        stages.append(value)
    rgb_means, *means = (spatial_mean(graph, stage, keep=0) for stage in stages)
    pooled = graph.add("Add", graph.add("Concat", *means, rgb_means, axis=1), graph.constant("faint", FAINT))
    mixed = graph.add("MatMul", graph.add("Log", pooled), graph.half("mixing", stored["mixing"]))
    logs = graph.add("Add", mixed, graph.constant("offset", stored["offset"]))
    bounded = graph.add("Clip", logs, graph.constant("lowest", -10.0), graph.constant("highest", 10.0))
    return [graph.add("Exp", bounded), rgb_means, *stages]


def _bent(graph: Graph, terms: str, knees: npt.NDArray[np.float32]) -> str:
    """Terms that saturate: x (1 + k) / (x + k)."""
    above = graph.add("Mul", terms, graph.constant("knees_and_one", 1 + knees))
    return graph.add("Div", above, graph.add("Add", terms, graph.constant("knees", knees)))


def _weighed(graph: Graph, terms: str, name: str, shares: npt.NDArray[np.float32]) -> str:
    return graph.add("MatMul", terms, graph.constant(name, shares[:, None]))


def _unlike(graph: Graph, one: str, other: str) -> str:
    """1 - (2 ab + c) / (aa + bb + c) without its loss of digits."""
    apart = graph.add("Sub", one, other)
    return _share(graph, *(graph.add("Mul", value, value) for value in (apart, one, other)))


def _structure(graph: Graph, one: str, other: str) -> str:
    """The same from covariances, [1, C]."""
    left, right = (graph.add("Sub", value, spatial_mean(graph, value)) for value in (one, other))
    apart = graph.add("Sub", left, right)
    squares = (graph.add("Mul", value, value) for value in (apart, left, right))
    return _share(graph, *(spatial_mean(graph, value, keep=0) for value in squares))


def _share(graph: Graph, apart: str, one: str, other: str) -> str:
    size = graph.add("Add", graph.add("Add", one, other), graph.constant("stability", STABILITY))
    return graph.add("Div", apart, size)
