"""A model file becomes a session that keeps to its sidecar: values standardised, pictures padded, results checked."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from tinyvmaf.dnn import guard
from tinyvmaf.dnn.binding import Array, Inputs, bind
from tinyvmaf.dnn.session import Session
from tinyvmaf.errors import ContractError, RejectedModelError, UsageError
from tinyvmaf.models.load import ModelFile, load
from tinyvmaf.models.paths import printable
from tinyvmaf.models.sidecar import parse_sidecar
from tinyvmaf.models.verify import Policy

_MULTIPLES: Final = (1, 2, 4, 8, 16, 32, 64)
"""What networks that halve a picture several times want its sides to be multiples of."""


@dataclass(frozen=True, slots=True)
class DnnConfig:
    """How a tiny model runs.

    Attributes:
        device: "auto", a device, or several between commas in order of preference; see `tinyvmaf.dnn.providers`.
        device_index: Which of several devices of a kind, from 0.
        threads: Threads of a run, 1 to 64; 0 for a number that suits the model.
        fp16_io: Take and give float32 where the graph has float16.
        verify: Whether the Sigstore bundle must be good; see `tinyvmaf.models.load.load`.
        time_limit: Seconds that one run may take, None for no limit.
        with_cosign: Whether the program cosign verifies.
    """

    device: str = "auto"
    device_index: int = 0
    threads: int = 0
    fp16_io: bool = False
    verify: bool | Policy = False
    time_limit: float | None = 60.0
    with_cosign: bool = False

    def open(self, file: ModelFile) -> ModelSession:
        """Open a loaded model in this way.

        Without a number of threads, graphs of pictures get as many as ONNX Runtime likes and graphs of rows one: they
        cost too little to share.

        Args:
            file: The model.

        Returns:
            The session.

        Raises:
            TinyVmafError: See `ModelSession`.
        """
        verdict = guard.check(file.data)
        try:
            inputs = verdict.require().inputs
        except RejectedModelError as error:  # one of several models: which?
            raise RejectedModelError(f"{printable(file.id)}: {error.message}", error.hint) from error
        pictures = any(len(port.shape or ()) == 4 for port in inputs)
        return ModelSession(
            file, device=self.device, device_index=self.device_index, threads=self.threads or (0 if pictures else 1),
            fp16_io=self.fp16_io, time_limit=self.time_limit, verdict=verdict,
        )  # fmt: skip


class ModelSession(Session):
    """A session that knows its model file.

    `run` takes values as the sidecar means them: it standardises the first input where the sidecar gives mean and
    deviation, pads pictures whose sides the graph cannot halve (their edges are repeated, and results of the padded
    size are cropped again), and counts results outside the range that the sidecar promises.

    Attributes:
        file: Where the model came from.
        sidecar: What the JSON beside it says.
        out_of_range: How many results so far lay outside the promised range.
    """

    def __init__(self, file: ModelFile, **settings: Any) -> None:
        """Check and open a model.

        Args:
            file: The model; its bytes are guarded here.
            settings: As for `Session`.

        Raises:
            RejectedModelError: The guard refuses it.
            ContractError: Sidecar and graph do not fit together.
            TinyVmafError: See `Session`.
        """
        if file.kind != "tiny":
            raise UsageError(f"{file.id} is libvmaf's JSON, which no session runs.", "Score with it: --model.")
        self.file = file
        self.sidecar = parse_sidecar(file.sidecar)
        self.out_of_range = 0
        super().__init__(file.data, name=printable(file.id), **settings)
        self._check_names()
        self._margins: dict[Any, int] = {}

    def run(self, inputs: Inputs) -> dict[str, Array]:
        """Run the graph once, as the sidecar says; see `Session.run` for the arguments and errors."""
        feed, sides, multiple = self._prepare(inputs)
        results = super().run(feed)
        if sides is not None and multiple > 1:
            results = {name: _cropped(array, sides, multiple) for name, array in results.items()}
        self.out_of_range += self.outside(results[self.main_output])
        return results

    @property
    def main_output(self) -> str:
        """Name of the output that scores come from: the first that the sidecar names, else the graph's first."""
        return (*self.sidecar.output_names, self.outputs[0].name)[0]

    @property
    def fp16_io(self) -> bool:
        """Whether float16 is converted on the way in and out."""
        return self._fp16_io

    def outside(self, results: Array) -> int:
        """How many numbers lie outside the range that the sidecar promises.

        Args:
            results: Any numbers; those that are not finite do not count.

        Returns:
            The count, 0 where the sidecar promises no range.
        """
        if self.sidecar.output_range is None:
            return 0
        low, high = self.sidecar.output_range
        return int(np.count_nonzero(np.isfinite(results) & ((results < low) | (results > high))))

    def prepared(self, inputs: Inputs) -> dict[str, Array]:
        """What the graph itself sees of the inputs of `run`.

        Args:
            inputs: As for `run`.

        Returns:
            {name: array}, standardised and padded.

        Raises:
            BindingError: They do not fit.
            ContractError: The sidecar does not fit them.
        """
        return self._prepare(inputs)[0]

    def _prepare(self, inputs: Inputs) -> tuple[dict[str, Array], tuple[int, int] | None, int]:
        """What the graph sees, the sides of pictures of a free size before padding, and what they are padded to."""
        feed = self._standardised(bind(inputs, self.inputs, self._fp16_io))
        sides = self._sides(feed)
        multiple = 1 if sides is None else self._multiple(feed, sides)
        return feed if sides is None or multiple == 1 else _padded(feed, sides, multiple), sides, multiple

    def _check_names(self) -> None:
        for said, ports, what in (
            (self.sidecar.input_names, self.inputs, "inputs"),
            (self.sidecar.output_names, self.outputs, "outputs"),
        ):
            unknown = set(said) - {port.name for port in ports}
            if unknown:
                raise ContractError(
                    f"The sidecar of {self.name} names {what} {', '.join(sorted(unknown))}, which the graph has not."
                )

    def _standardised(self, feed: dict[str, Array]) -> dict[str, Array]:
        mean, std = self.sidecar.mean, self.sidecar.std
        if mean is None or std is None:
            return feed
        # Pictures have their channels on the second axis, feature vectors on the last.
        names = [name for name, array in feed.items() if array.ndim == 4] or list(feed)[:1]
        return {name: _standardise(array, mean, std) if name in names else array for name, array in feed.items()}

    def _sides(self, feed: Mapping[str, Array]) -> tuple[int, int] | None:
        """Height and width of the pictures that go in, None where the inputs are not pictures of one free size."""
        free = all(port.shape and not all(isinstance(d, int) for d in port.shape[2:]) for port in self.inputs)
        sizes = {array.shape[2:] for array in feed.values() if array.ndim == 4}
        return next(iter(sizes)) if free and len(sizes) == 1 and all(a.ndim == 4 for a in feed.values()) else None

    def _multiple(self, feed: Mapping[str, Array], sides: tuple[int, int]) -> int:
        """The smallest multiple that the sides must be padded to so that the shapes in the graph fit."""
        key = tuple(array.shape for array in feed.values())
        if key not in self._margins:
            self._margins[key] = self._search(feed, sides)
        return self._margins[key]

    def _search(self, feed: Mapping[str, Array], sides: tuple[int, int]) -> int:
        stated = self.sidecar.frame.multiple if self.sidecar.frame is not None else 1
        if stated > 1:
            return stated
        for multiple in _MULTIPLES:
            shapes = {name: (*array.shape[:2], *_rounded_up(sides, multiple)) for name, array in feed.items()}
            try:
                self.verdict.admit(shapes)
            except ContractError:
                continue
            return multiple
        return 1


