"""Sessions: what they refuse, what they compute, and that they end; the numbers are held against NumPy."""

import os
import signal
import struct
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import onnx
import onnx.parser
import pytest

from tinyvmaf import errors
from tinyvmaf.dnn import guard
from tinyvmaf.dnn.binding import bind
from tinyvmaf.dnn.graph import Port
from tinyvmaf.dnn.record import changed
from tinyvmaf.dnn.session import Session

FORK = Path(__file__).resolve().parents[3] / "shared" / "models" / "fork_reference"
needs_fork = pytest.mark.skipif(not FORK.exists(), reason="the shared reference models are not beside this checkout")


def model(text):
    """Bytes of a graph in ONNX's own notation."""
    return onnx.parser.parse_model(f'<ir_version: 8, opset_import: ["" : 17]> {text}').SerializeToString()


MATMUL = model("g (float[N, 3] left, float[3, M] right) => (float[M, N] turned, float[N, M] product) {"
               " product = MatMul(left, right) turned = Transpose(product) }")  # fmt: skip
SAME = model("g (float[N] a, float[N] b) => (float[N] c) { c = Sub(a, b) }")
HALF = model("g (float16[N] x, float[N] z) => (float16[N] y, float[N] w) { y = Identity(x) w = Identity(z) }")
LOOP = model("""g (float[N, N] x) => (float[N, N] y) <int64 M = {1024}, bool go = {1}> {
  y = Loop (M, go, x) <body = b (int64 i, bool k, float[N, N] v) => (bool on, float[N, N] w)
    { on = Identity(k) u = MatMul(v, v) w = Tanh(u) }>
}""")
LEFT = np.arange(6, dtype=np.float32).reshape(2, 3)
RIGHT = np.linspace(-1, 1, 12, dtype=np.float32).reshape(3, 4)


def picture(body, rest=("N", "H", "W")):
    n, h, w = rest
    return model(f"g (float[{n}, 1, {h}, {w}] x) => (float[{n}, 1, {h}, {w}] y) {body}")


class Asked:
    """A verdict that remembers what it was asked."""

    def __init__(self, data, **limits):
        self._verdict = guard.check(data)
        self.limits = changed(self._verdict.limits, **limits)
        self.questions = []

    def require(self):
        return self._verdict.require()

    def admit(self, shapes, values):
        self.questions.append((dict(shapes), dict(values)))
        return self._verdict.admit(shapes, values)


@pytest.fixture
def matmul():
    with Session(MATMUL, device="cpu") as session:
        yield session


@pytest.mark.parametrize(
    "inputs",
    [
        {"right": RIGHT, "left": LEFT},
        [LEFT, RIGHT],
        (LEFT, ("right", RIGHT)),
        [("left", LEFT), (None, RIGHT)],
        [("right", RIGHT), ("left", LEFT)],
    ],
)
def test_tensors_are_bound_by_name_and_by_position(matmul, inputs):
    result = matmul.run(inputs)
    assert list(result) == ["turned", "product"]
    assert result["product"] == pytest.approx(LEFT @ RIGHT)
    assert result["turned"] == pytest.approx((LEFT @ RIGHT).T)
    assert result["product"].dtype == np.float32


