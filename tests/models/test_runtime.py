"""Sessions that keep to their sidecar, held against NumPy; and that nothing else than the checked bytes is opened."""

from __future__ import annotations

import json
import logging
import shutil

import numpy as np
import onnx.parser
import pytest

import pki
from tinyvmaf.dnn import guard
from tinyvmaf.dnn.record import changed
from tinyvmaf.errors import (
    ContractError,
    InputNameError,
    InputShapeError,
    IntegrityError,
    ModelError,
    RejectedModelError,
    RunLimitError,
    UnknownNameError,
    UsageError,
)
from tinyvmaf.models import registry
from tinyvmaf.models.load import load
from tinyvmaf.models.runtime import DnnConfig, ModelSession, open_bytes, open_session
from tinyvmaf.models.verify import Policy


def model(text):
    return onnx.parser.parse_model(f'<ir_version: 8, opset_import: ["" : 17]> {text}').SerializeToString()


ROWS = model("g (float[N, 3] x) => (float[N] y) <int64[1] axes = {1}> { y = ReduceSum <keepdims = 0> (x, axes) }")
PICTURE = model("g (float[N, 1, H, W] x) => (float[N, 1, H, W] y) { y = Neg(x) }")
PAIR = model("g (float[N, 3, H, W] ref, float[N, 3, H, W] dis) => (float[N, 3, H, W] y) { y = Sub(dis, ref) }")
HALVED_TEXT = f"""g (float[N, 1, H, W] x) => (float[N, 1, H, W] y) <float[1, 1, 4, 4] w = {{{"1," * 15} 1}}> {{
    a = MaxPool <kernel_shape = [4, 4], strides = [4, 4]> (x)
    up = ConvTranspose <strides = [4, 4]> (a, w) y = Sub(x, up) }}"""
HALVED = model(HALVED_TEXT)
TABLE = np.arange(12, dtype=np.float32).reshape(4, 3)


def sidecar(**said):
    return json.dumps(said).encode()


@pytest.fixture
def put(tmp_path):
    """Writes a model and its sidecar."""

    def write(data=ROWS, name="model.onnx", **said):
        path = tmp_path / name
        path.write_bytes(data)
        if said:
            path.with_suffix(".json").write_bytes(sidecar(**said))
        return path

    return write


# --- what the sidecar says


def test_without_a_sidecar_values_go_in_as_they_are():
    (scores,) = open_bytes(ROWS).run([TABLE]).values()
    assert scores.tolist() == TABLE.sum(axis=1).tolist()


@pytest.mark.parametrize("dialect", ["rows", "trainer"])
def test_rows_are_standardised_column_by_column(dialect):
    mean, std = [1.0, -2.0, 30.0], [0.5, 2.0, 4.0]
    said = {"features": ["a", "b", "c"], "feature_mean": mean, "feature_std": std}
    if dialect == "trainer":
        said = {"normalization": {"mean": mean, "std": std}}
    session = open_bytes(ROWS, sidecar(**said))
    want = ((TABLE.astype(float) - mean) / std).sum(axis=1)
    np.testing.assert_allclose(session.run([TABLE])["y"], want, rtol=1e-6)
    np.testing.assert_allclose(session.prepared([TABLE])["x"], (TABLE - mean) / std, rtol=1e-6)


@pytest.mark.parametrize("place", ["frame", "normalization"])
def test_both_pictures_are_standardised_channel_by_channel(place):
    mean, std = [0.1, 0.2, 0.3], [0.5, 2.0, 4.0]
    said = {place: {"mean": mean, "std": std} | ({"colour": "rgb"} if place == "frame" else {})}
    images = np.random.default_rng(0).random((2, 1, 3, 4, 6), dtype=np.float32)
    seen = open_bytes(PAIR, sidecar(**said)).prepared({"ref": images[0], "dis": images[1]})
    for name, image in zip(("ref", "dis"), images, strict=True):
        want = (image - np.array(mean)[:, None, None]) / np.array(std)[:, None, None]
        np.testing.assert_allclose(seen[name], want, rtol=1e-5, atol=1e-6)
        assert seen[name].dtype == np.float32


