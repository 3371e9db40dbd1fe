"""Models of allowed operators that end the whole process inside the runtime: no exception, a signal.

Each group was seen to do so with ONNX Runtime 1.32 on a CPU, when the session opens or at the first run.
"""

from __future__ import annotations

import functools
from collections.abc import Callable

import numpy as np
from onnx import TensorProto, helper

from hostile.build import BOOL, FLOAT, INT64, Net, Shelf

ATTACKS = Shelf("crash")
LEAST = {TensorProto.INT64: -(2**63), TensorProto.INT32: -(2**31)}
KINDS = {TensorProto.INT64: np.int64, TensorProto.INT32: np.int32}


def _divided(kind: int, make: Callable[[Net, int], tuple[str, str]]) -> bytes:
    net = Net()
    return net.sink(net.op("Div", *make(net, kind), kind=kind))


def _nothing(net: Net, kind: int) -> str:
    """Zeros that only the input decides."""
    return str(net.op("Mul", net.op("Cast", net.x, to=kind), net.const(0, KINDS[kind])))


def _from_pixels(net: Net, kind: int) -> tuple[str, str]:
    least = net.op("Add", _nothing(net, kind), net.const(LEAST[kind], KINDS[kind]))
    return least, net.op("Sub", _nothing(net, kind), net.const(1, KINDS[kind]))


def _overflowed(net: Net, kind: int) -> tuple[str, str]:
    """A cast of a real that does not fit gives the smallest integer."""
    return net.op("Cast", net.op("Mul", net.x, net.const(-1e30)), to=kind), net.const(-1, KINDS[kind])


WAYS: dict[str, Callable[[Net, int], tuple[str, str]]] = {
    "constants": lambda n, k: (n.const(LEAST[k], KINDS[k]), n.const(-1, KINDS[k])),
    "one_element_of_many": lambda n, k: (n.const([8, LEAST[k], 8], KINDS[k]), n.const([2, -1, 2], KINDS[k])),
    "pixels": _from_pixels,
    "cast_that_overflows": _overflowed,
    "pixels_over_minus_one": lambda n, k: (n.op("Cast", n.x, to=k), n.const(-1, KINDS[k])),
    "minus_one_made_by_sum": lambda n, k: (
        n.const(LEAST[k], KINDS[k]),
        n.op("Add", n.const(-3, KINDS[k]), n.const(2, KINDS[k])),
    ),
}
for _name, _make in WAYS.items():
    for _kind, _type in KINDS.items():
        ATTACKS.put(
            f"smallest_{_type.__name__}_by_minus_one_from_{_name}",
            "div|unknown",
            functools.partial(_divided, _kind, _make),
        )


@ATTACKS.add("div|unknown")
def smallest_integer_by_minus_one_in_a_loop() -> bytes:
    net = Net()

    def step(body: Net, counter: str, state: str) -> list[str]:
        return [body.op("Div", state, body.op("Sub", counter, body.const(1)))]

    return net.sink(net.loop(net.const(2), step, net.const(-(2**63))))


def _normalised(*dims: int) -> bytes:
    net = Net()
    channels = dims[1]
    empty = net.op("Expand", net.op("ReduceMean", net.x, keepdims=0), net.const(list(dims)))
    return net.sink(net.op("InstanceNormalization", empty, net.zeros(channels), net.zeros(channels)))


ATTACKS.put(
    "instance_normalisation_of_an_empty_picture", "empty|size|zero|fit", functools.partial(_normalised, 1, 3, 0, 0)
)
ATTACKS.put("instance_normalisation_of_an_empty_row", "empty|size|zero|fit", functools.partial(_normalised, 1, 3, 8, 0))


@ATTACKS.add("empty|size|zero|fit")
def instance_normalisation_of_a_slice_of_nothing() -> bytes:
    net = Net()
    nothing = net.op("Slice", net.x, net.const([8]), net.const([8]), net.const([2]))
    return net.sink(net.op("InstanceNormalization", nothing, net.const([1.0] * 3), net.const([0.0] * 3)))


def _empty_trip(make: Callable[[Net], str]) -> bytes:
    net = Net()
    return net.sink(net.loop(make(net), lambda body, _i, state: [body.op("Identity", state)], net.x))


for _name, _trip in (
    ("initialiser", lambda net: net.const([], np.int64)),
    ("constant", lambda net: net.op("Constant", value=np.zeros(0, np.int64))),
    ("reshape", lambda net: net.op("Reshape", net.const([], np.int64), net.const([0]))),
    ("slice", lambda net: net.op("Slice", net.const([3]), net.const([1]), net.const([1]))),
):
    ATTACKS.put(f"trip_count_of_no_element_by_{_name}", "trip", functools.partial(_empty_trip, _trip))


@ATTACKS.add("num_outputs")
def split_into_more_parts_than_it_says() -> bytes:
    net = Net(18)
    return net.sink(*net.op("Split", net.x, outs=2, axis=2, num_outputs=1))


