"""How sure the student should be: one factor and one offset for all its logits, chosen on validation samples."""

from __future__ import annotations

import copy
from itertools import product
from typing import Final

import torch

from tinyvmaf.train.saliency.composites import Pixels
from tinyvmaf.train.saliency.fit import agreement, answers
from tinyvmaf.train.saliency.network import Network

GAINS: Final = (1.0, 1.5, 2.0, 3.0)
OFFSETS: Final = (0.0, -0.25, -0.5, -0.75, -1.0, -1.5)
"""Added after the factor."""


def calibrate(network: Network, samples: Pixels, side: int) -> Network:
    """The same network, as sure of itself as agrees best with the targets.

    Args:
        network: In evaluation mode.
        samples: uint8 (N, h, w, 4) of validation: red, green, blue, target.
        side: Of the square that the network is to see.

    Returns:
        A copy whose last convolution holds the factor and the offset of the largest "iou" - "mae".
    """
    seen, target = answers(network, samples, side)
    logits = torch.logit(seen, 1e-6)

    def merit(choice: tuple[float, float]) -> float:
        got = agreement(torch.sigmoid(choice[0] * logits + choice[1]), target)
        return got["iou"] - got["mae"]

    gain, offset = max(product(GAINS, OFFSETS), key=merit)
    made = copy.deepcopy(network)
    with torch.no_grad():
        made.last[1].weight *= gain
        made.last[1].bias *= gain
        made.last[1].bias += offset
    return made
