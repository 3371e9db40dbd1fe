"""TransNet V2 as a function from thumbnails to probabilities.

Source: Soucek and Lokoc, "TransNet V2: An effective deep network architecture for fast shot transition detection"
(2020).
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from tinyvmaf.dnn.binding import describe
from tinyvmaf.errors import ContractError
from tinyvmaf.models.runtime import ModelSession
from tinyvmaf.vision.shots import Numbers
from tinyvmaf.vision.windows import WINDOW

MODEL: Final = "transnet_v2"
HEIGHT, WIDTH = 27, 48


class TransNet:
    """An open network; several threads may share it, one run at a time.

    Attributes:
        session: The graph.
        any_length: Whether it takes windows of other lengths than 100.
    """

    def __init__(self, session: ModelSession) -> None:
        """Check what the graph takes and gives.

        Args:
            session: A graph from float32 [1, T, 3, 27, 48] to logits [1, T]: that a shot ends at a frame, and, where it
                has a second output, that a frame lies in a transition. T is 100 or free.

        Raises:
            ContractError: It is another graph.
        """
        self.session = session
        shapes = [port.shape or () for port in session.inputs]
        if len(shapes) != 1 or len(shapes[0]) != 5 or shapes[0][2:] != (3, HEIGHT, WIDTH) or not _fits(shapes[0][1]):
            raise ContractError(
                f"A model of shots takes float32 [1, 100, 3, {HEIGHT}, {WIDTH}], but {session.name} takes "
                f"{', '.join(map(describe, session.inputs))}."
            )
        self.any_length = not isinstance(shapes[0][1], int)

    def __call__(self, thumbnails: npt.NDArray[np.uint8]) -> Numbers:
        """Look at a window.

        Args:
            thumbnails: (T, 27, 48, 3) R'G'B'.

        Returns:
            (T, 2) float64, 0 to 1: that a shot ends at a frame, and that it lies in a transition; both columns are
            the same where the graph has one output.

        Raises:
            ContractError: The graph gave something else than a number for every frame.
            ModelError: It failed or passed a limit.
        """
        planes = np.ascontiguousarray(thumbnails.transpose(0, 3, 1, 2)[None], dtype=np.float32)
        results = self.session.run([planes])
        logits = [results.pop(self.session.main_output), *results.values()]
        columns = [array.astype(np.float64).ravel() for array in (logits[0], logits[-1])]
        if any(len(column) != len(thumbnails) or not np.isfinite(column).all() for column in columns):
            raise ContractError(f"A model of shots gives a finite number for every frame, but {self.session.name} not.")
        probabilities: Numbers = 1 / (1 + np.exp(-np.column_stack(columns)))
        return probabilities


def _fits(frames: int | str | None) -> bool:
    return frames == WINDOW or not isinstance(frames, int)
