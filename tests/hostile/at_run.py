"""Graphs that fit small inputs and explode with larger ones: honest when checked, refused for the sizes of one run."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from hostile.build import FLOAT, INT64, Net

Build = Callable[[], bytes]


@dataclass(frozen=True, slots=True)
class RunAttack:
    """The model, sizes that must pass (none: it may be refused at once), sizes and values that must not."""

    build: Build = field(repr=False)
    large: Mapping[str, Sequence[int]]
    small: Mapping[str, Sequence[int]] | None = None
    values: Mapping[str, Sequence[float]] = field(default_factory=dict)


RUNS: dict[str, RunAttack] = {}


def _dynamic(make: Callable[[Net], str], shape: Sequence[str | int | None]) -> Build:
    def build() -> bytes:
        net = Net(shape=shape)
        return net.done(make(net), shape=None)

    return build


def put(
    name: str, make: Callable[[Net], str], shape: Sequence[str | int | None], large: Sequence[int], small: Sequence[int]
) -> None:
    RUNS[name] = RunAttack(_dynamic(make, shape), {"x": large}, {"x": small})


PLANE = ("N", 3, "H", "W")
put("table_of_all_pairs", lambda n: n.op("Sub", n.x, n.op("Transpose", n.x)), ("N", 1), (1 << 18, 1), (64, 1))
put(
    "attention_over_every_pixel",
    lambda n: n.op("Softmax", n.op("MatMul", n.op("Transpose", n.x, perm=[0, 2, 1]), n.x)),
    ("N", 8, "L"),
    (1, 8, 1 << 18),
    (1, 8, 256),
)
put(
    "resize_by_sixteen",
    lambda n: n.op("Resize", n.x, "", n.const([1.0, 1.0, 16.0, 16.0])),
    PLANE,
    (1, 3, 16384, 16384),
    (1, 3, 64, 64),
)
put(
    "size_from_the_shape",
    lambda n: n.op("Expand", n.const(1.0), n.op("Mul", n.op("Shape", n.x), n.const([1, 1, 1, 512]))),
    PLANE,
    (64, 3, 8192, 8192),
    (1, 3, 16, 16),
)
put(
    "product_of_a_shape",
    lambda n: n.op("ConstantOfShape", n.op("Mul", n.op("ReduceProd", n.op("Shape", n.x)), n.const([64]))),
    PLANE,
    (1, 3, 8192, 8192),
    (1, 3, 8, 8),
)
put("unnamed_sizes", lambda n: n.op("MatMul", n.x, n.op("Transpose", n.x)), (None, None), (1 << 18, 2), (64, 2))


def _gathered() -> bytes:
    net = Net(shape=("N", 256))
    return net.done(net.op("Gather", net.x, net.takes("rows", INT64, ["M", "K"])), shape=None)


RUNS["rows_times_columns"] = RunAttack(
    _gathered, {"x": (9, 256), "rows": (1 << 14, 1 << 14)}, {"x": (9, 256), "rows": (2, 2)}
)


def _two_inputs() -> bytes:
    net = Net(shape=("N", 1))
    return net.done(net.op("Mul", net.x, net.takes("z", FLOAT, [1, "N"])), shape=None)


RUNS["one_letter_for_two_sizes"] = RunAttack(
    _two_inputs, {"x": (1 << 18, 1), "z": (1, 1 << 18)}, {"x": (8, 1), "z": (1, 8)}
)


def _sized_by_input(op_type: str) -> Build:
    def build() -> bytes:
        net = Net()
        wanted = net.takes("wanted", INT64, [4])
        if op_type == "Resize":
            return net.done(net.op("Resize", net.x, "", "", wanted), shape=None)
        return net.done(net.op("Expand", net.const(1.0), wanted), shape=None)

    return build


for _op in ("Resize", "Expand"):
    RUNS[f"{_op.lower()}_by_a_number_of_the_caller"] = RunAttack(
        _sized_by_input(_op), {"x": (1, 3, 8, 8), "wanted": (4,)}, None, {"wanted": (1, 3, 1 << 17, 1 << 17)}
    )


def _replaceable() -> bytes:
    """An initialiser that the caller may replace by listing it as an input."""
    net = Net()
    net.takes("wanted", INT64, [4])
    return net.done(net.op("Expand", net.x, net.const([1, 3, 8, 8], name="wanted")), shape=None)


RUNS["size_that_the_caller_may_replace"] = RunAttack(
    _replaceable, {"x": (1, 3, 8, 8), "wanted": (4,)}, None, {"wanted": (1 << 28, 3, 8, 8)}
)
