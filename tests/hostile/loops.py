"""Loops whose number of rounds is missing, computed, replaceable, ambiguous or too large."""

from __future__ import annotations

import functools
from collections.abc import Callable

import numpy as np
import onnx
from onnx import TensorProto, helper

from hostile.build import BOOL, FLOAT, INT64, Net, Shelf

ATTACKS = Shelf("loops")
Trip = Callable[[Net], str]


def _round(body: Net, _counter: str, state: str) -> list[str]:
    return [body.op("Add", state, body.const(1.0))]


def _looped(trip: Trip, opset: int = 17) -> bytes:
    net = Net(opset)
    return net.sink(net.loop(trip(net), _round, net.x))


def put(name: str, trip: Trip, rule: str = "trip", opset: int = 17) -> None:
    ATTACKS.put(f"loop_{name}", rule, functools.partial(_looped, trip, opset))


def _scalar(net: Net, value: str) -> str:
    return net.op("Reshape", value, net.const([], np.int64))


def _truth(net: Net) -> str:
    return net.op("Cast", net.op("ReduceMax", net.x, keepdims=0), to=BOOL)


def _no_integers(net: Net) -> str:
    trip = net.op("Constant", value_ints=[1])
    del net.nodes[-1].attribute[0].ints[:]
    return str(trip)


def _choice(net: Net) -> str:
    trip = net.branch(_truth(net), lambda b: b.op("Identity", b.const(3)), lambda b: b.op("Identity", b.const(2**40)))
    net.kinds[trip] = INT64
    return trip


def _replaceable(net: Net) -> str:
    net.takes("rounds", INT64, [])
    return net.const(3, name="rounds")


def _input(net: Net, *chain: str) -> str:
    value = net.takes("rounds", INT64, [])
    for op_type in chain:
        value = net.op(
            op_type,
            value,
            *([net.const([], np.int64)] if op_type == "Reshape" else []),
            **({"to": INT64} if op_type == "Cast" else {}),
        )
    return value


for _count in (1025, 1 << 16, 1 << 31, 1 << 40, 2**63 - 1):
    put(f"initialiser_of_{_count}", lambda n, c=_count: n.const(c))
    put(f"value_int_of_{_count}", lambda n, c=_count: n.op("Constant", value_int=c))
put("value_tensor_of_1025", lambda n: n.op("Constant", value=np.array(1025)))
put("value_ints_of_1025", lambda n: n.op("Constant", value_ints=[1025]))
put("value_ints_of_two", lambda n: n.op("Constant", value_ints=[3, 2**40]))
put("value_ints_of_none", _no_integers, rule="trip|attribute")
put("initialiser_of_two", lambda n: n.const([3, 2**40]))
put("initialiser_of_none", lambda n: n.const([], np.int64))
put("negative", lambda n: n.const(-1))
put("smallest_integer", lambda n: n.const(-(2**63)))
put("value_float", lambda n: n.op("Constant", value_float=3.0), rule="trip|type")
put("int32", lambda n: n.const(3, np.int32), rule="trip|type")
put("boolean", lambda n: n.const(True), rule="trip|type")
put("cast_of_1e18", lambda n: n.op("Cast", n.const(1e18), to=INT64))
put("cast_of_infinity", lambda n: n.op("Cast", n.const(float("inf")), to=INT64))
put("cast_of_not_a_number", lambda n: n.op("Cast", n.const(float("nan")), to=INT64))
put(
    "cast_of_minus_one_unsigned",
    lambda n: n.op("Cast", n.op("Cast", n.const(-1), to=TensorProto.UINT32), to=INT64),
    rule="trip|type",
)
put("identity_of_too_many", lambda n: n.op("Identity", n.op("Identity", n.const(1025))))
put("squeeze_of_too_many", lambda n: n.op("Squeeze", n.op("Unsqueeze", n.const(1025), n.const([0]))))
put("reshape_of_too_many", lambda n: _scalar(n, n.const([1025])))
put("sum_of_constants", lambda n: n.op("Add", n.const(1000), n.const(2**40)))
put("product_of_constants", lambda n: n.op("Mul", n.const(1 << 20), n.const(1 << 20)))
put(
    "of_the_shape_of_the_input",
    lambda n: n.op("ReduceProd", n.op("Mul", n.op("Shape", n.x), n.const(1 << 10)), keepdims=0),
)
put("of_the_pixels", lambda n: n.op("Cast", n.op("ReduceMax", n.x, keepdims=0), to=INT64))
put(
    "of_the_pixels_clipped",
    lambda n: n.op("Clip", n.op("Cast", n.op("ReduceSum", n.x, keepdims=0), to=INT64), n.const(0), n.const(2**40)),
)
put("of_an_input", _input)
put("of_an_input_through_identity", lambda n: _input(n, "Identity", "Identity"))
put("of_an_input_through_cast_and_reshape", lambda n: _input(n, "Cast", "Reshape"))
put("of_a_replaceable_initialiser", _replaceable)
put("of_a_replaceable_initialiser_through_identity", lambda n: n.op("Identity", _replaceable(n)))
put("of_an_if", _choice)
put("of_a_loop", lambda n: n.loop(n.const(40), lambda b, _i, s: [b.op("Mul", s, b.const(2))], n.const(1)))
put("of_a_gather", lambda n: n.op("Gather", n.const([1, 2**40]), n.const(1)))
put("of_a_maximum", lambda n: n.op("Max", n.const(5), n.const(2**40)))
put("of_an_undefined_name", lambda n: "nowhere", rule="trip|undefined|name")


