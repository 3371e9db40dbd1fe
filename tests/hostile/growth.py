"""Growth by steps: chains, loops, branches, tensors that are all alive at once, and shapes that the file lies about."""

from __future__ import annotations

import functools

import numpy as np
from onnx import TensorProto, helper

from hostile.build import BIG, FLOAT, INT64, Net, Shelf

ATTACKS = Shelf("growth")
ROW = (1, 1, 64, 64)


def _doubling(axis: int, times: int, copies: int = 2) -> bytes:
    net = Net()
    value = net.x
    for _ in range(times):
        value = net.op("Concat", *[value] * copies, axis=axis)
    return net.sink(value)


for _axis in (0, 1, 3, -1):
    ATTACKS.put(f"concat_doubles_forty_times_axis_{_axis}", "size", functools.partial(_doubling, _axis, 40))
ATTACKS.put("concat_of_a_thousand_three_times", "size", functools.partial(_doubling, 2, 3, 1000))


@ATTACKS.add("size")
def concat_doubles_while_squared() -> bytes:
    net = Net()
    value = net.op("Reshape", net.x, net.const([192, 1]))
    for _ in range(5):
        value = net.op("Reshape", net.op("Add", value, net.op("Transpose", value)), net.const([-1, 1]))
    return net.sink(value)


@ATTACKS.add("size")
def pad_chain() -> bytes:
    net = Net()
    value = net.x
    for step in range(18):
        value = net.op("Pad", value, net.const([0, 0, 0, 0, 0, 0, 1 << step, 1 << step]))
    return net.sink(value)


@ATTACKS.add("size")
def conv_transpose_chain() -> bytes:
    net = Net()
    value, weights = net.x, net.const(np.ones((3, 3, 2, 2)))
    for _ in range(15):
        value = net.op("ConvTranspose", value, weights, strides=[2, 2])
    return net.sink(value)


def _grow_state(trip: int, axis: int, doubled: bool) -> bytes:
    net = Net()

    def step(body: Net, _counter: str, state: str) -> list[str]:
        return [body.op("Concat", state, state if doubled else net.x, axis=axis)]

    start = net.op("Concat", net.x, net.x, axis=axis)
    return net.sink(net.loop(net.const(trip), step, start))


ATTACKS.put("loop_state_doubles", "size", functools.partial(_grow_state, 40, 0, True))
ATTACKS.put("loop_state_doubles_last_axis", "size", functools.partial(_grow_state, 30, -1, True))
ATTACKS.put("loop_state_doubles_thousand_times", "size", functools.partial(_grow_state, 1024, 1, True))


@ATTACKS.add("size")
def loop_state_grows_by_planes() -> bytes:
    net = Net()
    plane = net.zeros(1, 1, 4096, 4096)
    return net.sink(net.loop(net.const(1024), lambda body, _i, state: [body.op("Concat", state, plane, axis=1)], plane))


@ATTACKS.add("size")
def loop_state_squares() -> bytes:
    net = Net()

    def step(body: Net, _counter: str, state: str) -> list[str]:
        table = body.op("Add", state, body.op("Transpose", state))
        return [body.op("Reshape", table, body.const([-1, 1]))]

    return net.sink(net.loop(net.const(5), step, net.op("Reshape", net.x, net.const([192, 1]))))


@ATTACKS.add("size")
def loop_swaps_two_states_that_grow() -> bytes:
    net = Net()

    def step(body: Net, _counter: str, one: str, two: str) -> list[str]:
        return [body.op("Concat", two, one, axis=0), body.op("Identity", one)]

    return net.sink(*net.loop(net.const(60), step, net.x, net.x))


@ATTACKS.add("size|unknown")
def loop_state_is_a_size() -> bytes:
    net = Net()
    last = net.loop(net.const(40), lambda body, _i, s: [body.op("Mul", s, body.const([2]))], net.const([1]))
    return net.sink(net.op("ConstantOfShape", last))


