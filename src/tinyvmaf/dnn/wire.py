"""Protocol buffer bytes as fields, strictly: one reading of a file, and no byte that nobody has looked at.

The parsers of the world differ in what they do with a field that comes twice, a number with superfluous bytes, an
unknown field or a group. A file that has any of these could mean one thing here and another to the runtime, so it is
refused.

Source: the protocol buffer encoding and the messages of onnx.proto (IR version 14).
"""

from __future__ import annotations

import struct

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final, TypeAlias

VARINT: Final = 0
FIXED64: Final = 1
BYTES: Final = 2
FIXED32: Final = 5
MAX_NAME: Final = 512

Value: TypeAlias = "int | memoryview"
Fields: TypeAlias = "dict[int, list[Value]]"

_SIGN = 1 << 63
_WRAP = 1 << 64
_HIGH_BYTES = bytes(range(128, 256))


class WireError(ValueError):
    """The bytes are not a message of the kind that is expected here."""


class Budget:
    """How many fields may still be read.

    Attributes:
        fields: What is left.
        total: What there was.
    """

    __slots__ = ("fields", "total")

    def __init__(self, fields: int) -> None:
        self.fields = self.total = fields

    def spend(self, count: int) -> None:
        """Take from the budget what reading something else costs.

        Raises:
            WireError: It is used up.
        """
        self.fields -= count
        if self.fields < 0:
            raise WireError(f"it is as much to read as more than {self.total} fields")


def _table(
    singular: dict[int, tuple[int, ...]], repeated: dict[int, tuple[int, ...]]
) -> dict[int, tuple[bool, tuple[int, ...]]]:
    return {n: (False, w) for n, w in singular.items()} | {n: (True, w) for n, w in repeated.items()}


def _all(wires: tuple[int, ...], *numbers: int) -> dict[int, tuple[int, ...]]:
    return dict.fromkeys(numbers, wires)


_V, _B, _F = (VARINT,), (BYTES,), (FIXED32,)
_VS, _FS, _DS = (VARINT, BYTES), (FIXED32, BYTES), (FIXED64, BYTES)

MESSAGES: Final[dict[str, dict[int, tuple[bool, tuple[int, ...]]]]] = {
    "ModelProto": _table(_all(_V, 1, 5) | _all(_B, 2, 3, 4, 6, 7), _all(_B, 8, 14, 20, 25, 26)),
    "OperatorSetIdProto": _table(_all(_B, 1) | _all(_V, 2), {}),
    "GraphProto": _table(_all(_B, 2, 10), _all(_B, 1, 5, 11, 12, 13, 14, 15, 16)),
    "NodeProto": _table(_all(_B, 3, 4, 6, 7, 8), _all(_B, 1, 2, 5, 9, 10)),
    "AttributeProto": _table(
        _all(_B, 1, 4, 5, 6, 13, 14, 21, 22) | _all(_V, 3, 20) | _all(_F, 2),
        _all(_FS, 7) | _all(_VS, 8) | _all(_B, 9, 10, 11, 15, 23),
    ),
    "TensorProto": _table(
        _all(_V, 2, 14) | _all(_B, 3, 8, 9, 12),
        _all(_VS, 1, 5, 7, 11) | _all(_FS, 4) | _all(_DS, 10) | _all(_B, 6, 13, 16),
    ),
    "ValueInfoProto": _table(_all(_B, 1, 2, 3), _all(_B, 4)),
    "TypeProto": _table(_all(_B, 1, 4, 5, 6, 7, 8, 9), {}),
    "TypeProto.Tensor": _table(_all(_V, 1) | _all(_B, 2), {}),
    "TypeProto.Sequence": _table(_all(_B, 1), {}),
    "TensorShapeProto": _table({}, _all(_B, 1)),
    "Dimension": _table(_all(_V, 1) | _all(_B, 2, 3), {}),
    "TensorAnnotation": _table(_all(_B, 1), _all(_B, 2)),
    "StringStringEntryProto": _table(_all(_B, 1, 2), {}),
}
"""Message -> field number -> (whether it repeats, wire types it may have)."""

_BY_TAG: Final = {
    kind: {number << 3 | wire: (number, repeats) for number, (repeats, wires) in table.items() for wire in wires}
    for kind, table in MESSAGES.items()
}
"""Message -> number and wire type, as they are written before a value -> (field number, whether it repeats)."""


def read_fields(data: memoryview, kind: str, budget: Budget) -> Fields:
    """Split a message into its fields.

    Args:
        data: The bytes of one message.
        kind: A key of MESSAGES.
        budget: Reduced by the number of fields.

    Returns:
        Field number to its values in order: int (0 to 2**64 - 1) for numbers, memoryview for everything else.

    Raises:
        WireError: The bytes are not such a message, or the budget is used up.
    """
    table = _BY_TAG[kind]
    fields: Fields = {}
    position, end = 0, len(data)
    while position < end:
        budget.fields -= 1
        if budget.fields < 0:
            raise WireError(f"it has more than {budget.total} fields")
        tag, position = data[position], position + 1
        if tag >= 0x80:
            tag, position = _varint(data, position - 1, end)
        if tag not in table:
            raise WireError(f"{kind} has no field {tag >> 3} of wire type {tag & 7}")
        number, repeats = table[tag]
        value, position = _value(data, position, end, tag & 7)
        if number not in fields:
            fields[number] = [value]
        elif repeats:
            fields[number].append(value)
        else:
            raise WireError(f"field {number} of {kind} is there twice")
    return fields


