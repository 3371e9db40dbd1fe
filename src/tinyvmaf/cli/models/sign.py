"""`tinyvmaf models sign`: a Sigstore bundle beside a model, as releases carry it."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

TOKEN = "SIGSTORE_ID_TOKEN"


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments.

    Args:
        parser: The command's parser.
    """
    parser.add_argument("file", type=Path, help="the model, or its sidecar")
    parser.add_argument("--trust-config", type=Path, metavar="FILE", help="services in place of the public Sigstore")
    parser.add_argument("--output", type=Path, metavar="FILE", help="default: FILE.sigstore.json beside the model")
    parser.epilog = f"The identity comes from {TOKEN}, or from the CI that this runs in."


def execute(arguments: argparse.Namespace) -> int:
    """Sign the file.

    Args:
        arguments: What `configure` declared.

    Returns:
        The exit code.
    """
    from tinyvmaf._files import check_writable, write_bytes
    from tinyvmaf.models import load, paths
    from tinyvmaf.models.sign import sign

    target = arguments.output or Path(f"{arguments.file}{load.BUNDLE}")
    check_writable(str(target), [str(arguments.file)])
    data = paths.read(arguments.file, load.MAX_BYTES)
    bundle = sign(data, identity_token=os.environ.get(TOKEN), trust_config=arguments.trust_config)
    write_bytes(target, bundle)
    print(f"{arguments.file}: signed, {target}")
    return 0
