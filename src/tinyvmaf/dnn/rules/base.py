"""What every rule is given and gives back."""

from __future__ import annotations

from tinyvmaf.dnn.graph import (
    MAX_RANK,
    Fatal,
    Graph,
    Node,
    Refusal,
    Tensor,
    Unknown,
    product,
    shown,
)
from tinyvmaf.dnn.values import Known, loose

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Protocol, TypeAlias

    class Context(Protocol):
        """The evaluation that a rule takes part in."""

        opset: int
        quantised: bool

        def work(self, operations: int) -> None:
            """Count multiply-adds, or operations of that order, besides one per element of every result."""

        def scratch(self, size: int) -> None:
            """Count bytes that the operator needs while it runs, besides its results."""

        def misfit(self, text: str, where: str) -> None:
            """Say that shapes do not fit together; what is returned then is an upper bound."""

    Inputs: TypeAlias = Sequence[Known | None]
    Results: TypeAlias = list[Known]
    Rule: TypeAlias = Callable[[Node, list[Known | None], Context], Results]


def given(inputs: Inputs, index: int) -> Known | None:
    """An optional input, None where it is left out."""
    return inputs[index] if index < len(inputs) else None


def required(inputs: Inputs, index: int, node: Node) -> Known:
    """An input that must be there.

    Raises:
        Refusal: It is left out.
    """
    value = given(inputs, index)
    if value is None:
        raise Refusal(f"{node.op} needs at least {index + 1} inputs, but has fewer", node.where)
    return value


def integer(node: Node, name: str, default: int) -> int:
    """An attribute that is a whole number."""
    value = node.attributes.get(name, default)
    if not isinstance(value, int):
        raise Refusal(f"Attribute {name} of {node.op} is a whole number", node.where)
    return value


def flag(node: Node, name: str, default: int = 0) -> int:
    """An attribute that is 0 or 1: of any other number the runtime makes one or the other as it likes.

    Raises:
        Fatal: It is another number.
    """
    value = integer(node, name, default)
    if value not in (0, 1):
        raise Fatal(f"Attribute {name} of {node.op} is 0 or 1, not {value}", node.where)
    return value


def integer_list(node: Node, name: str) -> list[int] | None:
    """An attribute that is a list of whole numbers, None where it is left out."""
    value = node.attributes.get(name)
    if value is None:
        return None
    if not isinstance(value, tuple) or not all(isinstance(v, int) for v in value):
        raise Refusal(f"Attribute {name} of {node.op} is a list of whole numbers", node.where)
    return [int(v) for v in value]


def text(node: Node, name: str, default: str) -> str:
    """An attribute that is a word."""
    value = node.attributes.get(name, default)
    if not isinstance(value, str):
        raise Refusal(f"Attribute {name} of {node.op} is a text", node.where)
    return value


def word(node: Node, name: str, usual: str, others: Sequence[str]) -> str:
    """An attribute that is one of a few words."""
    found = text(node, name, usual)
    if found not in (usual, *others):
        raise Refusal(f"{name} of {node.op} is {usual}, {' or '.join(others)}, not {shown(found)}", node.where)
    return found


def tensor(node: Node, name: str) -> Tensor | None:
    """An attribute that is a tensor, None where it is left out."""
    value = node.attributes.get(name)
    if value is not None and not isinstance(value, Tensor):
        raise Refusal(f"Attribute {name} of {node.op} is a tensor", node.where)
    return value


def subgraph(node: Node, name: str) -> Graph:
    """An attribute that is a graph.

    Raises:
        Refusal: It is left out.
    """
    value = node.attributes.get(name)
    if not isinstance(value, Graph):
        raise Refusal(f"{node.op} needs the graph {name}", node.where)
    return value


def axis_of(axis: int, rank: int, node: Node) -> int:
    """An axis counted from the front.

    Raises:
        Refusal: There is no such axis.
    """
    if not -rank <= axis < rank:
        raise Refusal(f"{node.op} names axis {axis} of a tensor with {rank} axes", node.where)
    return axis % rank


def check_axes(stated: Sequence[int] | None, named: Known | None, node: Node) -> None:
    """Refuse lists of more axes than a tensor can have.

    Args:
        stated: The attribute, if any.
        named: The input that takes its place, if any.
        node: The operator.

    Raises:
        Refusal: There are more.
    """
    count = max(len(stated or ()), 0 if named is None else named.elements)
    if count > MAX_RANK:
        raise Refusal(f"{node.op} names at most {MAX_RANK} axes, not {count}", node.where)


def known_integers(value: Known | None, what: str, node: Node) -> list[int]:
    """Numbers that a size follows from.

    Args:
        value: The input that holds them.
        what: What they are, for the message.
        node: The operator.

    Raises:
        Refusal: They are not known before the graph runs.
    """
    numbers = None if value is None else value.integers()
    if numbers is None:
        raise unknown(what, node)
    return numbers


def unknown(what: str, node: Node) -> Unknown:
    """The refusal of a size that follows from values which only a run would tell."""
    return Unknown(
        f"The size of every result is known before a run, but {what} of {node.op} is computed from other values",
        node.where, "Export with constant shapes, or with shapes that follow from the inputs' shapes.",
    )  # fmt: skip


def tight(value: Known, node: Node) -> Known:
    """A value whose shape is known.

    Raises:
        Refusal: Only a bound of its size is known.
    """
    if value.loose:
        raise unknown("the shape of an input", node)
    return value


def like(value: Known, dtype: int | None = None) -> Known:
    """A result of the same shape, of numbers that are not known."""
    return Known(value.dtype if dtype is None else dtype, value.dims, loose=value.loose)


def broadcast(values: Sequence[Known], dtype: int, node: Node, context: Context) -> Known:
    """The result of operands that are stretched to one shape (NumPy's rules)."""
    rank = max(value.rank for value in values)
    if rank > MAX_RANK:
        raise Refusal(f"A tensor has at most {MAX_RANK} axes, but this one has {rank}", node.where)
    if context.opset < 7 and integer(node, "broadcast", 0):
        return like(values[0], dtype)
    if any(value.loose for value in values):
        return loose(dtype, product(value.room for value in values), rank)
    dims = [1] * rank
    for value in values:
        _stretch(dims, value.dims, node, context)
    return Known(dtype, dims)


def _stretch(dims: list[int], other: Sequence[int], node: Node, context: Context) -> None:
    """Widen a shape so that another fits into it, counted from the last axis."""
    for axis, length in enumerate(other, len(dims) - len(other)):
        if dims[axis] == 1:
            dims[axis] = length
        elif length not in (1, dims[axis]):
            context.misfit(f"{node.op} takes shapes that stretch to one, but has {tuple(other)}", node.where)
            dims[axis] = max(dims[axis], length)
