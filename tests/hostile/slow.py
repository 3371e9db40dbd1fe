"""Models that are small to run and long to judge: a check that follows every number and shape drowns in them.

Each took a check without a budget for that seconds, or hundreds of mebibytes.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence

import numpy as np
from onnx import numpy_helper

from hostile.build import BOOL, FLOAT, INT64, Shelf, f, port, raw_graph, raw_model, raw_node, signed, varint

ATTACKS = Shelf("slow")
STEPS, FIELDS = "at most .* steps", "as much to read|more than .* fields"
REALS = np.linspace(1, 2, 64, dtype=np.float32)
FOLDED = REALS.reshape((2,) * 6 + (1,) * 10)
ROUNDS = 1000


def _constant(name: str, value: np.ndarray) -> bytes:
    return f(5, numpy_helper.from_array(np.asarray(value), name).SerializeToString())


def _attribute(name: str, value: int | Sequence[int] | bytes) -> bytes:
    if isinstance(value, int):
        return f(5, f(1, name) + f(3, value) + f(20, 2))
    if isinstance(value, bytes):
        return f(5, f(1, name) + f(6, value) + f(20, 5))
    return f(5, f(1, name) + b"".join(f(8, number) for number in value) + f(20, 7))


def _many(op_type: str, count: int, inputs: Sequence[str] = ("k",), outputs: int = 1, more: bytes = b"") -> list[bytes]:
    return [raw_node(op_type, inputs, [f"v{i}_{j}" for j in range(outputs)], more) for i in range(count)]


def _unrolled(inner: Sequence[bytes]) -> bytes:
    """The nodes in a loop whose state grows by one element a round: it is looked at round by round."""
    steps = [
        raw_node("Identity", ["go"], ["on"]),
        raw_node("Concat", ["s", "one"], ["t"], _attribute("axis", 0)),
        *inner,
    ]
    ends = f(11, port("i", INT64, ())) + f(11, port("go", BOOL, ())) + f(11, f(1, "s")) + f(12, port("on", BOOL, ()))
    body = b"".join(f(1, step) for step in steps) + ends + f(12, f(1, "t") + f(2, f(1, f(1, FLOAT))))
    return raw_node("Loop", ["n", "", "one"], ["grown"], _attribute("body", body))


def _model(nodes: Sequence[bytes], **constants: np.ndarray) -> bytes:
    held = b"".join(_constant(name, value) for name, value in constants.items())
    return raw_model(raw_graph(*nodes, raw_node(), more=held))


def _looped(inner: Callable[[], Sequence[bytes]], **constants: np.ndarray) -> bytes:
    return _model([_unrolled(inner())], n=np.int64(ROUNDS), one=np.ones(1, np.float32), **constants)


def _wide(op_type: str) -> bytes:
    return _model(_many(op_type, 180, ["k"] * 1000), k=REALS)


for _op in ("Sum", "Max"):
    ATTACKS.put(f"numbers_of_a_thousand_operands_in_one_{_op.lower()}", STEPS, functools.partial(_wide, _op))

LISTS = {
    "axes": np.arange(16),
    "starts": np.zeros(16, np.int64),
    "ends": np.full(16, 9),
    "steps": np.ones(16, np.int64),
}
BY_ROUND: dict[str, tuple[Callable[[], Sequence[bytes]], dict[str, np.ndarray]]] = {
    "sums": (lambda: _many("Sum", 56, ["k"] * 6), {"k": REALS}),
    "quotients": (lambda: _many("Div", 56, ["k", "m"]), {"k": np.full(64, 2**62), "m": np.full(64, 3)}),
    "transposes": (lambda: _many("Transpose", 56, more=_attribute("perm", range(16)[::-1])), {"k": FOLDED}),
    "slices": (lambda: _many("Slice", 56, ["k", "starts", "ends", "axes", "steps"]), {"k": FOLDED, **LISTS}),
    "gathers": (lambda: _many("Gather", 56, ["k", "j"], more=_attribute("axis", 15)), {"k": FOLDED, "j": np.int64(0)}),
    "ranges": (
        lambda: _many("Range", 56, ["a", "b", "c"]),
        {"a": np.float32(0), "b": np.float32(64), "c": np.float32(1)},
    ),
}
for _name, (_inner, _constants) in BY_ROUND.items():
    ATTACKS.put(f"numbers_of_{_name}_round_by_round", STEPS, functools.partial(_looped, _inner, **_constants))


@ATTACKS.add(STEPS)
def pieces_by_the_hundred_round_by_round() -> bytes:
    pieces = np.zeros((440, *(1,) * 15), np.float32)
    return _looped(lambda: _many("Split", 1, outputs=440, more=_attribute("axis", 0)), k=pieces)


@ATTACKS.add(STEPS)
def numbers_followed_twice_where_a_size_is_the_caller_s() -> bytes:
    """A check that asks for stand-ins looks at everything a second time."""
    nodes = [*_many("Sum", 9000, ["k"] * 6), raw_node("ConstantOfShape", ["n"], ["z"]), raw_node()]
    return raw_model(raw_graph(*nodes, more=_constant("k", REALS) + f(11, port("n", INT64, (1,)))))


def _listed(kind: int, carrier: int, payload: bytes, count: int) -> bytes:
    tensors = [f(5, f(1, 64) + f(2, kind) + f(8, f"k{i}") + f(carrier, payload)) for i in range(count)]
    return raw_model(raw_graph(raw_node(), more=b"".join(tensors)))


LEAST = varint(signed(-1)) * 64
for _name, _kind, _carrier, _payload in (
    ("int64", INT64, 7, LEAST),
    ("int32", 6, 5, LEAST),
    ("reals", FLOAT, 4, bytes(256)),
):
    ATTACKS.put(
        f"constants_of_sixty_four_{_name}_by_the_ten_thousand",
        FIELDS,
        functools.partial(_listed, _kind, _carrier, _payload, 45_000),
    )


def _lists(kind: int, number: int, payload: bytes, count: int) -> bytes:
    found = [f(5, f(1, f"a{i}") + f(number, payload) + f(20, kind)) for i in range(count)]
    return raw_model(raw_graph(raw_node(more=b"".join(found))))


for _name, _kind, _number, _payload, _count in (
    ("short_numbers", 7, 8, b"\1" * 4096, 9000),
    ("long_numbers", 7, 8, varint(signed(-1)) * 4096, 1000),
    ("reals", 6, 7, bytes(4 * 4096), 3000),
):
    ATTACKS.put(
        f"attributes_of_thousands_of_{_name}", FIELDS, functools.partial(_lists, _kind, _number, _payload, _count)
    )


@ATTACKS.add(FIELDS)
def constants_by_the_ninety_thousand() -> bytes:
    return _model([], **{f"k{i}": np.float32(1) for i in range(90_000)})
