"""Features on worker threads: order, chunks, sub-sampling, errors, memory."""

from __future__ import annotations

import gc
import threading
import time
import weakref

import numpy as np
import pytest

import denoisers
import saliency_models
from clips import degrade, natural, pairs
from tinyvmaf import _catalogue
from tinyvmaf.errors import MismatchError, UnknownNameError, UsageError
from tinyvmaf.features.base import Feature, Option
from tinyvmaf.models.recipes import RECIPES
from tinyvmaf.score import pipeline
from tinyvmaf.score.model import ModelInput
from tinyvmaf.score.pipeline import input_key, make_feature, measure, needed_features
from tinyvmaf.video.frame import Frame, FramePair

FEATURES = [name for name in _catalogue.names("tinyvmaf.features") if name not in RECIPES]
"""Those that need no weights, or none that are pulled."""


class Number(Feature):
    """The number of the pair, after a pause that shuffles the order in which tasks end."""

    name = "number"
    provides = ("number",)
    options = (Option("pause", 0.0),)

    def update(self, pair):
        time.sleep(float(self.values["pause"]) * ((7 * pair.index) % 5))
        return [float(pair.index)]


class Seen(Number):
    """What a temporal feature is shown: the pair's number and that of the frame before it."""

    name = "seen"
    provides = ("seen", "before")
    temporal = True

    def update(self, pair):
        return [float(pair.index), -1.0 if pair.previous is None else float(pair.previous.index)]

    def aggregate(self, partials):
        return {"count": float(len(partials))}


def _stream(count, height=16, width=16, born=None):
    previous = None
    for index in range(count):
        frames = [Frame((np.full((height, width), index % 256, np.uint8),), 8, index) for _ in "rd"]
        if born is not None:
            for frame in frames:
                born.append(weakref.ref(frame.luma))
        yield FramePair(*frames, index, previous)
        previous = frames[0]


@pytest.mark.parametrize("threads", [1, 2, 4])
def test_columns_are_in_frame_order_whatever_ends_first(threads, monkeypatch):
    monkeypatch.setattr(pipeline, "CHUNK_FRAMES", 2)
    done = measure(_stream(23), [Number(pause=0.001), Seen()], threads=threads)
    assert done.columns["number"].tolist() == list(range(23))
    assert done.columns["before"].tolist() == list(range(-1, 22))
    assert done.frame_numbers == list(range(23))
    assert done.frames == 23


@pytest.mark.parametrize("count", [1, 7, 8, 9, 16, 17])
def test_chunks_lose_no_frame(count):
    assert measure(_stream(count), [Number()], threads=2).columns["number"].tolist() == list(range(count))


def test_large_frames_travel_one_by_one(monkeypatch):
    sizes = []
    work = pipeline._Collector.work
    monkeypatch.setattr(pipeline._Collector, "work", lambda self, chunk: sizes.append(len(chunk)) or work(self, chunk))
    measure(_stream(5, 1024, 1025), [Number()])
    assert sizes == [1] * 5


@pytest.mark.parametrize("step", [1, 2, 3, 10, 50])
def test_subsample_leaves_temporal_features_every_frame(step):
    done = measure(_stream(20), [Number(), Seen()], threads=2, subsample=step)
    wanted = list(range(0, 20, step))
    assert done.frame_numbers == wanted
    assert done.columns["number"].tolist() == done.columns["seen"].tolist() == wanted
    assert done.columns["before"].tolist() == [number - 1 for number in wanted]
    assert done.aggregates == {"count": len(wanted)}
    assert done.frames == 20


def test_progress_counts_frames_on_the_calling_thread():
    told = []
    measure(_stream(20), [Number()], threads=2, progress=lambda done: told.append((done, threading.current_thread())))
    assert [done for done, _ in told] == [8, 16, 20]
    assert {thread for _, thread in told} == {threading.current_thread()}


def _workers():
    return [t for t in threading.enumerate() if t.name.startswith("tinyvmaf-score")]


