"""Where people look first: a map per frame from a saliency network, steady in time, at any resolution.

A map is (h, w) float32 in 0..1 over the whole frame, at the working size of the network; `block_means` brings it to the
blocks of an encoder, and `plane` to the samples of a frame.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt

from tinyvmaf.dnn.binding import describe
from tinyvmaf.errors import ContractError, UsageError
from tinyvmaf.models.runtime import ModelSession
from tinyvmaf.models.sidecar import Frame as FrameContract
from tinyvmaf.video.frame import Colour, Frame
from tinyvmaf.video.thumbnails import Thumbnail, shrink
from tinyvmaf.vision.pictures import rgb_picture

Map: TypeAlias = npt.NDArray[np.float32]
Matrix: TypeAlias = npt.NDArray[np.float32]
Places: TypeAlias = npt.NDArray[np.intp]

MODEL: Final = "saliency"
"""The network where nobody names another; the package has it."""

AREA: Final = 256 * 256
"""Pixels of the picture that a network without a size of its own sees; its shape is that of the frame."""

MULTIPLE: Final = 16
"""What the sides of that picture are multiples of, where the sidecar does not say."""

NEW_SHARE: Final = 2 / 3
"""Share of a new map in the steady one; the rest is the one before."""

CUT: Final = 20.0
"""Mean absolute difference of two neighbouring frames' thumbnails, in 8-bit steps, from which a shot has ended."""


class SaliencyModel:
    """A network from a picture to its saliency map; threads may share it.

    Attributes:
        session: The open graph.
    """

    def __init__(self, session: ModelSession) -> None:
        """Hold a graph against what is needed here.

        Args:
            session: The open graph: one RGB picture in, one map out.

        Raises:
            ContractError: It takes or gives something else.
        """
        self.session = session
        self._contract = _contract(session)

    def map(self, frame: Frame, colour: Colour) -> Map:
        """The saliency map of one frame.

        Args:
            frame: The frame, of any size and depth.
            colour: How its code values become colours.

        Returns:
            (h, w) in 0..1.

        Raises:
            ContractError: The graph gives something that is no map.
            ModelError: It failed or passed a limit.
        """
        height, width = frame.luma.shape
        picture = rgb_picture(frame, colour, self._contract, self.session, self.size(width, height))
        port = self.session.inputs[0]
        result = self.session.run({port.name: picture[None].astype(port.dtype, copy=False)})[self.session.main_output]
        return self._checked(result)

    def size(self, width: int, height: int) -> tuple[int, int]:
        """The size at which the network sees a frame.

        Args:
            width: Of the frame.
            height: Of the frame.

        Returns:
            (width, height).
        """
        contract = self._contract
        if contract.width and contract.height:
            return contract.width, contract.height
        multiple = contract.multiple if contract.multiple > 1 else MULTIPLE
        shape = min(max(width / height, 0.25), 4.0)  # a strip of video is squeezed rather than seen at a few rows
        sides = math.sqrt(AREA * shape), math.sqrt(AREA / shape)
        columns, rows = (max(1, round(side / multiple)) * multiple for side in sides)
        return columns, rows

    def _checked(self, result: npt.NDArray[Any]) -> Map:
        values: Map = result.astype(np.float32, copy=False).squeeze()
        if values.ndim != 2 or not np.isfinite(values).all():
            what = "values that are no numbers" if values.ndim == 2 else f"an array of shape {list(result.shape)}"
            raise ContractError(f"A saliency model gives one map of a picture, but {self.session.name} gave {what}.")
        if self.session.sidecar.map_scaling == "stretched":
            low, high = float(values.min()), float(values.max())
            values = (values - low) / max(high - low, 1e-6)
        return np.clip(values, 0.0, 1.0)


