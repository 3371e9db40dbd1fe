"""A model as plain values: what the guard needs of names, operators, attributes and shapes, and no weights."""

from __future__ import annotations

from tinyvmaf.dnn.record import record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Final, TypeAlias


BITS: Final[dict[int, int]] = {
    1: 32, 2: 8, 3: 8, 4: 16, 5: 16, 6: 32, 7: 64, 8: 512, 9: 8, 10: 16, 11: 64, 12: 32, 13: 64, 16: 16,
    17: 8, 18: 8, 19: 8, 20: 8, 21: 4, 22: 4, 23: 4, 24: 8, 25: 2, 26: 2, 27: 8, 28: 8,
}  # fmt: skip
"""Element type -> bits that one element takes; text (8) at what an empty string object costs."""

NAMES: Final[dict[int, str]] = {
    1: "float32", 2: "uint8", 3: "int8", 4: "uint16", 5: "int16", 6: "int32", 7: "int64", 8: "str", 9: "bool",
    10: "float16", 11: "float64", 12: "uint32", 13: "uint64", 16: "bfloat16", 17: "float8e4m3fn", 18: "float8e4m3fnuz",
    19: "float8e5m2", 20: "float8e5m2fnuz", 21: "uint4", 22: "int4", 23: "float4e2m1", 24: "float8e8m0", 25: "uint2",
    26: "int2", 27: "float6e2m3", 28: "float6e3m2",
}  # fmt: skip
FLOAT, INT64, STRING, BOOL, FLOAT16, DOUBLE = 1, 7, 8, 9, 10, 11
FEW: Final = 64
"""Most elements of a tensor whose values are looked at."""

MAX_RANK: Final = 16

Number: TypeAlias = "int | float"
Attribute: TypeAlias = "int | float | str | Tensor | Graph | tuple[int, ...] | tuple[float, ...]"


class Refusal(Exception):  # noqa: N818 - a verdict, no failure
    """A rule of the guard is broken.

    Args:
        what: The rule and the actual value, a sentence without its full stop.
        where: The place in the graph; empty for the whole file.
        fix: What to do about it, a sentence; may be empty.

    Attributes:
        misfit: Why shapes before that place did not fit together, which may be the cause; empty if they did.
    """

    def __init__(self, what: str, where: str = "", fix: str = "") -> None:
        super().__init__(what)
        self.what, self.where, self.fix = what, where, fix
        self.misfit = ""


class Unbounded(Refusal):
    """Sizes, rounds or work pass a limit, or cannot be known before a run."""


class Fatal(Refusal):
    """An operator that would end the process, perhaps already while the model is opened."""


class Unknown(Unbounded):
    """A size follows from numbers that only a run would tell."""


@record(frozen=True)
class Tensor:
    """A constant of the file.

    Attributes:
        name: Its name, empty for the value of an attribute.
        dtype: Element type, a key of BITS.
        dims: Lengths of its axes, each >= 0.
        data: Its values where it has at most FEW elements of a type that sizes are computed from, else None.
    """

    name: str
    dtype: int
    dims: tuple[int, ...]
    data: tuple[Number, ...] | None

    @property
    def elements(self) -> int:
        """How many elements it has."""
        return product(self.dims)


@record(frozen=True)
class Port:
    """An input or output of a graph.

    Attributes:
        name: Its name.
        dtype: NumPy name of the element type, such as "float32"; empty where the file does not say.
        shape: Per axis its length, the name of a length that is free, or None for a free one without a name; None
            where the file states no shape.
        code: Element type, a key of BITS; 0 where the file does not say.
    """

    name: str
    dtype: str
    shape: tuple[int | str | None, ...] | None
    code: int = 0


class Node:
    """One operation.

    Attributes:
        op: Operator of the standard domain.
        inputs: Names, empty for one that is left out.
        outputs: Likewise.
        attributes: Name to value.
        where: Its place in the file, for messages.
    """

    __slots__ = ("attributes", "inputs", "op", "outputs", "where")

    def __init__(
        self, op: str, inputs: tuple[str, ...], outputs: tuple[str, ...], attributes: dict[str, Attribute], where: str
    ) -> None:
        self.op, self.inputs, self.outputs = op, inputs, outputs
        self.attributes, self.where = attributes, where


class Graph:
    """The main graph, a branch or a loop's body.

    Attributes:
        where: Its place in the file, for messages.
        nodes: In the order in which they run.
        constants: Its initialisers by name.
        inputs: Ports, those that only repeat an initialiser left out.
        outputs: Ports.
        defaults: Names of initialisers that a caller may replace, for they are inputs too.
        claims: What the file says of the shapes of values inside, which the runtime believes.
    """

    def __init__(self, where: str) -> None:
        self.where = where
        self.nodes: list[Node] = []
        self.constants: dict[str, Tensor] = {}
        self.inputs: list[Port] = []
        self.outputs: list[Port] = []
        self.defaults: set[str] = set()
        self.claims: dict[str, tuple[int | str | None, ...]] = {}


@record(frozen=True)
class Model:
    """A parsed file.

    Attributes:
        opset: Version of the standard operators.
        graph: The main graph.
        operators: Every operator in it, subgraphs included, sorted.
        nodes: How many nodes it has, likewise.
        parameters: How many elements its constants have, likewise.
        constant_bytes: How many bytes they take.
    """

    opset: int
    graph: Graph
    operators: tuple[str, ...]
    nodes: int
    parameters: int
    constant_bytes: int


def product(dims: Iterable[int]) -> int:
    """How many elements a shape has."""
    result = 1
    for length in dims:
        result *= length
    return result


def byte_count(dtype: int, elements: int) -> int:
    """Bytes that elements of a type take."""
    return (elements * BITS.get(dtype, 64) + 7) // 8


@record(frozen=True)
class FormLimits:
    """What the form of a file may be.

    Attributes:
        fields: Protocol buffer fields in it.
        nodes: Operations, subgraphs included.
        depth: Subgraphs inside each other.
        loops: Loops, subgraphs included.
        opsets: Lowest and highest version of the standard operators.
        tensor_elements: Elements that a constant may state.
        operators: The operators allowed.
    """

    fields: int
    nodes: int
    depth: int
    loops: int
    opsets: tuple[int, int]
    tensor_elements: int
    operators: frozenset[str]


def shown(name: str) -> str:
    """A name from the file, short and in one line, in quotes."""
    return ascii(name if len(name) <= 60 else f"{name[:57]}...")


def uses(node: Node) -> set[str]:
    """Names that a node reads, those of its subgraphs included."""
    names = set(node.inputs)
    for value in node.attributes.values():
        if isinstance(value, Graph):
            names.update(port.name for port in value.outputs)
            for inner in value.nodes:
                names |= uses(inner)
    return names
