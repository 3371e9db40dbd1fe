"""Protocol buffers: what the reference implementation writes is read back, and every other form is refused."""

from __future__ import annotations

import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import NodeProto, TensorProto

from hostile.build import f, varint
from tinyvmaf.dnn import wire
from tinyvmaf.dnn.wire import Budget, WireError, read_fields

INTEGERS = st.integers(-(2**63), 2**63 - 1)


def fields_of(data, kind="TensorProto", most=1000):
    return read_fields(memoryview(data), kind, Budget(most))


@given(st.lists(INTEGERS), st.lists(INTEGERS), st.text(max_size=100))
def test_what_protobuf_writes_is_read(dims, values, name):
    fields = fields_of(TensorProto(dims=dims, int64_data=values, name=name).SerializeToString())
    assert wire.integers(fields.get(1, [])) == dims
    assert wire.integers(fields.get(7, [])) == values
    assert wire.numbers_in(fields.get(7, [])) == len(values)
    assert wire.text(fields, 8) == name


@given(st.lists(st.floats(width=32)), st.lists(st.floats()))
def test_reals(singles, doubles):
    fields = fields_of(TensorProto(float_data=singles, double_data=doubles).SerializeToString())
    np.testing.assert_array_equal(wire.floats(fields.get(4, [])), singles)
    np.testing.assert_array_equal(wire.floats(fields.get(10, []), "d"), doubles)
    assert wire.numbers_in(fields.get(4, []), 4) == len(singles)
    assert wire.numbers_in(fields.get(10, []), 8) == len(doubles)


@given(st.lists(st.text(max_size=20)))
def test_repeated_texts(names):
    fields = fields_of(NodeProto(input=names).SerializeToString(), "NodeProto")
    assert [wire.decoded(wire.message(item)) for item in fields.get(1, [])] == names


@given(st.binary())
def test_arbitrary_bytes_are_fields_or_an_error(data):
    for kind in wire.MESSAGES:
        try:
            fields = fields_of(data, kind)
        except WireError:
            continue
        assert sum(map(len, fields.values())) <= len(data) / 2


def test_packed_and_plain_numbers_may_be_mixed():
    fields = fields_of(f(7, b"\x01\x02") + f(7, 3))
    assert wire.integers(fields[7]) == [1, 2, 3]
    assert wire.numbers_in(fields[7]) == 3


def test_the_largest_number_is_read_and_signed():
    fields = fields_of(f(2, 2**63 - 1) + f(14, -1))
    assert wire.integer(fields, 2) == 2**63 - 1
    assert wire.integer(fields, 14) == -1
    assert wire.integer(fields, 3) == 0


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"\x80", "inside a number"),
        (b"\x10", "inside a number"),
        (b"\x10\x80", "inside a number"),
        (b"\x10\x80\x00", "superfluous"),
        (b"\x10" + b"\xff" * 9 + b"\x02", "superfluous"),
        (b"\x10" + b"\xff" * 10 + b"\x01", "does not end"),
        (f(2, 1) + f(2, 1), "field 2 of TensorProto is there twice"),
        (f(99, 1), "no field 99"),
        (f(2, b"x"), "no field 2 of wire type 2"),
        (b"\x0b\x0c", "wire type 3"),
        (f(9, b"abc")[:-1], "a field of 3 bytes runs past"),
        (b"\x25\x00\x00", "a field of 4 bytes runs past"),
        (b"\x51\x00\x00", "a field of 8 bytes runs past"),
    ],
)
def test_one_reading_or_none(data, words):
    with pytest.raises(WireError, match=words):
        fields_of(data)


def test_fields_are_counted_over_all_messages():
    budget = Budget(3)
    read_fields(memoryview(f(1, 1) * 2), "TensorProto", budget)
    with pytest.raises(WireError, match="more than 3 fields"):
        read_fields(memoryview(f(1, 1) * 2), "TensorProto", budget)


def test_other_reading_is_paid_for_too():
    budget = Budget(3)
    budget.spend(3)
    with pytest.raises(WireError, match="more than 3 fields"):
        budget.spend(1)


@pytest.mark.parametrize(("values", "size"), [([memoryview(bytes(5))], 4), ([memoryview(b"\x01\x80")], 0)])
def test_packed_numbers_end_with_a_number(values, size):
    with pytest.raises(WireError, match="end inside a number"):
        wire.numbers_in(values, size)


def test_packed_numbers_are_canonical():
    with pytest.raises(WireError, match="superfluous"):
        wire.integers([memoryview(varint(5, 3))])


def test_a_number_is_no_message_and_the_reverse():
    with pytest.raises(WireError, match="where a message belongs"):
        wire.message(3)
    with pytest.raises(WireError, match="not a number"):
        wire.integer({1: [memoryview(b"x")]}, 1)


@pytest.mark.parametrize(("name", "words"), [(b"\xff", "not text"), (b"x" * 513, "at most 512 bytes long")])
def test_names(name, words):
    with pytest.raises(WireError, match=words):
        wire.decoded(memoryview(name))
    assert wire.decoded(memoryview(b"x" * 512)) == "x" * 512


def test_plain_numbers_are_no_packed_reals():
    assert wire.floats([memoryview(struct.pack("<2f", 1, 2)), memoryview(struct.pack("<f", 3))]) == [1, 2, 3]
