"""Frames as the RGB pictures that a graph was trained on: size, range and standardisation as its sidecar has them."""

from __future__ import annotations

from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt

from tinyvmaf.models.runtime import ModelSession
from tinyvmaf.models.sidecar import Frame as FrameContract
from tinyvmaf.video.frame import Colour, Frame
from tinyvmaf.video.rgb import to_rgb

Image: TypeAlias = npt.NDArray[np.float32]

IMAGENET_MEAN: Final = (0.485, 0.456, 0.406)
IMAGENET_STD: Final = (0.229, 0.224, 0.225)


def rgb_picture(
    frame: Frame, colour: Colour, contract: FrameContract, session: ModelSession, size: tuple[int, int] | None
) -> Image:
    """Turn a frame into what a graph wants of it, before standardisation by the sidecar.

    A graph without a sidecar gets pictures that are standardised as ImageNet's are, which is what published networks
    are trained on.

    Args:
        frame: The frame.
        colour: How its code values become colours.
        contract: What the graph takes.
        session: The graph.
        size: (width, height) to scale to first, None for the frame's own.

    Returns:
        (3, H, W), red first.
    """
    image = to_rgb(frame, colour, size, contract.resize)
    if contract.scaled_by == "largest":
        image /= max(float(image.max()), 1e-6)
    if contract.value_range[1] != 1.0:
        image *= np.float32(contract.value_range[1])
    if session.sidecar.frame is None and session.sidecar.mean is None:
        image -= np.array(IMAGENET_MEAN, np.float32)[:, None, None]
        image /= np.array(IMAGENET_STD, np.float32)[:, None, None]
    return image
