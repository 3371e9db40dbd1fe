"""The values of libvmaf's --model and --feature, and the names they may hold."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches

from tinyvmaf.errors import UnknownNameError, UsageError
from tinyvmaf.models.registry import DEFAULT_VERSION, names_a_file
from tinyvmaf.score.model import Overload

MAX_LENGTH = 1024
MAX_OVERLOADS = 32
DEFAULT_NAME = "vmaf"

FEATURES: dict[str, str] = {
    "adm": "adm",
    "vif": "vif",
    "motion": "motion",
    "psnr": "psnr",
    "float_ssim": "ssim",
    "float_ms_ssim": "ms_ssim",
    "ssim": "ssim",
    "ms_ssim": "ms_ssim",
    "lpips": "lpips_sq",
    "lpips_sq": "lpips_sq",
    "lpips_alex": "lpips_alex",
    "dists": "dists",
    "dists_sq": "dists_sq",
    "transnet_v2": "transnet_v2",
    "fastdvdnet_pre": "fastdvdnet_pre",
    "saliency": "saliency",
    "mobilesal": "saliency",
}
"""Feature name on the command line, libvmaf's where it has one, to our feature."""

MISSING_FEATURES = frozenset(
    """
    ciede cambi psnr_hvs float_adm float_vif float_motion float_psnr float_ansnr float_moment speed_chroma
    speed_temporal
    """.split()  # noqa: SIM905
)
"""What libvmaf computes and tinyvmaf does not."""


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """One --model.

    Attributes:
        version: Name of a built-in model, None where a path is given.
        path: A model file, None where a version is given.
        name: Name of the score in the log.
        disable_clip: Leave scores outside the model's range as they are.
        enable_transform: Apply the model's score transform.
        overloads: Feature options in place of the model's.
    """

    version: str | None = DEFAULT_VERSION
    path: str | None = None
    name: str = DEFAULT_NAME
    disable_clip: bool = False
    enable_transform: bool = False
    overloads: tuple[Overload, ...] = ()


@dataclass(frozen=True, slots=True)
class FeatureSpec:
    """One --feature.

    Attributes:
        name: Catalogue name of our feature.
        options: (option, value as typed), in the order given.
        typed: The name as the user typed it.
    """

    name: str
    options: tuple[tuple[str, str], ...] = ()
    typed: str = ""


def parse_model(text: str) -> ModelSpec:
    """Read a --model.

    Args:
        text: Colon-separated: version=NAME or path=FILE, name=NAME, disable_clip, enable_transform (bare or =true,
            =false), FEATURE.OPTION=VALUE.

    Returns:
        What it says.

    Raises:
        UsageError: It does not follow the grammar.
        UnknownNameError: An overload names a feature that does not exist here.
    """
    words: dict[str, str] = {}
    overloads: list[Overload] = []
    for key, value in _pairs(text, "--model", bare=("disable_clip", "enable_transform")):
        if "." in key:
            feature, _, option = key.partition(".")
            overloads.append(Overload(feature_name(feature), option, value))
        elif key in ("version", "path", "name", "disable_clip", "enable_transform"):
            words[key] = value
        else:
            raise UsageError(f"--model has no key {key!r}.", _nearest(key, ("version", "path", "name", "disable_clip")))
    if ("version" in words) == ("path" in words):
        raise UsageError(f"--model takes one of version= and path=, not {text!r}.")
    if names_a_file(words.get("version", "")):
        raise UsageError(f"version= of --model takes a name, not {words['version']!r}.", "Use path= for a file.")
    if len(overloads) > MAX_OVERLOADS:
        raise UsageError(f"--model takes at most {MAX_OVERLOADS} feature options, not {len(overloads)}.")
    return ModelSpec(
        version=words.get("version"),
        path=words.get("path"),
        name=_name(words.get("name", DEFAULT_NAME)),
        disable_clip=_switch(words, "disable_clip"),
        enable_transform=_switch(words, "enable_transform"),
        overloads=tuple(overloads),
    )


def parse_feature(text: str) -> FeatureSpec:
    """Read a --feature.

    Args:
        text: NAME, or NAME=OPTION=VALUE:OPTION=VALUE and so on.

    Returns:
        What it says; the options are checked by the feature itself.

    Raises:
        UsageError: It does not follow the grammar.
        UnknownNameError: No such feature here.
    """
    name, equals, rest = text.partition("=")
    options = tuple(_pairs(rest, f"--feature {name}")) if equals else ()
    return FeatureSpec(feature_name(name), options, name)


def parse_saliency_weight(text: str) -> FeatureSpec:
    """Read a --saliency-weight.

    Args:
        text: STRENGTH or STRENGTH:FLOOR.

    Returns:
        The feature that weighs the others; the numbers are checked by itself.
    """
    strength, _, floor = text.partition(":")
    options = [("weight", "true"), ("strength", strength), *([("floor", floor)] if floor else [])]
    return FeatureSpec("saliency", tuple(options), "--saliency-weight")


def feature_name(typed: str) -> str:
    """Our name of a feature that libvmaf's users type.

    Args:
        typed: Such as "float_ssim".

    Returns:
        Such as "ssim".

    Raises:
        UnknownNameError: No such feature here.
    """
    if typed in FEATURES:
        return FEATURES[typed]
    if typed in MISSING_FEATURES:
        known = ", ".join(FEATURES)
        raise UnknownNameError(f"libvmaf's feature {typed} is not part of tinyvmaf.", f"There are: {known}.")
    raise UnknownNameError(f"There is no feature {typed!r}.", _nearest(typed, tuple(FEATURES)))


def _pairs(text: str, what: str, bare: tuple[str, ...] = ()) -> list[tuple[str, str]]:
    if len(text.encode("utf-8", "surrogateescape")) > MAX_LENGTH:
        raise UsageError(f"The value of {what} has at most {MAX_LENGTH} bytes, not {len(text)}.")
    pairs = []
    for word in text.split(":"):
        key, equals, value = word.partition("=")
        if not key or not (value or (not equals and key in bare)):
            raise UsageError(f"{what} is a list of key=value separated by colons, but holds {word!r}.")
        pairs.append((key, value or "true"))
    return pairs


def _switch(words: dict[str, str], key: str) -> bool:
    value = words.get(key, "false")
    if value not in ("true", "false"):
        raise UsageError(f"{key} of --model is true or false, not {value!r}.")
    return value == "true"


def _name(name: str) -> str:
    if not name.isprintable() or len(name) > 128:
        raise UsageError(f"The name of a model has at most 128 printable characters, not {name[:40]!r}.")
    return name


def _nearest(word: str, known: tuple[str, ...]) -> str:
    close = get_close_matches(word, known, n=1)
    return f"Did you mean {close[0]}?" if close else f"There are: {', '.join(known)}."
