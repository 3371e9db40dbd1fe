"""Bytes that protobuf readers disagree about, and bytes that are no model at all."""

from __future__ import annotations

import functools
import io
import pickle
import zipfile
from collections.abc import Callable

from onnx import TensorProto

from hostile.build import Shelf, f, plain, port, raw_graph, raw_model, raw_node, signed, varint

ATTACKS = Shelf("wire")
MIB = 1 << 20
LIMIT = 50 * MIB
RULE = "protobuf"


def put(name: str, build: Callable[[], bytes], rule: str = RULE) -> None:
    ATTACKS.put(name, rule, build)


def honest() -> bytes:
    return raw_model()


def zipped() -> bytes:
    memory = io.BytesIO()
    with zipfile.ZipFile(memory, "w") as archive:
        archive.writestr("model.onnx", honest())
        archive.writestr("../../escape", b"x")
    return memory.getvalue()


class _Command:
    """What a pickle of bad intent does when somebody opens it."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return eval, ("1/0",)


put("empty_file", lambda: b"")
for _byte in (0x00, 0x08, 0x0A, 0x3A, 0x80, 0xFF):
    put(f"single_byte_{_byte:02x}", lambda byte=_byte: bytes([byte]))
put("zip_file", zipped)
put("pickle_file", lambda: pickle.dumps(_Command()))
put("text_file", lambda: b"This is not a model.\n" * 40)
put("json_file", lambda: b'{"irVersion": 8, "graph": {"node": []}}')
put("html_page", lambda: b"<!DOCTYPE html><html><body>404</body></html>")
put("lfs_pointer", lambda: b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n")
put("png_file", lambda: b"\x89PNG\r\n\x1a\n" + bytes(64))
put("elf_file", lambda: b"\x7fELF\x02\x01\x01" + bytes(64))
put("a_tensor_alone", lambda: f(1, 3) + f(2, 1) + f(9, bytes(12)))
put("a_graph_alone", lambda: raw_graph(raw_node()))
put("model_inside_a_field", lambda: f(1, raw_model()))
put("zeros_to_the_limit", lambda: bytes(49 * MIB))
put("ones_to_the_limit", lambda: b"\xff" * (49 * MIB))
put("one_byte_over_the_limit", lambda: honest() + f(6, bytes(LIMIT - len(honest()) - 4)), "size|bytes|MiB|limit")
put("far_over_the_limit", lambda: honest() + f(6, bytes(LIMIT + 8 * MIB)), "size|bytes|MiB|limit")
for _cut in range(1, 10):
    put(f"truncated_after_{_cut}_tenths", lambda cut=_cut: plain().SerializeToString()[: -(10 - cut) * 12 - 1])
put("truncated_by_one_byte", lambda: plain().SerializeToString()[:-1])
put("truncated_inside_a_graph", lambda: f(1, 8) + varint(7 << 3 | 2) + varint(500) + raw_graph(raw_node()))
for _name, _tail in (
    ("zero_byte", b"\0"),
    ("zero_kibibyte", bytes(1024)),
    ("newline", b"\n"),
    ("text", b"trailing text"),
    ("second_model", honest()),
    ("end_group", b"\x0c"),
    ("half_a_varint", b"\x08\x80"),
):
    put(f"trailing_{_name}", lambda tail=_tail: honest() + tail, RULE + "|duplicate")

for _name, _field in (
    ("graph", f(7, raw_graph(raw_node()))),
    ("graph_that_merges_a_node", f(7, f(1, raw_node("Hardmax")))),
    ("graph_that_merges_nothing", f(7, b"")),
    ("ir_version", f(1, 8)),
    ("producer", f(2, "a") + f(2, "b")),
):
    put(f"second_{_name}", lambda field=_field: honest() + field, "duplicate|twice")

for _name, _bytes in (
    ("group", b"\xc3\x06\xc4\x06"),
    ("group_never_closed", b"\xc3\x06"),
    ("group_closed_by_another", b"\xc3\x06\xd4\x06"),
    ("groups_nested_deeply", b"\xc3\x06" * 100_000 + b"\xc4\x06" * 100_000),
    ("group_in_place_of_a_graph", b"\x3b\x3c"),
    ("wire_type_6", varint(100 << 3 | 6)),
    ("wire_type_7", varint(100 << 3 | 7)),
    ("field_zero", b"\x02\x01a"),
    ("field_zero_varint", b"\x00\x01"),
    ("field_beyond_29_bits", varint(1 << 32 | 2) + b"\x01a"),
    ("tag_of_ten_bytes", b"\x82" + b"\x80" * 8 + b"\x01\x00"),
    ("tag_padded", varint(2 << 3 | 2, 5) + b"\x01a"),
    ("tag_padded_to_ten", varint(2 << 3 | 2, 10) + b"\x01a"),
    ("varint_of_eleven_bytes", b"\x08" + b"\x80" * 10 + b"\x01"),
    ("varint_beyond_64_bits", b"\x28" + b"\xff" * 9 + b"\x7f"),
    ("varint_without_end", b"\x28" + b"\xff" * 100_000),
    ("length_padded", varint(2 << 3 | 2) + varint(1, 9) + b"a"),
    ("length_beyond_the_end", varint(2 << 3 | 2) + varint(1000) + b"a"),
    ("length_of_two_gibibytes", varint(2 << 3 | 2) + varint(1 << 31)),
    ("length_of_63_bits", varint(2 << 3 | 2) + varint((1 << 63) - 1)),
    ("length_negative", varint(2 << 3 | 2) + varint(signed(-1))),
    ("fixed64_cut", varint(100 << 3 | 1) + b"1234"),
    ("fixed32_cut", varint(100 << 3 | 5) + b"12"),
    ("unknown_text", f(100, b"x" * 4096)),
    ("unknown_megabytes", f(100, bytes(20 * MIB))),
    ("unknown_field_of_the_highest_number", f((1 << 29) - 1, b"hello")),
    ("unknown_fields_by_the_million", f(100, 1) * 1_000_000),
    ("unknown_empty_fields_by_the_million", f(100, b"") * 1_000_000),
    ("model_configuration", f(26, f(1, "device") + f(2, 4))),
):
    put(_name, lambda field=_bytes: honest() + field, RULE + "|unknown|field|configuration")

WRONG_WIRE = {
    "op_type_as_a_number": raw_model(raw_graph(f(1, "x") + f(2, "y") + f(4, 7))),
    "op_type_hidden_by_a_number": raw_model(raw_graph(raw_node(more=f(4, 7)))),
    "graph_as_a_number": honest() + f(7, 1),
    "graph_as_fixed64": honest() + f(7, bytes(8), 1),
    "ir_version_as_text": f(1, "8") + honest()[2:],
    "ir_version_as_fixed32": honest() + f(1, b"\x08\0\0\0", 5),
    "opset_version_as_text": raw_model(opset=f(2, "17")),
    "node_as_a_number": raw_model(raw_graph(raw_node(), more=f(1, 1))),
    "dims_as_fixed64": raw_model(raw_graph(raw_node(), more=f(5, f(8, "w") + f(2, 1) + f(1, bytes(8), 1) + f(9, b"")))),
    "name_as_fixed32": raw_model(raw_graph(raw_node(more=f(3, b"abcd", 5)))),
    "domain_as_a_number": raw_model(raw_graph(raw_node(more=f(7, 1)))),
    "attribute_value_as_text": raw_model(
        raw_graph(raw_node("LeakyRelu", more=f(5, f(1, "alpha") + f(20, 1) + f(2, "abcd"))))
    ),
    "attribute_name_as_group": raw_model(raw_graph(raw_node(more=f(5, b"\x0b\x0c")))),
}
for _name, _model in WRONG_WIRE.items():
    put(_name, lambda model=_model: model, RULE + "|wire|type|field")

INSIDE = f(100, b"payload")
for _name, _model in {
    "node": raw_model(raw_graph(raw_node(more=INSIDE))),
    "graph": raw_model(raw_graph(raw_node(), more=INSIDE)),
    "attribute": raw_model(raw_graph(raw_node("LeakyRelu", more=f(5, f(1, "alpha") + f(20, 1) + INSIDE)))),
    "tensor": raw_model(raw_graph(raw_node(), more=f(5, f(8, "w") + f(2, 1) + f(1, 1) + f(9, bytes(4)) + INSIDE))),
    "port": raw_model(raw_graph(raw_node(), more=f(11, port("z") + INSIDE))),
    "opset": raw_model(opset=f(2, 17) + INSIDE),
    "dimension": raw_model(
        raw_graph(raw_node(), more=f(11, f(1, "z") + f(2, f(1, f(1, 1) + f(2, f(1, f(1, 4) + INSIDE))))))
    ),
}.items():
    put(f"unknown_field_in_{_name}", lambda model=_model: model, RULE + "|unknown|field")


for _number in (3, 4, 6, 7, 8, 9, 17):  # what graphs once had, or may have one day
    put(
        f"field_{_number}_of_a_graph",
        lambda number=_number: raw_model(raw_graph(raw_node(), more=f(number, "x"))),
        f"no field {_number} of",
    )
for _number in (9, 13, 15, 27):
    put(f"field_{_number}_of_a_model", lambda number=_number: raw_model(more=f(number, "x")), f"no field {_number} of")

_TENSOR, _SEQUENCE = f(1, f(1, 1)), f(4, b"")
for _name, _types in (
    ("a_tensor_and_a_sequence", _TENSOR + _SEQUENCE),
    ("a_sequence_and_an_optional", _SEQUENCE + f(9, b"")),
    ("a_tensor_and_a_map", _TENSOR + f(5, b"")),
    ("a_tensor_and_text", _TENSOR + f(7, b"")),
):
    put(
        f"type_that_is_{_name}",
        lambda types=_types: raw_model(raw_graph(raw_node(), more=f(11, f(1, "z") + f(2, types)))),
        "are tensors, sequences",
    )
put(
    "axis_that_has_a_length_and_a_name",
    lambda: raw_model(
        raw_graph(raw_node(), more=f(11, f(1, "z") + f(2, f(1, f(1, 1) + f(2, f(1, f(1, 4) + f(2, "N")))))))
    ),
    "has both",
)


def _flood(field: bytes, where: str, mib: int = 49) -> bytes:
    """The same few bytes until the file is full: a reader that makes an object of each drowns."""
    flood = field * (mib * MIB // len(field))
    if where == "model":
        return raw_model(more=flood)
    if where == "graph":
        return raw_model(raw_graph(raw_node(), more=flood))
    if where == "node":
        return raw_model(raw_graph(raw_node(more=flood)))
    if where == "attribute":
        return raw_model(raw_graph(raw_node("LeakyRelu", more=f(5, f(1, "alpha") + flood + f(20, 7)))))
    return raw_model(raw_graph(raw_node(), more=f(5, f(8, "w") + f(2, TensorProto.INT64) + flood)))


for _name, _field, _where in (
    ("opset_imports", f(8, b""), "model"),
    ("metadata", f(14, b""), "model"),
    ("functions", f(25, b""), "model"),
    ("training", f(20, b""), "model"),
    ("ir_versions", f(1, 8), "model"),
    ("unknown_numbers", f(15, 1), "model"),
    ("nodes", f(1, b""), "graph"),
    ("initialisers", f(5, b""), "graph"),
    ("inputs", f(11, b""), "graph"),
    ("value_infos", f(13, b""), "graph"),
    ("sparse_initialisers", f(15, b""), "graph"),
    ("annotations", f(14, b""), "graph"),
    ("wires", f(1, b""), "node"),
    ("outputs", f(2, b""), "node"),
    ("attributes", f(5, b""), "node"),
    ("node_metadata", f(9, b""), "node"),
    ("attribute_integers", f(8, 1), "attribute"),
    ("attribute_texts", f(9, b""), "attribute"),
    ("attribute_graphs", f(11, b""), "attribute"),
    ("attribute_tensors", f(10, b""), "attribute"),
    ("dims", f(1, 1), "tensor"),
    ("packed_dims", f(1, b"\x01" * 1000), "tensor"),
    ("external_entries", f(13, b""), "tensor"),
    ("int64_numbers", f(7, 1), "tensor"),
    ("string_numbers", f(6, b""), "tensor"),
    ("empty_packed_runs", f(7, b""), "tensor"),
):
    put(
        f"flood_of_{_name}",
        functools.partial(_flood, _field, _where),
        RULE + "|count|external|sparse|initialiser|duplicate|function|training",
    )


def _head(number: int, length: int) -> bytes:
    return varint(number << 3 | 2) + varint(length)


def _wrapped(levels: int, numbers: tuple[int, ...], core: bytes = b"") -> bytes:
    """Fields inside fields: `numbers` is the path of one level, from the outside."""
    heads, length = [], len(core)
    for _ in range(levels):
        for number in reversed(numbers):
            head = _head(number, length)
            heads.append(head)
            length += len(head)
    return b"".join(reversed(heads)) + core


SEQUENCES = (4, 1)
"""A type that is a sequence of a type."""

SUBGRAPHS = (1, 5, 6)
"""A graph's node's attribute's graph."""

