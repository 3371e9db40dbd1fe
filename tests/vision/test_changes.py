"""The first look that decides which frames the network sees."""

from __future__ import annotations

import numpy as np
import pytest

from thumbs import CUTS, DISSOLVE, drawn, scene
from tinyvmaf.models.runtime import DnnConfig
from tinyvmaf.vision.changes import GAP, LONGEST, REACH, Stretches
from tinyvmaf.vision.layout import layout
from tinyvmaf.vision.transitions import boundaries
from tinyvmaf.vision.transnet import TransNet
from tinyvmaf.vision.windows import MARGIN, Windows


class Network:
    """Marks what it has seen; 3 is in the first channel of the frames it is to remember."""

    def __init__(self):
        self.windows = []

    def __call__(self, window):
        self.windows.append(window)
        return np.column_stack([window[:, 0, 0, 0] / 255.0, np.ones(len(window))])


def looked(frames):
    """What a stream says, the lengths of its windows, and how many thumbnails it kept at most."""
    network, found, kept = Network(), [], 0
    stream = Stretches(network)
    for frame in frames:
        found.append(stream.add(frame))
        kept = max(kept, len(stream._frames))
    found.append(stream.finish())
    return np.concatenate(found), [len(window) for window in network.windows], kept


def still(level, count):
    return np.full((count, 27, 48, 3), level, np.uint8)


def test_a_still_is_never_looked_at():
    found, windows, kept = looked(still(90, 400))
    assert (found.shape, windows) == ((400, 2), [])
    assert not found.any()
    assert kept <= MARGIN + REACH + 2


@pytest.mark.parametrize("at", [1, 5, 24, 60, 198, 199])
def test_a_cut_is_looked_at_once_with_its_surroundings(at):
    frames = np.concatenate([still(60, at), still(200, 200 - at)])
    found, windows, _ = looked(frames)
    assert found.shape == (200, 2)
    assert len(windows) == 1
    assert windows[0] <= 2 + 2 * MARGIN
    seen = np.flatnonzero(found[:, 1])
    assert {max(0, at - 1), at} >= set(seen) >= {at}
    assert found[at, 0] == pytest.approx(200 / 255)


@pytest.mark.parametrize("length", [8, 24, 50, 70])
def test_a_dissolve_is_looked_at_whole(length):
    share = np.clip((np.arange(300) - 100) / length, 0, 1)[:, None, None, None]
    one, other = scene(0, 1), scene(1, 1)
    found, _, _ = looked(np.rint(one * (1 - share) + other * share).astype(np.uint8))
    seen = np.flatnonzero(found[:, 1])
    middle = range(100 + length // 4, 100 + length * 3 // 4)
    assert set(middle) <= set(seen)


def test_changes_without_end_are_looked_at_in_pieces():
    rng = np.random.default_rng(0)
    frames = rng.integers(0, 256, (421, 27, 48, 3), dtype=np.uint8)
    found, windows, kept = looked(frames)
    assert np.array_equal(found[1:, 0], frames[1:, 0, 0, 0] / 255)
    assert max(windows) == LONGEST + 2 * MARGIN
    assert sum(windows) < 421 * 1.7
    assert kept <= MARGIN + LONGEST + GAP + REACH + 2


def test_order_and_number_of_frames_stay_whatever_changes():
    rng = np.random.default_rng(1)
    for _ in range(20):
        lengths = rng.integers(1, 130, rng.integers(1, 6))
        pieces = [still(rng.integers(256), n) if rng.random() < 0.7 else scene(rng.integers(5), n) for n in lengths]
        frames = np.concatenate(pieces)
        found, _, _ = looked(frames)
        assert len(found) == len(frames)
        seen = found[:, 1] > 0
        assert np.array_equal(found[seen, 0], frames[seen, 0, 0, 0] / 255)


def test_shots_are_those_that_the_network_finds_when_it_sees_everything(pulled):
    network, frames = TransNet(DnnConfig().open(pulled("transnet_v2"))), drawn()[:165]
    layouts = np.stack([layout(thumbnail) for thumbnail in frames])
    results = []
    for stream in (Stretches(network), Windows(network)):
        found = np.concatenate([*(stream.add(thumbnail) for thumbnail in frames), stream.finish()])
        results.append(boundaries(*np.ascontiguousarray(found.T), layouts, 0.5))
    assert results[0] == results[1]
    assert results[0][:2] == [CUTS[0] + 1, CUTS[1] + 1]
    assert DISSOLVE.start < results[0][2] <= DISSOLVE.stop