@pytest.mark.parametrize(
    ("inputs", "error", "words"),
    [
        ([LEFT], errors.InputArityError, r"2 inputs \('left', 'right'\), but 1"),
        ([LEFT, RIGHT, RIGHT], errors.InputArityError, "but 3"),
        ({"left": LEFT}, errors.InputArityError, "but 1"),
        ({"left": LEFT, "rihgt": RIGHT}, errors.InputNameError, r"no input 'rihgt'. Did you mean 'right'\?"),
        ({"left": LEFT, "q": RIGHT}, errors.InputNameError, "There are: 'left', 'right'"),
        ({"left": LEFT, 7: RIGHT}, errors.InputNameError, "no input 7"),
        ([("right", RIGHT), (None, LEFT)], errors.InputNameError, "'right' was given twice"),
        ([("left", LEFT), ("left", LEFT)], errors.InputNameError, "'left' was given twice"),
        (LEFT, errors.InputTypeError, r"not as ndarray. Write run\(\[array\]\)"),
        (iter([LEFT, RIGHT]), errors.InputTypeError, "not as list_iterator"),
        ([LEFT, RIGHT.tolist()], errors.InputTypeError, "'right' must be a numpy array, not list"),
        ([LEFT, RIGHT.astype(float)], errors.InputTypeError, r"float32, not float64.*array.astype\(numpy.float32\)"),
        ([LEFT, RIGHT.astype(">f4")], errors.InputTypeError, "not >f4"),
        ([LEFT, RIGHT.astype(np.int32)], errors.InputTypeError, "not int32"),
        ([LEFT, RIGHT[0]], errors.InputShapeError, r"'right' float32 \[3, 'M'\] was given an array of shape \[4\]"),
        ([LEFT, RIGHT[:2]], errors.InputShapeError, r"shape \[2, 4\]"),
        ([LEFT, RIGHT[:, :0]], errors.InputShapeError, r"shape \[3, 0\]"),
        ([LEFT[None], RIGHT], errors.InputShapeError, r"shape \[1, 2, 3\]"),
    ],
)  # fmt: skip
def test_tensors_that_do_not_fit_are_refused(matmul, inputs, error, words):
    with pytest.raises(error, match=words):
        matmul.run(inputs)
    assert matmul.run([LEFT, RIGHT])["product"].shape == (2, 4)


def test_axes_of_one_name_have_one_length():
    with Session(SAME) as session:
        assert session.run([np.ones(4, np.float32), np.ones(4, np.float32)])["c"].tolist() == [0] * 4
        with pytest.raises(errors.InputShapeError, match="'N' is 4 long in input 'a', but 1 in 'b'"):
            session.run([np.ones(4, np.float32), np.ones(1, np.float32)])


def test_layout_of_memory_does_not_matter(matmul):
    unaligned = np.frombuffer(b"." + RIGHT.tobytes(), np.uint8)[1:].view(np.float32).reshape(3, 4)
    wide = np.repeat(LEFT, 2, axis=1)[:, ::2]
    assert not unaligned.flags.aligned
    assert not wide.flags.c_contiguous
    expected = matmul.run([LEFT, RIGHT])["product"]
    for pair in ([np.asfortranarray(LEFT), RIGHT], [wide, RIGHT[::-1][::-1]], [LEFT, unaligned]):
        assert np.array_equal(matmul.run(pair)["product"], expected)
        assert all(array.flags.c_contiguous and array.flags.aligned for array in bind(pair, matmul.inputs).values())
    feed = bind([np.asfortranarray(np.ones((2, 3), np.float32))], [Port("x", "float16", (2, 3))], fp16_io=True)
    assert feed["x"].flags.c_contiguous
    assert bind([LEFT, RIGHT], matmul.inputs)["left"] is LEFT


def test_scalars_and_inputs_of_any_shape():
    graph = onnx.parser.parse_model(
        '<ir_version: 8, opset_import: ["" : 17]> g (float s, float x) => (float t, float y)'
        " { t = Neg(s) y = Mul(x, s) }"
    )
    graph.graph.input[1].type.tensor_type.ClearField("shape")
    graph.graph.output[1].type.tensor_type.ClearField("shape")
    with Session(graph.SerializeToString()) as session:
        result = session.run([np.array(2, np.float32), LEFT])
        assert result["t"].shape == ()
        assert np.array_equal(result["y"], 2 * LEFT)


def test_ports_are_those_of_the_graph(matmul):
    assert [(p.name, p.dtype, p.shape) for p in matmul.inputs] == [
        ("left", "float32", ("N", 3)),
        ("right", "float32", (3, "M")),
    ]
    assert [port.name for port in matmul.outputs] == ["turned", "product"]
    assert matmul.attached_device == "CPU"
    assert matmul.fallbacks == ()


def halves(values):
    values = np.asarray(values, np.float32)
    with Session(HALF, fp16_io=True) as session:
        result = session.run([values, values])
    assert result["w"].tobytes() == values.tobytes()
    assert result["y"].dtype == np.float32
    return result["y"]


