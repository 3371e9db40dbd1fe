"""Frames as RGB, held against float64 arithmetic from H.273's equations and against FFmpeg's own conversion."""

from __future__ import annotations

import av
import numpy as np
import pytest

from clips import natural
from oracles.pictures import MATRICES as MATRICES_OF_H273
from oracles.pictures import rgb
from tinyvmaf.errors import UnknownNameError
from tinyvmaf.video.colour import rgb_to_bt709
from tinyvmaf.video.frame import Colour, Frame
from tinyvmaf.video.resize import scale_plane
from tinyvmaf.video.rgb import COMPATIBLE, MATRICES, to_rgb
from video_files import noise


@pytest.mark.parametrize("range_", ["limited", "full"])
@pytest.mark.parametrize("matrix", MATRICES_OF_H273)
def test_every_matrix_and_range(matrix, range_):
    planes = noise(33, 17, "444", 8, count=1)[0]
    image = to_rgb(Frame(planes, 8, 0), Colour(matrix, range_))
    assert (image.dtype, image.shape) == (np.float32, (3, 17, 33))
    np.testing.assert_allclose(image, rgb(planes, 8, "444", matrix, range_), atol=2e-6)


def test_no_other_matrix_is_known():
    assert set(MATRICES) == set(MATRICES_OF_H273)
    with pytest.raises(UnknownNameError, match="matrix ycgco are not known") as caught:
        to_rgb(Frame(noise(8, 8, count=1)[0], 8, 0), Colour("ycgco"))
    assert "bt2020nc" in caught.value.hint


@pytest.mark.parametrize("size", [(32, 16), (33, 17), (31, 1), (1, 9), (2, 2), (1, 1)])
@pytest.mark.parametrize(("chroma", "bits"), [("400", 8), ("420", 8), ("420", 10), ("422", 12), ("444", 10)])
def test_every_format_and_odd_sizes(chroma, bits, size):
    planes = noise(*size, chroma, bits, count=1)[0]
    for range_ in ("limited", "full"):
        image = to_rgb(Frame(planes, bits, 0), Colour("bt709", range_))
        np.testing.assert_allclose(image, rgb(planes, bits, chroma, "bt709", range_), atol=2e-6)


