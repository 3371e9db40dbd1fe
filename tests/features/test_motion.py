from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clips import degrade, natural, pairs, random_weights, spread
from oracles.libvmaf import libvmaf
from reference.motion import motion as slow_motion
from tinyvmaf.features.motion import Motion
from tinyvmaf.score.pipeline import measure

CASES = [(8, "420", 576, 324), (8, "420", 321, 243), (10, "422", 481, 271), (12, "444", 160, 90), (16, "420", 64, 48)]


def _columns(frames, bits=8, weights=None, **options):
    feature = Motion(**options)
    return feature.compute([feature.update(pair) for pair in pairs(frames, frames, bits, weights)])


def _clip(seed, shape, count, bits=8):
    rng = np.random.default_rng(seed)
    dtype = np.uint8 if bits == 8 else np.uint16
    return [(rng.integers(0, 1 << bits, shape).astype(dtype),) for _ in range(count)]


@pytest.mark.parametrize(("bits", "chroma", "width", "height"), CASES)
def test_equals_libvmaf(bits, chroma, width, height):
    reference = natural("flutter_bee", width, height, 5, bits, chroma)
    theirs = libvmaf(reference, degrade(reference, 30, bits, chroma), bits=bits, chroma=chroma)
    ours = _columns(reference, bits)
    np.testing.assert_allclose(ours["motion2"], theirs["integer_motion2"], atol=2e-6)
    np.testing.assert_allclose(ours["motion"], theirs["VMAF_integer_feature_motion_sad_score"], atol=2e-6)


@pytest.mark.parametrize("shape", [(16, 16), (17, 35), (64, 200), (3, 700)])
@pytest.mark.parametrize("bits", [8, 10, 16])
def test_equals_the_slow_twin(shape, bits):
    clip = _clip(1, shape, 2, bits)
    np.testing.assert_allclose(_columns(clip, bits)["motion"][1], slow_motion(clip[0][0], clip[1][0], bits), rtol=1e-4)


def test_weights_equal_the_slow_twin():
    clip = _clip(2, (40, 60), 2)
    weights = random_weights(3, 40, 60)
    expected = slow_motion(clip[0][0], clip[1][0], weights=spread(weights, 40, 60))
    np.testing.assert_allclose(_columns(clip, weights=weights)["motion"][1], expected, rtol=1e-4)


@given(seed=st.integers(0, 1000))
@settings(max_examples=10, deadline=None)
def test_weights_of_one_change_nothing(seed):
    clip = _clip(seed, (40, 60), 3)
    ones = np.ones((5, 8), np.float32)
    for key, column in _columns(clip).items():
        np.testing.assert_array_equal(_columns(clip, weights=ones)[key], column)


@given(counts=st.integers(1, 6))
@settings(max_examples=6, deadline=None)
def test_motion2_is_the_smaller_of_two_neighbours(counts):
    columns = _columns(_clip(4, (20, 30), counts))
    motion, motion2 = columns["motion"], columns["motion2"]
    assert motion[0] == motion2[0] == 0
    for i in range(1, counts):
        following = motion[i + 1] if i + 1 < counts else motion[i]
        assert motion2[i] == min(motion[i], following)


def test_direction_of_time_does_not_matter():
    clip = _clip(5, (32, 48), 2)
    assert _columns(clip)["motion"][1] == pytest.approx(_columns(clip[::-1])["motion"][1], rel=1e-5)


def test_can_be_forced_to_zero():
    columns = _columns(_clip(6, (32, 48), 3), motion_force_zero=True)
    assert set(columns) == {"motion_force_0_1", "motion2_force_0_1"}
    assert not any(column.any() for column in columns.values())


def test_nothing_moves_in_a_still():
    clip = natural("mdn_flower", 211, 179, 1)
    columns = measure(pairs(clip * 4, clip * 4), [Motion()]).columns
    assert {key: column.tolist() for key, column in columns.items()} == {"motion": [0.0] * 4, "motion2": [0.0] * 4}
