"""The recipe of a model: what it learns from, how sources are split, and every number of the fit."""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from importlib import resources
from pathlib import Path
from typing import Any, Literal, TypeAlias, TypeVar

from tinyvmaf.errors import DataError

Split: TypeAlias = Literal["train", "selection", "test"]
SPLITS: tuple[Split, ...] = ("train", "selection", "test")
DEFAULT = "vmaf_tiny.toml"

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Source:
    """One clip that the corpus is made from.

    Attributes:
        file: Path relative to the data folder.
        sha256: Of the file, 64 lower-case hexadecimal digits.
        split: What its frames are used for.
        size: (width, height) in samples to which it is reduced, which hides traces of its own compression.
        bits: Bits per sample it is brought to before that, 8 or 10.
        takes: Slices of frame numbers, "start:stop" or "start:stop:step", joined by cuts.
    """

    file: str
    sha256: str
    split: Split
    size: tuple[int, int]
    bits: int
    takes: tuple[str, ...]

    @property
    def name(self) -> str:
        """The file's name without folder and ending."""
        return Path(self.file).stem

    @property
    def frame_numbers(self) -> list[int]:
        """Numbers of the frames of all takes, in order."""
        slices = [slice(*map(int, take.split(":"))) for take in self.takes]
        return [number for part in slices for number in range(part.start, part.stop, part.step or 1)]


@dataclass(frozen=True, slots=True)
class Distortion:
    """One way to degrade a clip, at several strengths.

    Attributes:
        name: Unique in the recipe.
        kind: "encode" or a key of `distort.KINDS`.
        levels: Strengths from mild to strong: the constant rate factor of an encode, else what the kind takes.
        ordered: Whether a later level must never score above an earlier one.
        codec: FFmpeg's name of the encoder.
        options: The encoder's options.
        scale: Size of the encode relative to the clip; the decoded frames are scaled back up.
        bits: Bits of the encode where they are not the clip's.
    """

    name: str
    kind: str
    levels: tuple[float, ...]
    ordered: bool = True
    codec: str = ""
    options: Mapping[str, str] = field(default_factory=dict)
    scale: float = 1.0
    bits: int | None = None


@dataclass(frozen=True, slots=True)
class FitSettings:
    """Every number of the fit.

    Attributes:
        hidden: Units of the two hidden layers.
        starts: Random starts.
        seed: Of all random numbers.
        iterations: At most so many steps of L-BFGS per start.
        extra_rows: Points around the corpus that the teacher labels.
        extra_weight: Weight of the extra rows together, the corpus having 1.
        order_weight: Weight of the penalty on pairs of frames in the wrong order.
        lowest: (6,) lower corner of the box that features are clipped to.
        highest: (6,) upper corner.
        lift: Sum of similarity deficits below which the score is lifted towards 100.
    """

    hidden: tuple[int, int]
    starts: int
    seed: int
    iterations: int
    extra_rows: int
    extra_weight: float
    order_weight: float
    lowest: tuple[float, ...]
    highest: tuple[float, ...]
    lift: float


@dataclass(frozen=True, slots=True)
class Recipe:
    """Everything that decides the bytes of a model.

    Attributes:
        name: Id of the model.
        teacher: Version name of the model it imitates.
        license: SPDX expression of the result.
        fit: Numbers of the fit.
        distortions: In the order of the file.
        sources: In the order of the file.
        sha256: Of the recipe file.
    """

    name: str
    teacher: str
    license: str
    fit: FitSettings
    distortions: tuple[Distortion, ...]
    sources: tuple[Source, ...]
    sha256: str = ""

    def of_split(self, split: Split) -> tuple[Source, ...]:
        """The sources of one split."""
        return tuple(source for source in self.sources if source.split == split)


def load_recipe(path: Path | None = None) -> Recipe:
    """Read a recipe.

    Args:
        path: A TOML file; None for the one of the shipped model.

    Returns:
        The recipe.

    Raises:
        DataError: It does not parse, repeats a source or a distortion, or has an empty split.
    """
    data = path.read_bytes() if path else resources.files("tinyvmaf.train").joinpath(DEFAULT).read_bytes()
    try:
        content = tomllib.loads(data.decode())
        recipe = Recipe(
            name=content["name"],
            teacher=content["teacher"],
            license=content["license"],
            fit=_build(FitSettings, content["fit"]),
            distortions=tuple(_build(Distortion, item) for item in content["distortion"]),
            sources=tuple(_build(Source, item) for item in content["source"]),
            sha256=hashlib.sha256(data).hexdigest(),
        )
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(f"The recipe {path or DEFAULT} cannot be read: {type(error).__name__}: {error}.") from error
    _check(recipe)
    return recipe


def _build(kind: type[T], item: Mapping[str, Any]) -> T:
    known = {f.name for f in fields(kind)}  # type: ignore[arg-type]
    if unknown := set(item) - known:
        raise ValueError(f"{kind.__name__} has no {', '.join(sorted(unknown))}")
    return kind(**{key: tuple(value) if isinstance(value, list) else value for key, value in item.items()})


def _check(recipe: Recipe) -> None:
    for kind, keys in (
        ("source", [source.sha256 for source in recipe.sources]),
        ("source name", [source.name for source in recipe.sources]),
        ("distortion", [distortion.name for distortion in recipe.distortions]),
    ):
        if len(set(keys)) != len(keys):
            raise DataError(f"Every {kind} of a recipe appears once, but one is there twice.")
    if {source.split for source in recipe.sources} != set(SPLITS):
        raise DataError(f"A recipe needs sources for each of {', '.join(SPLITS)} and no other split.")
