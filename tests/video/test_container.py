"""Coded video: facts, clocks, formats, damage."""

import subprocess
import sys
import wave
from fractions import Fraction

import av
import numpy as np
import pytest

from tinyvmaf.errors import TruncatedVideoError, UnreadableVideoError
from tinyvmaf.video.container import packet_times
from tinyvmaf.video.formats import planar
from tinyvmaf.video.frame import StreamFacts
from tinyvmaf.video.pictures import Converter
from tinyvmaf.video.reader import open_video
from tinyvmaf.video.stream_facts import target_format
from video_files import SHARED, encode, moving, noise, same, y4m_bytes

BT2020 = StreamFacts(
    "", "y4m", 32, 32, "420", 10, range="limited", matrix="bt2020nc", primaries="bt2020", transfer="smpte2084"
)
FULL709 = StreamFacts("", "y4m", 32, 32, "420", 8, range="full", matrix="bt709", primaries="bt709", transfer="bt709")


def remux(path, layout, fill, codec="rawvideo", count=2, **attributes):
    """A file of another pixel format; `fill` gets the planes as byte arrays."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=25)
        stream.width, stream.height, stream.pix_fmt = 32, 16, layout
        for index in range(count):
            picture = av.VideoFrame(32, 16, layout)
            for number, plane in enumerate(picture.planes):
                view = np.frombuffer(plane, np.uint8).reshape(plane.height, -1)
                view[:] = fill(number, view.shape)
            for name, value in attributes.items():
                setattr(picture, name, value)
            picture.pts = index
            container.mux(stream.encode(picture))
        container.mux(stream.encode(None))
    return path


def damage(path, start, length=4):
    data = bytearray(path.read_bytes())
    for position in range(start, start + length):
        data[position] ^= 0x5A
    path.write_bytes(data)


@pytest.mark.parametrize("stated", [BT2020, FULL709])
@pytest.mark.parametrize("ending", ["mkv", "mp4"])
def test_colour_tags_round_trip(stated, ending, tmp_path):
    frames = moving(32, 32, bits=stated.bits)
    path = encode(tmp_path / f"a.{ending}", frames, bits=stated.bits, codec="libx264", colour=stated)
    with open_video(path) as video:
        facts = video.facts
    for name in ("range", "matrix", "primaries", "transfer"):
        assert getattr(facts, name) == getattr(stated, name)
    assert (facts.bits, facts.codec, facts.converted_from) == (stated.bits, "h264", None)
    assert facts.interlaced is False


def test_what_is_not_stated_is_none(tmp_path):
    with open_video(encode(tmp_path / "a.mkv", noise(16, 16))) as video:
        facts = video.facts
    assert (facts.range, facts.matrix, facts.primaries, facts.transfer) == (None,) * 4
    assert (facts.rotation, facts.interlaced, facts.frame_count) == (0, None, None)


@pytest.mark.parametrize(
    ("codec", "ending", "name"),
    [
        ("libx264", "mp4", "h264"),
        ("libx265", "mp4", "hevc"),
        ("libsvtav1", "mp4", "av1"),
        ("libvpx-vp9", "webm", "vp9"),
        ("ffv1", "mkv", "ffv1"),
    ],
)
def test_our_codecs_come_back_in_order_with_exact_times(codec, ending, name, tmp_path):
    frames = moving(64, 64)
    path = encode(tmp_path / f"a.{ending}", frames, codec=codec)
    with open_video(path, threads=2) as video:
        read = list(video)
    assert video.facts.codec == name
    assert [frame.time for frame in read] == [Fraction(index, 25) for index in range(len(frames))]
    assert packet_times(path) == [frame.time for frame in read]
    for frame, planes in zip(read, frames, strict=True):
        assert np.abs(frame.luma.astype(int) - planes[0]).mean() < 12


def test_uneven_times_are_kept(tmp_path):
    times = [Fraction(n, 1000) for n in (0, 40, 80, 200, 210, 500)]
    path = encode(tmp_path / "a.mp4", moving(64, 64, count=6), codec="libx264", times=times)
    with open_video(path) as video:
        assert [frame.time for frame in video] == times
    assert packet_times(path) == times


def test_frames_are_views_that_outlive_the_video(tmp_path):
    frames = noise(32, 32, count=6)
    video = open_video(encode(tmp_path / "a.mkv", frames))
    read = list(video)
    video.close()
    del video
    assert all(same(frame, planes) for frame, planes in zip(read, frames, strict=True))
    lumas = [frame.luma for frame in read]
    del read
    assert all(np.array_equal(luma, planes[0]) for luma, planes in zip(lumas, frames, strict=True))
    assert not lumas[0].flags.owndata


def test_closing_early_is_fine(tmp_path):
    video = open_video(encode(tmp_path / "a.mp4", moving(64, 64), codec="libx264"), threads=2)
    iterator = iter(video)
    frame = next(iterator)
    video.close()
    assert frame.luma.max() > 0


@pytest.mark.parametrize(
    ("layout", "target"),
    [
        ("nv12", "yuv420p"),
        ("nv21", "yuv420p"),
        ("nv16", "yuv422p"),
        ("nv24", "yuv444p"),
        ("p010le", "yuv420p10le"),
        ("p016le", "yuv420p16le"),
        ("yuv420p10be", "yuv420p10le"),
        ("gray16be", "gray16le"),
        ("yuyv422", "yuv422p"),
    ],
)
def test_other_layouts_keep_every_sample(layout, target):
    chroma, bits = planar(target)
    wanted = noise(32, 16, chroma, bits, count=1)[0]
    picture = av.VideoFrame(32, 16, layout)
    fill_layout(picture, layout, wanted, bits)
    assert target_format(picture, "clip") == target
    converted = Converter().planes(picture, target, "clip")
    assert all(np.array_equal(one, other) for one, other in zip(converted, wanted, strict=True))


def test_converted_video_says_so(tmp_path):
    path = remux(tmp_path / "a.nut", "nv12", lambda number, shape: 70 + number)
    with open_video(path) as video:
        frame = next(iter(video))
    assert (video.facts.converted_from, video.facts.chroma, video.facts.bits) == ("nv12", "420", 8)
    assert [int(plane[0, 0]) for plane in frame.planes] == [70, 71, 71]


def fill_layout(picture, layout, planes, bits):
    """Put planar samples into the picture's own layout, by hand."""
    views = [np.frombuffer(plane, np.uint8).reshape(plane.height, -1) for plane in picture.planes]
    if layout == "yuyv422":
        views[0][:, 0:64:2] = planes[0]
        views[0][:, 1:64:4], views[0][:, 3:64:4] = planes[1], planes[2]
        return
    word = np.dtype(np.uint8) if bits == 8 else np.dtype(">u2" if layout.endswith("be") else "<u2")
    shift = 6 if layout == "p010le" else 0
    views = [view.view(word) for view in views]
    views[0][:, :32] = planes[0] << shift
    if layout[0] in "np":
        first, second = (2, 1) if layout == "nv21" else (1, 2)
        width = planes[1].shape[1] * 2
        views[1][:, 0:width:2], views[1][:, 1:width:2] = planes[first] << shift, planes[second] << shift
    else:
        for view, plane in zip(views[1:], planes[1:], strict=True):
            view[:, : plane.shape[1]] = plane