def test_float16_is_rounded_to_the_nearest_and_ties_to_even():
    low = np.arange(0x7BFF, dtype=np.uint16)  # every half from 0 to the largest but one, and the next above it
    below, above = low.view(np.float16).astype(np.float32), (low + 1).astype(np.uint16).view(np.float16)
    above = above.astype(np.float32)
    middle = ((below.astype(float) + above.astype(float)) / 2).astype(np.float32)
    even = np.where(low % 2 == 0, below, above)
    for sign in (1, -1):
        assert np.array_equal(halves(sign * below), sign * below)
        assert np.array_equal(halves(sign * middle), sign * even)
        assert np.array_equal(halves(sign * np.nextafter(middle, np.float32(0))), sign * below)
        assert np.array_equal(halves(sign * np.nextafter(middle, np.float32(np.inf))), sign * above)


def test_float16_of_random_numbers_is_that_of_the_standard_library():
    bits = np.random.default_rng(3).integers(0, 2**32, 4000, dtype=np.uint32)
    values = bits.view(np.float32)
    values = values[np.abs(values) < 65504]
    expected = [struct.unpack("e", struct.pack("e", value))[0] for value in values.tolist()]
    assert halves(values).tolist() == expected


def test_float16_at_its_ends():
    largest, tie = 65504.0, 65520.0
    values = [
        largest,
        np.nextafter(np.float32(tie), np.float32(0)),
        tie,
        1e38,
        -tie,
        np.inf,
        -np.inf,
        np.nan,
        -0.0,
        2e-8,
    ]
    found = halves(values)
    assert np.array_equal(
        found, [largest, largest, np.inf, np.inf, -np.inf, np.inf, -np.inf, np.nan, 0, 0], equal_nan=True
    )
    assert np.signbit(found[8])


def test_float16_slots_take_float32_only_where_asked():
    single, half = np.ones(2, np.float32), np.ones(2, np.float16)
    with Session(HALF) as session:
        assert session.run([half, single])["y"].dtype == np.float16
        with pytest.raises(errors.InputTypeError, match=r"'x' is float16, not float32. Open .* fp16_io=True"):
            session.run([single, single])
    with Session(HALF, fp16_io=True) as session:
        assert session.run([half, single])["y"].dtype == np.float32
        with pytest.raises(errors.InputTypeError, match="'z' is float32, not float16"):
            session.run([single, half])
        with pytest.raises(errors.InputTypeError, match="'x' is float16, not float64"):
            session.run([single.astype(float), single])


def test_a_run_ends_at_its_limit_and_the_session_goes_on():
    small = np.full((3, 3), 0.1, np.float32)
    expected = small
    for _ in range(1024):
        expected = np.tanh(expected @ expected)
    with Session(LOOP, time_limit=0.3, threads=1) as session:
        for _ in range(2):
            start = time.perf_counter()
            with pytest.raises(errors.RunLimitError, match=r"passed its limit of 0\.3 s"):
                session.run([np.ones((480, 480), np.float32)])
            assert 0.3 <= time.perf_counter() - start < 2
            assert session.run([small])["y"] == pytest.approx(expected)


