"""Small RGB pictures, as FFmpeg makes them."""

from __future__ import annotations

import subprocess

import imageio_ffmpeg
import numpy as np
import pytest

from clips import natural
from tinyvmaf.video.frame import Colour, Frame
from tinyvmaf.video.pictures import RgbScaler
from tinyvmaf.video.reader import open_video
from video_files import encode, y4m_bytes


def theirs(path):
    """(frames, 27, 48, 3) by FFmpeg's own program."""
    asked = ["-v", "error", "-i", str(path), "-f", "rawvideo", "-pix_fmt", "rgb24", "-s", "48x27", "-"]
    done = subprocess.run([imageio_ffmpeg.get_ffmpeg_exe(), *asked], check=True, capture_output=True)
    return np.frombuffer(done.stdout, np.uint8).reshape(-1, 27, 48, 3)


def ours(path):
    with open_video(path) as video:
        scaler = RgbScaler(48, 27, Colour(video.facts.matrix, video.facts.range))
        return np.stack([scaler(frame) for frame in video])


@pytest.mark.parametrize(("bits", "chroma"), [(8, "420"), (8, "444"), (10, "420"), (8, "400")])
def test_equals_the_program(bits, chroma, tmp_path):
    path = tmp_path / "clip.y4m"
    path.write_bytes(y4m_bytes(natural("mdn_flower", 320, 180, 3, bits, chroma), chroma, bits))
    found, wanted = ours(path).astype(int), theirs(path).astype(int)
    assert found.shape == wanted.shape
    assert np.abs(found - wanted).mean() < 1.0  # the two are built from different versions of FFmpeg
    assert np.abs(found - wanted).max() <= 16


def test_decoded_pictures_are_scaled_as_copies_of_their_planes_are(tmp_path):
    path = encode(tmp_path / "clip.mkv", natural("mdn_flower", 130, 74, 3))
    scaler = RgbScaler(48, 27, Colour())
    with open_video(path) as video:
        for frame in video:
            bare = Frame(tuple(plane.copy() for plane in frame.planes), frame.bits, frame.index)
            assert np.array_equal(scaler(frame), scaler(bare))


def test_changed_planes_are_not_those_of_the_picture_they_came_from(tmp_path):
    path = encode(tmp_path / "clip.mkv", natural("mdn_flower", 128, 72, 1))
    with open_video(path) as video:
        frame = next(iter(video))
        dark = Frame(tuple(np.full_like(plane, 16) for plane in frame.planes), 8, 0, owner=frame.owner)
        grey = Frame(frame.planes[:1], 8, 0, owner=frame.owner)
        assert RgbScaler(48, 27, Colour())(dark).mean() < 80
        assert np.ptp(RgbScaler(48, 27, Colour())(grey), axis=2).max() <= 1


def test_matrix_and_range_count():
    frame = Frame(natural("mdn_flower", 128, 72, 1)[0], 8, 0)
    plain = RgbScaler(48, 27, Colour())(frame).astype(int)
    assert np.array_equal(plain, RgbScaler(48, 27, Colour("smpte170m", "limited"))(frame))
    for colour in (Colour("bt709", "limited"), Colour("smpte170m", "full"), Colour("bt2020nc")):
        assert np.abs(RgbScaler(48, 27, colour)(frame) - plain).max() > 2
