"""Scaling and turning, held against the FFmpeg program."""

import subprocess

import numpy as np
import pytest

from tinyvmaf.errors import UnknownNameError, UsageError
from tinyvmaf.video.base import plane_shapes
from tinyvmaf.video.formats import pixel_format
from tinyvmaf.video.frame import Frame
from tinyvmaf.video.resize import METHODS, rotate_frame, scale_frame
from video_files import moving


def ffmpeg_scale(planes, chroma, bits, width, height, flags):
    program = pytest.importorskip("imageio_ffmpeg").get_ffmpeg_exe()
    rows, columns = planes[0].shape
    layout = pixel_format(chroma, bits)
    form = ["-f", "rawvideo", "-pix_fmt", layout]
    command = [program, "-v", "error", *form, "-s", f"{columns}x{rows}", "-i", "-"]
    command += ["-vf", f"scale={width}:{height}:flags={flags}", *form, "-"]
    data = b"".join(plane.tobytes() for plane in planes)
    samples = np.frombuffer(
        subprocess.run(command, input=data, capture_output=True, check=True).stdout, planes[0].dtype
    )
    shapes = plane_shapes(width, height, chroma)
    cuts = np.cumsum([rows * columns for rows, columns in shapes])[:-1]
    return [part.reshape(shape) for part, shape in zip(np.split(samples, cuts), shapes, strict=True)]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(("chroma", "bits"), [("420", 8), ("420", 10), ("422", 12), ("444", 16)])
def test_scaling_equals_ffmpeg_to_the_last_bit(method, chroma, bits):
    planes = moving(65, 37, chroma, bits, count=1)[0]
    for width, height in ((130, 74), (41, 23)):
        scaled = scale_frame(Frame(planes, bits, 0), width, height, method, chroma)
        expected = ffmpeg_scale(planes, chroma, bits, width, height, f"{method}+accurate_rnd+bitexact")
        assert all(np.array_equal(one, other) for one, other in zip(scaled.planes, expected, strict=True))


@pytest.mark.parametrize("bits", [8, 10])
def test_scaling_is_within_one_code_value_of_ffmpeg_without_exact_rounding(bits):
    planes = moving(65, 37, "420", bits, count=1)[0]
    scaled = scale_frame(Frame(planes, bits, 0), 96, 54)
    expected = ffmpeg_scale(planes, "420", bits, 96, 54, "bicubic")
    for one, other in zip(scaled.planes, expected, strict=True):
        assert np.abs(one.astype(int) - other).max() <= 1


def test_scaling_keeps_index_time_and_depth_and_skips_the_right_size():
    frame = Frame(moving(32, 16, "420", 10, count=1)[0], 10, 7, time=None)
    scaled = scale_frame(frame, 16, 8)
    assert (scaled.index, scaled.bits, scaled.luma.dtype) == (7, 10, np.uint16)
    assert scale_frame(frame, 32, 16) is frame


def test_luma_only_frames_scale():
    frame = Frame(moving(32, 16, count=1)[0][:1], 8, 0)
    assert [plane.shape for plane in scale_frame(frame, 20, 10).planes] == [(10, 20)]


def test_wrong_arguments_are_refused():
    frame = Frame(moving(32, 16, count=1)[0], 8, 0)
    with pytest.raises(UnknownNameError, match="must be one of bicubic"):
        scale_frame(frame, 16, 8, "nearest")
    with pytest.raises(UsageError, match="1 to 16384"):
        scale_frame(frame, 0, 8)
    with pytest.raises(UsageError, match="not 45"):
        rotate_frame(frame, 45)


def test_turning_is_clockwise():
    frame = Frame((np.array([[1, 2, 3], [4, 5, 6]], np.uint8),), 8, 0)
    assert rotate_frame(frame, 90).luma.tolist() == [[4, 1], [5, 2], [6, 3]]
    assert rotate_frame(frame, 180).luma.tolist() == [[6, 5, 4], [3, 2, 1]]
    assert rotate_frame(frame, 270).luma.tolist() == [[3, 6], [2, 5], [1, 4]]
    assert rotate_frame(frame, 0) is frame
    assert rotate_frame(frame, 90).luma.flags.c_contiguous


def test_422_is_not_turned_on_its_side():
    frame = Frame(moving(32, 16, "422", count=1)[0], 8, 0)
    with pytest.raises(UsageError, match="4:2:2"):
        rotate_frame(frame, 90)
    assert rotate_frame(frame, 180).planes[1].shape == (16, 16)