def test_a_scaler_inside_the_graph_is_not_applied_again():
    told = sidecar(input_mean=[9.0] * 3, input_std=[9.0] * 3)
    assert open_bytes(ROWS, told).run([TABLE])["y"].tolist() == TABLE.sum(axis=1).tolist()


def test_only_the_first_of_several_inputs_of_rows_is_standardised():
    two = model("g (float[N, 3] x, float[N, 3] c) => (float[N, 3] y) { y = Add(x, c) }")
    session = open_bytes(two, sidecar(normalization={"mean": [1.0] * 3, "std": [2.0] * 3}))
    np.testing.assert_allclose(session.run([TABLE, TABLE])["y"], (TABLE - 1) / 2 + TABLE)


def test_a_wrong_number_of_columns_is_refused():
    session = open_bytes(ROWS, sidecar(normalization={"mean": [1.0] * 2, "std": [2.0] * 2}))
    with pytest.raises(ContractError, match="standardises 2 columns or channels, but the input has 3"):
        session.run([TABLE])


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({"input_names": ["z"]}, "names inputs z, which the graph has not"),
        ({"output_name": "score"}, "names outputs score, which the graph has not"),
    ],
)
def test_names_must_be_the_graphs(said, message):
    with pytest.raises(ContractError, match=message):
        open_bytes(ROWS, sidecar(**said))
    assert open_bytes(ROWS, sidecar(input_names=["x"], output_names=["y"])).sidecar.input_names == ("x",)


def test_results_outside_the_promised_range_are_counted():
    session = open_bytes(ROWS, sidecar(expected_output_range=[3, 20]))
    assert session.run([TABLE])["y"].tolist() == [3, 12, 21, 30]
    assert session.out_of_range == 2
    session.run([TABLE[:3]])
    assert session.out_of_range == 3
    assert open_bytes(ROWS).out_of_range == 0


# --- pictures of sizes that the graph cannot halve


