"""Costs that the shapes of a graph do not show: what ONNX Runtime keeps, pads, copies or does slowly.

Seen with ONNX Runtime 1.32 on a CPU: each takes gigabytes or minutes where shapes and multiplications look modest.
"""

from __future__ import annotations

import functools
from collections.abc import Callable

import numpy as np
from onnx import TensorProto

from hostile.build import BOOL, FLOAT, INT64, Net, Shelf

ATTACKS = Shelf("hidden")
SIDE = [4096, 4096]


def _grown(net: Net, *dims: int) -> str:
    """A plane that waits for the input, so that nothing is computed while the session opens."""
    return str(net.op("Expand", net.op("ReduceMean", net.x, keepdims=0), net.const(list(dims))))


def _stacked(net: Net, value: str) -> str:
    return str(net.op("Concat", *[value] * 64, axis=0))


PLANES: dict[str, Callable[[Net, int], str]] = {
    "expand": lambda n, i: n.op("Expand", n.const(float(i)), n.const(SIDE)),
    "exp": lambda n, i: n.op("Exp", n.op("ConstantOfShape", n.const(SIDE), value=np.array([i / 1000], np.float32))),
    "pad": lambda n, i: n.op("Pad", n.const([[float(i)]]), n.const([0, 0, 4095, 4095])),
    "outer_product": lambda n, i: n.op("Mul", n.const(np.full((4096, 1), float(i))), n.const(np.ones((1, 4096)))),
    "resize": lambda n, i: n.op("Resize", n.const(np.full((8, 8), float(i))), "", n.const([512.0, 512.0])),
    "tall_concat": lambda n, i: _stacked(n, _stacked(n, n.const(np.full((1, 4096), float(i))))),
    "gather": lambda n, i: n.op("Gather", n.const(np.full((1, 4096), float(i))), n.const(np.zeros(4096, np.int64))),
}


def _folded(make: Callable[[Net, int], str], count: int) -> bytes:
    """One plane at a time by the graph; all at once for a runtime that computes constants when the session opens."""
    net = Net()
    row = net.op("Cast", net.op("Mul", net.op("ReduceMean", net.x, keepdims=0), net.const(0.0)), to=INT64)
    rows = [net.op("Gather", make(net, step), row) for step in range(count)]
    return net.sink(*rows)


for _name, _make in PLANES.items():
    _count = 150 if _name == "exp" else 250
    ATTACKS.put(
        f"constants_by_{_name}_are_kept_for_good",
        "memory|size|constant|work",
        functools.partial(_folded, _make, _count),
    )


@ATTACKS.add("memory|size|constant|work")
def constants_of_branches_are_kept_for_good() -> bytes:
    net = Net()
    cond = net.op("Cast", net.op("ReduceMax", net.x, keepdims=0), to=BOOL)
    row = net.op("Cast", net.op("Mul", net.op("ReduceMean", net.x, keepdims=0), net.const(0.0)), to=INT64)

    def way(value: float) -> Callable[[Net], str]:
        return lambda body: body.op("Gather", body.op("Expand", body.const(value), body.const(SIDE)), row)

    return net.sink(*[net.branch(cond, way(float(step)), way(step + 0.5)) for step in range(120)])


@ATTACKS.add("memory|size|work")
def matmul_of_millions_of_scalars() -> bytes:
    """Each matrix of a batch costs the runtime some eighty bytes of bookkeeping."""
    net = Net()
    one = net.op("Reshape", net.op("ReduceMean", net.x), net.const([1, 1]))
    return net.sink(net.op("MatMul", one, net.op("Expand", one, net.const([1 << 26, 1, 1]))))


@ATTACKS.add("memory|size|work")
def conv_to_one_channel_is_padded_to_sixteen() -> bytes:
    net = Net()
    return net.sink(net.op("Conv", _grown(net, 1, 1, 8192, 12288), net.const(np.ones((1, 1, 1, 1)))))


@ATTACKS.add("memory|size|work")
def conv_of_a_long_batch_is_padded_to_sixteen() -> bytes:
    net = Net()
    return net.sink(net.op("Conv", _grown(net, 1 << 20, 1, 10, 10), net.const(np.ones((1, 1, 1, 1)))))


