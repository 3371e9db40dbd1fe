"""What tiny models may be called, and what is said of their runs."""

from __future__ import annotations

import json

import numpy as np
import onnx.parser
import pytest

from tinyvmaf.errors import ContractError
from tinyvmaf.models.runtime import open_bytes
from tinyvmaf.models.store import import_model
from tinyvmaf.score.compare import compare, load_model
from tinyvmaf.score.scorer import Scorer
from tinyvmaf.score.tiny import failure, tiny_score


def model(text):
    return onnx.parser.parse_model(f'<ir_version: 8, opset_import: ["" : 17]> {text}').SerializeToString()


ONE = model("g (float[N, 1, H, W] x) => (float[N] y) { y = ReduceMean <axes = [1, 2, 3], keepdims = 0> (x) }")
TWO = model("""g (float[N, 1, H, W] ref, float[N, 1, H, W] dis) => (float[N] y) {
    d = Sub(ref, dis) y = ReduceMean <axes = [1, 2, 3], keepdims = 0> (d) }""")
ROWS = model("g (float[N, 6] x) => (float[N] y) { y = ReduceMean <axes = [1], keepdims = 0> (x) }")
TAKES = {"one picture": ONE, "two pictures": TWO, "features of both videos": ROWS}
LEVELS = (100, 20, 200, 30)
FRAMES = [np.full((16, 24), level, np.uint8) for level in LEVELS]


def opened(data, **said):
    return tiny_score(open_bytes(data, json.dumps(said).encode()), "tiny")


@pytest.fixture
def put(tmp_path, monkeypatch):
    """Writes a model and its sidecar, beside an empty store."""
    monkeypatch.setenv("TINYVMAF_DATA_DIR", str(tmp_path / "data"))

    def write(data, **said):
        (tmp_path / "tiny.onnx").write_bytes(data)
        (tmp_path / "tiny.json").write_text(json.dumps(said))
        return tmp_path / "tiny.onnx"

    return write


@pytest.mark.parametrize(
    ("kind", "fits"),
    [
        ("fr", {"two pictures", "features of both videos"}),
        ("nr", {"one picture"}),
        ("filter", {"one picture"}),
        ("saliency", {"one picture"}),
        ("", set(TAKES)),
        ("regressor", set(TAKES)),
    ],
)
def test_a_kind_must_be_the_graphs(kind, fits):
    for takes, data in TAKES.items():
        if takes in fits:
            assert opened(data, kind=kind).kind == "tiny"
            continue
        with pytest.raises(ContractError, match=f"The sidecar of model calls it {kind}, but its graph takes {takes}"):
            opened(data, kind=kind)


@pytest.mark.parametrize("kind", ["shots", "shot_detector"])
@pytest.mark.parametrize("data", TAKES.values())
def test_a_model_of_shots_gives_no_score(kind, data):
    with pytest.raises(ContractError, match="finds where shots end"):
        opened(data, kind=kind)


def test_the_registry_entry_counts_too_and_follows_from_the_graph_where_nobody_says(put):
    assert import_model(put(ONE), "one").kind == "nr"
    assert import_model(put(TWO), "two").kind == import_model(put(ROWS), "rows").kind == "fr"
    assert all(load_model(name).name == name for name in ("one", "two", "rows"))
    import_model(put(TWO), "wrong", kind="nr")
    with pytest.raises(ContractError, match="The registry entry of wrong calls it nr") as refusal:
        load_model("wrong")
    assert refusal.value.hint.endswith("it may be fr.")


def test_scores_out_of_range_are_counted_per_run(put):
    scorer = Scorer(load_model(put(ONE, expected_output_range=[0, 0.5]), "nr"))
    for frames, count in ((FRAMES, 1), (FRAMES[2:], 1), (FRAMES[:2], 0)):
        result = scorer.score(None, frames)
        assert [note.split()[0] for note in result.scores[0].notes] == [str(count)] * (count > 0)
        assert result.column("nr") == pytest.approx([frame.mean() / 255 for frame in frames], abs=1e-6)
    scorer = Scorer(load_model(put(ROWS, expected_output_range=[0, 0.5]), "fr"))
    for _ in range(2):
        result = scorer.score(FRAMES, FRAMES)
        (note,) = result.scores[0].notes
        assert note == "4 scores of fr lay outside the range of its sidecar, (0.0, 0.5), and were clipped to it."
        assert result.column("fr").tolist() == [0.5] * 4


def test_several_numbers_are_said_to_be_averaged(put):
    stretched = model("""g (float[N, 1, H, W] x) => (float[M] y)
        <int64[1] all = {-1}, int64[1] a = {0}, int64[1] b = {3}> {
        r = Reshape(x, all) y = Slice(r, a, b) }""")
    result = compare(None, FRAMES, models=load_model(put(stretched), "three"))
    assert result.scores[0].notes == (
        "three gives 3 numbers, not a score: each frame's value is the mean of its numbers.",
    )
    assert compare(None, FRAMES, models=load_model(put(ONE), "one")).scores[0].notes == ()


def test_pictures_with_infinities_of_both_signs_fail_without_a_warning(put):
    both = model("""g (float[N, 1, H, W] x) => (float[N, 2, H, W] y) <float zero = {0}> {
        z = Mul(x, zero) a = Reciprocal(z) b = Neg(a) y = Concat <axis = 1> (a, b) }""")
    (score,) = compare(None, FRAMES, models=load_model(put(both), "both")).scores
    assert score.failure == "both gave no finite number for 4 of 4 frames, the first is frame 0."


def test_failures_count_scored_frames_and_name_them_by_their_numbers():
    scores = np.array([1, np.nan, 3, -np.inf, np.inf])
    assert (
        failure("m", scores, np.arange(0, 10, 2)) == "m gave no finite number for 3 of 5 frames, the first is frame 2."
    )
    assert failure("m", np.ones(3), np.arange(3)) == failure("m", np.empty(0), np.arange(0)) == ""


def test_the_result_says_it(put):
    logarithm = model("""g (float[N, 1, H, W] x) => (float[N] y) <float level = {0.2}> {
        m = ReduceMean <axes = [1, 2, 3], keepdims = 0> (x) d = Sub(m, level) y = Log(d) }""")
    result = compare(None, FRAMES, models=load_model(put(logarithm), "log"))
    assert np.isnan(result.column("log")).tolist() == [False, True, False, True]
    assert result.scores[0].failure == "log gave no finite number for 2 of 4 frames, the first is frame 1."
    every = compare(None, FRAMES, models=load_model(put(logarithm), "log"), subsample=2)
    assert every.scores[0].failure == ""
