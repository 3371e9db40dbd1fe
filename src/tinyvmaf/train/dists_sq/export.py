"""The fitted network as an ONNX file of int8 kernels, the same bytes for the same weights."""

from __future__ import annotations

import copy
from collections.abc import Iterator

import numpy as np
import torch
from onnx import TensorProto
from torch import nn

from tinyvmaf.dnn.guard import check
from tinyvmaf.models.convert.dists import HANNING, MEAN, STABILITY, STAGES, STD
from tinyvmaf.models.convert.graph import Graph
from tinyvmaf.models.convert.pairs import spatial_mean, standardised
from tinyvmaf.train.dists_sq.network import FAINT, Network
from tinyvmaf.train.thin.convolution import Convolution
from tinyvmaf.train.thin.whole_numbers import steps_of, wholes_of

PICTURES = {"ref": (1, 3, "H", "W"), "dist": (1, 3, "H", "W")}
SCORE = {"score": (1,)}
DESCRIPTION = "How unlike two pictures are in structure and texture: DISTS made thinner, fitted to what DISTS says."

_TILE = 4
"""Side of the squares whose means are taken first: long sums of float32 lose digits."""


def to_onnx(network: Network) -> bytes:
    """Write the model.

    Args:
        network: Fitted, of plain convolutions.

    Returns:
        The file: "ref" and "dist", float [1, 3, H, W] R'G'B' in 0..1, to "score", float [1], 0 for equal pictures.

    Raises:
        ModelError: Our own guard would refuse it.
    """
    graph = Graph()
    stages = zip(_shares(graph), *(_look(graph, picture, network) for picture in PICTURES), strict=True)
    terms = [_compare_pictures(graph), *(_compare_stages(graph, *stage) for stage in stages)]
    weights = [w.detach().split(network.widths) for w in network.weights()]
    sums = [
        graph.add("MatMul", term, graph.constant(f"{name}{stage}", weights[kind][stage].numpy()[:, None]))
        for stage, pair in enumerate(terms)
        for kind, (name, term) in enumerate(zip(("alpha", "beta"), pair, strict=True))
    ]
    axis = graph.constant("last_axis", [1], np.int64)
    graph.add("Squeeze", graph.add("Sum", *sums), axis, name="score")
    data = graph.file("dists_sq", PICTURES, SCORE, DESCRIPTION)
    check(data).require()
    return data


def rounded(network: Network) -> Network:
    """A network with the weights that the file holds.

    Args:
        network: Of plain convolutions; not changed.
    """
    made = copy.deepcopy(network)
    with torch.no_grad():
        for module in made.modules():
            if isinstance(module, nn.Conv2d):
                kernel = module.weight.numpy()
                steps = steps_of(kernel)
                module.weight.copy_(torch.from_numpy(wholes_of(kernel, steps) * steps.astype(np.float32)))
    return made


def _look(graph: Graph, picture: str, network: Network) -> list[tuple[str, str]]:
    """The features at the end of every stage, and their squares."""
    value, number = standardised(graph, picture, MEAN, STD), 0
    found: list[tuple[str, str]] = []
    for depth, stage in enumerate(STAGES):
        value = _pool(graph, found[-1][1], network.widths[depth]) if found else value
        for _ in stage:
            value = _convolve(graph, value, number, network.convolutions[number])
            number += 1
        found.append((value, graph.add("Mul", value, value)))
    return found