def _without(trip: str, cond: str) -> bytes:
    net = Net()
    return net.sink(net.loop(trip, _round, net.x, cond=net.const(True) if cond else ""))


ATTACKS.put("loop_without_trip_count", "trip", functools.partial(_without, "", ""))
ATTACKS.put("loop_by_condition_only", "trip", functools.partial(_without, "", "yes"))


@ATTACKS.add("trip|input")
def loop_without_inputs() -> bytes:
    net = Net()
    body = net.child()
    body.takes("i", INT64, [])
    go = body.takes("go", BOOL, [])
    inner = body.graph(body.op("Identity", go), body.op("ReduceMean", net.x, keepdims=0))
    return net.sink(net.op("Loop", body=inner, kind=FLOAT))


def _inner_trip(make: Callable[[Net, str], str]) -> bytes:
    net = Net()

    def outer(body: Net, counter: str, state: str) -> list[str]:
        return [body.loop(make(body, counter), _round, state)]

    return net.sink(net.loop(net.const(9), outer, net.x))


def _of_state() -> bytes:
    net = Net()

    def outer(body: Net, _counter: str, state: str, rounds: str) -> list[str]:
        return [body.loop(rounds, _round, state), body.op("Mul", rounds, body.const(1024))]

    return net.sink(*net.loop(net.const(5), outer, net.x, net.const(1)))


ATTACKS.put(
    "inner_loop_counts_by_the_outer_counter", "trip", functools.partial(_inner_trip, lambda _b, counter: counter)
)
ATTACKS.put(
    "inner_loop_counts_by_a_power", "trip", functools.partial(_inner_trip, lambda b, i: b.op("Pow", b.const(1024), i))
)
ATTACKS.put("inner_loop_without_trip_count", "trip", functools.partial(_inner_trip, lambda _b, _i: ""))
ATTACKS.put("inner_loop_of_too_many", "trip", functools.partial(_inner_trip, lambda b, _i: b.const(1 << 40)))
ATTACKS.put("inner_loop_counts_by_a_state", "trip", _of_state)


@ATTACKS.add("trip|operator|name")
def loop_hidden_in_a_branch() -> bytes:
    net = Net()
    hidden = lambda body: body.loop(body.const(1 << 40), _round, net.x)  # noqa: E731
    return net.sink(net.branch(_truth(net), lambda body: body.op("Identity", net.x), hidden))


def _shadowed(how: str) -> bytes:
    """The name that says 2 outside says 2**40 where the inner Loop stands."""
    net = Net()
    net.const(2, name="rounds")
    body, deep = net.child(), net.child()
    deep.takes("i2", INT64, [])
    go = deep.takes("go2", BOOL, [])
    state = deep.takes("s2")
    inner = deep.graph(deep.op("Identity", go), deep.op("Add", state, deep.const(1.0)))
    body.takes("i1", INT64, [])
    keep, kept = body.takes("go1", BOOL, []), body.takes("s1")
    start = [net.x]
    if how == "initialiser":
        body.const(2**40, name="rounds")
    if how == "node":
        body.nodes.append(helper.make_node("Constant", [], ["rounds"], value_int=2**40))
    if how == "node_after":
        body.op("Identity", body.const(1.0))
    out = body.op("Loop", "rounds", "", kept, body=inner)
    results = [out]
    if how == "state":
        body.takes("rounds", INT64, [])
        start.append(net.const(2**40))
        results.append(body.op("Identity", "rounds"))
    if how == "node_after":
        body.nodes.append(helper.make_node("Constant", [], ["rounds"], value_int=2**40))
    if how == "counter":
        body.inputs[0].name = "rounds"
    graph = body.graph(body.op("Identity", keep), *results)
    outs = net.op("Loop", net.const(1000), "", *start, outs=len(results), body=graph)
    return net.sink(outs if len(results) == 1 else outs[0])


