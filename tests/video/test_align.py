"""Pairs that must be accepted with the right frames, and mismatches that must be refused with the option to use."""

from fractions import Fraction

import numpy as np
import pytest

from clips import degrade, natural, needs_shared
from pairing import COUNT, HEIGHT, WIDTH, Clip, number_of, numbered, run, scene, write
from tinyvmaf.errors import MismatchError, UnreadableVideoError, UsageError
from tinyvmaf.video.align import PAIRING_FLAGS, PairingPolicy, pair_videos
from tinyvmaf.video.colour import convert_range
from tinyvmaf.video.reader import RawFormat, open_arrays, open_video
from tinyvmaf.video.resize import scale_frame

FRAMES = numbered(scene())
ALL = [(index, index) for index in range(COUNT)]
MS = Fraction(1, 1000)


def kinds(pairing):
    return {note.kind for note in pairing.notes}


def sound(frame_numbers):
    return all(one == other for one, other in frame_numbers)


@pytest.fixture(scope="module")
def reference(tmp_path_factory):
    return write(tmp_path_factory.mktemp("reference") / "reference.mp4", FRAMES, options={"crf": "10"})


FAST_VP = {"deadline": "realtime", "cpu-used": "8"}
QUIET_265 = {"preset": "ultrafast", "x265-params": "log-level=none"}
SAME_CLIP = [
    ("mp4", "libx264", {"crf": "40", "bf": "3", "preset": "veryfast"}),
    ("mov", "prores_ks", {}),
    ("mkv", "libx264", {"bf": "3", "preset": "veryfast"}),
    ("mkv", "ffv1", {}),
    ("webm", "libvpx-vp9", {"crf": "50", "b": "0", **FAST_VP}),
    ("webm", "libvpx", {"b": "200k", **FAST_VP}),
    ("ts", "libx264", {"bf": "2", "preset": "veryfast"}),
    ("m2ts", "libx264", {}),
    ("mpg", "mpeg2video", {"bf": "2"}),
    ("avi", "mpeg4", {"bf": "2"}),
    ("avi", "libx264", {"bf": "2", "preset": "veryfast"}),
    ("flv", "libx264", {"bf": "2", "preset": "veryfast"}),
    ("nut", "ffv1", {}),
    ("264", "libx264", {"bf": "2", "preset": "veryfast"}),
    ("265", "libx265", QUIET_265),
    ("m1v", "mpeg1video", {}),
    ("ivf", "libvpx-vp9", FAST_VP),
    ("mp4", "libx264", {"bf": "3", "preset": "veryfast", "x264-params": "open-gop=1:keyint=12:min-keyint=12"}),
]


@pytest.mark.parametrize(("suffix", "codec", "options"), SAME_CLIP, ids=[f"{s}-{c}" for s, c, _ in SAME_CLIP])
def test_the_same_clip_pairs_in_every_container(tmp_path, reference, suffix, codec, options):
    pix_fmt = "yuv422p10le" if codec == "prores_ks" else "yuv420p"
    distorted = write(tmp_path / f"distorted.{suffix}", FRAMES, codec=codec, options=options, pix_fmt=pix_fmt)
    numbers, pairing = run(reference, distorted)
    assert numbers == ALL
    assert pairing.facts()["pairs"] == COUNT


@pytest.mark.parametrize("rate", ["24", "24000/1001", "30000/1001", "60", "120", "12.5"])
@pytest.mark.parametrize("suffix", ["mkv", "ts"])
def test_rounded_times_of_any_rate_pair(tmp_path, rate, suffix):
    one = write(tmp_path / "r.mp4", FRAMES, rate=rate)
    other = write(tmp_path / f"d.{suffix}", FRAMES, rate=rate, options={"crf": "35"})
    numbers, pairing = run(one, other)
    assert numbers == ALL
    assert pairing.facts()["paired_by"] == "time"


def test_elementary_stream_against_any_rate_pairs_by_number(tmp_path):
    one = write(tmp_path / "r.mp4", FRAMES, rate=50)
    other = write(tmp_path / "d.264", FRAMES, rate=50)
    numbers, pairing = run(one, other)
    assert numbers == ALL
    assert kinds(pairing) >= {"clock"}


