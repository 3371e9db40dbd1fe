"""The only way in for a model file: a name or a path becomes bytes that were read once and hashed.

From here on only these bytes count: nothing opens the path again, and no file that the model names is fetched.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

from tinyvmaf.errors import ModelError
from tinyvmaf.models import registry

MAX_BYTES = 50 * 1024 * 1024
Kind: TypeAlias = Literal["svm", "tiny"]


@dataclass(frozen=True, slots=True)
class ModelFile:
    """The bytes of one model and what is known of them.

    Attributes:
        id: Version or id for a registered model, the path as given for any other.
        kind: "svm" for libvmaf's JSON, "tiny" for ONNX.
        data: The file.
        sha256: Of `data`, 64 lower-case hexadecimal digits.
        registered: Whether the hash was pinned; a file loaded by path is not registered.
        target: What the model was trained to predict: "human", "teacher", or "unknown" where nobody says.
        sidecar: The JSON beside an ONNX file, None where there is none.
    """

    id: str
    kind: Kind
    data: bytes
    sha256: str
    registered: bool
    target: str = "unknown"
    sidecar: bytes | None = None


def load_version(version: str) -> ModelFile:
    """Load one of Netflix's models by libvmaf's version name.

    Args:
        version: Such as "vmaf_v0.6.1".

    Returns:
        The model.

    Raises:
        UnknownNameError: No such version, or one that is not at hand; the hint says how to get at it.
        ModelError: The file is missing or is not the one we know.
    """
    data = _read_pinned(registry.netflix_file(version), registry.NETFLIX_SHA256[version], version)
    return ModelFile(version, "svm", data, registry.NETFLIX_SHA256[version], registered=True, target="human")


def load_tiny(model_id: str = registry.DEFAULT_TINY) -> ModelFile:
    """Load one of our own models.

    Args:
        model_id: Its id in the packaged registry.

    Returns:
        The model with its sidecar.

    Raises:
        UnknownNameError: No such id.
        ModelError: The package is damaged: registry, model or sidecar is missing or changed.
    """
    entry = registry.tiny_entry(model_id)
    data = _read_pinned(entry.model, entry.sha256, model_id)
    sidecar = _read_pinned(entry.sidecar, entry.sidecar_sha256, f"{model_id}'s sidecar")
    return ModelFile(model_id, "tiny", data, entry.sha256, registered=True, target=entry.target, sidecar=sidecar)


def load_path(path: str | Path) -> ModelFile:
    """Load a model file that no registry knows.

    An ONNX file's sidecar is the file of the same name that ends in .json, if there is one.

    Args:
        path: A regular file of at most 50 MiB: ONNX where the name ends in .onnx, else libvmaf's JSON.

    Returns:
        The model, marked as not registered.

    Raises:
        ModelError: It cannot be read, is not a regular file, or is too large.
    """
    target = Path(path)
    kind: Kind = "tiny" if target.suffix.lower() == ".onnx" else "svm"
    beside = target.with_suffix(".json")
    sidecar = read_once(beside) if kind == "tiny" and beside.exists() else None
    data = read_once(target)
    return ModelFile(str(path), kind, data, _sha256(data), registered=False, sidecar=sidecar)


def read_once(path: str | Path) -> bytes:
    """Read a whole regular file.

    Args:
        path: The file.

    Returns:
        Its content, at most 50 MiB.

    Raises:
        ModelError: It cannot be read, is not a regular file, or is too large.
    """
    try:
        # Without O_NONBLOCK the open of a pipe would wait for a writer before we can see that it is no file.
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        with contextlib.closing(open(handle, "rb")) as stream:
            if not stat.S_ISREG(os.fstat(handle).st_mode):
                raise ModelError(f"A model must be a regular file, but {path} is not one.")
            data = stream.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise ModelError(f"The model file {path} cannot be read: {reason}.", "Check the path.") from error
    if len(data) > MAX_BYTES:
        raise ModelError(f"A model file has at most {MAX_BYTES >> 20} MiB, but {path} has more.")
    return data


def _read_pinned(path: Path, sha256: str, name: str) -> bytes:
    data = read_once(path)
    if _sha256(data) != sha256:
        raise ModelError(
            f"The file of model {name} must have SHA-256 {sha256}, but {path} has {_sha256(data)}.",
            "Reinstall the package that carries it.",
        )
    return data


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
