"""What is fuzzed: functions of bytes that may refuse, but never fail in any other way."""

from __future__ import annotations

import contextlib

from tinyvmaf.dnn import guard
from tinyvmaf.errors import ModelError
from tinyvmaf.models import schema
from tinyvmaf.models.sidecar import parse_sidecar
from tinyvmaf.models.unpickle import Machine


def check_model(data: bytes) -> None:
    """The guard answers, whatever the bytes are, and in one line."""
    verdict = guard.check(data)
    assert "\n" not in verdict.line
    assert verdict.accepted is (verdict.reason == "")


def read_sidecar(data: bytes) -> None:
    """A sidecar is read or refused."""
    with contextlib.suppress(ModelError):
        parse_sidecar(data)


def read_registry(data: bytes) -> None:
    """A registry is JSON of its schema or not."""
    with contextlib.suppress(ValueError):
        schema.problem(schema.parse(data), "registry")


def read_pickle(data: bytes) -> None:
    """A pickle yields plain values or is refused."""
    with contextlib.suppress(ModelError):
        Machine(data).run()


TARGETS = {
    "guard": check_model,
    "sidecar": read_sidecar,
    "registry": read_registry,
    "pickle": read_pickle,
}
