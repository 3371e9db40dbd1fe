"""Saliency of the reference: how much of the frame draws the eye, and weights for the other features.

Source of the weighting: Liu and Heynderickx, "Visual attention in objective image quality assessment: based on
eye-tracking data", IEEE TCSVT 21(7), 2011: the map multiplies local quality before it is pooled over the frame.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import ClassVar, Final

import numpy as np

from tinyvmaf.features._published import OPTIONS, colour_of, open_model
from tinyvmaf.features.base import Feature, Option, OptionValue
from tinyvmaf.video.frame import CELL, FramePair, Weights
from tinyvmaf.vision.saliency import MODEL, Map, SaliencyModel, SaliencyStream, block_means

ENVIRONMENT: Final = "VMAF_MOBILESAL_MODEL_PATH"
"""Variable that holds a path where `model_path` says nothing."""


class Saliency(Feature):
    """Mean of the saliency map of the reference, 0 to 1; with `weight`, the map weighs what other features sum up.

    Maps come from the reference, not from the distorted video, whose artefacts would draw weight to themselves. In a
    clip the network looks at every few frames; see `tinyvmaf.vision.saliency.SaliencyStream`.
    """

    name = "saliency"
    provides = ("saliency_mean",)
    options: ClassVar[tuple[Option, ...]] = (
        *OPTIONS,
        Option("every", 4, low=1, high=120, help="frames from one look of the network to the next"),
        Option("weight", False, help="weigh the samples of VIF, ADM, motion, PSNR, SSIM and MS-SSIM by the map"),
        Option("strength", 1.0, low=0, high=8, help="exponent of the map in the weight: 0 weighs all alike"),
        Option("floor", 0.25, low=0.001, high=1, help="weight of what draws no eye at all; what draws it most has 1"),
    )
    higher_is_better = None
    planes = "all"
    standard_range = True

    def __init__(self, **options: str | OptionValue) -> None:
        """Check the options and open the network.

        Args:
            options: Values by option name; text is parsed.

        Raises:
            UnknownNameError: There is no such option.
            UsageError: A value of the wrong type or out of range.
            UnknownNameError: The model has not been pulled.
            TinyVmafError: The model cannot be used; see `tinyvmaf.models.runtime.DnnConfig.open`.
        """
        super().__init__(**options)
        self.weighs = bool(self.values["weight"])
        self._model = SaliencyModel(open_model(self, ENVIRONMENT, MODEL))

    def prepare(self, pairs: Iterable[FramePair]) -> Iterator[FramePair]:
        """Put maps, and weights where they are wanted, on the pairs.

        Args:
            pairs: The pairs of one clip, in order.

        Yields:
            The same pairs; at most `every` are held back.

        Raises:
            ContractError, ModelError: The network failed; see `tinyvmaf.vision.saliency`.
        """
        stream = SaliencyStream(self._model, int(self.values["every"]))
        waiting: deque[FramePair] = deque()
        for pair in pairs:
            waiting.append(pair)
            for values in stream.push(pair.reference, colour_of(self.values, pair)):
                yield self._with(waiting.popleft(), values)
        for values in stream.finish():
            yield self._with(waiting.popleft(), values)

    def _with(self, pair: FramePair, values: Map) -> FramePair:
        weights = self.weights(values, *pair.reference.luma.shape) if self.weighs else pair.weights
        return replace(pair, saliency=values, weights=weights)

    def weights(self, values: Map, height: int, width: int) -> Weights:
        """Weights of the cells of a frame: floor + (1 - floor) * saliency ** strength.

        Args:
            values: Saliency map.
            height: Luma height of the frame.
            width: Luma width.

        Returns:
            (ceil(height / 8), ceil(width / 8)) float32, floor to 1.
        """
        floor, strength = np.float32(self.values["floor"]), np.float32(self.values["strength"])
        weights: Weights = floor + (1 - floor) * np.clip(block_means(values, height, width, CELL), 0, 1) ** strength
        return weights

    def update(self, pair: FramePair) -> tuple[float]:
        """Mean of the pair's map; the network looks at the frame alone where there is none yet.

        Args:
            pair: Both frames.

        Returns:
            One number.
        """
        values = pair.saliency
        if values is None:
            values = self._model.map(pair.reference, colour_of(self.values, pair))
        return (float(values.mean(dtype=np.float64)),)

    def stop(self) -> None:
        """End the run that goes on."""
        self._model.session.stop()