def variable_times(jitter=0):
    gaps = [40, 20, 60, 33, 47, 40, 100, 17] * 10
    return [Fraction(sum(gaps[:index]) * 1000 + jitter * (index % 2), 1_000_000) for index in range(COUNT)]


def test_variable_rate_with_the_same_times_pairs(tmp_path):
    one = write(tmp_path / "r.mp4", FRAMES, times=variable_times())
    other = write(tmp_path / "d.mkv", FRAMES, times=variable_times(), options={"crf": "38"})
    assert run(one, other)[0] == ALL


def test_y4m_raw_and_arrays_pair(tmp_path, reference):
    stream = b"YUV4MPEG2 W176 H112 F25:1 Ip C420\n"
    grey = bytes([128]) * (WIDTH * HEIGHT // 2)
    (tmp_path / "d.y4m").write_bytes(stream + b"".join(b"FRAME\n" + f.tobytes() + grey for f in FRAMES))
    (tmp_path / "d.yuv").write_bytes(b"".join(f.tobytes() + grey for f in FRAMES))
    assert run(reference, tmp_path / "d.y4m")[0] == ALL
    numbers, pairing = run(reference, open_video(tmp_path / "d.yuv", raw=RawFormat(WIDTH, HEIGHT)))
    assert numbers == ALL
    assert "clock" in kinds(pairing)
    assert run(open_arrays(FRAMES), open_arrays(FRAMES))[0] == ALL


def test_one_frame_pairs(tmp_path):
    assert run(write(tmp_path / "r.mp4", FRAMES[:1]), write(tmp_path / "d.mkv", FRAMES[:1]))[0] == [(0, 0)]


def test_ten_bit_full_range_and_444_are_mended(tmp_path):
    limited = [np.clip(frame, 16, 235) for frame in FRAMES]
    full = [convert_range(frame, 8, "limited", "full") for frame in limited]
    one = write(tmp_path / "r.mp4", limited, color_range=1)
    deep = write(tmp_path / "d10.mkv", limited, codec="ffv1", pix_fmt="yuv444p10le", color_range=1)
    numbers, pairing = run(one, deep)
    assert numbers == ALL
    assert kinds(pairing) >= {"bits", "chroma"}
    assert pairing.bits == 10
    wide = write(tmp_path / "full.mkv", full, codec="ffv1", color_range=2)
    numbers, pairing = run(one, wide)
    assert numbers == ALL
    assert pairing.facts()["range_conversion"] == ["full", "limited"]
    assert pairing.facts()["levels"]["rms"] < 6


def test_conversions_give_the_samples_of_the_reference():
    limited = [np.clip(frame, 16, 235) for frame in FRAMES]
    full = [convert_range(frame, 8, "limited", "full") for frame in limited]
    one, other = Clip(limited, range="limited"), Clip(full, range="full")
    with pair_videos(one, other, PairingPolicy(), chroma_needed=False) as pairing:
        assert all(np.abs(p.reference.luma.astype(int) - p.distorted.luma).max() <= 1 for p in pairing)
    deep = [frame.astype(np.uint16) << 2 for frame in limited]
    one, other = Clip(deep, bits=10), Clip(limited)
    with pair_videos(one, other, PairingPolicy(), chroma_needed=False) as pairing:
        assert all(np.array_equal(p.reference.luma, p.distorted.luma) for p in pairing)


@pytest.mark.parametrize("stated_by", ["reference", "distorted"])
def test_an_unstated_range_against_a_full_one_is_read_from_the_samples(stated_by):
    limited = [np.clip(frame, 16, 235) for frame in FRAMES]
    full = [convert_range(frame, 8, "limited", "full") for frame in limited]
    facts = {"range": "full"}
    clips = [Clip(full, **facts), Clip(limited)]
    numbers, pairing = run(*(clips if stated_by == "reference" else clips[::-1]))
    assert numbers == ALL
    assert pairing.facts()["range_conversion"] is not None
    clips = [Clip(limited, **facts), Clip(limited)]
    numbers, pairing = run(*(clips if stated_by == "reference" else clips[::-1]))
    assert pairing.facts()["range_conversion"] is None


def test_stated_ranges_win_over_tags():
    limited = [np.clip(frame, 16, 235) for frame in FRAMES]
    full = [convert_range(frame, 8, "limited", "full") for frame in limited]
    assert sound(run(Clip(full), Clip(limited), reference_range="full", distorted_range="limited")[0])
    assert sound(run(Clip(limited, range="limited"), Clip(limited, range="full"), distorted_range="limited")[0])


def halves(frames):
    return [np.ascontiguousarray(frame[::2, ::2]) for frame in frames]


def shaped(width, height):
    return [np.resize(frame, (height, width)) for frame in FRAMES[:8]]


@pytest.mark.parametrize("scale", ["auto", "bicubic", "bilinear", "lanczos", "area", "spline"])
def test_sizes_are_scaled_on_request(scale):
    small = halves(scene())
    numbers, pairing = run(Clip(scene()), Clip(small), scale=scale)
    assert len(numbers) == COUNT
    assert pairing.facts()["scale"] == ("bicubic" if scale == "auto" else scale)
    assert run(Clip(small), Clip(scene()), scale=scale)[1].facts()["scale"] == ("area" if scale == "auto" else scale)


def test_scaled_frames_are_those_of_the_scaler():
    small = halves(scene())
    with pair_videos(Clip(scene()), Clip(small), PairingPolicy(scale="bicubic"), chroma_needed=False) as pairing:
        pair = next(iter(pairing))
    frame = next(iter(Clip(small)))
    assert np.array_equal(pair.distorted.luma, scale_frame(frame, WIDTH, HEIGHT, "bicubic", "400").luma)


@pytest.mark.parametrize("angle", [90, 180, 270])
def test_rotation_tags_are_followed(angle):
    turned = [np.ascontiguousarray(np.rot90(frame, angle // 90)) for frame in scene()]
    numbers, pairing = run(Clip(scene()), Clip(turned, rotation=angle))
    assert len(numbers) == COUNT
    assert pairing.facts()["turn_degrees"] == angle


@pytest.mark.parametrize("angle", [90, 180])
def test_a_lost_rotation_tag_is_seen_in_the_pictures(angle):
    numbers, pairing = run(Clip(FRAMES, rotation=angle), Clip(FRAMES))
    assert numbers == ALL
    assert "rotation" in kinds(pairing)


ACCEPTED_FACTS = [
    ({"interlaced": True, "top_field_first": True}, {"interlaced": True, "top_field_first": True}, {"interlacing"}),
    ({"interlaced": None}, {"interlaced": False}, set()),
    ({"matrix": "smpte170m"}, {"matrix": "bt470bg"}, set()),
    ({"matrix": "bt709"}, {}, {"colour"}),
    ({"matrix": "bt709"}, {"primaries": "bt709"}, {"colour"}),
    ({"video_streams": 2}, {}, {"streams"}),
    ({"transfer": "bt709"}, {"transfer": "smpte170m"}, set()),
    ({"transfer": "smpte2084"}, {}, {"colour"}),
    ({"sample_aspect": Fraction(16, 15)}, {}, {"aspect"}),
    ({"range": "limited"}, {}, {"range"}),
    ({"chroma": "420"}, {"chroma": "400"}, {"chroma"}),
    ({"converted_from": "gbrp", "matrix": "bt709"}, {"matrix": "bt709"}, {"rgb"}),
    ({"frame_rate": Fraction(2500, 100)}, {"frame_rate": Fraction(25)}, set()),
]


@pytest.mark.parametrize(("one", "other", "expected"), ACCEPTED_FACTS)
def test_harmless_differences_of_facts_are_accepted(one, other, expected):
    numbers, pairing = run(Clip(FRAMES, **one), Clip(FRAMES, **other))
    assert numbers == ALL
    assert kinds(pairing) == expected


def test_start_times_are_harmless():
    late = [Fraction(14, 10) + Fraction(index, 25) for index in range(COUNT)]
    numbers, pairing = run(Clip(FRAMES), Clip(FRAMES, late))
    assert numbers == ALL
    assert kinds(pairing) == {"start"}


def test_times_that_go_back_fall_back_to_numbers():
    times = [Fraction(index, 25) for index in range(COUNT)]
    times[3], times[4] = times[4] - MS, times[4] - 2 * MS
    assert sound(run(Clip(FRAMES), Clip(FRAMES, times), ignore_timestamps=True)[0])
    still = [Fraction(min(index, 20), 25) for index in range(COUNT)]
    numbers, pairing = run(Clip(FRAMES, still), Clip(FRAMES, still))
    assert numbers == ALL
    assert "clock" in kinds(pairing)


REFUSED_FACTS = [
    ({"matrix": "bt709"}, {"matrix": "smpte170m"}, "--ignore-colour"),
    ({"primaries": "bt709"}, {"primaries": "bt2020"}, "--ignore-colour"),
    ({"transfer": "smpte2084"}, {"transfer": "bt709"}, "--ignore-colour"),
    ({"transfer": "smpte2084"}, {"transfer": "arib-std-b67"}, "--ignore-colour"),
    ({"converted_from": "rgb24", "matrix": "bt709"}, {}, "--ignore-colour"),
    ({"interlaced": True}, {"interlaced": False}, "--ignore-interlacing"),
    ({"interlaced": True}, {"interlaced": None, "codec": "av1"}, "--ignore-interlacing"),
    (
        {"interlaced": True, "top_field_first": True},
        {"interlaced": True, "top_field_first": False},
        "--ignore-interlacing",
    ),
    ({"range": "full"}, {"range": "limited"}, "--distorted-range full"),
    ({"range": "limited"}, {"range": "full"}, "--distorted-range limited"),
    ({"frame_rate": Fraction(24)}, {"frame_rate": Fraction(24000, 1001)}, "--ignore-timestamps"),
    ({"frame_rate": Fraction(30)}, {"frame_rate": Fraction(30000, 1001)}, "--ignore-timestamps"),
    ({"frame_rate": Fraction(25)}, {"frame_rate": Fraction(50)}, "--ignore-timestamps"),
    ({"frame_count": 400}, {"frame_count": 300}, "--truncate"),
]


@pytest.mark.parametrize(("one", "other", "flag"), REFUSED_FACTS)
def test_conflicting_facts_are_refused(one, other, flag):
    with pytest.raises(MismatchError) as refusal:
        run(Clip(FRAMES, **one), Clip(FRAMES, **other))
    assert flag in refusal.value.hint
    assert refusal.value.exit_code == 2
    assert "\n" not in str(refusal.value)


def test_chroma_formats_are_refused_where_chroma_is_read():
    with pytest.raises(MismatchError, match="one chroma format"):
        run(Clip(FRAMES, chroma="420"), Clip(FRAMES, chroma="444"), chroma_needed=True)


@pytest.mark.parametrize(
    ("sizes", "policy", "flag"),
    [
        (((176, 112), (88, 56)), {}, "--scale bicubic"),
        (((160, 90), (160, 92)), {}, "--scale bicubic"),
        (((112, 176), (176, 112)), {}, "--scale bicubic"),
        (((176, 112), (176, 80)), {"scale": "bicubic"}, "--ignore-aspect"),
    ],
)
def test_sizes_are_refused(sizes, policy, flag):
    with pytest.raises(MismatchError) as refusal:
        run(Clip(shaped(*sizes[0])), Clip(shaped(*sizes[1])), **policy)
    assert flag in refusal.value.hint


def test_anamorphic_pictures_have_one_shape():
    wide, squeezed = shaped(176, 100), shaped(132, 100)
    facts = {"sample_aspect": Fraction(4, 3)}
    _, pairing = run(Clip(wide), Clip(squeezed, **facts), scale="bicubic", check_sync=False, ignore_range=True)
    assert pairing.width == 176


S = FRAMES
SQUEEZED = [convert_range(frame, 8, "full", "limited") for frame in S]
STRETCHED = [convert_range(np.clip(frame, 16, 235), 8, "limited", "full") for frame in S]
REFUSED_CONTENT = {
    "drop one, close the gap": (S[:13] + S[14:] + S[-1:], "--sync"),
    "repeat one": ([*S[:13], S[12], *S[13:-1]], "--sync"),
    "drop one, repeat one later": (S[:10] + S[11:25] + [S[24]] + S[25:], "--sync"),
    "repeat one, drop one later": ([*S[:10], S[9], *S[10:25], *S[26:]], "--sync"),
    "one frame late": (S[:1] + S[:-1], "--sync"),
    "one frame early": (S[1:] + S[-1:], "--sync"),
    "two early": (S[2:] + S[-1:] * 2, "--sync"),
    "five early": (S[5:] + numbered(scene(COUNT + 5))[-5:], "--sync"),
    "twelve early": (numbered(scene(COUNT + 12))[12:], ""),
    "reversed": (S[::-1], "--no-sync-check"),
    "other clip": (scene(seed=9), "--no-sync-check"),
    "nothing but grey": ([np.full_like(S[0], 90)] * COUNT, "--no-sync-check"),
    "one frame for ever": ([S[0]] * COUNT, ""),
    "twice as fast": (numbered(scene(2 * COUNT))[::2], ""),
    "half as fast": ([S[index // 2] for index in range(COUNT)], ""),
    "squeezed": (SQUEEZED, "--distorted-range limited"),
    "stretched": (STRETCHED, "--distorted-range full"),
}


@pytest.mark.parametrize("encoded", [False, True], ids=["samples", "encoded"])
@pytest.mark.parametrize("case", REFUSED_CONTENT)
def test_wrong_frames_of_equal_count_and_times_are_refused(tmp_path, case, encoded):
    frames, flag = REFUSED_CONTENT[case]
    distorted = write(tmp_path / "d.mp4", frames, options={"crf": "32"}) if encoded else Clip(frames)
    with pytest.raises(MismatchError) as refusal:
        run(Clip(S), distorted)
    assert flag in refusal.value.hint


@pytest.mark.parametrize("crf", [23, 32])
@pytest.mark.parametrize("clip", ["sam2_bedroom", "sam2_dog", "flutter_bee", "sam2_cups", "openh264_VID_720p"])
def test_natural_clips_out_of_step_are_refused_and_in_step_accepted(clip, crf):
    frames = [planes[0] for planes in natural(clip, 320, 180, 32)]
    coded = [planes[0] for planes in degrade(natural(clip, 320, 180, 32), crf)]
    assert len(run(Clip(frames), Clip(coded))[0]) == 32
    for late in (1, 3):
        with pytest.raises(MismatchError, match="same moments"):
            run(Clip(frames), Clip(coded[late:] + coded[-1:] * late))


@pytest.mark.parametrize("crf", [45, 51])
@pytest.mark.parametrize("clip", ["sam2_bedroom", "sam2_cups", "mdn_flower", "androidx_360p", "androidx_emulator"])
def test_the_worst_encodes_in_step_are_accepted(clip, crf):
    source = natural(clip, 320, 180, 48)
    coded = [planes[0] for planes in degrade(source, crf)]
    assert len(run(Clip([planes[0] for planes in source]), Clip(coded))[0]) == 48


@needs_shared
@pytest.mark.parametrize("first", [0, 9, 22, 40])
@pytest.mark.parametrize(("clip", "other"), [("sam2_bedroom", "sam2_dog"), ("flutter_bee", "sam2_cups")])
def test_ten_frames_of_another_clip_are_refused(clip, other, first):
    frames = [planes[0] for planes in natural(clip, 320, 180, 50)]
    strange = [planes[0] for planes in natural(other, 320, 180, 50)]
    coded = [planes[0] for planes in degrade(natural(clip, 320, 180, 50), 28)]
    with pytest.raises(MismatchError, match=r"same content|same moments"):
        run(Clip(frames), Clip([*coded[:first], *strange[first : first + 10], *coded[first + 10 :]]))


@needs_shared
def test_a_frozen_picture_over_a_cut_is_scored():
    one, other = ([planes[0] for planes in natural(name, 320, 180, 25)] for name in ("sam2_bedroom", "sam2_dog"))
    assert len(run(Clip([*one, *other]), Clip([*one, *[one[-1]] * 12, *other[12:]]))[0]) == 50


RNG = np.random.default_rng(5)


def clipped(frame):
    return np.clip(np.rint(frame), 0, 255).astype(np.uint8)


DISTORTIONS = {
    "noise": lambda frames: [clipped(frame + RNG.normal(0, 25, frame.shape)) for frame in frames],
    "mosaic": lambda frames: [np.kron(frame[4::8, 4::8], np.ones((8, 8), np.uint8)) for frame in frames],
    "brighter": lambda frames: [clipped(frame + 20.0) for frame in frames],
    "darker": lambda frames: [clipped(frame * 0.7) for frame in frames],
    "flatter around mid-grey": lambda frames: [clipped((frame - 128.0) * 0.86 + 128) for frame in frames],
    "gamma": lambda frames: [clipped(255 * (frame / 255) ** 0.7) for frame in frames],
    "temporal average": lambda frames: [
        clipped((1.0 * frames[max(0, i - 1)] + frames[i] + frames[min(i + 1, COUNT - 1)]) / 3) for i in range(COUNT)
    ],
    "one frame repeated": lambda frames: [*frames[:12], frames[11], *frames[13:]],
    "four frames frozen": lambda frames: frames[:12] + [frames[12]] * 5 + frames[17:],
    "short black-out": lambda frames: frames[:12] + [np.full_like(frames[0], 16)] * 5 + frames[17:],
    "flicker": lambda frames: [clipped(frame * (1 + 0.15 * (-1) ** i)) for i, frame in enumerate(frames)],
}
CONTENTS = {
    "pan": lambda: scene(),
    "still": lambda: [scene()[0]] * COUNT,
    "still with grain": lambda: [clipped(scene()[0] + RNG.normal(0, 6, (HEIGHT, WIDTH))) for _ in range(COUNT)],
    "black": lambda: [np.full((HEIGHT, WIDTH), 16, np.uint8)] * COUNT,
    "on twos": lambda: [scene()[index // 2 * 2] for index in range(COUNT)],
    "loop": lambda: [scene()[index % 5] for index in range(COUNT)],
    "fade in": lambda: [clipped((frame - 16.0) * index / COUNT + 16) for index, frame in enumerate(scene())],
    "flashes": lambda: [clipped(frame + 80.0 * (index % 7 == 3)) for index, frame in enumerate(scene())],
    "cuts": lambda: [frame if index // 6 % 2 else frame[::-1].copy() for index, frame in enumerate(scene())],
    "text": lambda: [
        np.roll(np.where(scene()[0] > 120, 235, 16).astype(np.uint8), -index, 0) for index in range(COUNT)
    ],
    "dark": lambda: [clipped((frame - 16.0) * 0.08 + 16) for frame in scene()],
}


@pytest.mark.parametrize("case", DISTORTIONS)
def test_legitimate_distortions_are_scored(case):
    frames = scene()
    numbers, pairing = run(Clip(frames), Clip(DISTORTIONS[case](frames)))
    assert len(numbers) == COUNT
    assert ("repeated" in kinds(pairing)) == (case in ("one frame repeated", "four frames frozen"))


@pytest.mark.parametrize("crf", [30, 51])
@pytest.mark.parametrize("case", CONTENTS)
def test_awkward_content_is_scored(tmp_path, case, crf):
    frames = CONTENTS[case]()
    distorted = write(tmp_path / "d.mp4", frames, options={"crf": str(crf), "preset": "veryfast", "bf": "3"})
    assert len(run(Clip(frames), distorted)[0]) == COUNT


REFUSED_FILES = {
    "50 against 25 fps": ({"rate": 50}, S),
    "24 against 25 fps": ({"rate": 24}, S),
    "23.976 against 25 fps": ({"rate": "24000/1001"}, S),
    "variable against constant rate": ({"times": variable_times()}, S),
    "a dropped frame leaves a gap": (
        {"times": [Fraction(index, 25) for index in range(COUNT) if index != 13]},
        S[:13] + S[14:],
    ),
}


@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
@pytest.mark.parametrize("case", REFUSED_FILES)
def test_clocks_that_differ_are_refused(tmp_path, reference, case, suffix):
    options, frames = REFUSED_FILES[case]
    distorted = write(tmp_path / f"d.{suffix}", frames, **options)
    with pytest.raises(MismatchError) as refusal:
        run(reference, distorted)
    assert "--ignore-timestamps" in refusal.value.hint


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "y4m"])
@pytest.mark.parametrize(("rate", "kept"), [(50, COUNT), (50, 5), (24, 15), ("24000/1001", 25)])
def test_rates_that_differ_are_named_before_lengths_that_differ(tmp_path, suffix, rate, kept):
    how = {"codec": "wrapped_avframe"} if suffix == "y4m" else {}
    long = write(tmp_path / f"r.{suffix}", numbered(scene(2 * COUNT)), rate=25, **how)
    short = write(tmp_path / f"d.{suffix}", S[:kept], rate=rate, **how)
    for pair in ((long, short), (short, long)):
        with pytest.raises(MismatchError, match="Frame rates must agree"):
            run(*pair)
        with pytest.raises(MismatchError, match="same number of frames"):
            run(*pair, ignore_timestamps=True)


def test_mean_rates_that_differ_only_by_length_are_a_matter_of_length(tmp_path):
    long = write(tmp_path / "r.mkv", FRAMES, times=variable_times())
    short = write(tmp_path / "d.mkv", FRAMES[:20], times=variable_times()[:20])
    with pytest.raises(MismatchError, match="same number of frames"):
        run(long, short)


def test_a_missing_frame_is_named_by_its_time(tmp_path, reference):
    options, frames = REFUSED_FILES["a dropped frame leaves a gap"]
    with pytest.raises(MismatchError, match=r"none at 0\.520 s \(frame 13\)"):
        run(reference, write(tmp_path / "d.mp4", frames, **options))


@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
def test_pulldown_rates_are_told_apart_in_short_clips(tmp_path, suffix):
    one = write(tmp_path / f"r.{suffix}", S[:24], rate=24)
    other = write(tmp_path / f"d.{suffix}", S[:24], rate="24000/1001")
    with pytest.raises(MismatchError, match="Frame rates"):
        run(one, other)


def test_ignored_timestamps_pair_by_number(tmp_path, reference):
    numbers, pairing = run(reference, write(tmp_path / "d.mp4", S, rate=50), ignore_timestamps=True)
    assert numbers == ALL
    assert pairing.facts()["paired_by"] == "frame number"


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "264"])
@pytest.mark.parametrize("kept", [COUNT - 1, COUNT // 2])
def test_lengths_are_refused_or_truncated(tmp_path, reference, suffix, kept):
    short = write(tmp_path / f"d.{suffix}", S[:kept])
    for pair in ((reference, short), (short, reference)):
        with pytest.raises(MismatchError) as refusal:
            run(*pair)
        assert "--truncate" in refusal.value.hint
        numbers, pairing = run(*pair, truncate=True)
        assert numbers == ALL[:kept]
        assert "length" in kinds(pairing)
    assert run(reference, short, frame_limit=10)[0] == ALL[:10]


@pytest.mark.parametrize("policy", [{}, {"truncate": True}, {"sync": True}, {"frame_skip_distorted": 2}])
def test_a_clip_without_frames_is_named(tmp_path, reference, policy):
    empty = tmp_path / "empty.y4m"
    empty.write_bytes(b"YUV4MPEG2 W176 H112 F25:1\n")
    for pair in ((reference, empty), (empty, reference), (empty, empty)):
        with pytest.raises(UnreadableVideoError, match=r"empty\.y4m ends after its Y4M header"):
            run(*pair, **policy)


def test_raw_pairs_are_never_refused_for_content(tmp_path):
    numbers, pairing = run(open_arrays(S[1:]), open_arrays(S[:-1]))
    assert len(numbers) == COUNT - 1
    assert kinds(pairing) == {"content"}
    with pytest.raises(MismatchError, match="same number of frames"):
        run(open_arrays(S), open_arrays(S[:-1]))


def test_frames_can_be_skipped_on_either_side():
    assert run(Clip(S), Clip(S[3:]), frame_skip_reference=3)[0] == [(i, i) for i in range(3, COUNT)]
    assert run(Clip(S[2:]), Clip(S), frame_skip_distorted=2)[0] == [(i, i) for i in range(2, COUNT)]
    with pytest.raises(MismatchError, match="At least one pair"):
        run(Clip(S), Clip(S), frame_skip_reference=COUNT, frame_skip_distorted=COUNT)


SHIFTS = [-7, -1, 1, 5, 15]


@pytest.mark.parametrize("shift", SHIFTS)
def test_sync_finds_the_offset(tmp_path, shift):
    long = numbered(scene(COUNT + 15))
    one = write(tmp_path / "r.mp4", long[max(0, -shift) :][:COUNT])
    other = write(tmp_path / "d.mp4", long[max(0, shift) :][:COUNT], options={"crf": "34"})
    numbers, pairing = run(one, other, sync=True)
    assert sound(numbers)
    assert pairing.facts()["offset_frames"] == shift
    assert len(numbers) == COUNT - abs(shift)
    assert {"sync", "length"} <= kinds(pairing)


def test_sync_refuses_what_it_cannot_decide(tmp_path):
    still = write(tmp_path / "r.mkv", [S[0]] * 20, codec="ffv1")
    with pytest.raises(MismatchError, match="too little moves"):
        run(still, still, sync=True)
    with pytest.raises(UsageError, match="twice"):
        run(open_arrays(S), open_arrays(S), sync=True)


def test_sync_of_raw_files(tmp_path):
    grey = bytes([128]) * (WIDTH * HEIGHT // 2)
    for name, frames in (("r.yuv", S), ("d.yuv", S[4:])):
        (tmp_path / name).write_bytes(b"".join(frame.tobytes() + grey for frame in frames))
    one, other = (open_video(tmp_path / name, raw=RawFormat(WIDTH, HEIGHT)) for name in ("r.yuv", "d.yuv"))
    assert sound(run(one, other, sync=True)[0])


def test_content_check_can_be_switched_off():
    assert len(run(Clip(S), Clip(S[1:] + S[-1:]), check_sync=False)[0]) == COUNT
    assert len(run(Clip(S), Clip(SQUEEZED), ignore_range=True)[0]) == COUNT


def test_accepting_flags_are_noted():
    one = {"interlaced": True, "matrix": "bt709"}
    other = {"interlaced": False, "matrix": "bt2020nc"}
    _, pairing = run(Clip(S, **one), Clip(S, **other), ignore_colour=True, ignore_interlacing=True)
    assert kinds(pairing) == {"colour", "interlacing"}


def test_a_file_without_video_is_refused(tmp_path, reference):
    import av

    path = tmp_path / "sound.mka"
    with av.open(str(path), "w", format="matroska") as container:
        stream = container.add_stream("pcm_s16le", rate=48000)
        frame = av.AudioFrame(format="s16", layout="stereo", samples=1024)
        frame.rate, frame.pts = 48000, 0
        container.mux(stream.encode(frame))
    with pytest.raises(UnreadableVideoError, match="video stream"):
        run(reference, path)


def test_errors_of_either_decoder_arrive(reference):
    class Broken(Clip):
        def _frames(self, start):
            yield from list(super()._frames(start))[:5]
            raise UnreadableVideoError("broken after 5 frames")

    for pair in ((Broken(S), Clip(S)), (Clip(S), Broken(S))):
        with pytest.raises(UnreadableVideoError, match="broken"):
            run(*pair)


def test_pairs_carry_the_reference_before(reference):
    with open_video(reference) as one, open_video(reference) as other:
        pairing = pair_videos(one, other, PairingPolicy(), chroma_needed=True)
        assert pairing.expected_count == COUNT
        before = None
        for index, pair in enumerate(pairing):
            assert pair.index == index
            assert pair.previous is before
            assert len(pair.reference.planes) == 3
            before = pair.reference
        pairing.close()
        pairing.close()


def test_closing_early_stops_the_decoder(reference):
    import threading

    with open_video(reference) as one, open_video(reference) as other:
        pairing = pair_videos(one, other, PairingPolicy(), chroma_needed=False)
        assert number_of(next(iter(pairing)).distorted) == 0
        pairing.close()
    assert not [thread for thread in threading.enumerate() if thread.name == "tinyvmaf-decode"]


def test_flags_set_fields_of_the_policy():
    fields = set(PairingPolicy.__dataclass_fields__)
    assert {flag.field for flag in PAIRING_FLAGS} == fields - {
        "frame_skip_reference",
        "frame_skip_distorted",
        "frame_limit",
    }
    for flag in PAIRING_FLAGS:
        PairingPolicy(**{flag.field: flag.choices[0] if flag.choices else flag.value})
    with pytest.raises(UsageError):
        PairingPolicy(scale="nearest")
    with pytest.raises(UsageError):
        PairingPolicy(distorted_range="tv")
    with pytest.raises(UsageError):
        PairingPolicy(frame_limit=-1)