@ATTACKS.add("size|unknown")
def loop_state_is_a_size_used_inside() -> bytes:
    net = Net()

    def step(body: Net, _counter: str, size: str) -> list[str]:
        plane = body.op("ReduceMean", body.op("ConstantOfShape", size), keepdims=0)
        return [body.op("Mul", size, body.const([2])), plane]

    return net.sink(*net.loop(net.const(40), step, net.const([1])))


@ATTACKS.add("size|unknown")
def loop_counter_is_a_size() -> bytes:
    net = Net()

    def step(body: Net, counter: str, total: str) -> list[str]:
        size = body.op("Reshape", body.op("Mul", counter, body.const(BIG * BIG)), body.const([1]))
        plane = body.op("ReduceMean", body.op("ConstantOfShape", size), keepdims=0)
        return [body.op("Add", total, plane)]

    return net.sink(net.loop(net.const(4), step, net.const(0.0)))


@ATTACKS.add("size|unknown|Expand")
def loop_counter_to_the_fourth_power() -> bytes:
    net = Net()

    def step(body: Net, counter: str, total: str) -> list[str]:
        side = body.op("Reshape", counter, body.const([1]))
        shape = body.op("Concat", side, side, side, side, axis=0)
        plane = body.op("ReduceMean", body.op("Expand", body.const(1.0), shape), keepdims=0)
        return [body.op("Add", total, plane)]

    return net.sink(net.loop(net.const(1024), step, net.const(0.0)))


def _scan(trip: int, dims: tuple[int, ...], outs: int = 1) -> bytes:
    net = Net()
    plane = net.zeros(*dims)

    def step(body: Net, _counter: str) -> list[str]:
        return [body.op("Identity", plane) for _ in range(outs)]

    names = net.loop(net.const(trip), step)
    return net.sink(*([names] if outs == 1 else names))


ATTACKS.put("scan_output_piles_up", "size", functools.partial(_scan, 1024, (4096, 4096)))
ATTACKS.put("scan_outputs_by_the_dozen", "size", functools.partial(_scan, 1024, (1024, 1024), 24))
ATTACKS.put("scan_output_of_few_big_planes", "size", functools.partial(_scan, 64, (16384, 16384)))


@ATTACKS.add("size")
def nested_scan_outputs_multiply() -> bytes:
    net = Net()
    row = net.zeros(512)

    def outer(body: Net, _counter: str) -> list[str]:
        inner = body.loop(body.const(256), lambda deep, _i: [deep.op("Identity", row)])
        return [body.loop(body.const(256), lambda deep, _i, kept=inner: [deep.op("Identity", kept)])]

    return net.sink(net.loop(net.const(1024), outer))


def _branch(small_first: bool, known: bool | None) -> bytes:
    net = Net()
    cond = net.op("Cast", net.op("ReduceMax", net.x, keepdims=0), to=TensorProto.BOOL) if known is None else ""
    cond = cond or net.const(known)
    ways = [lambda body: body.zeros(1, 1), lambda body: body.zeros(BIG, BIG)]
    return net.sink(net.branch(cond, *(ways if small_first else ways[::-1])))


ATTACKS.put("if_else_is_huge", "size", functools.partial(_branch, True, None))
ATTACKS.put("if_then_is_huge", "size", functools.partial(_branch, False, None))
ATTACKS.put("if_constant_takes_the_huge_way", "size", functools.partial(_branch, False, True))


@ATTACKS.add("size")
def if_picks_the_size_of_what_follows() -> bytes:
    net = Net()
    cond = net.op("Cast", net.op("ReduceMax", net.x, keepdims=0), to=TensorProto.BOOL)
    size = net.branch(cond, lambda body: body.op("Identity", body.const([1])), lambda body: body.const([1 << 34]))
    net.kinds[size] = INT64
    return net.sink(net.op("ConstantOfShape", size))