def test_limits_of_runs_side_by_side_do_not_mix():
    big, took = np.ones((384, 384), np.float32), {}

    def work(limit):
        with Session(LOOP, time_limit=limit, threads=1) as session:
            start = time.perf_counter()
            with pytest.raises(errors.RunLimitError):
                session.run([big])
            took[limit] = time.perf_counter() - start

    threads = [threading.Thread(target=work, args=(limit,)) for limit in (0.6, 0.1, 0.35)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(limit <= took[limit] < limit + 1.5 for limit in (0.6, 0.1, 0.35))
    assert took[0.1] < took[0.6]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes do not fork here")
def test_limits_hold_in_a_forked_process(tmp_path):
    (tmp_path / "loop.onnx").write_bytes(LOOP)
    script = """
import os, pathlib, sys
import numpy
from tinyvmaf.dnn.session import Session
from tinyvmaf.errors import RunLimitError

def run(size):
    with Session(pathlib.Path(sys.argv[1]).read_bytes(), time_limit=0.3, threads=1) as session:
        session.run([numpy.ones((size, size), numpy.float32)])

run(2)
child = os.fork()
if child:
    sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
try:
    run(480)
except RunLimitError:
    os._exit(7)
"""
    words = [sys.executable, "-W", "ignore", "-c", script, str(tmp_path / "loop.onnx")]
    assert subprocess.run(words, timeout=60, check=False).returncode == 7


@pytest.mark.skipif(not hasattr(signal, "pthread_kill"), reason="signals are not sent to threads here")
def test_an_interrupt_ends_a_run():
    handler = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with Session(LOOP, time_limit=50, threads=1) as session:
            timer = threading.Timer(0.1, signal.pthread_kill, (threading.main_thread().ident, signal.SIGINT))
            timer.start()
            start = time.perf_counter()
            with pytest.raises(KeyboardInterrupt):
                session.run([np.ones((480, 480), np.float32)])
            assert time.perf_counter() - start < 5
            timer.join()
            assert session.run([np.zeros((2, 2), np.float32)])["y"].tolist() == [[0, 0], [0, 0]]
    finally:
        signal.signal(signal.SIGINT, handler)


def test_a_run_on_another_thread_can_be_stopped():
    failures = []

    def work():
        with pytest.raises(errors.ModelError, match="terminate") as caught:
            session.run([np.ones((480, 480), np.float32)])
        failures.append(caught.value)

    with Session(LOOP, time_limit=50, threads=1) as session:
        session.stop()  # nothing runs
        thread = threading.Thread(target=work)
        thread.start()
        while thread.is_alive():
            session.stop()
            time.sleep(0.01)
        assert failures
        assert session.run([np.zeros((2, 2), np.float32)])["y"].tolist() == [[0, 0], [0, 0]]


def test_a_second_thread_waits_for_the_first(matmul, monkeypatch):
    busy, most = [], []
    real = matmul._session

    class Slow:
        def run(self, *words):
            busy.append(1)
            most.append(len(busy))
            time.sleep(0.02)
            busy.pop()
            return real.run(*words)

    monkeypatch.setattr(matmul, "_session", Slow())
    threads = [threading.Thread(target=matmul.run, args=([LEFT, RIGHT],)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == [1] * 4


def test_a_closed_session_says_so():
    session = Session(MATMUL, name="tiny")
    session.close()
    session.close()
    with pytest.raises(errors.UsageError, match="session of tiny is closed"):
        session.run([LEFT, RIGHT])


def test_the_guard_is_asked_once_per_combination_of_sizes():
    verdict = Asked(MATMUL)
    session = Session(MATMUL, verdict=verdict)
    for rows in (2, 2, 5, 2):
        session.run([np.ones((rows, 3), np.float32), RIGHT])
    assert [shapes["left"] for shapes, _ in verdict.questions] == [(2, 3), (5, 3)]
    for rows in range(10, 90):
        session.run([np.ones((rows, 3), np.float32), RIGHT])
        session.run([LEFT, RIGHT])
    assert len(verdict.questions) == 82, "what is in use is remembered"
    session.run([np.ones((5, 3), np.float32), RIGHT])
    assert len(verdict.questions) == 83, "what is not is forgotten, and asked again"
    assert len(session._admitted) <= 64


def test_sizes_that_follow_from_values_are_held_against_the_limits():
    data = model("g (float[1] x, int64[2] size) => (float[A, B] y) { y = Expand(x, size) }")
    verdict = Asked(data)
    session = Session(data, verdict=verdict)
    x = np.ones(1, np.float32)
    assert session.run([x, np.array([2, 3])])["y"].shape == (2, 3)
    assert session.run([x, np.array([2, 3])])["y"].shape == (2, 3)
    with pytest.raises(errors.RunLimitError):
        session.run([x, np.array([1 << 20, 1 << 20])])
    with pytest.raises(errors.RunLimitError):
        session.run([x, np.array([1 << 20, 1 << 20])])
    assert [values["size"] for _, values in verdict.questions] == [[2, 3], *[[1 << 20, 1 << 20]] * 2]


def test_sizes_that_do_not_fit_inside_the_graph_never_run(monkeypatch):
    session = Session(model("g (float[A, B] x, float[C, D] y) => (float[E, F] z) { z = Concat<axis = 0>(x, y) }"))
    monkeypatch.setattr(session, "_execute", None)
    with pytest.raises(errors.ContractError, match="cannot run at these sizes"):
        session.run([LEFT, RIGHT])


def test_outputs_have_a_largest_size():
    session = Session(MATMUL, verdict=Asked(MATMUL, tensor_elements=20, growth_elements=1))
    assert session.run([LEFT, RIGHT])["product"].size == 8
    with pytest.raises(errors.RunLimitError, match="'turned' of model has 400 elements, more than the limit of 120"):
        session.run([np.ones((20, 3), np.float32), np.ones((3, 20), np.float32)])


def test_what_fails_at_run_time_is_one_line(capfd):
    session = Session(model("g (float[N] x, int64[M] i) => (float[M] y) { y = Gather(x, i) }"), name="tiny")
    with pytest.raises(errors.ModelError, match=r"tiny failed: .*out of data bounds") as caught:
        session.run([np.ones(3, np.float32), np.array([99])])
    assert "\n" not in str(caught.value)
    assert type(caught.value) is errors.ModelError
    assert capfd.readouterr() == ("", "")


def test_a_refused_model_is_never_opened(monkeypatch):
    monkeypatch.setattr("tinyvmaf.dnn.providers.attach", None)
    with pytest.raises(errors.RejectedModelError, match="Einsum"):
        Session(model('g (float[N] x) => (float[N] y) { y = Einsum<equation = "i->i">(x) }'))
    with pytest.raises(errors.RejectedModelError):
        Session(b"")


def test_bytes_are_opened_as_the_format_that_the_guard_has_read():
    field = b"aaORTMbb"  # the producer's name, so that the mark of another format stands where it is looked for
    session = Session(b"\x12" + bytes([len(field)]) + field + SAME)
    assert session.run([LEFT[0], LEFT[0]])["c"].tolist() == [0, 0, 0]


def test_settings_inside_a_model_are_never_obeyed(monkeypatch):
    """Where ONNX Runtime is told to read them, nothing opens."""
    monkeypatch.setenv("ORT_LOAD_CONFIG_FROM_MODEL", "1")
    made = onnx.load_from_string(SAME)
    onnx.helper.set_model_props(made, {"ort_config": '{"session_options": {"intra_op_num_threads": 7}}'})
    with pytest.raises(errors.ModelError, match="ONNX Runtime cannot open the model"):
        Session(made.SerializeToString())


def test_bytes_that_are_not_those_of_the_verdict():
    good = guard.check(MATMUL)
    with pytest.raises(errors.ModelError, match=r"cannot open the model: .*protobuf") as caught:
        Session(b"rubbish", verdict=good)
    assert "\n" not in str(caught.value)
    with pytest.raises(errors.ModelError, match="other inputs or outputs"):
        Session(SAME, verdict=good)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"threads": 65}, "threads must be 1 to 64"),
        ({"threads": -1}, "threads must be"),
        ({"device_index": -1}, "device_index must be 0 or more"),
        ({"time_limit": 0}, "above 0 seconds, not 0"),
        ({"time_limit": float("nan")}, "not nan"),
        ({"time_limit": float("inf")}, "None stands for no limit"),
        ({"data": "model.onnx"}, "made from bytes, not str"),
        ({"data": bytearray(SAME)}, "not bytearray"),
    ],
)
def test_settings_out_of_range_are_refused(changes, words):
    with pytest.raises(errors.UsageError, match=words):
        Session(**{"data": SAME, "verdict": guard.check(SAME), **changes})


