"""Registered models on frames: near to themselves on the CPU in every variant, and a breach where they are not."""

from __future__ import annotations

import json
import math

import numpy as np
import onnx.parser
import pytest

from clips import degrade, natural
from tinyvmaf.errors import MismatchError, RejectedModelError, UnknownNameError, UsageError
from tinyvmaf.score import parity
from tinyvmaf.score.parity import FRAMES, compare_devices
from video_files import y4m_bytes


@pytest.fixture(autouse=True)
def empty_store(monkeypatch, tmp_path):
    monkeypatch.setenv("TINYVMAF_DATA_DIR", str(tmp_path / "data"))


def write(path, text, **sidecar):
    model = onnx.parser.parse_model(f'<ir_version: 8, opset_import: ["" : 17]> {text}')
    path.write_bytes(model.SerializeToString())
    if sidecar:
        path.with_suffix(".json").write_text(json.dumps(sidecar))
    return str(path)


NORMALISED = """g (float[N, 1, H, W] x) => (float[N, 1, H, W] y)
    <float[1, 1, 1, 1] w = {0.7}, float[1] s = {0.3}, float[1] b = {0.1}, float[1] m = {0.9}, float[1] v = {0.7}> {
    c = Conv (x, w) y = BatchNormalization (c, s, b, m, v) }"""
"""Two steps that ONNX Runtime makes one of, which rounds differently."""


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    folder = tmp_path_factory.mktemp("parity")
    reference = natural("mdn_flower", 64, 48, 30)
    for name, frames in (("ref", reference), ("dis", degrade(reference, 40))):
        (folder / f"{name}.y4m").write_bytes(y4m_bytes(frames))
    return {"reference": str(folder / "ref.y4m"), "distorted": str(folder / "dis.y4m")}


def test_registered_models_agree_on_a_generated_clip():
    rows = compare_devices([], ["cpu:threads=2", "cpu:unoptimised"])
    assert [(row.model, row.device, row.attached, row.output, row.dtype) for row in rows] == [
        ("dists_sq", "cpu:threads=2", "CPU", "score", "float32"),
        ("dists_sq", "cpu:unoptimised", "CPU", "score", "float32"),
        ("saliency", "cpu:threads=2", "CPU", "saliency_map", "float32"),
        ("saliency", "cpu:unoptimised", "CPU", "saliency_map", "float32"),
        ("vmaf_tiny", "cpu:threads=2", "CPU", "score", "float32"),
        ("vmaf_tiny", "cpu:unoptimised", "CPU", "score", "float32"),
    ]
    assert all(row.passed and row.max_abs <= row.tolerance == 1e-4 and row.seconds > 0 for row in rows)


def test_the_features_of_the_clip_are_what_the_graph_gets(clips, monkeypatch):
    import tinyvmaf

    seen = []
    monkeypatch.setattr(parity, "compare", lambda data, inputs, **how: seen.append(inputs) or [])
    compare_devices(["vmaf_tiny"], ["cpu"], **clips)
    result = tinyvmaf.score(clips["reference"], clips["distorted"], models="vmaf_tiny")
    table = np.column_stack([result.column(key)[:FRAMES] for key in
                             ("adm2", "vif_scale0", "vif_scale1", "vif_scale2", "vif_scale3", "motion2")])  # fmt: skip
    (rows,) = seen[0].values()
    assert rows.shape == (FRAMES, 6)
    # Motion looks one frame ahead: the last row of a shorter clip differs there.
    np.testing.assert_allclose(rows[:-1], table[:-1], atol=1e-5)


