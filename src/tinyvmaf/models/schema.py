"""JSON that somebody else wrote: parsed strictly, then held against a schema that is shipped in `data/`.

The schemas are JSON Schema (draft 2020-12). `problem` reads the keywords that they use and no others, so that nothing
needs to be installed to load a model; any validator of that draft comes to the same answers.
"""

from __future__ import annotations

import functools
import json
import math
import re
from collections.abc import Callable, Iterator, Sized
from pathlib import Path
from typing import Any, Final, TypeAlias

MAX_BYTES: Final = 1 << 20
"""Largest JSON file that is read, in bytes; libvmaf's model files, which are models, have the limit of models."""

MAX_DEPTH: Final = 32
"""Most levels of nesting."""

MAX_DIGITS: Final = 20

Schema: TypeAlias = dict[str, Any]


def parse(data: bytes) -> Any:
    """Parse JSON and refuse what readers may understand differently.

    Args:
        data: UTF-8 text of at most MAX_BYTES bytes.

    Returns:
        What it says, made of dict, list, str, int, float, bool and None; every number is finite.

    Raises:
        ValueError: Not JSON, too large, too deep, a key twice in one object, a number that is not finite or has more
            than 20 digits before the point, half a surrogate pair.
    """
    if len(data) > MAX_BYTES:
        raise ValueError(f"it has {len(data)} bytes, and {MAX_BYTES} are the most")
    try:
        value = json.loads(
            data.decode("utf-8"),
            object_pairs_hook=_object,
            parse_float=_real,
            parse_int=_integer,
            parse_constant=_constant,
        )
    except RecursionError:
        raise ValueError(f"it is nested more than {MAX_DEPTH} levels deep") from None
    _check_tree(value)
    return value


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(pairs)
    if len(content) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"it gives {twice[:40]!r} twice")
    return content


def _real(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text[:40]} is not a finite number")
    return value


def _integer(text: str) -> int:
    if len(text) > MAX_DIGITS:
        raise ValueError(f"a number of {len(text)} digits")
    return int(text)


def _constant(text: str) -> float:
    raise ValueError(f"{text} is not a finite number")


def _check_tree(value: Any) -> None:
    """Refuse what is nested too deeply, level by level, and text that no file could hold."""
    layer = [value]
    for _ in range(MAX_DEPTH + 1):
        below: list[Any] = []
        for item in layer:
            if isinstance(item, dict):
                below += [*item.keys(), *item.values()]
            elif isinstance(item, list):
                below += item
            elif isinstance(item, str):
                item.encode()
        layer = below
    if layer:
        raise ValueError(f"it is nested more than {MAX_DEPTH} levels deep")


@functools.cache
def schema(name: str) -> Schema:
    """A schema of this package.

    Args:
        name: "registry" or "sidecar".

    Returns:
        The schema; do not change it.
    """
    content: Schema = json.loads(Path(__file__).with_name("data").joinpath(f"{name}.schema.json").read_bytes())
    return content


def problem(value: Any, name: str, definition: str = "") -> str:
    """The first place where a value breaks a schema.

    Args:
        value: As `parse` returns it.
        name: "registry" or "sidecar".
        definition: One of the schema's `$defs` in place of the whole.

    Returns:
        One line such as "models[0].sha256 must match ^[0-9a-f]{64}$, not 'abc'"; empty where the value keeps to it.
    """
    root = schema(name)
    rules = root["$defs"][definition] if definition else root
    return next(_breaks(value, rules, root, ""), "")


def _breaks(value: Any, rules: Schema, root: Schema, place: str) -> Iterator[str]:
    for keyword, rule in rules.items():
        check = _SIMPLE.get(keyword)
        if check is not None:
            said = check(value, rule)
            if said:
                yield f"{place or 'it'} must {said}, not {_short(value)}"
        elif keyword in _NESTED:
            yield from _NESTED[keyword](value, rules, root, place)


