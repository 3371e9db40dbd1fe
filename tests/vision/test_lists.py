"""Lists of shots: read back, read by the programs that they are for."""

from __future__ import annotations

import csv
import io
import json
import shutil
import subprocess
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest

from tinyvmaf.errors import DataError, UnknownNameError
from tinyvmaf.vision.lists import FORMATS, read_shots, write_list, write_shots
from tinyvmaf.vision.lists.scenedetect import COLUMNS, timecode
from tinyvmaf.vision.shots import Shot, Shots, frame_edges, shots_between
from video_files import moving, write_raw

RATE = Fraction(30000, 1001)
EDGES = frame_edges([float(n / RATE) for n in range(150)], RATE)
FOUND = Shots(
    shots_between([40, 41, 100], EDGES), "film, \"one\".mkv", "transnet_v2", 0.4, RATE,
    np.linspace(0, 1, 150), np.linspace(1, 0, 150),
)  # fmt: skip
BARE = Shots((Shot(0, 9), Shot(10, 11)), detector="content")


def text(shots, kind):
    stream = io.StringIO()
    write_list(shots, stream, kind)
    return stream.getvalue()


@pytest.mark.parametrize("shots", [FOUND, BARE], ids=["clock", "no clock"])
def test_json_comes_back(shots, tmp_path):
    write_shots(shots, tmp_path / "list.json", "json")
    found = read_shots(tmp_path / "list.json")
    for name in ("name", "detector", "threshold", "frame_rate"):
        assert getattr(found, name) == getattr(shots, name)
    for one, other in zip(found, shots, strict=True):
        assert (one.first, one.last) == (other.first, other.last)
        assert one.start == (other.start if other.start is None else pytest.approx(other.start, abs=5e-7))
    if shots.probabilities is None:
        assert found.probabilities is found.inside is None
    else:
        assert found.probabilities == pytest.approx(shots.probabilities, abs=5e-7)
        assert found.inside == pytest.approx(shots.inside, abs=5e-7)
    said = json.loads((tmp_path / "list.json").read_text())
    assert said["shots"][1]["frames"] == said["shots"][1]["end_frame"] - said["shots"][1]["start_frame"] + 1


@pytest.mark.parametrize("shots", [FOUND, BARE], ids=["clock", "no clock"])
def test_csv_comes_back(shots, tmp_path):
    write_shots(shots, tmp_path / "list.csv", "csv")
    found = read_shots(tmp_path / "list.csv")
    assert [(shot.first, shot.last) for shot in found] == [(shot.first, shot.last) for shot in shots]
    assert found[1].start == (shots[1].start if shots[1].start is None else pytest.approx(shots[1].start, abs=5e-7))
    header, first, *_ = text(shots, "csv").splitlines()
    assert header == "shot_id,start_frame,end_frame,frames,start_time,end_time"
    assert first == {0.0: "0,0,39,40,0.000000,1.334667", None: "0,0,9,10,,"}[shots[0].start]


def test_columns_of_others_are_left_alone(tmp_path):
    (tmp_path / "a.csv").write_text("crf,end_frame,start_frame\n22,4,0\n30,9,5\n")
    assert read_shots(tmp_path / "a.csv").shots == (Shot(0, 4), Shot(5, 9))


@pytest.mark.parametrize(
    "content",
    [
        "", "{", "[]", "a,b\n1,2\n", "start_frame,end_frame\n", "start_frame,end_frame\n0,4\n6,9\n",
        "start_frame,end_frame\n3,4\n", "start_frame,end_frame\n0,x\n", "start_frame,end_frame\n0\n",
        "start_frame,end_frame,start_time\n0,4,nan\n", '{"schema_version": 2, "shots": []}', '{"shots": []}',
        '{"schema_version": 1, "shots": 5}', '{"schema_version": 1, "shots": [{"start_frame": 0, "end_frame": -1}]}',
        '{"schema_version": 1, "shots": [{"start_frame": 0, "end_frame": 1, "start_time": "x"}]}',
        '{"schema_version": 1, "shots": [{"start_frame": 0, "end_frame": 1}], "frame_rate": "1/0"}',
        '{"schema_version": 1, "shots": [{"start_frame": 0, "end_frame": 1}], "probabilities": [1]}',
    ],
)  # fmt: skip
def test_what_is_no_list_is_refused(content, tmp_path):
    (tmp_path / "list").write_text(content)
    with pytest.raises(DataError, match="is no list of shots"):
        read_shots(tmp_path / "list")


