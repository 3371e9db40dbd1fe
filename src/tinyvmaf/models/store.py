"""The user's own models: a folder of `<id>.onnx` or `<id>.json` with one `<id>.entry.json` each.

The entry is written last and removed first: a model without one is not there, so nobody ever sees half of one. Writers
of one model wait for each other.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import IO, cast

from tinyvmaf._files import atomic_write
from tinyvmaf.dnn import guard
from tinyvmaf.errors import DataError, ModelError, TinyVmafError, UnknownNameError, UsageError
from tinyvmaf.models import load, paths, registry, schema
from tinyvmaf.models.recipes import RECIPES
from tinyvmaf.models.registry import ENTRY, Entry, stored_ids
from tinyvmaf.models.sidecar import parse_sidecar


def survey() -> tuple[tuple[Entry, ...], dict[str, str]]:
    """Look through the whole store, whatever is wrong with single models.

    Returns:
        The entries that can be used, and for every damaged one its id, what is wrong, and what to do; both sorted by
        id. What a packaged name hides is in neither, and noted in the log.
    """
    usable: list[Entry] = []
    broken: dict[str, str] = {}
    for name in stored_ids():
        if registry.is_shadowed(name):
            continue
        try:
            usable.append(registry.find(name))
        except TinyVmafError as error:
            cure = "pull" if name in RECIPES else "remove"
            broken[name] = f"{error.message} Run: tinyvmaf models {cure} {paths.printable(name)}"
    return tuple(usable), broken


@contextlib.contextmanager
def lock(model_id: str) -> Iterator[None]:
    """Be the only one who writes a model; others wait, and a process that ends lets go.

    Args:
        model_id: Its id.

    Yields:
        Nothing.

    Raises:
        DataError: The store cannot be written to.
    """
    folder = paths.store_folder()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        handle = os.open(folder / f".{model_id}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    except OSError as error:
        raise DataError(
            f"The model store {folder} cannot be used: {error.strerror}.", "Set TINYVMAF_DATA_DIR."
        ) from error
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def holds(entry: Entry, sidecar: bytes) -> bool:
    """Whether a model is there, with exactly this entry and these bytes.

    Args:
        entry: The entry.
        sidecar: The JSON beside an ONNX file, empty where there is none.

    Returns:
        False as well for a damaged one.
    """
    folder = paths.store_folder()
    wanted = [(f"{entry.id}{ENTRY}", _text(entry))] + ([(entry.sidecar_file, sidecar)] if sidecar else [])
    try:
        same = all(paths.read(folder / name, schema.MAX_BYTES) == content for name, content in wanted)
        return same and _sha256(paths.read(folder / entry.file, load.MAX_BYTES)) == entry.sha256
    except ModelError:
        return False


def save(entry: Entry, data: bytes, sidecar: bytes) -> Entry:
    """Write a model; the caller has its lock.

    Args:
        entry: What is pinned of it.
        data: The model.
        sidecar: The JSON beside an ONNX file, empty where there is none.

    Returns:
        The entry, as it lies in the store.

    Raises:
        DataError: The file system refused; nothing half written is left behind then.
    """
    folder = paths.store_folder()
    files = [(entry.file, data)] + ([(entry.sidecar_file, sidecar)] if sidecar else [])
    gone = False
    try:
        with contextlib.ExitStack() as finished:
            # All content is on disk before the old model goes; files then take their names, the entry last.
            for name, content in [(f"{entry.id}{ENTRY}", _text(entry)), *files]:
                stream = cast(IO[bytes], finished.enter_context(atomic_write(folder / name, "wb")))
                stream.write(content)
                stream.flush()
            _erase(entry.id)
            gone = True
    except BaseException:
        if gone:
            _erase(entry.id)
        raise
    return replace(entry, folder=folder)


def remove(model_id: str) -> None:
    """Remove a model of the store.

    Args:
        model_id: Its id.

    Raises:
        UnknownNameError: The store has no such model; packaged models cannot be removed.
        DataError: The file system refused.
    """
    known = stored_ids()
    if model_id not in known:
        hint = f"It holds: {', '.join(known)}." if known else "It is empty."
        raise UnknownNameError(f"The model store has no model {model_id!r}.", hint)
    with lock(model_id):
        _erase(model_id)


def import_model(
    path: str | os.PathLike[str],
    model_id: str,
    *,
    kind: str = "",
    target: str = "unknown",
    licence: str = "",
    overwrite: bool = False,
) -> Entry:
    """Copy a model of the user's into the store, so that it can be loaded by name and its bytes are pinned.

    Args:
        path: ONNX, with the JSON of the same name beside it if there is one, or libvmaf's JSON.
        model_id: The name that it gets.
        kind: As in the registry; what the sidecar says by default, else "nr" for a graph of one picture, and "fr".
        target: What it was trained to predict: "human", "teacher", "none" or "unknown".
        licence: SPDX expression.
        overwrite: Whether a model of that name in the store may be replaced.

    Returns:
        Its entry.

    Raises:
        UsageError: The name is taken.
        RejectedModelError: The guard refuses the graph.
        ModelError: The file or its sidecar cannot be read or used, or breaks what an entry may say.
        DataError: The store cannot be written to.
    """
    if model_id in registry.NETFLIX_SHA256 or model_id in {entry.id for entry in registry.packaged()}:
        raise UsageError(f"The name {model_id} is taken by a packaged model.", "Choose another name.")
    if model_id in RECIPES:
        raise UsageError(
            f"The name {model_id} is that of a model that can be pulled.", "Choose another name, or pull it."
        )
    file = load.load(Path(path))
    _check_id(model_id, file.kind)
    sidecar = file.sidecar or b""
    if file.kind == "tiny":
        entry = _described(file, kind, target, licence)
    else:
        _check_json(file.data)
        entry = Entry(id="", kind=kind or "fr", file=".json", sha256=file.sha256, target=target, licence=licence)
    entry = replace(entry, id=model_id, file=f"{model_id}{entry.file}", source="imported")
    registry.from_record(entry.record(), paths.store_folder())
    with lock(model_id):
        if model_id in stored_ids() and not overwrite:
            raise UsageError(
                f"The store has a model {model_id} already.", "Choose another name, or replace it with --overwrite."
            )
        return save(entry, file.data, sidecar)


def _check_id(model_id: str, kind: load.Kind) -> None:
    """Names of libvmaf's models have dots, but none may look like a file."""
    dotted = "." in model_id and (kind == "tiny" or registry.names_a_file(model_id))
    if not registry.is_id(model_id) or dotted:
        raise UsageError(
            f"A model's name has 1 to 64 lower-case letters, digits, - and _, and begins with a letter or digit, but "
            f"this one is {model_id[:80]!r}.", "Choose another name.",
        )  # fmt: skip


