"""Cuts without a model."""

from __future__ import annotations

import numpy as np
import pytest

from thumbs import BEE, FLOWER, scene, still_life
from tinyvmaf.vision.content import Content
from tinyvmaf.vision.shots import scenes


def watched(frames):
    content = Content()
    found = [content.add(frame) for frame in frames]
    found.append(content.finish())
    return np.concatenate(found)


def cuts(frames):
    """First frames of all shots but the first."""
    return [first for first, _ in scenes(watched(frames)[:, 0])[1:]]


@pytest.mark.parametrize("at", [2, 3, 10, 28, 29])
def test_a_cut_is_found_at_its_frame(at):
    frames = np.concatenate([still_life(FLOWER, at), still_life(BEE, 30 - at)])
    assert watched(frames).shape == (30, 2)
    assert cuts(frames) == [at]


def test_neither_stills_nor_motion_are_cuts():
    assert not watched(scene(0, 40)[:1].repeat(40, axis=0)).any()
    for clip in (FLOWER, BEE):
        assert watched(still_life(clip, 40))[:, 0].max() < 0.5


@pytest.mark.parametrize("length", [1, 2])
def test_a_flash_is_no_cut(length):
    frames = still_life(FLOWER, 40)
    frames[20 : 20 + length] = 250
    assert cuts(frames) == []


def test_motion_to_the_very_end_is_no_cut():
    shaken = [np.roll(frame, 9 * (-1) ** n, axis=1) for n, frame in enumerate(still_life(FLOWER, 40))]
    assert cuts(shaken) == []


def test_no_frames_have_no_probabilities():
    assert Content().finish().shape == (0, 2)
