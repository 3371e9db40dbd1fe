"""`tinyvmaf eval-saliency`: maps in files and maps of a video, its table, its report, its refusals."""

from __future__ import annotations

import json

import numpy as np
import pytest

from cli_runs import call
from saliency_models import write
from video_files import y4m_bytes


@pytest.fixture
def folder(tmp_path):
    """Two masks, maps of which one is wrong, and a video that is red where the first mask is."""
    for name in ("maps", "masks"):
        (tmp_path / name).mkdir()
    left = np.zeros((32, 48), np.float32)
    left[:, :24] = 1
    for name in ("a", "b"):
        np.save(tmp_path / "masks" / f"{name}.npy", left)
    np.save(tmp_path / "maps" / "a.npy", left)
    np.save(tmp_path / "maps" / "b.npy", 1 - left)
    frame = tuple(np.where(left > 0, red, other).astype(np.uint8) for red, other in ((81, 16), (90, 128), (240, 128)))
    (tmp_path / "v.y4m").write_bytes(y4m_bytes([frame] * 3, "444"))
    write(tmp_path)
    return tmp_path


def evaluate(folder, *words, maps=True):
    source = ["--pred-dir", folder / "maps"] if maps else ["--video", folder / "v.y4m", "--model", folder / "red.onnx"]
    return call("tinyvmaf", "eval-saliency", *source, "--gt-dir", folder / "masks", *words)


def table(done):
    assert (done.code, done.err) == (0, "")
    return {line[:10].strip(): line[10:].split()[0] for line in done.out.splitlines()[1:-1]}


def test_the_table(folder):
    found = table(evaluate(folder, "--block-size", 8))
    assert found == {
        "IoU": "0.5000", "F-beta": "0.5000", "MAE": "0.5000", "AUC": "0.5000", "IoU, macro": "0.5000",
        "IoU, micro": "0.3333",
    }  # fmt: skip


def test_the_report_takes_its_place_on_standard_output(folder):
    done = evaluate(folder, "--out-json", "-", "--grid", "whole")
    assert (done.code, done.err) == (0, "")
    said = json.loads(done.out)
    assert (said["n_pairs"], said["grid"]) == (2, "whole")
    # Half of the second column of blocks is in the map and in the mask: it counts as found and as wanted.
    assert [row["iou"] for row in said["rows"]] == [1.0, 1 / 3]
    assert (said["macro_iou"], said["micro_iou"]) == (pytest.approx(2 / 3), 6 / 10)


def test_the_report_in_a_file(folder):
    done = evaluate(folder, "--out-json", folder / "r.json", "--threshold", 0.25)
    assert table(done)["IoU"] == "0.5000"
    assert json.loads((folder / "r.json").read_text())["threshold"] == 0.25
    assert evaluate(folder, "-q", "--out-json", folder / "r.json").out == ""


def test_maps_of_a_video(folder):
    found = table(evaluate(folder, "--every", 1, "--threads", 1, "--device", "cpu", "--block-size", 8, maps=False))
    assert float(found["IoU"]) > 0.95
    assert found["AUC"] == "1.0000"


def test_masks_without_a_map_are_told_of(folder):
    (folder / "maps" / "b.npy").unlink()
    done = evaluate(folder)
    assert (done.code, done.err) == (0, "tinyvmaf: note: 1 of 2 masks have no map\n")
    assert done.out.endswith("\nmasks: 1\n")
    assert evaluate(folder, "-q").err == ""


BAD = {
    "no choice": (["--gt-dir", "masks"], "One of the arguments --pred-dir --video is required"),
    "both": (["--pred-dir", "maps", "--video", "v.y4m", "--gt-dir", "masks"], "not allowed with"),
    "no masks": (["--pred-dir", "maps"], "--gt-dir"),
    "missing": (["--pred-dir", "nowhere", "--gt-dir", "masks"], "nowhere"),
    "stray": (["--pred-dir", "maps", "--gt-dir", "masks", "--every", "2"], "--every belongs to --video"),
    "zero": (["--video", "v.y4m", "--model", "red.onnx", "--gt-dir", "masks", "--every", "0"], "at least 1, not 0"),
    "threshold": (["--pred-dir", "maps", "--gt-dir", "masks", "--threshold", "2"], "between 0 and 1, not at 2"),
    "block": (["--pred-dir", "maps", "--gt-dir", "masks", "--block-size", "33"], "block of 33x33"),
    "grid": (["--pred-dir", "maps", "--gt-dir", "masks", "--grid", "round"], "invalid choice"),
    "output": (["--pred-dir", "maps", "--gt-dir", "masks", "--out-json", "nowhere/r.json"], "does not exist"),
    "model": (["--video", "v.y4m", "--model", "nothing", "--gt-dir", "masks"], "nothing"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_cannot_be_done_is_one_line(folder, monkeypatch, name):
    words, message = BAD[name]
    monkeypatch.chdir(folder)
    done = call("tinyvmaf", "eval-saliency", *words)
    assert (done.code, done.out, len(done.lines)) == (2, "", 1), done
    assert message in done.err
    assert not list(folder.glob("*.json*")) or list(folder.glob("*.json*")) == [folder / "red.json"]
