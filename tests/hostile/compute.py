"""Work bombs: rounds that multiply, and single nodes that no time limit can interrupt."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
from onnx import TensorProto

from hostile.build import FLOAT, Net, Shelf

ATTACKS = Shelf("compute")


def _nested(trips: list[int]) -> bytes:
    net = Net()

    def dive(body: Net, left: list[int], state: str) -> str:
        if not left:
            return body.op("Add", state, body.const(1.0))
        return body.loop(body.const(left[0]), lambda deep, _i, inner: [dive(deep, left[1:], inner)], state)

    return net.sink(dive(net, trips, net.x))


for _trips in ([1024] * 3, [1024] * 4, [2] * 30, [32] * 7, [1] * 7 + [1024] * 3):
    _name = f"nested_loops_{len(_trips)}_deep_{int(np.prod([float(trip) for trip in _trips])):.0e}".replace("+", "")
    ATTACKS.put(_name, "work|loop|depth|trip", functools.partial(_nested, _trips))


@ATTACKS.add("work|loop")
def nested_loops_through_branches() -> bytes:
    net = Net()

    def dive(body: Net, depth: int, state: str) -> str:
        if depth == 0:
            return body.op("Add", state, body.const(1.0))
        if depth % 2:
            return body.branch(
                body.const(True), lambda way: dive(way, depth - 1, state), lambda way: way.op("Identity", state)
            )
        return body.loop(body.const(1024), lambda deep, _i, inner: [dive(deep, depth - 1, inner)], state)

    return net.sink(dive(net, 7, net.x))


@ATTACKS.add("work|loop")
def thousand_loops_in_a_row() -> bytes:
    net = Net()
    value, trip = net.x, net.const(1024)
    for _ in range(1000):
        value = net.loop(trip, lambda body, _i, state: [body.op("Add", state, body.const(1.0))], value)
    return net.sink(value)


@ATTACKS.add("work|loop|node")
def sixteen_loops_of_long_bodies() -> bytes:
    net = Net()

    def step(body: Net, _counter: str, state: str) -> list[str]:
        for _ in range(400):
            state = body.op("MatMul", state, body.op("Softmax", state))
        return [state]

    value = net.zeros(512, 512)
    for _ in range(16):
        value = net.loop(net.const(1024), step, value)
    return net.sink(value)


def _heavy(make: Any) -> bytes:
    net = Net()
    return net.sink(net.loop(net.const(1024), lambda body, _i, state: [make(body, state)], net.zeros(1, 1, 2048, 2048)))


for _name, _make in (
    ("matmul", lambda b, s: b.op("MatMul", s, s)),
    ("conv", lambda b, s: b.op("Conv", s, b.const(np.ones((1, 1, 31, 31))), pads=[15] * 4)),
    (
        "exponential",
        lambda b, s: b.op(
            "Reshape",
            b.op("ReduceMean", b.op("Exp", b.op("Expand", s, b.const([16, 1, 1, 1]))), axes=[0]),
            b.const([1, 1, 2048, 2048]),
        ),
    ),
    ("pooling", lambda b, s: b.op("AveragePool", s, kernel_shape=[63, 63], pads=[31] * 4)),
):
    ATTACKS.put(f"loop_of_heavy_{_name}", "work", functools.partial(_heavy, _make))


def _matmuls(side: int, times: int) -> bytes:
    net = Net()
    value = factor = net.op("ConstantOfShape", net.const([side, side]), value=np.array([1e-4], np.float32))
    for _ in range(times):
        value = net.op("MatMul", value, factor)
    return net.sink(value)


ATTACKS.put("thousand_matmuls_of_constants", "work", functools.partial(_matmuls, 4096, 1000))
ATTACKS.put("one_matmul_of_a_petaflop", "work|size", functools.partial(_matmuls, 81920, 1))
ATTACKS.put("ten_thousand_small_matmuls", "work", functools.partial(_matmuls, 2048, 10_000))


@ATTACKS.add("work")
def matmuls_that_wait_for_the_input() -> bytes:
    net = Net()
    value = net.op("Expand", net.op("ReduceMean", net.x, keepdims=0), net.const([4096, 4096]))
    for _ in range(1000):
        value = net.op("MatMul", value, value)
    return net.sink(value)


@ATTACKS.add("work")
def gemms_with_a_thin_result() -> bytes:
    net = Net()
    left, right = net.zeros(256, 1 << 20), net.zeros(1 << 20, 256)
    return net.sink(*[net.op("Gemm", left, right, alpha=float(step)) for step in range(2000)])


@ATTACKS.add("work")
def batched_matmuls() -> bytes:
    net = Net()
    return net.sink(*[net.op("MatMul", net.zeros(64, 1024, 1024), net.zeros(64, 1024, 1024)) for _ in range(1000)])


def _conv(size: int, kernel: int, op_type: str = "Conv", times: int = 1, channels: int = 1, **attributes: Any) -> bytes:
    net = Net()
    value = net.zeros(1, channels, size, size)
    weights = net.zeros(channels, channels // attributes.get("group", 1), kernel, kernel)
    for _ in range(times):
        value = net.op(op_type, value, weights, **attributes)
    return net.sink(value)


for _name, _args, _more in (
    ("giant_kernel", (4096, 2048), {}),
    ("giant_dilated_kernel", (8192, 1024), {"dilations": [4, 4]}),
    ("thousands_of_channels", (512, 3, "Conv", 20, 2048), {"pads": [1] * 4}),
    ("thousands_of_groups", (1024, 33, "Conv", 20, 64), {"pads": [16] * 4, "group": 64}),
    ("long_chain", (1024, 31, "Conv", 5000), {"pads": [15] * 4}),
):
    ATTACKS.put(f"conv_{_name}", "work|size", functools.partial(_conv, *_args, **_more))
ATTACKS.put("conv_transpose_giant_kernel", "work|size", functools.partial(_conv, 2048, 1024, "ConvTranspose"))


def _pool(op_type: str, size: int, kernel: int, **attributes: Any) -> bytes:
    net = Net()
    return net.sink(net.op(op_type, net.zeros(1, 1, size, size), kernel_shape=[kernel, kernel], **attributes))


for _op in ("AveragePool", "MaxPool"):
    ATTACKS.put(f"{_op.lower()}_giant_window", "work|size", functools.partial(_pool, _op, 8192, 4096))
ATTACKS.put(
    "averagepool_giant_padded_window", "work|size", functools.partial(_pool, "AveragePool", 4096, 4095, pads=[2047] * 4)
)
ATTACKS.put(
    "maxpool_giant_dilated_window", "work|size", functools.partial(_pool, "MaxPool", 16384, 2048, dilations=[4, 4])
)


@ATTACKS.add("work|size")
def softmax_of_gibibytes_by_the_hundred() -> bytes:
    net = Net()
    value = net.op("Expand", net.op("ReduceMean", net.x, keepdims=0), net.const([1, 8, 8192, 8192]))
    for _ in range(500):
        value = net.op("Erf", net.op("Softmax", value, axis=1))
    return net.sink(value)


@ATTACKS.add("work|size")
def transposes_of_many_axes() -> bytes:
    net = Net()
    value = net.op("Expand", net.op("ReduceMean", net.x, keepdims=0), net.const([2] * 28))
    for _ in range(2000):
        value = net.op("Transpose", net.op("Sigmoid", value), perm=list(reversed(range(28))))
    return net.sink(value)


@ATTACKS.add("work|size|mode")
def cubic_resizes_up_and_down() -> bytes:
    net = Net(18)
    value, up, down = net.x, net.const([1.0, 1.0, 512.0, 512.0]), net.const([1.0, 1.0, 1 / 512, 1 / 512])
    for _ in range(1000):
        value = net.op("Resize", net.op("Resize", value, "", up, mode="cubic"), "", down, mode="linear", antialias=1)
    return net.sink(value)


@ATTACKS.add("work|nodes|size")
def power_tower() -> bytes:
    net = Net()
    value = net.op("Expand", net.op("ReduceMean", net.x, keepdims=0), net.const([16, 1024, 1024]))
    for _ in range(20_000):
        value = net.op("Pow", value, net.const(1.0001))
    return net.sink(value)


@ATTACKS.add("work|size")
def scatter_rounds() -> bytes:
    net = Net()
    rows = net.op("ConstantOfShape", net.const([1 << 24, 1]), value=np.zeros(1, np.int64))
    value, news = net.zeros(1 << 20), net.zeros(1 << 24)
    for _ in range(2000):
        value = net.op("ScatterND", value, rows, news)
    return net.sink(value)


@ATTACKS.add("work|depth|loop")
def if_inside_loop_inside_if() -> bytes:
    net = Net()
    cond = net.op("Cast", net.op("ReduceMax", net.x, keepdims=0), to=TensorProto.BOOL)

    def dive(body: Net, depth: int, state: str) -> str:
        if depth == 0:
            return body.op("Sigmoid", state)
        looped = lambda way: way.loop(  # noqa: E731
            way.const(1024), lambda deep, _i, inner: [dive(deep, depth - 1, inner)], state
        )
        return body.branch(cond, looped, lambda way: way.op("Identity", state))

    value = dive(net, 3, net.x)
    net.kinds[value] = FLOAT
    return net.sink(value)
