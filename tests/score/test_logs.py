"""Logs: libvmaf's own files reproduced byte for byte, every format read back, every name survived."""

import csv
import io
import json
import math
import re
import subprocess
import xml.etree.ElementTree as ElementTree
from fractions import Fraction
from pathlib import Path

import jsonschema
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from clips import degrade, natural
from tinyvmaf.errors import DataError, UnknownNameError, UsageError
from tinyvmaf.score.logs import FORMATS, LEGACY, NumberFormat, parse_precision, read_log, write_log, write_stream
from tinyvmaf.score.logs.json import plain
from tinyvmaf.score.logs.names import from_xml_name, key_of, log_name, xml_name
from tinyvmaf.score.result import Result, RunInfo, ScoreInfo

SCHEMA = json.loads((Path(__file__).resolve().parents[2] / "docs" / "schema" / "vmaf-log-1.json").read_text())
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)
HASH = "ab" * 32


def result(columns=None, scores=None, **changes):
    columns = {"adm2": [0.5, 0.25], "vmaf": [80.0, 90.0]} if columns is None else columns
    count = len(next(iter(columns.values()), []))
    facts = {
        "frame_numbers": np.arange(count),
        "times": None,
        "columns": {key: np.array(values, dtype=float) for key, values in columns.items()},
        "scores": (ScoreInfo("vmaf", "vmaf_v0.6.1", HASH, "svm"),) if scores is None else scores,
        "width": 64,
        "height": 36,
        "run": RunInfo("0.1.0", threads=2, seconds=4.0, frames=50),
    }
    return Result(**(facts | changes))


def written(answer, log_format, precision=LEGACY):
    stream = io.StringIO()
    write_stream(answer, stream, log_format, precision)
    return stream.getvalue()


@pytest.fixture(scope="module")
def libvmaf_logs(tmp_path_factory):
    """The same scoring as libvmaf logs it in each format."""
    binary = pytest.importorskip("imageio_ffmpeg").get_ffmpeg_exe()
    folder = tmp_path_factory.mktemp("logs")
    reference = natural(0, 160, 90, 6)
    for name, clip in (("ref.yuv", reference), ("dis.yuv", degrade(reference))):
        (folder / name).write_bytes(b"".join(plane.tobytes() for planes in clip for plane in planes))
    raw = ["-f", "rawvideo", "-pix_fmt", "yuv420p", "-s", "160x90"]
    for log_format in FORMATS:
        graph = f"libvmaf=log_fmt={log_format}:log_path=log.{log_format}:feature=name=psnr"
        command = [
            binary,
            "-v",
            "error",
            *raw,
            "-i",
            "dis.yuv",
            *raw,
            "-i",
            "ref.yuv",
            "-lavfi",
            graph,
            "-f",
            "null",
            "-",
        ]
        subprocess.run(command, cwd=folder, check=True, timeout=60)
    return folder


@pytest.fixture
def theirs(libvmaf_logs):
    """What libvmaf logged, as a result of ours."""
    log = read_log(libvmaf_logs / "log.json")
    assert log.fps is not None
    return result(
        {key_of(name): column for name, column in log.columns.items()},
        width=160,
        height=90,
        run=RunInfo(log.version, seconds=100.0, frames=round(log.fps * 100)),
    )


def digits_out(text):
    """A text without its numbers and without the two facts that differ between runs."""
    return re.sub(r"-?\d+\.\d+", "N", re.sub(r'("?fps"?[:=] ?)"?[\d.]+"?', r"\1F", text))


@pytest.mark.parametrize("log_format", ["csv", "sub"])
def test_frame_logs_are_libvmafs_byte_for_byte(libvmaf_logs, theirs, log_format):
    assert written(theirs, log_format) == (libvmaf_logs / f"log.{log_format}").read_text()


