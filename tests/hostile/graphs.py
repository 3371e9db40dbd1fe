"""Graphs that do not hold together, are too deep or too many, and operators whose names deceive."""

from __future__ import annotations

import functools

from onnx import helper

from hostile.build import BOOL, FLOAT, INT64, Shelf, f, port, raw_graph, raw_model, raw_node, signed, varint
from hostile.structure import Change, body_of, changed, make, replace

ATTACKS = Shelf("graphs")


def put(name: str, rule: str, change: Change) -> None:
    ATTACKS.put(name, rule, functools.partial(changed, change))


def _two(first: str, second: str) -> Change:
    return lambda m: replace(m, make("Relu", *first.split(">")), make("Relu", *second.split(">")))


put("output_made_twice", "name|duplicate|output", _two("x>y", "x>y"))
put("output_named_twice_in_one_node", "name|duplicate|output", lambda m: replace(m, make("Dropout", "x", "y y")))
put("output_shadows_the_input", "name|duplicate|output", _two("x>x", "x>y"))
put(
    "output_shadows_an_initialiser",
    "name|duplicate|output",
    lambda m: m.graph.initializer.append(helper.make_tensor(m.graph.output[0].name, FLOAT, [1], [1])),
)
put("undefined_input", "name|undefined|input", lambda m: replace(m, make("Relu", "nowhere")))
put("cycle_of_one", "name|cycle|undefined|order", lambda m: replace(m, make("Relu", "y")))
put("cycle_of_two", "name|cycle|undefined|order", _two("b>a", "a>b"))
put("nodes_out_of_order", "name|order|undefined", _two("a>y", "x>a"))
put("answer_that_nothing_makes", "output|name|undefined", lambda m: setattr(m.graph.output[0], "name", "nowhere"))
put("answer_without_a_name", "output|name", lambda m: setattr(m.graph.output[0], "name", ""))
put("no_answers", "output", lambda m: m.graph.ClearField("output"))
put("answer_named_twice", "output|duplicate|name", lambda m: m.graph.output.append(m.graph.output[0]))
put("input_named_twice", "input|duplicate|name", lambda m: m.graph.input.append(m.graph.input[0]))
put("input_without_a_name", "input|name", lambda m: m.graph.input.append(helper.make_tensor_value_info("", FLOAT, [1])))
put("graph_without_nodes", "node|output|name|empty", lambda m: replace(m))
put("graph_is_missing", "graph", lambda m: m.ClearField("graph"))
put(
    "node_reads_a_name_of_a_branch",
    "name|undefined|scope",
    lambda m: replace(
        m,
        make("Constant", "", "c", value=helper.make_tensor("v", BOOL, [], [1])),
        make("If", "c", "w", then_branch=body_of(), else_branch=body_of(output="q")),
        make("Relu", "q"),
    ),
)
put(
    "branch_reads_a_later_name",
    "name|undefined|order",
    lambda m: replace(
        m,
        make("Constant", "", "c", value=helper.make_tensor("v", BOOL, [], [1])),
        make("If", "c", "w", then_branch=body_of(make("Identity", "late", "z")), else_branch=body_of()),
        make("Relu", "x", "late"),
        make("Add", "w late"),
    ),
)
put(
    "branch_is_missing",
    "branch|attribute|if",
    lambda m: replace(
        m,
        make("Constant", "", "c", value=helper.make_tensor("v", BOOL, [], [1])),
        make("If", "c", then_branch=body_of()),
    ),
)

for _name, _port in (
    ("map", helper.make_value_info("s", helper.make_map_type_proto(INT64, helper.make_tensor_type_proto(FLOAT, [1])))),
    ("sparse_tensor", helper.make_value_info("s", helper.make_sparse_tensor_type_proto(FLOAT, [1]))),
    ("unknown_type", helper.make_tensor_value_info("s", 99, [1])),
    ("negative_size", helper.make_tensor_value_info("s", FLOAT, [-5, 3])),
):
    put(f"input_of_{_name}", "input|type|shape|dim", lambda m, port=_port: m.graph.input.append(port))


def _nested(levels: int) -> bytes:
    """If inside If, in linear time: each level adds a head that knows the length of what follows, and a tail."""
    constant = f(1, "x") + f(2, "c") + f(4, "Cast") + f(5, f(1, "to") + f(3, 9) + f(20, 2))
    other = f(5, f(1, "else_branch") + f(6, raw_graph(raw_node("Identity", ("x",), ("y",)))) + f(20, 5))
    tail = f(2, "g") + f(12, f(1, "y"))
    core = raw_graph(raw_node("Identity", ("x",), ("y",)))
    heads, length = [], len(core)
    for _ in range(levels):
        branch = f(1, "then_branch") + f(20, 5) + varint(6 << 3 | 2) + varint(length)
        attribute = varint(5 << 3 | 2) + varint(len(branch) + length) + branch
        node = f(1, "c") + f(2, "y") + f(4, "If") + other + attribute
        head = f(1, constant) + tail + varint(1 << 3 | 2) + varint(len(node) + length) + node
        heads.append(head)
        length += len(head)
    nest = b"".join(reversed(heads)) + core
    return raw_model(f(11, f(1, "x") + f(2, f(1, f(1, 1)))) + nest)


for _levels in (9, 20, 100, 1000, 5000, 50_000):
    ATTACKS.put(f"branches_{_levels}_deep", "depth|graph|branch|protobuf", functools.partial(_nested, _levels))


def _chain(count: int, op_type: str) -> bytes:
    node = f(1, raw_node(op_type, ("v0000000",), ("v0000001",))).replace(b"v0000000", b"v%07d", 1)
    node = node.replace(b"v0000001", b"v%07d")
    nodes = b"".join([node % (i, i + 1) for i in range(count)])
    ends = f(1, raw_node("Identity", ("x",), ("v0000000",))), f(1, raw_node("Identity", (f"v{count:07d}",)))
    return raw_model(raw_graph(more=ends[0] + nodes + ends[1]))


