"""The shipped vmaf_tiny: what its card promises, on clips made here."""

import functools
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage

from clips import degrade, golden, natural
from tinyvmaf.models.load import load
from tinyvmaf.models.register import build_registry
from tinyvmaf.models.registry import DEFAULT_TINY, data_folder
from tinyvmaf.models.runtime import ModelSession
from tinyvmaf.score.fusion import CANONICAL, TinyModel
from tinyvmaf.train.corpus import Teacher
from tinyvmaf.train.features import measure
from tinyvmaf.video.frame import Frame
from tinyvmaf.video.resize import scale_frame

FILE = load(DEFAULT_TINY)
MODEL = TinyModel(ModelSession(FILE, threads=1))
SIDECAR = json.loads(FILE.sidecar)
TEACHER = Teacher("vmaf_v0.6.1")
CLIPS = ("flutter_bee", "sam2_dog")
"""Sources of the test split where the shared data is at hand."""


def frames(clip, bits=8):
    return [Frame((planes[0],), bits, index) for index, planes in enumerate(clip)]


@functools.cache
def reference(name):
    return frames(natural(name, 320, 180, 8))


def changed(clip, change):
    made = (np.clip(np.rint(change(frame.luma.astype(float))), 0, 255).astype(np.uint8) for frame in clip)
    return [Frame((luma,), 8, index) for index, luma in enumerate(made)]


def blur(clip, sigma):
    return changed(clip, lambda image: ndimage.gaussian_filter(image, sigma))


def noise(clip, deviation):
    return changed(clip, lambda image: image + deviation * np.random.default_rng(0).standard_normal(image.shape))


def resample(clip, factor):
    height, width = clip[0].luma.shape
    small = (scale_frame(frame, round(width * factor), round(height * factor), "area") for frame in clip)
    return [scale_frame(frame, width, height) for frame in small]


def x264(clip, crf):
    grey = np.full((90, 160), 128, np.uint8)
    return frames(degrade([(frame.luma, grey, grey) for frame in clip], crf))


LADDERS = {
    "blur": (blur, (0.4, 0.6, 0.9, 1.4, 2, 3, 5)),
    "noise": (noise, (1, 2, 4, 8, 16, 32, 64)),
    "resample": (resample, (0.9, 0.7, 0.5, 0.35, 0.2, 0.1)),
    "x264": (x264, (1, 10, 18, 24, 30, 36, 42, 51)),
}


@functools.cache
def ladder(name, kind):
    degraded, levels = LADDERS[kind]
    return [measure(reference(name), degraded(reference(name), level)) for level in levels]


def test_the_registry_is_the_one_made_from_the_files():
    assert (data_folder() / "registry.json").read_text() == build_registry(data_folder())
    assert FILE.registered
    assert FILE.target == "teacher"


def test_the_sidecar_states_contract_teacher_and_held_out_figures():
    assert SIDECAR["features"] == list(CANONICAL)
    assert SIDECAR["teacher"] == {"name": TEACHER.name, "sha256": TEACHER.sha256}
    assert SIDECAR["expected_output_range"] == [0, 100]
    assert not set(SIDECAR["training"]["sources"]["test"]) & set(
        SIDECAR["training"]["sources"]["train"] + SIDECAR["training"]["sources"]["selection"]
    )
    assert SIDECAR["held_out"]["per_frame"]["plcc"] >= 0.9998
    assert SIDECAR["held_out"]["per_frame"]["rmse"] <= 0.3


def test_identity_scores_at_least_99_at_any_motion():
    motion = np.concatenate([np.linspace(0, 60, 601), [1e3, 1e6]])
    rows = np.ones((len(motion), 6))
    rows[:, 5] = motion
    assert MODEL.predict(rows).min() >= 99


@pytest.mark.parametrize("name", CLIPS)
def test_identical_natural_frames_score_at_least_99(name):
    clip = reference(name)
    assert MODEL.predict(measure(clip, clip)).min() >= 99


@pytest.mark.parametrize("value", [0, 16, 128, 255])
def test_identical_flat_frames_score_at_least_99(value):
    clip = [Frame((np.full((90, 160), value, np.uint8),), 8, index) for index in range(3)]
    assert MODEL.predict(measure(clip, clip)).min() >= 99


@pytest.mark.parametrize("bits", [8, 10, 16])
def test_identical_noise_scores_at_least_99(bits):
    rng = np.random.default_rng(bits)
    dtype = np.uint8 if bits == 8 else np.uint16
    clip = [Frame((rng.integers(0, 1 << bits, (67, 121), dtype=dtype),), bits, index) for index in range(3)]
    assert MODEL.predict(measure(clip, clip)).min() >= 99


@given(st.lists(st.floats(-1e6, 1e6, width=32), min_size=6, max_size=6))
def test_every_finite_input_gives_a_score_on_the_scale(row):
    (score,) = MODEL.predict(np.array([row]))
    assert 0 <= score <= 100


@given(st.floats(0, 0.5), st.floats(0, 25))
def test_frames_that_lost_half_of_everything_never_score_well(level, motion):
    assert MODEL.predict(np.array([[level] * 5 + [motion]]))[0] < 60


@given(st.floats(0, 0.01), st.floats(0, 0.01), st.floats(0, 20), st.integers(0, 4))
def test_near_identity_losing_similarity_never_gains_score(one, more, motion, which):
    row = np.array([1.0, 1, 1, 1, 1, motion])
    row[which] -= one
    lower = row.copy()
    lower[:5] -= more
    better, worse = MODEL.predict(np.array([row, lower]))
    assert worse <= better + 1e-3


@pytest.mark.parametrize("kind", LADDERS)
@pytest.mark.parametrize("name", CLIPS)
def test_more_distortion_never_raises_the_pooled_score(name, kind):
    pooled = [MODEL.predict(table).mean() for table in ladder(name, kind)]
    assert np.diff(pooled).max() <= 1e-4, pooled
    assert pooled[0] > 90
    assert pooled[-1] < 60


@pytest.mark.parametrize("kind", LADDERS)
@pytest.mark.parametrize("name", CLIPS)
def test_it_is_as_near_to_the_teacher_as_its_card_says(name, kind):
    known = [table for table, level in zip(ladder(name, kind), LADDERS[kind][1], strict=True) if level <= 51]
    error = MODEL.predict(np.concatenate(known)) - TEACHER(np.concatenate(known))
    assert np.sqrt(np.mean(error**2)) < 0.1
    assert np.abs(error).max() < 0.3


@pytest.mark.parametrize("name", CLIPS)
def test_noise_twice_as_strong_as_any_of_the_corpus_is_still_scored_like_the_teacher(name):
    table = ladder(name, "noise")[-1]
    assert np.abs(MODEL.predict(table) - TEACHER(table)).max() < 1


@pytest.mark.parametrize(("name", "published"), [("src01_10", 82.564225), ("test_8", 92.520959)])
def test_netflixs_pairs_score_as_published(name, published):
    pair = golden(name)
    table = measure(frames(pair.reference, pair.bits), frames(pair.distorted, pair.bits))
    assert MODEL.predict(table).mean() == pytest.approx(published, abs=0.15)
