"""The only way in for a model file: a name or a path becomes bytes that were read once, hashed, and compared.

From here on only these bytes count: nothing opens the path again, and no file that the model names is fetched.
"""

from __future__ import annotations

import hashlib
import logging
import os
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal, TypeAlias

from tinyvmaf.dnn.record import record
from tinyvmaf.errors import IntegrityError, ModelError, UsageError
from tinyvmaf.models import paths, registry, schema
from tinyvmaf.models.registry import Entry
from tinyvmaf.models.verify import Policy

MAX_BYTES = 50 * 1024 * 1024
"""Largest model that is read unless the caller allows more for one model."""

BUNDLE = ".sigstore.json"
"""Ending of a signature's file, behind the whole name of what is signed."""

Kind: TypeAlias = Literal["svm", "tiny"]
Variant: TypeAlias = Literal["fp32", "int8"]

_log = logging.getLogger("tinyvmaf")


@dataclass(frozen=True, slots=True)
class ModelFile:
    """The bytes of one model and what is known of them.

    Attributes:
        id: Version or id for a registered model, the path as given for any other.
        kind: "svm" for libvmaf's JSON, "tiny" for ONNX.
        data: The file.
        sha256: Of `data`, 64 lower-case hexadecimal digits.
        registered: Whether the hash was pinned; a file loaded by path is not registered.
        target: What the model was trained to predict: "human", "teacher", "none", or "unknown" where nobody says.
        sidecar: The JSON beside an ONNX file, None where there is none; pinned where the model is registered.
        verified: Whether the signature was asked for, and is good.
        entry: What is known of a registered model, None for any other.
        variant: "fp32", or "int8" where that was asked for.
    """

    id: str
    kind: Kind
    data: bytes = field(repr=False)
    sha256: str
    registered: bool
    target: str = "unknown"
    sidecar: bytes | None = field(default=None, repr=False)
    verified: bool = False
    entry: Entry | None = None
    variant: Variant = "fp32"


def load(
    model: str | os.PathLike[str],
    *,
    variant: Variant = "fp32",
    verify: bool | Policy = False,
    with_cosign: bool = False,
    max_bytes: int | None = None,
) -> ModelFile:
    """Load a model by name or path.

    A model with a name has all its bytes pinned. One that is given by path is what the path leads to, inside the jail
    (see `tinyvmaf.models.paths`) if it is ONNX; its sidecar is the file of the same name that ends in .json.

    Args:
        model: A version of Netflix's ("vmaf_v0.6.1"), an id of ours or of the user's store, or a path: every text that
            ends in .json or .onnx or has a folder, and every path object.
        variant: "int8" for the quantised companion, `<base>.int8.onnx`.
        verify: Whether the Sigstore bundle must be good: True for the signer that our packaged registry pins, or whom
            to expect. Entries of the store and paths cannot vouch for themselves and need the latter; their sidecar
            must be signed too, but that one is missing is not noticed. Bundles are named by the entry, and else are
            `<file>.sigstore.json`.
        with_cosign: Whether the program cosign verifies, rather than the package sigstore.
        max_bytes: Most bytes of this model, in place of 50 MiB; more than that is noted in the log.

    Returns:
        The model.

    Raises:
        UnknownNameError: No such model, or one that is not at hand.
        UsageError: No such variant.
        MissingExtraError: A package that carries or verifies the model is not installed.
        IntegrityError: The bytes are not those that are pinned, or not signed as asked.
        ModelError: A file cannot be read, is no regular file, is too large, or lies outside the jail.
    """
    limit = _limit(str(model), max_bytes)
    if variant not in ("fp32", "int8"):
        raise UsageError(f"A model has the variants fp32 and int8, not {variant!r}.")
    by_path = not isinstance(model, str) or registry.names_a_file(model)
    where = _by_path(Path(model), variant) if by_path else _by_name(registry.find(str(model)), variant)
    file = _read(where, variant, limit)
    if verify is False:
        return file
    policy = _pinned_policy(where) if verify is True else verify
    if with_cosign:
        from tinyvmaf.models.cosign import verify_bytes
    else:
        from tinyvmaf.models.verify import verify_bytes
    _verify(file, where, policy, verify_bytes)
    return replace(file, verified=True)


@record(frozen=True)
class _Place:
    """Where a model's files lie, and what is pinned of them: empty hashes pin nothing, and only a path has none."""

    id: str
    model: Path
    bundle: Path | None
    sha256: str = ""
    sidecar: Path | None = None
    sidecar_sha256: str = ""
    entry: Entry | None = None

    @property
    def kind(self) -> Kind:
        return "tiny" if self.model.suffix.lower() == ".onnx" else "svm"

    @property
    def jailed(self) -> bool:
        return self.entry is None and self.kind == "tiny"


