"""Frames for graphs that look at pictures: which of a pair's frames, in which colours, at which size.

What the sidecar leaves open follows from the graph: one channel is luma and three are RGB; a fixed size is scaled to; a
single input is the distorted frame, two are the reference, then the distorted one. Values are 0 to 1. RGB without a
stated mean is standardised as ImageNet's pictures are, which is what published networks are trained on.

Luma is a code value over the largest one: 2^bits - 1 at full range, and 255 * 2^(bits - 8) at limited range, which is
a shift of the 8-bit codes, so that a picture is the same at every depth. A range that is not stated is limited.
"""

from __future__ import annotations

from typing import Any, ClassVar, Literal

import numpy as np

from tinyvmaf.dnn.binding import describe
from tinyvmaf.dnn.graph import Port
from tinyvmaf.errors import ContractError
from tinyvmaf.features.base import Column, Feature, Partial
from tinyvmaf.models.runtime import ModelSession
from tinyvmaf.models.sidecar import Frame as FrameContract
from tinyvmaf.video.frame import Colour, Frame, FramePair
from tinyvmaf.video.resize import scale_plane
from tinyvmaf.vision.pictures import Image, rgb_picture


class PictureModel(Feature):
    """The number that a graph gives for every frame, or the mean of the picture that it gives.

    Attributes:
        session: The graph.
        kind: "nr" for a graph of one picture, "fr" for one of two.
        gives: "pictures", or how many numbers, where a frame's value is the mean of several; empty where it is the one
            that the graph gives, and before the first run.
        outside: Values of the last table that lay outside the sidecar's output range.
    """

    provides: ClassVar[tuple[str, ...]] = ()
    minimum_size = 1
    higher_is_better: ClassVar[bool | None] = None

    def __init__(self, session: ModelSession, name: str) -> None:
        """Find out what the graph takes.

        Args:
            session: The open graph.
            name: Key of the column.

        Raises:
            ContractError: It does not take one or two pictures.
        """
        super().__init__()
        self.name = name  # type: ignore[misc]  # one class, as many features as there are models
        self.provides = (name,)  # type: ignore[misc]
        self._attach(session)

    def _attach(self, session: ModelSession) -> None:
        self.session = session
        self._contract = _contract(session)
        self._ports = _ordered(session.inputs)
        self.kind: Literal["fr", "nr"] = "fr" if len(self._ports) == 2 else "nr"
        self.planes = "all" if self._contract.colour == "rgb" else "luma"
        self.gives = ""
        self.outside = 0

    @property
    def identity(self) -> Any:
        """Equal for two features on the same file."""
        return self.name, self.session.file.sha256

    def inputs(self, pair: FramePair) -> dict[str, Image]:
        """What the graph takes of a pair.

        Args:
            pair: Both frames.

        Returns:
            Input name to (1, C, H, W) samples, before standardisation by the sidecar.
        """
        frames = (pair.reference, pair.distorted) if self.kind == "fr" else (pair.distorted,)
        colour = self.colour(pair)
        return {p.name: self._image(frame, colour, p) for p, frame in zip(self._ports, frames, strict=True)}

    def colour(self, pair: FramePair) -> Colour:
        """How the code values of a pair become colours."""
        return pair.colour

    def stop(self) -> None:
        """End the run that goes on."""
        self.session.stop()

    def update(self, pair: FramePair) -> Partial:
        """Run the graph on one pair; one run at a time.

        Args:
            pair: Both frames.

        Returns:
            One number.

        Raises:
            ContractError: The graph gives no numbers, or shapes in it do not fit.
            ModelError: It failed or passed a limit.
        """
        result = self.session.run(self.inputs(pair))[self.session.main_output]
        if not result.size or not np.issubdtype(result.dtype, np.number):
            raise ContractError(f"A model gives numbers, but {self.session.name} gave {result.dtype}.")
        if result.size > 1:
            self.gives = "pictures" if result.ndim > 2 else f"{result.size} numbers"
        with np.errstate(invalid="ignore"):  # infinities of both signs: the value is NaN
            return (float(result.mean(dtype=np.float64)),)

    def compute(self, partials: Any) -> dict[str, Column]:
        """One number a frame."""
        column = np.array([row[0] for row in partials], dtype=np.float64)
        self.outside = self.session.outside(column)
        return {self.name: column}

    def _image(self, frame: Frame, colour: Colour, port: Port) -> Image:
        """(1, C, H, W) float32 as the sidecar wants it, before standardisation by it."""
        contract = self._contract
        size = None if contract.width is None or contract.height is None else (contract.width, contract.height)
        if contract.colour == "rgb":
            return rgb_picture(frame, colour, contract, self.session, size)[None].astype(port.dtype, copy=False)
        plane = frame.luma if size is None else scale_plane(frame.luma, size[::-1], frame.bits, contract.resize)
        white = (1 << frame.bits) - 1 if colour.range == "full" else 255 << frame.bits - 8
        image: Image = plane.astype(np.float32)[None] * np.float32(contract.value_range[1] / white)
        return image[None].astype(port.dtype, copy=False)


def takes_pictures(session: ModelSession) -> bool:
    """Whether the inputs of a graph are pictures rather than rows of numbers.

    Args:
        session: The open graph.
    """
    return bool(session.inputs) and all(len(port.shape or ()) == 4 for port in session.inputs)


def _contract(session: ModelSession) -> FrameContract:
    """What the sidecar says, completed and checked by what the graph says."""
    shapes = {tuple(d if isinstance(d, int) else None for d in port.shape or ()) for port in session.inputs}
    if len(session.inputs) > 2 or len(shapes) > 1 or not takes_pictures(session):
        raise ContractError(f"A model of pictures takes one or two of one shape, but {session.name} does not.")
    batch, channels, height, width = next(iter(shapes))
    said = session.sidecar.frame or FrameContract("rgb" if channels == 3 else "luma", width, height)
    known = said.channels == (channels or said.channels) and (batch or 1) == 1 and said.window == 1
    fits = (height or said.height) == said.height and (width or said.width) == said.width
    if not known or not fits or any(port.dtype not in ("float32", "float16") for port in session.inputs):
        raise ContractError(
            f"{session.name} takes {describe(session.inputs[0])}, which is not a single {said.colour} picture"
            f"{' as its sidecar has them' if session.sidecar.frame else ''}."
        )
    return said


def _ordered(ports: tuple[Port, ...]) -> tuple[Port, ...]:
    """Inputs with the reference first, whatever their order in the graph; the graph's order where names say nothing."""
    return tuple(sorted(ports, key=lambda port: _place(port.name.lower())))


def _place(name: str) -> int:
    return -1 if name.startswith("ref") else 1 if name.startswith(("dis", "deg")) else 0
