"""Tensors for a graph: which array goes to which input, and whether it fits there.

Arrays are bound by name or by position, as in the sessions of libvmaf's deep-learning interface.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from tinyvmaf.dnn.graph import Port, shown
from tinyvmaf.errors import InputArityError, InputNameError, InputShapeError, InputTypeError

Array: TypeAlias = npt.NDArray[Any]
Inputs: TypeAlias = Mapping[str, Array] | Sequence[Array | tuple[str | None, Array]]


def bind(inputs: Inputs, ports: Sequence[Port], fp16_io: bool = False) -> dict[str, Array]:
    """Find every input's array and check it.

    Args:
        inputs: One array per port: {name: array}, or a sequence of arrays and of pairs (name or None, array).
        ports: Inputs of the graph, in its order.
        fp16_io: Round float32 arrays for float16 ports, to nearest, ties to even; too large ones become infinite.

    Returns:
        {name: C-contiguous array} in the order of the ports; copies only where something had to change.

    Raises:
        InputArityError: There are not as many arrays as ports.
        InputNameError: There is no such port, or one is named twice.
        InputShapeError: An array is empty, has the wrong number of axes, or one of the wrong length.
        InputTypeError: Something is no array, or has elements of the wrong type.
    """
    given = _sort(inputs, ports)
    feed = {port.name: _fit(port, given[port.name], fp16_io) for port in ports}
    _check_shared_axes(ports, feed)
    return feed


def describe(port: Port) -> str:
    """Write a port for a message.

    Args:
        port: An input or output.

    Returns:
        For example "'frame' float32 ['batch', 1, 224, 224]".
    """
    if port.shape is None:
        return f"{shown(port.name)} {port.dtype} of any shape"
    axes = ", ".join(
        shown(axis) if isinstance(axis, str) else "?" if axis is None else str(axis) for axis in port.shape
    )
    return f"{shown(port.name)} {port.dtype} [{axes}]"


def _fit(port: Port, array: Array, fp16_io: bool) -> Array:
    if not isinstance(array, np.ndarray):
        raise InputTypeError(f"Input {shown(port.name)} must be a numpy array, not {type(array).__name__}.")
    _check_shape(port, array.shape)
    if fp16_io and port.dtype == "float16" and array.dtype == np.float32:
        return _to_half(array)
    if array.dtype != port.dtype:
        raise InputTypeError(f"Input {shown(port.name)} is {port.dtype}, not {array.dtype}.", _cure(port, array))
    plain = array.flags.c_contiguous and array.flags.aligned
    return array if plain else array.copy(order="C")


def _sort(inputs: Inputs, ports: Sequence[Port]) -> dict[str, Array]:
    """Which array goes to which input."""
    if not isinstance(inputs, Mapping | list | tuple):
        raise InputTypeError(
            f"Inputs come as a mapping or a sequence of arrays, not as {type(inputs).__name__}.", "Write run([array])."
        )
    names = [port.name for port in ports]
    items = list(inputs.items()) if isinstance(inputs, Mapping) else [_pair(item) for item in inputs]
    if len(items) != len(names):
        raise InputArityError(
            f"The graph takes {len(names)} inputs ({', '.join(map(shown, names))}), but {len(items)} were given."
        )
    given: dict[str, Array] = {}
    for position, (name, array) in enumerate(items):
        target = names[position] if name is None else name
        _check_name(target, names, given)
        given[target] = array
    return given


def _pair(item: Any) -> tuple[str | None, Any]:
    return item if isinstance(item, tuple) and len(item) == 2 else (None, item)


def _check_name(name: str, names: Sequence[str], given: Mapping[str, Any]) -> None:
    if name not in names:
        close = get_close_matches(str(name), names, n=1)
        hint = f"Did you mean {shown(close[0])}?" if close else f"There are: {', '.join(map(shown, names))}."
        raise InputNameError(f"The graph has no input {name!r}.", hint)
    if name in given:
        raise InputNameError(f"Input {shown(name)} was given twice.", "Arrays without a name go by their position.")


def _check_shape(port: Port, shape: tuple[int, ...]) -> None:
    wanted = (None,) * len(shape) if port.shape is None else port.shape
    if len(shape) == len(wanted) and all(map(_fits, shape, wanted)):
        return
    raise InputShapeError(
        f"Input {describe(port)} was given an array of shape {list(shape)}.",
        "Axes without a number may have any length above 0.",
    )


def _fits(length: int, axis: int | str | None) -> bool:
    return length > 0 and (length == axis or not isinstance(axis, int))


def _check_shared_axes(ports: Sequence[Port], feed: Mapping[str, Array]) -> None:
    """Axes that share a name have one length."""
    seen: dict[str, tuple[int, str]] = {}
    for port in ports:
        for axis, length in zip(port.shape or (), feed[port.name].shape, strict=False):
            if not isinstance(axis, str):
                continue
            first, where = seen.setdefault(axis, (length, port.name))
            if first != length:
                raise InputShapeError(
                    f"Axis {shown(axis)} is {first} long in input {shown(where)}, but {length} in {shown(port.name)}."
                )


def _cure(port: Port, array: Array) -> str:
    if port.dtype == "float16" and array.dtype == np.float32:
        return "Open the session with fp16_io=True to have it converted."
    return f"Convert it: array.astype(numpy.{port.dtype})."


def _to_half(array: Array) -> Array:
    """Round to nearest, ties to even; what is too large becomes infinite. The one place where float16 is made."""
    with np.errstate(over="ignore", under="ignore"):
        return array.astype(np.float16, order="C")
