"""The command line of libvmaf's `vmaf` tool, read into one value.

Source: libvmaf 3.2 and its documentation. What libvmaf ignores in silence is an error here, and numbers with a leading
zero are decimal.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NoReturn

from tinyvmaf.cli.flags import Flag, help_text, one_of, parse_flags, unsigned
from tinyvmaf.cli.libvmaf_grammar import (
    FeatureSpec,
    ModelSpec,
    parse_feature,
    parse_model,
    parse_saliency_weight,
)
from tinyvmaf.errors import UsageError
from tinyvmaf.score.logs.names import LOG_NAMES, log_name
from tinyvmaf.score.logs.precision import LEGACY, NumberFormat, parse_precision
from tinyvmaf.video.base import MAX_SIDE, check_side

MAX_MODELS = 32
MAX_FEATURES = 32
FORMATS = ("xml", "json", "csv", "sub")
CHROMA = ("420", "422", "444", "400")
RAW = ("width", "height", "pixel_format", "bitdepth")

_PRESETS: dict[str, tuple[str, ...]] = {
    **{f"aom_ctc {version}": ("ciede", "psnr_hvs") for version in ("v1.0", "v2.0")},
    **{f"aom_ctc v{major}.0": ("ciede", "psnr_hvs", "cambi") for major in range(3, 8)},
    "nflx_ctc v1.0": ("cambi", "the model vmaf_4k_v0.6.1neg"),
}
"""Each preset of libvmaf, and what of it is not here."""


@dataclass(frozen=True, slots=True)
class LibvmafArgs:
    """A parsed command line.

    Attributes:
        reference: Path of the reference.
        distorted: Path of the distorted video.
        width: Luma width of raw input, None where the files state their own format; likewise the next three.
        height: Luma height of raw input.
        pixel_format: "400", "420", "422" or "444".
        bitdepth: 8, 10, 12 or 16.
        models: What to score with; empty with no_prediction and no --model.
        features: What to measure beyond what the models need.
        saliency_weight: What weighs the features by saliency besides, None where nothing does.
        output: Path of the log, None for no log.
        format: "xml", "json", "csv" or "sub".
        precision: How the log prints numbers.
        threads: 0 where not given.
        subsample: Score frames whose number is a multiple of it; 0 and 1 mean every frame.
        frame_cnt: Most frames to compare, 0 for all.
        frame_skip_ref: Frames to skip at the start of the reference.
        frame_skip_dist: Frames to skip at the start of the distorted video.
        cpumask: As given, None where absent; it has no effect here, which the caller says.
        gpumask: Likewise.
        no_prediction: Measure features only.
        tiny_model: Ids or paths of tiny models.
        tiny_device: Where they run.
        tiny_threads: Their threads, 0 where not given.
        tiny_fp16: Whether float16 slots are converted.
        tiny_model_verify: Whether their signatures must be good.
        tiny_identity: Who must have signed, None for who the registry says.
        tiny_issuer: Who must vouch for that identity, given with it.
        tiny_trusted_root: Path of a trusted root, None for the public one.
        tiny_cosign: Whether the program cosign verifies.
        no_reference: Whether there is no reference.
        quiet: No progress.
        version: Print the version and stop; nothing else is checked then.
        help: Print the help and stop, likewise.
        extra: Values of the caller's own flags, by key.
    """

    reference: str = ""
    distorted: str = ""
    width: int | None = None
    height: int | None = None
    pixel_format: str | None = None
    bitdepth: int | None = None
    models: tuple[ModelSpec, ...] = ()
    features: tuple[FeatureSpec, ...] = ()
    saliency_weight: FeatureSpec | None = None
    output: str | None = None
    format: str = "xml"
    precision: NumberFormat = LEGACY
    threads: int = 0
    subsample: int = 0
    frame_cnt: int = 0
    frame_skip_ref: int = 0
    frame_skip_dist: int = 0
    cpumask: int | None = None
    gpumask: int | None = None
    no_prediction: bool = False
    tiny_model: tuple[str, ...] = ()
    tiny_device: str = "auto"
    tiny_threads: int = 0
    tiny_fp16: bool = False
    tiny_model_verify: bool = False
    tiny_identity: str | None = None
    tiny_issuer: str | None = None
    tiny_trusted_root: str | None = None
    tiny_cosign: bool = False
    no_reference: bool = False
    quiet: bool = False
    version: bool = False
    help: bool = False
    extra: Mapping[str, Any] = field(default_factory=dict)


def _side(name: str) -> Callable[[str], int]:
    return lambda text: check_side(name, unsigned(text))


def _bits(text: str) -> int:
    value = unsigned(text)
    if value not in (8, 10, 12, 16):
        raise ValueError(text)
    return value


def _preset(name: str) -> Callable[[str], NoReturn]:
    def refuse(text: str) -> NoReturn:
        """Name what of the preset is missing."""
        missing = _PRESETS.get(f"{name} {text}")
        if missing is None:
            known = ", ".join(preset.split()[1] for preset in _PRESETS if preset.startswith(name))
            raise UsageError(f"--{name} has no version {text!r}.", f"libvmaf knows {known}.")
        raise UsageError(
            f"--{name} {text} needs {', '.join(missing)}, which tinyvmaf does not have.",
            "Name the models and features you want with --model and --feature.",
        )

    return refuse


def _number(name: str, help_line: str, short: str = "", default: int | None = 0) -> Flag:
    return Flag(name, "N", help_line, short, unsigned, default, rule="a whole number")


def _switch(name: str, help_line: str, short: str = "") -> Flag:
    return Flag(name, None, help_line, short, default=False)


def _format(name: str) -> Flag:
    return Flag(name, None, f"write the log as {name.upper()}", default=FORMATS[0], constant=name, into="format")


_SIDE_RULE = f"a size from 1 to {MAX_SIDE}"
FLAGS: tuple[Flag, ...] = (
    Flag("reference", "FILE", "reference video", "r"),
    Flag("distorted", "FILE", "distorted video", "d"),
    Flag("width", "N", "width of raw video", "w", _side("width"), rule=_SIDE_RULE),
    Flag("height", "N", "height of raw video", "h", _side("height"), rule=_SIDE_RULE),
    Flag("pixel_format", "|".join(CHROMA), "chroma format of raw video", "p", one_of(CHROMA)),
    Flag("bitdepth", "8|10|12|16", "bits per sample of raw video", "b", _bits),
    Flag("model", "KEY=VALUE:...", "version=NAME or path=FILE, name=NAME", "m", parse_model, repeat=True),
    Flag("feature", "NAME[=KEY=VALUE:...]", "measure this too", parse=parse_feature, repeat=True),
    Flag(
        "saliency-weight",
        "STRENGTH[:FLOOR]",
        "score besides with samples weighted by saliency: 1 or 1:0.25 is usual, 0 weighs all alike",
        parse=parse_saliency_weight,
    ),
    Flag("output", "FILE", "write a log; - for standard output", "o"),
    *(_format(name) for name in FORMATS),
    Flag("precision", "1..17|max|full|legacy", "digits in the log", parse=parse_precision, default=LEGACY),
    _number("threads", "worker threads"),
    _number("subsample", "score every so many frames"),
    _number("frame_cnt", "compare at most so many frames"),
    _number("frame_skip_ref", "skip the first frames of the reference"),
    _number("frame_skip_dist", "skip the first frames of the distorted video"),
    _switch("no_prediction", "measure features only", "n"),
    Flag("tiny-model", "FILE|ID", "score with a tiny ONNX model besides", parse=str, repeat=True),
    Flag(
        "tiny-device",
        "DEVICE[,DEVICE...]",
        "where it runs: auto, cpu, cuda, openvino, rocm, coreml",
        default="auto",
        aliases=("dnn-ep",),
    ),
    Flag("tiny-threads", "N", "threads of the tiny model (0: as suits it)", "", unsigned, 0, rule="a whole number"),
    _switch("tiny-fp16", "convert what goes into and comes out of float16 models"),
    _switch("tiny-model-verify", "refuse a tiny model whose Sigstore signature is not good"),
    Flag("tiny-identity", "ID", "who must have signed it, exactly (default: as registered)"),
    Flag("tiny-issuer", "URL", "who must vouch for that identity, exactly"),
    Flag("tiny-trusted-root", "FILE", "a Sigstore trusted root of your own"),
    _switch("tiny-cosign", "have the program cosign verify"),
    _switch("no-reference", "score the distorted video alone, with a tiny model that needs no reference"),
    _number("cpumask", "accepted, without effect", "c", None),
    _number("gpumask", "accepted, without effect", default=None),
    Flag("aom_ctc", "VERSION", "refused: names the features that are missing", parse=_preset("aom_ctc")),
    Flag("nflx_ctc", "VERSION", "refused: names the features that are missing", parse=_preset("nflx_ctc")),
    _switch("quiet", "no progress", "q"),
    _switch("version", "print the version", "v"),
    _switch("help", "print this help (-h is the height)"),
)
"""libvmaf's options."""


