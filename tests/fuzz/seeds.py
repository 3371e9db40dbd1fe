"""Inputs that fuzzing starts from, made by code: models that pass and that do not, sidecars, registries, pickles."""

from __future__ import annotations

import json
import pickle
from collections import OrderedDict
from collections.abc import Iterator
from itertools import islice

import hostile
from hostile import legitimate
from tinyvmaf.models import registry

LARGEST = 20_000
"""Bytes of a seed: from larger ones a fuzzer learns slowly."""


def seeds(target: str) -> Iterator[bytes]:
    """Every seed of a target, the same at each call."""
    yield from {"guard": _models, "sidecar": _sidecars, "registry": _registries, "pickle": _pickles}[target]()


def _models() -> Iterator[bytes]:
    accepted = (build() for build in legitimate.MODELS.values())
    refused = (attack() for attack in islice(hostile.MODELS.values(), 0, None, 5) if "million" not in attack.name)
    for made in (accepted, refused):
        yield from (data for data in made if len(data) <= LARGEST)


def _sidecars() -> Iterator[bytes]:
    yield (registry.data_folder() / "vmaf_tiny.json").read_bytes()
    yield json.dumps({"name": "a", "frame": {"colour": "rgb", "width": 8, "height": 8, "mean": [0, 0, 0]}}).encode()
    yield b'{"normalization": {"mean": [1, 2], "std": [3, 4]}, "features": ["x", "y"], "expected_output_range": [0, 1]}'


def _registries() -> Iterator[bytes]:
    yield (registry.data_folder() / registry.REGISTRY).read_bytes()
    yield b'{"schema_version": 1, "models": []}'


def _pickles() -> Iterator[bytes]:
    for value in (OrderedDict(a=[1, 2.5, "x"]), {"k": (None, True, b"bytes")}, [1 << 70, {}]):
        yield from (pickle.dumps(value, protocol) for protocol in (0, 2, 4))
