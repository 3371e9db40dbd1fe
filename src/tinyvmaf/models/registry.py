"""Which models there are by name, and what is pinned of them.

Our own are listed in `data/registry.json`, which `tinyvmaf.models.register` makes from the files beside it; nobody
edits it. The user's are in the store, one `<id>.entry.json` each. Netflix's are carried by another package and pinned
here.
"""

from __future__ import annotations

import hashlib
import importlib.util
import logging
import os
import re
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Final

from tinyvmaf.errors import IntegrityError, MissingExtraError, ModelError, UnknownNameError
from tinyvmaf.models import paths, schema

DEFAULT_VERSION = "vmaf_v0.6.1"
DEFAULT_TINY = "vmaf_tiny"
CARRIER = "ffmpeg_quality_metrics"

NETFLIX_SHA256: dict[str, str] = {
    "vmaf_v0.6.1": "5950d61fa1f861bd45d8149d80539ed9f3376cfc2495b8f0fa8e9f57cb131ee3",
    "vmaf_v0.6.1neg": "1fcda193aaa2a3136471b7516b3c5dc344546c05fcde2d58609f8c60a2387392",
    "vmaf_4k_v0.6.1": "73b187001309703c89d57cf58baab01660bd11e4ea6fac62bc064c5f5da6dac8",
}
"""Netflix's models that score here by version name, and the only bytes that we take for them."""

_FLOAT = "it reads libvmaf's float features, and tinyvmaf computes the integer ones"
_V1 = "it reads cambi, speed_chroma_uv, adm3 and motion3, which tinyvmaf does not have"

UNAVAILABLE: dict[str, str] = {
    **{f"vmaf_float_{name}": _FLOAT for name in ("v0.6.1", "v0.6.1neg", "b_v0.6.3", "4k_v0.6.1")},
    **{
        f"vmaf_v1.0.16_{rate}{view}": _V1
        for rate in ("", "hfr_")
        for view in ("3d0h", "5d0h", "3d0h_2160", "1d5h_2160")
    },
}
"""libvmaf's other versions, and why they cannot be had by name unless the user's store holds them."""

REGISTRY: Final = "registry.json"
CHECKSUM: Final = "registry.json.sha256"
ENTRY: Final = ".entry.json"
_ID = re.compile(r"[a-z0-9][a-z0-9_.-]{0,63}")
_KEYS = {"licence": "license", "licence_url": "license_url", "data_licence": "data_license"}
_FIELDS = {"onnx": "file", **{key: name for name, key in _KEYS.items()}}

_log = logging.getLogger("tinyvmaf")


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """What is pinned and known of one model. Text that nobody stated is empty.

    Attributes:
        id: Its name.
        kind: "fr" scores against a reference, "nr" without one, "filter" gives frames, "saliency" maps, "shots" cuts.
        file: The model's file, relative to `folder`: ONNX, or libvmaf's JSON.
        sha256: Of the model, 64 lower-case hexadecimal digits.
        sidecar_sha256: Of the JSON beside an ONNX file; without it the sidecar is not used.
        opset: Version of ONNX's operators, None where unknown.
        licence: SPDX expression of the model.
        licence_url: Its text.
        data_licence: Of what it was trained on: "open" or "research".
        target: What it was trained to predict: "human", "teacher", "unknown", or "none" where it predicts no score.
        source: URL or package it came from.
        card: Where people read about it.
        description: One line.
        notes: More lines.
        smoke: Whether it only proves that loading works.
        quant_mode: How the int8 variant was made: "static", "dynamic" or "qat"; "fp32" where there is none.
        int8_sha256: Of the int8 variant, `int8_file`.
        quant_calibration_set: What its ranges were measured on.
        quant_accuracy_budget_plcc: Most correlation with the fp32 model that it may lose, 0 .. 1.
        sigstore_bundle: The model's signature, relative to `folder`.
        sigstore_identity: Who must have signed, compared for equality.
        sigstore_issuer: Who must vouch for that identity, compared for equality.
        folder: Where the files lie.
        packaged: Whether the entry is part of this package, rather than of the user's store or of a file.
    """

    id: str
    kind: str
    file: str
    sha256: str
    sidecar_sha256: str = ""
    opset: int | None = None
    licence: str = ""
    licence_url: str = ""
    data_licence: str = ""
    target: str = "unknown"
    source: str = ""
    card: str = ""
    description: str = ""
    notes: str = ""
    smoke: bool = False
    quant_mode: str = "fp32"
    int8_sha256: str = ""
    quant_calibration_set: str = ""
    quant_accuracy_budget_plcc: float = 0.01
    sigstore_bundle: str = ""
    sigstore_identity: str = ""
    sigstore_issuer: str = ""
    folder: Path = field(default=Path(), compare=False)
    packaged: bool = field(default=False, compare=False)

    @property
    def is_onnx(self) -> bool:
        """Whether the model is ONNX rather than libvmaf's JSON."""
        return self.file.endswith(".onnx")

    @property
    def sidecar_file(self) -> str:
        """The JSON beside an ONNX file, relative to `folder`."""
        return f"{self.file.removesuffix('.onnx')}.json"

    @property
    def int8_file(self) -> str:
        """The int8 variant of an ONNX file, relative to `folder`."""
        return f"{self.file.removesuffix('.onnx')}.int8.onnx"

    def record(self) -> dict[str, Any]:
        """The entry as JSON has it: what nobody stated is left out.

        Returns:
            An object that keeps to `registry.schema.json`'s "entry".
        """
        content: dict[str, Any] = {}
        for item in fields(self):
            value = getattr(self, item.name)
            if item.name not in ("folder", "packaged") and (value != item.default or item.name == "target"):
                content[_KEYS.get(item.name, item.name)] = value
        return {("onnx" if key == "file" and self.is_onnx else key): value for key, value in content.items()}


