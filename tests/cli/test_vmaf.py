"""`vmaf` as a drop-in: libvmaf's options in, libvmaf's numbers and logs out."""

from __future__ import annotations

import csv
import json
import math
import re
import subprocess
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest

from cli_runs import (
    call,
    column,
    command,
    environment,
    log_of,
    model_file,
    pair_of_clips,
    process,
    write_golden,
    write_pair,
)  # fmt: skip
from clips import needs_shared
from oracles.libvmaf import libvmaf
from tinyvmaf import __version__
from tinyvmaf.score.logs import read_log

GOLDEN_MEANS = {"src01_10": 82.564227, "src01_12": 82.564227, "src01_16": 82.564227, "sparks_10": 97.900628}
INTEGER_KEYS = [
    "integer_adm2",
    *(f"integer_adm_scale{i}" for i in range(4)),
    "integer_motion2",
    *(f"integer_vif_scale{i}" for i in range(4)),
]


@pytest.fixture(scope="module")
def eight(tmp_path_factory):
    """Eight frames as Y4M: the options that name them."""
    return write_pair(tmp_path_factory.mktemp("eight"), *pair_of_clips())


@needs_shared
@pytest.mark.parametrize("name", GOLDEN_MEANS)
def test_published_scores(name, tmp_path):
    log = log_of(tmp_path, *write_golden(tmp_path, name))
    assert log["pooled_metrics"]["vmaf"]["mean"] == pytest.approx(GOLDEN_MEANS[name], abs=1e-3)


@pytest.mark.parametrize(
    ("clip", "width", "height", "bits", "crf"),
    [
        ("mdn_flower", 320, 180, 8, 40),
        ("sam2_dog", 353, 197, 8, 30),
        ("hdr10_1080p", 320, 180, 10, 35),
        ("sam2_cups", 262, 146, 10, 48),
    ],
)
def test_whole_log_equals_libvmaf(clip, width, height, bits, crf, tmp_path):
    reference, distorted = pair_of_clips(width, height, 6, bits, crf=crf, clip=clip)
    theirs = libvmaf(reference, distorted, bits=bits)
    log = log_of(tmp_path, *write_pair(tmp_path, reference, distorted, bits))
    assert [frame["frameNum"] for frame in log["frames"]] == list(range(6))
    np.testing.assert_allclose(column(log, "vmaf"), theirs["vmaf"], atol=0.01)
    assert log["pooled_metrics"]["vmaf"]["mean"] == pytest.approx(theirs["vmaf"].mean(), abs=0.002)
    for key in INTEGER_KEYS:
        tolerance = 2e-3 if "motion" in key else 2e-4
        np.testing.assert_allclose(column(log, key), theirs[key], atol=tolerance, err_msg=key)


@pytest.mark.parametrize(
    ("chroma", "bits"), [("400", 8), ("422", 8), ("444", 8), ("420", 10), ("422", 12), ("420", 16), ("400", 16)]
)
def test_raw_layouts_give_what_y4m_gives(chroma, bits, tmp_path):
    clips = pair_of_clips(97, 65, 2, bits, chroma)
    planes = ["--feature", "psnr"]
    raw = log_of(tmp_path, *write_pair(tmp_path, *clips, bits, chroma, "yuv"), *planes)
    y4m = log_of(tmp_path, *write_pair(tmp_path, *clips, bits, chroma), *planes)
    assert raw["frames"] == y4m["frames"]
    assert ("psnr_cb" in raw["pooled_metrics"]) == (chroma != "400")
    assert 0 < raw["pooled_metrics"]["vmaf"]["mean"] < 100


def test_psnr_of_luma_takes_two_chroma_formats(tmp_path):
    reference, _ = write_pair(tmp_path, *pair_of_clips(frames=2))[1::2]
    (tmp_path / "444").mkdir()
    _, distorted = write_pair(tmp_path / "444", *pair_of_clips(frames=2, chroma="444"), chroma="444")[1::2]
    words = ["-r", reference, "-d", distorted, "--feature", "psnr=enable_chroma=false", "--json", "-o", tmp_path / "o"]
    done = call("vmaf", *words)
    assert (done.code, len(done.lines)) == (0, 1), done
    assert "psnr_y" in json.loads((tmp_path / "o").read_text())["pooled_metrics"]


