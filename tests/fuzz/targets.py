"""What is fuzzed: functions of bytes that may refuse, but never fail in any other way."""

from __future__ import annotations

import contextlib

from fuzz.differential import compare
from tinyvmaf.dnn import guard
from tinyvmaf.errors import ContractError, ModelError, RunLimitError
from tinyvmaf.models import schema, weights
from tinyvmaf.models.sidecar import parse_sidecar
from tinyvmaf.models.unpickle import MAX_AXES


def check_model(data: bytes) -> None:
    """The guard answers, whatever the bytes are, and in one line; of what it accepts, any size can be asked."""
    verdict = guard.check(data)
    assert "\n" not in verdict.line
    assert verdict.accepted is (verdict.reason == "")
    for length in (1, 2, 1 << 20) if verdict.report else ():
        shapes = {
            port.name: [axis if isinstance(axis, int) else length for axis in port.shape or ()]
            for port in verdict.require().inputs
        }
        with contextlib.suppress(ContractError, RunLimitError):
            verdict.admit(shapes, {name: [length] for name, shape in shapes.items() if shape in ([], [1])})


def read_sidecar(data: bytes) -> None:
    """A sidecar is read or refused."""
    with contextlib.suppress(ModelError):
        parse_sidecar(data)


def read_registry(data: bytes) -> None:
    """A registry is JSON of its schema or not."""
    with contextlib.suppress(ValueError):
        schema.problem(schema.parse(data), "registry")


def read_pickle(data: bytes) -> None:
    """A file of weights yields arrays or is refused."""
    for read in (weights.torch_arrays, weights.numpy_arrays):
        with contextlib.suppress(ModelError):
            assert all(array.ndim <= MAX_AXES for array in read(data).values())


def run_graph(data: bytes) -> None:
    """What the guard says of a graph drawn from the bytes is what runs."""
    compare(data)


TARGETS = {
    "guard": check_model,
    "shapes": run_graph,
    "sidecar": read_sidecar,
    "registry": read_registry,
    "pickle": read_pickle,
}