def is_id(name: str) -> bool:
    """Whether a text may be the id of a model."""
    return _ID.fullmatch(name) is not None


def names_a_file(model: str) -> bool:
    """Whether a model given as text is a path rather than a name: no name has a folder or an ending.

    Args:
        model: As the user typed it.
    """
    return os.sep in model or model.lower().endswith((".json", ".onnx"))


def data_folder() -> Path:
    """The folder of the installed package that holds our own models."""
    return Path(__file__).with_name("data")


def netflix_file(version: str) -> Path:
    """Where the file of a version lies, found without importing the package that carries it.

    Args:
        version: A key of NETFLIX_SHA256.

    Returns:
        The path; the file is not looked at.

    Raises:
        MissingExtraError: The package that carries the files is not installed.
    """
    spec = importlib.util.find_spec(CARRIER)
    if spec is None or not spec.submodule_search_locations:
        raise MissingExtraError(
            f"Model {version} is carried by the package ffmpeg-quality-metrics, which is not installed.",
            "Run: pip install ffmpeg-quality-metrics==3.13.0",
        )
    return Path(spec.submodule_search_locations[0], "vmaf_models", f"{version}.json")


def read_registry(path: Path, *, packaged: bool = False) -> tuple[Entry, ...]:
    """Read a registry, ours or one of the same fields.

    Args:
        path: The JSON file, at most 1 MiB.
        packaged: Whether it is this package's own; then its bytes must be those of the checksum beside it.

    Returns:
        The entries in the order of the file.

    Raises:
        IntegrityError: A packaged registry is not the one that was packaged.
        ModelError: The file is missing, is not strict JSON, breaks the schema, or lists an id twice.
    """
    data = paths.read(path, schema.MAX_BYTES)
    if packaged and paths.read(path.with_name(CHECKSUM), 1000) != checksum(data):
        raise IntegrityError(f"The model registry {path} has changed since it was packaged.", "Reinstall tinyvmaf.")
    content = _parse(data, path, "")
    found = tuple(_entry(record, path.parent, packaged) for record in content["models"])
    ids = [entry.id for entry in found]
    if len(set(ids)) < len(ids):
        twice = next(name for name in ids if ids.count(name) > 1)
        raise ModelError(f"The model registry {path} must list an id once, but it lists {twice} twice.")
    return found


def checksum(data: bytes) -> bytes:
    """What is written beside a packaged registry, as `sha256sum` writes it.

    Args:
        data: The registry.

    Returns:
        One line.
    """
    return f"{hashlib.sha256(data).hexdigest()}  {REGISTRY}\n".encode()


def _parse(data: bytes, path: Path, definition: str) -> dict[str, Any]:
    try:
        content: dict[str, Any] = schema.parse(data)
        broken = schema.problem(content, "registry", definition)
    except ValueError as error:
        broken = str(error)
    if broken:
        raise ModelError(f"The model registry {path} cannot be used: {broken}.", "Mend it, or restore it.")
    return content


