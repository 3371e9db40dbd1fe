"""Graphs that are not what they seem: names, domains, opsets, functions, subgraphs, depth and counts."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import onnx
from onnx import AttributeProto, helper

from hostile.build import BOOL, FLOAT, Net, Shelf, f, plain, raw_graph, raw_model, raw_node

ATTACKS = Shelf("structure")
Change = Callable[[onnx.ModelProto], Any]


def changed(change: Change, opset: int = 17) -> bytes:
    model = plain(opset)
    change(model)
    return model.SerializeToString()


def put(name: str, rule: str, change: Change, opset: int = 17) -> None:
    ATTACKS.put(name, rule, functools.partial(changed, change, opset))


def make(op_type: str, inputs: str = "x", outputs: str = "y", **attributes: Any) -> onnx.NodeProto:
    return helper.make_node(op_type, inputs.split(), outputs.split(), **attributes)


def replace(model: onnx.ModelProto, *nodes: onnx.NodeProto) -> None:
    del model.graph.node[:]
    model.graph.node.extend(nodes)


def body_of(*nodes: onnx.NodeProto, output: str = "z") -> onnx.GraphProto:
    port = helper.make_tensor_value_info(output, FLOAT, None)
    return helper.make_graph(nodes or [make("Identity", "x", output)], "sub", [], [port])


def _function(name: str, domain: str, body: str = "Hardmax", **more: Any) -> onnx.FunctionProto:
    return helper.make_function(
        domain, name, ["a"], ["b"], [make(body, "a", "b")], [helper.make_opsetid("", 17)], **more
    )


def _functional(name: str, domain: str, used: bool = True, **more: Any) -> Change:
    def change(model: onnx.ModelProto) -> None:
        model.functions.append(_function(name, domain, **more))
        if domain:
            model.opset_import.append(helper.make_opsetid(domain, 1))
        if used:
            replace(model, make(name, domain=domain))

    return change


for _op in ("Relu", "Add", "Conv", "Loop"):
    put(f"function_named_{_op.lower()}_in_foreign_domain", "function|domain", _functional(_op, "custom"))
    put(f"function_named_{_op.lower()}_in_standard_domain", "function", _functional(_op, "", used=_op == "Relu"))
put("function_in_ai_onnx", "function", _functional("Relu", "ai.onnx"))
put("function_never_called", "function", _functional("Quiet", "custom", used=False))
put("function_with_overload", "function|domain", _functional("Relu", "custom", overload="v2"))
put("function_that_calls_itself", "function|domain", _functional("Again", "custom", body="Again"))
put("node_with_overload", "overload|field", lambda m: setattr(m.graph.node[0], "overload", "v2"))
put("thousand_functions", "function", lambda m: m.functions.extend(_function(f"F{i}", "custom") for i in range(1000)))

for _domain in (
    "custom",
    "com.microsoft",
    "ai.onnx.ml",
    "ai.onnx.training",
    "ai.onnx.preview.training",
    "com.microsoft.nchwc",
    "AI.ONNX",
    "ai.onnx ",
    "ai.onnx\0",
    "org.pytorch.aten",
    "x" * 10_000,
):

    def _foreign(model: onnx.ModelProto, domain: str = _domain) -> None:
        model.opset_import.append(helper.make_opsetid(domain, 1))
        model.graph.node[0].domain = domain

    _stem = "".join(letter if letter.isalnum() else "_" for letter in _domain[:24].lower())
    _tag = "_upper" if _domain.isupper() else "_space" if _domain.endswith(" ") else "_nul" if "\0" in _domain else ""
    put(f"allowed_op_name_in_foreign_domain_{_stem}{_tag}", "domain", _foreign)


@ATTACKS.add("domain|operator")
def foreign_domain_inside_a_branch() -> bytes:
    net = Net()
    other = net.child()
    other.nodes.append(helper.make_node("Relu", ["x"], ["inner"], domain="com.microsoft"))
    then = net.child()
    one = then.op("Identity", net.x)
    graphs = {"then_branch": then.graph(one), "else_branch": other.graph("inner")}
    return net.sink(net.op("If", net.const(True), kind=FLOAT, **graphs))


def _opsets(*pairs: tuple[str, int]) -> bytes:
    model = plain()
    del model.opset_import[:]
    model.opset_import.extend(helper.make_opsetid(*pair) for pair in pairs)
    return model.SerializeToString()


for _name, _pairs in (
    ("missing", ()),
    ("only_foreign", (("com.microsoft", 1),)),
    ("twice_equal", (("", 17), ("", 17))),
    ("twice_different", (("", 17), ("", 7))),
    ("twice_by_two_spellings", (("", 17), ("ai.onnx", 7))),
    *(
        (f"{version}".replace("-", "minus_"), (("", version),))
        for version in (-1, 0, 1, 5, 29, 1000, 2**31, 2**62, -(2**63))
    ),
):
    ATTACKS.put(f"opset_{_name}", "opset|domain", functools.partial(_opsets, *_pairs))
ATTACKS.put("opset_without_version", "opset", lambda: raw_model(opset=f(1, "")))
ATTACKS.put("opset_version_given_twice", "opset|duplicate", lambda: raw_model(opset=f(2, 17) + f(2, 1)))
ATTACKS.put("opset_by_the_ten_thousand", "opset|domain", lambda: raw_model(more=f(8, f(1, "a") + f(2, 1)) * 10_000))
for _version in (0, -1, 2, 99, 2**31, 2**62):
    put(f"ir_version_{_version}".replace("-", "minus_"), "ir", lambda m, v=_version: setattr(m, "ir_version", v))
ATTACKS.put("ir_version_missing", "ir", lambda: f(7, raw_graph(raw_node())) + f(8, f(2, 17)))
ATTACKS.put("ir_version_given_twice", "ir|duplicate", lambda: f(1, 99) + raw_model())

put("training_info", "training", lambda m: m.training_info.add().algorithm.CopyFrom(body_of(make("Hardmax", "x", "z"))))
put("training_info_empty", "training", lambda m: m.training_info.add())
put("training_info_initialisation", "training", lambda m: m.training_info.add().initialization.CopyFrom(body_of()))

put(
    "graph_attribute_on_an_operator_without_one",
    "attribute|graph",
    lambda m: m.graph.node[0].attribute.append(helper.make_attribute("g", body_of(make("Hardmax", "x", "z")))),
)
put(
    "graphs_attribute",
    "attribute|graph",
    lambda m: m.graph.node[0].attribute.append(
        helper.make_attribute("g", [body_of(), body_of(make("Hardmax", "x", "z"))])
    ),
)
put(
    "graphs_attribute_on_if",
    "attribute|graph",
    lambda m: replace(
        m,
        make("Constant", "", "c", value=helper.make_tensor("v", BOOL, [], [1])),
        make("If", "c", then_branch=body_of(), else_branch=body_of(), more=[body_of()]),
    ),
)
put(
    "type_proto_attribute",
    "attribute|type",
    lambda m: m.graph.node[0].attribute.append(helper.make_attribute("t", helper.make_tensor_type_proto(FLOAT, [1]))),
)
put(
    "type_protos_attribute",
    "attribute|type",
    lambda m: m.graph.node[0].attribute.append(helper.make_attribute("t", [helper.make_tensor_type_proto(FLOAT, [1])])),
)
put(
    "tensors_attribute",
    "attribute|tensor",
    lambda m: m.graph.node[0].attribute.append(helper.make_attribute("t", [helper.make_tensor("v", FLOAT, [1], [1])])),
)
put(
    "attribute_by_reference",
    "attribute|ref",
    lambda m: m.graph.node[0].attribute.append(AttributeProto(name="alpha", type=1, ref_attr_name="beta")),
)
put(
    "attribute_reference_beside_a_value",
    "attribute|ref",
    lambda m: (
        replace(m, make("LeakyRelu"))
        or m.graph.node[0].attribute.append(AttributeProto(name="alpha", type=1, f=0.1, ref_attr_name="b"))
    ),
)


def _odd_attribute(kind: int, **values: Any) -> Change:
    def change(model: onnx.ModelProto) -> None:
        attribute = AttributeProto(
            name="alpha", type=kind, **{key: value for key, value in values.items() if key != "g"}
        )
        if "g" in values:
            attribute.g.CopyFrom(values["g"])
        replace(model, make("LeakyRelu"))
        model.graph.node[0].attribute.append(attribute)

    return change


put("attribute_says_float_holds_graph", "attribute|type|graph", _odd_attribute(1, g=body_of(make("Hardmax", "x", "z"))))
put(
    "attribute_says_float_holds_both",
    "attribute|type|graph",
    _odd_attribute(1, f=0.1, g=body_of(make("Hardmax", "x", "z"))),
)
put(
    "attribute_says_nothing_holds_graph",
    "attribute|type|graph",
    _odd_attribute(0, g=body_of(make("Hardmax", "x", "z"))),
)
put("attribute_says_int_holds_float", "attribute|type", _odd_attribute(2, f=0.5))
put("attribute_says_float_holds_text", "attribute|type", _odd_attribute(1, s=b"0.1"))
put(
    "attribute_given_twice",
    "attribute|duplicate",
    lambda m: (
        replace(m, make("LeakyRelu", alpha=0.1))
        or m.graph.node[0].attribute.append(helper.make_attribute("alpha", 0.9))
    ),
)
ATTACKS.put(
    "attribute_of_an_unknown_kind",
    "attribute|type",
    lambda: raw_model(raw_graph(raw_node(more=f(5, f(1, "a") + f(20, 77) + f(3, 1))))),
)
ATTACKS.put(
    "attribute_kind_wraps_to_a_known_one",
    "attribute|type|protobuf",
    lambda: raw_model(raw_graph(raw_node(more=f(5, f(1, "a") + f(20, 2**32 + 1) + f(3, 1))))),
)
ATTACKS.put(
    "attribute_without_a_name", "attribute|name", lambda: raw_model(raw_graph(raw_node(more=f(5, f(20, 2) + f(3, 1)))))
)
