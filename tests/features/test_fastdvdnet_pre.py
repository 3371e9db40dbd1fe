"""What a temporal denoiser takes away from the reference: its number, its frames in order, its file, both doors."""

from __future__ import annotations

import json
import weakref

import numpy as np
import pytest

import denoisers
from cli_runs import call, column, log_of, write_pair
from clips import degrade, natural, pairs
from reference import denoise as reference
from tinyvmaf.errors import ContractError, UsageError
from tinyvmaf.score import pipeline
from tinyvmaf.score.pipeline import make_feature, measure
from tinyvmaf.video.frame import Frame, FramePair

NAME, KEY = "fastdvdnet_pre", "fastdvdnet_pre_l1_residual"
TAPS = (0.05, 0.1, 0.2, 0.25, 0.4)


@pytest.fixture
def model(tmp_path):
    return denoisers.write(tmp_path, denoisers.mix(TAPS))


def clip_of(count, bits=8):
    frames = natural("mdn_flower", 71, 45, count, bits)
    return frames, pairs(frames, degrade(frames, 40, bits), bits)


def residuals(frames, bits=8):
    """Mean absolute difference of every frame and its weighted mean, in float64; the mean of samples is in 0..1."""
    clip = [planes[0].astype(np.float64) / (2**bits - 1) for planes in frames]
    means = [np.tensordot(TAPS, window, 1) for window in reference.windows(clip)]
    return [np.abs(x - mean).mean() for x, mean in zip(clip, means, strict=True)]


@pytest.mark.parametrize("bits", [8, 10, 12, 16])
def test_equals_the_mean_difference_of_samples_over_the_largest_code(model, bits):
    frames, clip = clip_of(6, bits)
    found = measure(clip, [make_feature(NAME, {"model_path": str(model)})]).columns
    assert list(found) == [KEY]
    np.testing.assert_allclose(found[KEY], residuals(frames, bits), rtol=0, atol=1e-6)
    assert min(found[KEY]) > 3e-4


def test_a_denoiser_that_changes_nothing_leaves_nothing(tmp_path):
    path = denoisers.write(tmp_path, denoisers.mix(denoisers.CENTRE))
    found = measure(clip_of(4)[1], [make_feature(NAME, {"model_path": str(path)})]).columns[KEY]
    assert found.tolist() == [0.0] * 4


@pytest.mark.parametrize("every", [1, 2, 3, 7, 20])
@pytest.mark.parametrize("threads", [1, 3])
def test_every_frame_is_seen_whatever_is_scored(model, every, threads, monkeypatch):
    monkeypatch.setattr(pipeline, "CHUNK_FRAMES", 2)
    frames, clip = clip_of(9)
    feature = make_feature(NAME, {"model_path": str(model)})
    found = measure(clip, [feature], threads=threads, subsample=every)
    assert found.frame_numbers == list(range(0, 9, every))
    np.testing.assert_allclose(found.columns[KEY], residuals(frames)[::every], rtol=0, atol=1e-6)


def test_clips_one_after_the_other_do_not_meet(model):
    frames, clip = clip_of(5)
    feature = make_feature(NAME, {"model_path": str(model)})
    found = [measure(part, [feature]).columns[KEY] for part in (clip[:2], clip[2:], clip[:2])]
    np.testing.assert_allclose(np.concatenate(found[:2]), residuals(frames[:2]) + residuals(frames[2:]), atol=1e-6)
    assert np.array_equal(found[0], found[2])


def test_five_frames_are_alive(model):
    """However long the clip is."""
    feature, alive = make_feature(NAME, {"model_path": str(model)}), []
    series = feature.series()
    for index in range(12):
        frame = Frame((np.full((16, 16), index, np.uint8),), 8, index)
        picture = feature.update(FramePair(frame, frame, index))
        alive.append(weakref.ref(picture))
        series.add(picture)
        del picture
        assert sum(ref() is not None for ref in alive) == min(5, index + 1)
    assert series.finish()[0][KEY].shape == (12,)


def test_the_noise_level_is_an_option_for_graphs_that_take_it(tmp_path):
    path = denoisers.write(tmp_path, denoisers.mix(denoisers.CENTRE, level=[]))
    clip = pairs([(np.full((16, 16), 100, np.uint8),)] * 2, [(np.zeros((16, 16), np.uint8),)] * 2)
    features = [make_feature(NAME, {"model_path": str(path)} | more) for more in ({}, {"sigma": "10"})]
    found = measure(clip, features).columns
    assert found[KEY] == pytest.approx([25 / 255] * 2, abs=1e-6)
    assert found[f"{KEY}_sigma_10"] == pytest.approx([10 / 255] * 2, abs=1e-6)
    with pytest.raises(UsageError, match="has none for 10"):
        make_feature(NAME, {"model_path": str(denoisers.write(tmp_path)), "sigma": 10})


def test_the_file_is_named_by_option_or_variable(model, tmp_path, monkeypatch):
    with pytest.raises(UsageError, match=rf"none is named.* model_path or variable {denoisers.VARIABLE}\."):
        make_feature(NAME)
    monkeypatch.setenv(denoisers.VARIABLE, str(tmp_path / "none.onnx"))
    with pytest.raises(UsageError, match=rf"none at '.*none\.onnx'.*{denoisers.VARIABLE}"):
        make_feature(NAME)
    assert make_feature(NAME, {"model_path": str(model)}).denoiser.session.file.data == model.read_bytes()
    monkeypatch.setenv(denoisers.VARIABLE, str(model))
    assert make_feature(NAME).denoiser.session.file.data == model.read_bytes()
    model.write_bytes(denoisers.mix(level=[3]))
    with pytest.raises(ContractError, match=r"denoiser takes luma of 5 frames, .*'sigma' float32 \[3\]"):
        make_feature(NAME)


def test_runs_can_be_stopped(model):
    feature, asked = make_feature(NAME, {"model_path": str(model)}), []
    feature.denoiser.session.stop = lambda: asked.append(True)
    feature.stop()
    assert asked == [True]


def test_both_doors_measure_it(model, tmp_path, monkeypatch):
    assert call("tinyvmaf", "models", "check", model).code == 0
    frames, _ = clip_of(7)
    files = write_pair(tmp_path, frames, degrade(frames, 40))
    wanted = pytest.approx(residuals(frames), abs=1e-6)
    log = log_of(tmp_path, *files, "--no_prediction", "--feature", f"{NAME}=model_path={model}:threads=1", "-q")
    assert column(log, KEY) == wanted
    monkeypatch.setenv(denoisers.VARIABLE, str(model))
    path = tmp_path / "ours.json"
    done = call("tinyvmaf", "score", files[1], files[3], "--with", NAME, "--model", "vmaf_v0.6.1", "--json", path)
    assert (done.code, NAME in done.out) == (0, True)
    assert column(json.loads(path.read_text()), KEY) == wanted


def test_without_a_file_the_command_line_says_what_to_give(tmp_path):
    frames, _ = clip_of(2)
    done = call("vmaf", *write_pair(tmp_path, frames, frames), "--no_prediction", "--feature", NAME)
    assert (done.code, done.out) == (2, "")
    assert f"Give it by option model_path or variable {denoisers.VARIABLE}." in done.err
