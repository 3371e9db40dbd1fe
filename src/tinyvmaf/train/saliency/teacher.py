"""The network that is imitated: U2-NetP, pulled by `tinyvmaf models pull u2netp`.

Qin et al., "U2-Net: Going Deeper with Nested U-Structure for Salient Object Detection" (2020).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np
import numpy.typing as npt
import onnx
import torch
from onnx import numpy_helper

from tinyvmaf.models.load import load
from tinyvmaf.models.recipes import U2NETP
from tinyvmaf.train.saliency.network import Network, as_pictures

SIDE: Final = 320
"""Of the square that it sees."""

Teacher = Callable[[npt.NDArray[np.uint8]], npt.NDArray[np.float32]]
"""Picture, uint8 (SIDE, SIDE, 3) RGB, to its map, float32 (SIDE, SIDE) in 0..1."""


def open_teacher() -> Network:
    """Open the pulled model.

    Returns:
        The teacher, in evaluation mode; it is not to be changed.

    Raises:
        ModelError: It has not been pulled.
    """
    return read_teacher(load(U2NETP.id).data)


def read_teacher(data: bytes) -> Network:
    """Take the weights out of the file.

    Args:
        data: The file, u2netp.onnx as it is pulled; the guard has accepted it.

    Returns:
        The teacher, in evaluation mode.
    """
    graph = onnx.load_from_string(data).graph
    stored = {one.name: torch.from_numpy(numpy_helper.to_array(one).copy()) for one in graph.initializer}
    # The file's convolutions run in the order in which the network counts its own; the sides and their sum come last.
    pairs = [tuple(stored[name] for name in node.input[1:]) for node in graph.node if node.op_type == "Conv"]
    teacher = Network()
    own = [*(one.core for one in teacher.convolutions())]
    inner = [pair for pair in pairs if len(pair[0]) > 1]
    with torch.no_grad():
        for convolution, (kernel, bias) in zip(own, inner, strict=True):
            convolution.weight.copy_(kernel)
            convolution.bias.copy_(bias)
        for level, side in enumerate(teacher.sides, 1):
            side.load_state_dict({"weight": stored[f"side{level}.weight"], "bias": stored[f"side{level}.bias"]})
        teacher.fuse.load_state_dict({"weight": stored["outconv.weight"], "bias": stored["outconv.bias"]})
    return teacher.eval().requires_grad_(False)


def as_maps(teacher: Network) -> Teacher:
    """What says where a picture is salient.

    Its maps are taken as they are: stretched to 0..1, as upstream shows them, a scene without an object would get one.

    Args:
        teacher: Of `open_teacher`.
    """

    def look(picture: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        with torch.inference_mode():
            seen: npt.NDArray[np.float32] = torch.sigmoid(teacher(as_pictures(picture[None], SIDE)))[0, 0].numpy()
        return seen

    return look
