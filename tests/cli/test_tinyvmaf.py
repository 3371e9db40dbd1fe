"""`tinyvmaf`: the friendly face, its table, its logs, its progress bar."""

from __future__ import annotations

import csv
import io
import json
import os
import pty
import re
import shutil
import subprocess

import pytest

from cli_runs import TIME_LIMIT, call, command, environment, pair_of_clips, process, write_pair
from tinyvmaf import __version__
from tinyvmaf.cli.commands import COMMANDS

ONE = ["--model", "vmaf_v0.6.1"]
ROW = r"{name}  +(-?\d+\.\d{{3}}\s+){{5}}"


@pytest.fixture(scope="module")
def videos(tmp_path_factory):
    """Paths of a reference and of a distorted clip."""
    options = write_pair(tmp_path_factory.mktemp("videos"), *pair_of_clips())
    return [options[1], options[3]]


def test_the_table_shows_both_default_models_side_by_side(videos):
    done = call("tinyvmaf", "score", *videos)
    assert (done.code, done.err) == (0, "")
    head, *rows, foot = done.out.splitlines()
    assert head.split() == ["mean", "harmonic", "p1", "p5", "min", "worst", "frame"]
    assert [row.split()[0] for row in rows] == ["vmaf", "vmaf_tiny"]
    for row, name in zip(rows, ("vmaf", "vmaf_tiny"), strict=True):
        assert re.match(ROW.format(name=name) + r"\d+ at 0:00\.\d{3}\s*$", row)
    assert re.fullmatch(r"8 frames, 176x144, \d+\.\d fps, vmaf_tiny on CPU", foot)


def test_the_numbers_of_the_table_are_those_of_the_log(videos, tmp_path):
    done = call("tinyvmaf", "score", *videos, *ONE, "--json", tmp_path / "log.json")
    log = json.loads((tmp_path / "log.json").read_text())
    scores = [frame["metrics"]["vmaf"] for frame in log["frames"]]
    cells = done.out.splitlines()[1].split()
    pooled = log["pooled_metrics"]["vmaf"]
    assert [float(cells[i]) for i in (1, 2, 5)] == [round(pooled[k], 3) for k in ("mean", "harmonic_mean", "min")]
    assert int(cells[6]) == scores.index(min(scores))
    assert float(cells[8].split(":")[1]) == pytest.approx(int(cells[6]) / 25)


def test_features_that_were_asked_for_are_shown(videos):
    done = call("tinyvmaf", "score", *videos, *ONE, "--with", "psnr=enable_chroma=false,ssim", "--with", "adm,motion")
    assert done.code == 0
    names = [row.split()[0] for row in done.out.splitlines()[1:-1]]
    assert names == ["vmaf", "psnr_y", "ssim", "adm2", *(f"adm_scale{i}" for i in range(4)), "motion", "motion2"]


def test_every_log_at_once(videos, tmp_path):
    words = [word for name in ("json", "csv", "xml", "sub") for word in (f"--{name}", tmp_path / f"log.{name}")]
    assert call("tinyvmaf", "score", *videos, *ONE, *words).code == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["log.csv", "log.json", "log.sub", "log.xml"]


def test_a_log_on_standard_output_takes_the_place_of_the_table(videos):
    done = call("tinyvmaf", "score", *videos, *ONE, "--json", "-")
    assert json.loads(done.out)["models"][0]["name"] == "vmaf"
    done = call("tinyvmaf", "score", *videos, *ONE, "--csv", "-")
    assert len(list(csv.DictReader(io.StringIO(done.out)))) == 8


def test_quiet_says_nothing(videos, tmp_path):
    done = call("tinyvmaf", "score", *videos, *ONE, "-q", "--json", tmp_path / "log.json")
    assert (done.code, done.out, done.err) == (0, "", "")


def test_frames_and_subsample(videos):
    done = call("tinyvmaf", "score", *videos, *ONE, "--frames", 5, "--subsample", 2, "--threads", 2)
    assert done.out.splitlines()[-1].startswith("3 frames, ")


def test_headerless_files(tmp_path):
    words = write_pair(tmp_path, *pair_of_clips(98, 66, 2, 10), 10, kind="yuv")
    done = call("tinyvmaf", "score", words[1], words[3], "--raw", "98x66:420:10", *ONE)
    assert done.code == 0
    worst = done.out.splitlines()[1].split()[6:]
    assert worst in (["0"], ["1"])  # headerless video has no clock