@ATTACKS.add("size")
def if_grows_inside_a_loop() -> bytes:
    net = Net()

    def step(body: Net, counter: str, state: str) -> list[str]:
        odd = body.op("Cast", counter, to=TensorProto.BOOL)
        bigger = body.branch(
            odd, lambda way: way.op("Concat", state, state, axis=0), lambda way: way.op("Identity", state)
        )
        return [bigger]

    return net.sink(net.loop(net.const(50), step, net.x))


@ATTACKS.add("size")
def hidden_in_the_deepest_branch() -> bytes:
    net = Net()

    def dive(body: Net, depth: int) -> str:
        if depth == 0:
            return body.op("ReduceMean", body.zeros(BIG, BIG), keepdims=0)
        return body.branch(
            body.const(True), lambda way: dive(way, depth - 1), lambda way: way.op("Identity", way.const(0.0))
        )

    return net.sink(dive(net, 6))


@ATTACKS.add("size")
def bomb_nobody_reads() -> bytes:
    net = Net()
    net.zeros(BIG, BIG)
    return net.done(net.op("Relu", net.x))


def _alive(count: int, joiner: str) -> bytes:
    net = Net()
    planes = [net.op("Add", net.op("ReduceMean", net.x, keepdims=0), net.zeros(1, 1, 4096, 4096)) for _ in range(count)]
    more = {"axis": 0} if joiner == "Concat" else {}
    return net.sink(net.op(joiner, *planes, **more))


for _op in ("Sum", "Max", "Concat"):
    ATTACKS.put(f"thousand_planes_alive_for_one_{_op.lower()}", "size", functools.partial(_alive, 1000, _op))


@ATTACKS.add("size")
def thousand_planes_are_answers() -> bytes:
    net = Net()
    planes = [
        net.op("Expand", net.op("ReduceMean", net.x, keepdims=0), net.const([64, 1024, 1024])) for _ in range(400)
    ]
    return net.done(*planes, shape=[64, 1024, 1024])


@ATTACKS.add("size")
def planes_alive_until_the_last_node() -> bytes:
    net = Net()
    planes = [net.op("Expand", net.op("ReduceMean", net.x, keepdims=0), net.const([8, 4096, 4096])) for _ in range(100)]
    chain = planes[0]
    for plane in reversed(planes):
        chain = net.op("Mul", chain, plane)
    return net.sink(chain)


def _lie(where: str) -> bytes:
    net = Net()
    plane = net.zeros(BIG, BIG)
    said = helper.make_tensor_value_info(plane, FLOAT, [1, 1])
    if where == "output":
        return net.done(plane, shape=[1, 1])
    net.value_info.append(said)
    return net.sink(plane)


for _where in ("value_info", "output"):
    ATTACKS.put(f"declared_tiny_in_{_where}", "size", functools.partial(_lie, _where))


@ATTACKS.add("size|states")
def loop_body_declares_a_fixed_state_that_doubles() -> bytes:
    net = Net()
    body = net.child()
    body.takes("i", INT64, [])
    go, state = body.takes("go", TensorProto.BOOL, []), body.takes("state", FLOAT, [1])
    inner = body.graph(body.op("Identity", go), body.op("Concat", state, state, axis=0), shape=[1])
    return net.sink(net.op("Loop", net.const(40), "", net.const([1.0]), body=inner))


@ATTACKS.add("stated once")
def input_declared_twice_with_two_shapes() -> bytes:
    net = Net()
    net.value_info.append(helper.make_tensor_value_info("x", FLOAT, [1]))
    wide = net.op("Expand", net.x, net.const([BIG, BIG, 1, 3, 8, 8]))
    return net.sink(wide)


@ATTACKS.add("size")
def row_times_row_of_a_grown_plane() -> bytes:
    net = Net()
    grown = net.op("Resize", net.const(np.ones(ROW)), "", net.const([1.0, 1.0, 256.0, 256.0]))
    return net.sink(
        net.op("MatMul", net.op("Reshape", grown, net.const([-1, 1])), net.op("Reshape", grown, net.const([1, -1])))
    )
