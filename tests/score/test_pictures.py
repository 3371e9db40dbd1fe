"""Graphs that look at frames: what they get, held against NumPy and FFmpeg, and the reference graphs end to end."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx.parser
import pytest

from cli_runs import call, column, log_of, write_pair
from clips import degrade, natural
from oracles.pictures import rgb, scaled
from tinyvmaf.errors import ContractError, InputShapeError, UsageError
from tinyvmaf.features._pictures import PictureModel
from tinyvmaf.models.runtime import open_bytes
from tinyvmaf.score.compare import compare, load_model
from tinyvmaf.score.fusion import CANONICAL
from tinyvmaf.score.pictures import PictureScore
from tinyvmaf.video.frame import Colour, Frame, FramePair
from video_files import noise

FORK = Path(__file__).resolve().parents[3] / "shared" / "models" / "fork_reference"
needs_fork = pytest.mark.skipif(not FORK.exists(), reason="the shared reference models are not beside this checkout")

MEAN, STD = (np.array(numbers)[:, None, None] for numbers in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))
"""Of ImageNet."""


def model(text):
    return onnx.parser.parse_model(f'<ir_version: 8, opset_import: ["" : 17]> {text}').SerializeToString()


def mean_of(channels, height="H", width="W", kind="float"):
    """The mean of one picture."""
    shape = f"{kind}[N, {channels}, {height}, {width}]"
    return model(f"g ({shape} x) => ({kind}[N] y) {{ y = ReduceMean <axes = [1, 2, 3], keepdims = 0> (x) }}")


def difference(first, second, channels=1):
    """Mean of `dis` less twice the mean of `ref`, with the inputs in the order given."""
    ports = ", ".join(f"float[N, {channels}, H, W] {name}" for name in (first, second))
    mean = "ReduceMean <axes = [1, 2, 3], keepdims = 0>"
    return model(f"""g ({ports}) => (float[N] y) <float two = {{2}}> {{
        r = {mean} (ref) twice = Mul(r, two) d = {mean} (dis) y = Sub(d, twice) }}""")


HALVING = model(f"""g (float[N, 1, H, W] x) => (float[N, 1, H, W] y) <float[1, 1, 8, 8] w = {{{"1," * 63} 1}}> {{
    a = AveragePool <kernel_shape = [8, 8], strides = [8, 8]> (x)
    up = ConvTranspose <strides = [8, 8]> (a, w)
    y = Sub(x, up) }}""")
"""A picture less the means of its 8x8 blocks: only multiples of 8 fit."""


def sidecar(**said):
    return json.dumps(said).encode()


def feature(data, side=None, **settings):
    return PictureModel(open_bytes(data, side, threads=1, **settings), "tiny")


def pair(planes, other=None, bits=8, colour=Colour("bt709", "limited")):  # noqa: B008
    return FramePair(Frame(planes, bits, 0), Frame(other or planes, bits, 0), 0, colour=colour)


def test_one_channel_is_luma_of_the_distorted_frame():
    reference, distorted = noise(33, 17, count=2)
    one = feature(mean_of(1))
    assert one.update(pair(reference, distorted))[0] == pytest.approx(distorted[0].mean() / 255, abs=1e-6)
    assert (one.kind, one.planes, one.keys, one.minimum_size) == ("nr", "luma", ("tiny",), 1)


@pytest.mark.parametrize("order", [("ref", "dis"), ("dis", "ref")])
def test_two_inputs_are_told_apart_by_name(order):
    reference, distorted = noise(32, 16, count=2)
    both = feature(difference(*order))
    want = (distorted[0].mean() - 2 * reference[0].mean()) / 255
    assert both.update(pair(reference, distorted))[0] == pytest.approx(want, abs=1e-5)
    assert both.kind == "fr"


def test_the_first_of_two_nameless_inputs_is_the_reference():
    data = difference("ref", "dis")
    graph = onnx.load_from_string(data)
    for port, name in zip(graph.graph.input, ("a", "b"), strict=True):
        for node in graph.graph.node:
            node.input[:] = [name if word == port.name else word for word in node.input]
        port.name = name
    assert list(feature(graph.SerializeToString()).inputs(pair(*noise(8, 8, count=2)))) == ["a", "b"]


def test_names_of_axes_may_differ_between_the_inputs():
    text = difference("ref", "dis").replace(b"H", b"P", 1).replace(b"W", b"Q", 1)
    assert feature(text).kind == "fr"


@pytest.mark.parametrize(("chroma", "bits"), [("420", 8), ("422", 10), ("444", 12), ("400", 8)])
def test_three_channels_are_rgb_as_imagenets_pictures(chroma, bits):
    planes = noise(33, 17, chroma, bits, count=1)[0]
    three = feature(mean_of(3))
    (image,) = three.inputs(pair(planes, bits=bits)).values()
    np.testing.assert_allclose(image[0], (rgb(planes, bits, chroma) - MEAN) / STD, atol=2e-5)
    assert (image.shape, image.dtype, three.planes) == ((1, 3, 17, 33), np.float32, "all")


def test_a_sidecar_with_mean_and_deviation_replaces_imagenets_and_is_applied_once():
    planes = noise(32, 16, count=1)[0]
    frame = {"colour": "rgb", "mean": [0.1, 0.2, 0.3], "std": [0.5, 0.6, 0.7]}
    stated = feature(mean_of(3), sidecar(frame=frame))
    raw = stated.inputs(pair(planes))
    np.testing.assert_allclose(raw["x"][0], rgb(planes), atol=2e-6)
    centre, spread = (np.array(frame[key])[:, None, None] for key in ("mean", "std"))
    seen = (rgb(planes) - centre) / spread
    np.testing.assert_allclose(stated.session.prepared(raw)["x"][0], seen, atol=1e-5)
    assert stated.update(pair(planes))[0] == pytest.approx(seen.mean(), abs=1e-5)


def test_the_trainers_normalization_counts_for_pictures_too():
    planes = noise(32, 16, count=1)[0]
    told = sidecar(normalization={"mean": [0.1, 0.2, 0.3], "std": [0.5, 0.6, 0.7]})
    want = (rgb(planes) - np.array([0.1, 0.2, 0.3])[:, None, None]) / np.array([0.5, 0.6, 0.7])[:, None, None]
    assert feature(mean_of(3), told).update(pair(planes))[0] == pytest.approx(want.mean(), abs=1e-5)


def test_a_frame_without_mean_is_not_standardised():
    planes = noise(32, 16, count=1)[0]
    plain = feature(mean_of(3), sidecar(frame={"colour": "rgb"}))
    assert plain.update(pair(planes))[0] == pytest.approx(rgb(planes).mean(), abs=1e-6)


@pytest.mark.parametrize(("colour", "channels"), [("luma", 1), ("rgb", 3)])
def test_values_up_to_255(colour, channels):
    planes = noise(32, 16, count=1)[0]
    wide = feature(mean_of(channels), sidecar(frame={"colour": colour, "value_range": [0, 255]}))
    want = planes[0].mean() if channels == 1 else 255 * rgb(planes).mean()
    assert wide.update(pair(planes))[0] == pytest.approx(want, abs=1e-3)


@pytest.mark.parametrize(("bits", "size"), [(8, (65, 37)), (10, (64, 36)), (12, (20, 11))])
def test_a_fixed_size_is_scaled_to_as_ffmpeg_does(bits, size):
    planes = natural("mdn_flower", *size, 1, bits)[0]
    for method, told in (("area", None), ("bilinear", sidecar(frame={
        "colour": "luma", "width": 24, "height": 32, "resize": "bilinear"}))):  # fmt: skip
        (image,) = feature(mean_of(1, 32, 24), told).inputs(pair(planes, bits=bits)).values()
        want = scaled(planes[0], 24, 32, bits, method) / (255 * 2 ** (bits - 8))
        np.testing.assert_allclose(image[0, 0], want, atol=1e-6)


def test_a_size_that_only_the_sidecar_states_is_scaled_to():
    planes = natural("mdn_flower", 64, 36, 1)[0]
    told = sidecar(frame={"colour": "luma", "width": 16, "height": 8})
    (image,) = feature(mean_of(1), told).inputs(pair(planes)).values()
    np.testing.assert_allclose(image[0, 0], scaled(planes[0], 16, 8) / 255, atol=1e-6)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("size", [(33, 17), (575, 323)])
def test_float16_graphs_get_float16(channels, size):
    planes = noise(*size, count=1)[0]
    half = feature(mean_of(channels, kind="float16"), sidecar(frame={"colour": "luma" if channels == 1 else "rgb"}))
    (image,) = half.inputs(pair(planes)).values()
    exact = planes[0][None] / 255 if channels == 1 else rgb(planes)
    assert image.dtype == np.float16
    np.testing.assert_allclose(image[0], exact, atol=1e-3)
    assert half.update(pair(planes))[0] == pytest.approx(exact.mean(), abs=2e-3)
    converted = feature(mean_of(channels, kind="float16"), half.session.file.sidecar, fp16_io=True)
    assert converted.update(pair(planes)) == half.update(pair(planes))


@pytest.mark.parametrize("size", [(32, 16), (33, 17), (39, 9), (7, 5), (575, 323)])
def test_sides_that_the_graph_cannot_halve_are_padded_and_cropped(size):
    planes = noise(*size, count=1)[0]
    luma = planes[0].astype(float) / 255
    rows, columns = (-(-side // 8) * 8 for side in luma.shape)
    wide = np.pad(luma, ((0, rows - luma.shape[0]), (0, columns - luma.shape[1])), mode="edge")
    blocks = wide.reshape(rows // 8, 8, columns // 8, 8).mean(axis=(1, 3))
    want = (wide - np.kron(blocks, np.ones((8, 8))))[: luma.shape[0], : luma.shape[1]]
    one = feature(HALVING)
    (result,) = one.session.run(one.inputs(pair(planes))).values()
    np.testing.assert_allclose(result[0, 0], want, atol=1e-5)
    assert one.update(pair(planes))[0] == pytest.approx(want.mean(), abs=1e-6)


def test_a_multiple_that_the_sidecar_states_is_padded_to():
    planes = noise(33, 17, count=1)[0]
    told = feature(mean_of(1), sidecar(frame={"colour": "luma", "multiple": 16}))
    padded = np.pad(planes[0], ((0, 15), (0, 15)), mode="edge") / 255
    assert told.update(pair(planes))[0] == pytest.approx(padded.mean(), abs=1e-6)


def test_a_picture_counts_as_its_mean():
    planes = noise(32, 16, count=1)[0]
    data = model("g (float[N, 1, H, W] x) => (float[N, 1, H, W] y) { y = Mul(x, x) }")
    assert feature(data).update(pair(planes))[0] == pytest.approx(np.mean((planes[0] / 255) ** 2), abs=1e-6)


def test_the_sidecar_may_name_the_output_that_counts():
    mean = "ReduceMean <axes = [1, 2, 3], keepdims = 0> (x)"
    data = model(f"g (float[N, 1, H, W] x) => (float[N] minus, float[N] y) {{ y = {mean} minus = Neg(y) }}")
    planes = noise(32, 16, count=1)[0]
    values = [feature(data, side).update(pair(planes))[0] for side in (None, sidecar(output_names=["y"]))]
    assert values[1] == -values[0] > 0


@pytest.mark.parametrize("range_", ["limited", None])
@pytest.mark.parametrize(("channels", "apart"), [(1, 1e-6), (3, 2e-5)])
def test_limited_range_gives_the_same_score_at_every_depth(channels, apart, range_):
    planes = natural("mdn_flower", 64, 36, 1)[0]
    scores = []
    for bits in (8, 9, 10, 12, 14, 16):
        deep = planes if bits == 8 else tuple(plane.astype(np.uint16) << bits - 8 for plane in planes)
        seen = pair(deep, bits=bits, colour=Colour("bt709", range_))
        scores.append(feature(mean_of(channels)).update(seen)[0])
    assert scores == pytest.approx([scores[0]] * 6, abs=apart)


@pytest.mark.parametrize("bits", [8, 10, 12, 16])
def test_full_range_ends_at_the_largest_code_value(bits):
    white = np.full((16, 32), (1 << bits) - 1, np.uint8 if bits == 8 else np.uint16)
    full = pair((white,), bits=bits, colour=Colour("bt709", "full"))
    assert feature(mean_of(1)).update(full)[0] == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize(
    ("data", "side", "message"),
    [
        (mean_of(2), None, "not a single luma picture"),
        (mean_of(3), sidecar(frame={"colour": "luma"}), "not a single luma picture as its sidecar has them"),
        (mean_of(1, 8, 8), sidecar(frame={"colour": "luma", "width": 9, "height": 8}), "as its sidecar has them"),
        (mean_of(1), sidecar(frame={"colour": "luma", "window": 5}), "as its sidecar has them"),
        (mean_of(1, kind="double"), None, "float64"),
        (mean_of(1), sidecar(output_names=["z"]), "names outputs z, which the graph has not"),
        (mean_of(1), sidecar(input_names=["z"]), "names inputs z, which the graph has not"),
    ],
)
def test_graphs_that_do_not_fit_their_sidecar(data, side, message):
    with pytest.raises(ContractError, match=message):
        PictureScore(open_bytes(data, side), "tiny")


def test_what_takes_no_pictures_is_no_picture_model(tmp_path):
    three = model("""g (float[N, 1, H, W] a, float[N, 1, H, W] b, float[N, 1, H, W] c) => (float[N, 1, H, W] y)
        { y = Sum(a, b, c) }""")
    with pytest.raises(ContractError, match="one or two of one shape"):
        PictureScore(open_bytes(three), "tiny")
    path = tmp_path / "none.onnx"
    path.write_bytes(model("g () => (float[1] y) { y = Constant <value_floats = [1.0]> () }"))
    with pytest.raises(ContractError, match=r"float32 \[N, 6\] into"):
        load_model(path)


def test_a_graph_of_one_fixed_side_says_so_when_it_runs():
    with pytest.raises(InputShapeError, match=r"\['N', 1, 8, 'W'\] was given an array of shape \[1, 1, 16, 32\]"):
        feature(mean_of(1, 8)).update(pair(noise(32, 16, count=1)[0]))


def test_scores_have_no_inputs_and_no_columns_of_their_own():
    score = PictureScore(open_bytes(mean_of(1)), "tiny")
    assert (score.kind, score.inputs, score.columns(np.empty((3, 0)), "tiny")) == ("tiny", (), {})


# --- whole runs


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    folder = tmp_path_factory.mktemp("graphs")
    (folder / "nr.onnx").write_bytes(mean_of(1))
    (folder / "fr.onnx").write_bytes(difference("dis", "ref", 3))
    return folder


def test_a_whole_run_with_both_kinds(stored):
    reference = [planes[:1] for planes in natural("mdn_flower", 64, 48, 5)]
    distorted = [planes[:1] for planes in degrade(natural("mdn_flower", 64, 48, 5), 40)]
    result = compare(reference, distorted, models=["vmaf_v0.6.1", str(stored / "nr.onnx"), str(stored / "fr.onnx")])
    assert [score.name for score in result.scores] == ["vmaf", "nr", "fr"]
    assert [score.no_reference for score in result.scores] == [False, True, False]
    assert result.column("nr") == pytest.approx([planes[0].mean() / 255 for planes in distorted], abs=1e-6)
    images = [[((rgb(p, chroma="400") - MEAN) / STD).mean() for p in clip] for clip in (distorted, reference)]
    assert result.column("fr") == pytest.approx(np.subtract(images[0], np.multiply(2, images[1])), abs=1e-4)


def test_subsampled_frames_only(stored):
    frames = [planes[:1] for planes in natural("mdn_flower", 64, 48, 5)]
    result = compare(frames, frames, models=[str(stored / "nr.onnx")], subsample=2)
    assert result.frame_numbers.tolist() == [0, 2, 4]
    assert result.column("nr") == pytest.approx([frames[i][0].mean() / 255 for i in (0, 2, 4)], abs=1e-6)


def test_without_a_reference(stored):
    frames = [planes[:1] for planes in natural("mdn_flower", 64, 48, 4)]
    result = compare(None, frames, models=str(stored / "nr.onnx"))
    assert result.column("nr") == pytest.approx([planes[0].mean() / 255 for planes in frames], abs=1e-6)
    assert list(result.inputs) == ["distorted"]
    assert result.pairing == {"frames": 4, "no_reference": True, "notes": []}


@pytest.mark.parametrize(
    ("what", "message"),
    [
        ({"models": "fr.onnx"}, "only no-reference models can score, but fr needs one"),
        ({"models": "vmaf_tiny"}, "but vmaf_tiny needs one"),
        ({"models": "vmaf_v0.6.1"}, "but vmaf needs one"),
        ({"models": "nr.onnx", "features": "psnr"}, "Feature psnr needs a reference"),
        ({"models": [], "features": []}, "nothing to measure"),
    ],
)
def test_what_needs_a_reference_is_refused_without_one(what, message, stored):
    if isinstance(what["models"], str) and what["models"].endswith(".onnx"):
        what = {**what, "models": str(stored / what["models"])}
    with pytest.raises(UsageError, match=message):
        compare(None, [np.zeros((16, 16), np.uint8)], **what)


# --- the reference graphs, through the command

PICTURES = ["nr_metric_v1", "learned_filter_v1", "saliency_student_v1", "saliency_student_v2", "lpips_sq"]
FUSIONS = ["vmaf_tiny_v2", "vmaf_tiny_v3", "vmaf_tiny_v4"]


@pytest.fixture(scope="module")
def direct():
    """ONNX Runtime itself on the reference graphs."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 2
    return {name: onnxruntime.InferenceSession(str(FORK / f"{name}.onnx"), options) for name in PICTURES + FUSIONS}


