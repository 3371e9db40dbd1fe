"""YUV4MPEG2."""

import io
import os
import threading
from fractions import Fraction

import numpy as np
import pytest

from tinyvmaf.errors import TruncatedVideoError, UnreadableVideoError
from tinyvmaf.video.reader import open_video
from tinyvmaf.video.y4m import Y4mVideo
from video_files import noise, same, y4m_bytes


def stream(header, body=b""):
    return Y4mVideo(io.BytesIO(header.encode() + b"\n" + body), "clip")


@pytest.mark.parametrize(
    ("tag", "chroma", "bits"),
    [
        ("", "420", 8),
        (" C420jpeg", "420", 8),
        (" C420mpeg2", "420", 8),
        (" C420paldv", "420", 8),
        (" C422", "422", 8),
        (" C444", "444", 8),
        (" C444alpha", "444", 8),
        (" Cmono", "400", 8),
        (" Cmono10", "400", 10),
        (" Cmono16", "400", 16),
        (" C420p14", "420", 14),
        (" C422p12", "422", 12),
        (" C444p16", "444", 16),
    ],
)
def test_chroma_tags(tag, chroma, bits):
    facts = stream(f"YUV4MPEG2 W4 H2{tag}").facts
    assert (facts.chroma, facts.bits) == (chroma, bits)


@pytest.mark.parametrize(
    ("letter", "expected"),
    [("p", (False, None)), ("?", (None, None)), ("t", (True, True)), ("b", (True, False)), ("m", (True, None))],
)
def test_interlacing_is_stated_not_refused(letter, expected):
    facts = stream(f"YUV4MPEG2 W4 H2 I{letter}").facts
    assert (facts.interlaced, facts.top_field_first) == expected


def test_rate_aspect_and_range_are_stated():
    facts = stream("YUV4MPEG2 W4 H2 F30000:1001 A4:3 XYSCSS=420 XCOLORRANGE=FULL").facts
    assert (facts.frame_rate, facts.sample_aspect, facts.range) == (Fraction(30000, 1001), Fraction(4, 3), "full")
    facts = stream("YUV4MPEG2 W4 H2 F0:0 A0:0 XCOLORRANGE=LIMITED").facts
    assert (facts.frame_rate, facts.sample_aspect, facts.range) == (None, None, "limited")


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        ("YUV4MPEG3 W4 H2", "must start with YUV4MPEG2"),
        ("YUV4MPEG2 W4", "height .* must be 1 to 16384"),
        ("YUV4MPEG2 W0 H2", "width .* must be 1 to 16384"),
        ("YUV4MPEG2 W99999 H2", "width .* states '99999'"),
        ("YUV4MPEG2 W-4 H2", "width"),
        ("YUV4MPEG2 W4 H2 C411", "C411 .* not supported"),
        ("YUV4MPEG2 W4 H2 C420p11", "not supported"),
        ("YUV4MPEG2 W4 H2 F25", "frame rate .* must read a:b"),
        ("YUV4MPEG2 W4 H2 Ix", "interlacing"),
        ("YUV4MPEG2 W4 H2 XCOLORRANGE=TV", "LIMITED or FULL"),
        ("YUV4MPEG2 " + "X" * 5000, "one line of at most 4096"),
    ],
)
def test_malformed_headers_are_refused_in_one_line(header, reason):
    with pytest.raises(UnreadableVideoError, match=reason) as caught:
        stream(header)
    assert "\n" not in str(caught.value)


def test_header_without_end_is_refused():
    with pytest.raises(UnreadableVideoError, match="one line"):
        Y4mVideo(io.BytesIO(b"YUV4MPEG2 W4 H2"), "clip")


def test_alpha_plane_is_passed_over():
    frames = noise(4, 2, "444", count=2)
    body = b"".join(b"FRAME\n" + b"".join(p.tobytes() for p in planes) + bytes(8) for planes in frames)
    read = list(stream("YUV4MPEG2 W4 H2 C444alpha", body))
    assert len(read) == 2
    assert all(same(frame, planes) for frame, planes in zip(read, frames, strict=True))


def test_frame_headers_may_carry_parameters():
    read = list(stream("YUV4MPEG2 W2 H2 Cmono F10:1", b"FRAME Ip\n\1\2\3\4FRAME\n\5\6\7\x08"))
    assert [frame.luma.tolist() for frame in read] == [[[1, 2], [3, 4]], [[5, 6], [7, 8]]]
    assert [frame.time for frame in read] == [0, Fraction(1, 10)]


@pytest.mark.parametrize("planes", ["all", "luma"])
@pytest.mark.parametrize("cut", [1, 9, 40])
def test_a_cut_last_frame_is_refused(tmp_path, planes, cut):
    path = tmp_path / "a.y4m"
    path.write_bytes(y4m_bytes(noise(8, 8, count=2))[:-cut])
    with open_video(path, planes=planes) as video, pytest.raises(TruncatedVideoError, match="inside frame 1"):
        list(video)


@pytest.mark.parametrize("skipped", [0, 2])
def test_a_header_without_frames_is_refused(skipped):
    video = stream("YUV4MPEG2 W8 H8")
    video.skip(skipped)
    with pytest.raises(UnreadableVideoError, match="at least one frame, but clip ends after its Y4M header"):
        list(video)


def test_skipping_every_frame_leaves_none():
    video = stream("YUV4MPEG2 W2 H2 Cmono", b"FRAME\n1234")
    video.skip(3)
    assert list(video) == []


def test_a_cut_frame_header_is_refused():
    data = y4m_bytes(noise(8, 8, count=1)) + b"FRA"
    with pytest.raises(TruncatedVideoError, match="inside frame 1"):
        list(Y4mVideo(io.BytesIO(data), "clip"))


def test_a_bad_frame_header_is_refused():
    with pytest.raises(UnreadableVideoError, match="frame 0 of clip starts with b'FRAMX"):
        list(stream("YUV4MPEG2 W2 H2 Cmono", b"FRAMX\n1234"))


def test_samples_beyond_the_stated_depth_are_refused():
    body = b"FRAME\n" + np.full(4, 4096, "<u2").tobytes()
    with pytest.raises(UnreadableVideoError, match="4095, but frame 0 of clip holds 4096"):
        list(stream("YUV4MPEG2 W2 H2 Cmono12", body))


def test_frame_count_is_a_hint_from_the_size(tmp_path):
    path = tmp_path / "a.y4m"
    path.write_bytes(y4m_bytes(noise(8, 6, "422", 10, count=5), "422", 10))
    with open_video(path) as video:
        assert video.facts.frame_count == 5


@pytest.mark.parametrize("planes", ["all", "luma"])
def test_a_pipe_reads_like_a_file(tmp_path, planes):
    frames = noise(64, 48, count=3)
    data = y4m_bytes(frames)
    path = tmp_path / "pipe"
    os.mkfifo(path)
    thread = threading.Thread(target=path.write_bytes, args=(data,))
    thread.start()
    with open_video(path, planes=planes) as video:
        video.skip(1)
        read = list(video)
    thread.join()
    assert video.facts.frame_count is None
    assert [frame.index for frame in read] == [1, 2]
    kept = 1 if planes == "luma" else 3
    assert all(same(frame, planes[:kept]) for frame, planes in zip(read, frames[1:], strict=True))


def test_a_pipe_without_y4m_is_refused(tmp_path):
    path = tmp_path / "pipe"
    os.mkfifo(path)
    thread = threading.Thread(target=path.write_bytes, args=(b"something else",))
    thread.start()
    with pytest.raises(UnreadableVideoError, match="must carry Y4M"):
        open_video(path)
    thread.join()
