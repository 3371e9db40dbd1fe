"""Which models there are by name: Netflix's, carried by another package, and our own, carried by this one.

Our own are listed in `data/registry.json`, which `build_registry` makes from the files beside it; nobody edits it.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import re
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from tinyvmaf.errors import MissingExtraError, ModelError, UnknownNameError

DEFAULT_VERSION = "vmaf_v0.6.1"
DEFAULT_TINY = "vmaf_tiny"
CARRIER = "ffmpeg_quality_metrics"

NETFLIX_SHA256: dict[str, str] = {
    "vmaf_v0.6.1": "5950d61fa1f861bd45d8149d80539ed9f3376cfc2495b8f0fa8e9f57cb131ee3",
    "vmaf_v0.6.1neg": "1fcda193aaa2a3136471b7516b3c5dc344546c05fcde2d58609f8c60a2387392",
    "vmaf_4k_v0.6.1": "73b187001309703c89d57cf58baab01660bd11e4ea6fac62bc064c5f5da6dac8",
}
"""Netflix's models that score here by version name, and the only bytes that we take for them."""

_BY_PATH = "it is not carried by any package we depend on; its file from github.com/Netflix/vmaf works with path=FILE"
_FLOAT = "it reads libvmaf's float features, and tinyvmaf computes the integer ones"
_V1 = "it reads cambi, speed_chroma_uv, adm3 and motion3, which tinyvmaf does not have"

UNAVAILABLE: dict[str, str] = {
    "vmaf_b_v0.6.3": _BY_PATH,
    "vmaf_4k_v0.6.1neg": _BY_PATH,
    **{f"vmaf_float_{name}": _FLOAT for name in ("v0.6.1", "v0.6.1neg", "b_v0.6.3", "4k_v0.6.1")},
    **{
        f"vmaf_v1.0.16_{rate}{view}": _V1
        for rate in ("", "hfr_")
        for view in ("3d0h", "5d0h", "3d0h_2160", "1d5h_2160")
    },
}
"""libvmaf's other versions, and why they cannot be had by name."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One of our own models.

    Attributes:
        id: Its name.
        model: The ONNX file.
        sidecar: The JSON beside it.
        sha256: Of the model, 64 lower-case hexadecimal digits.
        sidecar_sha256: Of the sidecar.
        target: "human" or "teacher".
        licence: SPDX expression, empty where the sidecar states none.
    """

    id: str
    model: Path
    sidecar: Path
    sha256: str
    sidecar_sha256: str
    target: str
    licence: str


def names_a_file(model: str) -> bool:
    """Whether a model given as text is a path rather than a name: no name has a folder or an ending.

    Args:
        model: As the user typed it.
    """
    return os.sep in model or model.lower().endswith((".json", ".onnx"))


def netflix_file(version: str) -> Path:
    """Where the file of a version lies, found without importing the package that carries it.

    Args:
        version: A key of NETFLIX_SHA256.

    Returns:
        The path; the file is not looked at.

    Raises:
        UnknownNameError: No such version, or one that cannot be had by name.
        MissingExtraError: The package that carries the files is not installed.
    """
    if version in UNAVAILABLE:
        raise UnknownNameError(f"Model version {version} is not available: {UNAVAILABLE[version]}.", _known(version))
    if version not in NETFLIX_SHA256:
        raise UnknownNameError(f"There is no model version {version!r}.", _known(version))
    spec = importlib.util.find_spec(CARRIER)
    if spec is None or not spec.submodule_search_locations:
        raise MissingExtraError(
            f"Model {version} is carried by the package ffmpeg-quality-metrics, which is not installed.",
            "Run: pip install ffmpeg-quality-metrics==3.13.0",
        )
    return Path(spec.submodule_search_locations[0], "vmaf_models", f"{version}.json")


def _known(version: str) -> str:
    close = get_close_matches(version, NETFLIX_SHA256, n=1, cutoff=0.8)
    lead = f"Did you mean {close[0]}? " if close and close[0] != version else ""
    return f"{lead}Available: {', '.join(NETFLIX_SHA256)}."