def open_session(
    model: str | os.PathLike[str],
    device: str = "auto",
    threads: int = 0,
    fp16_io: bool = False,
    *,
    device_index: int = 0,
    time_limit: float | None = 60.0,
    verify: bool | Policy = False,
    limits: guard.Limits | None = None,
) -> ModelSession:
    """Open a model by name or path: read once, hashed, guarded, and opened from these bytes.

    Args:
        model: An id of the registry, or a path.
        device: Where to run: "auto", a device, or several between commas in order of preference.
        threads: Threads of a run, 1 to 64; 0 leaves the number to ONNX Runtime.
        fp16_io: Take and give float32 where the graph has float16.
        device_index: Which of several devices of a kind, from 0.
        time_limit: Seconds that one run may take, None for no limit.
        verify: Whether the Sigstore bundle must be good; see `tinyvmaf.models.load.load`.
        limits: What the guard holds the model against, in place of its own limits; a larger file size is noted in the
            log.

    Returns:
        The session; close it, or use it in a `with` statement.

    Raises:
        TinyVmafError: See `tinyvmaf.models.load.load` and `tinyvmaf.dnn.session.Session`.
    """
    chosen = limits or guard.DEFAULT
    file = load(model, verify=verify, max_bytes=chosen.file_bytes)
    return ModelSession(
        file, device=device, threads=threads, fp16_io=fp16_io, device_index=device_index, time_limit=time_limit,
        limits=chosen,
    )  # fmt: skip


def open_bytes(data: bytes, sidecar: bytes | None = None, name: str = "model", **settings: Any) -> ModelSession:
    """Open a model that is in memory already, such as one that was just made.

    Args:
        data: The ONNX file.
        sidecar: The JSON beside it, if any.
        name: What messages call it.
        settings: As for `Session`.

    Returns:
        The session.

    Raises:
        TinyVmafError: See `ModelSession`.
    """
    digest = hashlib.sha256(data).hexdigest()
    return ModelSession(ModelFile(name, "tiny", data, digest, registered=False, sidecar=sidecar), **settings)


def _standardise(array: Array, mean: tuple[float, ...], std: tuple[float, ...]) -> Array:
    axis = 1 if array.ndim == 4 else array.ndim - 1
    if array.shape[axis] != len(mean):
        raise ContractError(
            f"The sidecar standardises {len(mean)} columns or channels, but the input has {array.shape[axis]}."
        )
    shape = [-1 if i == axis else 1 for i in range(array.ndim)]
    centre, spread = (np.array(numbers).reshape(shape) for numbers in (mean, std))
    if array.ndim == 4:  # float64 would double the memory of a picture for nothing
        centre, spread = centre.astype(np.float32), spread.astype(np.float32)
    standardised: Array = ((array - centre) / spread).astype(array.dtype)
    return standardised


def _rounded_up(sides: tuple[int, int], multiple: int) -> tuple[int, int]:
    height, width = sides
    return -(-height // multiple) * multiple, -(-width // multiple) * multiple


def _padded(feed: Mapping[str, Array], sides: tuple[int, int], multiple: int) -> dict[str, Array]:
    height, width = _rounded_up(sides, multiple)
    margins = ((0, 0), (0, 0), (0, height - sides[0]), (0, width - sides[1]))
    return {name: np.pad(array, margins, mode="edge") for name, array in feed.items()}


def _cropped(array: Array, sides: tuple[int, int], multiple: int) -> Array:
    if array.ndim != 4 or array.shape[2:] != _rounded_up(sides, multiple):
        return array
    return array[:, :, : sides[0], : sides[1]]