def from_record(record: dict[str, Any], folder: Path, *, packaged: bool = False) -> Entry:
    """Make an entry of what JSON says.

    Args:
        record: An object that keeps to `registry.schema.json`'s "entry".
        folder: Where the files lie.
        packaged: Whether it is part of this package.

    Returns:
        The entry.

    Raises:
        ModelError: The record breaks the schema.
    """
    broken = schema.problem(record, "registry", "entry")
    if broken:
        raise ModelError(f"The registry entry of a model in {folder} cannot be used: {broken}.", "Mend it.")
    return _entry(record, folder, packaged)


def _entry(record: dict[str, Any], folder: Path, packaged: bool) -> Entry:
    known = {_FIELDS.get(key, key): value for key, value in record.items()}
    if "opset" in known:
        known["opset"] = int(known["opset"])
    return Entry(**known, folder=folder, packaged=packaged)


def packaged() -> tuple[Entry, ...]:
    """Our own models.

    Returns:
        The entries in the order of the registry.

    Raises:
        ModelError: The registry is missing or damaged.
    """
    return read_registry(data_folder() / REGISTRY, packaged=True)


def entries() -> tuple[Entry, ...]:
    """Our own models and those of the user's store; Netflix's are the keys of NETFLIX_SHA256.

    Returns:
        Our own in the order of the registry, then the user's by id.

    Raises:
        ModelError: The registry or an entry of the store is damaged.
    """
    return packaged() + tuple(_stored(name) for name in stored_ids() if not is_shadowed(name))


def is_shadowed(name: str) -> bool:
    """Whether a packaged model hides the one of that name in the store; if it does, the log says so."""
    taken = name in NETFLIX_SHA256 or any(entry.id == name for entry in packaged())
    if taken:
        _log.warning("The model %s of the store is not used: a packaged model has that name.", name)
    return taken


def stored_ids() -> tuple[str, ...]:
    """Ids of the models of the store, sorted, damaged ones and ones that a packaged name hides included."""
    try:
        names = os.listdir(paths.store_folder())
    except OSError:
        return ()
    return tuple(sorted(name.removesuffix(ENTRY) for name in names if name.endswith(ENTRY) and name[0] != "."))


def _stored(name: str) -> Entry:
    path = paths.store_folder() / f"{name}{ENTRY}"
    entry = _entry(_parse(paths.read(path, schema.MAX_BYTES), path, "entry"), path.parent, False)
    if entry.id != name:
        raise ModelError(f"The entry {path} must have the id {name}, but it has {entry.id}.", "Remove or mend it.")
    return entry


def find(model_id: str) -> Entry:
    """Look a model up by name: Netflix's, ours, then the user's, so that nobody's entry replaces a packaged one.

    Args:
        model_id: Version name or id.

    Returns:
        The entry; its files are not looked at.

    Raises:
        UnknownNameError: No such model, or one that is not at hand; the hint says how to get at it.
        MissingExtraError: It is Netflix's, and the package that carries the files is not installed.
        ModelError: The registry or the entry is damaged.
    """
    if model_id in NETFLIX_SHA256:
        return _netflix(model_id)
    own = {entry.id: entry for entry in packaged()}
    if model_id in own:
        return own[model_id]
    if is_id(model_id) and (paths.store_folder() / f"{model_id}{ENTRY}").exists():
        return _stored(model_id)
    from tinyvmaf.models.recipes import RECIPES

    hint = _known(model_id, [*NETFLIX_SHA256, *own, *stored_ids()])
    if model_id in RECIPES:
        raise UnknownNameError(f"The model {model_id} is not here yet.", f"Run: tinyvmaf models pull {model_id}")
    if model_id in UNAVAILABLE:
        raise UnknownNameError(f"Model version {model_id} is not available: {UNAVAILABLE[model_id]}.", hint)
    raise UnknownNameError(f"There is no model {model_id!r}.", hint)


def _netflix(version: str) -> Entry:
    path = netflix_file(version)
    return Entry(
        id=version, kind="fr", file=path.name, sha256=NETFLIX_SHA256[version], licence="BSD-2-Clause-Patent",
        target="human", source="pypi:ffmpeg-quality-metrics==3.13.0", folder=path.parent, packaged=True,
    )  # fmt: skip


def _known(name: str, known: list[str]) -> str:
    from difflib import get_close_matches

    close = get_close_matches(name, known, n=1)
    lead = f"Did you mean {close[0]}? " if close else ""
    return f"{lead}There are: {', '.join(known)}, or a file by its path."