@pytest.mark.parametrize("settings", [{"threads": 1}, {"threads": 2}, {"time_limit": None}, {"optimise": False}])
def test_settings_do_not_change_the_answer(settings):
    with Session(MATMUL, **settings) as session:
        assert session.run([LEFT, RIGHT])["product"] == pytest.approx(LEFT @ RIGHT)


@pytest.mark.parametrize("bits", range(8, 17))
def test_every_sample_survives_a_graph_that_does_nothing(bits):
    dtype = np.uint8 if bits == 8 else np.uint16
    plane = np.arange(1 << bits, dtype=dtype).reshape(4, -1)
    with Session(picture("{ y = Identity(x) }")) as session:
        found = session.run_plane(plane, bits)
    assert found.dtype == dtype
    assert np.array_equal(found, plane)


@pytest.mark.parametrize(
    ("value", "expected"), [(24.5, 24), (25.5, 26), (24.6, 25), (-3.0, 0), (300.0, 255), (np.inf, 255), (-np.inf, 0)]
)
def test_samples_are_rounded_half_to_even_and_clipped(value, expected):
    made = onnx.load_from_string(picture("<float c = {0}> { y = Add(x, c) }"))
    constant = np.float32(value) / np.float32(255)
    made.graph.initializer[0].CopyFrom(onnx.numpy_helper.from_array(np.array(constant), "c"))
    assert constant * np.float32(255) == np.float32(value)
    with Session(made.SerializeToString()) as session:
        assert session.run_plane(np.zeros((2, 3), np.uint8)).tolist() == [[expected] * 3] * 2


