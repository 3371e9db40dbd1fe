"""Models that are not ours to hand on, fetched where their authors put them, checked, converted and stored.

What is fetched is held against its pinned SHA-256 before it is opened, and so is what is made of it.
"""

from __future__ import annotations

import hashlib
import importlib
import json
from difflib import get_close_matches
from pathlib import Path

from tinyvmaf.dnn import guard
from tinyvmaf.errors import DataError, IntegrityError, UnknownNameError
from tinyvmaf.models import archive, fetch, paths, registry, store
from tinyvmaf.models.fetch import Progress
from tinyvmaf.models.recipes import RECIPES
from tinyvmaf.models.registry import Entry
from tinyvmaf.models.sources import Part, Pin, Recipe


def pullable() -> tuple[Recipe, ...]:
    """Every model that can be fetched, sorted by id."""
    return tuple(RECIPES.values())


def pull(name: str, *, source_dir: Path | None = None, progress: Progress | None = None, force: bool = False) -> Entry:
    """Fetch a model into the user's store, unless it is there and intact.

    Args:
        name: Its id.
        source_dir: A folder to take files from instead of fetching them: the archives, the files in them, or the
            finished model. They are held against the same hashes.
        progress: Told bytes done and bytes in all.
        force: Whether to fetch it although it is there.

    Returns:
        Its entry; `tinyvmaf.models.load` loads it by name.

    Raises:
        UnknownNameError: No such model, or one that needs no fetching.
        MissingExtraError: pip is needed and absent.
        IntegrityError: A file is not the one that is pinned.
        RunError: A file cannot be fetched.
        DataError: `source_dir` lacks a file, or the store cannot be written to.
    """
    recipe = _recipe(name)
    sidecar = _sidecar(recipe)
    entry = _entry(recipe, sidecar)
    with store.lock(recipe.id):
        if not force and store.holds(entry, sidecar):
            return registry.find(recipe.id)
        data = _model(recipe, source_dir, progress)
        if entry.is_onnx:
            guard.check(data).require()
        return store.save(entry, data, sidecar)


def _recipe(name: str) -> Recipe:
    if name in RECIPES:
        return RECIPES[name]
    if name in registry.NETFLIX_SHA256 or name in {entry.id for entry in registry.packaged()}:
        raise UnknownNameError(f"The model {name} comes with tinyvmaf and needs no fetching.", "Use it by its name.")
    close = get_close_matches(name, RECIPES, n=1)
    lead = f"Did you mean {close[0]}? " if close else ""
    raise UnknownNameError(f"There is no model {name!r} to fetch.", f"{lead}There are: {', '.join(RECIPES)}.")


def _sidecar(recipe: Recipe) -> bytes:
    if not recipe.sidecar:
        return b""
    shared = {"id": recipe.id, "license": recipe.entry["licence"], "source": recipe.entry["source"]}
    return (json.dumps({**shared, **recipe.sidecar}, indent=2) + "\n").encode()


def _entry(recipe: Recipe, sidecar: bytes) -> Entry:
    digest = hashlib.sha256(sidecar).hexdigest() if sidecar else ""
    return Entry(id=recipe.id, file=recipe.file.name, sha256=recipe.file.sha256, sidecar_sha256=digest, **recipe.entry)


def _model(recipe: Recipe, source_dir: Path | None, progress: Progress | None) -> bytes:
    if source_dir is not None:
        if (source_dir / recipe.file.name).exists():
            return _local(source_dir, recipe.file)
        _check_complete(recipe, source_dir)
    parts = _parts(recipe, source_dir, progress)
    if not recipe.converter:
        return parts[0]
    converter = importlib.import_module(f"tinyvmaf.models.convert.{recipe.converter}")
    data: bytes = converter.convert(*parts)
    return _checked(data, recipe.file)


def _parts(recipe: Recipe, source_dir: Path | None, progress: Progress | None) -> list[bytes]:
    found: list[bytes] = []
    done = 0
    for part in recipe.parts:
        if source_dir is not None:
            found.append(_from_folder(part, source_dir))
        else:
            found.append(_fetched(part, _shifted(progress, done, recipe.download_bytes)))
        done += part.fetched.size
    return found


def _check_complete(recipe: Recipe, folder: Path) -> None:
    """Name everything that a folder lacks, at once."""
    choices = [tuple(dict.fromkeys((part.fetched.name, part.file.name))) for part in recipe.parts]
    lacking = [names for names in choices if not any((folder / name).exists() for name in names)]
    if lacking:
        wanted = " and ".join(" or ".join(names) for names in dict.fromkeys(lacking))
        raise DataError(
            f"To make {recipe.id}, the folder {paths.printable(folder.resolve())} must hold {wanted}, but it does not.",
            f"Put the files there, or the finished {recipe.file.name}." if recipe.converter else "Put it there.",
        )


def _shifted(progress: Progress | None, before: int, total: int) -> Progress | None:
    """Progress of one download as part of all of them."""
    return None if progress is None else lambda done, _: progress(before + done, total)


def _fetched(part: Part, progress: Progress | None) -> bytes:
    if isinstance(part.source, str):
        return _checked(fetch.download(part.source, part.file, progress), part.file)
    return _unpacked(fetch.from_index(part.source, progress), part)


def _from_folder(part: Part, folder: Path) -> bytes:
    if (folder / part.file.name).exists():
        return _local(folder, part.file)
    return _unpacked(_local(folder, part.fetched), part)


def _local(folder: Path, pin: Pin) -> bytes:
    return _checked(paths.read(folder / pin.name, pin.size), pin)


def _unpacked(data: bytes, part: Part) -> bytes:
    return _checked(archive.read_member(_checked(data, part.fetched), part.member, part.file.size), part.file)


def _checked(data: bytes, pin: Pin) -> bytes:
    found = hashlib.sha256(data).hexdigest()
    if found != pin.sha256:
        raise IntegrityError(
            f"{pin.name} must have SHA-256 {pin.sha256} and {pin.size} bytes, but has {found} and {len(data)}.",
            "Fetch it again; if that changes nothing, its publisher has replaced it.",
        )
    return data
