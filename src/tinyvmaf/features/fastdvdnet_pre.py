"""How much a temporal denoiser takes away from the reference: its noise and grain, as far as the network sees them.

Source: Tassano, Delon and Veit, "FastDVDnet: Towards Real-Time Deep Video Denoising Without Flow Estimation", 2020.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar, Final

import numpy as np

from tinyvmaf.errors import UsageError
from tinyvmaf.features._published import named_file
from tinyvmaf.features.base import Column, Feature, Option, OptionValue, Series
from tinyvmaf.models.load import load
from tinyvmaf.models.runtime import DnnConfig
from tinyvmaf.video.frame import FramePair
from tinyvmaf.vision.denoise import PEAK, SIGMA, Denoised, Image, TemporalDenoiser

ENVIRONMENT: Final = "VMAF_FASTDVDNET_PRE_MODEL_PATH"
"""Variable that holds a path where `model_path` says nothing."""

_TIME_LIMIT: Final = 600.0
"""Seconds; the published network takes more than two minutes of processor time for a frame of 4K."""


class FastDvdNetPre(Feature):
    """Mean absolute difference, in 0..1, of the reference's luma and the same without noise.

    The distorted frame is not looked at. Luma is a code value over 2^bits - 1 whatever its range is, so that limited
    range fills 16/255 to 235/255.
    """

    name = "fastdvdnet_pre"
    provides = ("fastdvdnet_pre_l1_residual",)
    options: ClassVar[tuple[Option, ...]] = (
        Option("model_path", "", help="the ONNX file of the denoiser; there is none to pull"),
        Option("sigma", SIGMA, 0, PEAK, alias="sigma", help="noise level in 8-bit steps, for graphs that are told it"),
        Option("device", "auto", help="where to run: a device, or several in order of preference"),
        Option("threads", 0, low=0, high=64, help="threads of the network, 0 for a number that suits it"),
    )
    temporal = True
    higher_is_better = None

    def __init__(self, **options: str | OptionValue) -> None:
        """Check the options and open the network.

        Args:
            options: Values by option name; text is parsed.

        Raises:
            UnknownNameError: There is no such option.
            UsageError: A value of the wrong type or out of range, or no file is named.
            ContractError: The graph is no temporal denoiser.
            TinyVmafError: The model cannot be used; see `tinyvmaf.models.runtime.DnnConfig.open`.
        """
        super().__init__(**options)
        device, threads = str(self.values["device"]), int(self.values["threads"])
        config = DnnConfig(device=device, threads=threads, time_limit=_TIME_LIMIT)
        self.denoiser = TemporalDenoiser(config.open(load(self._path())), float(self.values["sigma"]))

    def _path(self) -> Path:
        path = named_file(self, ENVIRONMENT)
        if path is None:
            raise UsageError(
                f"Feature {self.name} needs the ONNX file of a temporal denoiser, but none is named: no weights can be "
                "pulled.",
                f"Give it by option model_path or variable {ENVIRONMENT}.",
            )
        return path

    def stop(self) -> None:
        """End the run that goes on."""
        self.denoiser.session.stop()

    def update(self, pair: FramePair) -> Image:
        """The luma of the reference.

        Args:
            pair: Both frames.

        Returns:
            (H, W) float32 in 0..1, a copy.
        """
        return pair.reference.luma.astype(np.float32) / np.float32((1 << pair.bits) - 1)

    def series(self) -> Series:
        """A fresh pass over one clip, which holds five frames and denoises each when the two after it have come."""
        return _Residuals(self)


class _Residuals(Series):
    """The residual of every frame, scored or not: what is scored is known at the end."""

    def __init__(self, feature: FastDvdNetPre) -> None:
        self._key = feature.keys[0]
        self._stream = feature.denoiser.stream()
        self._residuals: list[float] = []

    def add(self, partial: Image) -> None:
        self._take(self._stream.push(partial))

    def finish(self, every: int = 1) -> tuple[Mapping[str, Column], Mapping[str, float]]:
        self._take(self._stream.finish())
        return {self._key: np.array(self._residuals, np.float64)[::every]}, {}

    def _take(self, frames: Sequence[Denoised]) -> None:
        self._residuals += [float(np.mean(np.abs(f.noisy - f.clean), dtype=np.float64)) for f in frames]