@pytest.mark.parametrize("size", [(64, 48), (61, 45)])
def test_graphs_of_pictures_get_a_frame_from_the_middle(size, tmp_path, monkeypatch):
    frames = natural("mdn_flower", *size, FRAMES)
    path = tmp_path / "clip.y4m"
    path.write_bytes(y4m_bytes(frames))
    name = write(tmp_path / "luma.onnx", "g (float[N, 1, H, W] x) => (float[N, 1, H, W] y) { y = Neg(x) }")
    seen = []
    monkeypatch.setattr(parity, "compare", lambda data, inputs, **how: seen.append(inputs) or [])
    compare_devices([name], ["cpu"], reference=str(path), distorted=str(path))
    np.testing.assert_allclose(seen[0]["x"][0, 0], frames[FRAMES // 2][0] / 255, atol=1e-6)


@pytest.mark.parametrize("shape", ["1, 30, 3, 27, 48", "1, 30, 27, 48, 3"])
def test_graphs_of_windows_get_the_clip_again_and_again(shape, clips, tmp_path, monkeypatch):
    name = write(
        tmp_path / "window.onnx", f"g (float[{shape}] x) => (float[{shape}] y) {{ y = Neg(x) }}",
        frame={"colour": "rgb", "width": 48, "height": 27, "value_range": [0, 255], "window": 30},
    )  # fmt: skip
    seen = []
    monkeypatch.setattr(parity, "compare", lambda data, inputs, **how: seen.append(inputs) or [])
    compare_devices([name], ["cpu"], **clips)
    window = seen[0]["x"]
    assert ", ".join(map(str, window.shape)) == shape
    assert np.array_equal(window[:, FRAMES:], window[:, : 30 - FRAMES])
    assert 50 < window.max() <= 255


def test_a_difference_above_the_tolerance_is_a_breach(clips, tmp_path):
    name = write(tmp_path / "normalised.onnx", NORMALISED)
    devices = ["cpu:unoptimised", "cpu"]
    rows = compare_devices([name], devices, **clips, tolerance_fp32=0.0)
    assert [row.passed for row in rows] == [False, True]
    assert 0 < rows[0].max_abs < 1e-5
    assert all(row.passed for row in compare_devices([name], devices, **clips))


@pytest.mark.parametrize(("kind", "batch"), [("float16", "N"), ("float16", 1), ("float", 1)])
def test_rows_as_the_graph_takes_them(kind, batch, clips, tmp_path, monkeypatch):
    seen = []
    plain = parity.compare
    monkeypatch.setattr(
        parity, "compare", lambda data, inputs, **how: seen.append(inputs) or plain(data, inputs, **how)
    )
    name = write(tmp_path / "rows.onnx", f"""g ({kind}[{batch}, 6] x) => ({kind}[{batch}] y) {{
        y = ReduceMean <axes = [1], keepdims = 0> (x) }}""")  # fmt: skip
    (row,) = compare_devices([name], ["cpu:unoptimised"], **clips)
    (rows,) = seen[0].values()
    assert (rows.dtype, len(rows)) == ({"float": "float32"}.get(kind, kind), 1 if batch == 1 else FRAMES)
    assert row.passed


def test_float16_has_a_tolerance_of_its_own(clips, tmp_path):
    name = write(tmp_path / "half.onnx", "g (float16[N, 1, H, W] x) => (float16[N, 1, H, W] y) { y = Tanh(x) }")
    (row,) = compare_devices([name], ["cpu:unoptimised"], **clips)
    assert (row.tolerance, row.dtype) == (1e-2, "float16")
    assert row.passed


def test_absent_devices_are_rows_of_their_own(clips):
    (row,) = compare_devices(["vmaf_tiny"], ["coreml"], **clips)
    assert (row.passed, row.attached, row.output) == (False, "", "")
    assert "Device 'coreml' cannot be used here" in row.skipped
    assert math.isnan(row.max_abs)


def test_what_cannot_be_compared_is_an_error(clips, tmp_path):
    with pytest.raises(UsageError, match="both clips or none"):
        compare_devices([], ["cpu"], reference=clips["reference"])
    with pytest.raises(UnknownNameError, match="no device 'tpu'"):
        compare_devices(["vmaf_tiny"], ["tpu"], **clips)
    with pytest.raises(UnknownNameError, match="no model 'vmaf_big'"):
        compare_devices(["vmaf_big"], ["cpu"], **clips)
    (tmp_path / "bad.onnx").write_bytes(b"no graph")
    with pytest.raises(RejectedModelError):
        compare_devices([str(tmp_path / "bad.onnx")], ["cpu"], **clips)
    short = tmp_path / "short.y4m"
    short.write_bytes(y4m_bytes(natural("mdn_flower", 32, 24, 30)))
    with pytest.raises(MismatchError):
        compare_devices(["vmaf_tiny"], ["cpu"], reference=clips["reference"], distorted=str(short))