def test_the_output_like_the_input_is_taken():
    data = model("""g (float[1, 1, 4, H] x) => (float[1, 1, 2, H] half, float[1, 1, 4, H] twice)
      <int64[1] s = {0}, int64[1] e = {2}, int64[1] a = {2}> { half = Slice(x, s, e, a) twice = Add(x, x) }""")
    with Session(data) as session:
        assert session.run_plane(np.full((4, 5), 9, np.uint16), 10).tolist() == [[18] * 5] * 4
        with pytest.raises(errors.InputShapeError, match=r"shape \[1, 1, 3, 5\]"):
            session.run_plane(np.ones((3, 5), np.uint8))


@pytest.mark.parametrize(
    ("plane", "bits", "error", "words"),
    [
        (np.ones((2, 2), np.uint8), 7, errors.UsageError, "8 to 16, not 7"),
        (np.ones((2, 2), np.uint16), 17, errors.UsageError, "8 to 16, not 17"),
        (np.ones((2, 2), np.uint8), 10, errors.InputTypeError, "10 bits is a uint16 array, not uint8"),
        (np.ones((2, 2), np.uint16), 8, errors.InputTypeError, "8 bits is a uint8 array, not uint16"),
        ([[1]], 8, errors.InputTypeError, "not <class 'list'>"),
        (np.full((2, 2), 1024, np.uint16), 10, errors.UsageError, "at most 1023, but one is 1024"),
        (np.ones((2, 2, 3), np.uint8), 8, errors.InputShapeError, "two axes"),
        (np.ones((0, 2), np.uint8), 8, errors.InputShapeError, "shape"),
    ],
)
def test_planes_that_are_none_are_refused(plane, bits, error, words):
    with Session(picture("{ y = Identity(x) }")) as session, pytest.raises(error, match=words):
        session.run_plane(plane, bits)


@pytest.mark.parametrize(
    "text",
    [
        "g (float[N] a, float[N] b) => (float[N] c) { c = Sub(a, b) }",
        "g (float[N, 3, H, W] x) => (float[N, 3, H, W] y) { y = Identity(x) }",
        "g (float16[N, 1, H, W] x) => (float16[N, 1, H, W] y) { y = Identity(x) }",
        "g (float[N, 1, H, W] x) => (float[N, 1, 1, 1] y) { y = GlobalAveragePool(x) }",
        "g (float[2, 1, H, W] x) => (float[2, 1, H, W] y) { y = Identity(x) }",
    ],
)
def test_graphs_that_take_no_plane(text):
    with Session(model(text), name="tiny") as session, pytest.raises(errors.ContractError, match=r"tiny (takes|gave)"):
        session.run_plane(np.ones((4, 4), np.uint8))


def test_pictures_with_holes_are_refused():
    with Session(picture("{ y = Div(x, x) }")) as session, pytest.raises(errors.ContractError, match="NaN in it"):
        session.run_plane(np.eye(4, dtype=np.uint8))


@needs_fork
@pytest.mark.parametrize(("name", "score"), [("vmaf_tiny_v3", 97.68), ("vmaf_tiny_v4", 96.87)])
def test_published_models_give_their_published_values(name, score):
    with Session((FORK / f"{name}.onnx").read_bytes(), name=name) as session:
        found = session.run([np.array([[1, 1, 1, 1, 1, 0]], np.float32)])
    assert found["vmaf"] == pytest.approx([score], abs=0.06)


@needs_fork
def test_a_published_filter_runs_on_planes():
    plane = np.random.default_rng(5).integers(0, 256, (224, 224), dtype=np.uint8)
    with Session((FORK / "learned_filter_v1.onnx").read_bytes()) as session:
        found = session.run_plane(plane)
        exact = session.run([(plane[None, None] / 255).astype(np.float32)])["filtered"][0, 0].astype(float) * 255
    assert np.abs(found - np.clip(exact, 0, 255)).max() <= 0.501
