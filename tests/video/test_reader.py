"""What holds for every reader alike."""

import io
import subprocess
import sys
import threading
from fractions import Fraction

import numpy as np
import pytest

import tinyvmaf
from tinyvmaf.errors import TinyVmafError, UnreadableVideoError, UsageError
from tinyvmaf.score.pipeline import make_feature
from tinyvmaf.video.reader import RawFormat, open_arrays, open_video, packet_times
from video_files import encode, noise, same, write_raw, y4m_bytes

RATE = Fraction(25)


def opened(kind, tmp_path, frames, chroma="420", bits=8, **more):
    """The same frames behind each of the readers."""
    height, width = frames[0][0].shape
    if kind == "arrays":
        return open_arrays(frames, bits=bits, chroma=chroma, frame_rate=RATE)
    path = tmp_path / f"clip.{kind}"
    if kind == "raw":
        return open_video(write_raw(path, frames), raw=RawFormat(width, height, chroma, bits), **more)
    if kind == "y4m":
        path.write_bytes(y4m_bytes(frames, chroma, bits))
        return open_video(path, **more)
    return open_video(encode(path, frames, chroma, bits), **more)


KINDS = ["raw", "y4m", "mkv", "arrays"]


@pytest.mark.parametrize("bits", [8, 10, 12, 16])
@pytest.mark.parametrize("chroma", ["400", "420", "422", "444"])
@pytest.mark.parametrize("kind", KINDS)
def test_every_reader_gives_the_same_pixels_back(kind, chroma, bits, tmp_path):
    frames = noise(33, 19, chroma, bits)
    with opened(kind, tmp_path, frames, chroma, bits) as video:
        read = list(video)
    assert (video.facts.width, video.facts.height, video.facts.chroma, video.facts.bits) == (33, 19, chroma, bits)
    assert [frame.index for frame in read] == [0, 1, 2]
    assert all(frame.bits == bits and same(frame, planes) for frame, planes in zip(read, frames, strict=True))
    assert all(plane.dtype == (np.uint8 if bits == 8 else np.uint16) for frame in read for plane in frame.planes)
    assert all(plane.strides[1] == plane.itemsize for frame in read for plane in frame.planes)
    assert not any(plane.flags.writeable for frame in read for plane in frame.planes)
    if kind != "raw":
        assert [frame.time for frame in read] == [index / RATE for index in range(3)]
        assert video.facts.frame_rate == RATE


@pytest.mark.parametrize("size", [(1, 1), (2, 1), (1, 3), (7, 2)])
@pytest.mark.parametrize("kind", ["raw", "y4m", "arrays"])
def test_tiny_sizes(kind, size, tmp_path):
    frames = noise(*size, "444", 10)
    with opened(kind, tmp_path, frames, "444", 10) as video:
        assert all(same(frame, planes) for frame, planes in zip(video, frames, strict=True))


@pytest.mark.parametrize("kind", KINDS)
def test_skipping_keeps_indices_and_times(kind, tmp_path):
    frames = noise(16, 16, count=5)
    with opened(kind, tmp_path, frames) as video:
        video.skip(1)
        video.skip(2)
        read = list(video)
    assert [frame.index for frame in read] == [3, 4]
    assert all(same(frame, planes) for frame, planes in zip(read, frames[3:], strict=True))
    with opened(kind, tmp_path, frames) as video:
        video.skip(9)
        assert list(video) == []
        with pytest.raises(UsageError, match="before the first"):
            video.skip(1)
    with opened(kind, tmp_path, frames) as video, pytest.raises(UsageError, match="0 or more"):
        video.skip(-1)


@pytest.mark.parametrize("kind", KINDS)
def test_a_video_is_read_once_and_closed_twice(kind, tmp_path):
    with opened(kind, tmp_path, noise(16, 16)) as video:
        assert len(list(video)) == 3
        with pytest.raises(UsageError, match="only once"):
            iter(video)
    video.close()


@pytest.mark.parametrize("kind", ["raw", "y4m", "mkv"])
def test_luma_only(kind, tmp_path):
    frames = noise(17, 15, "422", 10)
    with opened(kind, tmp_path, frames, "422", 10, planes="luma") as video:
        read = list(video)
    assert video.facts.chroma == "422"
    assert all(same(frame, planes[:1]) for frame, planes in zip(read, frames, strict=True))


@pytest.mark.parametrize(
    "content", [None, b"", b"plain text, long enough to be looked at" * 9, b"YUV4MPEG", bytes(4096)]
)
def test_what_is_not_a_video_is_refused_in_one_line(content, tmp_path):
    path = tmp_path / "clip.mp4"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UnreadableVideoError) as caught:
        open_video(path)
    assert "clip.mp4" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert caught.value.hint


@pytest.mark.parametrize(
    "source", ["http://127.0.0.1:9/a.mp4", "concat:/etc/hostname", "data:video/mp4;base64,AA", "pipe:0", "a\0b"]
)
def test_names_that_are_not_local_files_are_refused(source):
    with pytest.raises(UnreadableVideoError, match="cannot be opened"):
        open_video(source)


