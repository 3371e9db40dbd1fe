"""Command lines as getopt_long reads them: clustered short options, abbreviated long ones, both ways to give a value.

Source: GNU getopt_long, except that nothing is ignored: what is not understood is an error.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from tinyvmaf.errors import UsageError


@dataclass(frozen=True, slots=True)
class Flag:
    """One option of a command line.

    Attributes:
        name: Long name without the leading dashes. Dashes and underscores in it are the same to users.
        value: What stands for its value in the help, None for a switch.
        help: One line for the help.
        short: One letter, empty for none.
        parse: Turns the text of the value into what is kept; raises ValueError or UsageError if it cannot.
        default: What is kept when the option is absent. Repeated options start from ().
        repeat: Whether it may be given several times and collects a tuple.
        aliases: Other long names.
        constant: What a switch keeps.
        into: Key under which the value is kept, empty for the flag's own name. Flags that share a key overwrite each
            other, the last on the command line wins; give them one default.
        rule: What the value must be, for the message when `parse` raises ValueError; `value` by default.
    """

    name: str
    value: str | None = None
    help: str = ""
    short: str = ""
    parse: Callable[[str], Any] = str
    default: Any = None
    repeat: bool = False
    aliases: tuple[str, ...] = ()
    constant: Any = True
    into: str = ""
    rule: str = ""

    @property
    def key(self) -> str:
        """The name in the table of parsed values, with underscores."""
        return self.into or _canonical(self.name)

    @property
    def spelling(self) -> str:
        """How messages and help name it."""
        return f"-{self.short}/--{self.name}" if self.short else f"--{self.name}"


def parse_flags(arguments: Sequence[str], flags: Sequence[Flag], stop_at: Sequence[str] = ()) -> dict[str, Any]:
    """Read a command line.

    Args:
        arguments: Without the program's name.
        flags: What is allowed.
        stop_at: Keys of options after which nothing is looked at, such as "version".

    Returns:
        Key of every flag to its value; the last one counts where a flag that does not repeat is given twice.

    Raises:
        UsageError: An unknown or ambiguous option, a missing, superfluous or malformed value, an argument that is
            no option.
    """
    values: dict[str, Any] = {flag.key: () if flag.repeat else flag.default for flag in flags}
    for flag, text in _options(arguments, flags):
        value = flag.constant if text is None else _parsed(flag, text)
        values[flag.key] = (*values[flag.key], value) if flag.repeat else value
        if flag.key in stop_at:
            break
    return values


def _parsed(flag: Flag, text: str) -> Any:
    try:
        return flag.parse(text)
    except ValueError as error:
        raise UsageError(f"Option {flag.spelling} takes {flag.rule or flag.value}, not {text!r}.") from error


def _options(arguments: Sequence[str], flags: Sequence[Flag]) -> Iterator[tuple[Flag, str | None]]:
    """Every option in order, with its value as text."""
    rest = iter(arguments)
    for argument in rest:
        if argument == "--":
            for left in rest:
                _refuse_positional(left)
        elif argument.startswith("--"):
            name, equals, value = argument[2:].partition("=")
            flag = _long(name, flags)
            if equals and flag.value is None:
                raise UsageError(f"Option {flag.spelling} takes no value, not {value!r}.")
            yield flag, value if equals else _following(flag, rest)
        elif argument.startswith("-") and argument != "-":
            yield from _cluster(argument[1:], flags, rest)
        else:
            _refuse_positional(argument)


def _refuse_positional(argument: str) -> None:
    raise UsageError(f"Every argument belongs to an option, but {argument!r} does not.", "Give videos with -r and -d.")


def _cluster(letters: str, flags: Sequence[Flag], rest: Iterator[str]) -> Iterator[tuple[Flag, str | None]]:
    """Short options behind one dash; the first that takes a value takes all that follows it."""
    for i, letter in enumerate(letters):
        flag = next((flag for flag in flags if flag.short == letter), None)
        if flag is None:
            raise UsageError(f"There is no option -{letter}.", "See --help.")
        if flag.value is not None:
            yield flag, letters[i + 1 :] or _following(flag, rest)
            return
        yield flag, None


def _following(flag: Flag, rest: Iterator[str]) -> str | None:
    if flag.value is None:
        return None
    value = next(rest, None)
    if value is None:
        raise UsageError(f"Option {flag.spelling} needs a value ({flag.rule or flag.value}).")
    return value


def _long(name: str, flags: Sequence[Flag]) -> Flag:
    """The flag of a long name or of an unambiguous beginning of one."""
    spellings = {_canonical(spelling): flag for flag in flags for spelling in (flag.name, *flag.aliases)}
    wanted = _canonical(name)
    if wanted in spellings:
        return spellings[wanted]
    begun = {flag.name: flag for spelling, flag in spellings.items() if wanted and spelling.startswith(wanted)}
    if len(begun) == 1:
        return next(iter(begun.values()))
    if begun:
        raise UsageError(
            f"Option --{name} is ambiguous.", f"It may be {', '.join(f.spelling for f in begun.values())}."
        )
    close = get_close_matches(wanted, spellings, n=1)
    raise UsageError(
        f"There is no option --{name}.", f"Did you mean --{spellings[close[0]].name}?" if close else "See --help."
    )


def _canonical(name: str) -> str:
    return name.replace("-", "_")


def unsigned(text: str) -> int:
    """Read a number as libvmaf's options take it, except that a leading zero does not make it octal.

    Args:
        text: Decimal digits, or hexadecimal ones after 0x.

    Returns:
        The number, 0 to 2**32 - 1.

    Raises:
        ValueError: Anything else.
    """
    hexadecimal = text[:2] in ("0x", "0X")
    digits = text[2:] if hexadecimal else text
    if not digits.isascii() or not digits.isalnum() or len(digits) > 20:
        raise ValueError(text)
    value = int(digits, 16 if hexadecimal else 10)
    if value >= 1 << 32:
        raise ValueError(text)
    return value


def one_of(choices: Sequence[str]) -> Callable[[str], str]:
    """A reader of options that take one of a few words.

    Args:
        choices: The words.

    Returns:
        A function that gives the word back, or raises ValueError.
    """

    def parse(text: str) -> str:
        if text not in choices:
            raise ValueError(text)
        return text

    return parse


def help_text(flags: Sequence[Flag]) -> str:
    """One line per option.

    Args:
        flags: The options, in the order of the help.

    Returns:
        Lines that end in a line feed.
    """
    heads = [f"  {flag.spelling}" + (f" {flag.value}" if flag.value else "") for flag in flags]
    width = max((len(head) for head in heads if len(head) <= 34), default=0)
    return "".join(f"{head:<{width}}  {flag.help}".rstrip() + "\n" for head, flag in zip(heads, flags, strict=True))
