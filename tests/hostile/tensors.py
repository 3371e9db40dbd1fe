"""Tensors that point outside the file, lie about their size, or hold what no model needs."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper

from hostile.build import FLOAT, INT64, Net, Shelf, f, plain, raw_graph, raw_model, raw_node, signed

ATTACKS = Shelf("tensors")

LOCATIONS = {
    "same_folder": "weights.data",
    "traversal": "../secret.bin",
    "nested_traversal": "a/../../secret.bin",
    "deep_traversal": "../" * 40 + "etc/passwd",
    "absolute": "/etc/passwd",
    "backslash": "..\\..\\secret.bin",
    "mixed_slashes": "a\\../..\\../secret.bin",
    "drive": "C:\\Windows\\win.ini",
    "network_share": "\\\\host\\share\\x",
    "url": "https://example.org/weights.bin",
    "file_url": "file:///etc/passwd",
    "device": "/dev/zero",
    "process_memory": "/proc/self/mem",
    "link": "link_to_a_file_outside",
    "nul_inside": "weights.data\0/../x",
    "empty": "",
    "folder_itself": ".",
    "memory_address": "*/_ORT_MEM_ADDR_/*",
    "percent_encoded": "%2e%2e/secret.bin",
    "home": "~/.ssh/id_ed25519",
}


def _tensor(entries: Sequence[tuple[str, str]] = (("location", "weights.data"),), located: bool = True) -> TensorProto:
    tensor = TensorProto(name="w", data_type=FLOAT, dims=[1])
    if located:
        tensor.data_location = TensorProto.EXTERNAL
    for key, value in entries:
        tensor.external_data.add(key=key, value=value)
    return tensor


def _initialised(tensor: TensorProto) -> bytes:
    model = plain()
    model.graph.node[0].CopyFrom(helper.make_node("Cast", ["w"], ["real"], to=FLOAT))
    model.graph.node.append(helper.make_node("Add", ["x", "real"], [model.graph.output[0].name]))
    model.graph.initializer.append(tensor)
    return model.SerializeToString()


def external(name: str, *entries: tuple[str, str], located: bool = True) -> None:
    ATTACKS.put(f"external_data_{name}", "external", lambda: _initialised(_tensor(entries, located)))


for _name, _location in LOCATIONS.items():
    external(_name, ("location", _location))
external("without_location")
external("entries_without_the_flag", ("location", "weights.data"), located=False)
external("giant_offset", ("location", "weights.data"), ("offset", str(2**63)))
external("negative_offset", ("location", "weights.data"), ("offset", "-1"))
external("giant_length", ("location", "weights.data"), ("length", str(2**62)))
external("address_with_offset", ("location", "*/_ORT_MEM_ADDR_/*"), ("offset", "140737488355328"), ("length", "4"))
external("unexpected_keys", ("location", "weights.data"), ("__class__", "os.system"), ("dims", "9999999"))
external("location_twice", ("location", "weights.data"), ("location", "../secret.bin"))
external("thousands_of_keys", *[(f"key{i}", "x") for i in range(5000)])
external("checksum_only", ("checksum", "0" * 40))


def _in_constant(wrap: Callable[[Net, TensorProto], str]) -> bytes:
    net = Net()
    return net.sink(wrap(net, _tensor()))


def _constant(net: Net, tensor: TensorProto) -> str:
    return str(net.op("Constant", value=tensor))


def _in_branch(net: Net, tensor: TensorProto) -> str:
    return net.branch(
        net.const(True), lambda body: _constant(body, tensor), lambda body: body.op("Identity", body.const([1.0]))
    )


def _in_branch_initialiser(net: Net, tensor: TensorProto) -> str:
    def keep(body: Net) -> str:
        body.initialisers.append(tensor)
        return str(body.op("Identity", "w"))

    return net.branch(net.const(True), keep, lambda body: body.op("Identity", body.const([1.0])))


ATTACKS.put("external_data_in_a_constant", "external", functools.partial(_in_constant, _constant))
ATTACKS.put("external_data_in_a_branch", "external", functools.partial(_in_constant, _in_branch))
ATTACKS.put(
    "external_data_in_a_branch_initialiser", "external", functools.partial(_in_constant, _in_branch_initialiser)
)
ATTACKS.put(
    "external_data_in_constant_of_shape",
    "external",
    functools.partial(_in_constant, lambda n, t: n.op("ConstantOfShape", n.const([4]), value=t)),
)


@ATTACKS.add("external|attribute|tensor")
def external_data_in_a_list_of_tensors() -> bytes:
    model = plain()
    model.graph.node[0].attribute.append(helper.make_attribute("more", [_tensor()]))
    return model.SerializeToString()


@ATTACKS.add("external")
def external_data_nobody_reads() -> bytes:
    model = plain()
    model.graph.initializer.append(_tensor((("location", "/dev/zero"),)))
    return model.SerializeToString()


def _sparse() -> onnx.SparseTensorProto:
    values = helper.make_tensor("s", FLOAT, [1], [1.0])
    return helper.make_sparse_tensor(values, helper.make_tensor("i", INT64, [1], [0]), [1 << 20, 1 << 20])


@ATTACKS.add("sparse")
def sparse_initialiser() -> bytes:
    net = Net()
    model = net.model(net.op("Add", net.x, net.op("ReduceMean", "s", keepdims=0)))
    model.graph.sparse_initializer.append(_sparse())
    return model.SerializeToString()


@ATTACKS.add("sparse")
def sparse_constant() -> bytes:
    net = Net()
    return net.sink(net.op("Constant", sparse_value=_sparse()))


@ATTACKS.add("sparse|attribute")
def sparse_list_attribute() -> bytes:
    model = plain()
    model.graph.node[0].attribute.append(helper.make_attribute("many", [_sparse()]))
    return model.SerializeToString()


@ATTACKS.add("sparse")
def sparse_initialiser_in_a_branch() -> bytes:
    model = onnx.load_model_from_string(_in_constant(_in_branch_initialiser))
    node = next(node for node in model.graph.node if node.op_type == "If")
    branch = next(attribute.g for attribute in node.attribute if attribute.g.initializer)
    del branch.initializer[:]
    branch.sparse_initializer.append(_sparse())
    return model.SerializeToString()


def payload(dims: Sequence[int], kind: int, *, raw: bytes | None = None, **lists: Any) -> bytes:
    tensor = TensorProto(name="w", data_type=kind, dims=dims, **lists)
    if raw is not None:
        tensor.raw_data = raw
    return _initialised(tensor)


for _name, _dims, _kind, _more in (
    ("shorter_than_dims", [4], FLOAT, {"raw": bytes(8)}),
    ("longer_than_dims", [1], FLOAT, {"raw": bytes(4096)}),
    ("not_a_whole_number", [1], FLOAT, {"raw": bytes(5)}),
    ("missing", [4], FLOAT, {}),
    ("missing_for_sixteen_gibibytes", [1 << 16, 1 << 16], FLOAT, {}),
    ("missing_for_a_product_that_wraps_to_zero", [1 << 32, 1 << 32], FLOAT, {"raw": b""}),
    ("for_a_product_that_wraps_to_one", [7, 7905747460161236407], FLOAT, {"raw": bytes(4)}),
    ("of_negative_dims", [-1], FLOAT, {"raw": bytes(4)}),
    ("of_two_negative_dims", [-2, -2], FLOAT, {"raw": bytes(16)}),
    ("of_dims_at_the_edge", [2**63 - 1], FLOAT, {"raw": bytes(4)}),
    ("empty_beside_a_giant_axis", [0, 1 << 62], FLOAT, {"raw": b""}),
    ("raw_and_floats", [1], FLOAT, {"raw": bytes(4), "float_data": [1.0]}),
    ("raw_and_int32", [1], FLOAT, {"raw": bytes(4), "int32_data": [1]}),
    ("floats_and_doubles", [1], FLOAT, {"float_data": [1.0], "double_data": [1.0]}),
    ("float_in_int32_list", [1], FLOAT, {"int32_data": [1]}),
    ("int64_in_int32_list", [1], INT64, {"int32_data": [1]}),
    ("float_in_double_list", [1], FLOAT, {"double_data": [1.0]}),
    ("too_many_floats", [2], FLOAT, {"float_data": [1.0] * 9}),
    ("too_few_floats", [9], FLOAT, {"float_data": [1.0] * 2}),
    ("too_many_integers", [], INT64, {"int64_data": [1, 2, 3]}),
    ("text", [2], TensorProto.STRING, {"string_data": [b"a", b"b"]}),
    ("text_as_raw", [1], TensorProto.STRING, {"raw": b"abcd"}),
    ("text_beside_floats", [1], FLOAT, {"float_data": [1.0], "string_data": [b"a"]}),
    ("undefined_type", [1], 0, {"raw": bytes(4)}),
    ("unknown_type", [1], 99, {"raw": bytes(4)}),
    ("complex_numbers", [1], TensorProto.COMPLEX64, {"raw": bytes(8)}),
    ("four_bit_numbers_too_long", [4], TensorProto.INT4, {"raw": bytes(64)}),
):
    ATTACKS.put(
        f"payload_{_name}",
        "payload|tensor|dim|size|text|string|type",
        functools.partial(payload, _dims, _kind, **_more),
    )


@ATTACKS.add("segment|tensor|field")
def tensor_in_segments() -> bytes:
    tensor = TensorProto(name="w", data_type=FLOAT, dims=[1], raw_data=bytes(4))
    tensor.segment.begin, tensor.segment.end = 0, 1 << 40
    return _initialised(tensor)


@ATTACKS.add("name|initialiser|initializer|tensor")
def initialiser_without_a_name() -> bytes:
    model = plain()
    model.graph.initializer.append(TensorProto(data_type=FLOAT, dims=[1], raw_data=bytes(4)))
    return model.SerializeToString()


def _raw_tensor(*fields: bytes) -> bytes:
    return raw_model(raw_graph(raw_node("Add", ("x", "w")), more=f(5, b"".join(fields))))


HEAD = f(8, "w") + f(2, FLOAT)
for _name, _fields in (
    ("dims_packed_then_plain", (HEAD, f(1, b"\x01"), f(1, 4), f(9, bytes(4)))),
    ("raw_data_twice", (HEAD, f(1, 1), f(9, bytes(4)), f(9, bytes(4)))),
    ("raw_data_twice_of_two_lengths", (HEAD, f(1, 1), f(9, bytes(400)), f(9, bytes(4)))),
    ("data_type_twice", (HEAD, f(2, INT64), f(1, 1), f(9, bytes(8)))),
    ("data_type_beyond_32_bits", (f(8, "w"), f(2, 2**32 + 1), f(1, 1), f(9, bytes(4)))),
    ("data_type_negative", (f(8, "w"), f(2, signed(-3)), f(1, 1), f(9, bytes(4)))),
    ("name_twice", (HEAD, f(8, "v"), f(1, 1), f(9, bytes(4)))),
    ("floats_of_odd_length", (HEAD, f(1, 1), f(4, bytes(5)))),
    ("packed_integers_cut", (f(8, "w") + f(2, INT64), f(1, 1), f(7, b"\x80"))),
    ("packed_integers_overlong", (f(8, "w") + f(2, INT64), f(1, 1), f(7, b"\x80" * 10 + b"\x01"))),
    ("packed_and_plain_integers", (f(8, "w") + f(2, INT64), f(1, 1), f(7, b"\x01"), f(7, 5))),
    ("packed_integers_of_fixed_width", (f(8, "w") + f(2, INT64), f(1, 1), f(7, bytes(8), 1))),
    ("dims_with_an_overlong_varint", (HEAD, f(1, b"\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01"), f(9, bytes(4)))),
    ("dims_of_ten_thousand_ones", (HEAD, f(1, b"\x01" * 10_000), f(9, bytes(4)))),
    ("location_flag_unknown", (HEAD, f(1, 1), f(9, bytes(4)), f(14, 7))),
    ("location_flag_twice", (HEAD, f(1, 1), f(9, bytes(4)), f(14, 1), f(14, 0))),
):
    ATTACKS.put(
        f"tensor_{_name}",
        "duplicate|tensor|payload|protobuf|dim|type|rank|external|text",
        functools.partial(_raw_tensor, *_fields),
    )


for _name, _kind, _carrier, _rule in (
    ("int32_of_33_bits", 6, f(5, signed(-(1 << 40) + (1 << 30))), "type int32 is"),
    ("int32_just_too_large", 6, f(5, 1 << 31), "type int32 is"),
    ("int32_just_too_small", 6, f(5, signed(-(1 << 31) - 1)), "type int32 is"),
    ("truth_of_two", 9, f(5, 2), "type bool is"),
    ("truth_of_33_bits", 9, f(5, 1 << 32), "type bool is"),
    ("truth_of_minus_one", 9, f(5, signed(-1)), "type bool is"),
    ("truth_of_255_in_a_byte", 9, f(9, b"\xff"), "truth value is 0 or 1"),
    ("truth_of_two_in_a_byte", 9, f(9, b"\2"), "truth value is 0 or 1"),
):
    _bytes = raw_model(raw_graph(raw_node(), more=f(5, f(8, "w") + f(2, _kind) + f(1, 1) + _carrier)))
    ATTACKS.put(f"{_name}", _rule, lambda model=_bytes: model)


@ATTACKS.add("tensor|duplicate|payload|protobuf|attribute")
def constant_value_merged_from_two_halves() -> bytes:
    """A singular message given twice merges: dims [1] and [1 << 20] become two axes."""
    halves = f(5, f(2, FLOAT) + f(1, 1) + f(9, bytes(4))) + f(5, f(1, 1 << 20))
    node = f(2, "w") + f(4, "Constant") + f(5, f(1, "value") + f(20, 4) + halves)
    return raw_model(raw_graph(node, raw_node("Add", ("x", "w"))))


@ATTACKS.add("text|string|attribute|constant|type")
def constant_of_text() -> bytes:
    net = Net()
    net.op("Constant", value_strings=["a"] * 1000)
    return net.done(net.op("Relu", net.x))


@ATTACKS.add("text|string|attribute|constant|type")
def constant_of_one_text() -> bytes:
    net = Net()
    net.op("Constant", value_string="rm -rf")
    return net.done(net.op("Relu", net.x))


@ATTACKS.add("size")
def constant_of_shape_value_of_two() -> bytes:
    net = Net()
    return net.sink(net.op("ConstantOfShape", net.const([1 << 17, 1 << 17]), value=np.zeros(2, np.float32)))
