"""Sidecars: three dialects, one record; numbers that fit together, or a refusal."""

import json
from pathlib import Path

import jsonschema
import pytest

from tinyvmaf.errors import ContractError, ModelError
from tinyvmaf.models import registry, schema
from tinyvmaf.models.sidecar import Frame, Sidecar, parse_sidecar

REFERENCE = Path(__file__).resolve().parents[3] / "shared" / "models" / "fork_reference"
SIX = ["adm2", "vif_scale0", "vif_scale1", "vif_scale2", "vif_scale3", "motion2"]
ONES = [1.0] * 6
FULL = {
    "name": "a",
    "id": "a",
    "kind": "fr",
    "onnx_opset": 17,
    "opset": 17,
    "quant_mode": "fp32",
    "input_name": "features",
    "input_names": ["features"],
    "output_name": "score",
    "output_names": ["score"],
    "features": SIX,
    "feature_order": SIX,
    "feature_mean": ONES,
    "feature_std": ONES,
    "normalization": {"mean": ONES, "std": ONES},
    "expected_output_range": [0, 100],
    "frame": {
        "colour": "rgb", "width": 224, "height": None, "resize": "bilinear", "value_range": [0, 1], "multiple": 8,
        "window": 5, "mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225],
    },
}  # fmt: skip
ODD = [
    None, True, 0, 1, -1, 17.0, 17.5, "", "a", "x" * 600, "fp32", "rgb", "area", "a\nb", [], [0, 1], [0, 255],
    [1, 0.5, 2], ["a"], ["a", "a"], [""], [None], [True], [False, True], [[0]], [-1], {}, {"mean": [1]},
    {"colour": "luma"},
]  # fmt: skip


def parse(**content):
    return parse_sidecar(json.dumps(content).encode())


def test_our_validator_and_jsonschema_agree():
    validator = jsonschema.Draft202012Validator(schema.schema("sidecar"))
    values = [FULL, {}, {"unknown": {"frame": 3}}, [], None, 1]
    values += [{**FULL, key: odd} for key in FULL for odd in ODD]
    values += [{**FULL, "frame": {**FULL["frame"], key: odd}} for key in [*FULL["frame"], "more"] for odd in ODD]
    values += [{**FULL, "normalization": {"std": odd}} for odd in ODD]
    verdicts = [(schema.problem(value, "sidecar") == "") for value in values]
    assert verdicts == [validator.is_valid(value) for value in values]
    assert 50 < sum(verdicts) < len(verdicts) / 2


def test_a_graph_without_a_sidecar_says_nothing():
    assert parse_sidecar(None) == parse() == Sidecar()


def test_the_runtime_dialect():
    said = parse(name="n", kind="fr", input_name="x", output_name="y", onnx_opset=17, quant_mode="dynamic", notes="...")
    assert said == Sidecar("n", "fr", ("x",), ("y",), opset=17, quant_mode="dynamic")


def test_the_dialect_that_resembles_the_registry():
    said = parse(
        id="n", kind="nr", opset=17.0, input_names=["a", "b"], output_names=["c"], feature_order=SIX,
        feature_mean=[1, 2, 3, 4, 5, 6], feature_std=[6, 5, 4, 3, 2, 1], sha256="0", training={"n": 1},
    )  # fmt: skip
    assert said == Sidecar(
        "n",
        "nr",
        ("a", "b"),
        ("c",),
        tuple(SIX),
        (1.0, 2.0, 3.0, 4.0, 5.0, 6.0),
        (6.0, 5.0, 4.0, 3.0, 2.0, 1.0),
        opset=17,
    )
    assert type(said.opset) is int


def test_the_trainers_dialect():
    said = parse(
        schema_version=1, name="n", kind="fr", onnx_opset=17, input_names=["f"], output_names=["s"],
        normalization={"mean": [1, 2], "std": [3, 4]}, expected_output_range=[0, 100], cosign_signature=None,
    )  # fmt: skip
    assert (said.mean, said.std, said.output_range) == ((1.0, 2.0), (3.0, 4.0), (0.0, 100.0))
    assert parse(normalization={"mean": [], "std": []}).mean is None
    assert parse(normalization=None, features=None) == Sidecar()


