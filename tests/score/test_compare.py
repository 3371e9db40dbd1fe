"""`tinyvmaf.score`: one call, files or arrays in, a typed result out."""

from __future__ import annotations

import importlib
import shutil
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

import saliency_models
import tinyvmaf
from clips import degrade, natural
from tinyvmaf.errors import MismatchError, ModelError, UnknownNameError, UsageError
from tinyvmaf.features.saliency import Saliency
from tinyvmaf.models.registry import data_folder, netflix_file
from tinyvmaf.score.compare import DEFAULT_MODELS, MAX_THREADS, compare, default_threads, load_model
from tinyvmaf.score.model import Overload
from tinyvmaf.score.pipeline import make_feature
from tinyvmaf.video.reader import open_arrays
from video_files import y4m_bytes

MODEL = "vmaf_v0.6.1"
needs_tiny = pytest.mark.skipif(not (data_folder() / "registry.json").exists(), reason="no tiny model is packaged yet")


@pytest.fixture(scope="module")
def clips():
    """A clip and its encode."""
    reference = natural("mdn_flower", 176, 144, 6)
    return reference, degrade(reference, 38)


def test_the_front_door_stays_a_function(clips):
    values = {tinyvmaf.score(*clips, models=MODEL).score() for _ in range(3)}
    assert len(values) == 1
    from tinyvmaf import score

    assert callable(score)
    assert score(*clips, models=[MODEL]).score("vmaf") in values
    importlib.import_module("tinyvmaf.score.pooling")  # binds tinyvmaf.score to the folder

    assert tinyvmaf.score(*clips, models=MODEL).score() in values


@needs_tiny
def test_by_default_two_models_stand_side_by_side(clips):
    result = tinyvmaf.score(*clips)
    assert [score.name for score in result.scores] == ["vmaf", "vmaf_tiny"]
    assert [score.model for score in result.scores] == list(DEFAULT_MODELS)
    assert {score.registered for score in result.scores} == {True}
    assert abs(result.score("vmaf") - result.score("vmaf_tiny")) < 10


def test_the_result_is_typed_and_complete(clips):
    result = tinyvmaf.score(*clips, models=MODEL, features="psnr")
    assert isinstance(result, tinyvmaf.Result)
    assert result.frame_numbers.tolist() == list(range(6))
    assert result.frame_numbers.dtype == np.int64
    assert {column.dtype for column in result.columns.values()} == {np.dtype(np.float64)}
    assert {len(column) for column in result.columns.values()} == {6}
    assert (result.width, result.height, result.times) == (176, 144, None)
    assert result.run.frames == 6
    assert result.run.fps > 0
    assert result.score() == pytest.approx(result.column("vmaf").mean())
    assert result.worst(1)[0].value == result.pooled("vmaf").min
    assert result.inputs["reference"].kind == "arrays"
    with pytest.raises(UnknownNameError, match="no column 'vmfa'"):
        result.score("vmfa")


def test_arrays_files_and_open_videos_give_the_same_digits(clips, tmp_path):
    paths = []
    for name, clip in zip(("r.y4m", "d.y4m"), clips, strict=True):
        paths.append(tmp_path / name)
        paths[-1].write_bytes(y4m_bytes(clip))
    columns = [
        compare(*clips, models=MODEL).columns,
        compare(*paths, models=MODEL).columns,
        compare(str(paths[0]), clips[1], models=MODEL).columns,
        compare(*(tinyvmaf.open_video(path) for path in paths), models=MODEL).columns,
        compare(*([planes[0] for planes in clip] for clip in clips), models=MODEL).columns,
        compare(*(np.stack([planes[0] for planes in clip]) for clip in clips), models=MODEL).columns,
        compare(*(iter([planes[0] for planes in clip]) for clip in clips), models=MODEL).columns,
    ]
    for other in columns[1:]:
        assert all(np.array_equal(other[key], column) for key, column in columns[0].items())


def test_deep_arrays_and_a_clock():
    reference = natural("mdn_flower", 64, 48, 3, 10)
    videos = [tinyvmaf.open_arrays(reference, bits=10, frame_rate=Fraction(24000, 1001)) for _ in range(2)]
    result = tinyvmaf.score(*videos, models=MODEL)
    np.testing.assert_allclose(result.times, np.arange(3) * 1001 / 24000)
    assert (
        result.columns["vmaf"].tolist()
        == tinyvmaf.score(reference, reference, models=MODEL, bits=10).columns["vmaf"].tolist()
    )
    with pytest.raises(UsageError, match="must be uint8"):
        tinyvmaf.score(reference, reference, models=MODEL)


def test_arrays_are_not_changed(clips):
    copies = [[tuple(plane.copy() for plane in planes) for planes in clip] for clip in clips]
    compare(*clips, models=MODEL, features=["psnr", "ssim"])
    for clip, copy in zip(clips, copies, strict=True):
        assert all(np.array_equal(a, b) for x, y in zip(clip, copy, strict=True) for a, b in zip(x, y, strict=True))


