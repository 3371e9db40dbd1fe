from __future__ import annotations

import functools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clips import degrade, golden, natural, padded, pairs, random_weights, spread
from oracles.libvmaf import libvmaf
from reference.psnr import psnr as slow_psnr
from tinyvmaf.errors import UsageError
from tinyvmaf.features.kernels import psnr as kernels
from tinyvmaf.features.psnr import Psnr, psnr_db
from tinyvmaf.video.frame import cells

CASES = [(8, "420", 576, 324), (8, "444", 321, 243), (8, "420", 321, 243), (10, "422", 321, 243), (10, "420", 576, 324)]
CASES += [(12, "420", 321, 243), (16, "444", 320, 240)]


@functools.cache
def _clip(bits=8, chroma="420", width=160, height=90, frames=3):
    reference = natural("sam2_dog", width, height, frames, bits, chroma)
    return reference, degrade(reference, 35, bits, chroma)


def _columns(reference, distorted, bits=8, weights=None, **options):
    feature = Psnr(**options)
    return feature.compute([feature.update(pair) for pair in pairs(reference, distorted, bits, weights)])


def _noisy(seed, bits, shape=(23, 37), strength=9):
    rng = np.random.default_rng(seed)
    dtype = np.uint8 if bits == 8 else np.uint16
    plane = rng.integers(0, 1 << bits, shape)
    other = np.clip(plane + rng.integers(-strength, strength + 1, shape), 0, (1 << bits) - 1)
    return (plane.astype(dtype),), (other.astype(dtype),)


@pytest.mark.parametrize(("bits", "chroma", "width", "height"), CASES)
def test_equals_libvmaf(bits, chroma, width, height):
    reference, distorted = _clip(bits, chroma, width, height)
    text = "psnr=enable_mse=true:enable_apsnr=true"
    theirs = libvmaf(reference, distorted, bits=bits, chroma=chroma, features=[text])
    feature = Psnr(enable_mse=True, enable_apsnr=True)
    partials = [feature.update(pair) for pair in pairs(reference, distorted, bits)]
    ours = feature.compute(partials)
    assert tuple(ours) == feature.keys
    for key, column in ours.items():
        np.testing.assert_allclose(column, theirs[key], rtol=1e-8, atol=1e-6)
    for key, value in feature.aggregate(partials).items():
        assert value == pytest.approx(theirs[key][0], abs=1e-6)


@pytest.mark.parametrize("options", ["min_sse=0.5", "min_sse=3000000", "reduced_hbd_peak=true:min_sse=0.5"])
@pytest.mark.parametrize(("bits", "height"), [(8, 91), (10, 90)])
def test_options_equal_libvmaf(options, bits, height):
    reference, distorted = _clip(bits, "420", 161, height)
    distorted = [reference[0], *distorted[1:]]
    theirs = libvmaf(reference, distorted, bits=bits, features=[f"psnr=enable_apsnr=true:{options}"])
    feature = Psnr(enable_apsnr=True, **dict(part.split("=") for part in options.split(":")))
    partials = [feature.update(pair) for pair in pairs(reference, distorted, bits)]
    for key, column in feature.compute(partials).items():
        np.testing.assert_allclose(column, theirs[key], atol=1e-6)
    for key, value in feature.aggregate(partials).items():
        assert value == pytest.approx(theirs[key][0], abs=1e-6)


@pytest.mark.parametrize(
    ("name", "expected"),
    [("src01_10", 32.57143), ("src01_12", 32.577818), ("src01_16", 32.579806), ("sparks_10", 48.81622)],
)
def test_published_scores(name, expected):
    pair = golden(name)
    columns = _columns(pair.reference, pair.distorted, pair.bits)
    assert columns["psnr_y"].mean() == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize("bits", [8, 10, 12, 16])
