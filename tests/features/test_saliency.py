"""Saliency as a feature, and the weights that it gives to others."""

from __future__ import annotations

import numpy as np
import onnxruntime
import pytest

from clips import degrade, natural, pairs
from oracles.networks import IMAGENET
from saliency_models import VARIABLE, write
from tinyvmaf.errors import UnknownNameError, UsageError
from tinyvmaf.features.saliency import Saliency
from tinyvmaf.score.compare import compare, load_model
from tinyvmaf.score.pipeline import WEIGHTED, make_feature, measure
from tinyvmaf.video.rgb import to_rgb
from tinyvmaf.vision.saliency import plane

FEATURES = ("vif", "adm", "motion", "psnr", "ssim", "ms_ssim")


@pytest.fixture
def model(tmp_path):
    return str(write(tmp_path))


def _clips(count=5):
    reference = natural("mdn_flower", 192, 176, count, 8, "420")
    return reference, degrade(reference, 36, 8, "420")


def _columns(features, clips, **options):
    return measure(pairs(*clips), [make_feature(name) for name in features], **options).columns


def _weighing(model, **options):
    return Saliency(model_path=model, weight=True, **options)


def test_emits_the_mean_of_the_map(model):
    reference, distorted = _clips()
    feature = Saliency(model_path=model, every=1)
    alone = [feature.update(pair)[0] for pair in pairs(reference, distorted)]
    column = measure(pairs(reference, distorted), [feature]).columns["saliency_mean"]
    assert column[0] == alone[0]
    np.testing.assert_allclose(column, alone, atol=0.02)  # maps are steadied in time
    assert 0 < column.min() < column.max() < 1


def test_looks_at_the_reference(model):
    reference, distorted = _clips(2)
    feature = Saliency(model_path=model)
    one, other = (
        measure(pairs(reference, clip), [feature]).columns["saliency_mean"] for clip in (distorted, reference)
    )
    assert one.tolist() == other.tolist()


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("subsample", [1, 2])
def test_plain_and_weighted_columns_stand_side_by_side(model, threads, subsample):
    clips = _clips()
    plain = _columns(FEATURES, clips, subsample=subsample)
    features = [*(make_feature(name) for name in FEATURES), _weighing(model)]
    both = measure(pairs(*clips), features, threads=threads, subsample=subsample).columns
    assert set(both) == {*plain, *(key + WEIGHTED for key in plain), "saliency_mean"}
    for key, column in plain.items():
        assert both[key].tolist() == column.tolist()
        assert both[key + WEIGHTED].shape == column.shape
        assert both[key + WEIGHTED].tolist() != column.tolist()


def test_strength_0_reproduces_plain_figures(model):
    features = [*(make_feature(name) for name in FEATURES), _weighing(model, strength=0)]
    columns = measure(pairs(*_clips()), features).columns
    for key in columns:
        if key + WEIGHTED in columns:
            np.testing.assert_allclose(columns[key + WEIGHTED], columns[key], rtol=0, atol=1e-9)


def test_weights_follow_strength_and_floor(model):
    values = np.array([[0.0, 0.5], [0.25, 1.0]], np.float32)
    plain = _weighing(model, floor=0.1).weights(values, 16, 16)
    np.testing.assert_allclose(plain, 0.1 + 0.9 * values, atol=1e-6)
    sharp = _weighing(model, floor=0.2, strength=2).weights(values, 16, 16)
    np.testing.assert_allclose(sharp, 0.2 + 0.8 * values**2, atol=1e-6)
    assert (_weighing(model, strength=0).weights(values, 16, 16) == 1).all()
    assert _weighing(model).weights(values, 1080, 1917).shape == (135, 240)
    assert _weighing(model).weights(values, 16, 16).dtype == np.float32


def test_damage_where_people_look_counts_more(model):
    """The stand-in's map is how red a sample is: a red patch on grey, with noise in it or beside it."""
    height, width = 192, 256
    luma, blue, red = (np.full((height >> s, width >> s), v, np.uint8) for s, v in ((0, 40), (1, 128), (1, 128)))
    luma += np.random.default_rng(2).integers(0, 40, luma.shape, np.uint8)
    red[24:72, 16:56] = 230
    noise = np.random.default_rng(3).integers(-12, 13, luma.shape)
    inside, outside = (np.zeros(luma.shape, bool) for _ in range(2))
    inside[48:144, 32:112] = True
    outside[48:144, 144:224] = True
    weighing = _weighing(model, strength=2, floor=0.02)
    scores = {}
    for name, where in (("inside", inside), ("outside", outside)):
        damaged = (luma + noise * where).astype(np.uint8)
        result = compare([(luma, blue, red)] * 2, [(damaged, blue, red)] * 2, models="vmaf_v0.6.1", features=weighing)
        scores[name] = result.score("vmaf"), result.score("vmaf_saliency")
    assert scores["inside"][1] < scores["inside"][0] - 1
    assert scores["outside"][1] > scores["outside"][0] + 1