def test_json_is_libvmafs_byte_for_byte_up_to_the_blocks_of_our_own(libvmaf_logs, theirs):
    expected, found = (libvmaf_logs / "log.json").read_text(), written(theirs, "json")
    head, pooled = expected.split('  "pooled_metrics"')
    assert found.startswith(head)
    assert digits_out(found).startswith(digits_out(expected).removesuffix("\n}\n") + ",\n")
    assert digits_out(pooled).removesuffix("\n}\n") in digits_out(found)


def test_xml_is_libvmafs_byte_for_byte(libvmaf_logs, theirs):
    expected, found = (libvmaf_logs / "log.xml").read_text(), written(theirs, "xml")
    assert digits_out(found) == digits_out(expected)
    frames = re.compile(r"  <frames>.*</frames>\n", re.DOTALL)
    assert frames.findall(found) == frames.findall(expected)


def test_pooled_figures_are_libvmafs(libvmaf_logs, theirs):
    for log_format in ("json", "xml"):
        for name, methods in read_log(libvmaf_logs / f"log.{log_format}").pooled.items():
            pooled = theirs.pooled(key_of(name))
            assert methods == pytest.approx({m: getattr(pooled, m) for m in methods}, abs=2e-6)


@pytest.mark.parametrize("log_format", FORMATS)
def test_every_format_of_libvmaf_reads_alike(libvmaf_logs, theirs, log_format):
    log = read_log(libvmaf_logs / f"log.{log_format}")
    assert log.frame_numbers.tolist() == list(range(6))
    for key, column in theirs.columns.items():
        assert np.array_equal(log.column(key), column)
    assert np.array_equal(log.column("adm2"), log.column("integer_adm2"))
    with pytest.raises(UnknownNameError, match="no column 'cambi'"):
        log.column("cambi")


NAMES = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12)
VALUES = st.lists(st.floats(), min_size=3, max_size=3)


@settings(max_examples=60)
@given(st.dictionaries(NAMES, VALUES, min_size=1, max_size=4), NAMES, st.sampled_from([LEGACY, NumberFormat(9)]))
def test_any_name_and_any_value_give_a_valid_log(columns, note, precision):
    scores = tuple(ScoreInfo(name, note, HASH, "tiny") for name in columns)
    answer = result(columns, scores, pairing={note: [note, math.nan]}, aggregates={note: math.inf})
    content = json.loads(written(answer, "json", precision), parse_constant=pytest.fail)
    VALIDATOR.validate(content)
    assert list(content["frames"][0]["metrics"]) == list(columns)
    root = ElementTree.fromstring(written(answer, "xml", precision))
    assert [from_xml_name(metric.attrib["name"]) for metric in root.iterfind("pooled_metrics/metric")] == list(columns)
    lines = list(csv.reader(io.StringIO(written(answer, "csv", precision), newline="")))
    assert lines[0][1:-1] == list(columns)
    assert {len(line) for line in lines} == {len(columns) + 2}
    assert len(written(answer, "sub", precision).split("\n")) == 4


@settings(max_examples=40)
@given(
    columns=st.dictionaries(
        st.sampled_from(["adm2", "vif_scale0_egl_1", "psnr_y", "vmaf", 'a"b<&', "x,y"]), VALUES, min_size=1
    )
)
@pytest.mark.parametrize("log_format", FORMATS)
def test_what_is_written_is_read_back(tmp_path_factory, columns, log_format):
    scores = tuple(
        ScoreInfo(name, "m", HASH, "svm")
        for name in columns
        if name[0] in "axv" and not name.startswith(("adm", "vif"))
    )
    answer = result(columns, scores)
    path = tmp_path_factory.getbasetemp() / f"back.{log_format}"
    write_log(answer, path, log_format, NumberFormat(17))
    log = read_log(path)
    assert log.frame_numbers.tolist() == [0, 1, 2]
    for key, values in answer.columns.items():
        finite = np.isfinite(values)
        if log_format == "sub" and not finite.any():
            continue  # the format has no place for a column without values
        if log_format == "xml":
            assert np.array_equal(log.column(key), values, equal_nan=True)
        else:
            assert np.array_equal(np.isfinite(log.column(key)), finite)
        assert np.array_equal(log.column(key)[finite], values[finite])