def test_chroma_and_bits_do_not_change_what_only_reads_luma(tmp_path):
    reference, distorted = pair_of_clips(frames=2)
    means = set()
    for chroma in ("400", "420"):
        count = 1 if chroma == "400" else 3
        clips = [[planes[:count] for planes in clip] for clip in (reference, distorted)]
        log = log_of(tmp_path, *write_pair(tmp_path, *clips, 8, chroma, "yuv"))
        means.add(log["pooled_metrics"]["vmaf"]["mean"])
    shifted = [[tuple(p.astype(np.uint16) << 4 for p in planes) for planes in clip] for clip in (reference, distorted)]
    means.add(log_of(tmp_path, *write_pair(tmp_path, *shifted, 12, kind="yuv"))["pooled_metrics"]["vmaf"]["mean"])
    assert max(means) - min(means) < 1e-3


@pytest.mark.parametrize("place", ["-r", "-d"])
def test_y4m_on_standard_input(place, eight, tmp_path):
    words = list(eight)
    spot = words.index(place) + 1
    piped, words[spot] = words[spot], "-"
    log = tmp_path / "log.json"
    done = process("vmaf", *words, "--json", "-o", log, input=piped.read_bytes())
    assert (done.code, done.out, done.err) == (0, "", "")
    assert json.loads(log.read_text())["frames"] == log_of(tmp_path, *eight)["frames"]


