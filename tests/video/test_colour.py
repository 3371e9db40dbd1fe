"""Bit depths, ranges, names."""

import numpy as np
import pytest

from tinyvmaf.errors import UsageError
from tinyvmaf.video import colour
from tinyvmaf.video.frame import Frame

EVERY = np.arange(256, dtype=np.uint8).reshape(16, 16)


@pytest.mark.parametrize("range_", ["limited", None])
@pytest.mark.parametrize("bits", [10, 12, 16])
def test_limited_range_is_shifted(range_, bits):
    raised = colour.raise_bits(EVERY, 8, bits, range_)
    assert raised.dtype == np.uint16
    assert np.array_equal(raised, EVERY.astype(np.uint16) << (bits - 8))


@pytest.mark.parametrize(("source", "bits"), [(8, 10), (8, 16), (10, 12), (12, 16)])
def test_full_range_is_stretched_and_rounded(source, bits):
    codes = np.arange(1 << source, dtype=np.uint8 if source == 8 else np.uint16)[None]
    raised = colour.raise_bits(codes, source, bits, "full")
    exact = codes.astype(float) * ((1 << bits) - 1) / ((1 << source) - 1)
    assert np.abs(raised - exact).max() <= 0.5
    assert raised.min() == 0
    assert raised.max() == (1 << bits) - 1


def test_neutral_chroma_stays_neutral():
    grey = np.full((2, 2), 128, np.uint8)
    assert (colour.raise_bits(grey, 8, 10, "full", chroma=True) == 512).all()
    assert (colour.raise_bits(grey, 8, 10, "limited", chroma=True) == 512).all()
    assert (colour.convert_range(grey, 8, "full", "limited", chroma=True) == 128).all()
    assert (colour.convert_range(grey, 8, "limited", "full", chroma=True) == 128).all()


@pytest.mark.parametrize("bits", [8, 10, 12, 16])
def test_limited_luma_reaches_the_ends_of_full_range(bits):
    unit = 1 << bits - 8
    dtype = np.uint8 if bits == 8 else np.uint16
    codes = np.array([[0, 16 * unit, 235 * unit, 255 * unit]], dtype)
    top = (1 << bits) - 1
    assert colour.convert_range(codes, bits, "limited", "full").tolist() == [[0, 0, top, top]]
    ends = colour.convert_range(np.array([[0, top]], dtype), bits, "full", "limited")
    assert ends.tolist() == [[16 * unit, 235 * unit]]
    assert ends.dtype == dtype


@pytest.mark.parametrize("chroma", [False, True])
@pytest.mark.parametrize("bits", [8, 10, 12, 16])
def test_every_limited_value_survives_a_round_trip(bits, chroma):
    unit = 1 << bits - 8
    dtype = np.uint8 if bits == 8 else np.uint16
    codes = np.arange(16 * unit, (240 if chroma else 235) * unit + 1, dtype=np.uint32).astype(dtype)[None]
    full = colour.convert_range(codes, bits, "limited", "full", chroma=chroma)
    assert np.array_equal(colour.convert_range(full, bits, "full", "limited", chroma=chroma), codes)


def test_frames_convert_luma_and_chroma_by_their_own_rules():
    frame = Frame((EVERY, EVERY, EVERY), 8, 5)
    raised = colour.raise_frame_bits(frame, 10, "full")
    assert (raised.bits, raised.index) == (10, 5)
    assert raised.planes[0][8, 0] == 514
    assert raised.planes[1][8, 0] == 512
    moved = colour.convert_frame_range(frame, "full", "limited")
    assert moved.planes[0].max() == 235
    assert moved.planes[1].max() == 240
    assert colour.raise_frame_bits(frame, 8, None) is frame
    assert colour.convert_frame_range(frame, "full", "full") is frame


def test_results_are_read_only():
    with pytest.raises(ValueError, match="read-only"):
        colour.raise_bits(EVERY, 8, 10, None)[0, 0] = 1


def test_bits_are_never_lowered():
    with pytest.raises(UsageError, match="from 10 to 8"):
        colour.raise_bits(EVERY.astype(np.uint16), 10, 8, None)


def test_names_with_the_same_numbers_are_the_same():
    assert colour.same_matrix("bt470bg", "smpte170m")
    assert not colour.same_matrix("fcc", "smpte170m")
    assert not colour.same_matrix("bt2020nc", "bt2020c")
    assert colour.same_transfer("bt709", "smpte170m")
    assert colour.same_transfer("bt2020-10", "bt2020-12")
    assert not colour.same_transfer("smpte2084", "arib-std-b67")
    assert colour.same_primaries("smpte170m", "smpte240m")
    assert not colour.same_primaries("bt470bg", "smpte170m")


@pytest.mark.parametrize("bits", [8, 10, 16])
def test_rgb_follows_bt709(bits):
    top, unit = (1 << bits) - 1, 1 << bits - 8
    dtype = np.uint8 if bits == 8 else np.uint16
    red = np.array([[0, top, top, 0, 0]], dtype)
    green = np.array([[0, top, 0, top, 0]], dtype)
    blue = np.array([[0, top, 0, 0, top]], dtype)
    luma, cb, cr = colour.rgb_to_bt709(red, green, blue, bits)
    share = np.array([0, 1, 0.2126, 0.7152, 0.0722])
    assert np.array_equal(luma[0], np.rint((16 + 219 * share) * unit))
    assert (cb[0, 4], cr[0, 2]) == (240 * unit, 240 * unit)
    assert cb[0, :2].tolist() == cr[0, :2].tolist() == [128 * unit] * 2
    assert luma.dtype == dtype