def test_our_blocks_follow_libvmafs_and_hold_the_schema():
    answer = result(
        {"adm2": [0.5, math.nan], "vmaf": [80.0, 90.0], "fast": [81.0, math.nan], "vmaf_bagging": [1.0, 2.0]},
        (
            ScoreInfo("vmaf", "vmaf_b.json", HASH, "bootstrap", registered=False, keys=("vmaf", "vmaf_bagging")),
            ScoreInfo("fast", "vmaf_tiny", HASH, "tiny", "teacher"),
        ),
        inputs={"reference": {"name": Path("a.y4m"), "frame_rate": Fraction(24000, 1001)}},
        pairing={"offset": np.int64(2), "psnr": np.float32(math.inf), "kept": (1, {"x": None})},
    )
    content = json.loads(written(answer, "json"))
    VALIDATOR.validate(content)
    assert list(content)[:5] == ["version", "fps", "frames", "pooled_metrics", "aggregate_metrics"]
    assert content["fps"] == 12.5
    assert content["frames"][1]["metrics"] == {"integer_adm2": None, "vmaf": 90.0, "fast": None, "vmaf_bagging": 2.0}
    assert content["pooled_metrics"]["integer_adm2"] == dict.fromkeys(("min", "max", "mean", "harmonic_mean"))
    assert content["tiny_model"]["per_frame"] == [81.0, None]
    assert content["tiny_model"]["mean"] is None
    assert [model["columns"] for model in content["models"]] == [["vmaf", "vmaf_bagging"], ["fast"]]
    assert content["inputs"]["reference"] == {"name": "a.y4m", "frame_rate": "24000/1001"}
    assert content["pairing"] == {"offset": 2, "psnr": None, "kept": [1, {"x": None}]}
    assert content["schema"] == SCHEMA["$id"]


def test_the_schema_is_itself_valid():
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


def test_without_a_tiny_model_there_is_no_such_block():
    assert "tiny_model" not in json.loads(written(result(), "json"))


@pytest.mark.parametrize("log_format", FORMATS)
@pytest.mark.parametrize("columns", [{}, {"vmaf": []}])
def test_results_without_frames_or_columns(tmp_path, log_format, columns):
    answer = result(columns, run=RunInfo("0.1.0"))
    write_log(answer, tmp_path / "log", log_format)
    if log_format != "sub":
        assert len(read_log(tmp_path / "log").frame_numbers) == 0
    if log_format == "json":
        VALIDATOR.validate(json.loads((tmp_path / "log").read_text()))


def test_long_clips_are_written_in_pieces():
    count = 5000
    answer = result({"vmaf": np.linspace(0, 100, count)}, (ScoreInfo("vmaf", "t", HASH, "tiny"),))
    pieces = []

    class Pieces(io.StringIO):
        def write(self, text):
            pieces.append(len(text))
            return super().write(text)

    stream = Pieces()
    write_stream(answer, stream, "json")
    content = json.loads(stream.getvalue())
    assert content["tiny_model"]["per_frame"] == [frame["metrics"]["vmaf"] for frame in content["frames"]]
    assert max(pieces) < 30_000


@pytest.mark.parametrize(
    ("value", "legacy"),
    [
        (0.0, "0.000000"),
        (-1.5, "-1.500000"),
        (5.0000001, "5.0000001000000003"),
        (0.9999999, "1.000000"),
        (1e-6, "0.000001"),
        (1e-7, "0.0000001000000000"),
        (1e20, "100000000000000000000.000000"),
    ],
)
def test_legacy_numbers_have_six_decimals_or_sixteen_for_tiny_fractions(value, legacy):
    assert LEGACY.text(value) == legacy


