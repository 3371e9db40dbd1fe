"""What the graphs that compare two pictures share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from tinyvmaf.models.convert.graph import Graph, weight

Arrays = Mapping[str, npt.NDArray[Any]]

PICTURES = {"ref": ("N", 3, "H", "W"), "dist": ("N", 3, "H", "W")}
SCORE = {"score": ("N",)}


def convolution(arrays: Arrays, name: str, shape: tuple[int, int, int, int]) -> tuple[npt.NDArray[Any], ...]:
    """Kernel and bias of a convolution as Flax stores it.

    Args:
        arrays: The checkpoint.
        name: The layer's path in it.
        shape: (outputs, inputs, height, width).

    Returns:
        Kernel (outputs, inputs, height, width) and bias (outputs,).

    Raises:
        ModelError: The checkpoint has no such layer of this shape.
    """
    outputs, inputs, height, width = shape
    kernel = weight(arrays, f"{name}/kernel", (height, width, inputs, outputs))
    return np.transpose(kernel, (3, 2, 0, 1)), weight(arrays, f"{name}/bias", (outputs,))


def standardised(graph: Graph, picture: str, mean: tuple[float, ...], std: tuple[float, ...]) -> str:
    """Subtract a mean from each of three planes and divide by a deviation.

    Args:
        graph: Grows by two nodes.
        picture: Value of shape [N, 3, H, W].
        mean: Of R, G and B.
        std: Of R, G and B.

    Returns:
        The name of the result.
    """
    planes = (1, 3, 1, 1)
    centred = graph.add("Sub", picture, graph.constant("mean", np.reshape(mean, planes)))
    return graph.add("Div", centred, graph.constant("std", np.reshape(std, planes)))


def spatial_mean(graph: Graph, value: str, keep: int = 1) -> str:
    """Mean over height and width.

    Args:
        graph: Grows by one node.
        value: Of shape [N, C, H, W].
        keep: 1 to keep the two axes with length 1.

    Returns:
        The name of the result.
    """
    return graph.add("ReduceMean", value, axes=[2, 3], keepdims=keep)