def _short(value: Any) -> str:
    text = ascii(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


_TYPES: dict[str, Callable[[Any], bool]] = {
    "object": lambda value: isinstance(value, dict),
    "array": lambda value: isinstance(value, list),
    "string": lambda value: isinstance(value, str),
    "boolean": lambda value: isinstance(value, bool),
    "null": lambda value: value is None,
    "number": _is_number,
    # Python's own sense of an integer differs: 17.0 is one here.
    "integer": lambda value: _is_number(value) and value == int(value),
}


def _type(value: Any, rule: Any) -> str:
    names = [rule] if isinstance(rule, str) else rule
    return "" if any(_TYPES[name](value) for name in names) else f"be {' or '.join(names)}"


def _enum(value: Any, rule: Any) -> str:
    found = any(value == item and isinstance(value, bool) == isinstance(item, bool) for item in rule)
    return "" if found else f"be one of {', '.join(map(str, rule))}"


def _pattern(value: Any, rule: Any) -> str:
    # A dollar at the end lets Python's matcher pass over one line feed, which the draft's matcher does not.
    found = not isinstance(value, str) or re.search(re.sub(r"\$$", r"\\Z", rule), value)
    return "" if found else f"match {rule}"


def _length(value: Any, kind: type[Sized], fits: Callable[[int], bool], words: str) -> str:
    return "" if not isinstance(value, kind) or fits(len(value)) else words


def _limit(value: Any, fits: Callable[[float], bool], words: str) -> str:
    return "" if not _is_number(value) or fits(value) else words


def _unique(value: Any, rule: Any) -> str:
    distinct = not isinstance(value, list) or len({json.dumps(item) for item in value}) == len(value)
    return "" if distinct or not rule else "name nothing twice"


_SIMPLE: dict[str, Callable[[Any, Any], str]] = {
    "type": _type,
    "enum": _enum,
    "pattern": _pattern,
    "minLength": lambda value, rule: _length(value, str, lambda n: n >= rule, f"have {rule} characters or more"),
    "maxLength": lambda value, rule: _length(value, str, lambda n: n <= rule, f"have at most {rule} characters"),
    "minItems": lambda value, rule: _length(value, list, lambda n: n >= rule, f"have {rule} items or more"),
    "maxItems": lambda value, rule: _length(value, list, lambda n: n <= rule, f"have at most {rule} items"),
    "minimum": lambda value, rule: _limit(value, lambda n: n >= rule, f"be {rule} or more"),
    "maximum": lambda value, rule: _limit(value, lambda n: n <= rule, f"be at most {rule}"),
    "exclusiveMinimum": lambda value, rule: _limit(value, lambda n: n > rule, f"be above {rule}"),
    "uniqueItems": _unique,
}


def _reference(value: Any, rules: Schema, root: Schema, place: str) -> Iterator[str]:
    return _breaks(value, root["$defs"][rules["$ref"].rpartition("/")[2]], root, place)


def _required(value: Any, rules: Schema, root: Schema, place: str) -> Iterator[str]:
    if isinstance(value, dict):
        yield from (f"{place or 'it'} must have {name!r}" for name in rules["required"] if name not in value)


def _together(value: Any, rules: Schema, root: Schema, place: str) -> Iterator[str]:
    present = value if isinstance(value, dict) else {}
    for name, others in rules["dependentRequired"].items():
        missing = [other for other in others if other not in present]
        if name in present and missing:
            yield f"{place or 'it'} must have {missing[0]!r} beside {name!r}"


def _properties(value: Any, rules: Schema, root: Schema, place: str) -> Iterator[str]:
    for name, content in value.items() if isinstance(value, dict) else ():
        inner = rules["properties"].get(name)
        if inner is not None:
            yield from _breaks(content, inner, root, f"{place}.{name}".lstrip("."))


def _no_others(value: Any, rules: Schema, root: Schema, place: str) -> Iterator[str]:
    for name in value if isinstance(value, dict) else ():
        if name not in rules["properties"]:
            yield f"{place or 'it'} must not have {_short(name)}"


def _items(value: Any, rules: Schema, root: Schema, place: str) -> Iterator[str]:
    for index, item in enumerate(value if isinstance(value, list) else ()):
        yield from _breaks(item, rules["items"], root, f"{place}[{index}]")


def _all(value: Any, rules: Schema, root: Schema, place: str) -> Iterator[str]:
    for part in rules["allOf"]:
        yield from _breaks(value, part, root, place)


def _one(value: Any, rules: Schema, root: Schema, place: str) -> Iterator[str]:
    fitting = sum(next(_breaks(value, part, root, place), "") == "" for part in rules["oneOf"])
    if fitting != 1:
        choices = " or ".join(str(part.get("required", part)) for part in rules["oneOf"])
        yield f"{place or 'it'} must have exactly one of {choices}"


def _if(value: Any, rules: Schema, root: Schema, place: str) -> Iterator[str]:
    holds = next(_breaks(value, rules["if"], root, place), "") == ""
    yield from _breaks(value, rules.get("then" if holds else "else", {}), root, place)


_NESTED: dict[str, Callable[[Any, Schema, Schema, str], Iterator[str]]] = {
    "$ref": _reference,
    "required": _required,
    "dependentRequired": _together,
    "properties": _properties,
    "additionalProperties": _no_others,
    "items": _items,
    "allOf": _all,
    "oneOf": _one,
    "if": _if,
}