@pytest.mark.parametrize("weighted", [False, True])
def test_equals_the_slow_twin(bits, weighted):
    reference, distorted = _noisy(bits, bits)
    shape = reference[0].shape
    weights = random_weights(1, *shape) if weighted else None
    ours = _columns([padded(reference)], [padded(distorted, 3)], bits, weights)["psnr_y"][0]
    plane = None if weights is None else spread(weights, *shape)
    expected = slow_psnr(reference[0], distorted[0], (1 << bits) - 1, 6 * bits + 12, plane)
    assert ours == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("chroma", ["420", "422", "444"])
def test_chroma_weights_are_means_of_luma_weights(chroma):
    reference, distorted = _clip(8, chroma, 161, 91, 1)
    weights_of_cells = random_weights(2, 91, 161)
    ours = _columns(reference, distorted, 8, weights_of_cells)["psnr_cb"][0]
    weights = spread(weights_of_cells, 91, 161)
    height, width = (91 // 2 if chroma == "420" else 91), (80 if chroma != "444" else 161)
    down, right = 91 // height, 161 // width
    means = weights[: height * down, : width * right].reshape(height, down, width, right).mean(axis=(1, 3))
    expected = slow_psnr(reference[0][1][:height, :width], distorted[0][1][:height, :width], 255, 60.0, means)
    assert ours == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize(("bits", "kernel"), [(8, kernels.squared_error8), (16, kernels.squared_error16)])
def test_largest_errors_are_summed_exactly(bits, kernel):
    peak = (1 << bits) - 1
    dtype = np.uint8 if bits == 8 else np.uint16
    shape = (3, 2 * kernels.BLOCK + 5)
    sums = np.empty(2)
    kernel(np.full(shape, peak, dtype), np.zeros(shape, dtype), shape[1], sums)
    assert sums.tolist() == [peak**2 * shape[0] * shape[1], shape[0] * shape[1]]


def test_identical_frames_reach_the_ceiling():
    for bits in (8, 10, 12, 16):
        reference, _ = _noisy(bits, bits)
        assert _columns([reference], [reference], bits)["psnr_y"].tolist() == [6 * bits + 12]


def test_grey_video_has_luma_only():
    reference, distorted = _clip(8, "400")
    assert list(_columns(reference, distorted)) == ["psnr_y"]


def test_chroma_can_be_left_out():
    assert Psnr(enable_chroma=False).keys == ("psnr_y",)
    assert (Psnr(enable_chroma=False).planes, Psnr(enable_chroma="false").planes) == ("luma", "luma")
    assert Psnr().planes == "all"
    assert list(_columns(*_clip(), enable_chroma=False)) == ["psnr_y"]


def test_weights_that_sum_to_zero_are_refused():
    reference, distorted = _clip()
    with pytest.raises(UsageError, match="sum to 0"):
        _columns(reference, distorted, 8, np.zeros((12, 20), np.float32))


def test_aggregate_is_empty_unless_asked_for():
    assert Psnr().aggregate([]) == {}


def test_decibels():
    assert psnr_db(65025.0, 255, 60.0) == 0.0
    assert psnr_db(0.0, 255, 1000.0) == pytest.approx(208.1308, abs=1e-4)


@settings(deadline=None, max_examples=25)
@given(seed=st.integers(0, 2**32 - 1), bits=st.sampled_from([8, 10, 16]), strength=st.integers(1, 60))
def test_properties(seed, bits, strength):
    reference, distorted = _noisy(seed, bits, strength=strength)
    (value,) = _columns([reference], [distorted], bits)["psnr_y"]
    assert _columns([distorted], [reference], bits)["psnr_y"][0] == value
    ones = np.ones(cells(*reference[0].shape), np.float32)
    assert _columns([reference], [distorted], bits, ones)["psnr_y"][0] == pytest.approx(value, abs=1e-9)
    further = distorted[0].copy()
    y, x = 7, 11
    further[y, x] = 0 if reference[0][y, x] > further[y, x] else (1 << bits) - 1
    assert _columns([reference], [(further,)], bits)["psnr_y"][0] <= value + 1e-12