for _count, _op in (
    (33_000, "Relu"),
    (33_000, "Identity"),
    (33_000, "Transpose"),
    (300_000, "Relu"),
    (1_500_000, "Tanh"),
):
    ATTACKS.put(f"{_count}_nodes_of_{_op.lower()}", "node", functools.partial(_chain, _count, _op))
ATTACKS.put(
    "million_inputs_of_one_node", "node|input|count", lambda: raw_model(raw_graph(raw_node("Sum", ("x",) * 1_000_000)))
)
ATTACKS.put(
    "million_outputs_of_one_node",
    "node|output|count|duplicate",
    lambda: raw_model(raw_graph(raw_node("Relu", ("x",), ("y",) + ("",) * 1_000_000))),
)
for _count in (1024, 100_000):
    ATTACKS.put(
        f"{_count}_inputs_of_one_node_and_an_output",
        "at most 1024 inputs and outputs",
        lambda count=_count: raw_model(raw_graph(raw_node("Sum", ("x",) * count))),
    )
ATTACKS.put(
    "1024_outputs_of_one_node_and_an_input",
    "at most 1024 inputs and outputs",
    lambda: raw_model(raw_graph(raw_node("Split", ("x",), ("y", *(f"v{i}" for i in range(1023)))))),
)


def _copied(names: int, branches: int) -> bytes:
    """Every graph inside sees all names outside: few bytes in the file, and a copy of all names for each of them."""
    outside = b"".join(f(5, f(8, f"w{i}") + f(2, FLOAT) + f(9, bytes(4))) for i in range(names))
    go = f(5, f(8, "go") + f(2, 9) + f(9, b"\1"))
    way = f(1, raw_node("Relu", ("x",), ("r",))) + f(12, port("r"))
    ways = b"".join(f(5, f(1, name) + f(6, way) + f(20, 5)) for name in ("then_branch", "else_branch"))
    ifs = [f(1, "go") + f(2, f"v{i}") + f(4, "If") + ways for i in range(branches)]
    return raw_model(raw_graph(*ifs, raw_node("Identity", ("x",), ("y",)), more=outside + go))


ATTACKS.put("names_of_all_around_copied_into_many_branches", "as much to read", functools.partial(_copied, 30_000, 400))
ATTACKS.put(
    "hundred_thousand_attributes",
    "attribute",
    lambda: raw_model(raw_graph(raw_node(more=f(5, f(1, "a") + f(20, 2)) * 100_000))),
)
ATTACKS.put(
    "million_inputs_of_the_graph",
    "input|duplicate|count",
    lambda: raw_model(raw_graph(raw_node(), more=f(11, f(1, "i")) * 1_000_000)),
)
ATTACKS.put(
    "two_million_initialisers",
    "initialiser|initializer|count|tensor|duplicate|name",
    lambda: raw_model(raw_graph(raw_node(), more=f(5, b"") * 2_000_000)),
)
ATTACKS.put("thirty_thousand_nodes_in_a_branch", "node", lambda: _nested_many(33_000))


def _nested_many(count: int) -> bytes:
    inner = raw_graph(
        *[raw_node("Relu", ("x",), (f"v{i}",)) for i in range(count)], raw_node("Identity", ("x",), ("y",))
    )
    constant = f(1, "x") + f(2, "c") + f(4, "Cast") + f(5, f(1, "to") + f(3, 9) + f(20, 2))
    branches = b"".join(f(5, f(1, name) + f(6, inner) + f(20, 5)) for name in ("then_branch", "else_branch"))
    return raw_model(raw_graph(constant, f(1, "c") + f(2, "y") + f(4, "If") + branches))


for _name, _text in (
    ("empty", b""),
    ("nul_inside", b"Relu\0Hardmax"),
    ("nul_after", b"Relu\0"),
    ("two_hundred_letters", b"R" * 200),
    ("a_megabyte", b"Relu" * 262_144),
    ("leading_space", b" Relu"),
    ("trailing_newline", b"Relu\n"),
    ("lower_case", b"relu"),
    ("upper_case", b"RELU"),
    ("invalid_utf8", b"Relu\xff\xfe"),
    ("look_alike_letter", "Rеlu".encode()),
    ("with_version", b"Relu-14"),
    ("with_domain", b"ai.onnx::Relu"),
):
    ATTACKS.put(
        f"op_type_{_name}",
        "operator|name|utf",
        lambda text=_text: raw_model(raw_graph(f(1, "x") + f(2, "y") + f(4, text))),
    )
ATTACKS.put("op_type_missing", "operator", lambda: raw_model(raw_graph(f(1, "x") + f(2, "y"))))
ATTACKS.put(
    "op_type_given_twice", "operator|duplicate", lambda: raw_model(raw_graph(raw_node("Relu", more=f(4, "Hardmax"))))
)
ATTACKS.put(
    "op_type_given_twice_allowed_last",
    "operator|duplicate",
    lambda: raw_model(raw_graph(raw_node("Hardmax", more=f(4, "Relu")))),
)
ATTACKS.put(
    "domain_given_twice",
    "domain|duplicate",
    lambda: raw_model(raw_graph(raw_node(more=f(7, "") + f(7, "com.microsoft")))),
)
ATTACKS.put(
    "input_size_minus_one",
    "dim|shape",
    lambda: raw_model(
        raw_graph(raw_node(), more=f(11, f(1, "z") + f(2, f(1, f(1, 1) + f(2, f(1, f(1, signed(-1))))))))
    ),
)
