from __future__ import annotations

import functools
import math
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clips import degrade, golden, natural, padded, pairs, random_weights, spread
from oracles.libvmaf import libvmaf
from reference.ssim import ssim as slow_ssim
from tinyvmaf.errors import MismatchError, UsageError
from tinyvmaf.features import _similarity
from tinyvmaf.features.kernels import ssim as kernels
from tinyvmaf.features.ssim import Ssim, automatic_scale
from tinyvmaf.video.frame import cells

CASES = [
    (8, "420", 576, 324),
    (8, "420", 321, 243),
    (10, "422", 719, 403),
    (12, "420", 321, 243),
    (16, "444", 576, 324),
]


@functools.cache
def _clip(bits=8, chroma="420", width=160, height=90, frames=2, crf=35):
    reference = natural("sam2_dog", width, height, frames, bits, chroma)
    return reference, degrade(reference, crf, bits, chroma)


def _columns(reference, distorted, bits=8, weights=None, **options):
    feature = Ssim(**options)
    return feature.compute([feature.update(pair) for pair in pairs(reference, distorted, bits, weights)])


def _score(reference, distorted, bits=8, weights=None, **options):
    return _columns([(reference,)], [(distorted,)], bits, weights, **options)["ssim"][0]


def _noisy(seed, bits=8, shape=(40, 53), strength=20):
    rng = np.random.default_rng(seed)
    dtype = np.uint8 if bits == 8 else np.uint16
    smooth = np.add.outer(np.linspace(0, 150, shape[0]), np.linspace(0, 90, shape[1])) * (1 << (bits - 8))
    other = np.clip(smooth + rng.normal(0, strength, shape) * (1 << (bits - 8)), 0, (1 << bits) - 1)
    return smooth.astype(dtype), other.astype(dtype)


@pytest.mark.parametrize(("bits", "chroma", "width", "height"), CASES)
def test_equals_libvmaf(bits, chroma, width, height):
    reference, distorted = _clip(bits, chroma, width, height)
    theirs = libvmaf(reference, distorted, bits=bits, chroma=chroma, features=["float_ssim=enable_lcs=true"])
    for key, column in _columns(reference, distorted, bits, enable_lcs=True).items():
        np.testing.assert_allclose(column, theirs[f"float_{key}"], atol=3e-5)


@pytest.mark.parametrize("clip", ["hdr10_1080p", "mdn_flower", "openh264_VID_1080p"])
def test_equals_libvmaf_on_other_contents(clip):
    reference = natural(clip, 960, 541, 2)
    distorted = degrade(reference, 40)
    theirs = libvmaf(reference, distorted, features=["float_ssim"])
    np.testing.assert_allclose(_columns(reference, distorted)["ssim"], theirs["float_ssim"], atol=1e-5)


@pytest.mark.parametrize("scale", [1, 2, 3, 5, 10])
def test_every_scale_equals_libvmaf(scale):
    reference, distorted = _clip(8, "420", 321, 243)
    theirs = libvmaf(reference, distorted, features=[f"float_ssim=scale={scale}"])
    np.testing.assert_allclose(_columns(reference, distorted, scale=scale)["ssim"], theirs["float_ssim"], atol=1e-5)


@pytest.mark.parametrize("clip_db", ["true", "false"])
def test_decibels_equal_libvmaf(clip_db):
    reference, distorted = _clip(10, "420", 160, 90)
    distorted = [reference[0], distorted[1]]
    text = f"float_ssim=enable_db=true:clip_db={clip_db}"
    theirs = libvmaf(reference, distorted, bits=10, features=[text])["float_ssim"]
    ours = _columns(reference, distorted, 10, enable_db=True, clip_db=clip_db)["ssim"]
    assert ours[1] == pytest.approx(theirs[1], abs=1e-4)
    if clip_db == "true":
        assert ours[0] == theirs[0]
    else:
        assert ours[0] == math.inf
        assert np.isnan(theirs[0])


@pytest.mark.parametrize("name", ["src01_10", "src01_12", "src01_16"])
def test_published_score(name):
    pair = golden(name)
    assert _columns(pair.reference, pair.distorted, pair.bits)["ssim"].mean() == pytest.approx(0.897863, abs=1e-5)


