"""What `vmaf` does: libvmaf's command line on our engine."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from tinyvmaf._version import __version__
from tinyvmaf.cli.doors import say
from tinyvmaf.cli.flags import Flag, one_of
from tinyvmaf.cli.libvmaf_args import LibvmafArgs, parse_args, usage
from tinyvmaf.cli.libvmaf_grammar import ModelSpec
from tinyvmaf.errors import UsageError
from tinyvmaf.score.logs.names import log_name
from tinyvmaf.video.policy import PAIRING_FLAGS, PairingFlag, PairingPolicy

if TYPE_CHECKING:
    from tinyvmaf.models.verify import Policy
    from tinyvmaf.score.compare import NamedModel
    from tinyvmaf.score.result import Result

PROGRAM = "vmaf"


def command(argv: Sequence[str]) -> int:
    """Score two videos as libvmaf's tool does.

    Args:
        argv: The arguments.

    Returns:
        0 done.

    Raises:
        TinyVmafError: What the exit code tells of.
    """
    extra = [_flag(flag) for flag in PAIRING_FLAGS]
    arguments = parse_args(argv, extra)
    if arguments.help:
        print(usage(extra))
        return 0
    if arguments.version:
        say(PROGRAM, f"tinyvmaf {__version__}")
        return 0
    _score(arguments)
    return 0


def _flag(flag: PairingFlag) -> Flag:
    default = getattr(PairingPolicy(), flag.field)
    if not flag.choices:
        return Flag(flag.flag[2:], None, flag.help, default=default, constant=flag.value, into=flag.field)
    listed = "|".join(flag.choices)
    return Flag(
        flag.flag[2:], listed, flag.help, parse=one_of(flag.choices), default=default, into=flag.field,
        rule=f"one of {listed}",
    )  # fmt: skip


def _score(arguments: LibvmafArgs) -> None:
    from tinyvmaf._files import check_writable
    from tinyvmaf.cli.scoring import check_scores, score_files
    from tinyvmaf.score.logs import write_log, write_stream
    from tinyvmaf.score.pipeline import make_feature
    from tinyvmaf.video.raw import RawFormat

    if arguments.output not in (None, "-"):
        check_writable(arguments.output, _inputs(arguments))
    _say_idle(arguments)
    models = [_load(spec) for spec in arguments.models] + _load_tiny(arguments)
    specs = [*arguments.features, *([arguments.saliency_weight] if arguments.saliency_weight else [])]
    features = [make_feature(f.name, dict(f.options)) for f in specs]
    raw = None
    if arguments.width is not None:
        size = (arguments.width, arguments.height, arguments.pixel_format, arguments.bitdepth)
        raw = RawFormat(*size)  # type: ignore[arg-type]  # the parser saw to it that all four are given
    reference = None if arguments.no_reference else arguments.reference
    result = score_files(
        PROGRAM, reference, arguments.distorted, models=models, features=features, policy=_policy(arguments), raw=raw,
        threads=arguments.threads or None, subsample=arguments.subsample or 1, quiet=arguments.quiet,
    )  # fmt: skip
    if not arguments.quiet:
        _say_devices(models)
    if arguments.output == "-":
        write_stream(result, sys.stdout, arguments.format, arguments.precision)
    elif arguments.output is not None:
        write_log(result, arguments.output, arguments.format, arguments.precision)
    if arguments.output is None or (sys.stderr.isatty() and not arguments.quiet):
        _print_means(result, sys.stdout if arguments.output is None else sys.stderr)
    check_scores(result)


def _say_devices(models: Sequence[NamedModel]) -> None:
    """Say where tiny models ran; the notes of the run do where devices were passed over."""
    for named in models:
        if named.session is not None and not named.session.fallbacks:
            say(PROGRAM, f"note: {named.name} ran on {named.session.attached_device}.")


def _policy(arguments: LibvmafArgs) -> PairingPolicy:
    cut = PairingPolicy(frame_skip_distorted=arguments.frame_skip_dist, frame_limit=arguments.frame_cnt or None)
    fields = {flag.field: arguments.extra[flag.field] for flag in PAIRING_FLAGS}
    policy = replace(cut, **fields, frame_skip_reference=arguments.frame_skip_ref)
    if arguments.no_reference and policy != cut:
        raise UsageError("With --no-reference nothing is paired, but an option of pairing is given.", "Leave it out.")
    return policy


def _print_means(result: Result, stream: TextIO) -> None:
    """One line per model as libvmaf prints it; without a model, one per feature."""
    means = [(score.model, score.name) for score in result.scores] or [(log_name(key), key) for key in result.columns]
    for shown, key in means:
        print(f"{shown}: {result.score(key):.6f}", file=stream)


def _inputs(arguments: LibvmafArgs) -> list[str]:
    """Every file that is read."""
    videos = [name for name in (arguments.reference, arguments.distorted) if name]
    return [*videos, *(spec.path for spec in arguments.models if spec.path), *arguments.tiny_model]


def _load(spec: ModelSpec) -> NamedModel:
    from tinyvmaf.score.compare import load_model

    return load_model(
        spec.version or Path(spec.path or ""),
        spec.name,
        disable_clip=spec.disable_clip,
        enable_transform=spec.enable_transform,
        overloads=spec.overloads,
    )


def _load_tiny(arguments: LibvmafArgs) -> list[NamedModel]:
    """The tiny models, under the names of their sidecars, and `vmaf_tiny_model` where these have none."""
    if not arguments.tiny_model:
        return []
    from tinyvmaf.models.runtime import DnnConfig
    from tinyvmaf.score.compare import load_model

    config = DnnConfig(
        device=arguments.tiny_device, threads=arguments.tiny_threads, fp16_io=arguments.tiny_fp16,
        verify=_verification(arguments), with_cosign=arguments.tiny_cosign,
    )  # fmt: skip
    return [
        load_model(model, config=config, fallback_name=f"vmaf_tiny_model_{number}" if number > 1 else "vmaf_tiny_model")
        for number, model in enumerate(arguments.tiny_model, 1)
    ]


def _verification(arguments: LibvmafArgs) -> bool | Policy:
    if arguments.tiny_identity is None or arguments.tiny_issuer is None:
        return arguments.tiny_model_verify
    from tinyvmaf.models.verify import Policy

    root = arguments.tiny_trusted_root
    return Policy(arguments.tiny_identity, arguments.tiny_issuer, None if root is None else Path(root))


def _say_idle(arguments: LibvmafArgs) -> None:
    """Say which accepted options mean nothing here."""
    if arguments.quiet:
        return
    for name in ("cpumask", "gpumask"):
        if getattr(arguments, name) is not None:
            say(
                PROGRAM,
                f"note: --{name} is accepted and has no effect: tinyvmaf compiles for the processor it runs on.",
            )