@pytest.mark.parametrize("size", [(8, 8), (9, 8), (5, 7), (1, 1), (17, 31)])
def test_pictures_are_padded_by_their_edges_and_results_cropped(size):
    image = np.random.default_rng(0).random((1, 1, *size), dtype=np.float32)
    margins = [(0, 0), (0, 0), *((0, -side % 4) for side in size)]
    wide = np.pad(image, margins, mode="edge")
    blocks = wide.reshape(1, 1, wide.shape[2] // 4, 4, wide.shape[3] // 4, 4).max(axis=(3, 5))
    want = (wide - np.kron(blocks, np.ones((4, 4))))[:, :, : size[0], : size[1]]
    session = open_bytes(HALVED)
    result = session.run([image])["y"]
    assert result.shape == image.shape
    np.testing.assert_allclose(result, want, atol=1e-6)
    assert session.prepared([image])["x"].shape == wide.shape


def test_numbers_of_a_padded_picture_are_left_as_they_are():
    both = HALVED_TEXT.replace("(float[N, 1, H, W] y)", "(float[N] z, float[N, 1, H, W] y)")
    both = model(both.replace("up = ", "z = ReduceMean <axes = [1, 2, 3], keepdims = 0> (x) up = "))
    image = np.arange(30, dtype=np.float32).reshape(1, 1, 5, 6)
    with open_bytes(both, fp16_io=True) as session:
        found = session.run([image])
        assert session.fp16_io
    wide = np.pad(image, ((0, 0), (0, 0), (0, 3), (0, 2)), mode="edge")
    assert found["y"].shape == image.shape
    assert found["z"] == pytest.approx(wide.mean(axis=(1, 2, 3)))


def test_a_size_that_fits_is_not_padded():
    image = np.ones((1, 1, 5, 7), np.float32)
    assert open_bytes(PICTURE).prepared([image])["x"] is image


def test_a_stated_multiple_counts_though_the_graph_takes_any_size():
    session = open_bytes(PICTURE, sidecar(frame={"colour": "luma", "multiple": 32}))
    assert session.prepared([np.ones((1, 1, 5, 33), np.float32)])["x"].shape == (1, 1, 32, 64)
    assert session.run([np.ones((1, 1, 5, 33), np.float32)])["y"].shape == (1, 1, 5, 33)


def test_fixed_sizes_and_pictures_of_two_sizes_are_left_alone():
    fixed = model("g (float[1, 1, 8, 8] x) => (float[1, 1, 8, 8] y) { y = Neg(x) }")
    with pytest.raises(InputShapeError):
        open_bytes(fixed).run([np.ones((1, 1, 7, 8), np.float32)])
    two = model("g (float[N, 1, H, W] a, float[N, 1, P, Q] b) => (float[N, 1, H, W] c, float[N, 1, P, Q] d)"
                " { c = Neg(a) d = Neg(b) }")  # fmt: skip
    results = open_bytes(two).run([np.ones((1, 1, 3, 5), np.float32), np.ones((1, 1, 7, 2), np.float32)])
    assert [array.shape for array in results.values()] == [(1, 1, 3, 5), (1, 1, 7, 2)]


def test_a_graph_that_fits_no_multiple_says_where():
    odd = model("""g (float[N, 1, H, W] x) => (float[N, 1, H, W] y) <float[1, 1, 3, 3] w = {1,1,1,1,1,1,1,1,1}> {
        c = Conv(x, w) y = Sub(x, c) }""")
    with pytest.raises(ContractError, match="cannot run at these sizes"):
        open_bytes(odd).run([np.ones((1, 1, 9, 9), np.float32)])


# --- by id, by path, from memory


def test_by_id():
    with open_session("vmaf_tiny") as session:
        assert (session.file.registered, session.file.target, session.attached_device) == (True, "teacher", "CPU")
        (scores,) = session.run([np.array([[1, 1, 1, 1, 1, 0]], np.float32)]).values()
    assert 90 < scores.item() < 105
    with pytest.raises(UsageError, match="closed"):
        session.run([np.zeros((1, 6), np.float32)])


def test_by_path_with_the_sidecar_beside_it(put):
    path = put(normalization={"mean": [1.0] * 3, "std": [2.0] * 3})
    for name in (path, str(path)):
        session = open_session(name, device="cpu", threads=1)
        np.testing.assert_allclose(session.run({"x": TABLE})["y"], ((TABLE - 1) / 2).sum(axis=1))
        assert (session.file.registered, session.file.target) == (False, "unknown")


def test_the_file_is_not_opened_again(put):
    path = put()
    session = open_session(path)
    path.write_bytes(b"another file by now")
    assert session.run([TABLE])["y"].tolist() == TABLE.sum(axis=1).tolist()


def test_settings_reach_the_session(put):
    with pytest.raises(UsageError, match="threads must be 1 to 64"):
        open_session(put(), threads=65)
    with pytest.raises(UnknownNameError, match="no device 'gpu'"):
        open_session(put(), "gpu")
    with pytest.raises(UsageError, match="device_index"):
        open_session(put(), device_index=-1)
    half = put(model("g (float16[N] x) => (float16[N] y) { y = Neg(x) }"), "half.onnx")
    assert open_session(half, fp16_io=True).run([np.ones(3, np.float32)])["y"].dtype == np.float32
    slow = put(model("""g (float[N, N] x) => (float[N, N] y) <int64 M = {1024}, bool go = {1}> {
        y = Loop (M, go, x) <body = b (int64 i, bool k, float[N, N] v) => (bool on, float[N, N] w)
          { on = Identity(k) w = MatMul(v, v) }> }"""), "slow.onnx")  # fmt: skip
    with pytest.raises(RunLimitError, match=r"limit of 0\.05 s"):
        open_session(slow, time_limit=0.05).run([np.eye(200, dtype=np.float32)])


def test_bad_input_is_named_before_anything_runs(put):
    session = open_session(put())
    with pytest.raises(InputNameError, match="no input 'y'"):
        session.run({"y": TABLE})


def test_a_larger_file_is_a_policy_of_one_call_and_is_logged(put, caplog):
    path = put()
    small = changed(guard.DEFAULT, file_bytes=50)
    with pytest.raises(ModelError, match="at most 50 bytes"):
        open_session(path, limits=small)
    larger = changed(guard.DEFAULT, file_bytes=guard.DEFAULT.file_bytes + 1)
    with caplog.at_level(logging.WARNING, "tinyvmaf"):
        open_session(path)
        assert caplog.messages == []
        open_session(path, limits=larger)
    (said,) = caplog.messages
    assert f"may have {larger.file_bytes} bytes instead of {guard.DEFAULT.file_bytes}" in said


def test_limits_are_those_of_the_caller(put):
    wide = put(
        model("""g (float[N, 1, H, W] x) => (float[N, M, H, W] y) <int64[4] t = {1, 64, 1, 1}> {
        y = Tile(x, t) }""")
    )
    assert open_session(wide).run([np.ones((1, 1, 4, 4), np.float32)])["y"].shape == (1, 64, 4, 4)
    tight = changed(guard.DEFAULT, tensor_elements=1 << 20)
    with pytest.raises(RejectedModelError, match="at most 1048576 elements, but 'y' has up to 4194304"):
        open_session(wide, limits=tight)
    assert open_session(put(PICTURE, "picture.onnx"), limits=tight).verdict.limits is tight


def test_refused_files_and_files_of_the_other_kind(put):
    with pytest.raises(RejectedModelError, match="operator"):
        open_session(put(model("g (float[N] x) => (float[N] y) { y = RandomNormalLike(x) }")))
    with pytest.raises(UsageError, match="libvmaf's JSON, which no session runs"):
        open_session("vmaf_v0.6.1")


# --- signatures


def test_verify_fails_closed(put):
    with pytest.raises(IntegrityError, match="vmaf_tiny is not signed"):
        open_session("vmaf_tiny", verify=True)
    path = put()
    with pytest.raises(IntegrityError, match="Nobody vouches for who signs"):
        open_session(path, verify=True)
    with pytest.raises(IntegrityError, match="no signature that can be read"):
        open_session(path, verify=Policy(pki.IDENTITY, pki.ISSUER))


def test_a_signed_model_opens_and_one_flipped_bit_does_not(put, tmp_path):
    own = pki.Pki()
    root = tmp_path / "root.json"
    root.write_text(json.dumps(own.trusted_root()))
    path = put()
    bundle = tmp_path / "model.onnx.sigstore.json"
    bundle.write_text(json.dumps(own.bundle(ROWS)))
    policy = Policy(pki.IDENTITY, pki.ISSUER, root)
    assert open_session(path, verify=policy).file.verified
    assert not open_session(path).file.verified
    path.write_bytes(ROWS.replace(b"axes", b"axis"))
    with pytest.raises(IntegrityError, match="must be signed by"):
        open_session(path, verify=policy)


def test_one_flipped_bit_in_a_packaged_model_is_refused(tmp_path, monkeypatch):
    folder = tmp_path / "data"
    shutil.copytree(registry.data_folder(), folder)
    monkeypatch.setattr(registry, "data_folder", lambda: folder)
    assert open_session("vmaf_tiny").file.registered
    for name in ("vmaf_tiny.onnx", "vmaf_tiny.json"):
        whole = (folder / name).read_bytes()
        place = len(whole) // 2
        (folder / name).write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        with pytest.raises(IntegrityError, match="must have SHA-256"):
            open_session("vmaf_tiny")
        (folder / name).write_bytes(whole)


# --- DnnConfig


def test_a_config_opens_a_loaded_model(put):
    session = DnnConfig(device="cpu", threads=2).open(load(put()))
    assert isinstance(session, ModelSession)
    assert session.run([TABLE])["y"].tolist() == TABLE.sum(axis=1).tolist()


@pytest.mark.parametrize(("data", "threads"), [(ROWS, 1), (PICTURE, 0)])
def test_threads_by_default_are_one_for_rows_and_free_for_pictures(data, threads, put, monkeypatch):
    seen = []
    plain = ModelSession.__init__

    def watched(self, file, **how):
        seen.append(how)
        plain(self, file, **how)

    monkeypatch.setattr(ModelSession, "__init__", watched)
    DnnConfig().open(load(put(data)))
    DnnConfig(threads=3).open(load(put(data)))
    assert [how["threads"] for how in seen] == [threads, 3]


def test_a_config_refuses_what_the_guard_refuses(put):
    with pytest.raises(RejectedModelError):
        DnnConfig().open(load(put(b"no graph")))
