"""`tinyvmaf shots` as users run it, without the model but for one test."""

from __future__ import annotations

import json
import signal
import subprocess
import time

import pytest

from cli_runs import call, command, environment, process
from clips import natural
from thumbs import BEE, FLOWER
from tinyvmaf.models import paths
from tinyvmaf.vision.lists import read_shots
from video_files import write_raw, y4m_bytes

CUT = 13
CONTENT = ("--detector", "content")


@pytest.fixture
def film(tmp_path):
    frames = natural(FLOWER, 96, 54, CUT) + natural(BEE, 96, 54, 17)
    path = tmp_path / "film.y4m"
    path.write_bytes(y4m_bytes(frames))
    write_raw(tmp_path / "film.yuv", frames)
    return path


def test_the_table(film):
    done = call("tinyvmaf", "shots", film, *CONTENT)
    assert (done.code, done.err) == (0, "")
    head, first, second, last = done.out.splitlines()
    assert head.split() == ["shot", "first", "last", "frames", "start", "end"]
    assert first.split() == ["0", "0", "12", "13", "00:00:00.000", "00:00:00.520"]
    assert second.split() == ["1", "13", "29", "17", "00:00:00.520", "00:00:01.200"]
    assert last == "2 shots, 30 frames, found by content"


def test_every_list_at_once(film, tmp_path):
    names = {"csv": "a.csv", "json": "a.json", "scenedetect-csv": "b.csv", "otio": "a.otio", "qpfile": "a.qp"}
    words = [word for option, name in names.items() for word in (f"--{option}", tmp_path / name)]
    done = call("tinyvmaf", "shots", film, *CONTENT, *words, "-q")
    assert (done.code, done.out, done.err) == (0, "", "")
    assert read_shots(tmp_path / "a.csv").boundaries == read_shots(tmp_path / "a.json").boundaries == (CUT,)
    assert (tmp_path / "a.qp").read_text() == "0 I\n13 I\n"
    assert (tmp_path / "b.csv").read_text().startswith("Timecode List:,00:00:00.520\nScene Number,Start Frame,")
    assert json.loads((tmp_path / "a.otio").read_text())["OTIO_SCHEMA"] == "Timeline.1"


@pytest.mark.parametrize("option", ["--csv", "--qpfile"])
def test_a_list_on_standard_output_replaces_the_table(film, option):
    done = call("tinyvmaf", "shots", film, *CONTENT, option, "-")
    assert done.code == 0
    assert done.out.splitlines()[1].startswith(("0,0,12,13,", "13 I"))


def test_standard_input(film):
    done = process("tinyvmaf", "shots", "-", *CONTENT, "--qpfile", "-", input=film.read_bytes())
    assert (done.code, done.out) == (0, "0 I\n13 I\n")


def test_raw_video_needs_a_layout_and_may_have_a_rate(film):
    raw = film.with_suffix(".yuv")
    words = (raw, *CONTENT, "--raw", "96x54:420:8")
    done = call("tinyvmaf", "shots", *words)
    assert (done.code, done.out.splitlines()[2].split()) == (0, ["1", "13", "29", "17", "-", "-"])
    assert "00:00:00.260" in call("tinyvmaf", "shots", *words, "--rate", "50").out
    done = call("tinyvmaf", "shots", *words, "--otio", film.with_suffix(".otio"))
    assert (done.code, done.out) == (2, "")
    assert done.err == "tinyvmaf: A timeline has times, but the video states no frame rate. Give one: --rate 25.\n"
    assert not film.with_suffix(".otio").exists()
    assert call("tinyvmaf", "shots", raw, *CONTENT).code == 2


def test_lengths_and_thresholds(film):
    assert "1 shots" in call("tinyvmaf", "shots", film, *CONTENT, "--threshold", "0.99").out
    for least in ("14", "0.53s"):
        assert "1 shots" in call("tinyvmaf", "shots", film, *CONTENT, "--min-length", least).out
    for least in ("13", "0.52s"):
        assert "2 shots" in call("tinyvmaf", "shots", film, *CONTENT, "--min-length", least).out


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--min-length", "x"), "--min-length takes frames such as 12 or seconds such as 0.5s, not 'x'."),
        (("--min-length", "0"), "A shot has 1 frame or more, not 0"),
        (("--rate", "1/0"), "--rate takes frames per second such as 25 or 30000/1001, not '1/0'."),
        (("--rate", "-3"), "--rate is above 0 and at most 1000 frames per second, not -3."),
        (("--threshold", "1.5"), "at least 0 and below 1, not 1.5."),
        (("--detector", "scdet"), "invalid choice: 'scdet'"),
        (("--csv", "none/a.csv"), "does not exist. Create it or choose another place."),
        (("--csv", "-", "--json", "-"), "Every log needs a file of its own, but '-' is named twice."),
        (("--raw", "96x54"), "--raw takes WxH:CHROMA:BITS"),
    ],
)
def test_a_mistake_is_one_line(film, words, says):
    done = call("tinyvmaf", "shots", film, *(words if "--detector" in words else (*CONTENT, *words)))
    assert (done.code, done.out, len(done.lines)) == (2, "", 1)
    assert says in done.err


def test_the_video_is_not_written_over(film):
    before = film.read_bytes()
    done = call("tinyvmaf", "shots", film, *CONTENT, "--csv", film)
    assert (done.code, film.read_bytes()) == (2, before)
    assert "is also an input" in done.err


def test_without_the_model_both_ways_out_are_named(film, tmp_path, monkeypatch):
    monkeypatch.setenv(paths.DATA, str(tmp_path / "empty"))
    done = call("tinyvmaf", "shots", film)
    assert (done.code, done.out, len(done.lines)) == (2, "", 1)
    assert "tinyvmaf models pull transnet_v2" in done.err
    assert "--detector content" in done.err
    assert call("tinyvmaf", "shots", film, "--detector", "auto").out.endswith("found by content\n")


def test_a_damaged_file_leaves_no_list(film, tmp_path):
    film.write_bytes(film.read_bytes()[:-100])
    done = call("tinyvmaf", "shots", film, *CONTENT, "--json", tmp_path / "a.json")
    assert (done.code, done.out) == (2, "")
    assert not (tmp_path / "a.json").exists()


def test_an_interrupt_leaves_nothing(film, tmp_path):
    """A pipe that never ends: the command waits for frames until it is told to stop."""
    words = command("tinyvmaf", "shots", "-", *CONTENT, "--csv", tmp_path / "a.csv")
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(words, env=environment(), **pipes) as running:
        running.stdin.write(film.read_bytes())
        running.stdin.flush()
        time.sleep(3)
        running.send_signal(signal.SIGINT)
        said = running.stderr.read().decode()
        assert running.wait(60) == 130
    assert "interrupted; nothing was written" in said
    assert {path.name for path in tmp_path.iterdir()} == {"film.y4m", "film.yuv"}


def test_with_the_model(film, pulled):
    pulled("transnet_v2")
    done = call("tinyvmaf", "shots", film, "--json", "-", "--threads", "1")
    assert done.code == 0
    said = json.loads(done.out)
    assert (said["detector"], said["threshold"], said["frame_rate"]) == ("transnet_v2", 0.5, "25")
    assert [shot["start_frame"] for shot in said["shots"]] == [0, CUT]
    assert len(said["probabilities"]) == len(said["inside"]) == said["frames"] == 30
