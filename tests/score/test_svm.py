"""The regression against libvmaf itself: its features in, its score expected out."""

import contextlib
import json
import math
import statistics
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clips import degrade, natural
from oracles.libvmaf import libvmaf
from tinyvmaf.errors import ContractError, ModelError, TinyVmafError, UnknownNameError
from tinyvmaf.models.load import load
from tinyvmaf.score.model import Overload
from tinyvmaf.score.svm import BLOCK_ROWS, BootstrapModel, SvmModel, Transform
from tinyvmaf.score.svm_json import load_svm

SHARED_MODELS = Path(__file__).resolve().parents[3] / "shared" / "models" / "vmaf_json"
BOOTSTRAP = SHARED_MODELS / "vmaf_b_v0.6.3.json"
TOLERANCE = 5e-4  # the log prints features with six decimals, and the regression amplifies them about 200 times

TRANSFORMS = {
    "rise": {"enabled": True, "p0": 1.5, "p1": 0.5, "out_gte_in": "true"},
    "line": {"enabled": True, "p0": 1.5, "p1": 0.5},
    "knots": {"enabled": True, "knots": [[0, 5], [30, 20], [60, 70], [80, 70]]},
    "both": {"enabled": True, "p1": 1.1, "knots": [[0, 0], [40, 20], [60, 70], [90, 71]], "out_lte_in": "true"},
    "beyond": {"enabled": True, "knots": [[0, 5], [30, 20]]},
    "below": {"enabled": True, "knots": [[70, 5], [80, 20], [90, 30]]},
    "off": {"enabled": False, "p0": 1.5, "p1": 0.5},
}


def netflix(version="vmaf_v0.6.1"):
    return load(version).data


def content(**changes):
    model = json.loads(netflix())
    model["model_dict"] |= changes
    return model


def table_for(model, log):
    """The columns a model reads, taken from a log of libvmaf; its models set no option but the gain limit."""
    suffix = ["".join(f"_egl_{float(value):g}" for _, value in item.options) for item in model.inputs]
    return np.stack([log[f"integer_{item.key}{end}"] for item, end in zip(model.inputs, suffix, strict=True)], axis=1)


@pytest.fixture(scope="module")
def clip():
    reference = natural("bmx" if SHARED_MODELS.exists() else 0, 256, 144, 10)
    return reference, degrade(reference, crf=36)


