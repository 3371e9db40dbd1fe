"""The fitted network as an ONNX file of int8 weights, and proof that it computes what PyTorch computes."""

from __future__ import annotations

import io
import warnings
from collections.abc import Mapping
from itertools import chain
from typing import Final

import numpy as np
import onnx
import torch
from onnx import GraphProto, ModelProto, NodeProto, TensorProto, helper, numpy_helper
from torch import Tensor, nn

from tinyvmaf.dnn.guard import check
from tinyvmaf.dnn.session import Session
from tinyvmaf.errors import ModelError
from tinyvmaf.train.saliency.network import STRIDE, Network
from tinyvmaf.train.thin.whole_numbers import steps_of, wholes_of

OPSET: Final = 17
TOLERANCE: Final = 1e-4
"""Largest difference, on a scale of 0..1, between PyTorch and ONNX Runtime at equal weights."""

_IR_VERSION = 8
_AT_ONCE = 50
"""Tensors that one node takes apart; of longer lists of numbers our guard does not follow the values."""

_WORTH_IT = 64
"""Numbers that a kernel must have to be stored as int8."""

_DEFAULTS = {"dilations": (1, 1), "strides": (1, 1), "group": 1, "pads": (0, 0, 0, 0), "cubic_coeff_a": -0.75}
"""Attributes that need not be written at these values."""


class Answer(nn.Module):
    """What the file computes: saliency as a share."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network = network

    def forward(self, picture: Tensor) -> Tensor:
        """The map, float (1, 1, H, W) in 0..1, of a picture, float (1, 3, H, W) in 0..1."""
        return torch.sigmoid(self.network(picture))


def export(network: Network, description: str) -> bytes:
    """Write a network from `picture`, float [1, 3, H, W] RGB in 0..1, to `saliency_map`, float [1, 1, H, W] in 0..1.

    Args:
        network: Fitted, in evaluation mode.
        description: Goes into the file.

    Returns:
        The file; H and W must be multiples of `network.STRIDE`.

    Raises:
        ModelError: Our own guard would refuse it, or ONNX Runtime does not compute what PyTorch does.
    """
    whole = _traced(Answer(network))
    model = _small(whole, description)
    onnx.checker.check_model(model, full_check=True)
    data: bytes = model.SerializeToString(deterministic=True)
    check(data).require()
    _compare(network, whole.SerializeToString())
    return data


def _compare(network: Network, data: bytes) -> None:
    picture = torch.rand(1, 3, 4 * STRIDE, 6 * STRIDE, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        expected = Answer(network)(picture).numpy()
    got = Session(data, threads=1).run({"picture": picture.numpy()})["saliency_map"]
    worst = float(np.abs(expected - got).max())
    if worst > TOLERANCE:
        raise ModelError(f"ONNX Runtime's map differs by {worst:.2g} from PyTorch's.", "Do not ship this file.")


def _traced(answer: Answer) -> ModelProto:
    """The graph as PyTorch writes it, with float32 weights."""
    stream = io.BytesIO()
    axes = {2: "height", 3: "width"}
    with warnings.catch_warnings():
        # The exporter by tracing is announced to go; it writes the plainest graph.
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.onnx.export(
            answer.eval(), (torch.zeros(1, 3, 2 * STRIDE, 3 * STRIDE),), stream, opset_version=OPSET, dynamo=False,
            input_names=["picture"], output_names=["saliency_map"],
            dynamic_axes={"picture": axes, "saliency_map": axes},
        )  # fmt: skip
    return onnx.load_from_string(stream.getvalue())


def _small(whole: ModelProto, description: str) -> ModelProto:
    """The same graph with short names, int8 kernels, and all float16 numbers in two tensors."""
    graph = GraphProto()
    graph.CopyFrom(whole.graph)
    _shorten(graph)
    values = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    kernels = {name: value for name, value in values.items() if value.ndim == 4 and value.size >= _WORTH_IT}
    biases = {name: value for name, value in values.items() if value.ndim == 1 and value.dtype == np.float32}
    others = [tensor for tensor in graph.initializer if tensor.name not in {**kernels, **biases}]
    scales = {f"{name}s": steps_of(value) for name, value in kernels.items()}
    packed = _together("biases", biases), _together("scales", scales)
    wholes = [
        numpy_helper.from_array(wholes_of(value, scales[f"{name}s"]), f"{name}q") for name, value in kernels.items()
    ]
    grown = [
        node
        for name in kernels
        for node in (
            helper.make_node("Cast", [f"{name}q"], [f"{name}w"], to=TensorProto.FLOAT),
            helper.make_node("Mul", [f"{name}w", f"{name}s"], [name]),
        )
    ]
    nodes = [*chain.from_iterable(nodes for _, nodes in packed), *grown, *graph.node]
    stored = [*others, *chain.from_iterable(tensors for tensors, _ in packed), *wholes]
    made = helper.make_graph(nodes, "saliency", graph.input, graph.output, stored)
    return helper.make_model(
        made, producer_name="tinyvmaf.train", producer_version="1", doc_string=description, ir_version=_IR_VERSION,
        opset_imports=[helper.make_opsetid("", OPSET)],
    )  # fmt: skip


def _together(name: str, values: Mapping[str, np.ndarray]) -> tuple[list[TensorProto], list[NodeProto]]:
    """Tensors one after the other in few, because each costs room in a file, and nodes that take them apart."""
    names, tensors, nodes = list(values), [], []
    for number, start in enumerate(range(0, len(names), _AT_ONCE)):
        own, some = f"{name}{number}", names[start : start + _AT_ONCE]
        half = np.concatenate([values[one].astype(np.float16) for one in some])
        lengths = np.array([len(values[one]) for one in some], np.int64)
        tensors += [numpy_helper.from_array(half, f"{own}h"), numpy_helper.from_array(lengths, f"{own}n")]
        nodes.append(helper.make_node("Cast", [f"{own}h"], [f"{own}f"], to=TensorProto.FLOAT))
        nodes.append(helper.make_node("Split", [f"{own}f", f"{own}n"], some, axis=0))
    return tensors, nodes


def _shorten(graph: GraphProto) -> None:
    """Number all tensors but the ports, and drop what says nothing."""
    ports = [port.name for port in (*graph.input, *graph.output)]
    inner = (*(t.name for t in graph.initializer), *(name for node in graph.node for name in node.output))
    short = {"": "", **{name: f"{i:x}" for i, name in enumerate(dict.fromkeys(inner))}, **{p: p for p in ports}}
    for tensor in graph.initializer:
        tensor.name = short[tensor.name]
    for node in graph.node:
        names = [short[name] for name in node.input], [short[name] for name in node.output]
        kept = [a for a in node.attribute if not _is_default(a) and (a.name, node.op_type) != ("kernel_shape", "Conv")]
        node.CopyFrom(NodeProto(op_type=node.op_type, input=names[0], output=names[1], attribute=kept))


def _is_default(attribute: onnx.AttributeProto) -> bool:
    value = helper.get_attribute_value(attribute)
    plain = tuple(value) if isinstance(value, list) else value
    return bool(attribute.name in _DEFAULTS and _DEFAULTS[attribute.name] == plain)
