"""Weights out of pickles, without running them.

A pickle is a program for a small stack machine. This is that machine with the 31 instructions that the weight files we
fetch are made of, and with functions of ours in place of the ones that a file names. Nothing is imported or called by
name, so a file can only yield texts, numbers, dictionaries and arrays. The instructions are those of `pickletools`.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from tinyvmaf.errors import ModelError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Array = npt.NDArray[np.generic]

MAX_STEPS: Final = 200_000
MAX_AXES: Final = 8

_STORAGES: Final = {"torch FloatStorage": "<f4", "torch HalfStorage": "<f2", "torch LongStorage": "<i8"}


def refused(what: str) -> ModelError:
    """The error for a weight file that is not what it should be.

    Args:
        what: What is wrong with it.
    """
    return ModelError(f"The weight file is refused: {what}.", "Only files of known weights are read; fetch it again.")


@dataclass(slots=True)
class Storage:
    """Numbers that arrays are views of.

    Attributes:
        kind: NumPy's code of their type.
        count: How many there are.
        data: Their bytes, None as long as only the pickle was read.
    """

    kind: str
    count: int
    data: bytes | None = None

    @property
    def size(self) -> int:
        """Bytes that `data` must have."""
        return self.count * int(self.kind[2:])


@dataclass(slots=True)
class Pending:
    """An array as the pickle describes it, dense and in C order."""

    storage: Storage | None = None
    offset: int = 0
    shape: tuple[int, ...] = ()

    def array(self) -> Array:
        """The array itself, a read-only view of its storage.

        Raises:
            ModelError: The storage is missing, or ends before the array does.
        """
        import numpy as np

        if self.storage is None or self.storage.data is None or len(self.storage.data) != self.storage.size:
            raise refused("an array's numbers are missing or cut off")
        count = math.prod(self.shape)
        if self.offset + count > self.storage.count:
            raise refused(f"{count} numbers from {self.offset} on are not in a storage of {self.storage.count}")
        numbers = np.frombuffer(self.storage.data, np.dtype(self.storage.kind))
        return numbers[self.offset : self.offset + count].reshape(self.shape)


@dataclass(slots=True)
class _Name:
    """A global that a file names: a word for us, never the thing."""

    text: str


@dataclass(slots=True)
class _Kind:
    """A NumPy dtype, of 32-bit floats; their order of bytes comes as its state."""

    order: object = None


def _natural(value: object) -> int:
    if type(value) is not int or value < 0:
        raise refused(f"{type(value).__name__} stands where a size belongs")
    return value


def _sequence(value: object, least: int = 0, most: int = 1 << 30) -> list[Any] | tuple[Any, ...]:
    if not isinstance(value, list | tuple) or not least <= len(value) <= most:
        raise refused(f"{type(value).__name__} stands where a sequence of other length belongs")
    return value


def _shape(value: object) -> tuple[int, ...]:
    return tuple(_natural(length) for length in _sequence(value, most=MAX_AXES))


def _put(target: object, key: object, value: object) -> None:
    if not isinstance(target, dict) or not isinstance(key, str):
        raise refused("a key is no text, or something else than a dictionary is given a key")
    target[key] = value


def _tensor(storage: Any, offset: Any, shape: Any, stride: Any, *_: Any) -> Pending:
    lengths, steps = _shape(shape), _shape(stride)
    if not isinstance(storage, Storage) or len(lengths) != len(steps):
        raise refused("a tensor is made of something else than a storage and its sizes")
    dense = 1
    for length, step in zip(reversed(lengths), reversed(steps), strict=True):
        if length > 1 and step != dense:
            raise refused(f"a tensor of shape {lengths} and strides {steps} is not dense")
        dense *= length
    return Pending(storage, _natural(offset), lengths)


def _ndarray(kind: Any, *_: Any) -> Pending:
    if kind != _Name("numpy ndarray"):
        raise refused("an array of another class than numpy.ndarray")
    return Pending()


def _dtype(code: Any, *_: Any) -> _Kind:
    if code != "f4":
        raise refused("an array of another type than f4")
    return _Kind()


def _dictionary(pairs: Any = ()) -> dict[str, object]:
    result: dict[str, object] = {}
    for pair in _sequence(pairs):
        _put(result, *_sequence(pair, 2, 2))
    return result


_CALLS: Final[dict[str, Callable[..., object]]] = {
    "torch._utils _rebuild_tensor_v2": _tensor,
    "collections OrderedDict": _dictionary,
    "numpy.core.multiarray _reconstruct": _ndarray,
    "numpy._core.multiarray _reconstruct": _ndarray,
    "numpy dtype": _dtype,
}
"""What a file may call, and what is called instead."""

_NAMES: Final = {*_CALLS, *_STORAGES, "numpy ndarray"}


def _build(target: object, state: object) -> None:
    """Fill an object: arrays and dtypes take their state, attributes of a dictionary are dropped."""
    if isinstance(target, Pending):
        _, shape, kind, fortran, data = _sequence(state, 5, 5)
        if not isinstance(kind, _Kind) or kind.order != "<" or fortran is not False or not isinstance(data, bytes):
            raise refused("an array's state is not a little-endian one in C order")
        target.shape = _shape(shape)
        target.storage = Storage("<f4", len(data) // 4, data)
    elif isinstance(target, _Kind):
        target.order = _sequence(state, 2)[1]
    elif not isinstance(target, dict):
        raise refused(f"state for {type(target).__name__}")


def _decoded(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise refused("a text is not UTF-8") from error


@dataclass(slots=True)
class Machine:
    """The stack machine.

    Attributes:
        data: One or several pickles, one behind the other.
        position: Next byte; behind a pickle when `run` has returned.
        storages: Those that tensors refer to, by key.
    """

    data: bytes
    position: int = 0
    storages: dict[str, Storage] = field(default_factory=dict)
    _stack: list[Any] = field(default_factory=list)
    _marks: list[int] = field(default_factory=list)
    _memo: dict[int, Any] = field(default_factory=dict)

    def run(self) -> object:
        """Execute one pickle.

        Returns:
            What it leaves on the stack: None, bool, int, str, bytes, list, tuple, dict, Storage or Pending.

        Raises:
            ModelError: An instruction, name or call that is not accepted, or a damaged file.
        """
        for _ in range(MAX_STEPS):
            code = self._take(1)
            if code == b".":
                return self._pop()
            if code not in _STEPS:
                raise refused(f"instruction {code!r} at byte {self.position - 1} is not accepted")
            _STEPS[code](self)
        raise refused(f"it has more than {MAX_STEPS} instructions")

    def _take(self, count: int) -> bytes:
        start, self.position = self.position, self.position + count
        if self.position > len(self.data):
            raise refused(f"it ends at byte {len(self.data)}, inside a pickle")
        return self.data[start : self.position]

    def _number(self, form: str) -> int:
        return int(struct.unpack(form, self._take(struct.calcsize(form)))[0])

    def _sized(self, form: str) -> bytes:
        return self._take(self._number(form))

    def _pop(self) -> Any:
        """The top of the stack; what lies under a mark is out of reach."""
        if len(self._stack) <= (self._marks[-1] if self._marks else 0):
            raise refused("it takes more from the stack than there is")
        return self._stack.pop()

    def _top(self) -> Any:
        value = self._pop()
        self._stack.append(value)
        return value

    def _since_mark(self) -> list[Any]:
        if not self._marks:
            raise refused("it goes back to a mark that is not there")
        start = self._marks.pop()
        values = self._stack[start:]
        del self._stack[start:]
        return values

    def _mark(self) -> None:
        self._marks.append(len(self._stack))

    def _push(self, value: object) -> None:
        self._stack.append(value)

    def _recall(self, key: int) -> None:
        if key not in self._memo:
            raise refused(f"it recalls {key}, which it has not kept")
        self._stack.append(self._memo[key])

    def _keep(self, key: int) -> None:
        self._memo[key] = self._top()

    def _group(self, count: int) -> None:
        self._stack.append(tuple([self._pop() for _ in range(count)][::-1]))

    def _set_items(self, values: list[Any]) -> None:
        target = self._top()
        for i in range(0, len(values), 2):
            _put(target, *_sequence(values[i : i + 2], 2))

    def _extend(self, values: list[Any]) -> None:
        target = self._top()
        if not isinstance(target, list):
            raise refused("items for something else than a list")
        target.extend(values)

    def _line(self) -> str:
        end = self.data.find(b"\n", self.position, self.position + 200)
        if end < 0:
            raise refused("a name is too long")
        return _decoded(self._take(end + 1 - self.position)[:-1])

    def _name(self) -> None:
        module, name = self._line(), self._line()
        if f"{module} {name}" not in _NAMES:
            raise refused(f"it names {module}.{name}, which is not accepted")
        self._stack.append(_Name(f"{module} {name}"))

    def _call(self) -> None:
        arguments, function = _sequence(self._pop()), self._pop()
        if not isinstance(function, _Name) or function.text not in _CALLS:
            raise refused("it calls something that is no function")
        try:
            self._stack.append(_CALLS[function.text](*arguments))
        except TypeError as error:
            raise refused(f"it calls {function.text} with {len(arguments)} arguments") from error

    def _state(self) -> None:
        state = self._pop()
        _build(self._top(), state)

    def _storage(self) -> None:
        """PyTorch names a storage by ("storage", its class, key, device, count), in older files with a view."""
        word, kind, key, _, count, *view = _sequence(self._pop(), 5, 6)
        if word != "storage" or not isinstance(kind, _Name) or not isinstance(key, str) or view not in ([], [None]):
            raise refused("a persistent name is not the one of a storage")
        if kind.text not in _STORAGES:
            raise refused(f"{kind.text} stands where a storage's class belongs")
        storage = Storage(_STORAGES[kind.text], _natural(count))
        if self.storages.setdefault(key, storage) != storage:
            raise refused("a storage has two sizes")
        self._stack.append(self.storages[key])


_STEPS: Final[dict[bytes, Callable[[Machine], object]]] = {
    b"\x80": lambda m: m._take(1),
    b"(": Machine._mark,
    b"}": lambda m: m._push({}),
    b"]": lambda m: m._push([]),
    b")": lambda m: m._push(()),
    b"N": lambda m: m._push(None),
    b"\x88": lambda m: m._push(True),
    b"\x89": lambda m: m._push(False),
    b"J": lambda m: m._push(m._number("<i")),
    b"K": lambda m: m._push(m._number("<B")),
    b"M": lambda m: m._push(m._number("<H")),
    b"\x8a": lambda m: m._push(int.from_bytes(m._sized("<B"), "little", signed=True)),
    b"X": lambda m: m._push(_decoded(m._sized("<I"))),
    b"U": lambda m: m._push(_decoded(m._sized("<B"))),
    b"B": lambda m: m._push(m._sized("<I")),
    b"C": lambda m: m._push(m._sized("<B")),
    b"q": lambda m: m._keep(m._number("<B")),
    b"r": lambda m: m._keep(m._number("<I")),
    b"h": lambda m: m._recall(m._number("<B")),
    b"j": lambda m: m._recall(m._number("<I")),
    b"t": lambda m: m._push(tuple(m._since_mark())),
    b"\x85": lambda m: m._group(1),
    b"\x86": lambda m: m._group(2),
    b"\x87": lambda m: m._group(3),
    b"s": lambda m: m._set_items([m._pop(), m._pop()][::-1]),
    b"u": lambda m: m._set_items(m._since_mark()),
    b"e": lambda m: m._extend(m._since_mark()),
    b"c": Machine._name,
    b"R": Machine._call,
    b"b": Machine._state,
    b"Q": Machine._storage,
}
"""What every accepted instruction does; weight files of pickle protocols 2 and 3 have no others."""
