"""`tinyvmaf models verify`: every pinned byte compared, and signatures where asked for."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from tinyvmaf.cli.doors import say
from tinyvmaf.errors import IntegrityError, TinyVmafError, UsageError

if TYPE_CHECKING:
    from tinyvmaf.models.verify import Policy


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments.

    Args:
        parser: The command's parser.
    """
    parser.add_argument("models", nargs="*", metavar="MODEL", help="ids or files (default: every registered model)")
    parser.add_argument("--signature", action="store_true", help="the Sigstore signature must be good as well")
    parser.add_argument("--identity", metavar="ID", help="who must have signed, exactly (default: as registered)")
    parser.add_argument("--issuer", metavar="URL", help="who must vouch for that identity, exactly")
    parser.add_argument(
        "--trusted-root", type=Path, metavar="FILE", help="Sigstore trusted root in place of the public"
    )
    parser.add_argument("--cosign", action="store_true", help="have the program cosign verify")


def execute(arguments: argparse.Namespace) -> int:
    """Print one line per model.

    Args:
        arguments: What `configure` declared.

    Returns:
        0 if every model is good, 2 otherwise.
    """
    from tinyvmaf.models import registry, store
    from tinyvmaf.models.load import load

    stored, broken = store.survey()
    known = [entry.id for entry in (*registry.packaged(), *stored)] + [*registry.NETFLIX_SHA256, *broken]
    policy = _policy(arguments)
    bad = 0
    for name in arguments.models or known:
        if name in broken:
            say("tinyvmaf", f"{name}: {broken[name]}")
            bad = IntegrityError.exit_code
            continue
        try:
            file = load(name, verify=policy, with_cosign=arguments.cosign)
        except TinyVmafError as error:
            say("tinyvmaf", f"{name}: {error}")
            bad = IntegrityError.exit_code
        else:
            state = "signature good" if file.verified else "as pinned" if file.registered else "not registered"
            print(f"{file.id}: {state}, SHA-256 {file.sha256}")
    return bad


def _policy(arguments: argparse.Namespace) -> bool | Policy:
    if arguments.identity is None and arguments.issuer is None:
        if arguments.trusted_root is not None:
            raise UsageError("--trusted-root needs --identity and --issuer.", "Say who must have signed.")
        return bool(arguments.signature or arguments.cosign)
    if arguments.identity is None or arguments.issuer is None:
        raise UsageError("A signer is named by --identity and --issuer together.", "Give both.")
    from tinyvmaf.models.verify import Policy

    return Policy(arguments.identity, arguments.issuer, arguments.trusted_root)
