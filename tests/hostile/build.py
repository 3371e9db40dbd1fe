"""Tools that write ONNX bytes, honest or not: a small network builder and a protobuf writer that obeys no schema."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

FLOAT, INT64, BOOL = TensorProto.FLOAT, TensorProto.INT64, TensorProto.BOOL
IR_OF_OPSET = {7: 4, 8: 4, 9: 4, 10: 5, 11: 6, 12: 7, 13: 7, 14: 7, 19: 9, 20: 9, 21: 10}
BIG = 1 << 17
"""Two of these make a float32 plane of 64 GiB."""


@dataclass(frozen=True, slots=True)
class Attack:
    """One hostile model: its sin, the rule that should stop it, and the bytes when called."""

    name: str
    family: str
    rule: str
    build: Callable[[], bytes] = field(repr=False)

    def __call__(self) -> bytes:
        return self.build()


class Shelf(dict[str, Attack]):
    """The attacks of one family, by name, in the order of writing."""

    def __init__(self, family: str) -> None:
        super().__init__()
        self.family = family

    def put(self, name: str, rule: str, build: Callable[[], bytes]) -> None:
        assert name not in self, name
        self[name] = Attack(name, self.family, rule, build)

    def add(self, rule: str) -> Callable[[Callable[[], bytes]], Callable[[], bytes]]:
        """Decorator: the function's name is the attack's name."""

        def keep(build: Callable[[], bytes]) -> Callable[[], bytes]:
            self.put(build.__name__, rule, build)
            return build

        return keep


class Net:
    """A graph under construction; values are names, `kinds` remembers their element types."""

    def __init__(self, opset: int = 17, shape: Sequence[Any] | None = (1, 3, 8, 8), parent: Net | None = None) -> None:
        self.opset, self.parent, self.shape = opset, parent, shape
        self.kinds: dict[str, int] = parent.kinds if parent else {}
        self.nodes: list[onnx.NodeProto] = []
        self.inputs: list[onnx.ValueInfoProto] = []
        self.initialisers: list[onnx.TensorProto] = []
        self.value_info: list[onnx.ValueInfoProto] = []
        self.root: Net = parent.root if parent else self
        self.count = 0
        if parent is None and shape is not None:
            self.x = self.takes("x", FLOAT, shape)

    def fresh(self, stem: str) -> str:
        self.root.count += 1
        return f"{stem}_{self.root.count}"

    def takes(self, name: str, kind: int = FLOAT, shape: Sequence[Any] | None = None) -> str:
        """Declare a graph input."""
        self.inputs.append(helper.make_tensor_value_info(name, kind, shape))
        self.kinds[name] = kind
        return name

    def const(self, value: Any, dtype: Any = None, name: str | None = None) -> str:
        """An initialiser; integers become int64, reals float32 unless a dtype is named."""
        array = np.asarray(value, dtype)
        if dtype is None and array.dtype != bool:
            array = array.astype(np.int64 if array.dtype.kind in "iu" else np.float32)
        tensor = numpy_helper.from_array(array, name or self.fresh("k"))
        self.initialisers.append(tensor)
        self.kinds[tensor.name] = tensor.data_type
        return tensor.name

    def op(self, op_type: str, *inputs: str, outs: int = 1, kind: int | None = None, **attributes: Any) -> Any:
        """A node; returns the name of its output, or the names."""
        names = [self.fresh(op_type.lower()) for _ in range(outs)]
        for key, value in attributes.items():
            if isinstance(value, np.ndarray):
                attributes[key] = numpy_helper.from_array(value)
        self.nodes.append(helper.make_node(op_type, inputs, names, name=self.fresh("node"), **attributes))
        for name in names:
            self.kinds[name] = kind or self._kind(op_type, inputs, attributes)
        return names[0] if outs == 1 else names

    def _kind(self, op_type: str, inputs: Sequence[str], attributes: dict[str, Any]) -> int:
        value = attributes.get("value")
        if op_type in ("Constant", "ConstantOfShape"):
            return value.data_type if value is not None else INT64 if "value_int" in str(attributes) else FLOAT
        return {"Shape": INT64, "Cast": attributes.get("to", FLOAT)}.get(op_type) or self.kinds.get(
            "".join(inputs[:1]), FLOAT
        )

    def child(self) -> Net:
        return Net(parent=self)

    def loop(self, trip: str, step: Callable[..., Sequence[str]], *state: str, cond: str = "") -> Any:
        """A Loop; `step(body, counter, *state)` returns the next state, then scan outputs."""
        body = self.child()
        counter, go = body.takes(self.fresh("i"), INT64, []), body.takes(self.fresh("go"), BOOL, [])
        carried = [body.takes(self.fresh("state"), self.kinds.get(name, FLOAT)) for name in state]
        results = step(body, counter, *carried)
        keep = body.op("Identity", go)
        names = self.op("Loop", trip, cond, *state, outs=len(results), body=body.graph(keep, *results))
        for name, result in zip([names] if len(results) == 1 else names, results, strict=True):
            self.kinds[name] = self.kinds.get(result, FLOAT)
        return names

    def branch(self, cond: str, then: Callable[[Net], str], other: Callable[[Net], str]) -> str:
        """An If of one output."""
        left, right = self.child(), self.child()
        one, two = then(left), other(right)
        kind = self.kinds.get(one, FLOAT)
        return self.op("If", cond, kind=kind, then_branch=left.graph(one), else_branch=right.graph(two))

    def zeros(self, *dims: int) -> str:
        """A constant plane that costs a few bytes in the file."""
        return self.op("ConstantOfShape", self.const(list(dims)))

    def graph(self, *outputs: str, name: str = "g", shape: Sequence[Any] | None = None) -> onnx.GraphProto:
        kinds = [self.kinds.get(output, FLOAT) for output in outputs]
        ports = [helper.make_tensor_value_info(*port, shape) for port in zip(outputs, kinds, strict=True)]
        return helper.make_graph(
            self.nodes, name, self.inputs, ports, initializer=self.initialisers, value_info=self.value_info
        )

    def model(self, *outputs: str, shape: Sequence[Any] | None = (), **fields: Any) -> onnx.ModelProto:
        """The whole model; its outputs have the shape of x unless one is given."""
        shape = self.shape if shape == () else shape
        fields.setdefault("ir_version", IR_OF_OPSET.get(self.opset, 8))
        fields.setdefault("opset_imports", [helper.make_opsetid("", self.opset)])
        return helper.make_model(self.graph(*outputs, shape=shape), **fields)

    def done(self, *outputs: str, **fields: Any) -> bytes:
        return self.model(*outputs, **fields).SerializeToString()

    def sink(self, *names: str) -> bytes:
        """The model whose answer is x plus the mean of each name: nothing is dead code."""
        total = self.x
        for name in names:
            if self.kinds.get(name, FLOAT) != FLOAT:
                name = self.op("Cast", name, to=FLOAT)
            total = self.op("Add", total, self.op("ReduceMean", name, keepdims=0))
        return self.done(total)


def plain(opset: int = 17) -> onnx.ModelProto:
    """An honest model: y = Relu(x), 1x3x8x8."""
    net = Net(opset)
    return net.model(net.op("Relu", net.x), shape=(1, 3, 8, 8))


def varint(number: int, width: int = 0) -> bytes:
    """Base-128 varint; a width above the needed one pads it (non-minimal)."""
    number &= (1 << 70) - 1
    digits = []
    while number > 0x7F or len(digits) + 1 < width:
        digits.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*digits, number])


def signed(number: int) -> int:
    """The 64-bit pattern that protobuf writes for a negative int64."""
    return number & ((1 << 64) - 1)


def f(number: int, value: int | bytes | str, wire: int | None = None) -> bytes:
    """One protobuf field: an int is a varint, bytes and text are length-delimited, unless a wire type is forced."""
    if isinstance(value, int):
        return varint(number << 3 | (wire or 0)) + varint(signed(value) if value < 0 else value)
    payload = value.encode() if isinstance(value, str) else value
    if wire in (1, 5):
        return varint(number << 3 | wire) + payload
    return varint(number << 3 | 2) + varint(len(payload)) + payload


def port(name: str, kind: int = FLOAT, dims: Sequence[int] = (1, 3, 8, 8)) -> bytes:
    """A ValueInfoProto by hand."""
    shape = b"".join(f(1, f(1, dim)) for dim in dims)
    return f(1, name) + f(2, f(1, f(1, kind) + f(2, shape)))


def raw_node(
    op_type: str = "Relu", inputs: Sequence[str] = ("x",), outputs: Sequence[str] = ("y",), more: bytes = b""
) -> bytes:
    """A NodeProto by hand."""
    wires = b"".join(f(1, name) for name in inputs) + b"".join(f(2, name) for name in outputs)
    return wires + f(4, op_type) + more


def raw_graph(*nodes: bytes, more: bytes = b"") -> bytes:
    """A GraphProto by hand: x in, y out."""
    return b"".join(f(1, node) for node in nodes) + f(2, "g") + f(11, port("x")) + f(12, port("y")) + more


def raw_model(graph: bytes | None = None, more: bytes = b"", opset: bytes | None = None) -> bytes:
    """A ModelProto by hand, honest unless an argument is not."""
    graph = raw_graph(raw_node()) if graph is None else graph
    return f(1, 8) + f(7, graph) + f(8, f(2, 17) if opset is None else opset) + more
