"""What the network says of transitions, put right by what frames look like."""

from __future__ import annotations

import numpy as np
import pytest

from thumbs import BEE, FLOWER, scene, still_life
from tinyvmaf.vision.layout import goes_on, layout
from tinyvmaf.vision.transitions import boundaries
from tinyvmaf.vision.wipes import wipes


def layouts(frames):
    return np.stack([layout(frame) for frame in frames])


def columns(length, inside=(), **ends):
    """Probabilities of `length` frames: 0.01, those named as f10=0.9 that a shot ends, and ranges that lie inside."""
    probabilities, between = np.full(length, 0.01), np.full(length, 0.01)
    for name, value in ends.items():
        probabilities[int(name[1:])] = between[int(name[1:])] = value
    for first, end, value in inside:
        between[first:end] = value
    return probabilities, between


def mixed(one, other, share):
    share = np.asarray(share)[:, None, None, None]
    return np.rint(one * (1 - share) + other * share).astype(np.uint8)


TWO = np.concatenate([still_life(FLOWER, 30), still_life(BEE, 30)])
"""A cut at frame 30."""


def test_a_cut_is_a_boundary():
    assert boundaries(*columns(60, f29=0.9), layouts(TWO), 0.5) == [30]
    assert boundaries(*columns(60, f29=0.5), layouts(TWO), 0.5) == []
    assert boundaries(*columns(60, f29=0.5), layouts(TWO), 0.4) == [30]


def test_a_long_dissolve_that_no_frame_stands_out_of_is_a_boundary():
    frames = mixed(still_life(FLOWER, 60), still_life(BEE, 60), np.clip((np.arange(60) - 24) / 12, 0, 1))
    found = columns(60, [(25, 37, 0.6)], f30=0.3, f29=0.2)
    assert boundaries(*found, layouts(frames), 0.5) == [31]
    assert boundaries(*columns(60, [(25, 37, 0.39)], f30=0.3), layouts(frames), 0.5) == []
    assert boundaries(*columns(60, [(30, 33, 0.9)], f30=0.3), layouts(frames), 0.5) == []


def test_a_fade_to_black_and_back_is_one_boundary():
    dark = np.clip(np.abs(np.arange(60) - 32) - 3, 0, 9) / 9
    frames = (TWO * dark[:, None, None, None]).astype(np.uint8)
    inside = [(20, 29, 0.8), (29, 35, 0.1), (35, 44, 0.8)]
    assert boundaries(*columns(60, inside, f22=0.6, f41=0.9), layouts(frames), 0.5) == [42]


def test_cuts_close_to_each_other_stay_two():
    frames = np.concatenate([still_life(FLOWER, 30), scene(3, 6), still_life(BEE, 24)])
    assert boundaries(*columns(60, f29=0.9, f35=0.9), layouts(frames), 0.5) == [30, 36]


@pytest.mark.parametrize("length", [1, 3, 8])
def test_a_flash_is_no_boundary(length):
    frames = still_life(FLOWER, 60)
    frames[29 : 29 + length] = frames[29 : 29 + length] // 8 + 220
    at = f"f{28 + length}"
    assert boundaries(*columns(60, [(28, 29 + length, 0.3)], f28=0.9, **{at: 0.9}), layouts(frames), 0.5) == []


@pytest.mark.parametrize("rows", [3, 6])
def test_a_letterbox_is_no_boundary(rows):
    frames = still_life(FLOWER, 60)
    frames[30:, :rows] = frames[30:, -rows:] = 0
    assert boundaries(*columns(60, f29=0.9), layouts(frames), 0.5) == []


def test_a_camera_that_shakes_is_no_boundary():
    frames = np.concatenate([still_life(FLOWER, 30), np.roll(still_life(FLOWER, 60)[30:], 6, axis=2)])
    assert boundaries(*columns(60, f29=0.9), layouts(frames), 0.5) == []


def test_what_differs_a_little_at_once_and_for_good_stays_a_cut():
    """A jump cut: nothing in between was any different."""
    frames = still_life(FLOWER, 60)
    frames[30:, 6:21, 12:36] //= 2
    assert not goes_on(layouts(frames), 29, 30)
    assert not goes_on(layouts(frames), 30, 30)


@pytest.mark.parametrize(("first", "end"), [(0, 1), (59, 60), (0, 60)])
def test_scenes_do_not_go_on_beyond_the_ends_of_a_video(first, end):
    assert not goes_on(layouts(still_life(FLOWER, 60)), first, end)


def swept(length, angle=0.0, soft=0.02):
    """One clip, then another behind an edge that crosses the picture from frame 40 on."""
    y, x = np.mgrid[:27, :48] / np.array([27, 48]).reshape(2, 1, 1)
    place = x * np.cos(angle) + y * np.sin(angle)
    place = (place - place.min()) / np.ptp(place)
    time = (np.arange(120) - 39) / (length + 1)
    share = ((time[:, None, None] * (1 + soft) - place) / soft).clip(0, 1)[..., None]
    return np.rint(still_life(FLOWER, 120) * (1 - share) + still_life(BEE, 120) * share).astype(np.uint8)


@pytest.mark.parametrize("length", [12, 16, 36])
@pytest.mark.parametrize("angle", [0.0, 1.0, 3.1, 4.7])
def test_wipes_are_found(length, angle):
    found = layouts(swept(length, angle))
    ((first, end),) = wipes(found)
    assert 36 <= first < end <= 44 + length
    (boundary,) = boundaries(*columns(120), found, 0.5)
    assert 40 <= boundary <= 40 + length


def test_a_wipe_that_the_network_sees_counts_once():
    inside = [(40, 56, 0.9)]
    assert boundaries(*columns(120, inside, f45=0.95), layouts(swept(16)), 0.5) == [46]


@pytest.mark.parametrize("length", [8, 24, 50])
def test_neither_cuts_nor_dissolves_nor_motion_are_wipes(length):
    share = np.clip((np.arange(120) - 40) / length, 0, 1)
    assert wipes(layouts(mixed(still_life(FLOWER, 120), still_life(BEE, 120), share))) == []
    assert wipes(layouts(TWO)) == []
    assert wipes(layouts(scene(2, 60))) == []
    assert wipes(layouts(still_life(FLOWER, 5))) == []


def test_layouts_are_means_of_tiles():
    frame = np.zeros((27, 48, 3), np.uint8)
    frame[3:6, 6:9] = (90, 60, 30)
    found = layout(frame)
    assert (found.shape, found.dtype) == ((9, 16), np.uint8)
    assert found[1, 2] == int(0.299 * 90 + 0.587 * 60 + 0.114 * 30)
    assert np.count_nonzero(found) == 1
