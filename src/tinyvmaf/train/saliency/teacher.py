"""The network that is imitated: U2-NetP, pulled by `tinyvmaf models pull u2netp`.

Qin et al., "U2-Net: Going Deeper with Nested U-Structure for Salient Object Detection" (2020).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np
import numpy.typing as npt

from tinyvmaf.dnn.session import Session
from tinyvmaf.models.load import load

SIDE: Final = 320
"""Of the square that it sees."""

_MEAN = np.array([0.485, 0.456, 0.406], np.float32)
_DEVIATION = np.array([0.229, 0.224, 0.225], np.float32)

Teacher = Callable[[npt.NDArray[np.uint8]], npt.NDArray[np.float32]]
"""Picture, uint8 (SIDE, SIDE, 3) RGB, to its map, float32 (SIDE, SIDE) in 0..1."""


def open_teacher() -> Teacher:
    """Open the pulled model.

    Its maps are taken as they are: stretched to 0..1, as upstream shows them, a scene without an object would get one.

    Returns:
        The teacher, on one thread.

    Raises:
        ModelError: It has not been pulled.
    """
    session = Session(load("u2netp").data, threads=1, name="u2netp")
    entrance, answer = session.inputs[0].name, session.outputs[0].name

    def look(picture: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        seen: npt.NDArray[np.float32] = session.run({entrance: prepare(picture)})[answer][0, 0]
        return np.clip(seen, 0, 1)

    return look


def prepare(picture: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    """The tensor that U2-Net wants.

    Args:
        picture: uint8 (SIDE, SIDE, 3), RGB.

    Returns:
        float32 (1, 3, SIDE, SIDE): divided by the picture's largest value, then standardised.
    """
    scaled = picture.astype(np.float32) / max(int(picture.max()), 1)
    return np.ascontiguousarray(((scaled - _MEAN) / _DEVIATION).transpose(2, 0, 1)[None])