@pytest.mark.parametrize("bits", [8, 10, 12, 16])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("scale", [1, 3])
def test_equals_the_slow_twin(bits, weighted, scale):
    reference, distorted = _noisy(bits, bits)
    weights = random_weights(1, *reference.shape) if weighted else None
    plane = None if weights is None else spread(weights, *reference.shape)
    expected = slow_ssim(reference, distorted, bits, scale, plane)
    (wide,), (other,) = padded((reference,)), padded((distorted,), 9)
    ours = _columns([(wide,)], [(other,)], bits, weights, scale=scale, enable_lcs=True)
    np.testing.assert_allclose([column[0] for column in ours.values()], expected, atol=5e-6)


def test_flat_pictures():
    flat, other = np.full((32, 32), 235, np.uint8), np.full((32, 32), 16, np.uint8)
    assert _score(flat, flat) == 1.0
    assert _score(flat, other) == pytest.approx(slow_ssim(flat, other, 8)[0], abs=1e-5)


@pytest.mark.parametrize(
    ("width", "height", "scale"),
    [(160, 90, 1), (700, 383, 1), (700, 384, 2), (1280, 720, 3), (1920, 1080, 4), (3840, 2160, 8), (2160, 3840, 8)],
)
def test_automatic_scale(width, height, scale):
    assert automatic_scale(width, height) == scale


def test_quality_falls_with_the_rate_factor():
    scores = [_columns(*_clip(8, "420", 320, 180, 1, crf))["ssim"][0] for crf in (18, 28, 38, 48)]
    assert scores == sorted(scores, reverse=True)


def test_too_small_pictures_are_refused():
    small = np.zeros((10, 40), np.uint8)
    with pytest.raises(MismatchError, match="11 x 11"):
        _score(small, small)
    large = np.zeros((64, 64), np.uint8)
    with pytest.raises(MismatchError, match="decimation by 10"):
        _score(large, large, scale=10)


def test_weights_that_sum_to_zero_are_refused():
    reference, distorted = _noisy(0)
    with pytest.raises(UsageError, match="sum to 0"):
        _score(reference, distorted, 8, 0 * random_weights(0, *reference.shape))


def test_weights_choose_where_to_look():
    reference, distorted = _noisy(3, shape=(60, 80))
    distorted[:, 40:] = reference[:, 40:]
    weights = 0 * random_weights(0, 60, 80)
    weights[:, 7:] = 1
    assert _score(reference, distorted, 8, weights) == 1.0
    assert _score(reference, distorted) < 0.99


def test_the_feature_knows_the_kernels_buffer():
    assert kernels.WORK_SIZE == _similarity.WORK_SIZE
    assert kernels.SUMS == _similarity._SUMS


def test_the_kernel_uses_vector_registers():
    work, sums, plane = np.empty(kernels.WORK_SIZE, np.float32), np.empty(kernels.SUMS), np.zeros((20, 40), np.uint8)
    kernels.statistics(plane, plane, 40, 1.0, None, work, sums)
    for assembly in kernels.statistics.inspect_asm().values():
        if "ymm" not in assembly:
            pytest.skip("this processor has no 256-bit registers")
        packed = re.findall(r"v(?:fn?m(?:add|sub)\w+|mul|add)ps\s.*[yz]mm", assembly)
        assert len(packed) > 150


@settings(deadline=None, max_examples=25)
@given(
    seed=st.integers(0, 2**32 - 1),
    bits=st.sampled_from([8, 10, 16]),
    strength=st.integers(1, 60),
    scale=st.sampled_from([1, 2]),
)
def test_properties(seed, bits, strength, scale):
    reference, distorted = _noisy(seed, bits, strength=strength)
    value = _score(reference, distorted, bits, scale=scale)
    assert -1.0 <= value < 1.0
    assert _score(distorted, reference, bits, scale=scale) == value
    assert _score(distorted, distorted, bits, scale=scale) == 1.0
    ones = np.ones(cells(*reference.shape), np.float32)
    assert _score(reference, distorted, bits, ones, scale=scale) == pytest.approx(value, abs=1e-9)
    assert _score(reference, _noisy(seed, bits, strength=3 * strength)[1], bits, scale=scale) < value