def _limit(name: str, max_bytes: int | None) -> int:
    if max_bytes is not None and max_bytes > MAX_BYTES:
        _log.warning("The model %s may have %d bytes instead of %d.", paths.printable(name), max_bytes, MAX_BYTES)
    return MAX_BYTES if max_bytes is None else max_bytes


def _by_name(entry: Entry, variant: Variant) -> _Place:
    model, sha256 = (entry.file, entry.sha256) if variant == "fp32" else (entry.int8_file, entry.int8_sha256)
    if not sha256:
        raise UsageError(f"The model {entry.id} has no variant {variant}.", "Leave the variant out.")
    bundle = entry.sigstore_bundle and (entry.sigstore_bundle if variant == "fp32" else f"{model}{BUNDLE}")
    return _Place(
        id=entry.id,
        model=entry.folder / model,
        bundle=entry.folder / bundle if bundle else None,
        sha256=sha256,
        sidecar=entry.folder / entry.sidecar_file if entry.sidecar_sha256 else None,
        sidecar_sha256=entry.sidecar_sha256,
        entry=entry,
    )


def _by_path(path: Path, variant: Variant) -> _Place:
    tiny = path.suffix.lower() == ".onnx"
    if variant == "int8" and not tiny:
        raise UsageError(f"The model {paths.printable(path)} has no variant int8.", "Leave the variant out.")
    model = path.with_suffix(".int8.onnx") if variant == "int8" else path
    sidecar = path.with_suffix(".json") if tiny else None
    if sidecar is not None and not os.path.lexists(sidecar):
        sidecar = None
    return _Place(str(path), model, _beside(model), sidecar=sidecar)


def _beside(path: Path) -> Path:
    return Path(f"{path}{BUNDLE}")


def _read(where: _Place, variant: Variant, limit: int) -> ModelFile:
    entry = where.entry
    sidecar = None
    if where.sidecar is not None:
        sidecar = paths.read(where.sidecar, schema.MAX_BYTES, jailed=where.jailed)
        _compare(sidecar, where.sidecar_sha256, f"{where.id}'s sidecar", where.sidecar)
    data = paths.read(where.model, limit, jailed=where.jailed)
    return ModelFile(
        id=where.id,
        kind=where.kind,
        data=data,
        sha256=_compare(data, where.sha256, where.id, where.model),
        registered=entry is not None,
        target=entry.target if entry is not None else "unknown",
        sidecar=sidecar,
        entry=entry,
        variant=variant,
    )


def _compare(data: bytes, pinned: str, name: str, path: Path) -> str:
    """The hash of the bytes, once it is the pinned one where one is pinned."""
    found = hashlib.sha256(data).hexdigest()
    if pinned and found != pinned:
        raise IntegrityError(
            f"The file of model {name} must have SHA-256 {pinned}, but {path} has {found}.",
            "Reinstall the package that carries it, or get the model again.",
        )
    return found


def _pinned_policy(where: _Place) -> Policy:
    entry = where.entry
    if entry is None or not entry.packaged:
        raise IntegrityError(
            f"Nobody vouches for who signs {paths.printable(where.id)}: only packaged models have their signer pinned.",
            "State the signer's identity and issuer.",
        )
    if not entry.sigstore_identity:
        raise IntegrityError(
            f"The model {entry.id} is not signed: its registry entry names no Sigstore bundle and signer.",
            "Its SHA-256 is checked at every load; do without the signature, or take a release that is signed.",
        )
    return Policy(entry.sigstore_identity, entry.sigstore_issuer)


def _verify(file: ModelFile, where: _Place, policy: Policy, check: Callable[[bytes, bytes, Policy, str], None]) -> None:
    """Model and sidecar; the sidecar of a packaged model is pinned by the package itself and needs no signature."""
    name = f"The model {paths.printable(where.id)}"
    parts = [(file.data, where.bundle, name)]
    if where.sidecar is not None and not (where.entry is not None and where.entry.packaged):
        parts.append((file.sidecar or b"", _beside(where.sidecar), f"{name}'s sidecar"))
    for data, bundle, what in parts:
        check(data, _bundle(bundle, where, what), policy, what)


def _bundle(path: Path | None, where: _Place, what: str) -> bytes:
    if path is None:
        raise IntegrityError(f"{what} is not signed: its registry entry names no Sigstore bundle.")
    try:
        return paths.read(path, schema.MAX_BYTES, jailed=where.jailed)
    except ModelError as error:
        raise IntegrityError(f"{what} has no signature that can be read. {error.message}", error.hint) from error
