"""Motion of the reference, as libvmaf's integer extractor computes it.

Source: libvmaf's `integer_motion`: the mean absolute difference of two neighbouring luma frames after a 5 x 5 low-pass;
`motion2` is the smaller of a frame's motion and the next frame's, so that a cut does not count.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np

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

    def update(self, pair: FramePair) -> float:
        """Motion between the pair's reference and the one before; 0 for the first."""
        if pair.previous is None or self.values["motion_force_zero"]:
            return 0.0
        width = pair.reference.luma.shape[1]
        scratch = self.scratch(
            width, lambda: Packed(aligned_zeros(5 * (width + 4), np.float32), aligned_zeros(width + 4, np.float32))
        )
        out = np.empty(2)
        unit = 2.0 ** (8 - pair.bits)
        _sad(pair.previous.luma, pair.reference.luma, unit, width, pair.weights, scratch, out)
        return float(out[0] / 256.0 / out[1]) if out[1] > 0 else 0.0

    def compute(self, partials: Sequence[float]) -> dict[str, Column]:
        """Motion of each frame, and the smaller of it and the next frame's."""
        motion = np.asarray(partials, dtype=np.float64)
        motion2 = motion.copy()
        if len(motion) > 2:
            motion2[1:-1] = np.minimum(motion[1:-1], motion[2:])
        return dict(zip(self.keys, (motion, motion2), strict=True))
