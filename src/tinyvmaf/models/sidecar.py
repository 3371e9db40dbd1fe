"""The JSON beside an ONNX file: three dialects read into one record, checked before anything is computed from it.

| dialect | names of tensors | features | standardisation by the caller |
|---|---|---|---|
| runtime | input_name, output_name | features | - |
| registry-like | the same, or input_names, output_names | features or feature_order | feature_mean, feature_std |
| trainer | input_names, output_names | - | normalization: mean, std |

`input_mean` and `input_std` describe a scaler inside the graph and are not applied. Keys that are not known here are
for people and are left alone.
"""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

from tinyvmaf.dnn.record import record
from tinyvmaf.errors import ContractError, ModelError
from tinyvmaf.models import schema

Numbers: TypeAlias = tuple[float, ...]


@record(frozen=True)
class Frame:
    """What a graph that reads pictures wants of them.

    Attributes:
        colour: "luma", one channel, or "rgb", three, red first.
        width: Columns that the graph takes, None for any.
        height: Rows that the graph takes, None for any.
        resize: How a picture of another size is brought to that size.
        value_range: What black and white, at full range, are to the graph: (0, 1) or (0, 255).
        multiple: What width and height must be multiples of.
        window: Consecutive pictures in one input.
        scaled_by: "largest" where values are divided by the largest of the picture, None where they are not.
    """

    colour: Literal["luma", "rgb"]
    width: int | None = None
    height: int | None = None
    resize: Literal["area", "bilinear"] = "area"
    value_range: tuple[float, float] = (0.0, 1.0)
    multiple: int = 1
    window: int = 1
    scaled_by: Literal["largest"] | None = None

    @property
    def channels(self) -> int:
        """1 for luma, 3 for RGB."""
        return 3 if self.colour == "rgb" else 1


@record(frozen=True)
class Sidecar:
    """What is said of a graph. What nobody said is empty, or None.

    Attributes:
        name: Name for people.
        kind: As in the registry; other words are passed on.
        input_names: The graph's inputs.
        output_names: The graph's outputs.
        features: What the columns of a feature vector are, each once.
        mean: Subtracted before the graph sees the values, one per feature or per channel (after `value_range`).
        std: What they are then divided by, all above 0; None exactly where `mean` is.
        output_range: Lowest and highest sensible output, finite.
        opset: Version of ONNX's operators.
        quant_mode: "fp32", "static", "dynamic" or "qat".
        frame: For graphs that read pictures.
        map_scaling: "stretched" where the map that comes out has yet to be stretched to 0..1, None where it has not.
    """

    name: str = ""
    kind: str = ""
    input_names: tuple[str, ...] = ()
    output_names: tuple[str, ...] = ()
    features: tuple[str, ...] = ()
    mean: Numbers | None = None
    std: Numbers | None = None
    output_range: tuple[float, float] | None = None
    opset: int | None = None
    quant_mode: str = "fp32"
    frame: Frame | None = None
    map_scaling: Literal["stretched"] | None = None


def parse_sidecar(data: bytes | None) -> Sidecar:
    """Read a sidecar.

    Args:
        data: The JSON, at most 1 MiB; None for a graph that has no sidecar.

    Returns:
        What it says.

    Raises:
        ModelError: It is not strict JSON.
        ContractError: It is not an object, a value has the wrong type, or values do not fit together.
    """
    if data is None:
        return Sidecar()
    try:
        content = schema.parse(data)
    except ValueError as error:
        raise ModelError(f"The model's sidecar is not JSON that can be used: {str(error)[:120]}.") from error
    broken = schema.problem(content, "sidecar")
    if broken:
        raise ContractError(f"The model's sidecar cannot be used: {broken}.")
    said = {key: value for key, value in content.items() if value is not None}
    frame = _frame(said.get("frame"))
    features = _either(said, "features", "feature_order", ())
    mean, std = _standardisation(said, frame.channels if frame else len(features))
    return Sidecar(
        name=said.get("name") or said.get("id") or "",
        kind=said.get("kind", ""),
        input_names=_names(said, "input_name", "input_names"),
        output_names=_names(said, "output_name", "output_names"),
        features=tuple(features),
        mean=mean,
        std=std,
        output_range=_range(said.get("expected_output_range")),
        opset=_opset(said),
        quant_mode=said.get("quant_mode", "fp32"),
        frame=frame,
        map_scaling=said.get("map_scaling"),
    )


def _either(said: dict[str, Any], one: str, other: str, absent: Any) -> Any:
    """The value of a key that has two spellings; both may be there if they agree."""
    if one in said and other in said and said[one] != said[other]:
        raise ContractError(f"The model's sidecar must say the same in {one} and {other}, but it does not.")
    return said.get(one, said.get(other, absent))


def _names(said: dict[str, Any], one: str, several: str) -> tuple[str, ...]:
    alone = {one: [said[one]]} if one in said else {}
    return tuple(_either({**said, **alone}, one, several, ()))


def _opset(said: dict[str, Any]) -> int | None:
    opset = _either(said, "onnx_opset", "opset", None)
    return None if opset is None else int(opset)


def _range(value: list[float] | None) -> tuple[float, float] | None:
    if value is None:
        return None
    if value[0] > value[1]:
        raise ContractError(f"expected_output_range gives the lowest score first, not {value}.")
    return float(value[0]), float(value[1])


def _frame(value: dict[str, Any] | None) -> Frame | None:
    if value is None:
        return None
    known = {key: item for key, item in value.items() if key not in ("mean", "std")}
    whole = {key: int(item) for key, item in known.items() if isinstance(item, int | float)}
    span = {"value_range": tuple(map(float, value["value_range"]))} if "value_range" in value else {}
    return Frame(**known | whole | span)


def _standardisation(said: dict[str, Any], count: int) -> tuple[Numbers | None, Numbers | None]:
    """Mean and deviation from the place that gives them; as many as features or channels, where these are known."""
    places = [{key: said.get(f"feature_{key}") for key in ("mean", "std")}]
    places += [said.get("normalization", {}), said.get("frame", {})]
    given = [{key: place.get(key) or [] for key in ("mean", "std")} for place in places]
    given = [place for place in given if place["mean"] or place["std"]]
    if not given:
        return None, None
    if any(place != given[0] for place in given):
        raise ContractError("A sidecar gives mean and std in one place, but this one gives several that differ.")
    mean, std = (tuple(map(float, given[0][key])) for key in ("mean", "std"))
    if len(mean) != len(std) or count not in (0, len(mean)):
        wanted = f", {count} numbers each," if count else ""
        raise ContractError(
            f"A sidecar gives mean and std together{wanted} or neither, but this one gives {len(mean)} and {len(std)}."
        )
    return mean, std
