"""Constants of a file: measured against their shape, decoded only where a size may follow from them."""

from __future__ import annotations

import struct

from tinyvmaf.dnn.graph import (
    BITS,
    BOOL,
    DOUBLE,
    FEW,
    FLOAT,
    FLOAT16,
    MAX_RANK,
    NAMES,
    STRING,
    Number,
    Refusal,
    Tensor,
    byte_count,
    product,
    shown,
)
from tinyvmaf.dnn.wire import (
    Budget,
    Fields,
    floats,
    integer,
    integers,
    message,
    numbers_in,
    read_fields,
    skip_remarks,
    text,
)

_IN_INT32 = frozenset((2, 3, 4, 5, 6, 9, 10, 16, 17, 18, 19, 20, 24))
_PER_INT32 = {21: 2, 22: 2, 23: 2, 25: 4, 26: 4}


def read_tensor(data: memoryview, where: str, budget: Budget, most: int) -> Tensor:
    """Read a constant.

    Args:
        data: A TensorProto.
        where: Its place in the file, for messages.
        budget: Reduced by the number of fields.
        most: Elements that it may have.

    Returns:
        The tensor.

    Raises:
        Refusal: It is not a plain tensor of numbers whose data fits its shape and lies in the file.
        WireError: The bytes are no TensorProto.
    """
    fields = read_fields(data, "TensorProto", budget)
    name, dtype = text(fields, 8), integer(fields, 2)
    skip_remarks(fields.get(16, []), budget)
    if 13 in fields or integer(fields, 14):
        raise Refusal(
            f"A model holds its weights, but {shown(name)} is kept in another file (external data)", where,
            "Save the model as one file.",
        )  # fmt: skip
    if 3 in fields or dtype not in BITS or dtype == STRING:
        raise Refusal(f"{shown(name)} is no plain tensor of numbers (type {dtype})", where)
    if numbers_in(fields.get(1, [])) > MAX_RANK:
        raise Refusal(f"A tensor has at most {MAX_RANK} axes, but {shown(name)} has more", where)
    dims = tuple(integers(fields.get(1, [])))
    elements = product(dims)
    if min(dims, default=0) < 0 or max((elements, *dims)) > most:
        raise Refusal(f"A tensor has 0 to {most} elements, but {shown(name)} states {list(dims)}", where)
    _check_payload(fields, dtype, elements, name, where)
    if elements > FEW:
        return Tensor(name, dtype, dims, None)
    budget.spend(elements // 4)
    return Tensor(name, dtype, dims, _data(fields, dtype))


_CARRIERS = {4: 4, 5: 0, 7: 0, 9: None, 10: 8, 11: 0}
"""Field of a tensor that may carry its elements -> bytes of one number in it, 0 for varints, None for raw bytes."""


def _check_payload(fields: Fields, dtype: int, elements: int, name: str, where: str) -> None:
    """Hold the amount of data against the shape: one carrier, of the right kind, with exactly as many elements."""
    carriers = [number for number in _CARRIERS if number in fields]
    if 6 in fields or len(carriers) > 1:
        raise Refusal(f"Tensor {shown(name)} gives its elements in more than one way", where)
    number = carriers[0] if carriers else 9
    if number == 9:
        expected, found = byte_count(dtype, elements), len(message(fields[9][0])) if carriers else 0
    else:
        per = _PER_INT32.get(dtype, 1)
        expected, found = -(-elements // per), numbers_in(fields[number], _CARRIERS[number] or 0)
    if expected != found or number not in (9, _carrier(dtype)):
        raise Refusal(
            f"The data of tensor {shown(name)} must fit its shape, but it states {expected} items and has {found}",
            where, "The file is damaged; export it again.",
        )  # fmt: skip


def _carrier(dtype: int) -> int:
    """The field, besides raw bytes, that carries elements of a type."""
    if dtype in _IN_INT32 or dtype in _PER_INT32:
        return 5
    return {1: 4, 7: 7, 11: 10, 12: 11, 13: 11}.get(dtype, 9)


_SPANS = {6: (-(1 << 31), (1 << 31) - 1), 7: (-(1 << 63), (1 << 63) - 1), 9: (0, 1)}
_RAW = {1: "f", 6: "i", 7: "q", 9: "?", 10: "e", 11: "d"}


def _data(fields: Fields, dtype: int) -> tuple[Number, ...] | None:
    """The few values of a small tensor, None for types that no size is computed from."""
    if dtype not in _RAW:
        return None
    if 9 in fields:
        raw = bytes(message(fields[9][0]))
        if dtype == BOOL and max(raw, default=0) > 1:
            raise Refusal("A truth value is 0 or 1, but one is not", fix="Export it again.")
        return tuple(struct.unpack(f"<{len(raw) // struct.calcsize(_RAW[dtype])}{_RAW[dtype]}", raw))
    if dtype == FLOAT16:
        return None
    if dtype in (FLOAT, DOUBLE):
        return tuple(floats(fields.get(_carrier(dtype), []), _RAW[dtype]))
    found = tuple(integers(fields.get(_carrier(dtype), [])))
    low, high = _SPANS[dtype]
    if not all(low <= value <= high for value in found):
        raise Refusal(f"A number of type {NAMES[dtype]} is {low} to {high}, but one is not", fix="Export it again.")
    return found
