"""Folders in which one file is one thing: found by name, imported only when asked for."""

from __future__ import annotations

import functools
import importlib
import inspect
import pkgutil
from difflib import get_close_matches
from typing import TypeVar

from tinyvmaf.errors import UnknownNameError

T = TypeVar("T")


@functools.cache
def names(package: str) -> tuple[str, ...]:
    """Names of the things in a folder, without importing them.

    Args:
        package: Dotted name of the folder.

    Returns:
        Module names, sorted; private modules, `base` and sub-folders left out.
    """
    folder = importlib.import_module(package)
    found = pkgutil.iter_modules(folder.__path__)
    return tuple(sorted(m.name for m in found if not m.ispkg and m.name != "base" and not m.name.startswith("_")))


def find(package: str, name: str, base: type[T], kind: str) -> type[T]:
    """Import the file of a name and return its class.

    Args:
        package: Dotted name of the folder.
        name: The thing's name, equal to its file name.
        base: The class that it derives from.
        kind: What it is called in messages.

    Returns:
        The one public class of that file that derives from `base`.

    Raises:
        UnknownNameError: No such file.
    """
    known = names(package)
    if name not in known:
        close = get_close_matches(name, known, n=1)
        hint = f"Did you mean {close[0]}?" if close else f"There are: {', '.join(known)}."
        raise UnknownNameError(f"There is no {kind} {name!r}.", hint)
    module = importlib.import_module(f"{package}.{name}")
    return next(
        value
        for value in vars(module).values()
        if inspect.isclass(value) and issubclass(value, base) and value.__module__ == module.__name__
    )
