"""Inputs that fuzzing starts from, made by code: models that pass and that do not, sidecars, registries, pickles."""

from __future__ import annotations

import io
import json
import pickle
import random
import zipfile
from collections import OrderedDict
from collections.abc import Iterator
from itertools import islice

import numpy as np

import hostile
from hostile import legitimate
from tinyvmaf.models import registry

LARGEST = 20_000
"""Bytes of a seed: from larger ones a fuzzer learns slowly."""


def seeds(target: str) -> Iterator[bytes]:
    """Every seed of a target, the same at each call."""
    makers = {"guard": _models, "shapes": _draws, "sidecar": _sidecars, "registry": _registries, "pickle": _pickles}
    yield from makers[target]()


def _models() -> Iterator[bytes]:
    accepted = (build() for build in legitimate.MODELS.values())
    refused = (attack() for attack in islice(hostile.MODELS.values(), 0, None, 5) if "million" not in attack.name)
    for made in (accepted, refused):
        yield from (data for data in made if len(data) <= LARGEST)


def _draws() -> Iterator[bytes]:
    """What graphs are drawn from."""
    chance = random.Random(1)
    yield from (chance.randbytes(400) for _ in range(40))


def _sidecars() -> Iterator[bytes]:
    yield (registry.data_folder() / "vmaf_tiny.json").read_bytes()
    yield json.dumps({"name": "a", "frame": {"colour": "rgb", "width": 8, "height": 8, "mean": [0, 0, 0]}}).encode()
    yield b'{"normalization": {"mean": [1, 2], "std": [3, 4]}, "features": ["x", "y"], "expected_output_range": [0, 1]}'


def _registries() -> Iterator[bytes]:
    yield (registry.data_folder() / registry.REGISTRY).read_bytes()
    yield b'{"schema_version": 1, "models": []}'


def _text(word: str) -> bytes:
    return b"X" + len(word).to_bytes(4, "little") + word.encode()


def _torch_pickle() -> bytes:
    """What PyTorch writes for {"w": a tensor of 2 x 3}, instruction by instruction."""
    storage = b"(" + _text("storage") + b"ctorch\nFloatStorage\n" + _text("0") + _text("cpu") + b"K\x06tQ"
    sizes = b"K\x00" + b"K\x02K\x03\x86" + b"K\x03K\x01\x86" + b"\x89" + b"ccollections\nOrderedDict\n)R"
    return b"\x80\x02}" + _text("w") + b"ctorch._utils\n_rebuild_tensor_v2\n(" + storage + sizes + b"tRs."


def _pickles() -> Iterator[bytes]:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("archive/data.pkl", _torch_pickle())
        file.writestr("archive/data/0", bytes(24))
    yield archive.getvalue()
    yield _torch_pickle()
    for protocol in (2, 3):
        yield pickle.dumps({"w": np.arange(6, dtype="<f4").reshape(2, 3)}, protocol)
    for value in (OrderedDict(a=[1, 2.5, "x"]), {"k": (None, True, b"bytes")}, [1 << 70, {}]):
        yield from (pickle.dumps(value, protocol) for protocol in (0, 2, 4))
