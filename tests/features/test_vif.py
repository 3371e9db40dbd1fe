from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clips import degrade, natural, pairs, random_weights, spread
from oracles.libvmaf import libvmaf
from reference.vif import vif as slow_vif
from tinyvmaf.errors import UsageError
from tinyvmaf.features import vif
from tinyvmaf.features.kernels import generate_vif
from tinyvmaf.features.vif import Vif

TOLERANCE = 1e-4
"""Largest difference in one frame. float32 holds a variance to about 0.01, so of the samples whose variance lies at the
threshold between flat and textured, a few fall on the other side; in a small picture one sample shows."""

CASES = [
    (8, "420", 576, 324),
    (8, "420", 321, 243),
    (10, "422", 481, 271),
    (12, "444", 160, 90),
    (16, "420", 64, 48),
    (8, "420", 36, 34),
]


def _columns(reference, distorted, bits=8, weights=None, **options):
    feature = Vif(**options)
    return feature.compute([feature.update(pair) for pair in pairs(reference, distorted, bits, weights)])


def _scales(x, y, bits=8, weights=None, **options):
    return np.array([column[0] for column in _columns([(x,)], [(y,)], bits, weights, **options).values()])


def textures(seed, shape, bits=8):
    """A smooth picture with texture, and a blurred, noisy version of it."""
    rng = np.random.default_rng(seed)
    top = (1 << bits) - 1
    base = np.add.outer(np.linspace(0.1, 0.5, shape[0]), np.linspace(0.1, 0.4, shape[1]))
    x = base + 0.12 * rng.standard_normal(shape)
    y = base + 0.6 * (x - base) + 0.02 * rng.standard_normal(shape)
    dtype = np.uint8 if bits == 8 else np.uint16
    return [np.clip(plane * top, 0, top).astype(dtype) for plane in (x, y)]


@pytest.mark.parametrize(("bits", "chroma", "width", "height"), CASES)
def test_equals_libvmaf(bits, chroma, width, height):
    reference = natural("sam2_dog", width, height, 3, bits, chroma)
    distorted = degrade(reference, 35, bits, chroma)
    theirs = libvmaf(reference, distorted, bits=bits, chroma=chroma)
    for key, column in _columns(reference, distorted, bits).items():
        np.testing.assert_allclose(column, theirs[f"integer_{key}"], atol=TOLERANCE)


@pytest.mark.parametrize("clip", ["flutter_bee", "openh264_VID_1080p", "mdn_flower"])
def test_gain_limit_equals_libvmaf(clip):
    reference = natural(clip, 320, 180, 3)
    distorted = degrade(reference, 30)
    theirs = libvmaf(reference, distorted, models=["version=vmaf_v0.6.1neg"])
    for key, column in _columns(reference, distorted, vif_enhn_gain_limit=1).items():
        assert key.endswith("_egl_1")
        np.testing.assert_allclose(column, theirs[f"integer_{key}"], atol=TOLERANCE)


@pytest.mark.parametrize("shape", [(16, 16), (17, 33), (48, 64), (35, 261), (70, 193), (33, 400)])
@pytest.mark.parametrize("bits", [8, 10, 16])
def test_equals_the_slow_twin(shape, bits):
    x, y = textures(1, shape, bits)
    np.testing.assert_allclose(_scales(x, y, bits), slow_vif(x, y, bits), atol=TOLERANCE)


def test_gain_limit_equals_the_slow_twin():
    x, _ = textures(2, (64, 80))
    sharp = np.clip(2 * x.astype(int) - x.mean(), 0, 255).astype(np.uint8)
    assert _scales(x, sharp)[0] > _scales(x, sharp, vif_enhn_gain_limit=1.2)[0]
    np.testing.assert_allclose(
        _scales(x, sharp, vif_enhn_gain_limit=1.2), slow_vif(x, sharp, gain_limit=1.2), atol=TOLERANCE
    )


@pytest.mark.parametrize("shape", [(48, 64), (65, 259), (141, 405)])
def test_weights_equal_the_slow_twin(shape):
    x, y = textures(3, shape)
    weights = random_weights(4, *shape)
    expected = slow_vif(x, y, weights=spread(weights, *shape))
    np.testing.assert_allclose(_scales(x, y, weights=weights), expected, atol=TOLERANCE)


@given(seed=st.integers(0, 1000), scale=st.sampled_from([1.0, 0.25, 3.0]))
@settings(max_examples=15, deadline=None)
def test_constant_weights_change_nothing(seed, scale):
    x, y = textures(seed, (40, 56))
    weights = np.full((5, 7), scale, np.float32)
    np.testing.assert_allclose(_scales(x, y, weights=weights), _scales(x, y), rtol=0, atol=0 if scale == 1 else 1e-6)


@given(seed=st.integers(0, 1000), bits=st.sampled_from([8, 10, 12, 16]))
@settings(max_examples=15, deadline=None)
def test_identical_frames_score_one(seed, bits):
    x, _ = textures(seed, (33, 47), bits)
    np.testing.assert_allclose(_scales(x, x, bits), 1, atol=1e-5)


@pytest.mark.parametrize("value", [0, 16, 128, 255])
def test_flat_frames_score_one(value):
    flat = np.full((40, 50), value, np.uint8)
    np.testing.assert_allclose(_scales(flat, flat), 1, atol=1e-6)


def test_more_noise_scores_less():
    x, _ = textures(5, (64, 96))
    noise = np.random.default_rng(6).standard_normal(x.shape)
    scores = [_scales(x, np.clip(x + s * noise, 0, 255).astype(np.uint8)) for s in (2, 6, 18, 50)]
    assert (np.diff(np.array(scores), axis=0) < 0).all()


def test_refuses_a_gain_limit_below_one():
    with pytest.raises(UsageError, match="between 1 and 100"):
        Vif(vif_enhn_gain_limit=0.5)


def test_generated_loops_are_those_of_the_generator():
    from importlib.resources import files

    text = files("tinyvmaf.features.kernels").joinpath("vif_scales.py").read_text("utf-8")
    assert text == generate_vif.generate()


def test_work_buffers_fit_the_generated_loops():
    halves = [generate_vif._half(scale) for scale in range(len(generate_vif.TAPS))]
    block = generate_vif.BLOCK
    assert 2 * max(halves) == vif._ROWS
    assert block * generate_vif.MOMENTS * generate_vif.STRIDE == vif._MOMENTS
    assert block * generate_vif.MOMENTS * generate_vif.TILE == vif._FILTERED
    assert block * 2 * generate_vif.TILE == vif._TERMS