@pytest.mark.parametrize("place", ["feature", "pairs", "progress"])
def test_errors_reach_the_caller_and_threads_end(place):
    class Broken(Number):
        def update(self, pair):
            if place == "feature" and pair.index == 9:
                raise ArithmeticError(place)
            return super().update(pair)

    def broken_pairs():
        yield from _stream(12)
        if place == "pairs":
            raise ArithmeticError(place)

    def progress(done):
        if place == "progress":
            raise ArithmeticError(place)

    with pytest.raises(ArithmeticError, match=place):
        measure(broken_pairs(), [Broken()], threads=3, progress=progress)
    assert not _workers()


def test_threads_end_after_a_good_run():
    measure(_stream(9), [Number()], threads=3)
    assert not _workers()


def test_an_interrupt_waits_for_nothing(monkeypatch):
    started, stopped, seen = threading.Event(), threading.Event(), []

    class Endless(Number):
        def update(self, pair):
            seen.append(pair.index)
            if len(seen) > 1:  # the first look only warms up
                started.set()
                assert stopped.wait(30)
            return [0.0]

        def stop(self):
            stopped.set()

    def interrupted():
        yield from _stream(4)
        assert started.wait(30)
        raise KeyboardInterrupt

    monkeypatch.setattr(pipeline, "CHUNK_FRAMES", 4)
    with pytest.raises(KeyboardInterrupt):
        measure(interrupted(), [Endless()])
    assert seen == [0, 0]


def _alive(born):
    return sum(one() is not None for one in born)


def test_memory_does_not_follow_the_length_of_the_clip():
    born, most, threads = [], 0, 2

    def counted():
        nonlocal most
        for pair in _stream(300, 256, 512, born):
            most = max(most, _alive(born))
            yield pair

    measure(counted(), [Number(), Seen()], threads=threads)
    chunk = 2 * min(pipeline.CHUNK_FRAMES, pipeline.CHUNK_SAMPLES // (256 * 512))
    assert most <= chunk * (threads + 4)
    gc.collect()
    assert _alive(born) <= 2
    assert len(born) == 600


def test_an_empty_clip_has_no_columns_to_speak_of():
    done = measure([], [Number()])
    assert done.frames == 0
    assert done.columns["number"].shape == (0,)


def test_frames_too_small_for_a_feature_are_refused():
    with pytest.raises(MismatchError, match="at least 176 x 176 samples, but these are 64 x 200"):
        measure(_stream(2, 200, 64), [make_feature("ms_ssim")])


def test_threads_and_chunks_do_not_change_a_bit(monkeypatch, tmp_path):
    monkeypatch.setenv(denoisers.VARIABLE, str(denoisers.write(tmp_path)))
    monkeypatch.setenv(saliency_models.VARIABLE, str(saliency_models.write(tmp_path)))
    reference = natural("mdn_flower", 192, 178, 9)
    clip = pairs(reference, degrade(reference))
    results = []
    for threads, frames in ((1, 8), (4, 8), (4, 1), (2, 3)):
        monkeypatch.setattr(pipeline, "CHUNK_FRAMES", frames)
        results.append(measure(clip, [make_feature(name) for name in FEATURES], threads=threads).columns)
    for other in results[1:]:
        assert list(other) == list(results[0])
        assert all(np.array_equal(other[key], column) for key, column in results[0].items())


def test_features_are_measured_once():
    class Model:
        inputs = (ModelInput("vif", "vif_scale0"), ModelInput("vif", "vif_scale1"), ModelInput("motion", "motion2"))

    wanted = needed_features([Model(), Model()], [make_feature("vif"), make_feature("vif", {"vif_enhn_gain_limit": 1})])
    assert [feature.keys[0] for feature in wanted] == ["vif_scale0", "motion", "vif_scale0_egl_1"]
    assert input_key(ModelInput("adm", "adm2", (("adm_enhn_gain_limit", "1.0"),))) == "adm2_egl_1"


def test_making_features():
    assert make_feature("psnr", {"enable_chroma": "false"}).keys == ("psnr_y",)
    with pytest.raises(UnknownNameError, match="Did you mean psnr"):
        make_feature("pnsr")
    with pytest.raises(UnknownNameError, match="no option 'x'"):
        make_feature("psnr", {"x": 1})
    with pytest.raises(UsageError, match="takes a bool"):
        make_feature("psnr", {"enable_chroma": 3})
