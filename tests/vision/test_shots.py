"""From probabilities to shots."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reference import shots as slow
from tinyvmaf.vision.shots import Shot, Shots, frame_edges, merged, runs, scenes, shots_between

RATE = Fraction(25)


def peaks(length, **at):
    """Probabilities that are 0.01 but for those named, such as f10=0.9."""
    column = np.full(length, 0.01)
    for name, value in at.items():
        column[int(name[1:])] = value
    return column


@given(st.lists(st.sampled_from([0.0, 0.5, 0.51, 1.0]), min_size=1, max_size=14))
def test_scenes_are_those_of_the_authors(probabilities):
    assert scenes(np.array(probabilities)) == slow.scenes(probabilities)


def test_the_threshold_must_be_passed():
    assert scenes(peaks(20, f9=0.5)) == [(0, 19)]
    assert scenes(peaks(20, f9=0.500001)) == [(0, 9), (10, 19)]
    assert scenes(peaks(20, f9=0.5), 0.4) == [(0, 9), (10, 19)]


def test_frames_of_a_transition_belong_to_the_shot_that_ends():
    assert scenes(peaks(30, f9=0.9, f10=0.8, f11=0.7)) == [(0, 9), (12, 29)]
    assert shots_between([12], frame_edges([np.nan] * 30, RATE))[0] == Shot(0, 11, 0.0, 0.48)


@given(st.sets(st.integers(1, 13)))
def test_shots_cover_every_frame_once(firsts):
    shots = shots_between(sorted(firsts), frame_edges([np.nan] * 14, None))
    assert [frame for shot in shots for frame in range(shot.first, shot.last + 1)] == list(range(14))
    assert {shot.first for shot in shots} == {0, *firsts}


@given(st.lists(st.booleans(), max_size=12))
def test_runs_are_where_the_flags_are(flags):
    found = runs(np.array(flags, dtype=bool))
    assert [frame for first, end in found for frame in range(first, end)] == [i for i, flag in enumerate(flags) if flag]
    assert all(end < first for (_, end), (first, _) in pairwise(found))


class TestMerging:
    column = peaks(100, f19=0.9, f24=0.6, f59=0.8, f97=0.7)
    edges = frame_edges(np.arange(100) / 25, RATE)

    def joined(self, **limits):
        return merged([20, 25, 60, 98], self.column, self.edges, **limits)

    def test_nothing_is_short(self):
        assert self.joined() == [20, 25, 60, 98]

    def test_the_less_probable_boundary_of_a_short_shot_goes(self):
        assert self.joined(min_frames=3) == [20, 25, 60]  # the last shot has one boundary only
        assert self.joined(min_frames=6) == [20, 60]
        assert self.joined(min_frames=21) == [60]
        assert self.joined(min_frames=101) == []

    def test_seconds_need_a_clock(self):
        assert self.joined(min_seconds=0.24) == [20, 60]
        edges = frame_edges([np.nan] * 100, None)
        assert merged([20, 25, 60, 98], self.column, edges, min_seconds=0.24) == [20, 25, 60, 98]


class TestTimes:
    def test_they_count_from_the_first_frame(self):
        assert frame_edges([10.0, 10.04, 10.08], RATE) == pytest.approx([0, 0.04, 0.08, 0.12])

    def test_a_variable_rate_is_kept(self):
        assert frame_edges([0.0, 0.1, 0.5], None).tolist() == pytest.approx([0, 0.1, 0.5, 0.9])

    @pytest.mark.parametrize("times", [[0.0, np.nan, 0.08], [0.0, 0.04, 0.04], [0.08, 0.04, 0.0]])
    def test_broken_ones_follow_from_the_rate(self, times):
        assert frame_edges(times, RATE) == pytest.approx([0, 0.04, 0.08, 0.12])
        assert np.isnan(frame_edges(times, None)).all()

    def test_shots_without_a_clock_have_none(self):
        assert shots_between([2], frame_edges([np.nan] * 3, None)) == (Shot(0, 1), Shot(2, 2))
        assert shots_between([], frame_edges([0.0], None)) == (Shot(0, 0, 0.0, None),)


def test_shots_are_a_sequence():
    shots = Shots((Shot(0, 4, 0.0, 0.2), Shot(5, 5, 0.2, 0.24)))
    assert (len(shots), shots[1].frames, shots.frames, shots.boundaries) == (2, 1, 6, (5,))
    assert [shot.first for shot in shots] == [0, 5]
    assert Shots(()).frames == 0


def test_many_short_shots_are_joined_in_no_time():
    """Flicker has a boundary at every frame: looking through all of them for each one to go would take minutes."""
    frames = 40_000
    left = merged(range(1, frames), np.random.default_rng(1).random(frames), frame_edges([np.nan] * frames, None), 24)
    assert min(np.diff([0, *left, frames])) >= 24