def test_every_format_holds_the_same_numbers(eight, tmp_path):
    logs = {}
    for name in ("xml", "json", "csv", "sub"):
        path = tmp_path / f"log.{name}"
        assert call("vmaf", *eight, f"--{name}", "-o", path).code == 0
        logs[name] = read_log(path)
    want = json.loads((tmp_path / "log.json").read_text())
    root = ElementTree.fromstring((tmp_path / "log.xml").read_text())
    assert [float(f.get("vmaf")) for f in root.iterfind("frames/frame")] == column(want, "vmaf")
    with open(tmp_path / "log.csv", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [float(row["vmaf"]) for row in rows] == column(want, "vmaf")
    first = (tmp_path / "log.sub").read_text().splitlines()[0]
    assert first.startswith("{0}{1}frame: 0|integer_adm2: ")
    for log in logs.values():
        assert log.column("adm2").tolist() == column(want, "integer_adm2")
        assert list(log.columns) == list(want["frames"][0]["metrics"])


def test_xml_is_the_default_and_the_log_goes_to_standard_output_for_a_dash(eight, tmp_path):
    assert call("vmaf", *eight, "-o", tmp_path / "log").code == 0
    assert (tmp_path / "log").read_text().startswith("<VMAF version=")
    done = call("vmaf", *eight, "-o", "-", "--json")
    assert done.code == 0
    assert len(json.loads(done.out)["frames"]) == 8


def test_without_a_log_the_means_are_printed(eight):
    assert re.fullmatch(r"vmaf_v0\.6\.1: \d+\.\d{6}\n", call("vmaf", *eight).out)
    done = call("vmaf", *eight, "-n", "--feature", "float_ssim", "--feature", "psnr=enable_chroma=false")
    assert re.fullmatch(r"float_ssim: 0\.\d{6}\npsnr_y: \d+\.\d{6}\n", done.out)


@pytest.mark.parametrize("step", [2, 3, 100])
def test_subsample_scores_multiples_while_motion_sees_every_frame(step, eight, tmp_path):
    whole, part = log_of(tmp_path, *eight), log_of(tmp_path, *eight, "--subsample", step)
    assert part["frames"] == whole["frames"][::step]
    values = column(whole, "vmaf")[::step]
    assert part["pooled_metrics"]["vmaf"]["mean"] == pytest.approx(np.mean(values), abs=1e-5)


def test_subsample_of_0_and_1_score_every_frame(eight, tmp_path):
    whole = log_of(tmp_path, *eight)["frames"]
    assert whole == log_of(tmp_path, *eight, "--subsample", 0)["frames"]
    assert whole == log_of(tmp_path, *eight, "--subsample", 1)["frames"]


def test_frame_count_and_skips_equal_a_clip_cut_beforehand(tmp_path):
    reference, distorted = pair_of_clips()
    words = write_pair(tmp_path, reference, distorted)
    log = log_of(tmp_path, *words, "--frame_skip_ref", 2, "--frame_skip_dist", 2, "--frame_cnt", 4)
    short = write_pair(tmp_path, reference[2:6], distorted[2:6])
    assert log["frames"] == log_of(tmp_path, *short)["frames"]
    assert len(log["frames"]) == 4


def test_skipping_on_one_side_mends_a_late_start(tmp_path):
    reference, distorted = pair_of_clips()
    late = write_pair(tmp_path, reference, distorted[3:])
    log = log_of(tmp_path, *late, "--frame_skip_ref", 3)
    assert log["frames"] == log_of(tmp_path, *write_pair(tmp_path, reference[3:], distorted[3:]))["frames"]


@pytest.mark.parametrize("digits", ["3", "17", "max", "full"])
def test_precision(digits, eight, tmp_path):
    path = tmp_path / "log.json"
    assert call("vmaf", *eight, "--json", "-o", path, "--precision", digits).code == 0
    text = re.search(r'"integer_adm2": ([0-9.e-]+),', path.read_text())[1]
    exact = column(log_of(tmp_path, *eight, "--precision", "max"), "integer_adm2")[0]
    assert text == f"%.{17 if digits in ('max', 'full') else digits}g" % exact


def test_legacy_precision_has_six_decimals(eight, tmp_path):
    path = tmp_path / "log.csv"
    assert call("vmaf", *eight, "--csv", "-o", path, "--precision", "legacy").code == 0
    cells = [cell for row in path.read_text().splitlines()[1:] for cell in row.split(",")[1:-1]]
    assert all(re.fullmatch(r"-?\d+\.\d{6}(\d{10})?", cell) for cell in cells)


def test_no_prediction_measures_features_only(eight, tmp_path):
    log = log_of(tmp_path, *eight, "-n", "--feature", "psnr")
    assert list(log["pooled_metrics"]) == ["psnr_y", "psnr_cb", "psnr_cr"]
    assert log["models"] == []
    both = log_of(tmp_path, *eight, "-n", "-m", "version=vmaf_v0.6.1")
    assert "integer_adm2" in both["pooled_metrics"]


def test_thread_count_does_not_change_a_byte_of_the_metrics(eight, tmp_path):
    texts = set()
    for threads in (1, 2, 4):
        path = tmp_path / "log.json"
        words = ["--feature", "float_ssim", "--precision", "max", "--threads", threads]
        assert call("vmaf", *eight, *words, "--json", "-o", path).code == 0
        texts.add(re.search(r'"frames": .*"aggregate_metrics"', path.read_text(), re.DOTALL)[0])
    assert len(texts) == 1


@needs_shared
@pytest.mark.parametrize("name", ["vmaf_v0.6.1neg", "vmaf_4k_v0.6.1"])
def test_model_files_equal_libvmaf(name, tmp_path):
    reference, distorted = pair_of_clips(256, 144, 5)
    words = ["-m", f"path={model_file(name)}:name=mine"]
    log = log_of(tmp_path, *write_pair(tmp_path, reference, distorted), *words)
    theirs = libvmaf(reference, distorted, models=[f"version={name}:name=mine"])
    np.testing.assert_allclose(column(log, "mine"), theirs["mine"], atol=0.01)
    assert [model["registered"] for model in log["models"]] == [False]


@needs_shared
def test_a_bootstrap_collection_adds_all_its_columns(eight, tmp_path):
    log = log_of(tmp_path, *eight, "-m", f"path={model_file('vmaf_b_v0.6.3')}:name=boot")
    names = [f"boot_{i:04d}" for i in range(1, 21)]
    values = {name: np.array(column(log, name)) for name in ("boot", "boot_bagging", "boot_stddev", *names)}
    np.testing.assert_allclose(values["boot_bagging"], np.mean([values[name] for name in names], axis=0), atol=1e-4)
    assert np.all(np.abs(values["boot"] - values["boot_bagging"]) < 4 * values["boot_stddev"])
    low, high = (np.array(column(log, f"boot_ci_p95_{end}")) for end in ("lo", "hi"))
    assert np.all((low < values["boot_bagging"]) & (values["boot_bagging"] < high))


def test_several_models_stand_side_by_side(eight, tmp_path):
    words = [
        "-m",
        "version=vmaf_v0.6.1",
        "-m",
        "version=vmaf_v0.6.1neg:name=neg",
        "-m",
        "version=vmaf_4k_v0.6.1:name=4k",
    ]
    log = log_of(tmp_path, *eight, *words)
    assert [model["name"] for model in log["models"]] == ["vmaf", "neg", "4k"]
    assert np.all(np.array(column(log, "neg")) <= np.array(column(log, "vmaf")) + 1e-6)
    assert {"integer_adm2", "integer_adm2_egl_1", "vmaf", "neg", "4k"} <= log["pooled_metrics"].keys()


def test_feature_overloads_show_in_the_names_and_equal_libvmaf(tmp_path):
    reference, distorted = pair_of_clips(frames=4)
    text = "version=vmaf_v0.6.1:adm.adm_enhn_gain_limit=1.0:vif.vif_enhn_gain_limit=1.2"
    log = log_of(tmp_path, *write_pair(tmp_path, reference, distorted), "-m", text)
    theirs = libvmaf(reference, distorted, models=[text])
    for key in ("integer_adm2_egl_1", "integer_vif_scale0_egl_1.2", "vmaf"):
        np.testing.assert_allclose(column(log, key), theirs[key], atol=0.01 if key == "vmaf" else 2e-4)
    assert "integer_adm2" not in log["pooled_metrics"]


def test_transform_and_clip_of_a_model(eight, tmp_path):
    plain = column(log_of(tmp_path, *eight), "vmaf")
    bent = column(log_of(tmp_path, *eight, "-m", "version=vmaf_v0.6.1:enable_transform"), "vmaf")
    assert all(high > low for high, low in zip(bent, plain, strict=True))
    reference, _ = pair_of_clips()
    same = write_pair(tmp_path, reference, reference)
    free = column(log_of(tmp_path, *same, "-m", "version=vmaf_v0.6.1:disable_clip:name=free"), "free")
    clipped = column(log_of(tmp_path, *same), "vmaf")
    assert clipped == [min(100.0, value) for value in free]


def test_masks_are_accepted_and_said(eight):
    done = call("vmaf", *eight, "--cpumask", "0xff", "-c", 1, "--gpumask", 1)
    assert done.code == 0
    assert [re.search(r"--\w+ is accepted and has no effect", line) is not None for line in done.lines] == [True, True]
    assert call("vmaf", *eight, "--gpumask", 1, "-q").err == ""


def test_containers_of_any_kind_and_what_was_mended_is_said(eight, tmp_path):
    done = call("tinyvmaf", "demo", tmp_path, "--frames", 10)
    assert done.code == 0
    words = ["-r", tmp_path / "reference.mkv", "-d", tmp_path / "distorted.mp4"]
    log = log_of(tmp_path, *words)
    assert len(log["frames"]) == 10
    assert [log["inputs"][name]["codec"] for name in ("reference", "distorted")] == ["ffv1", "h264"]
    mixed = call("vmaf", *write_pair(tmp_path, pair_of_clips(frames=2)[0], pair_of_clips(frames=2)[1]), "--json")
    assert mixed.err == ""


def test_deeper_bits_are_mended_with_a_note(tmp_path):
    reference, _ = pair_of_clips(frames=2)
    deep = [tuple(p.astype(np.uint16) << 2 for p in planes) for planes in reference]
    words = write_pair(tmp_path, reference, reference)
    words[3] = write_pair(tmp_path / "..", deep, deep, 10)[3]
    done = call("vmaf", *words)
    assert done.code == 0
    assert done.lines == ["vmaf: note: The reference frames are raised from 8 to 10 bits."]


def test_identical_grey_video_with_an_infinite_metric_stays_valid_json(tmp_path):
    reference, _ = pair_of_clips(frames=2, chroma="400")
    words = [*write_pair(tmp_path, reference, reference, 8, "400"), "--feature", "float_ssim=enable_db=true"]
    log = log_of(tmp_path, *words)
    assert column(log, "float_ssim") == [None, None]
    assert log["pooled_metrics"]["float_ssim"]["mean"] is None
    assert all(math.isfinite(value) for value in column(log, "vmaf"))


def test_version_goes_to_standard_error_and_help_to_standard_output():
    done = call("vmaf", "-v")
    assert (done.code, done.out, done.err) == (0, "", f"vmaf: tinyvmaf {__version__}\n")
    done = call("vmaf", "--help")
    assert (done.code, done.err) == (0, "")
    assert all(flag in done.out for flag in ("--reference", "--model", "--scale", "--sync", "--no-sync-check"))


def test_two_pipes(eight):
    line = f"{_quoted(command('vmaf'))} -r <(cat {eight[1]}) -d <(cat {eight[3]})"
    done = subprocess.run(["bash", "-c", line], capture_output=True, text=True, env=environment(), check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == call("vmaf", *eight).out


def _quoted(words):
    return " ".join("'" + word.replace("'", "'\\''") + "'" for word in words)
