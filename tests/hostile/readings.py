"""Models that say one thing to a plain reader and another to the runtime: sizes by the one, memory by the other.

Squeezes, casts, roundings, ranks and stated shapes were seen to do so with ONNX Runtime 1.32 on a CPU; of the others
nobody promises that they do not.
"""

from __future__ import annotations

import functools
from collections.abc import Callable

import numpy as np
from onnx import AttributeProto, TensorProto, helper

from hostile.build import BIG, BOOL, FLOAT, INT64, Net, Shelf

ATTACKS = Shelf("readings")
N = 1 << 35
LONG = 1 << 26

FLAGS: dict[str, tuple[int, Callable[[Net, int], str]]] = {
    "keepdims_of_reduce_max": (17, lambda n, v: n.op("ReduceMax", n.x, axes=[1], keepdims=v)),
    "keepdims_of_arg_max": (17, lambda n, v: n.op("ArgMax", n.x, keepdims=v, kind=INT64)),
    "noop_with_empty_axes": (17, lambda n, v: n.op("ReduceSum", n.x, noop_with_empty_axes=v)),
    "allowzero": (17, lambda n, v: n.op("Reshape", n.zeros(4, 0), n.const([0, 0]), allowzero=v)),
    "ceil_mode_of_max_pool": (17, lambda n, v: n.op("MaxPool", n.x, kernel_shape=[3, 3], strides=[2, 2], ceil_mode=v)),
    "ceil_mode_of_average_pool": (19, lambda n, v: n.op("AveragePool", n.x, kernel_shape=[2, 2], ceil_mode=v)),
    "fmod": (17, lambda n, v: n.op("Mod", n.const([7]), n.const([5]), fmod=v)),
    "transA": (17, lambda n, v: n.op("Gemm", n.zeros(3, 3), n.zeros(3, 3), transA=v)),
    "transB": (17, lambda n, v: n.op("Gemm", n.zeros(3, 3), n.zeros(3, 3), transB=v)),
    "antialias": (18, lambda n, v: n.op("Resize", n.x, "", n.const([1.0, 1.0, 0.5, 0.5]), mode="linear", antialias=v)),
}


def _flagged(name: str, value: int) -> bytes:
    opset, make = FLAGS[name]
    net = Net(opset)
    return net.sink(make(net, value))


for _name in FLAGS:
    for _value in (2, -1):
        _word = "two" if _value == 2 else "minus_one"
        ATTACKS.put(f"{_name}_is_{_word}", "is 0 or 1", functools.partial(_flagged, _name, _value))


def _squeezed(opset: int) -> bytes:
    """No axes are all axes of length 1: a column turns into a line, and line by column make a plane."""
    net = Net(opset)
    column = net.zeros(BIG, 1)
    if opset < 13:
        line = net.op("Squeeze", column)
        net.nodes[-1].attribute.append(AttributeProto(name="axes", type=AttributeProto.INTS))
    else:
        line = net.op("Squeeze", column, net.const([], np.int64))
    return net.sink(net.op("Add", line, column))


for _opset in (11, 13):
    ATTACKS.put(f"squeeze_of_an_empty_list_of_opset_{_opset}", "size|list", functools.partial(_squeezed, _opset))


def _pooled(op_type: str, pad: str) -> bytes:
    net = Net(19)
    return net.sink(net.op(op_type, net.x, kernel_shape=[2, 3], auto_pad=pad, dilations=[3, 2]))


for _op, _pad in (("MaxPool", "SAME_LOWER"), ("AveragePool", "SAME_UPPER")):
    ATTACKS.put(
        f"{_op.lower()}_padded_by_itself_and_dilated", "padded by itself", functools.partial(_pooled, _op, _pad)
    )


@ATTACKS.add("size other than 0")
def expand_to_nothing_that_stays_something() -> bytes:
    """The runtime leaves the one element there, and repeats it."""
    net = Net()
    nothing = net.op("Expand", net.op("ReduceMean", net.x, keepdims=0), net.const([0]))
    return net.sink(net.op("Tile", nothing, net.const([1 << 30])))


def _sized(make: Callable[[Net], str]) -> bytes:
    """A plane of a size that a careless reader takes for 1."""
    net = Net()
    return net.sink(net.op("Expand", net.const(1.0), net.op("Max", make(net), net.const([1]))))


def _cast(number: float, to: int, size: Callable[[Net, str], str]) -> Callable[[Net], str]:
    def make(net: Net) -> str:
        whole = net.op("Cast", net.const([number]), to=to)
        return size(net, net.op("Cast", whole, to=INT64))

    return make


CASTS = {
    "int32": _cast(2.0**32 + 512, TensorProto.INT32, lambda n, v: n.op("Neg", v)),
    "int16": _cast(65537.0, TensorProto.INT16, lambda n, v: n.op("Mul", v, n.const([1 << 20]))),
    "int8": _cast(257.0, TensorProto.INT8, lambda n, v: n.op("Mul", v, n.const([1 << 20]))),
    "uint32": _cast(2.0**32, TensorProto.UINT32, lambda n, v: v),
    "uint8_from_below": _cast(-255.0, TensorProto.UINT8, lambda n, v: n.op("Mul", v, n.const([1 << 20]))),
}
for _name, _make in CASTS.items():
    ATTACKS.put(f"cast_of_a_real_beyond_{_name}", "unknown", functools.partial(_sized, _make))


