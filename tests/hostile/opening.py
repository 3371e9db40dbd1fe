"""What opening a model costs: sizes stated and not true, constants that take long, remarks by the million."""

from __future__ import annotations

import functools

from onnx import helper

from hostile.build import BOOL, FLOAT, INT64, Net, Shelf, f, port, raw_graph, raw_model, raw_node

ATTACKS = Shelf("opening")
LONG = 1 << 26
REMARKS = 500_000
PAIR = f(1, "a") + f(2, "b")
WEIGHT = f(1, 1) + f(2, 1) + f(8, "w") + f(9, bytes(4))


def _planes_of_the_stated_size(net: Net, value: str) -> bytes:
    """Constants as large as the file says that a value is: the runtime makes them before it has seen one."""
    net.value_info.append(helper.make_tensor_value_info(value, FLOAT, [LONG]))
    size = net.op("Shape", value)
    planes = [net.op("ConstantOfShape", net.op("Mul", size, net.const([1]))) for _ in range(24)]
    return net.done(*planes, shape=None)


@ATTACKS.add("size")
def stated_size_of_a_value_that_follows_from_an_input() -> bytes:
    net = Net(shape=(1,))
    length = net.takes("length", INT64, [1])
    return _planes_of_the_stated_size(net, net.op("Expand", net.x, length))


@ATTACKS.add("size")
def stated_size_where_assumed_sizes_do_not_fit() -> bytes:
    net = Net(shape=("rows", "columns"))
    misfit = net.op("Add", net.x, net.const([0.0] * 63))
    return _planes_of_the_stated_size(net, net.op("Reshape", misfit, net.const([-1])))


@ATTACKS.add("work")
def constants_that_take_long_to_compute() -> bytes:
    net = Net()
    plane = net.zeros(2048, 2048)
    for _ in range(8):
        plane = net.op("MatMul", plane, plane)
    return net.sink(plane)


def _decided_while_opening(opset: int, other: str) -> bytes:
    """A branch that follows from constants, though by more arithmetic than anybody but the runtime does."""
    net = Net(opset)
    cond = net.op("Greater", net.op("Exp", net.const(1.0)), net.const(0.0), kind=BOOL)
    value = net.branch(cond, lambda way: way.op("Neg", way.const(1.0)), lambda way: way.op(other, net.x, keepdims=0))
    for _ in range(16):
        value = net.op("ReduceMax", net.op("Expand", value, net.const([1 << 26])), keepdims=0)
    return net.sink(value)


for _opset in (10, 17):
    ATTACKS.put(
        f"planes_of_a_branch_decided_while_opening_{_opset}", "size",
        functools.partial(_decided_while_opening, _opset, "ReduceMax"),
    )  # fmt: skip


@ATTACKS.add("work")
def one_weight_packed_for_many_nodes() -> bytes:
    net = Net(shape=(1, 2048))
    weight, value = net.zeros(2048, 2048), net.x
    for _ in range(80):
        value = net.op("MatMul", value, weight)
    return net.done(value)


@ATTACKS.add("perm|axes")
def constants_turned_astray_in_a_branch_never_taken() -> bytes:
    net = Net()
    wrong = lambda way: way.op("Transpose", way.const([[1.0, 2.0]]), perm=[0, 7])  # noqa: E731
    return net.done(net.branch(net.const(False), wrong, lambda way: way.op("Identity", net.x)), shape=None)


_HOMES = {
    "quantisation": lambda remarks: raw_graph(raw_node(), more=f(14, f(1, "x") + remarks(2))),
    "graph": lambda remarks: raw_graph(raw_node(), more=remarks(16)),
    "node": lambda remarks: raw_graph(raw_node(more=remarks(9))),
    "value": lambda remarks: raw_graph(raw_node(), more=f(13, port("y") + remarks(4))),
    "tensor": lambda remarks: raw_graph(raw_node(), more=f(5, WEIGHT + remarks(16))),
}  # fmt: skip


def _remarks(home: str) -> bytes:
    return raw_model(_HOMES[home](lambda number: f(number, PAIR) * (REMARKS // 3)))


for _home in _HOMES:
    ATTACKS.put(f"flood_of_remarks_on_a_{_home}", "count|protobuf", functools.partial(_remarks, _home))
