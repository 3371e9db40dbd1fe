"""Models that must be accepted: every positive form of the rules, and the shapes that honest exporters write.

Each opens and runs in ONNX Runtime.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence

import numpy as np
import onnx
from onnx import TensorProto, helper

from hostile.build import BOOL, FLOAT, INT64, Net
from hostile.networks import NETWORKS

MODELS: dict[str, Callable[[], bytes]] = {}
Make = Callable[[Net], str]


def put(name: str, make: Make, opset: int = 17, shape: Sequence[str | int | None] = (1, 3, 8, 8)) -> None:
    """A model whose answer has the shape of x, or is not declared where x is not fixed."""

    def build() -> bytes:
        net = Net(opset, shape)
        return net.done(make(net), shape=None)

    assert name not in MODELS
    MODELS[name] = build


def add(build: Callable[[], bytes]) -> Callable[[], bytes]:
    assert build.__name__ not in MODELS
    MODELS[build.__name__] = build
    return build


def _round(body: Net, _counter: str, state: str) -> list[str]:
    return [body.op("Add", state, body.const(1.0))]


def _scalar(net: Net, value: str) -> str:
    return str(net.op("Reshape", value, net.const([], np.int64)))


TRIPS: dict[str, Make] = {
    "initialiser": lambda n: n.const(12),
    "initialiser_of_one": lambda n: n.const([12]),
    "constant_value": lambda n: n.op("Constant", value=np.array(12)),
    "constant_value_of_one": lambda n: n.op("Constant", value=np.array([12])),
    "value_int": lambda n: n.op("Constant", value_int=12),
    "value_ints_of_one": lambda n: n.op("Constant", value_ints=[12]),
    "identity": lambda n: n.op("Identity", n.op("Identity", n.const(12))),
    "cast_of_int32": lambda n: n.op("Cast", n.const(12, np.int32), to=INT64),
    "cast_of_float": lambda n: n.op("Cast", n.const(12.0), to=INT64),
    "squeeze": lambda n: n.op("Squeeze", n.const([12]), n.const([0])),
    "squeeze_of_all": lambda n: n.op("Squeeze", n.const([[12]])),
    "unsqueeze": lambda n: n.op("Unsqueeze", n.const(12), n.const([0])),
    "reshape": lambda n: _scalar(n, n.const([12])),
    "a_chain": lambda n: n.op(
        "Identity", n.op("Cast", n.op("Squeeze", n.op("Unsqueeze", n.const(12, np.int32), n.const([0]))), to=INT64)
    ),
    "the_cap": lambda n: n.const(1024),
    "nothing": lambda n: n.const(0),
    "one": lambda n: n.const(1),
}
for _name, _trip in TRIPS.items():
    put(f"loop_by_{_name}", lambda n, trip=_trip: n.loop(trip(n), _round, n.x))
put("loop_with_condition", lambda n: n.loop(n.const(12), _round, n.x, cond=n.const(True)))
put("loop_of_dynamic_picture", lambda n: n.loop(n.const(4), _round, n.x), shape=("N", 3, "H", "W"))
put("loop_of_opset_11", lambda n: n.loop(n.const(12), _round, n.x), opset=11)
put("loop_of_opset_21", lambda n: n.loop(n.const(12), _round, n.x), opset=21)
put(
    "loop_of_two_states",
    lambda n: n.loop(n.const(5), lambda b, _i, one, two: [b.op("Identity", two), b.op("Add", one, two)], n.x, n.x)[1],
)
put(
    "loop_that_uses_its_counter",
    lambda n: n.loop(n.const(5), lambda b, i, s: [b.op("Add", s, b.op("Cast", i, to=FLOAT))], n.x),
)
put(
    "loop_that_reads_rows_by_counter",
    lambda n: n.loop(
        n.const(8),
        lambda b, i, s: [b.op("Add", s, b.op("Gather", n.x, i, axis=3, kind=FLOAT))],
        n.op("ReduceMean", n.x, axes=[3], keepdims=0),
    ),
)
put(
    "loop_that_joins_twelve_rows", lambda n: n.loop(n.const(12), lambda b, _i, s: [b.op("Concat", s, n.x, axis=2)], n.x)
)
put(
    "loop_that_scans_rows",
    lambda n: n.loop(
        n.const(12), lambda b, _i, s: [b.op("Mul", s, b.const(0.5)), b.op("ReduceMean", s, axes=[2, 3])], n.x
    )[1],
)
put(
    "loop_that_halves",
    lambda n: n.loop(n.const(3), lambda b, _i, s: [b.op("MaxPool", s, kernel_shape=[2, 2], strides=[2, 2])], n.x),
)
put(
    "loop_of_conv",
    lambda n: n.loop(
        n.const(6),
        lambda b, _i, s: [b.op("Relu", b.op("Conv", s, b.const(np.ones((3, 3, 3, 3)) / 27), pads=[1] * 4))],
        n.x,
    ),
)
put(
    "loop_in_an_if",
    lambda n: n.branch(n.const(True), lambda b: b.loop(b.const(3), _round, n.x), lambda b: b.op("Identity", n.x)),
)
put("sixteen_loops", lambda n: functools.reduce(lambda value, _: n.loop(n.const(4), _round, value), range(16), n.x))


@add
def loop_by_a_constant_of_the_outer_scope() -> bytes:
    net = Net()
    trip = net.op("Constant", value_int=4)
    return net.done(net.loop(net.const(3), lambda body, _i, state: [body.loop(trip, _round, state)], net.x))


@add
def loops_of_16_by_16() -> bytes:
    net = Net()
    return net.done(net.loop(net.const(16), lambda body, _i, state: [body.loop(body.const(16), _round, state)], net.x))


@add
def loop_around_an_if() -> bytes:
    net = Net()

    def step(body: Net, counter: str, state: str) -> list[str]:
        odd = body.op("Cast", counter, to=BOOL)
        return [body.branch(odd, lambda way: way.op("Relu", state), lambda way: way.op("Neg", state))]

    return net.done(net.loop(net.const(10), step, net.x))


@add
def loop_that_may_stop_early() -> bytes:
    """The condition follows the data; the trip count bounds it all the same."""
    net = Net()
    body = net.child()
    body.takes("i", INT64, [])
    body.takes("go", BOOL, [])
    state = body.takes("s", FLOAT, [1, 3, 8, 8])
    halved = body.op("Mul", state, body.const(0.5))
    more = body.op("Cast", body.op("ReduceMax", halved, keepdims=0), to=BOOL)
    graph = body.graph(more, halved)
    return net.done(net.op("Loop", net.const(100), net.const(True), net.x, body=graph, kind=FLOAT))


def _truth(net: Net) -> str:
    return str(net.op("Cast", net.op("ReduceMax", net.x, keepdims=0), to=BOOL))


put("if_by_the_pixels", lambda n: n.branch(_truth(n), lambda b: b.op("Relu", n.x), lambda b: b.op("Sigmoid", n.x)))
put("if_by_a_constant", lambda n: n.branch(n.const(False), lambda b: b.op("Relu", n.x), lambda b: b.op("Tanh", n.x)))
put(
    "if_of_two_shapes",
    lambda n: n.branch(_truth(n), lambda b: b.op("GlobalAveragePool", n.x), lambda b: b.op("Identity", n.x)),
)
put(
    "if_with_weights_in_its_branches",
    lambda n: n.branch(
        _truth(n), lambda b: b.op("Mul", n.x, b.const([2.0])), lambda b: b.op("Mul", n.x, b.const([3.0]))
    ),
)
put(
    "if_of_opset_11",
    lambda n: n.branch(_truth(n), lambda b: b.op("Relu", n.x), lambda b: b.op("Identity", n.x)),
    opset=11,
)
put(
    "if_in_an_if",
    lambda n: n.branch(
        _truth(n),
        lambda b: b.branch(_truth(n), lambda c: c.op("Relu", n.x), lambda c: c.op("Abs", n.x)),
        lambda b: b.op("Identity", n.x),
    ),
)


@add
def if_by_an_input() -> bytes:
    net = Net()
    flag = net.takes("flag", BOOL, [])
    return net.done(net.branch(flag, lambda body: body.op("Relu", net.x), lambda body: body.op("Identity", net.x)))


def _old(net: Net, op_type: str, value: str, axes: list[int]) -> str:
    if net.opset < 13:
        return str(net.op(op_type, value, axes=axes))
    return str(net.op(op_type, value, net.const(axes)))


def _slice(net: Net) -> str:
    if net.opset < 10:
        return str(net.op("Slice", net.x, starts=[1, -4], ends=[2**31 - 1, -1], axes=[2, 3]))
    return str(
        net.op("Slice", net.x, net.const([1, -4]), net.const([2**63 - 1, -1]), net.const([2, 3]), net.const([2, 1]))
    )


def _pad(net: Net) -> str:
    pads = [0, 0, 1, 2, 0, 0, 3, 4]
    return str(
        net.op("Pad", net.x, pads=pads) if net.opset < 11 else net.op("Pad", net.x, net.const(pads), net.const(0.5))
    )


def _clip(net: Net) -> str:
    return str(
        net.op("Clip", net.x, min=0.0, max=6.0)
        if net.opset < 11
        else net.op("Clip", net.x, net.const(0.0), net.const(6.0))
    )


def _dropout(net: Net) -> str:
    return str(net.op("Dropout", net.x, ratio=0.5) if net.opset < 12 else net.op("Dropout", net.x, net.const(0.5)))


def _resize(net: Net) -> str:
    scales = net.const([1.0, 1.0, 2.0, 2.0])
    if net.opset == 10:
        return str(net.op("Resize", net.x, scales))
    return str(net.op("Resize", net.x, net.const(np.zeros(0)) if net.opset < 13 else "", scales, mode="linear"))


def _reduce(net: Net) -> str:
    total = _old(net, "ReduceSum", net.x, [2, 3])
    mean = (
        net.op("ReduceMean", net.x, axes=[2, 3]) if net.opset < 18 else net.op("ReduceMean", net.x, net.const([2, 3]))
    )
    return str(net.op("Add", total, mean))


VARIANTS: dict[str, tuple[Make, tuple[int, ...]]] = {
    "squeeze": (lambda n: _old(n, "Unsqueeze", _old(n, "Squeeze", n.x, [0]), [0]), (7, 9, 11, 12, 13, 17, 21)),
    "slice": (_slice, (7, 9, 10, 11, 13, 17, 21)),
    "pad": (_pad, (7, 10, 11, 13, 17, 18, 19, 21)),
    "clip": (_clip, (7, 10, 11, 12, 13, 17, 21)),
    "dropout": (_dropout, (7, 10, 12, 13, 17, 21)),
    "resize": (_resize, (10, 11, 13, 17, 18, 19, 21)),
    "reduce": (_reduce, (7, 11, 13, 17, 18, 21)),
    "softmax": (lambda n: str(n.op("Softmax", n.x, axis=1)), (7, 11, 13, 17, 21)),
    "batch_norm": (
        lambda n: str(n.op("BatchNormalization", n.x, *[n.const(np.ones(3)) for _ in range(4)])),
        (7, 9, 14, 15, 21),
    ),
    "flatten_gemm": (
        lambda n: str(n.op("Gemm", n.op("Flatten", n.x), n.const(np.ones((192, 4))), n.const(np.ones(4)))),
        (7, 9, 11, 13, 17, 21),
    ),
    "average_pool": (
        lambda n: str(n.op("AveragePool", n.x, kernel_shape=[3, 3], strides=[2, 2], pads=[1] * 4, count_include_pad=1)),
        (7, 10, 11, 17, 19, 21),
    ),
    "max_pool": (
        lambda n: str(n.op("MaxPool", n.x, kernel_shape=[3, 3], strides=[2, 2], ceil_mode=1 if n.opset > 9 else 0)),
        (10, 11, 12, 17, 21),
    ),
    "cast": (lambda n: str(n.op("Cast", n.op("Cast", n.x, to=TensorProto.DOUBLE), to=FLOAT)), (7, 9, 13, 17, 19, 21)),
    "sum": (lambda n: str(n.op("Max", n.op("Sum", n.x, n.x, n.x), n.op("Mean", n.x, n.x))), (8, 13, 17, 21)),
    "prelu": (lambda n: str(n.op("PRelu", n.x, n.const(np.ones((3, 1, 1)) / 4))), (7, 9, 16, 21)),
}
for _name, (_make, _opsets) in VARIANTS.items():
    for _opset in _opsets:
        put(f"{_name}_of_opset_{_opset}", _make, opset=_opset)

for _name, (_make, _shape, _opset) in NETWORKS.items():
    put(_name, _make, _opset, _shape)


def _edited(change: Callable[[onnx.ModelProto], object]) -> bytes:
    net = Net()
    model = net.model(net.op("Relu", net.op("Mul", net.x, net.const(np.ones((1, 3, 1, 1)), name="w"))))
    change(model)
    return model.SerializeToString()


def _documented(model: onnx.ModelProto) -> None:
    model.doc_string = model.graph.doc_string = model.graph.node[0].doc_string = "What this is, ünïcode included. " * 50
    model.producer_name, model.producer_version, model.domain, model.model_version = "pytorch", "2.5", "org.example", 7
    helper.set_model_props(model, {"author": "somebody", "licence": "BSD", "stride": "32"})
    model.graph.node[0].metadata_props.add(key="pkg.torch.onnx.name_scopes", value="['', 'layer1']")
    model.graph.input[0].type.tensor_type.shape.dim[0].denotation = "DATA_BATCH"
    model.graph.input[0].doc_string = "RGB"


def _floats(model: onnx.ModelProto) -> None:
    model.graph.initializer[0].CopyFrom(helper.make_tensor("w", FLOAT, [1, 3, 1, 1], [1.0, 2.0, 3.0]))


EDITS: dict[str, Callable[[onnx.ModelProto], object]] = {
    "documented": _documented,
    "weights_as_float_data": _floats,
    "weights_listed_as_inputs": lambda m: m.graph.input.append(helper.make_tensor_value_info("w", FLOAT, [1, 3, 1, 1])),
    "weights_listed_as_inputs_in_ir_3": lambda m: (
        m.graph.input.append(helper.make_tensor_value_info("w", FLOAT, [1, 3, 1, 1])),
        setattr(m, "ir_version", 3),
        m.opset_import[0].CopyFrom(helper.make_opsetid("", 8)),
    ),
    "unused_weight": lambda m: m.graph.initializer.append(helper.make_tensor("spare", FLOAT, [2], [1.0, 2.0])),
    "intermediate_shapes": lambda m: m.graph.value_info.append(
        helper.make_tensor_value_info(m.graph.node[0].output[0], FLOAT, [1, 3, 8, 8])
    ),
    "domain_spelled_out": lambda m: setattr(m.graph.node[0], "domain", "ai.onnx"),
    "node_nobody_reads": lambda m: m.graph.node.append(helper.make_node("Relu", ["x"], ["spare"])),
    "names_of_other_tongues": lambda m: setattr(m.graph.node[0], "name", "/модель/層.1/conv"),
    "empty_node_names": lambda m: [setattr(node, "name", "") for node in m.graph.node],
    "two_outputs": lambda m: m.graph.output.append(
        helper.make_tensor_value_info(m.graph.node[0].output[0], FLOAT, [1, 3, 8, 8])
    ),
}
for _name, _change in EDITS.items():
    MODELS[_name] = functools.partial(_edited, _change)


def _heavy(mebibytes: int, kind: type, listed: bool) -> bytes:
    net = Net(shape=("N", 1024))
    rows = mebibytes * (1 << 20) // (1024 * np.dtype(kind).itemsize)
    weights = np.full((1024, rows), 0.5, kind)
    name = net.const(weights, kind)
    if listed:
        net.initialisers[0].CopyFrom(helper.make_tensor(name, net.kinds[name], weights.shape, weights.ravel().tolist()))
    factor = name if kind == np.float32 else net.op("Cast", name, to=FLOAT)
    return net.done(net.op("MatMul", net.x, factor), shape=None)


MODELS["thirty_mebibytes_of_floats"] = functools.partial(_heavy, 30, np.float32, False)
MODELS["forty_five_mebibytes_of_halves"] = functools.partial(_heavy, 45, np.float16, False)
MODELS["sixteen_mebibytes_of_listed_floats"] = functools.partial(_heavy, 16, np.float32, True)
MODELS["four_mebibytes_of_listed_bytes"] = functools.partial(_heavy, 4, np.int8, True)
