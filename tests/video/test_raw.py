"""Headerless YUV."""

import numpy as np
import pytest

from tinyvmaf.errors import TruncatedVideoError, UnreadableVideoError, UsageError
from tinyvmaf.video.reader import RawFormat, open_video
from video_files import noise, same, write_raw


def test_facts_state_what_the_caller_said_and_the_size_implies(tmp_path):
    path = write_raw(tmp_path / "a.yuv", noise(17, 9, "422", 10, count=4))
    with open_video(path, raw=RawFormat(17, 9, "422", 10)) as video:
        facts = video.facts
    assert (facts.kind, facts.width, facts.height, facts.chroma, facts.bits) == ("raw", 17, 9, "422", 10)
    assert (facts.frame_count, facts.frame_rate, facts.range, facts.interlaced) == (4, None, None, None)


def test_luma_only_reads_the_same_luma(tmp_path):
    frames = noise(9, 7, "420", 8)
    path = write_raw(tmp_path / "a.yuv", frames)
    with open_video(path, raw=RawFormat(9, 7), planes="luma") as video:
        read = list(video)
    assert all(len(frame.planes) == 1 for frame in read)
    assert all(np.array_equal(frame.luma, planes[0]) for frame, planes in zip(read, frames, strict=True))
    assert video.facts.chroma == "420"


def test_frames_outlive_the_video_and_are_read_only(tmp_path):
    frames = noise(8, 8)
    with open_video(write_raw(tmp_path / "a.yuv", frames), raw=RawFormat(8, 8)) as video:
        read = list(video)
    assert all(same(frame, planes) for frame, planes in zip(read, frames, strict=True))
    with pytest.raises(ValueError, match="read-only"):
        read[0].luma[0, 0] = 1


def test_incomplete_last_frame_is_refused_with_the_numbers(tmp_path):
    path = tmp_path / "a.yuv"
    path.write_bytes(bytes(96 * 2 + 5))
    with pytest.raises(TruncatedVideoError, match=r"197 bytes, which is 2 frames of 96 bytes and 5 bytes more"):
        open_video(path, raw=RawFormat(8, 8))


def test_file_that_shrinks_while_read_is_refused(tmp_path):
    path = write_raw(tmp_path / "a.yuv", noise(8, 8))
    with open_video(path, raw=RawFormat(8, 8)) as video:
        path.write_bytes(b"")
        with pytest.raises(TruncatedVideoError, match="Frame 0"):
            list(video)


@pytest.mark.parametrize(("name", "reason"), [("none.yuv", "No such file"), ("empty.yuv", "empty"), (".", "folder")])
def test_paths_that_hold_nothing_are_refused(tmp_path, name, reason):
    (tmp_path / "empty.yuv").write_bytes(b"")
    with pytest.raises(UnreadableVideoError, match=reason):
        open_video(tmp_path / name, raw=RawFormat(8, 8))


def test_samples_beyond_the_stated_depth_are_refused(tmp_path):
    planes = tuple(plane.astype(np.uint16) for plane in noise(8, 8)[0])
    planes[0][3, 3] = 1024
    with (
        open_video(write_raw(tmp_path / "a.yuv", [planes]), raw=RawFormat(8, 8, "420", 10)) as video,
        pytest.raises(UnreadableVideoError, match=r"must not exceed 1023, but frame 0 .* holds 1024"),
    ):
        list(video)


@pytest.mark.parametrize("wrong", [(0, 8, "420", 8), (8, 16385, "420", 8), (8, 8, "411", 8), (8, 8, "420", 9)])
def test_impossible_layouts_are_usage_errors(wrong):
    with pytest.raises(UsageError, match="must be"):
        RawFormat(*wrong)


def test_a_pipe_is_refused():
    with pytest.raises(UnreadableVideoError, match="regular file"):
        open_video("/dev/null", raw=RawFormat(8, 8))
    with pytest.raises(UsageError, match="standard input"):
        open_video("-", raw=RawFormat(8, 8))