@pytest.fixture(scope="module")
def log(clip, tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    models = [
        "version=vmaf_v0.6.1",
        "version=vmaf_v0.6.1neg:name=neg",
        "version=vmaf_4k_v0.6.1:name=four",
        "version=vmaf_v0.6.1:name=shaped:enable_transform=true",
        "version=vmaf_v0.6.1:name=free:disable_clip=true",
        "version=vmaf_v0.6.1:name=limited:adm.adm_enhn_gain_limit=1.2",
    ]
    for name, transform in TRANSFORMS.items():
        path = folder / f"{name}.json"
        path.write_text(json.dumps(content(score_transform=transform)))
        models.append(f"path={path}:name={name}")
    if BOOTSTRAP.exists():
        for number, member in json.loads(BOOTSTRAP.read_bytes()).items():
            path = folder / f"member{number}.json"
            path.write_text(json.dumps(member))
            models.append(f"path={path}:name=member{number}")
    return libvmaf(*clip, models=models)


@pytest.mark.parametrize(
    ("name", "version", "changes"),
    [
        ("vmaf", "vmaf_v0.6.1", {}),
        ("neg", "vmaf_v0.6.1neg", {}),
        ("four", "vmaf_4k_v0.6.1", {}),
        ("shaped", "vmaf_v0.6.1", {"enable_transform": True}),
        ("free", "vmaf_v0.6.1", {"disable_clip": True}),
        ("limited", "vmaf_v0.6.1", {"overloads": [Overload("adm", "adm_enhn_gain_limit", "1.2")]}),
    ],
)
def test_scores_are_libvmafs(log, name, version, changes):
    model = load_svm(netflix(version), **changes)
    columns = model.columns(table_for(model, log), name)
    assert list(columns) == [name]
    assert model.kind == "svm"
    assert columns[name] == pytest.approx(log[name], abs=TOLERANCE)


@pytest.mark.parametrize("name", TRANSFORMS)
def test_transforms_are_libvmafs(log, name):
    model = load_svm(json.dumps(content(score_transform=TRANSFORMS[name])).encode())
    assert model.predict(table_for(model, log)) == pytest.approx(log[name], abs=TOLERANCE)


@pytest.mark.skipif(not BOOTSTRAP.exists(), reason="the shared bootstrap model is not beside this checkout")
def test_bootstrap_members_are_libvmafs_and_their_statistics_follow(log):
    model = load_svm(BOOTSTRAP.read_bytes())
    assert isinstance(model, BootstrapModel)
    assert model.kind == "bootstrap"
    columns = model.columns(table_for(model, log), "vmaf")
    members = [f"vmaf_{number:04d}" for number in range(1, 21)]
    assert list(columns) == ["vmaf", *members, "vmaf_bagging", "vmaf_stddev", "vmaf_ci_p95_lo", "vmaf_ci_p95_hi"]
    assert columns["vmaf"] == pytest.approx(log["member0"], abs=TOLERANCE)
    assert np.array_equal(columns["vmaf"], model.predict(table_for(model, log)))
    for number, name in enumerate(members, 1):
        assert columns[name] == pytest.approx(log[f"member{number}"], abs=TOLERANCE)
    for frame in range(len(log["vmaf"])):
        scores = sorted(columns[name][frame] for name in members)  # inside 0 .. 100: clipping changes nothing
        assert columns["vmaf_bagging"][frame] == pytest.approx(statistics.fmean(scores))
        assert columns["vmaf_stddev"][frame] == pytest.approx(statistics.pstdev(scores))
        assert columns["vmaf_ci_p95_lo"][frame] == pytest.approx(scores[0] * 0.525 + scores[1] * 0.475)
        assert columns["vmaf_ci_p95_hi"][frame] == pytest.approx(scores[18] * 0.475 + scores[19] * 0.525)


def flat(value, transform=None):
    """A model that always says `value`, clipped to 0 .. 100."""
    return SvmModel((), np.ones(1), np.zeros(1), np.zeros((1, 0)), np.zeros(1), -value, 1.0, transform, (0.0, 100.0))


def test_bootstrap_statistics_are_taken_before_and_carried_through_transform_and_clip():
    halve = Transform(polynomial=(0.0, 0.5, 0.0))
    columns = BootstrapModel(flat(1.0), tuple(flat(v, halve) for v in (90.0, 110.0, 250.0))).columns(
        np.empty((1, 0)), "m"
    )
    assert columns["m_0003"] == pytest.approx(100.0)
    assert columns["m_bagging"] == pytest.approx(75.0)
    assert columns["m_stddev"] == pytest.approx(statistics.pstdev([90.0, 110.0, 250.0]) / 2)
    assert columns["m_ci_p95_hi"] == pytest.approx(100.0)
    assert columns["m_ci_p95_lo"] == pytest.approx((90 * 0.95 + 110 * 0.05) / 2)


def test_a_frames_digits_do_not_depend_on_its_block():
    model = load_svm(netflix())
    table = np.random.default_rng(1).random((2 * BLOCK_ROWS + 7, 6))
    whole = model.predict(table)
    assert np.array_equal(whole, np.concatenate([model.predict(table[i : i + 331]) for i in range(0, len(table), 331)]))


def test_frames_without_a_feature_have_no_score():
    model = load_svm(netflix())
    table = np.full((3, 6), 0.9)
    table[1, 2] = math.nan
    assert np.isnan(model.predict(table)).tolist() == [False, True, False]
    assert model.predict(np.empty((0, 6))).shape == (0,)


def test_a_table_of_another_shape_is_refused():
    with pytest.raises(ContractError, match=r"6 columns .*shape \(4, 5\)"):
        load_svm(netflix()).predict(np.zeros((4, 5)))


def test_inputs_name_feature_key_and_options():
    inputs = load_svm(netflix("vmaf_v0.6.1neg")).inputs
    assert [(item.feature, item.key) for item in inputs][:3] == [
        ("adm", "adm2"),
        ("motion", "motion2"),
        ("vif", "vif_scale0"),
    ]
    assert inputs[0].options == (("adm_enhn_gain_limit", 1.0),)
    assert inputs[1].options == ()


def test_overloads_replace_options_of_every_input_of_the_feature():
    overloads = [Overload("vif", "vif_enhn_gain_limit", "2"), Overload("vif", "vif_enhn_gain_limit", "3")]
    model = load_svm(netflix("vmaf_v0.6.1neg"), overloads=overloads)
    assert {item.options for item in model.inputs if item.feature == "vif"} == {(("vif_enhn_gain_limit", "3"),)}
    with pytest.raises(UnknownNameError, match="no feature 'psnr'"):
        load_svm(netflix(), overloads=[Overload("psnr", "x", 1)])


@pytest.mark.skipif(not SHARED_MODELS.exists(), reason="the shared models are not beside this checkout")
def test_version_1_models_are_refused_by_the_features_they_need():
    with pytest.raises(ContractError, match=r"Cambi_feature_cambi_score.*motion3"):
        load_svm((SHARED_MODELS / "vmaf_v1.0.16_3d0h.json").read_bytes())


GOOD_TEXT = json.loads(netflix())["model_dict"]["model"]
HOSTILE = {
    "not_json": b"\x80\x00abc",
    "empty": b"",
    "a_list": b"[]",
    "a_number": b"7",
    "nan": b'{"model_dict": NaN}',
    "deep": b"[" * 100_000,
    "long_number": b'{"model_dict": ' + b"9" * 5000 + b"}",
    "no_model": b"{}",
    "collection_of_one": json.dumps({"0": content()}).encode(),
    "collection_of_strangers": json.dumps({"0": content(), "1": json.loads(netflix("vmaf_v0.6.1neg"))}).encode(),
    "collection_of_rubbish": json.dumps({"0": content(), "1": 3}).encode(),
    "dict_is_a_list": b'{"model_dict": []}',
    "too_large": b" " * (50 * 1024 * 1024 + 1),
} | {
    name: json.dumps(content(**changes)).encode()
    for name, changes in {
        "unknown_type": {"model_type": "RANDOMFOREST"},
        "type_is_a_list": {"model_type": []},
        "no_features": {"feature_names": []},
        "features_are_numbers": {"feature_names": [1, 2]},
        "unknown_feature": {"feature_names": ["VMAF_feature_adm2_score"] * 6},
        "too_few_features": {"feature_names": ["VMAF_integer_feature_adm2_score"]},
        "too_many_features": {"feature_names": ["VMAF_integer_feature_adm2_score"] * 70},
        "options_short": {"feature_opts_dicts": [{}]},
        "options_nested": {"feature_opts_dicts": [{"a": []}] + [{}] * 5},
        "options_text": {"feature_opts_dicts": "abcdef"},
        "slope_zero": {"slopes": [0.0] * 7},
        "slopes_short": {"slopes": [1.0]},
        "slopes_text": {"slopes": ["1"] * 7},
        "slopes_true": {"slopes": [True] * 7},
        "slopes_huge": {"slopes": [10**400] * 7},
        "intercepts_null": {"intercepts": None},
        "norm_unknown": {"norm_type": "zscore"},
        "clip_reversed": {"score_clip": [100, 0]},
        "clip_text": {"score_clip": "0..100"},
        "transform_list": {"score_transform": [1]},
        "transform_enabled_text": {"score_transform": {"enabled": "yes"}},
        "transform_text": {"score_transform": {"p0": "1"}},
        "knots_fall": {"score_transform": {"knots": [[0, 5], [1, 2]]}},
        "knots_repeat": {"score_transform": {"knots": [[0, 0], [0, 2]]}},
        "knots_single": {"score_transform": {"knots": [[0, 0]]}},
        "knots_ragged": {"score_transform": {"knots": [[0, 0], [1]]}},
        "chroma": {"chroma_correction_parameter": 120.0},
        "svm_missing": {"model": None},
        "svm_without_vectors": {"model": GOOD_TEXT.partition("\nSV\n")[0]},
        "svm_linear": {"model": GOOD_TEXT.replace("rbf", "linear")},
        "svm_count": {"model": GOOD_TEXT.replace("total_sv 211", "total_sv 210")},
        "svm_gamma": {"model": GOOD_TEXT.replace("gamma 0.04", "gamma -1")},
        "svm_gamma_missing": {"model": GOOD_TEXT.replace("gamma 0.04\n", "")},
        "svm_rho_nan": {"model": GOOD_TEXT.replace("rho -1.33133", "rho nan")},
        "svm_index": {"model": GOOD_TEXT.replace(" 6:", " 7:")},
        "svm_index_huge": {"model": GOOD_TEXT.replace(" 6:", f" {9**999}:")},
        "svm_index_twice": {"model": GOOD_TEXT.replace(" 6:", " 5:")},
        "svm_cell": {"model": GOOD_TEXT.replace(" 6:", " 6;")},
        "svm_value": {"model": GOOD_TEXT.replace(" 6:", " 6:x")},
        "svm_infinite": {"model": GOOD_TEXT.replace(" 6:", " 6:1e999 6:")},
    }.items()
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_files_are_refused_in_one_line(name):
    with pytest.raises(ModelError) as caught:
        load_svm(HOSTILE[name])
    assert 0 < len(str(caught.value)) < 400
    assert "\n" not in str(caught.value)


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(), lambda x: st.lists(x) | st.dictionaries(st.text(), x)
    )
)
def test_any_value_in_any_place_is_refused_or_loaded(value):
    for key in ("model", "slopes", "score_transform", "feature_names", "feature_opts_dicts", "score_clip"):
        with contextlib.suppress(TinyVmafError):
            load_svm(json.dumps(content(**{key: value})).encode())


def test_models_without_rescaling_and_without_clip():
    model = load_svm(json.dumps(content(norm_type="none", score_clip=None)).encode())
    assert model.clip is None
    assert np.array_equal(model.slopes, np.ones(7))
    nearest = load_svm(json.dumps(content(score_transform=None)).encode())
    assert nearest.transform is None
