"""Files as graphs: what ONNX's own library writes is read to the same graph, ill-formed ones are refused."""

from __future__ import annotations

import numpy as np
import onnx
import onnx.parser
import pytest
from onnx import AttributeProto, TensorProto, helper, numpy_helper

from hostile.build import f, plain, port, raw_graph, raw_model, raw_node
from tinyvmaf.dnn import guard
from tinyvmaf.dnn.graph import NAMES, Graph, Tensor, shown

TEXT = """<ir_version: 8, opset_import: ["" : 17]>
g (float[N, 3, 8] x, bool c, int64[] n) => (float[N, 3, 8] y, float z) <float w = {2.5}> {
  y = If (c) <then_branch = t () => (float a) { a = Relu(x) }, else_branch = e () => (float b) { b = Mul(x, w) }>
  z = ReduceMax <keepdims = 0> (y)
}"""


def parsed(model):
    data = model if isinstance(model, bytes) else model.SerializeToString()
    verdict = guard.check(data)
    assert verdict.accepted, verdict.reason
    return verdict.model


def reason(data):
    verdict = guard.check(data)
    assert not verdict.accepted
    return verdict.reason


def test_a_graph_is_read_as_written():
    written = onnx.parser.parse_model(TEXT)
    model = parsed(written)
    assert model.opset == 17
    assert model.operators == ("If", "Mul", "ReduceMax", "Relu")
    assert (model.nodes, model.parameters, model.constant_bytes) == (4, 1, 4)
    assert [(p.name, p.dtype, p.shape) for p in model.graph.inputs] == [
        ("x", "float32", ("N", 3, 8)), ("c", "bool", ()), ("n", "int64", None),
    ]  # fmt: skip
    assert [p.name for p in model.graph.outputs] == ["y", "z"]
    assert model.graph.constants["w"] == Tensor("w", 1, (), (2.5,))
    for node, other in zip(model.graph.nodes, written.graph.node, strict=True):
        assert (node.op, node.inputs, node.outputs) == (other.op_type, tuple(other.input), tuple(other.output))
    branch = model.graph.nodes[0].attributes["then_branch"]
    assert isinstance(branch, Graph)
    assert [node.op for node in branch.nodes] == ["Relu"]
    assert model.graph.nodes[1].attributes == {"keepdims": 0}


@pytest.mark.parametrize("dtype", ["int32", "int64", "float32", "float64", "bool", "float16", "uint8"])
@pytest.mark.parametrize("listed", [False, True])
def test_small_constants_are_decoded(dtype, listed):
    array = np.array([0, 1, 1], dtype)
    kind = helper.np_dtype_to_tensor_dtype(array.dtype)
    model = plain()
    tensor = helper.make_tensor("w", kind, [3], array.tolist()) if listed else numpy_helper.from_array(array, "w")
    model.graph.initializer.append(tensor)
    data = parsed(model).graph.constants["w"].data
    if dtype == "uint8" or (dtype == "float16" and listed):
        assert data is None  # no size is computed from these
    else:
        assert list(data) == array.tolist()


def test_large_constants_are_not_decoded():
    model = plain()
    model.graph.initializer.append(numpy_helper.from_array(np.zeros(65, np.int64), "w"))
    assert parsed(model).graph.constants["w"] == Tensor("w", 7, (65,), None)


@pytest.mark.parametrize("kind", sorted(set(NAMES) - {TensorProto.STRING, 27, 28}))
def test_constants_of_every_type_are_measured(kind):
    model = plain()
    bits = guard.parse_model.__globals__["BITS"][kind]
    model.graph.initializer.append(TensorProto(name="w", data_type=kind, dims=[8], raw_data=bytes(bits)))
    assert parsed(model).constant_bytes == bits


@pytest.mark.parametrize("kind", [TensorProto.INT4, TensorProto.UINT4, TensorProto.FLOAT8E4M3FN, TensorProto.BFLOAT16])
def test_constants_of_small_types_may_be_listed(kind):
    model = plain()
    model.graph.initializer.append(helper.make_tensor("w", kind, [3], [1, 1, 1]))
    assert parsed(model).parameters == 3


def test_attributes_of_every_kind():
    tensor = numpy_helper.from_array(np.array([7], np.int64))
    node = helper.make_node("Relu", ["x"], ["y"], i=-3, f=0.5, s="word", t=tensor, ints=[1, -2], floats=[0.25])
    model = plain()
    node.output[0] = model.graph.output[0].name
    model.graph.node[0].CopyFrom(node)
    assert parsed(model).graph.nodes[0].attributes == {
        "i": -3, "f": 0.5, "s": "word", "t": Tensor("", 7, (1,), (7,)), "ints": (1, -2), "floats": (0.25,),
    }  # fmt: skip