def _described(file: load.ModelFile, kind: str, target: str, licence: str) -> Entry:
    """The entry of a graph that the guard accepts, from what its sidecar says."""
    report, said = guard.check(file.data).require(), parse_sidecar(file.sidecar)
    return Entry(
        id="",
        kind=kind or said.kind or ("nr" if _is_of_one_picture(report) else "fr"),
        file=".onnx",
        sha256=file.sha256,
        sidecar_sha256=_sha256(file.sidecar) if file.sidecar is not None else "",
        opset=report.opset,
        target=target,
        licence=licence,
    )


def _is_of_one_picture(report: guard.Report) -> bool:
    return [len(port.shape or ()) for port in report.inputs] == [4]


def _check_json(data: bytes) -> None:
    try:
        content = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise ModelError(f"A model must be ONNX or libvmaf's JSON, but the file is neither ({error}).") from error
    if not isinstance(content, dict):
        raise ModelError("A libvmaf model must be a JSON object, but the file holds another value.")


def _erase(model_id: str) -> None:
    try:
        for ending in (ENTRY, ".onnx", ".json"):
            (paths.store_folder() / f"{model_id}{ending}").unlink(missing_ok=True)
    except OSError as error:
        raise DataError(f"The model {model_id} cannot be removed from the store: {error.strerror}.") from error


def _text(entry: Entry) -> bytes:
    return (json.dumps(entry.record(), indent=2, ensure_ascii=False) + "\n").encode()


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