def test_a_scaler_inside_the_graph_is_not_applied():
    said = parse(features=SIX, input_mean=ONES, input_std=ONES)
    assert (said.mean, said.std) == (None, None)


def test_graphs_that_read_pictures():
    assert parse(frame={"colour": "luma"}).frame == Frame("luma", None, None, "area", (0.0, 1.0), 1, 1)
    said = parse(frame=FULL["frame"] | {"value_range": [0, 255], "width": 224.0})
    assert said.frame == Frame("rgb", 224, None, "bilinear", (0.0, 255.0), 8, 5)
    assert said.mean == (0.485, 0.456, 0.406)
    assert (said.frame.channels, Frame("luma").channels, type(said.frame.width)) == (3, 1, int)
    assert parse(frame={"colour": "luma"}, normalization={"mean": [0.5], "std": [0.5]}).std == (0.5,)


def test_both_spellings_may_say_the_same():
    assert parse(**{key: FULL[key] for key in FULL if key != "frame"}).mean == tuple(ONES)


@pytest.mark.parametrize("path", [*sorted(REFERENCE.glob("*_v[0-9].json")), registry.data_folder() / "vmaf_tiny.json"])
def test_published_sidecars_are_readable(path):
    said = parse_sidecar(path.read_bytes())
    assert said.features == tuple(SIX)
    assert (said.kind, said.opset, len(said.input_names), len(said.output_names)) == ("fr", 17, 1, 1)
    assert (said.mean is not None) == ("fr_regressor" in path.name)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ({"features": SIX, "feature_order": SIX[::-1]}, "same in features and feature_order"),
        ({"input_name": "a", "input_names": ["a", "b"]}, "same in input_name and input_names"),
        ({"onnx_opset": 17, "opset": 18}, "same in onnx_opset and opset"),
        ({"feature_mean": ONES}, "together or neither, but this one gives 6 and 0"),
        ({"features": SIX, "feature_mean": [1], "feature_std": [1]}, "6 numbers each, or neither.*1 and 1"),
        ({"feature_mean": ONES, "feature_std": [1, 1, 1, 1, 1, 0]}, r"feature_std\[5\] must be above 0, not 0"),
        (
            {"feature_mean": ONES, "feature_std": ONES, "normalization": {"mean": ONES, "std": [2] * 6}},
            "several that differ",
        ),
        ({"frame": {"colour": "rgb", "mean": [0], "std": [1]}}, "3 numbers each"),
        ({"frame": {}}, "frame must have 'colour'"),
        ({"frame": {"colour": "luma", "color": 1}}, "frame must not have 'color'"),
        ({"expected_output_range": [100, 0]}, "lowest score first"),
        ({"expected_output_range": [1, 2, 3]}, "at most 2 items"),
        ({"expected_output_range": [1, "2"]}, r"expected_output_range\[1\] must be number"),
        ({"features": "adm2"}, "features must be array"),
        ({"features": ["adm2", "adm2"]}, "name nothing twice"),
        ({"quant_mode": "int4"}, "quant_mode must be one of fp32"),
        ({"name": 3}, "name must be string or null, not 3"),
        ({"opset": True}, "opset must be integer"),
    ],
)
def test_what_does_not_fit_together_is_refused(content, reason):
    with pytest.raises(ContractError, match=reason):
        parse(**content)


@pytest.mark.parametrize("data", [b"[]", b"3", b"null"])
def test_a_sidecar_is_an_object(data):
    with pytest.raises(ContractError, match="must be object"):
        parse_sidecar(data)


@pytest.mark.parametrize(
    "data", [b"", b"{", b'{"name": "a", "name": "b"}', b'{"feature_mean": [NaN]}', b'{"a": 1e999}', b" " * (2 << 20)]
)
def test_what_is_no_strict_json_is_refused(data):
    with pytest.raises(ModelError, match="not JSON that can be used"):
        parse_sidecar(data)