def test_an_initialiser_that_is_an_input_is_a_default():
    model = plain()
    model.graph.initializer.append(numpy_helper.from_array(np.ones(1, np.float32), "w"))
    model.graph.input.append(helper.make_tensor_value_info("w", TensorProto.FLOAT, [1]))
    graph = parsed(model).graph
    assert graph.defaults == {"w"}
    assert [p.name for p in graph.inputs] == ["x"]


@pytest.mark.parametrize(
    ("type_proto", "code"),
    [
        (helper.make_sequence_type_proto(helper.make_tensor_type_proto(1, [2])), 1),
        (helper.make_optional_type_proto(helper.make_sequence_type_proto(helper.make_tensor_type_proto(7, None))), 7),
        (onnx.TypeProto(sequence_type=onnx.TypeProto.Sequence()), 0),
    ],
)
def test_types_around_tensors(type_proto, code):
    model = plain()
    model.graph.input.append(helper.make_value_info("s", type_proto))
    assert parsed(model).graph.inputs[1].code == code


def node_with(more):
    return raw_model(raw_graph(raw_node(more=more)))


def both_length_and_name():
    shape = f(1, f(1, 2) + f(2, "N"))
    return raw_model(raw_graph(raw_node(), more=f(11, f(1, "z") + f(2, f(1, f(1, 1) + f(2, shape))))))


def constant(kind, elements):
    """A model with a constant of one element."""
    return raw_model(raw_graph(raw_node(), more=f(5, f(1, 1) + f(2, kind) + f(8, "w") + elements)))


REFUSED = [
    (raw_model(raw_graph(raw_node(outputs=("",)))), "at least one output"),
    (raw_model(raw_graph()), "Output 'y' is not defined"),
    (f(1, 8) + f(8, f(2, 17)), "holds a graph"),
    (f(1, 2) + f(7, raw_graph(raw_node())) + f(8, f(2, 17)), "IR version of a model is 3 to 14, not 2"),
    (raw_model(f(2, "g") + f(11, port("x")) + f(12, port("x"))), "at least one node"),
    (raw_model(raw_graph(raw_node(), more=f(11, port("z", dims=[1] * 17)))), "at most 16 axes"),
    (node_with(f(5, f(1, "a") + f(20, 7) + f(8, b"\x01" * 4097))), "at most 4096"),
    (node_with(f(5, f(1, "a") + f(20, 6) + f(7, bytes(4 * 4097)))), "at most 4096"),
    (node_with(f(5, f(1, "a") + f(20, 2))), "something else than the kind"),
    (node_with(f(5, f(1, "a") + f(20, 2) + f(3, 1) + f(4, b"x"))), "something else than the kind"),
    (node_with(f(5, f(20, 2) + f(3, 1))), "attribute has a name of its own"),
    (node_with(f(5, f(1, "a") + f(3, 1) + f(20, 8))), "of kind 8"),
    (node_with(f(5, f(1, "then_branch") + f(20, 5) + f(6, b""))), "Relu takes no graph"),
    (node_with(f(10, b"")), "must not name a device"),
    (both_length_and_name(), "has both"),
    (constant(9, f(9, b"\x02")), "truth value is 0 or 1"),
    (constant(9, f(5, 2)), "type bool is 0 to 1"),
    (constant(6, f(5, 1 << 31)), "type int32 is"),
]  # fmt: skip


@pytest.mark.parametrize(("data", "words"), REFUSED, ids=[words for _, words in REFUSED])
def test_ill_formed_files(data, words):
    assert words in reason(data)


def test_messages_name_the_place():
    model = onnx.parser.parse_model(TEXT)
    model.graph.node[0].name = "décision"
    branch = next(a for a in model.graph.node[0].attribute if a.type == AttributeProto.GRAPH).g
    branch.node[0].op_type = "Hardmax"
    assert reason(model.SerializeToString()) == (
        "Operator 'Hardmax' is not on the list of allowed operators (in Hardmax (node 0 of then_branch of If "
        "'d\\xe9cision' (node 0 of the graph))). Export without it."
    )


def test_long_names_are_cut():
    assert shown("x" * 61) == repr("x" * 57 + "...")
    assert shown("x" * 60) == repr("x" * 60)
