"""What every feature is: pure per-frame work, then a pass over the whole clip in frame order."""

from __future__ import annotations

import math
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Literal, TypeAlias, TypeVar

import numpy as np
import numpy.typing as npt

from tinyvmaf.errors import UnknownNameError, UsageError
from tinyvmaf.video.frame import FramePair

Column: TypeAlias = npt.NDArray[np.float64]
OptionValue: TypeAlias = bool | int | float | str
Partial: TypeAlias = Any
"""A few numbers that one feature takes from one frame pair; only that feature knows their meaning."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Option:
    """One option of a feature, named as libvmaf names it.

    Attributes:
        name: The name users type.
        default: Its value when nothing is said; its type is the option's type.
        low: Smallest number allowed.
        high: Largest number allowed.
        alias: Short name that a log key ends in when the value is not the default; None where libvmaf adds nothing.
        help: One line for the reference page.
        choices: The texts allowed; any where there are none.
    """

    name: str
    default: OptionValue
    low: float = float("-inf")
    high: float = float("inf")
    alias: str | None = None
    help: str = ""
    choices: tuple[str, ...] = ()

    def parse(self, value: str | OptionValue, feature: str) -> OptionValue:
        """Turn what the user typed into a checked value of the option's type.

        Args:
            value: Text from the command line, or a Python value.
            feature: Name of the feature, for the message.

        Returns:
            The value.

        Raises:
            UsageError: It does not parse, lies outside low .. high, or is none of the choices.
        """
        if isinstance(self.default, str):
            return self._chosen(str(value), feature)
        try:
            parsed = self._convert(value)
        except (KeyError, ValueError) as error:
            kind = type(self.default).__name__
            raise UsageError(f"Option {self.name} of feature {feature} takes a {kind}, not {value!r}.") from error
        if not (self.low <= parsed <= self.high and math.isfinite(parsed)):
            raise UsageError(
                f"Option {self.name} of feature {feature} is finite and lies between {self.low:g} and {self.high:g}, "
                f"not at {value}."
            )
        return parsed

    def _chosen(self, value: str, feature: str) -> str:
        if self.choices and value not in self.choices:
            raise UsageError(
                f"Option {self.name} of feature {feature} is one of {', '.join(self.choices)}, not {value!r}."
            )
        return value

    def _convert(self, value: str | OptionValue) -> bool | int | float:
        if isinstance(self.default, bool):
            return value if isinstance(value, bool) else {"true": True, "false": False}[str(value).lower()]
        return int(value) if isinstance(self.default, int) else float(value)


class Feature(ABC):
    """A per-frame measurement of a frame pair.

    Subclasses state facts as class attributes and write `update`; `compute` passes numbers through unless frames
    look at their neighbours. An instance may be used by several threads at once.

    Attributes:
        name: The catalogue name, equal to the file name.
        provides: Keys of the columns, in order, without option suffix.
        options: What can be set.
        planes: "luma" where the chroma planes are not read; an option may decide.
        temporal: Whether every frame must be seen even when only some are scored.
        unit: Unit of the values, empty for plain numbers.
        higher_is_better: Direction of quality, None for a measure of content such as motion.
        minimum_size: Smallest width and height in samples.
        weighable: Whether the weights of a pair change the columns.
        weighs: Whether it gives weights to the pairs.
        standard_range: Whether it was made for pictures of standard dynamic range, by their display gamma.
    """

    name: ClassVar[str]
    provides: ClassVar[tuple[str, ...]]
    options: ClassVar[tuple[Option, ...]] = ()
    planes: Literal["luma", "all"] = "luma"
    temporal: ClassVar[bool] = False
    unit: ClassVar[str] = ""
    higher_is_better: ClassVar[bool | None] = True
    minimum_size: ClassVar[int] = 16
    weighable: ClassVar[bool] = False
    weighs: bool = False
    standard_range: ClassVar[bool] = False

    def __init__(self, **options: str | OptionValue) -> None:
        """Check the options.

        Args:
            options: Values by option name; text is parsed.

        Raises:
            UnknownNameError: No such option.
            UsageError: A value of the wrong type or out of range.
        """
        known = {option.name: option for option in self.options}
        for name in options:
            if name not in known:
                names = ", ".join(known) or "none"
                raise UnknownNameError(f"Feature {self.name} has no option {name!r}.", f"It has: {names}.")
        self.values: dict[str, OptionValue] = {
            name: option.parse(options[name], self.name) if name in options else option.default
            for name, option in known.items()
        }
        self._local = threading.local()

    @property
    def suffix(self) -> str:
        """What log keys end in: `_<alias>_<value>` of each option that is not at its default, by option name."""
        changed = [o for o in self.options if o.alias is not None and self.values[o.name] != o.default]
        return "".join(f"_{o.alias}_{float(self.values[o.name]):g}" for o in sorted(changed, key=lambda o: o.name))

    @property
    def keys(self) -> tuple[str, ...]:
        """Keys of the columns that `compute` returns, suffix included."""
        return tuple(key + self.suffix for key in self.provides)

    @property
    def identity(self) -> tuple[str, tuple[tuple[str, OptionValue], ...]]:
        """Equal for two features that compute the same columns."""
        return self.name, tuple(sorted(self.values.items()))

    def scratch(self, key: Any, make: Callable[[], T]) -> T:
        """A work buffer of the calling thread, made on first use and kept while `key` stays the same.

        Args:
            key: What the buffer depends on, usually (height, width, dtype).
            make: Makes it.

        Returns:
            The buffer.
        """
        if getattr(self._local, "key", None) != key:
            self._local.key, self._local.value = key, make()
        return self._local.value  # type: ignore[no-any-return]

    def prepare(self, pairs: Iterable[FramePair]) -> Iterable[FramePair]:
        """Add to the pairs what has to be known of them in order, before they are spread over threads.

        Args:
            pairs: The pairs of one clip, in order.

        Returns:
            The same pairs, in order; at most a few are held back at a time.
        """
        return pairs

    def stop(self) -> None:
        """End what goes on in `update` on other threads as soon as that can be done: nobody waits for it any more."""
        return

    @abstractmethod
    def update(self, pair: FramePair) -> Partial:
        """Measure one pair; pure apart from the thread's own scratch buffer.

        Args:
            pair: Both frames, equal in size and bits.

        Returns:
            The feature's partial result; for features that keep the default `compute`, one float per key.
        """

    def update_both(self, pair: FramePair) -> tuple[Partial, Partial]:
        """Measure one pair without its weights and with them.

        Args:
            pair: Both frames, with weights.

        Returns:
            What `update` returns without the weights, and with them.
        """
        return self.update(replace(pair, weights=None)), self.update(pair)

    def compute(self, partials: Sequence[Partial]) -> dict[str, Column]:
        """Turn the partial results of all frames, in frame order, into one column per key.

        Args:
            partials: What `update` returned, in frame order.

        Returns:
            Key (suffix included) to float64 array of len(partials).
        """
        table = np.asarray(partials, dtype=np.float64).reshape(len(partials), len(self.keys))
        return {key: np.ascontiguousarray(table[:, i]) for i, key in enumerate(self.keys)}

    def aggregate(self, partials: Sequence[Partial]) -> Mapping[str, float]:
        """Numbers of the whole clip that are not a pooling of the columns (such as apsnr).

        Args:
            partials: What `update` returned for the scored frames, in frame order.

        Returns:
            Key to value, usually empty.
        """
        return {}

    def series(self) -> Series:
        """A fresh pass over the frames of one clip, in order.

        Partial results that are pictures, of frames that are looked at in windows, need a series of their own that
        forgets what it has dealt with; numbers are kept for `compute`.

        Returns:
            What takes the partial results of one clip; nothing of it is shared with other clips or threads.
        """
        return _Collected(self)


class Series(ABC):
    """What becomes of one feature's partial results, frame after frame."""

    @abstractmethod
    def add(self, partial: Partial) -> None:
        """Take what `update` returned for the next frame.

        Args:
            partial: It.
        """

    @abstractmethod
    def finish(self, every: int = 1) -> tuple[Mapping[str, Column], Mapping[str, float]]:
        """Deal with what is left after the last frame.

        Args:
            every: Only each n-th frame of those added is scored.

        Returns:
            One column per key, of the scored frames, and numbers of the whole clip.
        """


class _Collected(Series):
    """Keeps everything for the end."""

    def __init__(self, feature: Feature) -> None:
        self._feature = feature
        self._partials: list[Partial] = []

    def add(self, partial: Partial) -> None:
        self._partials.append(partial)

    def finish(self, every: int = 1) -> tuple[Mapping[str, Column], Mapping[str, float]]:
        columns = self._feature.compute(self._partials)
        scored = {key: column[::every] for key, column in columns.items()}
        return scored, self._feature.aggregate(self._partials[::every])
