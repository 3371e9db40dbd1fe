"""Small random graphs from bytes: choices, and a graph that grows node by node and knows what the guard says of it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar
from unittest import mock

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from tinyvmaf.dnn import guard
from tinyvmaf.dnn.budget import RULES
from tinyvmaf.dnn.graph import FEW
from tinyvmaf.dnn.values import Known

T = TypeVar("T")
Array = NDArray[Any]
FLOATS = (np.float32, np.float32, np.float64, np.float16)
SIGNED = (np.int64, np.int32, np.int64, np.int8, np.int16)
WHOLE = (*SIGNED, np.uint8, np.uint16, np.uint32, np.uint64)
EDGES = (
    0.0,
    1.0,
    -1.0,
    2.5,
    1e30,
    -1e30,
    float("nan"),
    float("inf"),
    -float("inf"),
    3.4e38,
    1e-40,
    2.0**31,
    -(2.0**63),
)
LIMITS = guard.Limits(peak_bytes=16 << 20, work=1 << 28, growth_bytes=0, growth_work=0)


class Draws:
    """Choices made from bytes; where they have run out, the first of each."""

    def __init__(self, data: bytes) -> None:
        self._rest = iter(data)

    def below(self, count: int) -> int:
        """A number from 0 to count - 1."""
        width = ((count - 1).bit_length() + 7) // 8
        return int.from_bytes([next(self._rest, 0) for _ in range(width)]) % count

    def whole(self, low: int, high: int) -> int:
        return low + self.below(high - low + 1)

    def pick(self, *choices: T) -> T:
        return choices[self.below(len(choices))]

    def often(self, percent: int) -> bool:
        return self.below(100) >= 100 - percent

    def some(self, count: int, *choices: T) -> list[T]:
        return [self.pick(*choices) for _ in range(count)]


@contextlib.contextmanager
def noted() -> Iterator[dict[str, Known]]:
    """What the rules give while it holds: name to what is known of the value."""
    found: dict[str, Known] = {}

    def spy(rule: Any) -> Any:
        def look(node: Any, inputs: Any, context: Any) -> Any:
            results = rule(node, inputs, context)
            found.update(zip(node.outputs, results, strict=False))
            return results

        return look

    with mock.patch.dict(RULES, {op: spy(rule) for op, rule in RULES.items()}):
        yield found


def _node(op: str, inputs: Sequence[str], outputs: Sequence[str], attributes: dict[str, Any]) -> onnx.NodeProto:
    node = helper.make_node(op, inputs, outputs)
    for name, value in attributes.items():
        value = numpy_helper.from_array(value) if isinstance(value, np.ndarray) else value
        node.attribute.append(helper.make_attribute(name, value, attr_type=7 if isinstance(value, list) else None))
    return node


class Sketch:
    """A graph that grows.

    Attributes:
        draws: Where choices come from.
        opset: Version of the operators.
        known: Value to what the guard knows of it.
        feed: Input of the graph to the array of the run.
    """

    def __init__(self, draws: Draws, opset: int, prefix: str = "") -> None:
        self.draws, self.opset = draws, opset
        self.known: dict[str, Known] = {}
        self.feed: dict[str, Array] = {}
        self.prefix, self._count = prefix, 0
        self._nodes: list[onnx.NodeProto] = []
        self._held: list[onnx.TensorProto] = []
        self._ports: list[onnx.ValueInfoProto] = []

    def _fresh(self) -> str:
        self._count += 1
        return f"{self.prefix}v{self._count}"

    def constant(self, value: Any, dtype: Any = None) -> str:
        """An initialiser; integers become int64, reals float32 unless a dtype is named."""
        array = np.asarray(value, dtype)
        if dtype is None and array.dtype != bool:
            array = array.astype(np.int64 if array.size and array.dtype.kind in "iu" else np.float32)
        tensor = numpy_helper.from_array(array, self._fresh())
        self._held.append(tensor)
        self._note(tensor.name, array, array.ravel().tolist() if array.size <= FEW else None)
        return tensor.name

    def entry(self, array: Array) -> str:
        """An input of the graph; some of its axes are free."""
        name = self._fresh()
        axes = [self.draws.pick(length, length, length, None) for length in array.shape]
        kind = helper.np_dtype_to_tensor_dtype(array.dtype)
        self._ports.append(helper.make_tensor_value_info(name, kind, axes))
        self._note(name, array, None)
        self.feed[name] = array
        return name

    def _note(self, name: str, array: Array, data: list[Any] | None) -> None:
        self.known[name] = Known(int(helper.np_dtype_to_tensor_dtype(array.dtype)), array.shape, data)

    def dims(self, name: str) -> tuple[int, ...]:
        return self.known[name].dims

    def array(self, dims: Sequence[int], dtype: Any = np.float32, edge: int = 3) -> Array:
        """Numbers of a shape, now and then such as a kernel stumbles over."""
        count = int(np.prod(dims))
        few = [self.draws.whole(0, 12) - 4 for _ in range(min(count, 8))]
        values = np.resize(
            np.array(few or [1.0]) / (self.draws.pick(1, 2) if np.dtype(dtype).kind == "f" else 1), count
        )
        if count and np.dtype(dtype).kind == "f" and self.draws.often(edge):
            values[self.draws.below(count)] = self.draws.pick(*EDGES)
        with np.errstate(all="ignore"):
            return values.astype(np.int64 if np.dtype(dtype).kind in "iub" else np.float64).astype(dtype).reshape(dims)

    def value(self, dims: Sequence[int], *dtypes: Any, edge: int = 3) -> str:
        """An input or a constant of a shape."""
        array = self.array(dims, self.draws.pick(*(dtypes or (np.float32,))), edge)
        return self.entry(array) if self.draws.often(50) else self.constant(array, array.dtype)

    def shape(self, rank: int | None = None, low: int = 0) -> list[int]:
        """Lengths of axes, mostly small; `low` is the least."""
        count = self.draws.pick(2, 3, 4, 1, 0, 5) if rank is None else rank
        long = 33 if count < 4 else 9
        return [max(low, self.draws.pick(3, 2, 4, 1, 5, 6, 7, 8, 12, 17, 1, 2, 3, 4, 0, long)) for _ in range(count)]

    def axis(self, rank: int) -> int:
        return self.draws.whole(-rank, rank - 1) if rank else 0

    def axes(self, rank: int) -> list[int]:
        """Some axes in any order, each once."""
        left = list(range(rank))
        found = [left.pop(self.draws.below(len(left))) for _ in range(self.draws.whole(0, rank))]
        return [axis - rank if self.draws.often(30) else axis for axis in found]

    def any(self, *dtypes: Any, rank: int | None = None, low: int = 0) -> str:
        """A value that is there already, if one fits, or a new one."""
        codes = {int(helper.np_dtype_to_tensor_dtype(np.dtype(dtype))) for dtype in dtypes or (np.float32,)}
        fit = [
            name
            for name, known in self.known.items()
            if known.dtype in codes and (rank is None or known.rank == rank) and min(known.dims, default=low) >= low
        ]
        if fit and self.draws.often(70):
            return fit[-1 - self.draws.below(min(len(fit), 3))]
        return self.value(self.shape(rank, low), *dtypes)

    def port(self, name: str, kind: int, dims: Sequence[int] | None) -> str:
        """An input of a body."""
        self._ports.append(helper.make_tensor_value_info(self.prefix + name, kind, dims))
        return self.prefix + name

    def add(self, op: str, *inputs: str, **attributes: Any) -> str:
        """Add a node of one output, unseen by the guard."""
        self._nodes.append(_node(op, inputs, [self._fresh()], attributes))
        return str(self._nodes[-1].output[0])

    def op(self, op: str, *inputs: str, outs: int = 1, **attributes: Any) -> list[str]:
        """Add a node and return its outputs; none, and no node, where the guard refuses it."""
        names = [self._fresh() for _ in range(outs)]
        self._nodes.append(_node(op, inputs, names, attributes))
        with noted() as found:
            verdict = guard.check(self.model(names), LIMITS, {name: a.shape for name, a in self.feed.items()})
        if not verdict.accepted:
            self._nodes.pop()
            return []
        shapes = verdict.require().output_shapes
        for name, dims in zip(names, shapes, strict=True):
            self.known[name] = found.get(name) or Known(1, dims or (1,), loose=dims is None)
        return names

    def graph(self, outputs: Sequence[str]) -> onnx.GraphProto:
        """The graph that gives these values, of types that only the runtime finds out."""
        ports = [onnx.ValueInfoProto(name=name) for name in outputs]
        return helper.make_graph(self._nodes, "g", self._ports, ports, self._held)

    def model(self, outputs: Sequence[str]) -> bytes:
        imports = [helper.make_opsetid("", self.opset)]
        return helper.make_model(self.graph(outputs), opset_imports=imports, ir_version=8).SerializeToString()

    def made(self) -> list[str]:
        """The values that nodes give."""
        return [name for node in self._nodes for name in node.output]


Recipe = Callable[[Sketch, str], Any]
"""Adds a node of the named operator."""