def wanted(session, name, reference, distorted, bits):
    """The score of a frame by ONNX Runtime, on a picture made by FFmpeg or by H.273's equations."""
    inputs = [port.name for port in session.get_inputs()]
    if name in ("nr_metric_v1", "learned_filter_v1"):
        image = scaled(distorted[0], 224, 224, bits)[None, None] / (255 * 2 ** (bits - 8))
        return session.run(None, {inputs[0]: image.astype(np.float32)})[0].mean()
    frames = [distorted] if len(inputs) == 1 else [reference, distorted]
    images = [((rgb(planes, bits, "420", "smpte170m") - MEAN) / STD)[None].astype(np.float32) for planes in frames]
    height, width = images[0].shape[2:]
    if name.startswith("saliency"):
        margins = ((0, 0), (0, 0), (0, -height % 8), (0, -width % 8))
        images = [np.pad(image, margins, mode="edge") for image in images]
    (result,) = session.run(None, dict(zip(inputs, images, strict=True)))
    return result[..., :height, :width].mean() if result.ndim == 4 else result.mean()


@needs_fork
@pytest.mark.parametrize("bits", [8, 10, 12])
@pytest.mark.parametrize("size", [(576, 324), (575, 323)])
def test_every_valid_reference_model_through_the_command(size, bits, direct, tmp_path):
    reference = natural("mdn_flower", *size, 2, bits)
    distorted = degrade(reference, 40, bits)
    words = [word for name in PICTURES + FUSIONS for word in ("--tiny-model", FORK / f"{name}.onnx")]
    log = log_of(tmp_path, *write_pair(tmp_path, reference, distorted, bits), *words, "-q", "--precision", "max")
    names = {Path(entry["model"]).stem: entry["name"] for entry in log["models"]}
    assert list(names)[1:] == PICTURES + FUSIONS
    for name in PICTURES:
        want = [wanted(direct[name], name, *planes, bits) for planes in zip(reference, distorted, strict=True)]
        np.testing.assert_allclose(column(log, names[name]), want, atol=2e-5, err_msg=name)
    rows = np.column_stack([column(log, f"integer_{key}") for key in CANONICAL]).astype(np.float32)
    for name in FUSIONS:
        (want,) = direct[name].run(None, {"features": rows})
        np.testing.assert_allclose(column(log, names[name]), want.ravel(), atol=1e-4, err_msg=name)
        np.testing.assert_allclose(column(log, names[name]), column(log, "vmaf"), atol=5, err_msg=name)


@needs_fork
def test_identical_pictures_have_no_lpips_distance_and_worse_ones_more():
    frames = natural("mdn_flower", 96, 64, 1)
    session = open_bytes((FORK / "lpips_sq.onnx").read_bytes())
    lpips = PictureModel(session, "lpips")
    near, far = (degrade(frames, crf)[0] for crf in (28, 48))
    same, small, large = (lpips.update(pair(frames[0], other))[0] for other in (frames[0], near, far))
    assert same == pytest.approx(0, abs=1e-6)
    assert 0 < small < large


@needs_fork
def test_the_reference_model_with_outside_weights_is_refused(tmp_path):
    options = write_pair(tmp_path, *2 * [natural("mdn_flower", 64, 48, 2)])
    done = call("vmaf", *options, "--tiny-model", FORK / "fr_regressor_v1.onnx")
    assert (done.code, done.out, len(done.lines)) == (2, "", 1)
    assert "external data" in done.err
