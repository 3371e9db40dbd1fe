"""Denoising in time: five frames of luma go into a graph, the middle one comes out without its noise.

The graph takes float32 [1, 5, H, W], luma in 0..1 of the frames t - 2 to t + 2, and gives [1, 1, H, W], frame t. A
second input, if there is one, is the standard deviation of the noise: one number, or a map of the frame's size.

Borders are those of the published code: a clip is mirrored at its ends without repeating its end frames, and frames
are mirrored likewise at their right and lower edges up to a multiple of four; results are cropped and clipped to 0..1.
Where that code cannot go, mirrors are repeated: a clip of two frames alternates, and a single frame stands still.

Source: Tassano, Delon and Veit, "FastDVDnet: Towards Real-Time Deep Video Denoising Without Flow Estimation", 2020.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt

from tinyvmaf.dnn.binding import Array, describe
from tinyvmaf.dnn.graph import Port
from tinyvmaf.errors import ContractError, InputShapeError, InputTypeError, UsageError
from tinyvmaf.models.runtime import ModelSession

Image: TypeAlias = npt.NDArray[np.float32]

WINDOW: Final = 5
AHEAD: Final = 2
"""Frames that must have come after the one that is denoised."""
MULTIPLE: Final = 4
"""What sides are padded to: networks of this kind halve them twice."""
SIGMA: Final = 25.0
PEAK: Final = 255.0
"""The unit of noise levels is the step of 8-bit samples, whatever the bits are."""

_FLOATS: Final = ("float32", "float16")
_PROBE: Final = 64
"""A side that every network of this kind can take, where the graph leaves sides free."""


@dataclass(frozen=True, slots=True)
class Denoised:
    """One frame that is done.

    Attributes:
        index: Position in the stream, from 0.
        noisy: (H, W) float32, the frame that was pushed.
        clean: (H, W) float32 in 0..1, the same frame without noise.
    """

    index: int
    noisy: Image
    clean: Image


class TemporalDenoiser:
    """A graph that keeps the contract of this module; threads may share it.

    Attributes:
        session: The graph.
    """

    def __init__(self, session: ModelSession, sigma: float = SIGMA) -> None:
        """Hold a graph against the contract.

        Args:
            session: The open graph.
            sigma: Standard deviation of the noise in steps of 8 bits, 0 to 255.

        Raises:
            ContractError: Inputs, output or sidecar of the graph are not those of a temporal denoiser.
            UsageError: A noise level out of range, or one that the graph cannot be told.
        """
        if not 0 <= sigma <= PEAK:
            raise UsageError(f"The noise level sigma is between 0 and {PEAK:g}, not at {sigma}.")
        self.session = session
        self._sigma = sigma
        self._frames, self._level = _inputs(session)
        self._check_sidecar()
        self._check_output()
        if sigma != SIGMA and not self.takes_sigma:
            raise UsageError(
                f"A noise level goes to graphs that have an input for it, but {session.name} has none for {sigma:g}.",
                "Leave sigma out.",
            )

    @property
    def takes_sigma(self) -> bool:
        """Whether the noise level is an input of the graph; otherwise it is fixed inside."""
        return self._level is not None

    def stream(self) -> DenoiseStream:
        """A fresh stream of frames; nothing of it is shared with other streams."""
        return DenoiseStream(self)

    def denoise(self, window: Sequence[Image]) -> Image:
        """Denoise the middle one of five frames.

        Args:
            window: Five frames in order, each (H, W) float32 in 0..1.

        Returns:
            (H, W) float32 in 0..1.

        Raises:
            ContractError: The graph takes another size, or gives something else than a picture of the size it got.
            ModelError: It failed or passed a limit; see `tinyvmaf.dnn.session.Session.run`.
        """
        height, width = window[0].shape
        rows, columns = self._padded_size(height, width)
        margins = ((0, 0), (0, rows - height), (0, columns - width))
        feed = self._feed(np.pad(np.stack(window), margins, mode="reflect"))
        result = self.session.run(feed)[self.session.main_output]
        if result.shape != (1, 1, rows, columns) or np.isnan(result).any():
            what = "NaN in it" if np.isnan(result).any() else f"one of shape {list(result.shape)}"
            raise ContractError(
                f"A temporal denoiser gives a picture [1, 1, {rows}, {columns}] for frames of that size, but "
                f"{self.session.name} gave {what}."
            )
        clean: Image = np.clip(result[0, 0, :height, :width].astype(np.float32, copy=False), 0.0, 1.0)
        return clean

    def _feed(self, frames: Image) -> dict[str, Array]:
        feed: dict[str, Array] = {self._frames.name: frames[None].astype(self._frames.dtype, copy=False)}
        if self._level is not None:
            shape = _level_shape(self._level, frames.shape[1:])
            feed[self._level.name] = np.full(shape, self._sigma / PEAK, self._level.dtype)
        return feed

    def _padded_size(self, height: int, width: int) -> tuple[int, int]:
        frame = self.session.sidecar.frame
        multiple = max(MULTIPLE, frame.multiple if frame else 1)
        rounded = (-(-height // multiple) * multiple, -(-width // multiple) * multiple)
        fixed = tuple(axis if isinstance(axis, int) else None for axis in (self._frames.shape or ())[2:])
        for side, padded, axis in zip((height, width), rounded, fixed, strict=True):
            if axis not in (None, side, padded):
                raise ContractError(
                    f"{self.session.name} takes frames of one size, {describe(self._frames)}, not {width} x {height}.",
                    "Export the network with free height and width.",
                )
        return fixed[0] or rounded[0], fixed[1] or rounded[1]

    def _check_sidecar(self) -> None:
        sidecar, frame = self.session.sidecar, self.session.sidecar.frame
        kept = frame is None or (frame.colour, frame.window, frame.value_range) == ("luma", WINDOW, (0.0, 1.0))
        if not kept or sidecar.mean is not None:
            raise ContractError(
                f"A temporal denoiser takes luma in 0..1 of {WINDOW} frames as it is, but the sidecar of "
                f"{self.session.name} asks for something else."
            )

    def _check_output(self) -> None:
        names = [port.name for port in self.session.outputs]
        place = names.index(self.session.main_output)
        rows, columns = (axis if isinstance(axis, int) else _PROBE for axis in (self._frames.shape or ())[2:])
        feed = self._feed(np.zeros((WINDOW, rows, columns), np.float32))
        report = self.session.verdict.admit({name: array.shape for name, array in feed.items()})
        port, shape = self.session.outputs[place], report.output_shapes[place]
        if port.dtype not in _FLOATS or shape not in (None, (1, 1, rows, columns)):
            raise ContractError(
                f"A temporal denoiser gives one frame [1, 1, {rows}, {columns}] for five of that size, but "
                f"{self.session.name} gives {port.dtype} {list(shape or ())}."
            )


class DenoiseStream:
    """The frames of one clip, pushed in order; each comes out when the two after it are known.

    A stream holds at most five frames and belongs to one thread. At a cut, `finish` keeps frames of different shots
    apart: the next frame starts a new shot, and indices go on.
    """

    def __init__(self, denoiser: TemporalDenoiser) -> None:
        """Start before the first frame.

        Args:
            denoiser: What denoises.
        """
        self._denoiser = denoiser
        self._recent: deque[Image] = deque(maxlen=WINDOW)
        self._done = self._count = 0

    def push(self, picture: Image) -> list[Denoised]:
        """Take the next frame.

        Args:
            picture: (H, W) float32 luma in 0..1; it is kept, so nobody may write to it.

        Returns:
            The frame two before this one, if there is one; else nothing.

        Raises:
            InputTypeError: It is not float32.
            InputShapeError: It has not two axes, or not the size of the frames before it.
            ContractError, ModelError: As `TemporalDenoiser.denoise`.
        """
        self._check(picture)
        self._recent.append(picture)
        self._count += 1
        return [self._denoised(self._count - 1 - AHEAD)] if self._count > AHEAD else []

    def finish(self) -> list[Denoised]:
        """End the clip, or the shot: denoise what still waits, with mirrored frames after it.

        Returns:
            At most two frames.

        Raises:
            ContractError, ModelError: As `TemporalDenoiser.denoise`.
        """
        rest = [self._denoised(t) for t in range(max(0, self._count - AHEAD), self._count)]
        self._recent.clear()
        self._done, self._count = self._done + self._count, 0
        return rest

    def _denoised(self, centre: int) -> Denoised:
        oldest = self._count - len(self._recent)
        around = range(centre - AHEAD, centre + AHEAD + 1)
        window = [self._recent[_mirrored(t, self._count) - oldest] for t in around]
        return Denoised(self._done + centre, window[AHEAD], self._denoiser.denoise(window))

    def _check(self, picture: Image) -> None:
        if picture.dtype != np.float32:
            raise InputTypeError(f"Frames to denoise are float32 in 0..1, not {picture.dtype}.")
        if picture.ndim != 2 or not picture.size:
            raise InputShapeError(f"Frames to denoise have a height and a width, not shape {list(picture.shape)}.")
        if self._recent and picture.shape != self._recent[0].shape:
            raise InputShapeError(
                f"Frames of one shot have one size, but {list(picture.shape)} came after {list(self._recent[0].shape)}."
            )


def _mirrored(t: int, count: int) -> int:
    """The frame that stands for frame t of a clip that is mirrored at both ends."""
    period = max(1, 2 * (count - 1))
    return min(t % period, -t % period)


def _inputs(session: ModelSession) -> tuple[Port, Port | None]:
    """The input of frames, and that of the noise level where there is one."""
    frames = next((port for port in session.inputs if port.shape is not None and _holds(port, WINDOW)), None)
    others = [port for port in session.inputs if port is not frames]
    if frames is None or len(others) > 1 or not all(map(_is_level, others)):
        raise ContractError(
            f"A temporal denoiser takes luma of {WINDOW} frames, float32 [1, {WINDOW}, H, W], and at most one noise "
            f"level besides, but {session.name} takes {', '.join(map(describe, session.inputs)) or 'nothing'}.",
            "See the page on denoising for how to export a network.",
        )
    return frames, others[0] if others else None


def _holds(port: Port, channels: int) -> bool:
    """Whether a port can be [1, channels, H, W]."""
    axes = (None,) * 4 if port.shape is None else port.shape
    fits = len(axes) == 4 and all(axes[i] == n or not isinstance(axes[i], int) for i, n in enumerate((1, channels)))
    return fits and port.dtype in _FLOATS


def _is_level(port: Port) -> bool:
    """Whether a port can be one number, or a map of one number per sample."""
    axes = port.shape
    if axes is None or port.dtype not in _FLOATS:
        return False
    return _holds(port, 1) or (len(axes) < 4 and all(axis == 1 or not isinstance(axis, int) for axis in axes))


def _level_shape(port: Port, size: tuple[int, ...]) -> tuple[int, ...]:
    axes = port.shape or ()
    if len(axes) < 4:
        return (1,) * len(axes)
    return (1, 1, *(1 if axis == 1 else side for axis, side in zip(axes[2:], size, strict=True)))
