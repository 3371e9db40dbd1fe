from __future__ import annotations

import functools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clips import degrade, golden, natural, padded, pairs, random_weights, spread
from oracles.libvmaf import libvmaf
from reference.ms_ssim import ms_ssim as slow_ms_ssim
from tinyvmaf.errors import MismatchError, UsageError
from tinyvmaf.features.ms_ssim import MINIMUM_SIZE, MsSsim, combine
from tinyvmaf.video.frame import cells

CASES = [
    (8, "420", 576, 324),
    (8, "420", 321, 243),
    (10, "422", 719, 403),
    (12, "420", 177, 176),
    (16, "444", 576, 324),
]


@functools.cache
def _clip(bits=8, chroma="420", width=200, height=180, frames=2, crf=35):
    reference = natural("mdn_flower", width, height, frames, bits, chroma)
    return reference, degrade(reference, crf, bits, chroma)


def _columns(reference, distorted, bits=8, weights=None, **options):
    feature = MsSsim(**options)
    return feature.compute([feature.update(pair) for pair in pairs(reference, distorted, bits, weights)])


@pytest.mark.parametrize(("bits", "chroma", "width", "height"), CASES)
def test_equals_libvmaf(bits, chroma, width, height):
    reference, distorted = _clip(bits, chroma, width, height)
    theirs = libvmaf(reference, distorted, bits=bits, chroma=chroma, features=["float_ms_ssim=enable_lcs=true"])
    ours = _columns(reference, distorted, bits, enable_lcs=True)
    assert len(ours) == 16
    for key, column in ours.items():
        np.testing.assert_allclose(column, theirs[f"float_{key}"], atol=1e-5)


@pytest.mark.parametrize("clip", ["hdr10_1080p", "sam2_dog", "openh264_VID_1080p"])
def test_equals_libvmaf_on_other_contents(clip):
    reference = natural(clip, 960, 541, 2)
    distorted = degrade(reference, 40)
    theirs = libvmaf(reference, distorted, features=["float_ms_ssim"])
    np.testing.assert_allclose(_columns(reference, distorted)["ms_ssim"], theirs["float_ms_ssim"], atol=1e-5)


@pytest.mark.parametrize("clip_db", ["true", "false"])
def test_decibels_equal_libvmaf(clip_db):
    reference, distorted = _clip()
    distorted = [reference[0], distorted[1]]
    text = f"float_ms_ssim=enable_db=true:clip_db={clip_db}"
    theirs = libvmaf(reference, distorted, features=[text])["float_ms_ssim"]
    ours = _columns(reference, distorted, enable_db=True, clip_db=clip_db)["ms_ssim"]
    assert ours[1] == pytest.approx(theirs[1], abs=1e-4)
    assert ours[0] == (theirs[0] if clip_db == "true" else math.inf)


@pytest.mark.parametrize("name", ["src01_10", "src01_12", "src01_16"])
def test_published_score(name):
    pair = golden(name)
    assert _columns(pair.reference, pair.distorted, pair.bits)["ms_ssim"].mean() == pytest.approx(0.974749, abs=1e-5)


@pytest.mark.parametrize(("bits", "weighted"), [(8, False), (8, True), (10, False), (16, True)])
def test_equals_the_slow_twin(bits, weighted):
    reference, distorted = _clip(bits, "420", 203, 177)
    weights = random_weights(1, 177, 203) if weighted else None
    plane = None if weights is None else spread(weights, 177, 203)
    expected = slow_ms_ssim(reference[0][0], distorted[0][0], bits, plane)
    ours = _columns([padded(reference[0])], [padded(distorted[0], 9)], bits, weights)["ms_ssim"][0]
    assert ours == pytest.approx(expected, abs=5e-6)


def test_too_small_pictures_are_refused():
    assert MINIMUM_SIZE == MsSsim.minimum_size == 176
    small = (np.zeros((175, 300), np.uint8),)
    with pytest.raises(MismatchError, match="at least 176 x 176 samples, but has 300 x 175"):
        _columns([small], [small])


def test_weights_that_sum_to_zero_are_refused():
    reference, distorted = _clip()
    with pytest.raises(UsageError, match="sum to 0"):
        _columns(reference, distorted, 8, np.zeros((23, 25), np.float32))


def test_opposed_structure_scores_zero():
    assert combine([(0.0, 0.0, 0.0)] * 4 + [(0.0, 0.0, 1.5)]) == 0.0
    assert combine([(0.0, 0.0, 0.0)] * 5) == 1.0


def test_quality_falls_with_the_rate_factor():
    scores = [_columns(*_clip(8, "420", 320, 180, 1, crf))["ms_ssim"][0] for crf in (18, 28, 38, 48)]
    assert scores == sorted(scores, reverse=True)


@settings(deadline=None, max_examples=15)
@given(seed=st.integers(0, 2**32 - 1), strength=st.integers(1, 40), bits=st.sampled_from([8, 10]))
def test_properties(seed, strength, bits):
    plane = _clip(bits)[0][0][0]
    noise = np.random.default_rng(seed).normal(0, strength, plane.shape) * (1 << (bits - 8))
    other = np.clip(plane + noise, 0, (1 << bits) - 1).astype(plane.dtype)
    (value,) = _columns([(plane,)], [(other,)], bits)["ms_ssim"]
    assert 0.0 <= value < 1.0
    assert _columns([(other,)], [(plane,)], bits)["ms_ssim"][0] == value
    assert _columns([(other,)], [(other,)], bits)["ms_ssim"][0] == 1.0
    ones = np.ones(cells(*plane.shape), np.float32)
    assert _columns([(plane,)], [(other,)], bits, ones)["ms_ssim"][0] == pytest.approx(value, abs=1e-9)