for _levels in (50, 10_000, 1_000_000):
    put(
        f"type_nested_{_levels}_deep",
        lambda n=_levels: raw_model(raw_graph(raw_node(), more=f(11, f(1, "z") + f(2, _wrapped(n, SEQUENCES))))),
        RULE + "|depth|type|input",
    )
    put(
        f"graph_nested_{_levels}_deep_in_attributes",
        lambda n=_levels: raw_model(raw_graph(raw_node(), more=_wrapped(n, SUBGRAPHS))),
        RULE + "|depth|graph|operator|node",
    )
    put(
        f"graphs_nested_{_levels}_deep_in_attribute_lists",
        lambda n=_levels: raw_model(raw_graph(raw_node(), more=_wrapped(n, (1, 5, 11)))),
        RULE + "|depth|graph|operator|node",
    )
    put(
        f"attribute_types_nested_{_levels}_deep",
        lambda n=_levels: raw_model(raw_graph(raw_node(more=f(5, f(1, "t") + f(14, _wrapped(n, SEQUENCES)))))),
        RULE + "|depth|type|attribute",
    )
put(
    "optional_types_nested_deep",
    lambda: raw_model(raw_graph(raw_node(), more=f(11, f(1, "z") + f(2, _wrapped(100_000, (9, 1)))))),
    RULE + "|depth|type|input",
)
put(
    "map_types_nested_deep",
    lambda: raw_model(raw_graph(raw_node(), more=f(13, f(1, "z") + f(2, _wrapped(100_000, (5, 2)))))),
    RULE + "|depth|type|value|tensors",
)
put(
    "training_graphs_nested_deep",
    lambda: raw_model(more=f(20, f(1, _wrapped(100_000, SUBGRAPHS)))),
    RULE + "|depth|training",
)