def parse_args(arguments: Sequence[str], extra: Sequence[Flag] = ()) -> LibvmafArgs:
    """Read a command line.

    Args:
        arguments: Without the program's name.
        extra: Further options; their values end in `LibvmafArgs.extra`.

    Returns:
        What it says. Where it asks for version or help, nothing behind that is looked at.

    Raises:
        UsageError: It breaks a rule; UnknownNameError where a name does not exist here.
    """
    values = parse_flags(arguments, (*FLAGS, *extra), stop_at=("version", "help"))
    own = {flag.key: values.pop(flag.key) for flag in extra}
    if values["version"] or values["help"]:
        return LibvmafArgs(version=values["version"], help=values["help"], extra=own)
    for preset in ("aom_ctc", "nflx_ctc"):
        values.pop(preset)
    models, features = values.pop("model"), values.pop("feature")
    if not models and not values["no_prediction"] and not values["no_reference"]:
        models = (ModelSpec(),)
    _check_inputs(values)
    _check_tiny(values, models)
    _check_models(models)
    if len(features) > MAX_FEATURES:
        raise UsageError(f"At most {MAX_FEATURES} --feature options are allowed, not {len(features)}.")
    return LibvmafArgs(models=models, features=features, extra=own, **values)


def usage(extra: Sequence[Flag] = ()) -> str:
    """The help.

    Args:
        extra: Further options, listed last.

    Returns:
        Lines that end in a line feed.
    """
    head = "Usage: vmaf -r REFERENCE -d DISTORTED [options]\n\n"
    return head + help_text((*FLAGS, *extra))


