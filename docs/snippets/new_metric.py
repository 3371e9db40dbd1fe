"""Mean absolute difference of luma, in 8-bit code values."""

import numpy as np

import tinyvmaf
from tinyvmaf.features.base import Feature
from tinyvmaf.video.frame import FramePair


class MeanDifference(Feature):
    """How far luma is off on average: 0 for identical pictures."""

    name = "mean_difference"
    provides = ("mean_difference",)
    higher_is_better = False
    minimum_size = 1

    def update(self, pair: FramePair) -> list[float]:
        """One value."""
        difference = pair.reference.luma.astype(np.float64) - pair.distorted.luma
        return [float(np.average(np.abs(difference), weights=pair.weights)) / 2 ** (pair.bits - 8)]


result = tinyvmaf.score("demo/reference.mkv", "demo/distorted.mp4", models=[], features=[MeanDifference()])
print(result.column("mean_difference"))
