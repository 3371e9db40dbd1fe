from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clips import degrade, natural, pairs, random_weights, spread
from features.test_vif import textures
from oracles.libvmaf import libvmaf
from reference.adm import adm as slow_adm
from tinyvmaf.errors import MismatchError
from tinyvmaf.features import adm
from tinyvmaf.features.adm import MAXIMUM_WIDTH, Adm
from tinyvmaf.features.kernels import adm as kernels

CASES = [
    (8, "420", 576, 324),
    (8, "420", 481, 271),
    (10, "422", 321, 243),
    (12, "444", 160, 90),
    (16, "420", 64, 48),
    (8, "420", 36, 34),
]


def _columns(reference, distorted, bits=8, weights=None, **options):
    feature = Adm(**options)
    return feature.compute([feature.update(pair) for pair in pairs(reference, distorted, bits, weights)])


def _scores(x, y, bits=8, weights=None, **options):
    return np.array([column[0] for column in _columns([(x,)], [(y,)], bits, weights, **options).values()])


@pytest.mark.parametrize("clip", ["sam2_dog", "openh264_VID_1080p"])
@pytest.mark.parametrize(("bits", "chroma", "width", "height"), CASES)
def test_equals_libvmaf(bits, chroma, width, height, clip):
    reference = natural(clip, width, height, 3, bits, chroma)
    distorted = degrade(reference, 35, bits, chroma)
    theirs = libvmaf(reference, distorted, bits=bits, chroma=chroma)
    for key, column in _columns(reference, distorted, bits).items():
        np.testing.assert_allclose(column, theirs[f"integer_{key}"], atol=4e-5 if "scale" in key else 2e-5)


@pytest.mark.parametrize(("width", "height"), [(321, 243), (322, 244), (33, 49)])
def test_equals_libvmaf_where_its_8_bit_simd_errs(width, height):
    """At widths 32 k + 1 and + 2, libvmaf's AVX-512 transform of 8-bit input is off by up to 5e-4. The same samples as
    10-bit video take its exact path."""
    reference = natural("flutter_bee", width, height, 2)
    distorted = degrade(reference, 35)
    deeper = [[tuple(p.astype(np.uint16) * 4 for p in planes) for planes in clip] for clip in (reference, distorted)]
    theirs = libvmaf(*deeper, bits=10)
    for key, column in _columns(reference, distorted).items():
        np.testing.assert_allclose(column, theirs[f"integer_{key}"], atol=2e-5)


def test_gain_limit_equals_libvmaf():
    reference = natural("mdn_flower", 320, 180, 3)
    distorted = degrade(reference, 30)
    theirs = libvmaf(reference, distorted, models=["version=vmaf_v0.6.1neg"])
    for key, column in _columns(reference, distorted, adm_enhn_gain_limit=1).items():
        np.testing.assert_allclose(column, theirs[f"integer_{key}"], atol=2e-5)


@pytest.mark.parametrize("shape", [(16, 16), (17, 35), (48, 64), (61, 130), (90, 75)])
@pytest.mark.parametrize("bits", [8, 10, 16])
def test_equals_the_slow_twin(shape, bits):
    x, y = textures(1, shape, bits)
    total, scales = slow_adm(x, y, bits)
    np.testing.assert_allclose(_scores(x, y, bits), [total, *scales], atol=2e-4)
    np.testing.assert_allclose(_scores(x, y, bits)[0], total, atol=5e-5)


def test_gain_limit_equals_the_slow_twin():
    x, _ = textures(2, (64, 80))
    sharp = np.clip(2 * x.astype(int) - x.mean(), 0, 255).astype(np.uint8)
    free, limited = _scores(x, sharp)[0], _scores(x, sharp, adm_enhn_gain_limit=1)[0]
    assert free > limited
    np.testing.assert_allclose(limited, slow_adm(x, sharp, gain=1.0)[0], atol=5e-5)


@given(seed=st.integers(0, 1000), scale=st.sampled_from([1.0, 0.25, 3.0]))
@settings(max_examples=15, deadline=None)
def test_constant_weights_change_nothing(seed, scale):
    x, y = textures(seed, (41, 57))
    weights = np.full((6, 8), scale, np.float32)
    np.testing.assert_allclose(_scores(x, y, weights=weights), _scores(x, y), rtol=0, atol=0 if scale == 1 else 1e-6)


@pytest.mark.parametrize("shape", [(64, 80), (41, 57), (147, 211)])
def test_weights_equal_the_slow_twin(shape):
    x, y = textures(6, shape)
    weights = random_weights(7, *shape)
    adm2, scales = slow_adm(x, y, weights=spread(weights, *shape))
    np.testing.assert_allclose(_scores(x, y, weights=weights), [adm2, *scales], atol=5e-5)


def test_weight_on_the_damaged_half_lowers_the_score():
    x, y = textures(7, (64, 96))
    half = x.copy()
    half[:, 48:] = y[:, 48:]
    damaged, sound = np.ones((8, 12), np.float32), np.ones((8, 12), np.float32)
    damaged[:, :5], sound[:, 7:] = 0.05, 0.05
    plain = _scores(x, half)[0]
    assert _scores(x, half, weights=damaged)[0] < plain < _scores(x, half, weights=sound)[0]


@given(seed=st.integers(0, 1000), bits=st.sampled_from([8, 10, 12, 16]))
@settings(max_examples=15, deadline=None)
def test_identical_frames_score_one(seed, bits):
    x, _ = textures(seed, (33, 47), bits)
    np.testing.assert_allclose(_scores(x, x, bits), 1, atol=3e-3)
    np.testing.assert_allclose(_scores(x, x, bits)[0], slow_adm(x, x, bits)[0], atol=5e-5)


@pytest.mark.parametrize("value", [0, 16, 128, 255])
def test_flat_frames_score_one(value):
    flat = np.full((40, 50), value, np.uint8)
    np.testing.assert_allclose(_scores(flat, flat), 1, atol=1e-6)


def test_refuses_frames_wider_than_its_buffers():
    wide = np.zeros((16, MAXIMUM_WIDTH + 2), np.uint8)
    with pytest.raises(MismatchError, match=str(MAXIMUM_WIDTH)):
        _scores(wide, wide)


def test_work_buffers_fit_the_loops():
    assert adm._SLOTS == kernels.BUFFER
    assert adm._LINE == 4 * kernels.SLOT
    assert (adm.MAXIMUM_WIDTH + 1) // 2 + 2 * kernels.MARGIN <= kernels.SLOT