@ATTACKS.add("unknown")
def whole_number_rounded_once_by_the_runtime() -> bytes:
    """By way of float64, the number just above the middle falls on the middle, and then to the even side."""
    above = 2**60 + 2**36 + 1

    def make(net: Net) -> str:
        real = net.op("Cast", net.const([above]), to=FLOAT)
        return str(
            net.op("Cast", net.op("Mul", net.op("Sub", real, net.const([2.0**60])), net.const([0.25])), to=INT64)
        )

    return _sized(make)


def _rank(net: Net, value: str) -> str:
    """(2 - rank) times a lot: nothing by the largest rank that a value may have."""
    rank = net.op("Size", net.op("Shape", value), kind=INT64)
    return str(net.op("Mul", net.op("Sub", net.const([2]), rank), net.const([N])))


def _branched(net: Net) -> str:
    cond = net.op("Cast", net.op("ReduceMax", net.x, keepdims=0), to=BOOL)
    ways = (lambda b: b.op("Identity", b.const([1])), lambda b: b.op("Identity", b.const([[1]])))
    return _rank(net, net.branch(cond, *ways))


def _reduced(net: Net) -> str:
    places = net.op("NonZero", net.const(np.ones((3, 3))), kind=INT64)
    return _rank(net, net.op("ReduceMax", places, axes=[1], keepdims=0))


for _name, _make in (("branches", _branched), ("a_reduction", _reduced)):
    ATTACKS.put(f"rank_that_is_known_loosely_behind_{_name}", "unknown", functools.partial(_sized, _make))


def _claimed(net: Net, value: str, *lengths: int | str | None) -> None:
    net.value_info.append(helper.make_tensor_value_info(value, FLOAT, lengths))


def _planes(net: Net, value: str) -> str:
    """Many planes, each as long as a value is said to be, made while the model is opened."""
    size = net.op("Mul", net.op("Shape", value), net.const([1]))
    planes = [net.op("ConstantOfShape", size) for _ in range(24)]
    return str(net.op("ReduceMax", net.op("Concat", *planes, axis=0), keepdims=0))


def _lied(shape: list[int | str], *claim: int | str | None) -> bytes:
    net = Net(shape=shape)
    value = net.op("Mul", net.x, net.const([2.0]))
    _claimed(net, value, *claim)
    return net.done(net.op("Add", net.x, _planes(net, value)), shape=None)


for _name, _shape, _claim in (
    ("a_constant_length", [4], (LONG,)),
    ("a_free_length", ["N"], (LONG,)),
    ("one_length_of_two", [4, "N"], (4, LONG)),
    ("the_number_of_axes", ["N"], (1, LONG)),
):
    ATTACKS.put(f"stated_shape_is_wrong_in_{_name}", "must be true", functools.partial(_lied, _shape, *_claim))


@ATTACKS.add("must be true")
def answer_of_another_shape_than_stated() -> bytes:
    net = Net(shape=["N"])
    value = net.op("Relu", net.x)
    return net.done(value, net.op("Add", value, _planes(net, value)), shape=[LONG])


@ATTACKS.add("must be true")
def stated_shape_is_wrong_inside_a_branch() -> bytes:
    net = Net(shape=["N"])
    cond = net.op("Cast", net.op("ReduceMax", net.x, keepdims=0), to=BOOL)

    def lied(branch: Net) -> str:
        value = branch.op("Mul", net.x, branch.const([2.0]))
        _claimed(branch, value, LONG)
        return _planes(branch, value)

    return net.done(net.branch(cond, lied, lambda b: b.op("ReduceMax", net.x, keepdims=0)), shape=None)


def _foreign(where: str) -> bytes:
    """A graph inside says of a value outside that it is long."""
    net = Net(shape=["N"])
    value = net.op("Mul", net.x, net.const([2.0]))

    def lied(inner: Net) -> str:
        _claimed(inner, value, LONG)
        return _planes(inner, value)

    if where == "body":
        made = net.loop(net.const(2), lambda body, _i, state: [body.op("Add", state, lied(body))], net.x)
    else:
        cond = net.op("Cast", net.op("ReduceMax", net.x, keepdims=0), to=BOOL)
        made = net.branch(cond, lied, lambda b: b.op("ReduceMax", net.x, keepdims=0))
    return net.done(made, shape=None)


for _where in ("branch", "body"):
    ATTACKS.put(f"stated_shape_of_a_value_around_a_{_where}", "its own values", functools.partial(_foreign, _where))


@ATTACKS.add("must be true")
def stated_shape_of_a_state_is_wrong() -> bytes:
    net = Net(shape=["N"])
    body = net.child()
    body.takes("i", INT64, [])
    go, state = body.takes("go", BOOL, []), body.takes("state", FLOAT, [LONG])
    inner = body.graph(body.op("Identity", go), body.op("Add", state, _planes(body, state)))
    return net.done(net.op("Loop", net.const(2), "", net.x, body=inner, kind=FLOAT), shape=None)


@ATTACKS.add("stated once")
def shape_of_a_value_stated_in_two_ways() -> bytes:
    net = Net(shape=["N"])
    value = net.op("Mul", net.x, net.const([2.0]))
    _claimed(net, value, LONG)
    plane = _planes(net, value)
    net.value_info.append(helper.make_tensor_value_info(value, FLOAT, ["N"]))
    return net.done(plane, shape=None)
