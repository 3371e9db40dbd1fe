"""`tinyvmaf models import`: a model of the user's under a name, its bytes pinned from then on."""

from __future__ import annotations

import argparse


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments.

    Args:
        parser: The command's parser.
    """
    parser.add_argument("file", help="an ONNX file, with its sidecar beside it, or libvmaf's JSON")
    parser.add_argument("id", help="the name that it gets: lower-case letters, digits, - and _")
    kinds = ("fr", "nr", "filter", "saliency", "shots")
    parser.add_argument("--kind", default="", choices=kinds, help="what it is for (default: what the sidecar says)")
    parser.add_argument("--target", default="unknown", choices=("human", "teacher", "none", "unknown"))
    parser.add_argument("--licence", default="", metavar="SPDX", help="its licence")
    parser.add_argument("--overwrite", action="store_true", help="replace a stored model of that name")


def execute(arguments: argparse.Namespace) -> int:
    """Copy the model into the store.

    Args:
        arguments: What `configure` declared.

    Returns:
        The exit code.
    """
    from tinyvmaf.models.store import import_model

    entry = import_model(
        arguments.file, arguments.id, kind=arguments.kind, target=arguments.target, licence=arguments.licence,
        overwrite=arguments.overwrite,
    )  # fmt: skip
    print(f"{entry.id}: {entry.folder / entry.file}, SHA-256 {entry.sha256}")
    return 0
