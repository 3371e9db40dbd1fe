"""Netflix's JSON model files, single or bootstrap, read into models.

Source: the reader of libvmaf 3.2: the same keys and the same meaning, and a named error where libvmaf guesses.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

import numpy as np
import numpy.typing as npt

from tinyvmaf.errors import ContractError, ModelError
from tinyvmaf.score.model import ModelInput, OptionValue, Overload, overloaded
from tinyvmaf.score.svm import BootstrapModel, SvmModel, Transform

MAX_BYTES = 50 * 1024 * 1024
MAX_INPUTS = 64
MAX_MEMBERS = 9999
MAX_SUPPORT_VECTORS = 20_000
MODEL_TYPES = ("LIBSVMNUSVR", "BOOTSTRAP_LIBSVMNUSVR", "RESIDUEBOOTSTRAP_LIBSVMNUSVR")

INPUTS: dict[str, tuple[str, str]] = {
    "VMAF_integer_feature_adm2_score": ("adm", "adm2"),
    **{f"integer_adm_scale{i}": ("adm", f"adm_scale{i}") for i in range(4)},
    "VMAF_integer_feature_motion_score": ("motion", "motion"),
    "VMAF_integer_feature_motion2_score": ("motion", "motion2"),
    **{f"VMAF_integer_feature_vif_scale{i}_score": ("vif", f"vif_scale{i}") for i in range(4)},
    **{f"psnr_{plane}": ("psnr", f"psnr_{plane}") for plane in ("y", "cb", "cr")},
    "float_ssim": ("ssim", "ssim"),
    "float_ms_ssim": ("ms_ssim", "ms_ssim"),
}
"""Feature name in a model file to our feature and key."""


@dataclass(frozen=True, slots=True)
class _Settings:
    clip: bool
    transform: bool
    overloads: tuple[Overload, ...]


def load_svm(
    data: bytes, *, disable_clip: bool = False, enable_transform: bool = False, overloads: Sequence[Overload] = ()
) -> SvmModel | BootstrapModel:
    """Read a model file.

    Args:
        data: The file, at most 50 MiB of JSON: one model, or a collection with the keys "0", "1", ...
        disable_clip: Leave scores outside the model's range as they are.
        enable_transform: Apply the score transform even where the file does not switch it on.
        overloads: Feature options in place of the file's.

    Returns:
        The model.

    Raises:
        ModelError: Not such a file.
        ContractError: It needs a feature that tinyvmaf lacks, or its numbers do not fit together.
        UnknownNameError: An overload names a feature that the model does not read.
    """
    settings = _Settings(not disable_clip, enable_transform, tuple(overloads))
    content = _parse(data)
    if "model_dict" in content:
        return _model(content, settings)
    members: list[SvmModel] = []
    while (entry := content.get(str(len(members)))) is not None:
        members.append(_model(_mapping(entry, f"member {len(members)}"), settings))
        if len(members) > MAX_MEMBERS:
            _refuse(f"a collection has at most {MAX_MEMBERS} members")
    if len(members) < 2:
        _refuse("it has neither 'model_dict' nor the members '0' and '1' of a collection")
    if any(member.inputs != members[0].inputs for member in members):
        _refuse("the members of a collection must read the same features")
    return BootstrapModel(members[0], tuple(members[1:]))


def _parse(data: bytes) -> Mapping[str, Any]:
    if len(data) > MAX_BYTES:
        raise ModelError(f"A model file has at most {MAX_BYTES >> 20} MiB, but this one has {len(data)} bytes.")
    try:
        content = json.loads(data, parse_constant=_not_finite)
    except (ValueError, RecursionError) as error:
        detail = str(error).splitlines()[0][:120]
        raise ModelError(f"The model file is not JSON: {detail}.", _WANTED) from error
    return _mapping(content, "the file")


_WANTED = "Give a libvmaf model in JSON; where this is the sidecar of a tiny model, the .onnx beside it."


def _not_finite(text: str) -> NoReturn:
    raise ValueError(f"{text} is not a number")


def _refuse(reason: str) -> NoReturn:
    raise ContractError(f"The model file cannot be used: {reason}.", _WANTED)


def _model(content: Mapping[str, Any], settings: _Settings) -> SvmModel:
    fields = _mapping(content.get("model_dict"), "'model_dict'")
    if fields.get("model_type") not in MODEL_TYPES:
        _refuse(f"'model_type' must be one of {', '.join(MODEL_TYPES)}, not {_short(fields.get('model_type'))}")
    inputs = _inputs(fields)
    slopes, intercepts = _rescaling(fields, len(inputs))
    support, coefficients, rho, gamma = _support_vectors(fields.get("model"), len(inputs))
    return SvmModel(
        inputs=overloaded(inputs, settings.overloads),
        slopes=slopes,
        intercepts=intercepts,
        support=support,
        coefficients=coefficients,
        rho=rho,
        gamma=gamma,
        transform=_transform(fields.get("score_transform"), settings.transform),
        clip=_clip(fields.get("score_clip")) if settings.clip else None,
    )


def _inputs(fields: Mapping[str, Any]) -> tuple[ModelInput, ...]:
    names = fields.get("feature_names")
    if not isinstance(names, list) or not names or not all(isinstance(name, str) for name in names):
        _refuse("'feature_names' must be a list of names")
    if len(names) > MAX_INPUTS:
        _refuse(f"a model reads at most {MAX_INPUTS} features, not {len(names)}")
    missing = [name for name in names if name not in INPUTS]
    if missing:
        raise ContractError(
            f"The model needs features that tinyvmaf does not have: {', '.join(_short(n) for n in missing[:8])}.",
            "Use vmaf_v0.6.1, vmaf_v0.6.1neg or vmaf_4k_v0.6.1.",
        )
    if fields.get("chroma_correction_parameter"):
        _refuse("'chroma_correction_parameter' needs the features adm3 and speed_chroma")
    options = fields.get("feature_opts_dicts") or [{}] * len(names)
    if not isinstance(options, list) or len(options) != len(names):
        _refuse("'feature_opts_dicts' must have one entry per feature")
    return tuple(ModelInput(*INPUTS[name], _options(entry)) for name, entry in zip(names, options, strict=True))


def _options(entry: Any) -> tuple[tuple[str, OptionValue], ...]:
    values = _mapping(entry, "an entry of 'feature_opts_dicts'")
    for name, value in values.items():
        if not isinstance(value, bool | int | float | str):
            _refuse(f"option {_short(name)} of a feature must be a number, a text or true or false")
    return tuple(sorted(values.items()))


def _rescaling(fields: Mapping[str, Any], count: int) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    kind = fields.get("norm_type")
    if kind == "none":
        return np.ones(count + 1), np.zeros(count + 1)
    if kind != "linear_rescale":
        _refuse(f"'norm_type' must be linear_rescale or none, not {_short(kind)}")
    slopes = _numbers(fields.get("slopes"), count + 1, "'slopes'")
    if slopes[0] == 0:
        _refuse("the first of 'slopes' must not be zero")
    return slopes, _numbers(fields.get("intercepts"), count + 1, "'intercepts'")


def _clip(value: Any) -> tuple[float, float] | None:
    if value is None:
        return None
    low, high = _numbers(value, 2, "'score_clip'").tolist()
    if low > high:
        _refuse("'score_clip' must give the lowest score first")
    return low, high


def _transform(value: Any, wanted: bool) -> Transform | None:
    if value is None:
        return None
    fields = _mapping(value, "'score_transform'")
    enabled = fields.get("enabled", False)
    if not isinstance(enabled, bool):
        _refuse("'enabled' of 'score_transform' must be true or false")
    given = [fields.get(f"p{i}") for i in range(3)]
    p0, p1, p2 = (0.0 if p is None else _number(p, "a coefficient of 'score_transform'") for p in given)
    transform = Transform(
        polynomial=None if given == [None] * 3 else (p0, p1, p2),
        knots=_knots(fields.get("knots")),
        at_most_input=fields.get("out_lte_in") == "true",
        at_least_input=fields.get("out_gte_in") == "true",
    )
    return transform if enabled or wanted else None


def _knots(value: Any) -> tuple[tuple[float, float], ...]:
    if value is None:
        return ()
    if not isinstance(value, list) or len(value) < 2:
        _refuse("'knots' must be a list of at least two points")
    points = np.array([_numbers(point, 2, "a point of 'knots'") for point in value])
    steps = np.diff(points, axis=0)
    if not ((steps[:, 0] > 0).all() and (steps[:, 1] >= 0).all()):
        _refuse("the points of 'knots' must rise in x and never fall in y")
    return tuple((float(x), float(y)) for x, y in points)


def _support_vectors(text: Any, count: int) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64], float, float]:
    if not isinstance(text, str):
        _refuse("'model' must be the text of a libsvm model")
    head, found, body = text.partition("\nSV\n")
    fields = dict(line.strip().partition(" ")[::2] for line in head.splitlines())
    if not found or fields.get("svm_type") != "nu_svr" or fields.get("kernel_type") != "rbf":
        _refuse("'model' must be a libsvm nu_svr with an rbf kernel")
    rows = [line.split() for line in body.splitlines() if line.strip()]
    if fields.get("total_sv") != str(len(rows)) or not 0 < len(rows) <= MAX_SUPPORT_VECTORS:
        _refuse(f"'total_sv' says {_short(fields.get('total_sv'))}, but there are {len(rows)} support vectors")
    gamma, rho = _decimal(fields.get("gamma")), _decimal(fields.get("rho"))
    if gamma <= 0:
        _refuse("'gamma' must be positive")
    support = np.zeros((len(rows), count))
    for vector, row in zip(support, rows, strict=True):
        _fill(vector, row[1:])
    return support, np.array([_decimal(row[0]) for row in rows]), rho, gamma


def _fill(vector: npt.NDArray[np.float64], cells: Sequence[str]) -> None:
    """Write the "index:value" cells of one support vector, counted from 1; what is not written is zero."""
    previous = 0
    for cell in cells:
        index, found, value = cell.partition(":")
        if not found or not index.isdecimal() or len(index) > 3 or not previous < int(index) <= len(vector):
            _refuse(f"a support vector has the cell {_short(cell)}")
        previous = int(index)
        vector[previous - 1] = _decimal(value)


def _decimal(text: str | None) -> float:
    try:
        return _number(float(text or ""), "a number of 'model'")
    except ValueError:
        _refuse(f"'model' holds {_short(text)} where a number belongs")


def _number(value: Any, what: str) -> float:
    try:
        number = float(value) if isinstance(value, int | float) and not isinstance(value, bool) else math.nan
    except OverflowError:
        number = math.nan
    if not math.isfinite(number):
        _refuse(f"{what} must be a finite number, not {_short(value)}")
    return number


def _numbers(value: Any, count: int, what: str) -> npt.NDArray[np.float64]:
    if not isinstance(value, list) or len(value) != count:
        _refuse(f"{what} must be a list of {count} numbers")
    return np.array([_number(item, what) for item in value])


def _mapping(value: Any, what: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        _refuse(f"{what} must be a JSON object")
    return value


def _short(value: Any) -> str:
    """A value from the file in at most 40 characters of one line, for a message."""
    text = repr(value)
    return text if len(text) <= 40 else text[:37] + "..."