@pytest.mark.parametrize("threads", [1, 4, 0, None])
def test_threads_do_not_change_a_bit(clips, threads):
    result = compare(*clips, models=MODEL, threads=threads)
    assert result.run.threads == (threads or default_threads())
    assert np.array_equal(result.columns["vmaf"], compare(*clips, models=MODEL, threads=2).columns["vmaf"])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"threads": -1}, "threads is 1 to"),
        ({"threads": MAX_THREADS + 1}, "threads is 1 to"),
        ({"subsample": 0}, "at least 1, not 0"),
        ({"models": ()}, "nothing to measure"),
        ({"models": (MODEL, MODEL)}, "'vmaf' is used twice"),
        ({"models": "vmfa"}, "no model 'vmfa'"),
        ({"models": "vmaf_v0.6.1ng"}, "Did you mean vmaf_v0.6.1neg"),
        ({"models": "vmaf_b_v0.6.3"}, "models pull vmaf_b_v0.6.3"),
        ({"features": "pnsr"}, "Did you mean psnr"),
        ({"bits": 7}, "8 to 16"),
    ],
)
@needs_tiny
def test_wrong_calls(clips, options, message):
    with pytest.raises(UsageError, match=message):
        compare(*clips, **{"models": MODEL} | options)


def test_pairs_that_do_not_match_are_refused(clips):
    with pytest.raises(MismatchError, match="Sizes must agree"):
        compare(clips[0], natural("mdn_flower", 160, 90, 6), models=MODEL)
    with pytest.raises(MismatchError, match="same number of frames"):
        compare(clips[0], clips[1][:4], models=MODEL)
    with pytest.raises(UsageError, match="Only one of the two"):
        compare("-", "-", models=MODEL)


@pytest.mark.parametrize("name", ["psnr_y", "integer_adm2", "adm2", "motion"])
def test_a_model_cannot_have_the_name_of_a_feature(clips, name):
    with pytest.raises(UsageError, match="which a feature has"):
        compare(*clips, models=load_model(MODEL, name), features="psnr")


def test_models_by_version_and_by_path(tmp_path):
    known = load_model(MODEL)
    assert (known.name, known.file.registered, known.file.target) == ("vmaf", True, "human")
    path = tmp_path / "mine.v2.json"
    shutil.copyfile(netflix_file(MODEL), path)
    for given in (path, str(path)):
        mine = load_model(given)
        assert (mine.name, mine.file.id, mine.file.registered) == ("mine.v2", str(path), False)
    bare = path.rename(tmp_path / "vmaf_v0.6.1neg")
    assert load_model(bare).file.sha256 == known.file.sha256
    assert load_model(bare, "named").name == "named"
    with pytest.raises(ModelError, match="cannot be read"):
        load_model(Path("vmaf_v0.6.1"))


@needs_tiny
def test_tiny_models_take_no_options_of_libvmafs():
    tiny = load_model("vmaf_tiny")
    assert tiny.model.kind == "tiny"
    for options in ({"disable_clip": True}, {"enable_transform": True}, {"overloads": [Overload("adm", "x", 1)]}):
        with pytest.raises(UsageError, match="is a tiny model"):
            load_model("vmaf_tiny", **options)


def test_subsample_and_progress(clips):
    told, started = [], []
    result = compare(*clips, models=MODEL, subsample=4, progress=told.append, on_start=started.append)
    assert result.frame_numbers.tolist() == [0, 4]
    assert told[-1] == result.run.frames == 6
    assert started[0].expected_count == 6


def test_two_features_cannot_give_one_column(clips):
    features = [make_feature("psnr"), make_feature("psnr", {"min_sse": 2})]
    with pytest.raises(UsageError, match="two features give 'psnr_cb'"):
        compare(*clips, models=MODEL, features=features)
    assert compare(*clips, models=MODEL, features=["psnr", "psnr"]).pooled("psnr_y").mean > 20


@pytest.mark.parametrize(
    ("transfer", "word"), [("smpte2084", "PQ"), ("arib-std-b67", "HLG"), ("bt709", None), (None, None)]
)
def test_networks_of_standard_range_say_so_of_hdr(transfer, word, tmp_path):
    clip = natural("mdn_flower", 64, 48, 2, 10, "420")
    videos = [open_arrays(clip, bits=10) for _ in range(2)]
    for video in videos:
        video.facts = replace(video.facts, transfer=transfer)
    network = Saliency(model_path=str(saliency_models.write(tmp_path)))
    result = compare(*videos, models=(), features=("psnr", network))
    texts = [note["text"] for note in result.pairing["notes"] if note["kind"] == "transfer"]
    assert len(texts) == (word is not None)
    assert not texts or f"The video is {word}, but saliency learned" in texts[0]
