"""Signing what we publish: a short-lived certificate for the identity of the workflow, an entry in a public log."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tinyvmaf.errors import MissingExtraError, RunError, UsageError
from tinyvmaf.models.verify import MISSING


def sign(data: bytes, *, identity_token: str | None = None, trust_config: Path | None = None) -> bytes:
    """Sign bytes with Sigstore. This talks to the signing services.

    Args:
        data: What to sign.
        identity_token: An OpenID Connect token for the audience "sigstore"; by default that of the surroundings, such
            as a GitHub Actions job with the permission `id-token: write`.
        trust_config: A Sigstore client trust configuration (JSON) of a private deployment; None for the public one.

    Returns:
        The bundle, JSON, to be kept as `<file>.sigstore.json`.

    Raises:
        MissingExtraError: The package `sigstore` is not installed.
        UsageError: No token is given and the surroundings offer none.
        RunError: The token, the configuration or a service refused.
    """
    try:
        from sigstore.oidc import IdentityToken, detect_credential
        from sigstore.sign import SigningContext
    except ImportError as error:
        raise MissingExtraError("To sign needs the package sigstore.", MISSING) from error
    try:
        token = identity_token or detect_credential()
        if token is None:
            raise UsageError(
                "To sign needs an identity, but the surroundings offer none.",
                "Give a token, or sign in a GitHub Actions job with the permission id-token: write.",
            )
        context = SigningContext.from_trust_config(_trust_config(trust_config))
        with context.signer(IdentityToken(token)) as signer:
            return signer.sign_artifact(data).to_json().encode()
    except UsageError:
        raise
    except Exception as error:  # sigstore's errors and those of its network library share no other base
        detail = " ".join(str(error).split())[:200].rstrip(".")
        raise RunError(f"Signing failed: {type(error).__name__}: {detail}.") from error


def _trust_config(path: Path | None) -> Any:
    from sigstore.models import ClientTrustConfig

    if path is None:
        return ClientTrustConfig.production()
    try:
        text = path.read_text("utf-8")
    except (OSError, ValueError) as error:
        raise UsageError(f"The trust configuration {path} cannot be read: {error}.", "Check the path.") from error
    return ClientTrustConfig.from_json(text)