def test_scores_say_whose_they_are(model):
    result = compare(*_clips(2), models=("vmaf_v0.6.1", "vmaf_tiny"), features=_weighing(model))
    assert [info.name for info in result.scores] == ["vmaf", "vmaf_saliency", "vmaf_tiny", "vmaf_tiny_saliency"]
    assert [info.target for info in result.scores] == ["human", "unknown", "teacher", "unknown"]


def test_names_of_weighted_scores_are_taken(model):
    names = [load_model("vmaf_v0.6.1", "a"), load_model("vmaf_tiny", "a_saliency")]
    with pytest.raises(UsageError, match="'a_saliency' is used twice"):
        compare(*_clips(1), models=names, features=_weighing(model))
    assert compare(*_clips(1), models=names).score("a_saliency") > 0


def test_the_path_comes_from_option_or_environment(model, monkeypatch):
    monkeypatch.setenv(VARIABLE, model)
    assert Saliency().values["model_path"] == ""
    monkeypatch.setenv(VARIABLE, model + "x")
    with pytest.raises(UsageError, match="is a file, but there is none"):
        Saliency()


def test_options_are_checked(model):
    with pytest.raises(UsageError, match="floor"):
        Saliency(model_path=model, floor=0)
    with pytest.raises(UsageError, match="every"):
        Saliency(model_path=model, every=0)
    with pytest.raises(UnknownNameError):
        Saliency(model_path=model, size=1)


def _disc():
    """A pair of equal frames with a red disc, and where it is."""
    height, width = 240, 320
    y, x = np.mgrid[:height, :width]
    disc = (y - 120) ** 2 + (x - 200) ** 2 < 50**2
    luma = np.where(disc, 150, 60 + x // 8).astype(np.uint8)
    blue = np.where(disc[::2, ::2], 90, 128).astype(np.uint8)
    red = np.where(disc[::2, ::2], 200, 128).astype(np.uint8)
    (pair,) = pairs([(luma, blue, red)], [(luma, blue, red)])
    return pair, disc


def test_the_packaged_network_finds_what_stands_out():
    pair, disc = _disc()
    (found,) = Saliency().prepare([pair])
    mask = plane(found.saliency, *disc.shape) > 0.5
    assert np.count_nonzero(mask & disc) > 0.8 * np.count_nonzero(mask | disc)


def test_the_packaged_network_says_about_what_its_teacher_says(store):
    pair, _ = _disc()
    maps = []
    for path in ("", store("u2netp") / "models" / "u2netp.onnx"):
        (found,) = Saliency(model_path=str(path)).prepare([pair])
        maps.append(plane(found.saliency, 240, 320))
    assert np.abs(maps[0] - maps[1]).mean() < 0.05


def test_the_pulled_network_finds_what_stands_out(store):
    """U2-NetP, run by hand as its authors' code does it, and by the feature."""
    file = store("u2netp") / "models" / "u2netp.onnx"
    pair, disc = _disc()
    height, width = disc.shape
    (found,) = Saliency(model_path=str(file)).prepare([pair])
    picture = to_rgb(pair.reference, pair.colour, (320, 320), "bilinear").astype(np.float64)
    standard = (picture / picture.max() - IMAGENET[0]) / IMAGENET[1]
    session = onnxruntime.InferenceSession(file.read_bytes(), providers=["CPUExecutionProvider"])
    (values,) = session.run(["1959"], {"input.1": standard[None].astype(np.float32)})
    expected = (values - values.min()) / (values.max() - values.min())
    np.testing.assert_allclose(found.saliency, expected[0, 0], atol=1e-4)
    mask = plane(found.saliency, height, width) > 0.5
    assert np.count_nonzero(mask & disc) > 0.8 * np.count_nonzero(mask | disc)
