"""What stands in for the sizes and the few values of inputs that only a run would tell."""

from __future__ import annotations

from tinyvmaf.dnn.graph import FEW, Model, Number, Port
from tinyvmaf.dnn.values import Known, loose

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Final

_LENGTH: Final = 64
"""Usual length of a sequence."""

_SIDE: Final = 256
"""Usual height and width of an image: a multiple of what networks halve it to."""

_SIZE_READERS: Final = frozenset(("Resize", "Range"))
"""Operators that read sizes from numbers that need not be whole."""


def stand_in_values(model: Model) -> dict[str, list[Number]]:
    """Stand-ins for the values of small inputs that sizes may follow from: small numbers, different in every place.

    Whole numbers count, and those others that an operator reads its sizes from directly.

    Args:
        model: The parsed file.
    """
    others: set[str] = set()
    readers: set[str] = set()
    for node in model.graph.nodes:
        (readers if node.op in _SIZE_READERS else others).update(node.inputs)
    found: dict[str, list[Number]] = {}
    for port in model.graph.inputs:
        dims = _dims(port, {})
        value = Known(port.code, dims)
        whole = port.dtype.startswith(("int", "uint"))
        if value.rank <= 1 and value.elements <= FEW and (whole or port.name in readers - others):
            first = 1 if value.elements == 1 else 2
            found[port.name] = list(range(first, first + value.elements))
    return found


def start_values(
    ports: Sequence[Port], sizes: Mapping[str, Sequence[int]], values: Mapping[str, Sequence[Number]]
) -> dict[str, Known]:
    """What is known of the inputs before a run.

    Args:
        ports: The inputs.
        sizes: Input name to its shape; usual lengths for the free axes of every other.
        values: Input name to its numbers in row-major order, where they are known.

    Returns:
        Input name to what is known of it.
    """
    bound: dict[str, int] = {}
    return {port.name: _input(port, sizes.get(port.name), values.get(port.name), bound) for port in ports}


def _input(port: Port, size: Sequence[int] | None, numbers: Sequence[Number] | None, bound: dict[str, int]) -> Known:
    if size is None and port.shape is None:
        return loose(port.code, _LENGTH * _LENGTH)
    return Known(port.code, _dims(port, bound) if size is None else size, numbers, given=True)


def _dims(port: Port, bound: dict[str, int]) -> list[int]:
    """A shape with usual lengths for its free axes; axes of one name get one length."""
    shape = port.shape or ()
    usual = [1, *[_SIDE if len(shape) >= 4 and i >= 2 else _LENGTH for i in range(1, len(shape))]]
    dims: list[int] = []
    for axis, length in enumerate(shape):
        if isinstance(length, int):
            dims.append(length)
        else:
            dims.append(usual[axis] if length is None else bound.setdefault(length, usual[axis]))
    return dims