def test_a_list_that_is_not_there_is_an_error_of_ours(tmp_path):
    with pytest.raises(DataError, match="cannot be read"):
        read_shots(tmp_path / "none.csv")
    (tmp_path / "bytes").write_bytes(b"\xff\xfe")
    with pytest.raises(DataError, match="cannot be read"):
        read_shots(tmp_path / "bytes")
    with pytest.raises(UnknownNameError, match="no format 'edl' of shots"):
        write_list(FOUND, io.StringIO(), "edl")


@pytest.mark.parametrize("kind", ["scenedetect", "otio"])
def test_times_need_a_clock(kind, tmp_path):
    with pytest.raises(DataError, match=r"states no frame rate. Give one: --rate 25."):
        write_shots(BARE, tmp_path / "list", kind)
    assert list(tmp_path.iterdir()) == []


def test_pyscenedetect_writes_the_same():
    scenedetect = pytest.importorskip("scenedetect", exc_type=ImportError)
    times = [scenedetect.FrameTimecode(edge, fps=float(RATE)) for edge in (0, 40, 41, 100, 150)]
    theirs = io.StringIO()
    scenes = list(pairwise(times))
    scenedetect.output.write_scene_list(theirs, scenes, cut_list=[time.get_timecode() for time in times[1:-1]])
    assert text(FOUND, "scenedetect") == theirs.getvalue()


def test_pyscenedetect_finds_our_scenes_by_the_column_that_it_asks_for():
    rows = list(csv.reader(io.StringIO(text(FOUND, "scenedetect"))))
    assert rows[0][0] == "Timecode List:"
    assert tuple(rows[1]) == COLUMNS
    place = rows[1].index("Start Frame")
    assert [int(row[place]) - 1 for row in rows[2:]] == [0, *FOUND.boundaries]


def test_timecodes():
    assert timecode(0) == "00:00:00.000"
    assert timecode(3599.9996) == "01:00:00.000"
    assert timecode(83.0417) == "00:01:23.042"


def test_opentimelineio_reads_the_timeline(tmp_path):
    otio = pytest.importorskip("opentimelineio", exc_type=ImportError)
    write_shots(FOUND, tmp_path / "list.otio", "otio")
    timeline = otio.adapters.read_from_file(str(tmp_path / "list.otio"))
    clips = list(timeline.find_clips())
    starts = [clip.source_range.start_time.to_frames() for clip in clips]
    assert starts == [0, *FOUND.boundaries]
    assert sum(clip.duration().to_frames() for clip in clips) == 150
    assert clips[0].media_reference.target_url == FOUND.name
    assert clips[0].source_range.start_time.rate == pytest.approx(float(RATE))
    assert clips[2].trimmed_range_in_parent().start_time.to_frames() == 41
    assert clips[2].metadata["tinyvmaf"]["start_frame"] == 41


def test_a_variable_rate_is_a_timeline_of_times():
    times = [0.0, 0.1, 0.2, 0.3, 1.3, 1.4]
    edges = frame_edges(times, Fraction(10))
    clips = json.loads(text(Shots(shots_between([4], edges), frame_rate=Fraction(10)), "otio"))
    ranges = [clip["source_range"] for clip in clips["tracks"]["children"][0]["children"]]
    assert [(one["start_time"]["value"], one["duration"]["value"]) for one in ranges] == [(0, 13), (13, 2)]


def test_keyframes_are_a_line_each():
    assert text(FOUND, "qpfile") == "0 I\n40 I\n41 I\n100 I\n"


@pytest.mark.parametrize(("program", "options"), [("x264", []), ("x265", ["--log-level", "none"])])
def test_encoders_set_keyframes_there(program, options, tmp_path):
    """The encoders' own programs: FFmpeg's do not pass the file on."""
    if shutil.which(program) is None:
        pytest.skip(f"{program} is not installed")
    import av

    raw = write_raw(tmp_path / "clip.yuv", moving(64, 64, count=60))
    shots = Shots(shots_between([7, 8, 31], frame_edges([np.nan] * 60, None)))
    write_shots(shots, tmp_path / "keys.qp", "qpfile")
    target = tmp_path / f"out.{program[1:]}"
    asked = ["--input-res", "64x64", "--fps", "25", "--qpfile", str(tmp_path / "keys.qp"), "-o", str(target), str(raw)]
    subprocess.run([program, *options, *asked], check=True, capture_output=True)
    with av.open(str(target), format="h264" if program == "x264" else "hevc") as container:
        keys = [number for number, frame in enumerate(container.decode(video=0)) if frame.key_frame]
    assert keys == [0, 7, 8, 31]


def test_every_format_has_a_line_of_help():
    assert all(FORMATS.values())
    assert set(FORMATS) == {"csv", "json", "scenedetect", "otio", "qpfile"}
