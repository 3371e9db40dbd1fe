"""Headerless YUV."""

import numpy as np
import pytest

from tinyvmaf.errors import TruncatedVideoError, UnreadableVideoError, UsageError
from tinyvmaf.video.reader import RawFormat, open_video
from video_files import encode, moving, noise, same, write_raw


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


@pytest.mark.parametrize(
    ("head", "kind"),
    [
        (b"YUV4MPEG2 W8 H8\n", "a Y4M file"),
        (b"\0\0\0\x20ftypisom\0\0\2\0isomiso2avc1mp41", "an MP4 or MOV file"),
        (b"\0\0\0\x14ftypqt  \0\0\2\0qt  ", "an MP4 or MOV file"),
        (b"RIFF\n\r\0\xffAVI LIST", "an AVI file"),
        (
            b"\x1aE\xdf\xa3\xa3B\x86\x81\1B\xf7\x81\1B\xf2\x81\4B\xf3\x81\x08B\x82\x88matroska",
            "a Matroska or WebM file",
        ),
        (b"\x1aE\xdf\xa3\1\0\0\0\0\0\0\x1fB\x86\x81\1B\x82\x84webm", "a Matroska or WebM file"),
    ],
)
@pytest.mark.parametrize("size", [96, 96 * 3, 96 * 3 + 1])
def test_a_file_with_a_header_is_refused_whether_or_not_its_size_fits(tmp_path, head, kind, size):
    path = tmp_path / "a.yuv"
    path.write_bytes(head + bytes(size - len(head)))
    with pytest.raises(UnreadableVideoError, match=f"a.yuv' is {kind}") as caught:
        open_video(path, raw=RawFormat(8, 8))
    assert "Leave out -w -h -p -b" in caught.value.hint
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("suffix", ["mp4", "mov", "mkv", "webm", "avi"])
def test_containers_as_muxers_write_them_are_no_raw_video(tmp_path, suffix):
    encoder = "libvpx-vp9" if suffix == "webm" else "libx264"
    path = encode(tmp_path / f"a.{suffix}", moving(64, 64, count=2), codec=encoder)
    path.write_bytes(path.read_bytes().ljust(6144 * 8, b"\0"))
    with pytest.raises(UnreadableVideoError, match="must hold nothing but samples"):
        open_video(path, raw=RawFormat(64, 64))


@pytest.mark.parametrize(
    "head",
    [
        b"YUV4MPEG2",
        b"\x10\x10\x10\x10ftyp",
        b"RIFF\0\0\0\0WAVE",
        b"\x1aE\xdf\xa3" + b"\x10" * 60 + b"matroska",
        b"\x10YUV4MPEG2 ",
    ],
)
def test_samples_that_only_resemble_a_header_are_read(tmp_path, head):
    path = tmp_path / "a.yuv"
    path.write_bytes(head + bytes(96 - len(head)))
    with open_video(path, raw=RawFormat(8, 8)) as video:
        assert next(iter(video)).luma.tobytes() == path.read_bytes()[:64]


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
