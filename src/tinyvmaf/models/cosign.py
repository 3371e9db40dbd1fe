"""The same check by the program `cosign`, for those whose rules ask for it."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Final

from tinyvmaf.errors import IntegrityError
from tinyvmaf.models.verify import Policy

TIME_LIMIT: Final = 60.0
"""Seconds after which the program is stopped."""


def verify_bytes(data: bytes, bundle: bytes, policy: Policy, name: str = "model") -> None:
    """Let `cosign verify-blob` verify a Sigstore bundle.

    The program reads private copies of what is in memory, which nobody else can change.

    Args:
        data: What should have been signed.
        bundle: The bundle (JSON).
        policy: Whose signature counts.
        name: What the data are called in messages.

    Raises:
        IntegrityError: cosign is not on PATH, says no, cannot be run, or takes too long.
    """
    program = shutil.which("cosign")
    if program is None:
        raise IntegrityError(f"To verify {name} with cosign needs cosign on PATH.", "Install it: docs.sigstore.dev.")
    with tempfile.TemporaryDirectory(prefix="tinyvmaf-") as folder:
        files = [Path(folder, "model"), Path(folder, "bundle.sigstore.json")]
        for path, content in zip(files, (data, bundle), strict=True):
            path.write_bytes(content)
        _run(_words(os.path.abspath(program), files, policy), name)


def _words(program: str, files: list[Path], policy: Policy) -> list[str]:
    root = [f"--trusted-root={os.path.abspath(policy.trusted_root)}"] if policy.trusted_root is not None else []
    return [
        program,
        "verify-blob",
        f"--bundle={files[1]}",
        f"--certificate-identity={policy.identity}",
        f"--certificate-oidc-issuer={policy.issuer}",
        *root,
        str(files[0]),
    ]


def _run(words: list[str], name: str) -> None:
    try:
        done = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, timeout=TIME_LIMIT, check=False)
    except (OSError, ValueError, subprocess.TimeoutExpired) as error:
        raise IntegrityError(f"{name} must pass cosign, but cosign did not finish: {error}.") from error
    if done.returncode != 0:
        said = " ".join(done.stderr.decode("utf-8", "replace").split()) or f"exit {done.returncode}"
        said = said if said.isprintable() else ascii(said)
        raise IntegrityError(
            f"{name} must pass cosign, but cosign says: {said[:200]}.",
            "Do not use it; get the model again from where it is published.",
        )
