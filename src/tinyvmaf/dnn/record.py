"""Value types that are quick to import.

A type checker sees the dataclasses of the standard library. Running code gets a few lines that do the same for what is
needed here: loading the library takes longer than checking a model, and files are checked one process at a time.
"""

from __future__ import annotations

__all__ = ["changed", "record"]

TYPE_CHECKING = False
if TYPE_CHECKING:
    from dataclasses import dataclass as record
    from typing import Any, TypeVar

    T = TypeVar("T")
else:

    def record(*, frozen=False):
        """Make a class of annotated fields that is filled by position or name, compared by value and printed."""

        def make(cls):
            names = tuple(cls.__annotations__)
            defaults = {name: cls.__dict__[name] for name in names if name in cls.__dict__}

            def fill(self, *args, **named):
                values = defaults | dict(zip(names, args, strict=False)) | named
                if len(args) > len(names) or values.keys() != set(names) or set(names[: len(args)]) & named.keys():
                    raise TypeError(f"{cls.__name__} takes {', '.join(names)}.")
                self.__dict__.update({name: values[name] for name in names})

            cls.__init__ = fill
            cls.__eq__ = lambda self, other: type(self) is type(other) and self.__dict__ == other.__dict__
            cls.__repr__ = lambda self: f"{cls.__name__}({', '.join(f'{k}={v!r}' for k, v in self.__dict__.items())})"
            if frozen:
                cls.__setattr__ = _refuse
                cls.__hash__ = lambda self: hash(tuple(self.__dict__.values()))
            return cls

        return make

    def _refuse(self, name, value):
        raise AttributeError(f"{type(self).__name__} does not change; make another one with changed().")


def changed(value: T, **fields: Any) -> T:
    """A copy of a record with other values in some fields.

    Args:
        value: The record.
        fields: Field name to its new value.

    Returns:
        The copy.

    Raises:
        TypeError: There is no such field.
    """
    return type(value)(**{**value.__dict__, **fields})