for _how in ("initialiser", "node", "node_after", "state", "counter"):
    ATTACKS.put(f"trip_count_shadowed_by_{_how}", "trip|name|shadow|duplicate", functools.partial(_shadowed, _how))


def _edit(change: Callable[[onnx.GraphProto, onnx.NodeProto], None]) -> bytes:
    net = Net()
    net.const(3, name="rounds")
    model = onnx.load_model_from_string(net.sink(net.loop("rounds", _round, net.x)))
    loop = next(node for node in model.graph.node if node.op_type == "Loop")
    change(model.graph, loop)
    return model.SerializeToString()


def _tensor(value: int, name: str = "rounds") -> TensorProto:
    return helper.make_tensor(name, INT64, [], [value])


def put_edit(name: str, rule: str, change: Callable[[onnx.GraphProto, onnx.NodeProto], None]) -> None:
    ATTACKS.put(name, rule, functools.partial(_edit, change))


put_edit("trip_count_initialised_twice", "trip|duplicate|name", lambda g, _n: g.initializer.append(_tensor(2**40)))
put_edit(
    "trip_count_by_initialiser_and_node",
    "trip|duplicate|name",
    lambda g, _n: g.node.insert(0, helper.make_node("Constant", [], ["rounds"], value_int=2**40)),
)
put_edit(
    "trip_count_external", "external", lambda g, _n: g.initializer[0].MergeFromString(b"\x70\x01j\x0a\n\x08location")
)
put_edit("trip_count_two_payloads", "payload|trip|tensor", lambda g, _n: g.initializer[0].int64_data.append(2**40))
put_edit("trip_count_without_payload", "payload|trip|tensor", lambda g, _n: g.initializer[0].ClearField("raw_data"))
put_edit(
    "trip_count_with_a_long_payload",
    "payload|trip|tensor",
    lambda g, _n: setattr(g.initializer[0], "raw_data", bytes(7) + b"\x7f" * 9),
)
put_edit(
    "trip_count_with_two_in_a_scalar",
    "payload|trip|tensor",
    lambda g, _n: g.initializer[0].CopyFrom(TensorProto(name="rounds", data_type=7, int64_data=[3, 2**40])),
)
put_edit("loop_with_two_bodies", "duplicate|attribute", lambda _g, n: n.attribute.append(n.attribute[0]))
put_edit("loop_body_without_counter", "body|input|loop", lambda _g, n: n.attribute[0].g.input.pop(0))
put_edit("loop_body_with_one_output_less", "body|output|loop", lambda _g, n: n.attribute[0].g.output.pop())
put_edit("loop_body_is_missing", "body|attribute|loop", lambda _g, n: n.attribute.pop())
put_edit(
    "loop_body_is_an_integer",
    "body|attribute|loop|type",
    lambda _g, n: n.attribute[0].CopyFrom(helper.make_attribute("body", 3)),
)
put_edit("loop_with_an_extra_input", "body|input|loop", lambda _g, n: n.input.append("x"))


def _constants(first: dict[str, object], second: dict[str, object]) -> bytes:
    """A Constant that says its value twice: readers differ in which one they believe."""
    net = Net()
    trip = net.op("Constant", **first)
    net.nodes[-1].attribute.extend(helper.make_attribute(key, value) for key, value in second.items())
    return net.sink(net.loop(trip, _round, net.x))


for _name, _first, _second in (
    ("value_int_twice", {"value_int": 3}, {"value_int": 2**40}),
    ("value_int_twice_large_first", {"value_int": 2**40}, {"value_int": 3}),
    ("value_and_value_int", {"value": np.array(3)}, {"value_int": 2**40}),
    ("value_int_and_value", {"value_int": 3}, {"value": _tensor(2**40, "v")}),
):
    ATTACKS.put(f"trip_count_{_name}", "duplicate|attribute|constant", functools.partial(_constants, _first, _second))
