"""How probable it is, frame by frame of the reference, that a shot ends there, by TransNet V2.

Source: Soucek and Lokoc, "TransNet V2: An effective deep network architecture for fast shot transition detection"
(2020). The network sees windows of frames, so the whole clip is looked at in order, whatever frames are scored.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import ClassVar

import numpy as np

from tinyvmaf.features._published import OPTIONS, colour_of, open_model
from tinyvmaf.features.base import Column, Feature, Option, OptionValue, Partial, Series
from tinyvmaf.video.frame import FramePair
from tinyvmaf.vision.shots import THRESHOLD, Numbers
from tinyvmaf.vision.transnet import HEIGHT, MODEL, WIDTH, TransNet
from tinyvmaf.vision.windows import Windows

ENVIRONMENT = "VMAF_TRANSNET_V2_MODEL_PATH"
"""Variable that holds a path where `model_path` says nothing."""
_MATRICES = ("auto", "bt601", "bt709", "bt2020")


class TransnetV2(Feature):
    """TransNet V2, pulled as `transnet_v2`: a probability, and 1 where it is 0.5 or more."""

    name = MODEL
    provides = ("shot_boundary_probability", "shot_boundary")
    options: ClassVar[tuple[Option, ...]] = tuple(
        replace(option, choices=_MATRICES) if option.name == "matrix" else option for option in OPTIONS
    )
    planes = "all"
    temporal = True
    higher_is_better = None

    def __init__(self, **options: str | OptionValue) -> None:
        """Check the options and open the network.

        Args:
            options: Values by option name; text is parsed.

        Raises:
            UnknownNameError: There is no such option, or the model is not here.
            UsageError: A value of the wrong type or out of range.
            TinyVmafError: The model cannot be used; see `tinyvmaf.models.runtime.DnnConfig.open`.
        """
        super().__init__(**options)
        self._network = TransNet(open_model(self, ENVIRONMENT, MODEL))

    def stop(self) -> None:
        """End the run that goes on."""
        self._network.session.stop()

    def update(self, pair: FramePair) -> Partial:
        """Shrink the reference.

        Args:
            pair: Both frames.

        Returns:
            (27, 48, 3) uint8 R'G'B'.
        """
        from tinyvmaf.video.pictures import RgbScaler

        colour = colour_of(self.values, pair)
        return self.scratch(colour, lambda: RgbScaler(WIDTH, HEIGHT, colour))(pair.reference)

    def series(self) -> Series:
        """The windows of one clip."""
        return _Clip(self)


class _Clip(Series):
    """Runs the network whenever a window is full."""

    def __init__(self, feature: TransnetV2) -> None:
        self._keys = feature.keys
        self._windows = Windows(feature._network)
        self._found: list[Numbers] = []

    def add(self, partial: Partial) -> None:
        self._found.append(self._windows.add(partial)[:, 0])

    def finish(self, every: int = 1) -> tuple[Mapping[str, Column], Mapping[str, float]]:
        self._found.append(self._windows.finish()[:, 0])
        probability = np.concatenate(self._found)[::every]
        boundary = (probability >= THRESHOLD).astype(np.float64)
        return dict(zip(self._keys, (probability, boundary), strict=True)), {}