def _check_tiny(values: Mapping[str, Any], models: Sequence[ModelSpec]) -> None:
    if values["no_reference"] and (models or not values["tiny_model"]):
        raise UsageError(
            "--no-reference scores with tiny models that need no reference, and with nothing else.",
            "Give one with --tiny-model, and no --model.",
        )
    given = [flag for flag in FLAGS if flag.name.startswith("tiny-") and values[flag.key] not in (flag.default, ())]
    if given and not values["tiny_model"]:
        idle = ", ".join(flag.spelling for flag in given)
        raise UsageError(f"Without --tiny-model there is nothing for {idle}.", "Name a model with --tiny-model.")
    if (values["tiny_identity"] is None) != (values["tiny_issuer"] is None):
        raise UsageError("A signer is named by --tiny-identity and --tiny-issuer together.", "Give both.")
    for key in ("tiny_identity", "tiny_trusted_root", "tiny_cosign"):
        if values[key] and not values["tiny_model_verify"]:
            raise UsageError(f"--{key.replace('_', '-')} needs --tiny-model-verify.", "Add it.")
    if values["tiny_trusted_root"] and values["tiny_identity"] is None:
        raise UsageError("--tiny-trusted-root needs --tiny-identity and --tiny-issuer.", "Say who must have signed.")


def _check_inputs(values: Mapping[str, Any]) -> None:
    if values["no_reference"] and values["reference"]:
        raise UsageError("With --no-reference there is no reference, but -r/--reference is given.", "Leave one out.")
    for key, short in (("reference", "r"), ("distorted", "d")):
        if not values[key] and not (key == "reference" and values["no_reference"]):
            raise UsageError(f"A {key} video is required.", f"Give it with -{short}/--{key}.")
    absent = [key for key in RAW if values[key] is None]
    if 0 < len(absent) < len(RAW):
        raise UsageError(
            f"Raw video needs width, height, pixel format and bit depth, but {', '.join(absent)} is not given.",
            "Give all of -w -h -p -b, or none of them.",
        )


def _check_models(models: Sequence[ModelSpec]) -> None:
    if len(models) > MAX_MODELS:
        raise UsageError(f"At most {MAX_MODELS} --model options are allowed, not {len(models)}.")
    names = [model.name for model in models]
    for name in names:
        if names.count(name) > 1:
            raise UsageError(f"Each model needs a name of its own, but two are named {name!r}.", "Add name=... to one.")
        if log_name(name) in LOG_NAMES.values() or name in LOG_NAMES.values():
            raise UsageError(f"A model cannot have the name {name!r}, which a feature has.", "Choose another name=.")
