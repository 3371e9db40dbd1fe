"""Who signed these bytes: Sigstore bundles verified without a network, over the bytes that are already in memory.

Identity and issuer are compared for equality with what is pinned; there are no patterns. The roots of trust are those
that the installed `sigstore` package carries, or a file that the caller names. Sigstore's cache of trusted roots in the
user's folder is not read: whoever can write there could name keys of their own.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tinyvmaf.errors import IntegrityError, MissingExtraError, UsageError
from tinyvmaf.models import schema

if TYPE_CHECKING:
    from sigstore.models import TrustedRoot

GITHUB_ISSUER: Final = "https://token.actions.githubusercontent.com"
RELEASE_WORKFLOW: Final = "https://github.com/tinyvmaf/tinyvmaf/.github/workflows/release.yml"
MISSING: Final = "Run: pip install 'tinyvmaf[verify]'"

_ROOT: Final = ("sigstore._store", "https%3A%2F%2Ftuf-repo-cdn.sigstore.dev", "trusted_root.json")


@dataclass(frozen=True, slots=True)
class Policy:
    """Whose signature counts.

    Attributes:
        identity: The signer as the certificate names it: a workflow's URL with its ref, or an address of mail.
        issuer: URL of the service that vouched for the identity.
        trusted_root: A Sigstore trusted root (JSON); None for the public one that the package `sigstore` carries.

    Raises:
        UsageError: Identity or issuer is empty: a part that is not stated would not be checked.
    """

    identity: str
    issuer: str
    trusted_root: Path | None = None

    def __post_init__(self) -> None:
        if not self.identity or not self.issuer:
            raise UsageError("A signature is checked for one identity and one issuer, but one of them is empty.")


def release_policy(version: str) -> Policy:
    """The policy for what our release workflow signed.

    Args:
        version: Of the release, such as "1.2.0"; every release is an identity of its own.

    Returns:
        The policy.
    """
    return Policy(f"{RELEASE_WORKFLOW}@refs/tags/v{version}", GITHUB_ISSUER)


def verify_bytes(data: bytes, bundle: bytes, policy: Policy, name: str = "model") -> None:
    """Verify a Sigstore bundle.

    Checked are: the certificate's chain at the time that the log or a timestamp proves, its record in a certificate
    log, identity and issuer, the entry's inclusion in the transparency log with signed checkpoint, and the signature
    over `data`.

    Args:
        data: What should have been signed.
        bundle: The bundle (JSON).
        policy: Whose signature counts.
        name: What the data are called in messages.

    Raises:
        MissingExtraError: The package `sigstore` is not installed.
        IntegrityError: Anything else but a valid signature of these bytes by that identity.

    Source: sigstore-python's `Verifier.verify_artifact`.
    """
    try:
        from sigstore.models import Bundle
        from sigstore.verify import Verifier
        from sigstore.verify.policy import AllOf, Identity, OIDCIssuerV2
    except ImportError as error:
        raise MissingExtraError(f"To verify the signature of {name} needs the package sigstore.", MISSING) from error
    wanted = AllOf([Identity(identity=policy.identity), OIDCIssuerV2(policy.issuer)])
    try:
        schema.parse(bundle)
        verifier = Verifier(trusted_root=_trusted_root(policy))
        verifier.verify_artifact(data, Bundle.from_json(bundle), wanted)
    # Hostile bundles make the libraries below raise errors of many kinds, and none of them means "verified".
    except Exception as error:
        raise IntegrityError(
            f"{name} must be signed by {policy.identity} (issuer {policy.issuer}), but it is not: {_reason(error)}.",
            "Do not use it; get the model again from where it is published.",
        ) from error


def _trusted_root(policy: Policy) -> TrustedRoot:
    from importlib.resources import as_file, files

    from sigstore.models import TrustedRoot

    if policy.trusted_root is not None:
        return TrustedRoot.from_file(str(policy.trusted_root))
    package, *rest = _ROOT
    with as_file(files(package).joinpath(*rest)) as path:
        return TrustedRoot.from_file(str(path))


def _reason(error: Exception) -> str:
    text = " ".join(str(error).split()) or type(error).__name__
    text = text if text.isprintable() else ascii(text)
    return text[:200].rstrip(".")