@pytest.mark.parametrize(("chroma", "columns", "rows"), [("420", 2, 2), ("422", 2, 1)])
def test_chroma_is_sited_left_and_between_lines(chroma, columns, rows):
    """A colour that grows evenly over the picture stays even: red = 4 (x + 8 y) / 1000 at column x and row y."""
    height, width = 16, 24
    y, x = np.mgrid[:height, :width]
    cy, cx = np.mgrid[: height // rows, : width // columns]
    row_of_chroma = cy * 2 + 0.5 if rows == 2 else cy
    cr = 2048 + 4 * (columns * cx + 8 * row_of_chroma)
    planes = (np.full((height, width), 2000, np.uint16), np.full(cr.shape, 2048, np.uint16), cr.astype(np.uint16))
    red = to_rgb(Frame(planes, 12, 0), Colour("bt709", "full"))[0]
    want = 2000 / 4095 + 2 * (1 - 0.2126) * 4 * (x + 8 * y) / 4095
    inside = np.s_[1:-1, :-1] if rows == 2 else np.s_[:, :-1]
    np.testing.assert_allclose(red[inside], want[inside], atol=1e-6)
    assert np.all(np.abs(red - want)[:, -1] > 1e-4)  # the last column has no chroma behind it


@pytest.mark.parametrize("bits", [8, 10])
def test_natural_pictures_are_as_ffmpeg_converts_them(bits):
    planes = natural("mdn_flower", 160, 90, 1, bits, "444")[0]
    picture = av.VideoFrame(160, 90, "yuv444p" if bits == 8 else "yuv444p10le")
    for target, plane in zip(picture.planes, planes, strict=True):
        padded = np.zeros((target.height, target.line_size // plane.itemsize), plane.dtype)
        padded[:, :160] = plane
        target.update(padded.tobytes())
    theirs = picture.reformat(format="rgb24", src_colorspace="ITU709", dst_colorspace="ITU709").to_ndarray()
    ours = to_rgb(Frame(planes, bits, 0), Colour("bt709", "limited"))
    assert np.abs(ours.transpose(1, 2, 0) * 255 - theirs).max() < 2


@pytest.mark.parametrize("bits", [8, 10, 12, 16])
def test_grey_is_grey_to_the_last_bit(bits):
    """Neutral chroma leaves three equal planes, black is 0 and white is 1."""
    unit = 1 << bits - 8
    dtype = np.uint8 if bits == 8 else np.uint16
    luma = np.array([[16, 60, 126, 235], [0, 17, 200, 255]], dtype) * dtype(unit)
    neutral = np.full((1, 2), 128 * unit, dtype)
    image = to_rgb(Frame((luma, neutral, neutral), bits, 0), Colour("bt709", "limited"))
    assert np.array_equal(image[0], image[1])
    assert np.array_equal(image[0], image[2])
    assert np.array_equal(image, to_rgb(Frame((luma,), bits, 0), Colour()))
    np.testing.assert_allclose(image[0, :, [0, 3]], [[0, 0], [1, 1]], atol=1e-7)


@pytest.mark.parametrize("bits", [8, 10, 12])
def test_pure_colours_come_back(bits):
    corners = np.array([[(i >> 2 & 1, i >> 1 & 1, i & 1) for i in range(8)]])
    sides = [(corners[..., i] * ((1 << bits) - 1)).astype(np.uint8 if bits == 8 else np.uint16) for i in range(3)]
    image = to_rgb(Frame(rgb_to_bt709(*sides, bits), bits, 0), Colour("bt709", "limited"))
    np.testing.assert_allclose(image.transpose(1, 2, 0), corners, atol=1.2 / (1 << bits - 1))


@pytest.mark.parametrize(("height", "matrix"), [(719, "smpte170m"), (720, "bt709")])
def test_a_stream_that_states_nothing_is_limited_and_of_its_sizes_matrix(height, matrix):
    planes = noise(4, height, "420", 8, count=1)[0]
    frame = Frame(planes, 8, 0)
    assert np.array_equal(to_rgb(frame, Colour()), to_rgb(frame, Colour(matrix, "limited")))
    assert not np.array_equal(to_rgb(frame, Colour()), to_rgb(frame, Colour(matrix, "full")))


@pytest.mark.parametrize("method", ["area", "bilinear"])
def test_planes_are_scaled_before_they_become_colours(method):
    planes = natural("mdn_flower", 64, 36, 1)[0]
    image = to_rgb(Frame(planes, 8, 0), Colour("bt709"), (40, 22), method)
    scaled = tuple(scale_plane(plane, (22, 40), 8, method) for plane in planes)
    np.testing.assert_allclose(image, rgb(scaled, 8, "444", "bt709", "limited"), atol=2e-6)


def test_padded_rows_are_not_seen():
    planes = noise(16, 8, count=1)[0]
    wide = tuple(np.pad(plane, ((0, 0), (0, 5)), constant_values=77)[:, : plane.shape[1]] for plane in planes)
    assert np.array_equal(to_rgb(Frame(planes, 8, 0), Colour()), to_rgb(Frame(wide, 8, 0), Colour()))


@pytest.mark.parametrize(
    ("rgb8", "published"),
    [
        ((255, 0, 0), (217, 12, 0)),
        ((0, 255, 0), (34, 248, 0)),
        ((227, 171, 140), (218, 174, 134)),
        ((128, 128, 128), (128, 128, 128)),
        ((0, 0, 0), (0, 0, 0)),
        ((255, 255, 255), (255, 255, 255)),
    ],
)
def test_compatible_colours_are_the_published_ones(rgb8, published):
    """What a fork of libvmaf makes of colours that went to limited-range BT.709 first."""
    red, green, blue = (c / 255 for c in rgb8)
    luma = 0.2126 * red + 0.7152 * green + 0.0722 * blue
    codes = 16 + 219 * luma, 128 + 224 * (blue - luma) / 1.8556, 128 + 224 * (red - luma) / 1.5748
    for bits in (8, 10, 12):
        kind = np.uint8 if bits == 8 else np.uint16
        planes = tuple(
            np.full((4, 6) if i == 0 else (2, 3), round(code) << bits - 8, kind) for i, code in enumerate(codes)
        )
        image = to_rgb(Frame(planes, bits, 0), Colour(COMPATIBLE))
        assert image.shape == (3, 4, 6)
        np.testing.assert_allclose(image[:, 3, 5] * 255, published, atol=1.01)  # those were of codes not yet rounded


def test_compatible_chroma_is_the_nearest_sample_and_values_have_eight_bits():
    luma, blue = np.full((5, 7), 512, np.uint16), np.full((3, 4), 512, np.uint16)
    red = np.arange(12, dtype=np.uint16).reshape(3, 4) * 4 + 512
    image = to_rgb(Frame((luma, blue, red), 10, 0), Colour(COMPATIBLE))
    for row in range(5):
        for column in range(7):
            v = (128 + int(red[row >> 1, column >> 1] - 512) // 4 - 128) / 224
            want = int(min((128 - 16) / 219 + 1.28033 * v, 1) * 255 + 0.5)
            assert round(float(image[0, row, column]) * 255) == want
    grey = to_rgb(Frame((np.full((4, 4), 126, np.uint8),), 8, 0), Colour(COMPATIBLE), (2, 2), "area")
    assert grey.shape == (3, 2, 2)
    np.testing.assert_allclose(grey, round(110 / 219 * 255) / 255, atol=1e-6)
