"""One set-up for many pairs, and the tiny model that is attached to it."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import onnx.parser
import pytest

import tinyvmaf
from clips import degrade, natural
from tinyvmaf import dnn
from tinyvmaf.errors import DeviceError, IntegrityError, MismatchError, RunLimitError, UnknownNameError, UsageError
from tinyvmaf.score.compare import load_model
from tinyvmaf.score.scorer import DnnConfig, Scorer, use_tiny_model
from tinyvmaf.video.policy import PairingPolicy


@pytest.fixture(scope="module")
def clip():
    reference = natural("mdn_flower", 96, 64, 3)
    return reference, degrade(reference, 42)


@pytest.fixture
def graph(tmp_path):
    """A no-reference model: the mean of luma."""
    path = tmp_path / "mean.onnx"
    text = "g (float[N, 1, H, W] x) => (float[N] y) { y = ReduceMean <axes = [1, 2, 3], keepdims = 0> (x) }"
    model = onnx.parser.parse_model(f'<ir_version: 8, opset_import: ["" : 17]> {text}')
    path.write_bytes(model.SerializeToString())
    return path


def test_a_scorer_scores_as_one_call_does(clip):
    scorer = Scorer("vmaf_v0.6.1", ["psnr"], threads=1)
    once = tinyvmaf.score(*clip, models="vmaf_v0.6.1", features=["psnr"])
    for _ in range(2):
        result = scorer.score(*clip)
        assert result.columns.keys() == once.columns.keys()
        assert all(np.array_equal(result.column(key), once.column(key)) for key in once.columns)
        assert result.run.threads == 1


def test_models_by_default_and_loaded_ones(clip):
    assert [model.name for model in Scorer().models] == ["vmaf", "vmaf_tiny"]
    named = load_model("vmaf_v0.6.1neg", "mine")
    scorer = Scorer(named)
    assert scorer.models == (named,)
    assert scorer.score(*clip, subsample=2).frame_numbers.tolist() == [0, 2]


def test_its_policy_counts(clip):
    with pytest.raises(MismatchError):
        Scorer("vmaf_v0.6.1").score(clip[0], clip[1][:2])
    cut = Scorer("vmaf_v0.6.1", policy=PairingPolicy(frame_limit=2))
    assert len(cut.score(clip[0], clip[1]).frame_numbers) == 2


def test_a_tiny_model_joins_the_others(clip, graph):
    scorer = Scorer("vmaf_v0.6.1")
    model = use_tiny_model(scorer, graph)
    assert model is scorer.tiny_model
    result = scorer.score(*clip)
    assert [score.name for score in result.scores] == ["vmaf", "vmaf_tiny_model"]
    want = [planes[0].mean() / 255 for planes in clip[1]]
    assert result.column("vmaf_tiny_model") == pytest.approx(want, abs=1e-6)


def test_a_second_one_is_refused_and_the_first_stays(graph):
    scorer = Scorer([])
    first = use_tiny_model(scorer, "vmaf_tiny")
    with pytest.raises(UsageError, match="A scorer has one tiny model, and this one has vmaf_tiny"):
        use_tiny_model(scorer, graph)
    assert scorer.tiny_model is first


def test_a_model_that_cannot_be_had_leaves_the_scorer_as_it_was(tmp_path):
    scorer = Scorer([])
    with pytest.raises(UnknownNameError, match="no model 'vmaf_tinny'"):
        use_tiny_model(scorer, "vmaf_tinny")
    assert scorer.tiny_model is None


def test_a_scorer_without_a_reference(clip, graph):
    scorer = Scorer([])
    use_tiny_model(scorer, graph)
    result = scorer.score(None, clip[1])
    assert result.column("vmaf_tiny_model") == pytest.approx([p[0].mean() / 255 for p in clip[1]], abs=1e-6)
    with pytest.raises(UsageError, match="only no-reference models"):
        Scorer().score(None, clip[1])


def test_how_it_runs(graph):
    assert use_tiny_model(Scorer([]), graph, DnnConfig(device="cpu", threads=2)).session.attached_device == "CPU"
    with pytest.raises(UnknownNameError, match="no device 'gpu'"):
        use_tiny_model(Scorer([]), graph, DnnConfig(device="gpu"))
    with pytest.raises(DeviceError, match=r"Device 'coreml' cannot be used here.* Present are cpu"):
        use_tiny_model(Scorer([]), graph, DnnConfig(device="coreml"))
    with pytest.raises(UsageError, match="threads must be 1 to 64"):
        use_tiny_model(Scorer([]), graph, DnnConfig(threads=65))
    with pytest.raises(IntegrityError, match="Nobody vouches for who signs"):
        use_tiny_model(Scorer([]), graph, DnnConfig(verify=True))


def test_a_run_that_takes_too_long_ends_the_scoring(tmp_path):
    text = """g (float[N, 1, H, W] x) => (float[N, 1, H, W] y) <int64 m = {1024}, bool go = {1}> {
        y = Loop (m, go, x) <body = b (int64 i, bool k, float[N, 1, H, W] v) => (bool on, float[N, 1, H, W] w)
          { on = Identity(k) w = Tanh(v) }>
    }"""
    path = tmp_path / "long.onnx"
    model = onnx.parser.parse_model(f'<ir_version: 8, opset_import: ["" : 17]> {text}')
    path.write_bytes(model.SerializeToString())
    scorer = Scorer([])
    use_tiny_model(scorer, path, DnnConfig(device="cpu", threads=1, time_limit=0.05))
    with pytest.raises(RunLimitError, match=r"passed its limit of 0\.05 s"):
        scorer.score(None, [np.zeros((512, 512), np.uint8)])


def test_the_room_of_sessions_has_the_same_names():
    assert (dnn.use_tiny_model, dnn.DnnConfig) == (use_tiny_model, DnnConfig)
    assert set(dnn.__all__) <= set(dir(dnn))
    assert all(getattr(dnn, name) is not None for name in dnn.__all__)
    with pytest.raises(AttributeError, match="no attribute 'sessions'"):
        _ = dnn.sessions


def test_naming_the_room_loads_nothing_heavy():
    code = "import sys, tinyvmaf.dnn; print(sorted({'numpy', 'onnxruntime', 'onnx', 'av'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
