"""The static check of ONNX bytes before anything runs them: no code from outside, no files, no loops.

A graph passes if every node, also in subgraphs, is one of the listed operators of the standard domain and every tensor
lies inside the file. None of them branches, loops or names a file, so every run ends; a graph of many nodes can still
ask for more memory than there is, which is why their number is bounded.

Source: the protocol buffer wire format and the field numbers of onnx.proto.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeAlias

from tinyvmaf.errors import ModelError

OPERATORS = frozenset(
    """
    Abs Add BatchNormalization Cast Clip Constant Div Dropout Elu Erf Exp Flatten Gelu Gemm HardSigmoid HardSwish
    Identity LayerNormalization LeakyRelu Log MatMul Max Mean Min Mul Neg PRelu Pow Reciprocal ReduceMean ReduceSum
    Relu Reshape Selu Sigmoid Slice Softmax Softplus Sqrt Squeeze Sub Sum Tanh Transpose Unsqueeze Where
    """.split()  # noqa: SIM905
)
"""What a small regression network is made of."""

DOMAINS = frozenset((b"", b"ai.onnx"))

Field: TypeAlias = tuple[int, int | bytes]

# Message -> field number -> kind of message found there.
_CHILDREN: dict[str, dict[int, str]] = {
    "model": {7: "graph"},
    "graph": {1: "node", 5: "tensor", 15: "sparse"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse"},
    "tensor": {},
}
_MODEL_EXTRAS = {20: "training graphs", 25: "functions of its own"}
_EXTERNAL_DATA, _DATA_LOCATION, _NODE_OPERATOR, _NODE_DOMAIN = 13, 14, 4, 7
_MAX_NODES = 1000
_MAX_DEPTH = 16


def check_onnx(data: bytes) -> None:
    """Refuse a model that could do more than compute.

    Args:
        data: The ONNX file.

    Raises:
        ModelError: Not an ONNX file, or one that breaks a rule of this module.
    """
    if not data:
        raise ModelError("A model file must hold a model, but this file is empty (0 bytes).", "Check what wrote it.")
    try:
        nodes = _walk(data, "model", 0)
    except (IndexError, ValueError) as error:
        raise ModelError(f"The file is not an ONNX model: {error}.") from error
    if not nodes:
        raise ModelError("A tiny model has at least one node, but this file has no nodes.", "Export the model again.")
    if nodes > _MAX_NODES:
        raise ModelError(f"A tiny model has at most {_MAX_NODES} nodes, but this file has {nodes}.")


def _walk(message: bytes, kind: str, depth: int) -> int:
    """Check a message and everything in it; return how many nodes it holds."""
    if depth > _MAX_DEPTH:
        raise ValueError(f"it is nested more than {_MAX_DEPTH} levels deep")
    fields = list(_fields(message))
    if kind == "sparse":
        raise ModelError("A model must not hold sparse tensors, but this one does.")
    for number, _ in fields:
        if kind == "model" and number in _MODEL_EXTRAS:
            raise ModelError(f"A model must not hold {_MODEL_EXTRAS[number]}, but this one does.")
    if kind == "tensor":
        _check_tensor(fields)
    if kind == "node":
        _check_node(fields)
    inner = _CHILDREN[kind]
    below = [_walk(v, inner[n], depth + 1) for n, v in fields if n in inner and isinstance(v, bytes)]
    return sum(below) + (kind == "node")


def _check_tensor(fields: list[Field]) -> None:
    if any(number == _EXTERNAL_DATA or (number == _DATA_LOCATION and value != 0) for number, value in fields):
        raise ModelError(
            "A model must hold its weights, but this one keeps them in another file (ONNX external data).",
            "Save it as one file.",
        )


def _check_node(fields: list[Field]) -> None:
    operator, domain = (
        next((v for n, v in reversed(fields) if n == number and isinstance(v, bytes)), b"")
        for number in (_NODE_OPERATOR, _NODE_DOMAIN)
    )
    name = operator.decode("utf-8", "replace")[:40]
    if domain not in DOMAINS or name not in OPERATORS:
        where = f" of domain {domain.decode('utf-8', 'replace')[:40]!r}" if domain not in DOMAINS else ""
        raise ModelError(
            f"A tiny model is made of standard operators without branches and loops, but this one uses {name!r}{where}."
        )


def _fields(message: bytes) -> Iterator[Field]:
    """(field number, value) of a protocol buffer message; fixed-width values come as bytes of no interest."""
    position = 0
    while position < len(message):
        tag, position = _varint(message, position)
        wire = tag & 7
        if wire == 0:
            value, position = _varint(message, position)
            yield tag >> 3, value
            continue
        if wire not in (1, 2, 5):
            raise ValueError(f"wire type {wire} at byte {position}")
        length = {1: 8, 5: 4}.get(wire, 0)
        if wire == 2:
            length, position = _varint(message, position)
        if length > len(message) - position:
            raise ValueError(f"a field at byte {position} runs past the end")
        yield tag >> 3, message[position : position + length] if wire == 2 else 0
        position += length


def _varint(message: bytes, position: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        if position >= len(message) or shift > 63:
            raise ValueError(f"a number at byte {position} does not end")
        byte = message[position]
        value |= (byte & 0x7F) << shift
        position, shift = position + 1, shift + 7
        if byte < 0x80:
            return value, position