def test_precision_by_name():
    assert parse_precision("legacy") == LEGACY
    assert parse_precision("max") == parse_precision("full") == parse_precision("17") == NumberFormat(17)
    assert NumberFormat(4).text(83.856284) == "83.86"
    assert float(NumberFormat(17).text(0.1)) == 0.1
    for wrong in ("0", "18", "", "1.5", "-1", "six", "9" * 5000, "٣"):
        with pytest.raises(UsageError, match="from 1 to 17"):
            parse_precision(wrong)


def test_names_are_translated_both_ways_with_their_suffix():
    known = {"adm2": "integer_adm2", "adm2_egl_1": "integer_adm2_egl_1", "adm_scale0": "integer_adm_scale0"}
    known |= {
        "motion": "integer_motion",
        "motion2": "integer_motion2",
        "ssim": "float_ssim",
        "ms_ssim": "float_ms_ssim",
    }
    known |= {"psnr_y": "psnr_y", "vmaf": "vmaf", "vif_scale3_egl_1": "integer_vif_scale3_egl_1"}
    assert {key: log_name(key) for key in known} == known
    assert {key_of(name): name for name in known.values()} == known


@given(NAMES, NAMES)
@example("frameNum", "_x0066_rameNum")
@example("_x0022_", '"')
@example('_x0022"', "0x")
@example("-a", "_x")
def test_xml_names_are_valid_reversible_and_distinct(one, other):
    assert from_xml_name(xml_name(one)) == one
    assert (xml_name(one) == xml_name(other)) == (one == other)
    ElementTree.fromstring(f'<a {xml_name(one)}="" frameNum=""/>')


def test_a_models_own_name_is_left_alone_and_must_be_its_own():
    scores = (ScoreInfo("motion_x", "m", HASH, "svm"),)
    assert "motion_x: 1.000000|" in written(result({"motion_x": [1.0]}, scores), "sub")
    with pytest.raises(DataError, match="named 'integer_adm2'"):
        written(result({"adm2": [1.0], "integer_adm2": [1.0]}, (ScoreInfo("integer_adm2", "m", HASH, "svm"),)), "csv")


def test_unknown_formats_are_refused_before_a_file_appears(tmp_path):
    with pytest.raises(UnknownNameError, match="xml, json, csv, sub"):
        write_log(result(), tmp_path / "log", "yaml")
    assert not list(tmp_path.iterdir())


def test_plain_values_have_jsons_own_types():
    assert plain({1: {2}, "run": RunInfo("1", seconds=math.nan)}) == {
        "1": [2],
        "run": {"version": "1", "threads": 1, "seconds": None, "subsample": 1, "frames": 0},
    }


@pytest.mark.parametrize(
    "text",
    [
        "",
        "rubbish",
        "{",
        "[]",
        "null",
        '{"frames": 3}',
        '{"frames": [{"frameNum": 0}]}',
        '{"frames": [{"frameNum": 0, "metrics": {"a": "x"}}]}',
        '{"frames": [{"frameNum": 1e400, "metrics": {}}]}',
        "[" * 100_000,
        "<VMAF>",
        '<VMAF><frames><frame a="1"/></frames></VMAF>',
        '<VMAF><frames><frame frameNum="0" a="x"/></frames></VMAF>',
        '<!DOCTYPE a [<!ENTITY b "c">]><VMAF/>',
        "Frame,a,\n0,1,2,\n",
        "Frame,a,b,\n0,1,\n",
        "Frame,a,\nx,1,\n",
        "{0}{1}frame: 0|a: 1|\nrubbish\n",
        "{0}{1}frame: 0|a: x|\n",
    ],
)
def test_damaged_logs_are_refused_in_one_line(tmp_path, text):
    (tmp_path / "log").write_text(text)
    with pytest.raises(DataError) as caught:
        read_log(tmp_path / "log")
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 400


def test_missing_logs_are_refused(tmp_path):
    for path in (tmp_path, tmp_path / "absent", "a\0b"):
        with pytest.raises(DataError, match="cannot be read"):
            read_log(path)
