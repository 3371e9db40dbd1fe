"""A registry made from the files of a folder, the same text for the same files."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from tinyvmaf._files import write_bytes
from tinyvmaf.errors import ModelError
from tinyvmaf.models import load, paths, schema
from tinyvmaf.models.registry import CHECKSUM, REGISTRY, Entry, checksum, from_record


def build_registry(folder: Path, *, data_licence: str = "open", identity: str = "", issuer: str = "") -> str:
    """Make the text of registry.json from every `<id>.onnx` with its `<id>.json` in a folder.

    Args:
        folder: Holds the models, their int8 variants `<id>.int8.onnx` and their bundles `<id>.onnx.sigstore.json`. A
            sidecar states "kind" and "target", and may state "license" (SPDX), "onnx_opset", "description", "source",
            "card" and "data_license"; one with an int8 variant states "quant_mode".
        data_licence: For models whose sidecar does not state it: what we package is trained on open data.
        identity: Who has signed the bundles in the folder; empty where there are none.
        issuer: Who vouches for that identity.

    Returns:
        JSON text, models sorted by id, the same for the same files.

    Raises:
        ModelError: A sidecar is missing, does not parse, lacks a field, or says what the schema does not allow.
    """
    files = [path for path in sorted(folder.glob("*.onnx")) if not path.name.endswith(".int8.onnx")]
    signer = {"sigstore_identity": identity, "sigstore_issuer": issuer} if identity else {}
    models = [_described(path, {"data_license": data_licence}, signer).record() for path in files]
    content = {"schema_version": 1, "models": models}
    return json.dumps(content, indent=2, ensure_ascii=False) + "\n"


def write_registry(folder: Path, *, data_licence: str = "open", identity: str = "", issuer: str = "") -> None:
    """Write registry.json of a folder and the checksum beside it.

    Args:
        folder: See `build_registry`.
        data_licence: See `build_registry`.
        identity: See `build_registry`.
        issuer: See `build_registry`.

    Raises:
        ModelError: See `build_registry`.
        DataError: The folder cannot be written to.
    """
    data = build_registry(folder, data_licence=data_licence, identity=identity, issuer=issuer).encode()
    for name, content in ((REGISTRY, data), (CHECKSUM, checksum(data))):
        write_bytes(folder / name, content)


_COPIED = ("kind", "target", "license", "data_license", "source", "card", "description", "quant_mode")


def _described(path: Path, general: dict[str, str], signer: dict[str, str]) -> Entry:
    beside = path.with_suffix(".json")
    try:
        raw = paths.read(beside, schema.MAX_BYTES)
        sidecar = schema.parse(raw)
        record = {"id": path.stem, "onnx": path.name, "sha256": _sha256_of(path), "sidecar_sha256": _digest(raw)}
        record |= {"kind": sidecar["kind"], "target": sidecar["target"], "card": f"docs/models/{path.stem}.md"}
    except (ValueError, KeyError, TypeError) as error:
        detail = f"{type(error).__name__}: {error}"
        raise ModelError(
            f"The sidecar {beside} cannot be used ({detail}).", "It needs at least kind and target."
        ) from error
    record |= general | {key: sidecar[key] for key in _COPIED if key in sidecar}
    record |= {"opset": sidecar["onnx_opset"]} if "onnx_opset" in sidecar else {}
    return from_record(record | _companions(path, signer), path.parent)


def _companions(path: Path, signer: dict[str, str]) -> dict[str, str]:
    """What the files beside a model add to its record."""
    record: dict[str, str] = {}
    small, bundle = path.with_suffix(".int8.onnx"), path.with_name(f"{path.name}.sigstore.json")
    if small.exists():
        record["int8_sha256"] = _sha256_of(small)
    if bundle.exists():
        record |= {"sigstore_bundle": bundle.name, **signer}
    return record


def _sha256_of(path: Path) -> str:
    return _digest(paths.read(path, load.MAX_BYTES))


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