def test_a_model_named_in_brackets_is_no_markup(videos, tmp_path):
    from tinyvmaf.models.registry import netflix_file

    path = tmp_path / "[bold] a quite long name of a model, which a narrow terminal has to fold.json"
    shutil.copyfile(netflix_file("vmaf_v0.6.1"), path)
    done = call("tinyvmaf", "score", *videos, "--model", path)
    assert done.code == 0
    assert "[bold]" in done.out
    assert re.search(r"\d+\.\d{3} .*\d+ at 0:00\.\d{3}", done.out)


def test_mended_pairs_say_so(videos, tmp_path):
    reference, distorted = pair_of_clips()
    paths = write_pair(tmp_path, reference, distorted[:5])
    done = call("tinyvmaf", "score", paths[1], paths[3], *ONE, "--truncate")
    assert done.code == 0
    assert len(done.lines) == 1
    assert done.lines[0].startswith("tinyvmaf: note: Only the common part is scored")
    assert call("tinyvmaf", "score", paths[1], paths[3], *ONE, "--truncate", "-q").err == ""


def test_demo_can_be_scored_at_once(tmp_path):
    done = call("tinyvmaf", "demo", tmp_path / "new" / "demo", "--frames", 8)
    assert (done.code, done.err) == (0, "")
    names = sorted(path.name for path in (tmp_path / "new" / "demo").iterdir())
    assert names == ["distorted.mp4", "reference.mkv"]
    scored = call("tinyvmaf", "score", *(tmp_path / "new" / "demo" / name for name in reversed(names)), *ONE)
    assert (scored.code, scored.err) == (0, "")
    assert 20 < float(scored.out.splitlines()[1].split()[1]) < 80


@pytest.mark.parametrize("words", [["--help"], *([name, "--help"] for name in COMMANDS)])
def test_help(words):
    done = call("tinyvmaf", *words)
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith("usage: tinyvmaf")


def test_every_command_is_in_the_help_and_the_version_is_printed():
    assert all(name in call("tinyvmaf", "--help").out for name in COMMANDS)
    assert call("tinyvmaf", "--version").out == f"tinyvmaf {__version__}\n"


def _on_a_terminal(words):
    """Run on a pseudo-terminal and return its exit code and all that was drawn."""
    master, slave = pty.openpty()
    settings = environment() | {"TERM": "xterm", "COLUMNS": "100"}
    with subprocess.Popen(words, stdin=slave, stdout=slave, stderr=slave, env=settings, close_fds=True) as running:
        os.close(slave)
        drawn = b""
        while True:
            try:
                block = os.read(master, 65536)
            except OSError:  # Linux says so when the last writer is gone
                break
            if not block:
                break
            drawn += block
        code = running.wait(TIME_LIMIT)
    os.close(master)
    return code, drawn.decode()


@pytest.mark.parametrize("program", ["tinyvmaf", "vmaf"])
def test_a_terminal_sees_a_progress_bar_and_a_pipe_does_not(program, videos, tmp_path):
    words = ["score", *videos, *ONE] if program == "tinyvmaf" else ["-r", videos[0], "-d", videos[1]]
    code, drawn = _on_a_terminal(command(program, *words))
    assert code == 0
    assert "Scoring" in drawn
    assert "/8" in drawn
    assert "\x1b[?25h" in drawn  # the cursor is back
    code, drawn = _on_a_terminal(command(program, *words, "-q"))
    assert "Scoring" not in drawn
    piped = process(program, *words)
    assert (piped.code, piped.err) == (0, "")
    assert "\x1b" not in piped.out


def test_an_error_on_a_terminal_is_one_line_and_the_cursor_is_back(videos, tmp_path):
    cut = tmp_path / "cut.y4m"
    cut.write_bytes(videos[1].read_bytes()[:-100])
    code, drawn = _on_a_terminal(command("tinyvmaf", "score", videos[0], cut, *ONE))
    assert code == 2
    assert drawn.count("tinyvmaf: ") == 1
    assert drawn.rfind("\x1b[?25h") >= drawn.rfind("\x1b[?25l")