def test_folders_and_devices_are_refused(tmp_path):
    with pytest.raises(UnreadableVideoError, match="folder"):
        open_video(tmp_path)
    with pytest.raises(UnreadableVideoError, match="must carry Y4M"):
        open_video("/dev/zero")


def test_wrong_arguments_are_usage_errors(tmp_path):
    with pytest.raises(UsageError, match="threads"):
        open_video(tmp_path / "a", threads=0)
    with pytest.raises(UsageError, match="'luma' or 'all'"):
        open_video(tmp_path / "a", planes="chroma")


@pytest.mark.parametrize("real", [True, False])
def test_standard_input_is_y4m_and_stays_open(real, tmp_path, monkeypatch):
    frames = noise(16, 8)
    path = tmp_path / "a.y4m"
    path.write_bytes(y4m_bytes(frames))
    data = path.open("rb") if real else io.BytesIO(path.read_bytes())
    with data:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(data) if real else type("Stdin", (), {"buffer": data}))
        with open_video("-") as video:
            assert video.facts.name == "<stdin>"
            assert all(same(frame, planes) for frame, planes in zip(video, frames, strict=True))
        if real:
            assert not data.closed


def test_two_videos_read_in_two_threads(tmp_path):
    frames = noise(32, 32, count=8)
    path = encode(tmp_path / "a.mkv", frames)
    results = []

    def read():
        with open_video(path, threads=2) as video:
            results.append(all(same(frame, planes) for frame, planes in zip(video, frames, strict=True)))

    threads = [threading.Thread(target=read) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [True, True]


def test_arrays_state_their_shapes():
    video = open_arrays(noise(9, 5, "422", 12), bits=12)
    assert (video.facts.kind, video.facts.name, video.facts.chroma, video.facts.bits) == (
        "arrays",
        "<arrays>",
        "422",
        12,
    )
    assert (video.facts.frame_count, video.facts.frame_rate) == (3, None)
    luma = open_arrays(iter([np.zeros((4, 6), np.uint8)] * 2))
    assert (luma.facts.chroma, luma.facts.frame_count) == ("400", None)
    assert [frame.time for frame in luma] == [None, None]


@pytest.mark.parametrize(
    "view", [lambda x: x[::-1], lambda x: np.broadcast_to(x[:1], x.shape)], ids=["flipped", "repeated"]
)
def test_rows_that_do_not_follow_each_other_score_as_their_copy(view):
    reference, distorted = (np.random.default_rng(seed).integers(0, 255, (48, 400), np.uint8) for seed in (0, 1))
    given = open_arrays([view(reference)]), open_arrays([view(distorted)])
    copied = open_arrays([view(reference).copy()]), open_arrays([view(distorted).copy()])
    features = [make_feature(name) for name in ("psnr", "ssim", "vif", "adm")]
    results = [tinyvmaf.score(*pair, models=[], features=features) for pair in (given, copied)]
    for key, column in results[1].columns.items():
        np.testing.assert_array_equal(results[0].columns[key], column)


def test_arrays_are_not_copied_unless_a_row_is_scattered():
    plane = np.zeros((4, 6), np.uint8)
    assert np.shares_memory(next(iter(open_arrays([plane]))).luma, plane)
    scattered = np.arange(24, dtype=np.uint8).reshape(6, 4).T
    frame = next(iter(open_arrays([scattered])))
    assert frame.luma.strides == (6, 1)
    assert np.array_equal(frame.luma, scattered)


@pytest.mark.parametrize(
    ("frames", "more", "reason"),
    [
        ([], {}, "at least one frame"),
        ([np.zeros((4, 6), np.float32)], {}, "must be uint8, but frame 0 holds float32"),
        ([np.zeros((4, 6), np.uint8)], {"bits": 10}, "must be uint16"),
        ([np.zeros((4, 6, 3), np.uint8)], {}, "2-D"),
        ([np.zeros((0, 6), np.uint8)], {}, "2-D"),
        ([[[1, 2], [3, 4]]], {}, "2-D"),
        ([np.zeros((4, 6), np.uint8)], {"bits": 7}, "8 to 16"),
        ([np.zeros((4, 6), np.uint8)], {"chroma": "420"}, "shaped as 400, not as 420"),
        ([(np.zeros((4, 6), np.uint8),) * 2], {}, "must be shaped as"),
        ([np.zeros((4, 6), np.uint8), np.zeros((4, 7), np.uint8)], {}, "frame 1 has"),
        ([np.full((4, 6), 1024, np.uint16)], {"bits": 10}, "must not exceed 1023"),
        ([np.zeros((1, 16385), np.uint8)], {}, "1 to 16384"),
    ],
)
def test_wrong_arrays_are_refused(frames, more, reason):
    with pytest.raises(TinyVmafError, match=reason):
        list(open_arrays(frames, **more))


def test_packet_times_are_sorted_and_exact(tmp_path):
    path = encode(tmp_path / "a.mkv", noise(16, 16, count=4))
    assert packet_times(path) == [Fraction(index, 25) for index in range(4)]


def test_the_media_library_loads_only_when_it_is_needed():
    code = (
        "import sys, tinyvmaf.video.reader, tinyvmaf.video.resize, tinyvmaf.video.colour; sys.exit('av' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