def _pool(op_type: str) -> bytes:
    """Minutes inside one node, which no time limit interrupts: windows are added up naively, on one thread."""
    net = Net()
    return net.sink(net.op(op_type, _grown(net, 1, 1, 2048, 2048), kernel_shape=[351, 351], pads=[175] * 4))


for _op in ("AveragePool", "MaxPool"):
    ATTACKS.put(f"{_op.lower()}_of_minutes_in_one_node", "work", functools.partial(_pool, _op))


@ATTACKS.add("work")
def integer_matmul_of_minutes_in_one_node() -> bytes:
    net = Net()
    side = net.op("Cast", _grown(net, 7600, 7600), to=INT64)
    return net.sink(net.op("MatMul", side, side))


@ATTACKS.add("work")
def integer_matmul_of_four_bytes() -> bytes:
    net = Net()
    side = net.op("Cast", _grown(net, 8000, 8000), to=TensorProto.INT32)
    return net.sink(net.op("MatMul", side, side))


@ATTACKS.add("work")
def scattered_rounds() -> bytes:
    net = Net()
    rows = net.op("Cast", net.op("Mul", _grown(net, 1 << 23, 1), net.const(0.0)), to=INT64)
    value, news = _grown(net, 16), _grown(net, 1 << 23)
    for _ in range(4000):
        value = net.op("ScatterND", value, rows, news)
    return net.sink(value)


@ATTACKS.add("work|memory|size")
def cubic_resizes_by_the_hundred() -> bytes:
    net = Net()
    value = _grown(net, 1, 1, 1024, 1024)
    for _ in range(400):
        big = net.op("Resize", value, "", net.const([1.0, 1.0, 8.0, 8.0]), mode="cubic")
        value = net.op("Resize", big, "", net.const([1.0, 1.0, 0.125, 0.125]))
    return net.sink(value)


@ATTACKS.add("MiB")
def integer_conv_unrolls_its_windows() -> bytes:
    net = Net()
    picture = net.op("Cast", _grown(net, 1, 1, 1087, 1087), to=TensorProto.UINT8)
    weights = net.const(np.ones((1, 1, 64, 64)), np.uint8)
    return net.sink(net.op("ConvInteger", picture, weights, kind=TensorProto.INT32))


@ATTACKS.add("MiB")
def quantised_conv_unrolls_its_windows() -> bytes:
    """Numbers around a convolution that are turned into bytes and back: the runtime computes with bytes then."""
    net = Net()
    scale, zero = net.const(0.1), net.const(0, np.uint8)

    def turned(value: str) -> str:
        return str(net.op("DequantizeLinear", net.op("QuantizeLinear", value, scale, zero), scale, zero, kind=FLOAT))

    weights = net.op("DequantizeLinear", net.const(np.ones((1, 1, 48, 48)), np.uint8), scale, zero, kind=FLOAT)
    return net.sink(turned(net.op("Conv", turned(_grown(net, 1, 1, 350, 350)), weights)))


def _of_many(op_type: str) -> bytes:
    """More than two operands: a partial result stands beside the result."""
    net = Net()
    whole = net.op("Cast", net.op("ReduceMean", net.x, keepdims=0), to=INT64)
    sides = [net.op("Expand", whole, net.const(dims)) for dims in ([8192, 1], [1, 14_000], [8192, 1])]
    return net.sink(net.op("ReduceMax", net.op(op_type, *sides), keepdims=0))


for _op in ("Max", "Min", "Sum", "Mean"):
    ATTACKS.put(f"{_op.lower()}_of_three_keeps_a_partial_result", "MiB", functools.partial(_of_many, _op))


@ATTACKS.add("MiB")
def halves_that_are_computed_as_floats() -> bytes:
    """Twelve planes of 64 MiB as halves; beside each the runtime keeps one of 128 MiB."""
    net = Net()
    half = net.op("Cast", net.op("ReduceMean", net.x, keepdims=0), to=TensorProto.FLOAT16)
    planes = [net.op("Expand", half, net.const([1 << 25]))]
    for _ in range(11):
        planes.append(net.op("Exp", planes[-1]))
    total = planes[0]
    for plane in reversed(planes[1:]):
        total = net.op("Mul", total, plane)
    return net.sink(net.op("Cast", net.op("ReduceMax", total), to=FLOAT))