@pytest.mark.parametrize("layout", ["yuv410p", "yuv411p", "yuv440p"])
def test_rare_chroma_becomes_444_with_the_same_luma(layout, tmp_path):
    path = remux(tmp_path / "a.nut", layout, lambda number, shape: np.arange(shape[1]) if number == 0 else 90)
    with open_video(path) as video:
        frame = next(iter(video))
    assert (video.facts.chroma, video.facts.converted_from) == ("444", layout)
    assert np.array_equal(frame.luma[0], np.arange(32))
    assert (frame.planes[1] == 90).all()


@pytest.mark.parametrize(("layout", "bits"), [("rgb24", 8), ("bgra", 8), ("gbrp10le", 10), ("rgb48le", 16)])
def test_rgb_becomes_bt709_limited_and_says_so(layout, bits, tmp_path):
    codec = "ffv1" if layout != "rgb24" else "rawvideo"

    def white(number, shape):
        if bits == 8:
            return 255
        return np.tile(np.array([(1 << bits) - 1], "<u2").view(np.uint8), shape[1] // 2)

    with open_video(remux(tmp_path / "a.nut", layout, white, codec)) as video:
        frame = next(iter(video))
    facts = video.facts
    assert (facts.chroma, facts.bits, facts.matrix, facts.range) == ("444", bits, "bt709", "limited")
    assert facts.converted_from is not None
    assert (frame.luma == 235 << bits - 8).all()
    assert (frame.planes[1] == 128 << bits - 8).all()


def test_alpha_is_left_out_and_yuvj_is_full_range(tmp_path):
    path = remux(tmp_path / "a.nut", "yuva420p", lambda number, shape: 50 + number)
    with open_video(path) as video:
        frame = next(iter(video))
    assert [int(plane[0, 0]) for plane in frame.planes] == [50, 51, 52]
    path = remux(tmp_path / "b.avi", "yuvj422p", lambda number, shape: 90, "mjpeg", color_range=2)
    with open_video(path) as video:
        assert (video.facts.range, video.facts.chroma) == ("full", "422")


@pytest.mark.parametrize("layout", ["gbrpf32le", "grayf32le", "rgbaf16le"])
def test_floating_point_is_refused(layout):
    with pytest.raises(UnreadableVideoError, match=f"must be integers .* holds {layout}"):
        target_format(av.VideoFrame(32, 16, layout), "clip")


@pytest.mark.parametrize("ending", ["png", "jpg", "bmp"])
def test_an_image_is_a_video_of_one_frame_without_a_clock(ending, tmp_path):
    path = tmp_path / f"a.{ending}"
    codec, layout = {"png": ("png", "rgb24"), "jpg": ("mjpeg", "yuvj420p"), "bmp": ("bmp", "bgr24")}[ending]
    stream = av.CodecContext.create(codec, "w")
    stream.width, stream.height, stream.pix_fmt = 32, 16, layout
    stream.time_base = Fraction(1, 25)
    picture = av.VideoFrame(32, 16, layout)
    picture.color_range = 2
    path.write_bytes(b"".join(bytes(packet) for packet in stream.encode(picture)))
    with open_video(path) as video:
        read = list(video)
    assert (video.facts.width, video.facts.height, video.facts.frame_rate) == (32, 16, None)
    assert [frame.time for frame in read] == [None]


def test_rotation_interlacing_and_sample_aspect_are_stated(tmp_path):
    path = tmp_path / "a.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25, options={"flags": "+ildct+ilme", "x264-params": "tff=1"})
        stream.width, stream.height, stream.pix_fmt = 64, 64, "yuv420p"
        stream.sample_aspect_ratio = Fraction(4, 3)
        stream.set_display_rotation(90)
        for index in range(4):
            picture = av.VideoFrame(64, 64, "yuv420p")
            picture.pts = index
            container.mux(stream.encode(picture))
        container.mux(stream.encode(None))
    with open_video(path) as video:
        facts = video.facts
    assert (facts.rotation, facts.sample_aspect) == (270, Fraction(4, 3))
    assert (facts.interlaced, facts.top_field_first) == (True, True)
    assert facts.frame_count == 4


def test_sound_alone_is_refused_by_name(tmp_path):
    path = tmp_path / "a.wav"
    with wave.open(str(path), "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(8000)
        sound.writeframes(bytes(16000))
    for refuse in (open_video, packet_times):
        with pytest.raises(UnreadableVideoError, match="must hold a video stream, but holds audio only"):
            refuse(path)


@pytest.mark.parametrize(
    "playlist",
    [
        "ffconcat version 1.0\nfile 'real.mkv'\n",
        "#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\nreal.mkv\n#EXT-X-ENDLIST\n",
        "#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\nhttp://127.0.0.1:9/a.ts\n#EXT-X-ENDLIST\n",
    ],
)
def test_playlists_open_nothing_else(playlist, tmp_path):
    encode(tmp_path / "real.mkv", noise(16, 16))
    path = tmp_path / "list.m3u8"
    path.write_text(playlist)
    with pytest.raises(UnreadableVideoError):
        open_video(path)


def test_file_name_patterns_are_plain_names(tmp_path):
    frames = noise(16, 16)
    encode(tmp_path / "a.mkv", frames).rename(tmp_path / "shot-%03d http:x.mkv")
    with open_video(tmp_path / "shot-%03d http:x.mkv") as video:
        assert len(list(video)) == 3


def test_a_truncated_mp4_is_refused_when_opened(tmp_path):
    path = encode(tmp_path / "a.mp4", noise(64, 64, count=10), codec="libx264", options={"qp": "0"})
    with (
        av.open(str(path)) as source,
        av.open(str(tmp_path / "b.mp4"), "w", options={"movflags": "faststart"}) as target,
    ):
        stream = target.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(source.streams.video[0]):
            if packet.size:
                packet.stream = stream
                target.mux(packet)
    data = (tmp_path / "b.mp4").read_bytes()
    (tmp_path / "b.mp4").write_bytes(data[: len(data) * 2 // 3])
    with pytest.raises(TruncatedVideoError, match=r"needs .* bytes, but the file has"):
        open_video(tmp_path / "b.mp4")
    path.write_bytes(path.read_bytes()[:-3000])
    with pytest.raises(UnreadableVideoError, match="not a video"):
        open_video(path)


@pytest.mark.parametrize("ending", ["mkv", "avi"])
@pytest.mark.parametrize("left", [0.97, 0.8, 0.5])
def test_a_file_shorter_than_its_header_says_is_refused_when_opened(ending, left, tmp_path):
    path = encode(tmp_path / f"a.{ending}", noise(32, 32, count=40))
    size = path.stat().st_size
    with path.open("r+b") as stream:
        stream.truncate(int(size * left))
    with pytest.raises(TruncatedVideoError, match=f"states {size} bytes, but the file has {int(size * left)}"):
        open_video(path)


def test_a_stream_that_never_knew_its_length_is_read(tmp_path):
    encode(tmp_path / "a.mkv", noise(32, 32, count=5))
    with av.open(str(tmp_path / "a.mkv")) as source, (tmp_path / "live.mkv").open("wb") as live:
        target = av.open(_Unseekable(live), "w", format="matroska")
        stream = target.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(source.streams.video[0]):
            if packet.size:
                packet.stream = stream
                target.mux(packet)
        target.close()
    with open_video(tmp_path / "live.mkv") as video:
        assert len(list(video)) == 5


class _Unseekable:
    """What a pipe offers."""

    def __init__(self, stream):
        self.write = stream.write


def test_a_clearly_truncated_stream_without_a_length_is_refused_at_its_end(tmp_path):
    path = encode(tmp_path / "a.mkv", noise(32, 32, count=80))
    data = bytearray(path.read_bytes())
    place = data.index(bytes.fromhex("18538067")) + 4
    data[place : place + 8] = b"\x01" + b"\xff" * 7
    path.write_bytes(data[: len(data) // 2])
    with open_video(path) as video, pytest.raises((TruncatedVideoError, UnreadableVideoError)):
        list(video)


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize(
    ("codec", "ending"), [("ffv1", "mkv"), ("libx264", "mp4"), ("libx265", "mp4"), ("libsvtav1", "mp4")]
)
def test_damage_raises_and_prints_nothing(codec, ending, threads, tmp_path, capfd):
    path = encode(tmp_path / f"a.{ending}", moving(96, 96, count=24), codec=codec)
    capfd.readouterr()
    damage(path, path.stat().st_size // 2, 300)
    with pytest.raises(UnreadableVideoError, match=r"frames|end"), open_video(path, threads=threads) as video:
        list(video)
    assert capfd.readouterr() == ("", "")


def test_a_change_of_size_is_refused(tmp_path):
    path = tmp_path / "a.h264"
    parts = []
    for size in (64, 96):
        piece = encode(tmp_path / f"{size}.mkv", moving(size, size, count=5), codec="libx264")
        part = tmp_path / f"{size}.h264"
        with av.open(str(piece)) as source, av.open(str(part), "w") as target:
            stream = target.add_stream_from_template(source.streams.video[0])
            for packet in source.demux(source.streams.video[0]):
                if packet.size:
                    packet.stream = stream
                    target.mux(packet)
        parts.append(part.read_bytes())
    path.write_bytes(b"".join(parts))
    with open_video(path) as video, pytest.raises(UnreadableVideoError, match=r"frame 5 .* 96x96 .* after 64x64"):
        list(video)


def test_reading_prints_nothing(tmp_path):
    path = encode(tmp_path / "a.mkv", noise(32, 32))
    code = f"from tinyvmaf.video.reader import open_video\nwith open_video({str(path)!r}) as v: print(len(list(v)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("3\n", "")


def test_y4m_content_counts_not_the_name(tmp_path):
    path = tmp_path / "clip.mp4"
    path.write_bytes(y4m_bytes(noise(16, 16)))
    with open_video(path) as video:
        assert video.facts.kind == "y4m"


@pytest.mark.skipif(not SHARED.is_dir(), reason="the shared data is not beside the repository")
class TestRealClips:
    def test_hdr10(self):
        with open_video(SHARED / "clips_hdr" / "androidx_hdr10_1080p.mp4", threads=2) as video:
            frame = next(iter(video))
        facts = video.facts
        assert (facts.width, facts.height, facts.bits, facts.codec) == (1920, 1080, 10, "hevc")
        assert (facts.matrix, facts.transfer, facts.primaries) == ("bt2020nc", "smpte2084", "bt2020")
        assert frame.luma.shape == (1080, 1920)

    def test_portrait_phone_clip_is_turned_by_90(self):
        with open_video(SHARED / "clips_sdr" / "androidx_portrait_4k60.mp4") as video:
            assert (video.facts.rotation, video.facts.width, video.facts.range) == (90, 3840, "full")

    def test_elementary_stream_has_the_codecs_clock(self):
        with open_video(SHARED / "clips_sdr" / "openh264_VID_720p.264", planes="luma") as video:
            frames = iter(video)
            times = [next(frames).time for _ in range(3)]
        assert times == [index / video.facts.frame_rate for index in range(3)]

    def test_every_clip_of_davis_has_its_frames(self):
        path = SHARED / "davis2016_480p" / "bear.mp4"
        with open_video(path, threads=2, planes="luma") as video:
            assert sum(1 for _ in video) == len(packet_times(path)) == video.facts.frame_count == 30


def test_the_first_of_several_video_streams_is_read_and_the_number_is_stated(tmp_path):
    frames = {size: noise(size, size, count=3) for size in (32, 64)}
    with av.open(str(tmp_path / "two.mkv"), "w") as target:
        streams = [target.add_stream("ffv1", rate=25, width=size, height=size) for size in frames]
        for stream, clip in zip(streams, frames.values(), strict=True):
            for index, planes in enumerate(clip):
                stacked = np.concatenate([plane.ravel() for plane in planes]).reshape(-1, planes[0].shape[1])
                picture = av.VideoFrame.from_ndarray(stacked, format="yuv420p")
                picture.pts = index
                target.mux(stream.encode(picture))
            target.mux(stream.encode())
    with open_video(tmp_path / "two.mkv") as video:
        assert (video.facts.width, video.facts.video_streams) == (32, 2)
        assert len(list(video)) == 3
    with open_video(encode(tmp_path / "one.mkv", frames[32])) as video:
        assert video.facts.video_streams == 1