@ATTACKS.add("matrices that are not empty")
def integer_matmul_of_an_empty_inner_axis() -> bytes:
    """The runtime divides by the number of its elements."""
    net = Net()
    pixel = net.op("Cast", net.op("ReduceMean", net.x, keepdims=0), to=TensorProto.UINT8)
    row = net.op("Slice", net.op("Expand", pixel, net.const([2, 4])), net.const([2]), net.const([2]))
    zeros = net.const([0], np.uint8), net.const([[0] * 4], np.uint8)
    column = net.const(np.zeros((2, 0)), np.uint8)
    return net.sink(net.op("MatMulInteger", column, row, *zeros, kind=TensorProto.INT32))


def _no_truth(net: Net) -> str:
    truths = net.op("Cast", net.op("Reshape", net.x, net.const([-1])), to=BOOL)
    return str(net.op("Slice", truths, net.const([0]), net.const([0])))


@ATTACKS.add("condition of If is one truth value")
def if_of_a_condition_of_no_element() -> bytes:
    net = Net()
    return net.done(net.branch(_no_truth(net), lambda b: b.op("Relu", net.x), lambda b: b.op("Neg", net.x)))


@ATTACKS.add("condition of Loop is one truth value")
def loop_of_a_condition_of_no_element() -> bytes:
    net = Net()
    return net.sink(net.loop(net.const(3), lambda b, _i, state: [b.op("Neg", state)], net.x, cond=_no_truth(net)))


def _body_says(make: Callable[[Net, Net], str]) -> bytes:
    net = Net()
    body = net.child()
    body.takes("i", INT64, [])
    body.takes("go", BOOL, [])
    state = body.takes("state", FLOAT)
    inner = body.graph(make(net, body), body.op("Neg", state))
    return net.sink(net.op("Loop", net.const(3), "", net.x, body=inner, kind=FLOAT))


for _name, _says in (
    ("nothing", lambda net, body: body.op("Identity", net.const([], bool))),
    ("nothing_of_the_pixels", lambda net, body: body.op("Identity", _no_truth(net))),
    ("two_things", lambda net, body: body.op("Identity", net.const([True, False]))),
    ("a_number", lambda net, body: body.op("Identity", net.const(1.0))),
    ("an_unknown_number_of_things", lambda net, body: body.op("Cast", body.op("NonZero", net.x), to=BOOL)),
):
    ATTACKS.put(f"loop_whose_body_says_{_name}", "with one truth value", functools.partial(_body_says, _says))


def _deadly(net: Net) -> str:
    """A number that the runtime computes while it opens the model."""
    return str(net.op("Cast", net.op("Div", net.const(LEAST[INT64]), net.const(-1)), to=FLOAT))


def _wanted(net: Net) -> str:
    """A result whose size the caller gives: a check goes on with a stand-in, and must not overlook anything then."""
    return str(net.op("Expand", net.const(1.0), net.takes("wanted", INT64, [4])))


@ATTACKS.add("div")
def division_beside_a_size_of_the_caller() -> bytes:
    net = Net()
    return net.done(net.op("Add", _wanted(net), _deadly(net)), shape=None)


@ATTACKS.add("empty")
def empty_picture_beside_a_size_of_the_caller() -> bytes:
    net = Net()
    empty = net.op("InstanceNormalization", net.zeros(1, 3, 0, 0), net.zeros(3), net.zeros(3))
    return net.done(net.op("Add", _wanted(net), net.op("ReduceSum", empty, keepdims=0)), shape=None)


@ATTACKS.add("div")
def division_in_a_branch_that_is_never_taken() -> bytes:
    net = Net()
    return net.done(
        net.branch(net.const(True), lambda b: b.op("Relu", net.x), lambda b: b.op("Add", net.x, _deadly(b)))
    )


@ATTACKS.add("div")
def division_behind_a_loop_that_is_only_clear_round_by_round() -> bytes:
    """The check looks at the loop twice; what it tolerated in a branch the first time, it must not go on tolerating."""
    net = Net()

    def sized(body: Net, counter: str, state: str) -> str:
        count = body.op("Reshape", body.op("Add", counter, body.const(1)), body.const([1]))
        return str(body.op("Add", state, body.op("ConstantOfShape", count)))

    def step(body: Net, counter: str, state: str) -> list[str]:
        return [body.branch(net.const(True), lambda b: b.op("Relu", state), lambda b: sized(b, counter, state))]

    return net.done(net.op("Add", net.loop(net.const(3), step, net.x), _deadly(net)))


@ATTACKS.add("function")
def function_named_add() -> bytes:
    """A model-local function with the name of a standard operator."""
    net = Net()
    model = net.model(net.op("Add", net.x, net.x))
    body = [helper.make_node("Mul", ["a", "b"], ["c"])]
    model.functions.append(helper.make_function("", "Add", ["a", "b"], ["c"], body, [helper.make_opsetid("", 17)]))
    return model.SerializeToString()


@ATTACKS.add("function")
def function_named_add_that_adds() -> bytes:
    net = Net()
    model = net.model(net.op("Add", net.x, net.x))
    body = [helper.make_node("Add", ["a", "b"], ["c"])]
    model.functions.append(helper.make_function("", "Add", ["a", "b"], ["c"], body, [helper.make_opsetid("", 17)]))
    return model.SerializeToString()