def data_folder() -> Path:
    """The folder of the installed package that holds our own models."""
    return Path(__file__).with_name("data")


def tiny_ids(folder: Path | None = None) -> tuple[str, ...]:
    """Ids of our own models.

    Args:
        folder: Where registry.json lies; the package's own folder by default.

    Returns:
        The ids in the order of the registry.

    Raises:
        ModelError: The registry is missing or damaged.
    """
    return tuple(entry.id for entry in _entries(folder or data_folder()))


def tiny_entry(model_id: str, folder: Path | None = None) -> Entry:
    """Look up one of our own models.

    Args:
        model_id: Its id.
        folder: Where registry.json lies; the package's own folder by default.

    Returns:
        The entry.

    Raises:
        UnknownNameError: No such id.
        ModelError: The registry is missing or damaged.
    """
    entries = {entry.id: entry for entry in _entries(folder or data_folder())}
    if model_id not in entries:
        raise UnknownNameError(
            f"There is no tiny model {model_id!r}.",
            f"There are: {', '.join(entries)}; any other ONNX file by its path.",
        )
    return entries[model_id]


def _entries(folder: Path) -> list[Entry]:
    path = folder / "registry.json"
    try:
        content = json.loads(path.read_bytes())
        return [_entry(item, folder) for item in content["models"]]
    except (OSError, ValueError, KeyError, TypeError) as error:
        detail = f"{type(error).__name__}: {error}"
        raise ModelError(f"The model registry {path} cannot be read ({detail}).", "Reinstall tinyvmaf.") from error


def _entry(item: dict[str, Any], folder: Path) -> Entry:
    name = str(item["id"])
    if not re.fullmatch(r"[a-z0-9][a-z0-9_-]{0,63}", name):
        raise ValueError(f"{name!r} is not a model id")
    digests = [str(item[key]) for key in ("sha256", "sidecar_sha256")]
    if not all(re.fullmatch(r"[0-9a-f]{64}", digest) for digest in digests):
        raise ValueError(f"a SHA-256 of {name} is not one")
    return Entry(
        id=name,
        model=folder / f"{name}.onnx",
        sidecar=folder / f"{name}.json",
        sha256=digests[0],
        sidecar_sha256=digests[1],
        target=str(item["target"]),
        licence=str(item.get("license", "")),
    )


def build_registry(folder: Path) -> str:
    """Make the text of registry.json from every `<id>.onnx` with its `<id>.json` in a folder.

    Args:
        folder: Holds the models. A sidecar states "kind" ("fr") and "target" ("human" or "teacher"), and may state
            "license" (SPDX), "onnx_opset" and "description".

    Returns:
        JSON text, models sorted by id, the same for the same files.

    Raises:
        ModelError: A sidecar is missing, does not parse or lacks a field.
    """
    models = [_record(path) for path in sorted(folder.glob("*.onnx"))]
    return json.dumps({"schema_version": 1, "models": models}, indent=2, ensure_ascii=False) + "\n"


def _record(path: Path) -> dict[str, Any]:
    beside = path.with_suffix(".json")
    try:
        raw = beside.read_bytes()
        sidecar = json.loads(raw)
        record = {"id": path.stem, "kind": sidecar["kind"], "onnx": path.name}
        record |= {"sha256": hashlib.sha256(path.read_bytes()).hexdigest(), "target": sidecar["target"]}
        record |= {"sidecar_sha256": hashlib.sha256(raw).hexdigest()}
        optional = {"opset": "onnx_opset", "license": "license", "description": "description"}
        return record | {name: sidecar[key] for name, key in optional.items() if key in sidecar}
    except (OSError, ValueError, KeyError, TypeError) as error:
        detail = f"{type(error).__name__}: {error}"
        raise ModelError(
            f"The sidecar {beside} cannot be used ({detail}).", "It needs at least kind and target."
        ) from error
