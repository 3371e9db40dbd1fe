"""What every score model offers, whatever it is made of: the inputs it needs and the columns it predicts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

from tinyvmaf.errors import ContractError, UnknownNameError

Table: TypeAlias = npt.NDArray[np.float64]
Column: TypeAlias = npt.NDArray[np.float64]
Kind: TypeAlias = Literal["svm", "bootstrap", "tiny"]
OptionValue: TypeAlias = bool | int | float | str


@dataclass(frozen=True, slots=True)
class ModelInput:
    """One column that a model reads.

    Attributes:
        feature: Catalogue name of the feature that provides it, such as "adm".
        key: Its key without option suffix, such as "adm2".
        options: (option, value) of that feature, sorted by option name; anything not named is at its default.
    """

    feature: str
    key: str
    options: tuple[tuple[str, OptionValue], ...] = ()


@dataclass(frozen=True, slots=True)
class Overload:
    """A feature option that the user sets in place of what the model says.

    Attributes:
        feature: Catalogue name of the feature.
        option: Option of that feature.
        value: Its value, text from the command line or a Python value.
    """

    feature: str
    option: str
    value: OptionValue


class ScoreModel(Protocol):
    """A loaded model."""

    @property
    def kind(self) -> Kind:
        """What it is made of."""

    @property
    def inputs(self) -> tuple[ModelInput, ...]:
        """The columns of the table that `columns` takes, in order."""

    def columns(self, table: Table, name: str) -> dict[str, Column]:
        """Predict every column that this model adds to a log.

        Args:
            table: (N, len(inputs)) float64, one row per frame.
            name: The model's name in the log; its score has this key, further columns begin with it.

        Returns:
            Key to float64 array of N, the score first.
        """


def check_table(table: Table, inputs: Sequence[ModelInput]) -> Table:
    """Check the shape of what a model is given.

    Args:
        table: (N, F) numbers.
        inputs: The F inputs of the model.

    Returns:
        The table as C-contiguous float64.

    Raises:
        ContractError: Not two axes, or not one column per input.
    """
    rows = np.ascontiguousarray(table, dtype=np.float64)
    if rows.ndim != 2 or rows.shape[1] != len(inputs):
        keys = ", ".join(item.key for item in inputs)
        raise ContractError(f"The model reads {len(inputs)} columns ({keys}), but the table has shape {rows.shape}.")
    return rows


def overloaded(inputs: Sequence[ModelInput], overloads: Sequence[Overload]) -> tuple[ModelInput, ...]:
    """Put the user's feature options in place of the model's.

    Args:
        inputs: What the model asks for.
        overloads: What the user asks for; the last of two for one option counts.

    Returns:
        The inputs with the options replaced.

    Raises:
        UnknownNameError: The model reads no such feature.
    """
    result = list(inputs)
    for overload in overloads:
        places = [i for i, item in enumerate(result) if item.feature == overload.feature]
        if not places:
            names = ", ".join(dict.fromkeys(item.feature for item in inputs))
            raise UnknownNameError(f"The model reads no feature {overload.feature!r}.", f"It reads: {names}.")
        for i in places:
            options = {**dict(result[i].options), overload.option: overload.value}
            result[i] = replace(result[i], options=tuple(sorted(options.items())))
    return tuple(result)
