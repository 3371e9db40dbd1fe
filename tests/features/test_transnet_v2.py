"""Shot boundaries as a feature: whole clips in order, whatever frames are scored and on how many threads."""

from __future__ import annotations

import shutil
import threading

import numpy as np
import pytest

from cli_runs import call, column, log_of, write_pair
from clips import degrade, natural, pairs
from reference import shots as slow
from thumbs import BEE, FLOWER
from tinyvmaf.errors import ContractError, UnknownNameError, UsageError
from tinyvmaf.features import transnet_v2
from tinyvmaf.models import paths
from tinyvmaf.score.pipeline import make_feature, measure
from tinyvmaf.video.frame import Colour
from tinyvmaf.video.pictures import RgbScaler

KEYS = ("shot_boundary_probability", "shot_boundary")
CUT = 17


@pytest.fixture(autouse=True)
def model(pulled):
    return pulled("transnet_v2")


def clip(frames=64, width=64, height=36):
    """A cut behind frame 17."""
    return natural(FLOWER, width, height, CUT + 1) + natural(BEE, width, height, frames - CUT - 1)


class Stub:
    """In place of the network: what comes out tells a frame and its place in the window."""

    any_length = False

    def __init__(self, session):
        self.session, self.windows = session, 0

    def __call__(self, thumbnails):
        self.windows += 1
        means = thumbnails.mean(axis=(1, 2, 3)) / 256
        return np.column_stack([means, means + np.arange(100) / 1e4])


@pytest.fixture
def stub(monkeypatch):
    monkeypatch.setattr(transnet_v2, "TransNet", Stub)


def thumbnails(frames):
    scaler = RgbScaler(48, 27, Colour())
    return np.stack([scaler(pair.reference) for pair in pairs(frames, frames)])


def test_a_cut_is_marked_at_the_last_frame_of_the_shot():
    frames = clip(30)
    columns = measure(pairs(frames, degrade(frames, 40)), [make_feature("transnet_v2")], threads=2).columns
    assert tuple(columns) == KEYS
    assert columns[KEYS[1]].nonzero()[0].tolist() == [CUT]
    assert columns[KEYS[0]][CUT] > 0.9
    assert (columns[KEYS[1]] == (columns[KEYS[0]] >= 0.5)).all()


@pytest.mark.parametrize("frames", [1, 26, 64])
def test_the_procedure_is_that_of_the_authors(frames, stub):
    shown = natural(BEE, 64, 36, frames)
    columns = measure(pairs(shown, shown), [make_feature("transnet_v2")]).columns
    assert np.array_equal(columns[KEYS[0]], slow.predictions(thumbnails(shown), Stub(None))[:, 0])


def test_the_distorted_clip_does_not_count(stub):
    frames = clip(20)
    feature = make_feature("transnet_v2")
    one, other = (measure(pairs(frames, d), [feature]).columns for d in (frames, degrade(frames, 50)))
    assert np.array_equal(one[KEYS[0]], other[KEYS[0]])


@pytest.mark.parametrize("threads", [1, 3])
def test_frames_that_are_not_scored_are_seen(threads, stub):
    frames = clip()
    whole = measure(pairs(frames, frames), [make_feature("transnet_v2")]).columns
    some = measure(pairs(frames, frames), [make_feature("transnet_v2")], threads=threads, subsample=5).columns
    for key in KEYS:
        assert np.array_equal(some[key], whole[key][::5])


def test_clips_side_by_side_share_nothing(stub):
    feature, clips = make_feature("transnet_v2"), [pairs(clip(n), clip(n)) for n in (30, 64, 41)]
    wanted = [measure(one, [make_feature("transnet_v2")]).columns[KEYS[0]] for one in clips]
    found = {}

    def work(number):
        found[number] = measure(clips[number], [feature]).columns[KEYS[0]]

    threads = [threading.Thread(target=work, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(np.array_equal(found[number], wanted[number]) for number in range(3))


def test_matrix_and_range_are_options(stub):
    frames = clip(5)
    plain = measure(pairs(frames, frames), [make_feature("transnet_v2")]).columns[KEYS[0]]
    for options, same in (({"matrix": "bt601", "range": "limited"}, True), ({"matrix": "bt709"}, False)):
        found = measure(pairs(frames, frames), [make_feature("transnet_v2", options)]).columns[KEYS[0]]
        assert np.array_equal(found, plain) is same


def test_the_file_may_be_named(tmp_path, monkeypatch):
    for ending in (".onnx", ".json"):
        shutil.copy(paths.store_folder() / f"transnet_v2{ending}", tmp_path / f"own{ending}")
    monkeypatch.setenv(paths.DATA, str(tmp_path / "empty"))
    with pytest.raises(UnknownNameError, match=r"Run: tinyvmaf models pull transnet_v2"):
        make_feature("transnet_v2")
    assert make_feature("transnet_v2", {"model_path": str(tmp_path / "own.onnx")}).keys == KEYS
    monkeypatch.setenv(transnet_v2.ENVIRONMENT, str(tmp_path / "own.onnx"))
    assert make_feature("transnet_v2").keys == KEYS
    monkeypatch.setenv(transnet_v2.ENVIRONMENT, str(tmp_path / "none.onnx"))
    with pytest.raises(UsageError, match=r"none at '.*none.onnx'. .*VMAF_TRANSNET_V2_MODEL_PATH"):
        make_feature("transnet_v2")


def test_another_model_is_refused():
    with pytest.raises(ContractError, match="A model of shots takes"):
        make_feature("transnet_v2", {"model_path": str(paths_of_vmaf_tiny())})


def paths_of_vmaf_tiny():
    from tinyvmaf.models.registry import data_folder

    return data_folder() / "vmaf_tiny.onnx"


def test_the_command_line_logs_both_columns(stub, tmp_path):
    frames = clip(20)
    options = write_pair(tmp_path, frames, degrade(frames, 40))
    log = log_of(tmp_path, *options, "--no_prediction", "--feature", "transnet_v2=matrix=bt709", "--subsample", "3")
    assert len(column(log, KEYS[0])) == 7
    done = call("tinyvmaf", "score", options[1], options[3], "--with", "transnet_v2", "--model", "vmaf_v0.6.1")
    assert done.code == 0
    assert KEYS[1] in done.out
