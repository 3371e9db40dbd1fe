"""From files to shots: every layout, every clock, every way to be wrong."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from clips import natural
from thumbs import BEDROOM, BEE, FLOWER
from tinyvmaf.errors import ContractError, UnknownNameError, UnreadableVideoError, UsageError
from tinyvmaf.models import paths
from tinyvmaf.video.base import Video
from tinyvmaf.video.raw import RawFormat
from tinyvmaf.video.reader import open_arrays, open_video
from tinyvmaf.vision import detect
from tinyvmaf.vision.detect import Shortest, detect_shots
from video_files import encode, write_raw, y4m_bytes

CUT = 13


def film(bits=8, chroma="420", width=96, height=54):
    """A cut at frame 13 of 30."""
    first, second = (natural(clip, width, height, 17, bits, chroma) for clip in (FLOWER, BEE))
    return first[:CUT] + second


@pytest.mark.parametrize(("bits", "chroma"), [(8, "420"), (10, "420"), (12, "422"), (16, "444"), (8, "400")])
def test_every_layout_has_the_same_shots(bits, chroma):
    shots = detect_shots(open_arrays(film(bits, chroma), bits=bits), "content")
    assert [(shot.first, shot.last) for shot in shots] == [(0, CUT - 1), (CUT, 29)]
    assert (shots[0].start, shots.frame_rate, shots.detector) == (None, None, "content")
    assert shots.probabilities.shape == shots.inside.shape == (30,)


def test_odd_sizes():
    assert detect_shots(open_arrays(film(width=101, height=57)), "content").boundaries == (CUT,)


def test_a_rate_that_is_given_makes_a_clock(tmp_path):
    path = write_raw(tmp_path / "film.yuv", film())
    shots = detect_shots(path, "content", raw=RawFormat(96, 54), frame_rate=Fraction(50))
    assert (shots[1].start, shots[1].end) == pytest.approx((0.26, 0.6))


def test_a_rate_that_is_stated_counts(tmp_path):
    (tmp_path / "film.y4m").write_bytes(y4m_bytes(film()))
    shots = detect_shots(tmp_path / "film.y4m", "content", frame_rate=Fraction(50))
    assert (shots[1].start, shots.frame_rate) == (pytest.approx(0.52), 25)


def test_a_variable_rate_keeps_its_times(tmp_path):
    times = [Fraction(n, 25) + (Fraction(3, 10) if n >= 10 else 0) + Fraction(5) for n in range(30)]
    path = encode(tmp_path / "film.mkv", film(), times=times)
    shots = detect_shots(path, "content")
    assert shots.boundaries == (CUT,)
    assert shots[1].start == pytest.approx(13 / 25 + 0.3, abs=2e-3)


def test_short_shots_are_joined():
    frames = film()[: CUT + 4] + natural(BEDROOM, 96, 54, 10)
    clip = open_arrays(frames, frame_rate=Fraction(25))
    assert detect_shots(clip, "content").boundaries == (CUT, CUT + 4)
    for least in (5, Shortest(frames=5), Shortest(seconds=0.17)):
        shots = detect_shots(open_arrays(frames, frame_rate=Fraction(25)), "content", min_length=least)
        assert len(shots) == 2


@pytest.mark.parametrize(
    ("how", "says"),
    [
        ({"threshold": 1.0}, "at least 0 and below 1, not 1"),
        ({"threshold": -0.1}, "not -0.1"),
        ({"threshold": float("nan")}, "not nan"),
        ({"min_length": 0}, "1 frame or more, not 0"),
        ({"min_length": Shortest(seconds=float("inf"))}, "no negative length"),
        ({"detector": "scdet"}, "There are: transnet_v2, content, auto"),
    ],
)
def test_arguments_are_checked_before_anything_is_read(how, says):
    with pytest.raises(UsageError, match=says):
        detect_shots("none.mkv", **{"detector": "content"} | how)


class Empty(Video):
    """A video without frames."""

    def _frames(self, start):
        return iter(())

    def close(self):
        """Do nothing."""


def test_a_video_without_frames_is_refused():
    with pytest.raises(UnreadableVideoError, match="At least one frame is needed"):
        detect_shots(Empty(open_arrays(film()).facts), "content")


def test_the_video_is_closed_whatever_happens(tmp_path):
    (tmp_path / "film.y4m").write_bytes(y4m_bytes(film()))
    video, seen = open_video(tmp_path / "film.y4m"), []
    closed = []
    video.close, close = lambda: closed.append(close()), video.close

    def progress(done):
        seen.append(done)
        if done == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        detect_shots(video, "content", progress=progress)
    assert seen == [1, 2, 3, 4, 5]
    assert closed


class TestWithoutTheModel:
    @pytest.fixture(autouse=True)
    def empty(self, tmp_path, monkeypatch):
        monkeypatch.setenv(paths.DATA, str(tmp_path))

    def test_the_message_names_both_ways_out(self):
        with pytest.raises(
            UnknownNameError, match=r"models pull transnet_v2.*--detector content, which needs no model"
        ):
            detect_shots(open_arrays(film()))

    def test_auto_does_without(self):
        shots = detect_shots(open_arrays(film()), "auto")
        assert (shots.detector, shots.boundaries) == ("content", (CUT,))


class Stub:
    """A network that sees a cut where neighbours differ much."""

    def __init__(self, any_length):
        self.any_length, self.lengths = any_length, []

    def __call__(self, thumbnails):
        self.lengths.append(len(thumbnails))
        jumps = np.abs(np.diff(thumbnails.astype(float), axis=0)).mean(axis=(1, 2, 3)) > 10
        return np.repeat(np.append(jumps, False)[:, None] * 0.9, 2, axis=1)


@pytest.mark.parametrize(
    ("any_length", "original", "lengths"),
    [(True, False, [65]), (True, True, [100]), (False, False, [100])],
)
def test_the_network_sees_windows_that_it_can_take(any_length, original, lengths, monkeypatch, pulled):
    pulled("transnet_v2")
    network = Stub(any_length)
    monkeypatch.setattr(detect, "TransNet", lambda session: network)
    shots = detect_shots(open_arrays(film()), original=original)
    assert (shots.boundaries, shots.detector, network.lengths) == ((CUT,), "transnet_v2", lengths)


def test_the_real_network_finds_the_cut(pulled):
    pulled("transnet_v2")
    shots = detect_shots(open_arrays(film()), threads=1)
    assert shots.boundaries == (CUT,)
    assert shots.probabilities[CUT - 1] > 0.9


def test_another_model_is_refused(pulled):
    pulled("u2netp")
    with pytest.raises(ContractError, match="A model of shots takes float32"):
        detect_shots(open_arrays(film()), model="u2netp")