def _convolve(graph: Graph, value: str, number: int, convolution: nn.Module) -> str:
    assert isinstance(convolution, Convolution)
    for name in ("first", "core", "last"):
        part = getattr(convolution, name)
        if part is not None:
            side = part.kernel_size[0]
            names = [_kernel(graph, f"conv{number}.{name}", part)]
            if part.bias is not None:
                names.append(graph.constant(f"conv{number}.bias", part.bias.detach().numpy()))
            value = graph.add("Conv", value, *names, kernel_shape=[side] * 2, pads=[side // 2] * 4)
    return graph.add("Relu", value)


def _kernel(graph: Graph, name: str, part: nn.Conv2d) -> str:
    kernel = part.weight.detach().numpy()
    steps = steps_of(kernel)
    return graph.whole(name, wholes_of(kernel, steps), steps)


def _pool(graph: Graph, squares: str, channels: int) -> str:
    window = np.broadcast_to(HANNING, (channels, 1, 3, 3))
    names = squares, graph.half(f"window{channels}", window)
    energy = graph.add("Conv", *names, group=channels, kernel_shape=[3, 3], strides=[2, 2], pads=[1] * 4)
    return graph.add("Sqrt", graph.add("Add", energy, graph.constant("faint", FAINT)))


def _compare_pictures(graph: Graph) -> tuple[str, str]:
    """Texture and structure terms of R, G and B, [1, 3]; exact for flat pictures too."""
    means = [spatial_mean(graph, picture) for picture in PICTURES]
    one, other = (graph.add("Sub", picture, mean) for picture, mean in zip(PICTURES, means, strict=True))
    apart = graph.add("Sub", one, other)
    squares = [graph.add("Mul", value, value) for value in (apart, one, other)]
    return _unlike(graph, *means), _share(graph, *(spatial_mean(graph, value) for value in squares))


def _compare_stages(graph: Graph, share: str, one: tuple[str, str], other: tuple[str, str]) -> tuple[str, str]:
    """The same of features and their squares, [1, C], from means alone, so that no map has to be centred."""
    (a, aa), (b, bb) = one, other
    apart = graph.add("Sub", a, b)
    apart_squared = _mean(graph, graph.add("Mul", apart, apart))
    a, aa, b, bb = (_mean_of_tiles(graph, value, share) for value in (a, aa, b, bb))
    apart = graph.add("Sub", a, b)
    structure = _share(graph, *(_variance(graph, *two) for two in ((apart_squared, apart), (aa, a), (bb, b))))
    return _unlike(graph, a, b), structure


def _mean_of_tiles(graph: Graph, value: str, share: str) -> str:
    """Mean over height and width, [1, C, 1, 1]."""
    side, pads = [_TILE, _TILE], [0, 0, _TILE - 1, _TILE - 1]
    tiles = graph.add("AveragePool", value, kernel_shape=side, strides=side, pads=pads, count_include_pad=1)
    return graph.add("Div", _mean(graph, tiles), share)


def _mean(graph: Graph, value: str) -> str:
    """The same by rows, without tiles, which are faster but for what is made from two maps of unknown sizes."""
    return graph.add("ReduceMean", graph.add("ReduceMean", value, axes=[3]), axes=[2])


def _shares(graph: Graph) -> Iterator[str]:
    """Of every stage, what share of its tiles' area the map fills: they reach over its end, and count zeros there."""
    bounds = (graph.constant(name, [place], np.int64) for name, place in (("from", 2), ("to", 4)))
    sides = graph.add("Slice", graph.add("Shape", next(iter(PICTURES))), *bounds)
    for depth in range(len(STAGES)):
        sides = _rounded_up(graph, sides, 2) if depth else sides
        whole = graph.add("Mul", _rounded_up(graph, sides, _TILE), graph.constant(f"by{_TILE}", _TILE, np.int64))
        filled, area = (graph.add("Cast", one, to=TensorProto.FLOAT) for one in (sides, whole))
        yield graph.add("ReduceProd", graph.add("Div", filled, area), keepdims=0)


def _rounded_up(graph: Graph, sides: str, by: int) -> str:
    """Sides over a number, rounded up."""
    more = graph.add("Add", sides, graph.constant(f"below{by}", by - 1, np.int64))
    return graph.add("Div", more, graph.constant(f"by{by}", by, np.int64))


def _variance(graph: Graph, square: str, mean: str) -> str:
    """Variance: by how much the mean square is larger than the square of the mean."""
    return graph.add("Relu", graph.add("Sub", square, graph.add("Mul", mean, mean)))


def _unlike(graph: Graph, one: str, other: str) -> str:
    """1 - (2 ab + c) / (aa + bb + c) without its loss of digits."""
    apart = graph.add("Sub", one, other)
    return _share(graph, *(graph.add("Mul", value, value) for value in (apart, one, other)))


def _share(graph: Graph, apart: str, one: str, other: str) -> str:
    size = graph.add("Add", graph.add("Add", one, other), graph.constant("stability", STABILITY))
    return graph.add("Flatten", graph.add("Div", apart, size))