class SaliencyStream:
    """The maps of one clip: the network looks at every n-th frame, and maps in between are interpolated.

    Maps are steadied by the one before. Nothing is carried over a cut: the first frame of a shot is looked at, and the
    frames before it keep the last map of theirs. At most one frame is held.
    """

    def __init__(self, model: SaliencyModel, every: int) -> None:
        """Start before the first frame.

        Args:
            model: What looks.
            every: Frames from one look to the next, from 1.

        Raises:
            UsageError: `every` is less than 1.
        """
        if every < 1:
            raise UsageError(f"Every n-th frame is looked at with n at least 1, not {every}.")
        self._model = model
        self._every = every
        self._last: Map | None = None
        self._thumbnail: Thumbnail | None = None
        self._held: tuple[Frame, Colour] | None = None
        self._waiting = 0

    def push(self, frame: Frame, colour: Colour) -> list[Map]:
        """Take the next frame.

        Args:
            frame: It.
            colour: How its code values become colours.

        Returns:
            The maps that are certain now, of the oldest frames that had none.

        Raises:
            ContractError, ModelError: As `SaliencyModel.map`.
        """
        cut = self._is_cut(frame)
        if self._last is None or cut:
            before = [] if self._last is None else [self._last] * self._waiting
            self._last = self._model.map(frame, colour)
            self._waiting, self._held = 0, None
            return [*before, self._last]
        self._waiting, self._held = self._waiting + 1, (frame, colour)
        return self._look() if self._waiting == self._every else []

    def finish(self) -> list[Map]:
        """End the clip.

        Returns:
            The maps of the frames that had none.

        Raises:
            ContractError, ModelError: As `SaliencyModel.map`.
        """
        return self._look() if self._waiting else []

    def _look(self) -> list[Map]:
        """Look at the frame that is held; maps from the last look to this one."""
        if self._last is None or self._held is None:
            return []
        first, count = self._last, self._waiting
        step = (self._model.map(*self._held) - first) * np.float32(NEW_SHARE / count)
        maps = [first + step * np.float32(k) for k in range(1, count + 1)]
        self._last, self._waiting, self._held = maps[-1], 0, None
        return maps

    def _is_cut(self, frame: Frame) -> bool:
        now, before = shrink(frame.luma, frame.bits), self._thumbnail
        self._thumbnail = now
        return before is not None and float(np.abs(now - before).mean()) > CUT


def block_means(values: Map, height: int, width: int, side: int) -> Map:
    """The mean of a map over each block of a frame.

    Args:
        values: The map.
        height: Of the frame, in luma samples.
        width: Likewise.
        side: Luma samples on a side of a block, such as 8, 16 or 64.

    Returns:
        (ceil(height / side), ceil(width / side)) in 0..1; blocks at the edges are means of what exists of them.
    """
    rows, columns = _sampling(values.shape[0], height, side), _sampling(values.shape[1], width, side)
    return np.ascontiguousarray(_sampled(_sampled(values, *rows).T, *columns).T)


def plane(values: Map, height: int, width: int) -> Map:
    """A map at the resolution of a frame.

    Args:
        values: The map.
        height: Of the frame, in luma samples.
        width: Likewise.

    Returns:
        (height, width) in 0..1, interpolated linearly, or averaged where the frame is smaller than the map.
    """
    return block_means(values, height, width, 1)


def _sampled(values: Map, places: Places, weights: Matrix) -> Map:
    """Weighted sums of rows. A product with the whole matrix would wake the threads of the linear algebra library."""
    result: Map = values[places[0]] * weights[0][:, None]
    for place, weight in zip(places[1:], weights[1:], strict=True):
        result += values[place] * weight[:, None]
    return result


@lru_cache(maxsize=32)
def _sampling(count: int, length: int, side: int) -> tuple[Places, Matrix]:
    """Which of `count` map samples along an axis add to each block of `length` frame samples, and what of them.

    Both are (samples of a block, blocks).
    """
    starts = np.arange(0, length, side)
    edges = np.stack([starts, np.minimum(starts + side, length)]) * (count / length)
    low, high = edges
    if side * count >= length:  # blocks span map samples: how much of each they cover
        covered = np.minimum(high[:, None], np.arange(1, count + 1)) - np.maximum(low[:, None], np.arange(count))
        weights = np.maximum(covered, 0.0)
    else:  # map samples span blocks: linear between the two nearest
        centres = np.clip((low + high) / 2 - 0.5, 0, count - 1)
        weights = np.maximum(1.0 - np.abs(centres[:, None] - np.arange(count)), 0.0)
    weights /= weights.sum(axis=1, keepdims=True)
    most = int(np.count_nonzero(weights, axis=1).max())
    first = np.minimum(np.argmax(weights > 0, axis=1), count - most)
    places = first + np.arange(most)[:, None]
    return places, np.take_along_axis(weights, places.T, axis=1).T.astype(np.float32)


def _contract(session: ModelSession) -> FrameContract:
    """What the sidecar says of pictures, completed and checked by what the graph says."""
    port = session.inputs[0] if session.inputs else None
    if len(session.inputs) != 1 or port is None or port.shape is None or len(port.shape) != 4:
        raise ContractError(f"A saliency model takes one picture, but {session.name} does not.")
    batch, channels, height, width = (axis if isinstance(axis, int) else None for axis in port.shape)
    said = session.sidecar.frame or FrameContract("rgb", width, height)
    fits = (batch or 1, channels or 3, height or said.height, width or said.width) == (1, 3, said.height, said.width)
    if not fits or said.colour != "rgb" or said.window != 1 or port.dtype not in ("float32", "float16"):
        raise ContractError(
            f"A saliency model takes one RGB picture, but {session.name} takes {describe(port)}"
            f"{', which is not what its sidecar says' if session.sidecar.frame else ''}."
        )
    return said
