"""The recipe keeps its splits apart, and the same corpus gives the same file."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from clips import SHARED, natural, needs_shared
from tinyvmaf.errors import DataError, UnknownNameError
from tinyvmaf.models.runtime import open_bytes
from tinyvmaf.score.fusion import TinyModel
from tinyvmaf.train import features
from tinyvmaf.train.__main__ import ONE_THREAD, main
from tinyvmaf.train.corpus import Corpus, Teacher, levels_in_order
from tinyvmaf.train.distort import KINDS, at_depth, distort
from tinyvmaf.train.evaluate import order
from tinyvmaf.train.export import to_onnx
from tinyvmaf.train.features import Clip, cache_key, measure_source
from tinyvmaf.train.figures import agreement, intervals
from tinyvmaf.train.fit import _problem, fit
from tinyvmaf.train.network import random_weights
from tinyvmaf.train.recipe import DEFAULT, SPLITS, Distortion, Source, load_recipe
from tinyvmaf.train.sources import check_file, read_source
from tinyvmaf.video.frame import Frame
from tinyvmaf.video.writer import VideoWriter

RECIPE = load_recipe()
TEACHER = Teacher(RECIPE.teacher)
ROOF = {"androidx_360p_17s", "androidx_hdr10_1080p", "androidx_hdr10_av1_720x1280"}
BLUR = Distortion("blur", "blur", (0.5, 1.0, 2.0))


def source(name, split="train"):
    return Source(f"{name}.mkv", name, split, (64, 48), 8, ("0:4",))


def clip_of(name, split, level, seed, rows=60):
    """A made-up clip whose similarities sink with the level."""
    rng = np.random.default_rng([seed, int(level * 10)])
    quality = np.clip(1 - level / 6 - 0.1 * rng.random((rows, 1)), 0, 1)
    similarity = np.clip(quality ** np.array([0.4, 1.6, 0.9, 0.7, 0.5]), 0, 1)
    return Clip(source(name, split), BLUR, level, np.hstack([similarity, 12 * rng.random((rows, 1))]))


def toy(split, seed):
    return Corpus(tuple(clip_of(f"{split}{seed}", split, level, seed) for level in BLUR.levels))


def settings(**changes):
    quick = {"hidden": (5, 4), "starts": 2, "iterations": 25, "extra_rows": 200}
    return replace(RECIPE.fit, **quick, **changes)


def test_every_source_belongs_to_one_split():
    by_split = {split: {item.sha256 for item in RECIPE.of_split(split)} for split in SPLITS}
    assert sum(map(len, by_split.values())) == len(RECIPE.sources) == len(set().union(*by_split.values()))
    assert len(by_split["test"]) >= 4
    assert {item.name for item in RECIPE.of_split("train")} >= ROOF, "one scene must not be in two splits"


def test_sources_are_open_clips_only():
    assert {Path(item.file).parts[0] for item in RECIPE.sources} == {"clips_sdr", "clips_hdr"}
    assert not any("cockatoo" in item.file for item in RECIPE.sources)


@needs_shared
def test_sources_are_the_files_that_the_recipe_names():
    for item in RECIPE.sources:
        check_file(SHARED / item.file, item.sha256)


def test_codecs_cover_what_people_encode_with():
    codecs = {item.codec for item in RECIPE.distortions if item.kind == "encode"}
    assert codecs == {"libx264", "libx265", "libsvtav1", "libvpx-vp9"}
    assert {item.kind for item in RECIPE.distortions} == {"encode", "resample", *KINDS}


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('split = "test"', 'split = "train"'),
        ('split = "test"', 'split = "tset"'),
        ('name = "x265"', 'name = "x264"'),
        ("starts = 3", "strats = 3"),
        ("[fit]", "[fit"),
        ("ordered = false", "unordered = true"),
    ],
)
def test_a_wrong_recipe_is_refused(tmp_path, old, new):
    text = Path(features.__file__).with_name(DEFAULT).read_text()
    assert old in text
    path = tmp_path / "recipe.toml"
    path.write_text(text.replace(old, new))
    with pytest.raises(DataError):
        load_recipe(path)


def test_takes_are_slices():
    assert replace(source("a"), takes=("0:3", "10:20:4")).frame_numbers == [0, 1, 2, 10, 14, 18]


@pytest.fixture
def made(tmp_path):
    """A clip on disk as a source."""
    path = tmp_path / "clip.mkv"
    with VideoWriter(path, 128, 96, codec="ffv1") as writer:
        for planes in natural("sam2_coffee", 128, 96, 6):
            writer.write(planes)
    digest = features.hashlib.sha256(path.read_bytes()).hexdigest()
    return Source("clip.mkv", digest, "train", (64, 48), 10, ("0:3", "3:6:2"))


def test_a_source_is_read_reduced_and_deepened(made, tmp_path):
    clip = read_source(made, tmp_path)
    assert [frame.index for frame in clip] == [0, 1, 2, 3, 4]
    assert {(frame.luma.shape, frame.bits) for frame in clip} == {((48, 64), 10)}


@pytest.mark.parametrize(
    "change", [{"sha256": "0" * 64}, {"file": "absent.mkv"}, {"takes": ("0:7",)}], ids=["other", "absent", "short"]
)
def test_another_source_is_refused(made, tmp_path, change):
    with pytest.raises(DataError):
        read_source(replace(made, **change), tmp_path)


def test_a_stopped_run_goes_on_from_its_cache(made, tmp_path, monkeypatch):
    recipe = replace(RECIPE, distortions=(BLUR,))
    whole = list(measure_source(recipe, made, tmp_path, tmp_path / "one"))
    part = measure_source(recipe, made, tmp_path, tmp_path / "two")
    next(part)
    part.close()
    again = list(measure_source(recipe, made, tmp_path, tmp_path / "two"))
    assert Corpus(tuple(whole)).sha256 == Corpus(tuple(again)).sha256
    monkeypatch.setattr(features, "distort", None)
    assert Corpus(tuple(measure_source(recipe, made, tmp_path, tmp_path / "two"))).sha256 == Corpus(tuple(whole)).sha256


def test_the_cache_knows_settings_from_each_other():
    keys = {
        cache_key(source("a"), BLUR, 1.0),
        cache_key(source("b"), BLUR, 1.0),
        cache_key(source("a"), BLUR, 2.0),
        cache_key(source("a"), replace(BLUR, scale=0.5), 1.0),
        cache_key(replace(source("a"), bits=10), BLUR, 1.0),
    }
    assert len(keys) == 5
    assert cache_key(source("a", "test"), replace(BLUR, levels=(1.0, 9.0)), 1.0) in keys


@pytest.mark.parametrize("bits", [8, 10])
@pytest.mark.parametrize("item", RECIPE.distortions, ids=lambda item: item.name)
def test_distortions_keep_the_format_and_repeat_themselves(item, bits):
    clip = [Frame(planes, bits, index) for index, planes in enumerate(natural("pips2_camel", 112, 80, 4, bits))]
    level = item.levels[len(item.levels) // 2]
    one, other = distort(clip, item, level), distort(clip, item, level)
    assert [frame.luma.shape for frame in one] == [(80, 112)] * 4
    assert {(frame.bits, frame.luma.dtype) for frame in one} == {(bits, clip[0].luma.dtype)}
    assert all(np.array_equal(a.luma, b.luma) for a, b in zip(one, other, strict=True))
    same = all(np.array_equal(a.luma, b.luma) for a, b in zip(one, clip, strict=True))
    assert same == (item.kind == "identical")


def test_an_unknown_distortion_is_refused():
    with pytest.raises(UnknownNameError, match="blur"):
        distort([Frame((np.zeros((16, 16), np.uint8),), 8, 0)], Distortion("x", "blurr", (1.0,)), 1.0)


def test_depth_changes_round_to_the_nearest_and_stay_in_range():
    deep = Frame((np.array([[0, 1, 2, 5, 6, 1022, 1023]], np.uint16),), 10, 0)
    assert at_depth(deep, 8).luma.tolist() == [[0, 0, 1, 1, 2, 255, 255]]
    assert at_depth(at_depth(deep, 12), 10).luma.tolist() == deep.luma.tolist()


def test_the_gradient_is_that_of_the_loss():
    problem = _problem(toy("train", 1), TEACHER, settings(order_weight=50.0), np.full(6, 0.5), np.full(6, 0.4))
    start = random_weights((6, 5, 4), np.random.default_rng(3))
    value, gradient = problem.loss(start.flat, start)
    step = 1e-6 * np.random.default_rng(4).standard_normal(start.count)
    ahead, behind = (problem.loss(start.flat + side * step, start)[0] for side in (1, -1))
    assert value > 0
    assert (ahead - behind) / 2 == pytest.approx(gradient @ step, rel=1e-4)


def test_the_same_corpus_gives_the_same_file_and_another_seed_another():
    train, selection, lines = toy("train", 1), toy("selection", 2), []
    files = [
        to_onnx(fit(train, selection, TEACHER, settings(seed=seed), lines.append), "toy", "A toy.")
        for seed in (5, 5, 6)
    ]
    assert files[0] == files[1] != files[2]
    assert len(lines) == 6


def test_the_file_computes_what_was_fitted_and_lifts_only_identity():
    train = toy("train", 1)
    fusion = fit(train, toy("selection", 2), TEACHER, settings(), lambda line: None)
    model = TinyModel(open_bytes(to_onnx(fusion, "toy", "A toy.")))
    fitted = np.clip(fusion.predict(train.table), 0, 100)
    np.testing.assert_allclose(model.predict(train.table), fitted, atol=1e-3)
    assert model.predict(np.array([[1, 1, 1, 1, 1, 0.0]])) == pytest.approx(100, abs=1e-4)


def test_rises_are_counted_against_the_lowest_milder_level():
    def at(level, adm):
        return Clip(source("a"), BLUR, level, np.full((3, 6), adm))

    clips = [at(0.5, 90), at(1.0, 70), at(2.0, 80), at(3.0, 75)]
    found = order(clips, lambda table: table[:, 0])
    assert (found.steps, found.rises, found.largest, found.where) == (3, 2, 10, ("a blur",))
    assert not levels_in_order([replace(clip, distortion=replace(BLUR, ordered=False)) for clip in clips])


def test_figures():
    wanted = np.array([10.0, 20, 30, 90])
    exact = agreement(wanted + np.array([1, -1, 1, -1]), wanted)
    assert exact["rmse"] == exact["max_error"] == 1
    assert exact["plcc"] > 0.999
    assert exact["srocc"] == pytest.approx(1)
    low, high = intervals({"a": (wanted + 1, wanted), "b": (wanted + 3, wanted)}, 0)["rmse"]
    assert (low, high) == pytest.approx((1, 3))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [(["--data", "absent"], "Check --data"), (["--data", ".", "--jobs", "0"], "1 or more"), ([], "--data")],
)
def test_a_wrong_command_ends_with_one_line_and_code_2(tmp_path, monkeypatch, capfd, arguments, said):
    for name, value in ONE_THREAD.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("sys.argv", ["train", "--out", str(tmp_path), *arguments])
    try:
        code = main()
    except SystemExit as stop:
        code = stop.code
    output = capfd.readouterr().err
    assert code == 2
    assert said in output
    assert "Traceback" not in output
