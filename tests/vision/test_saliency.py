"""Saliency maps: what the network sees, how maps follow each other in time, and what becomes of them at other sizes."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import helper

from clips import natural
from denoisers import file_of, port
from saliency_models import SIDECAR, red
from tinyvmaf.errors import ContractError, UsageError
from tinyvmaf.models.runtime import open_bytes
from tinyvmaf.video.frame import Colour, Frame
from tinyvmaf.video.rgb import to_rgb
from tinyvmaf.vision.saliency import AREA, NEW_SHARE, SaliencyModel, SaliencyStream, block_means, plane

COLOUR = Colour("bt709", "limited")


def opened(data=None, sidecar=SIDECAR):
    about = None if sidecar is None else json.dumps(sidecar).encode()
    return SaliencyModel(open_bytes(red() if data is None else data, about, device="cpu", threads=1))


def flat(level, index=0, height=48, width=64):
    """A grey frame whose red is `level`, 0 to 1."""
    return Frame((np.full((height, width), round(16 + 219 * level), np.uint8),), 8, index)


class Counted(SaliencyModel):
    """Notes which frames are looked at."""

    def __init__(self):
        super().__init__(opened().session)
        self.seen = []

    def map(self, frame, colour):
        self.seen.append(frame.index)
        return super().map(frame, colour)


def followed(frames, every):
    model = Counted()
    stream = SaliencyStream(model, every)
    maps = [values for frame in frames for values in stream.push(frame, COLOUR)] + stream.finish()
    return [float(values.mean()) for values in maps], model.seen


class TestModel:
    @pytest.mark.parametrize(("bits", "chroma"), [(8, "420"), (10, "422"), (12, "444"), (8, "400")])
    def test_sees_the_frame_in_colour_at_its_working_size(self, bits, chroma):
        frame = Frame(natural("mdn_flower", 480, 270, 1, bits, chroma)[0], bits, 0)
        model = opened()
        size = model.size(480, 270)
        expected = np.clip(to_rgb(frame, COLOUR, size, "area")[0], 0, 1)
        np.testing.assert_allclose(model.map(frame, COLOUR), expected, atol=1e-6)

    @pytest.mark.parametrize(("width", "height"), [(1920, 1080), (854, 480), (640, 480), (1080, 1920), (500, 500)])
    def test_keeps_the_shape_and_the_number_of_pixels(self, width, height):
        columns, rows = opened().size(width, height)
        assert columns % 16 == rows % 16 == 0
        assert columns * rows == pytest.approx(AREA, rel=0.12)
        assert columns / rows == pytest.approx(width / height, rel=0.12)

    def test_extreme_shapes_are_squeezed(self):
        assert opened().size(16000, 16) == (512, 128)
        assert opened().size(16, 16000) == (128, 512)

    def test_a_size_in_the_graph_is_kept(self):
        model = opened(red(size=(32, 48)), {"frame": {"colour": "rgb", "width": 48, "height": 32}})
        assert model.size(1920, 1080) == (48, 32)
        assert model.map(flat(0.5), COLOUR).shape == (32, 48)
        assert opened(red(size=(32, 48)), None).size(1920, 1080) == (48, 32)

    def test_without_a_sidecar_pictures_are_standardised_as_imagenets(self):
        values = opened(sidecar=None).map(flat(0.6), COLOUR)
        np.testing.assert_allclose(values, (round(219 * 0.6) / 219 - 0.485) / 0.229, atol=1e-5)

    def test_the_brightest_value_can_be_the_scale(self):
        about = {"frame": {"colour": "rgb", "multiple": 16, "scaled_by": "largest", "value_range": [0, 1]}}
        np.testing.assert_allclose(opened(sidecar=about).map(flat(0.4), COLOUR), 1.0, atol=1e-6)

    def test_maps_can_be_stretched(self):
        frame = Frame((np.repeat(np.linspace(60, 120, 64)[None], 48, 0).astype(np.uint8),), 8, 0)
        values = opened(sidecar=SIDECAR | {"map_scaling": "stretched"}).map(frame, COLOUR)
        assert (values.min(), values.max()) == (0.0, 1.0)
        assert opened().map(frame, COLOUR).max() < 0.5

    def test_values_outside_are_clipped_and_float16_is_taken(self):
        assert opened(red(gain=9.0)).map(flat(0.5), COLOUR).max() == 1.0
        np.testing.assert_allclose(opened(red(kind="float16")).map(flat(0.5), COLOUR), 110 / 219, atol=1e-3)

    @pytest.mark.parametrize(
        ("inputs", "sidecar"),
        [
            ([port("x", [1, 1, "h", "w"])], None),
            ([port("x", [1, 3])], None),
            ([port("x", [1, 3, "h", "w"]), port("y", [1, 3, "h", "w"])], None),
            ([port("x", [1, 3, "h", "w"], "float64")], None),
            ([port("x", [1, 3, 32, 32])], {"frame": {"colour": "rgb", "width": 48, "height": 32}}),
            ([port("x", [1, 3, "h", "w"])], {"frame": {"colour": "luma"}}),
        ],
    )
    def test_other_graphs_are_refused(self, inputs, sidecar):
        kind = "float64" if inputs[0].type.tensor_type.elem_type == 11 else "float32"
        data = file_of([helper.make_node("Relu", ["x"], ["z"])], inputs, [port("z", None, kind)])
        with pytest.raises(ContractError, match="saliency model takes one"):
            opened(data, sidecar)

    def test_results_that_are_no_map_are_refused(self):
        picture = [port("picture", [1, 3, "h", "w"])]
        same = file_of([helper.make_node("Relu", ["picture"], ["z"])], picture, [port("z", [1, 3, "h", "w"])])
        with pytest.raises(ContractError, match="one map of a picture, but"):
            opened(same).map(flat(0.5), COLOUR)
        with pytest.raises(ContractError, match="values that are no numbers"):
            opened(red(gain=np.nan)).map(flat(0.5), COLOUR)


class TestStream:
    def test_every_frame_gets_its_map_in_order(self):
        levels = [0.50, 0.51, 0.52, 0.53, 0.54, 0.55, 0.56, 0.57, 0.58, 0.59]
        for every in (1, 2, 3, 4, 9, 100):
            maps, seen = followed([flat(level, i) for i, level in enumerate(levels)], every)
            assert len(maps) == len(levels)
            assert maps == sorted(maps)
            assert seen == sorted({*range(0, len(levels), every), len(levels) - 1})

    def test_maps_between_two_looks_are_interpolated_and_the_new_one_is_steadied(self):
        maps, seen = followed([flat(level, i) for i, level in enumerate((0.5, 0.53, 0.47, 0.54))], 3)
        first, last = 110 / 219, round(219 * 0.54) / 219
        steady = first + NEW_SHARE * (last - first)
        np.testing.assert_allclose(maps, [first + (steady - first) * k / 3 for k in range(4)], atol=1e-6)
        assert seen == [0, 3]

    def test_nothing_is_carried_over_a_cut(self):
        levels = [0.2, 0.2, 0.2, 0.2, 0.2, 0.8, 0.8, 0.8]
        maps, seen = followed([flat(level, i) for i, level in enumerate(levels)], 3)
        np.testing.assert_allclose(maps, [round(219 * level) / 219 for level in levels], atol=1e-6)
        assert seen == [0, 3, 5, 7]

    def test_an_empty_clip_has_no_maps(self):
        assert followed([], 4) == ([], [])

    def test_every_is_checked(self):
        with pytest.raises(UsageError, match="at least 1, not 0"):
            SaliencyStream(opened(), 0)


def brute(values, height, width, side):
    """Block means of a map whose samples are flat squares, by counting a fine grid."""
    fine = 40
    rows = (np.arange(height * fine) + 0.5) / fine * values.shape[0] / height
    columns = (np.arange(width * fine) + 0.5) / fine * values.shape[1] / width
    big = values[rows.astype(int)][:, columns.astype(int)]
    step = side * fine
    return np.array(
        [
            [big[i : i + step, j : j + step].mean() for j in range(0, width * fine, step)]
            for i in range(0, height * fine, step)
        ]
    )


class TestOtherSizes:
    @pytest.mark.parametrize(("height", "width", "side"), [(48, 64, 16), (45, 61, 8), (20, 33, 64)])
    def test_blocks_are_means_of_what_they_cover(self, height, width, side):
        values = np.random.default_rng(1).random((32, 48), np.float32)
        expected = brute(values, height, width, side)
        found = block_means(values, height, width, side)
        assert found.shape == (-(-height // side), -(-width // side))
        np.testing.assert_allclose(found, expected, atol=2e-2)

    def test_planes_are_interpolated(self):
        values = np.linspace(0, 1, 9, dtype=np.float32)[None].repeat(5, 0)
        wide = plane(values, 50, 90)
        assert wide.shape == (50, 90)
        np.testing.assert_allclose(
            wide[0, 5:-5], np.interp(np.arange(5, 85) + 0.5, np.arange(9) * 10 + 5, values[0]), atol=1e-6
        )

    @settings(max_examples=30, deadline=None)
    @given(st.integers(1, 300), st.integers(1, 300), st.integers(1, 64), st.floats(0, 1, width=32))
    def test_a_flat_map_stays_flat(self, height, width, side, level):
        found = block_means(np.full((17, 23), level, np.float32), height, width, side)
        assert found.shape == (-(-height // side), -(-width // side))
        np.testing.assert_allclose(found, level, atol=1e-5)
