"""Networks of two pictures as features: one file each, with weights of the package, pulled, or given by path."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar, Final

from tinyvmaf.errors import UsageError
from tinyvmaf.features._pictures import PictureModel
from tinyvmaf.features.base import Feature, Option, OptionValue
from tinyvmaf.models.load import load
from tinyvmaf.models.runtime import DnnConfig, ModelSession
from tinyvmaf.video.frame import Colour, FramePair
from tinyvmaf.video.rgb import COMPATIBLE

MATRICES: Final = {"auto": None, "bt601": "smpte170m", "bt709": "bt709", "bt2020": "bt2020nc", "compat": COMPATIBLE}
"""What users type -> FFmpeg's name of a YUV matrix; `compat` reproduces a fork of libvmaf."""

OPTIONS: Final = (
    Option("model_path", "", help="the ONNX file, in place of the model of this name"),
    Option("matrix", "auto", choices=tuple(MATRICES), help="YUV matrix; auto takes what the video states"),
    Option("range", "auto", choices=("auto", "limited", "full"), help="range of the samples, likewise"),
    Option("device", "auto", help="where to run: a device, or several in order of preference"),
    Option("threads", 0, low=0, high=64, help="threads of the network, 0 for a number that suits it"),
)


class PublishedNetwork(PictureModel):
    """A network from two pictures to their distance; a subclass has the name of its model, and no more.

    Both frames become RGB first: code values are scaled by their range, chroma is interpolated linearly from its
    left-sited positions, and the matrix is the one that the video states, or that its height suggests. Transfer
    functions are left as they are; the networks were trained on pictures with a common display gamma.

    Attributes:
        environment: Variable that holds a path where `model_path` says nothing.
    """

    higher_is_better = False
    minimum_size = 32
    standard_range = True
    environment: ClassVar[str]
    options = OPTIONS
    identity = Feature.identity

    def __init_subclass__(cls) -> None:
        cls.provides = (cls.name,)

    def __init__(self, **options: str | OptionValue) -> None:
        """Check the options and open the network.

        Args:
            options: Values by option name; text is parsed.

        Raises:
            UnknownNameError: There is no such option, or the model is not here.
            UsageError: A value of the wrong type or out of range.
            TinyVmafError: The model cannot be used; see `tinyvmaf.models.runtime.DnnConfig.open`.
        """
        Feature.__init__(self, **options)
        self._attach(open_model(self, self.environment, self.name))

    def colour(self, pair: FramePair) -> Colour:
        """What the options say, else what the video states."""
        return colour_of(self.values, pair)


def open_model(feature: Feature, environment: str, default: str) -> ModelSession:
    """Open the network of a feature that has OPTIONS.

    Args:
        feature: With its options.
        environment: Variable that holds a path where `model_path` says nothing.
        default: Id of the model where that holds nothing either.

    Returns:
        The session.

    Raises:
        UsageError: There is no file of that name.
        TinyVmafError: The model cannot be used; see `tinyvmaf.models.runtime.DnnConfig.open`.
    """
    path = named_file(feature, environment, "; without both the model of this name is taken")
    config = DnnConfig(device=str(feature.values["device"]), threads=int(feature.values["threads"]))
    return config.open(load(path or default))


def named_file(feature: Feature, environment: str, otherwise: str = "") -> Path | None:
    """The model file that option or environment name.

    Args:
        feature: With its option `model_path`.
        environment: Variable that holds a path where `model_path` says nothing.
        otherwise: What the hint says of neither.

    Returns:
        The path, None where neither names one.

    Raises:
        UsageError: There is no file of that name.
    """
    path = str(feature.values["model_path"]) or os.environ.get(environment, "")
    if path and not os.path.isfile(path):
        raise UsageError(
            f"Option model_path of feature {feature.name} is a file, but there is none at {path!r}.",
            f"Correct it or the variable {environment}{otherwise}.",
        )
    return Path(path) if path else None


def colour_of(values: Mapping[str, OptionValue], pair: FramePair) -> Colour:
    """How the code values of a pair become colours: what the options say, else what the video states.

    Args:
        values: Option values, with those of OPTIONS among them.
        pair: Both frames.

    Returns:
        Matrix and range.
    """
    matrix, span = MATRICES[str(values["matrix"])], values["range"]
    return Colour(matrix or pair.colour.matrix, pair.colour.range if span == "auto" else span)  # type: ignore[arg-type]
