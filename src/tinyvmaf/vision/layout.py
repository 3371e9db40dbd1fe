"""The coarse layout of every frame: enough to see that a scene goes on behind a flash.

Frames are kept as 9 x 16 tiles of luma, 144 bytes each.
"""

from __future__ import annotations

from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt

from tinyvmaf.vision.windows import Thumbnail

Layout: TypeAlias = npt.NDArray[np.uint8]
"""(9, 16) mean luma of tiles, 0 to 255."""

ROWS, COLUMNS = 9, 16
BEFORE, AFTER = 6, 12
"""Frames on either side of a change that are compared: a flash may take half a second to fade."""
ALIKE: Final = 0.87
"""Correlation of layouts from which two frames show one scene."""
LEFT: Final = 0.5
"""Share of the change that such frames may still differ by."""
MARGINS: Final = (2, 2)
"""Rows and columns at each edge that are not compared: letterboxes come and go there."""
SHIFTS: Final = tuple((down, right) for down in (-1, 0, 1) for right in (-2, -1, 0, 1, 2))
"""Movements of the camera, in tiles, that are made up for."""

_LUMA: Final = np.array([0.299, 0.587, 0.114], np.float32)


def layout(thumbnail: Thumbnail) -> Layout:
    """Shrink a thumbnail.

    Args:
        thumbnail: (27, 48, 3) R'G'B'.

    Returns:
        (9, 16) tiles.
    """
    luma = thumbnail @ _LUMA
    tiles: Layout = luma.reshape(ROWS, 3, COLUMNS, 3).mean(axis=(1, 3)).astype(np.uint8)
    return tiles


def goes_on(layouts: npt.NDArray[np.uint8], first: int, end: int) -> bool:
    """Whether the scene before a change is there again behind it, as it is behind a flash.

    Args:
        layouts: (frames, 9, 16).
        first: First frame of the change.
        end: First frame behind it.

    Returns:
        True where a frame behind the change looks like one before it, and much more so than those in between.
    """
    near = layouts[max(0, first - BEFORE) : end + AFTER].astype(np.float32)
    old, new = near[: first - max(0, first - BEFORE)], layouts[end : end + AFTER].astype(np.float32)
    if not len(old) or not len(new):
        return False
    most = np.abs(near - old[-1]).mean(axis=(1, 2)).max()
    return any(_alike(_cropped(old), _cropped(new, *shift), LEFT * float(most)) for shift in SHIFTS)


def _cropped(frames: npt.NDArray[np.float32], down: int = 0, right: int = 0) -> npt.NDArray[np.float32]:
    """(frames, samples) without the edges, as if the camera had moved."""
    rows, columns = MARGINS
    part = frames[:, rows + down : ROWS - rows + down, columns + right : COLUMNS - columns + right]
    return part.reshape(len(frames), -1)


def _alike(old: npt.NDArray[np.float32], new: npt.NDArray[np.float32], most: float) -> bool:
    """Whether any pair of frames has the same layout and differs little."""
    close = np.abs(old[:, None] - new).mean(axis=2) < most
    return bool((close & (_directions(old) @ _directions(new).T > ALIKE)).any())


def _directions(frames: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Rows without their mean, of length 1; flat ones are zero."""
    centred = frames - frames.mean(axis=1, keepdims=True)
    length = np.sqrt((centred * centred).sum(axis=1, keepdims=True))
    scaled: npt.NDArray[np.float32] = centred / np.maximum(length, np.float32(1))
    return scaled