def skip_remarks(values: list[Value], budget: Budget) -> None:
    """Pass over pairs of texts that mean nothing to a run, but of which the runtime makes objects all the same.

    Args:
        values: Messages of that kind.
        budget: Reduced by the number of fields.

    Raises:
        WireError: They are no such messages, or the budget is used up.
    """
    for item in values:
        read_fields(message(item), "StringStringEntryProto", budget)


def _value(data: memoryview, position: int, end: int, wire: int) -> tuple[Value, int]:
    if wire in (FIXED32, FIXED64):
        length = 4 if wire == FIXED32 else 8
    else:
        if position < end and data[position] < 0x80:  # most numbers are small: this is where the time of a check goes
            length, position = data[position], position + 1
        else:
            length, position = _varint(data, position, end)
        if wire == VARINT:
            return length, position
    after = position + length
    if after > end:
        raise WireError(f"a field of {length} bytes runs past the end of its message")
    return data[position:after], after


def _varint(data: memoryview, position: int, end: int) -> tuple[int, int]:
    if position >= end:
        raise WireError("it ends inside a number")
    byte = data[position]
    position += 1
    if byte < 0x80:
        return byte, position
    value, shift = byte & 0x7F, 7
    while True:
        if position >= end:
            raise WireError("it ends inside a number")
        byte = data[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            if byte == 0 or value >= _WRAP:
                raise WireError("a number is written with superfluous bytes")
            return value, position
        shift += 7
        if shift > 63:
            raise WireError("a number does not end")


def signed(value: int) -> int:
    """An unsigned 64-bit number read as two's complement."""
    return value - _WRAP if value >= _SIGN else value


def numbers_in(values: list[Value], item_bytes: int = 0) -> int:
    """How many numbers a repeated field holds, packed or not.

    Args:
        values: What `read_fields` gave for the field.
        item_bytes: 4 or 8 for numbers of fixed width, 0 for varints.

    Returns:
        Their number.

    Raises:
        WireError: A packed field ends inside a number.
    """
    total = 0
    for value in values:
        if isinstance(value, int):
            total += 1
        elif item_bytes:
            if len(value) % item_bytes:
                raise WireError("packed numbers end inside a number")
            total += len(value) // item_bytes
        else:
            # Every varint ends in one byte below 128: counting those needs no loop.
            total += len(bytes(value).translate(None, _HIGH_BYTES))
            if len(value) and value[-1] >= 0x80:
                raise WireError("packed numbers end inside a number")
    return total


def integers(values: list[Value]) -> list[int]:
    """The signed numbers of a repeated field, packed or not.

    Args:
        values: What `read_fields` gave for the field; short, for every number becomes an object.

    Returns:
        The numbers.

    Raises:
        WireError: A packed field is malformed.
    """
    found: list[int] = []
    for value in values:
        if isinstance(value, int):
            found.append(signed(value))
            continue
        position, end = 0, len(value)
        while position < end:
            number, position = _varint(value, position, end)
            found.append(signed(number))
    return found


def floats(values: list[Value], code: str = "f") -> list[float]:
    """The numbers of a repeated field of fixed width, packed or not.

    Args:
        values: What `read_fields` gave for the field; short.
        code: "f" for float32, "d" for float64.

    Returns:
        The numbers.
    """
    size = struct.calcsize(code)
    joined = b"".join(bytes(value) for value in values if not isinstance(value, int))
    return list(struct.unpack(f"<{len(joined) // size}{code}", joined))


def integer(fields: Fields, number: int) -> int:
    """A field that is one signed number, 0 where it is absent.

    Raises:
        WireError: It is no number.
    """
    if number not in fields:
        return 0
    value = fields[number][0]
    if not isinstance(value, int):
        raise WireError(f"field {number} is not a number")
    return value if value < _SIGN else value - _WRAP


def message(value: Value) -> memoryview:
    """A value that is a message or bytes.

    Raises:
        WireError: It is a number.
    """
    if isinstance(value, int):
        raise WireError("a number stands where a message belongs")
    return value


def text(fields: Fields, number: int) -> str:
    """A field that is a name, empty where it is absent.

    Raises:
        WireError: It is too long or no UTF-8.
    """
    return decoded(fields[number][0]) if number in fields else ""


def texts(fields: Fields, number: int) -> tuple[str, ...]:
    """A repeated field of names.

    Raises:
        WireError: One is too long or no UTF-8.
    """
    return tuple([decoded(value) for value in fields[number]]) if number in fields else ()


def decoded(value: Value) -> str:
    """Bytes as a name.

    Raises:
        WireError: It is a number, or they are too many or no UTF-8.
    """
    if isinstance(value, int) or len(value) > MAX_NAME:
        raise WireError(f"a name is no number, and at most {MAX_NAME} bytes long")
    try:
        return str(value, "utf-8")
    except UnicodeDecodeError as error:
        raise WireError("a name is not text") from error
