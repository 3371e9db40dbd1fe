"""Motion of the reference, as libvmaf's integer extractor computes it.

Source: libvmaf's `integer_motion`: the mean absolute difference of two neighbouring luma frames after a 5 x 5 low-pass;
`motion2` is the smaller of a frame's motion and the next frame's, so that a cut does not count.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from tinyvmaf._memory import aligned_zeros
from tinyvmaf.features.base import Column, Feature, Option
from tinyvmaf.features.kernels.native import Kernel, Packed
from tinyvmaf.video.frame import FramePair

_sad = Kernel("motion", "sad")


class Motion(Feature):
    """Motion of the reference in 8-bit steps per sample, from 0; the distorted frame is not looked at."""

    name = "motion"
    provides = ("motion", "motion2")
    options: ClassVar[tuple[Option, ...]] = (
        Option("motion_force_zero", False, alias="force_0", help="Report no motion, whatever the content."),
    )
    temporal = True
    higher_is_better = None

    weighable = True

    def update(self, pair: FramePair) -> float:
        """Motion between the pair's reference and the one before; 0 for the first."""
        return _mean(self.sums(pair).sum(axis=0))

    def update_both(self, pair: FramePair) -> tuple[float, float]:
        """Motion of one pair without its weights and with them, in one pass."""
        sums = self.sums(pair)
        return _mean(sums[0]), _mean(sums.sum(axis=0))

    def sums(self, pair: FramePair) -> npt.NDArray[np.float64]:
        """Sum of absolute differences, and of samples.

        Args:
            pair: The frames.

        Returns:
            (2, 2) float64: plain sums and what the weights add to them, each the differences in 1/256 of an 8-bit step
            and the number of samples; all zero for the first pair.
        """
        out = np.zeros(4)
        if pair.previous is not None and not self.values["motion_force_zero"]:
            width = pair.reference.luma.shape[1]
            scratch = self.scratch(width, lambda: _scratch(width + 4))
            unit = 2.0 ** (8 - pair.bits)
            _sad(pair.previous.luma, pair.reference.luma, unit, width, pair.excess, scratch, out)
        return out.reshape(2, 2)

    def compute(self, partials: Sequence[float]) -> dict[str, Column]:
        """Motion of each frame, and the smaller of it and the next frame's."""
        motion = np.asarray(partials, dtype=np.float64)
        motion2 = motion.copy()
        if len(motion) > 2:
            motion2[1:-1] = np.minimum(motion[1:-1], motion[2:])
        return dict(zip(self.keys, (motion, motion2), strict=True))


def _scratch(width: int) -> Packed:
    return Packed(*(aligned_zeros(rows * width, np.float32) for rows in (5, 1, 1)))


def _mean(sums: npt.NDArray[np.float64]) -> float:
    return float(sums[0] / 256.0 / sums[1]) if sums[1] > 0 else 0.0
