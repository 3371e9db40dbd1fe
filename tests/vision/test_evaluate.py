"""Saliency maps against masks: scores by samples and by blocks, maps in files, maps of a video."""

from __future__ import annotations

import re
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from saliency_models import write
from tinyvmaf.errors import DataError, UnreadableVideoError, UsageError
from tinyvmaf.models.runtime import DnnConfig
from tinyvmaf.vision.evaluate import Evaluation, Row, evaluate_folder, evaluate_video, report
from tinyvmaf.vision.map_files import map_files, read_map
from tinyvmaf.vision.map_scores import (
    BlockScores,
    PixelScores,
    Settings,
    area_under_curve,
    block_scores,
    pixel_scores,
)
from video_files import y4m_bytes

CONTRACT = ["schema_version", "block_size", "threshold", "n_pairs", "macro_iou", "micro_iou", "rows"]
OF_ROW = [
    *("stem", "pred_path", "gt_path", "width", "height", "block_size"),
    *("pred_blocks", "gt_blocks", "intersection_blocks", "union_blocks", "iou"),
]


def plane(rows):
    return np.array(rows, np.float32)


VALUES = plane([[0.9, 0.6, 0.2, 0.0], [0.8, 0.4, 0.5, 0.1]])
MASK = plane([[1, 1, 0, 0], [1, 1, 0, 0]])
"""Three of the mask's four samples are found, and one that is not in it."""


class TestSamples:
    def test_a_case_by_hand(self):
        scores = pixel_scores(VALUES, MASK)
        assert scores.iou == 3 / 5
        precision, recall = 3 / 4, 3 / 4
        assert scores.f_beta == pytest.approx(1.3 * precision * recall / (0.3 * precision + recall))
        assert scores.mae == pytest.approx((0.1 + 0.4 + 0.2 + 0.2 + 0.6 + 0.5 + 0.1) / 8)
        assert scores.auc == 15 / 16  # of the 16 pairs only 0.4 against 0.5 is the wrong way round

    def test_precision_counts_more_than_recall(self):
        mask = plane([[1] * 4 + [0] * 4])
        half_found = pixel_scores(plane([[1, 1, 0, 0, 0, 0, 0, 0]]), mask)
        half_wrong = pixel_scores(plane([[1] * 8]), mask)
        assert half_found.iou == half_wrong.iou == 0.5
        assert half_found.f_beta == pytest.approx(1.3 * 0.5 / (0.3 + 0.5))
        assert half_wrong.f_beta == pytest.approx(1.3 * 0.5 / (0.15 + 1))

    @pytest.mark.parametrize("threshold", [0.0, 0.3, 1.0])
    def test_the_threshold_itself_is_found(self, threshold):
        values = np.full((3, 3), threshold, np.float32)
        assert pixel_scores(values, np.ones((3, 3)), threshold).iou == 1

    def test_masks_of_one_class_have_no_curve(self):
        empty, full = np.zeros((4, 4)), np.ones((4, 4))
        assert pixel_scores(empty, empty) == PixelScores(1.0, 1.0, 0.0, None)
        assert pixel_scores(full, empty) == PixelScores(0.0, 0.0, 1.0, None)
        assert pixel_scores(empty, full) == PixelScores(0.0, 0.0, 1.0, None)

    @settings(max_examples=60, deadline=None)
    @given(*(arrays(np.float32, st.integers(1, 40), elements=st.integers(0, 6).map(lambda n: n / 8)) for _ in "ab"))
    def test_the_area_is_the_share_of_pairs_in_order(self, inside, outside):
        wins = sum(Fraction((a > b) * 2 + (a == b), 2) for a in inside.tolist() for b in outside.tolist())
        assert area_under_curve(inside, outside) == float(wins / (inside.size * outside.size))
        assert area_under_curve(-inside, -outside) == pytest.approx(1 - area_under_curve(inside, outside), abs=1e-12)

    def test_the_area_does_not_overflow(self):
        inside, outside = np.ones(300_000, np.float32), np.zeros(300_000, np.float32)
        assert area_under_curve(inside, outside) == 1.0
        assert area_under_curve(inside, inside) == 0.5

    @pytest.mark.parametrize(
        ("values", "mask", "message"),
        [
            (np.zeros((4, 5)), np.zeros((5, 4)), "has the size of its mask, but they are 5x4 and 4x5"),
            (np.zeros(4), np.zeros(4), "size of its mask"),
            (np.zeros((0, 4)), np.zeros((0, 4)), "size of its mask"),
            (np.full((2, 2), np.nan), np.zeros((2, 2)), "A map holds numbers from 0 to 1, but one holds nan"),
            (np.zeros((2, 2)), np.full((2, 2), np.inf), "A mask holds numbers from 0 to 1"),
            (np.full((2, 2), 1.5), np.zeros((2, 2)), "1.5 to 1.5"),
            (np.full((2, 2), -0.5), np.zeros((2, 2)), "-0.5 to -0.5"),
        ],
    )
    def test_bad_data_are_refused(self, values, mask, message):
        for scores in (pixel_scores, block_scores):
            with pytest.raises(DataError, match=re.escape(message)):
                scores(values, mask)


def blocks_by_loops(values, side, grid):
    height, width = values.shape
    rows = range(0, height if grid == "encoder" else height // side * side, side)
    columns = range(0, width if grid == "encoder" else width // side * side, side)
    return [[values[i : i + side, j : j + side].mean(dtype=np.float64) >= 0.5 for j in columns] for i in rows]


class TestBlocks:
    @settings(max_examples=40, deadline=None)
    @given(st.integers(1, 8), st.sampled_from(["encoder", "whole"]), st.data())
    def test_blocks_are_those_that_loops_find(self, side, grid, data):
        shape = tuple(data.draw(st.integers(side, 40)) for _ in range(2))
        numbers = arrays(np.float32, shape, elements=st.sampled_from([0.0, 0.25, 1.0]))
        values, mask = data.draw(numbers), np.round(data.draw(numbers))
        found, wanted = (np.array(blocks_by_loops(plane, side, grid)) for plane in (values, mask))
        scores = block_scores(values, mask, Settings(block_size=side, grid=grid))
        assert scores == BlockScores(found.sum(), wanted.sum(), (found & wanted).sum(), (found | wanted).sum())

    def test_the_grids_differ_at_the_edges(self):
        mask = np.zeros((20, 36))
        mask[16:, :] = 1
        assert block_scores(mask, mask, Settings(block_size=16)) == BlockScores(3, 3, 3, 3)
        assert block_scores(mask, mask, Settings(block_size=16, grid="whole")) == BlockScores(0, 0, 0, 0)

    def test_a_block_that_is_half_full_counts(self):
        mask = np.zeros((16, 16))
        mask[:8] = 1
        assert block_scores(mask, mask).wanted == 1
        mask[0, 0] = 0
        assert block_scores(mask, mask).wanted == 0

    def test_nothing_found_where_nothing_is_agrees(self):
        assert BlockScores(0, 0, 0, 0).iou == 1.0
        assert BlockScores(2, 3, 1, 4).iou == 0.25

    @pytest.mark.parametrize("grid", ["encoder", "whole"])
    def test_a_mask_smaller_than_a_block_is_refused(self, grid):
        with pytest.raises(DataError, match="block of 16x16 samples, but one is 40x15"):
            block_scores(np.zeros((15, 40)), np.zeros((15, 40)), Settings(grid=grid))

    @pytest.mark.parametrize(
        "wrong", [{"threshold": 1.1}, {"threshold": float("nan")}, {"block_size": 0}, {"grid": "other"}]
    )
    def test_settings_are_checked(self, wrong):
        with pytest.raises(UsageError):
            Settings(**wrong)


def pgm(kind, samples, top, comment=b""):
    height, width = samples.shape
    head = b"P%d\n%s%d %d\n%d\n" % (kind, comment, width, height, top)
    if kind == 2:
        return head + b"\n".join(b" ".join(b"%d" % v for v in row) for row in samples)
    return head + samples.astype(np.uint8 if top < 256 else ">u2").tobytes()


def png(path, samples, layout):
    picture = av.VideoFrame.from_ndarray(samples, format=layout)
    codec = av.CodecContext.create("png", "w")
    codec.width, codec.height, codec.pix_fmt, codec.time_base = picture.width, picture.height, layout, Fraction(1)
    Path(path).write_bytes(b"".join(bytes(packet) for packet in [*codec.encode(picture), *codec.encode(None)]))


class TestFiles:
    SAMPLES = np.arange(48, dtype=np.int64).reshape(6, 8)

    @pytest.mark.parametrize(("kind", "top"), [(2, 47), (5, 47), (5, 255), (2, 300), (5, 300), (5, 65535)])
    def test_pgm(self, tmp_path, kind, top):
        path = tmp_path / "a.pgm"
        path.write_bytes(pgm(kind, self.SAMPLES, top, b"# made here 9 9\n"))
        np.testing.assert_allclose(read_map(path), self.SAMPLES / top, rtol=1e-6)

    @pytest.mark.parametrize(
        ("kind", "top"), [(np.uint8, 47), (np.int32, 47), (np.float64, 47), (bool, 1), (np.float16, 47)]
    )
    def test_arrays_are_scaled_by_what_is_above_1(self, tmp_path, kind, top):
        path = tmp_path / "a.npy"
        np.save(path, self.SAMPLES.astype(kind))
        np.testing.assert_allclose(read_map(path), self.SAMPLES.astype(kind).astype(np.float64) / top, rtol=1e-6)
        np.save(path, (self.SAMPLES / 64 - 0.25).astype(np.float32))
        np.testing.assert_allclose(read_map(path), np.clip(self.SAMPLES / 64 - 0.25, 0, 1))

    @pytest.mark.parametrize("layout", ["gray", "gray16be", "rgb24"])
    def test_png(self, tmp_path, layout):
        top = 65535 if layout == "gray16be" else 255
        samples = (self.SAMPLES * top // 47).astype(np.uint16 if top > 255 else np.uint8)
        stored = np.repeat(samples[..., None], 3, 2) if layout == "rgb24" else samples
        png(tmp_path / "a.png", stored, layout)
        np.testing.assert_allclose(read_map(tmp_path / "a.png"), samples / top, atol=0.003 if top == 255 else 1e-6)

    def test_coloured_png_is_no_map(self, tmp_path):
        png(tmp_path / "a.png", np.full((8, 8, 3), (128, 0, 0), np.uint8), "rgb24")
        with pytest.raises(DataError, match="grey, not coloured"):
            read_map(tmp_path / "a.png")

    BAD: dict = {  # noqa: RUF012
        "short.pgm": b"P5 8 6 255\n" + bytes(47),
        "over.pgm": b"P5 1 1 200\n\xff",
        "words.pgm": b"P2 2 1 9\n1 x",
        "few.pgm": b"P2 2 1 9\n1",
        "minus.pgm": b"P2 2 1 9\n1 -2",
        "colour.pgm": b"P6 1 1 255\nabc",
        "huge.pgm": b"P5 99999 99999 255\n\0",
        "nothing.pgm": b"P5 0 1 255\n",
        "empty.pgm": b"",
        "empty.npy": b"",
        "text.npy": b"hello",
        "text.png": b"hello" * 20,
    }

    @pytest.mark.parametrize("name", BAD)
    def test_what_is_no_picture_is_refused_by_name(self, tmp_path, name):
        (tmp_path / name).write_bytes(self.BAD[name])
        with pytest.raises(DataError, match=name):
            read_map(tmp_path / name)

    @pytest.mark.parametrize(
        "array",
        [np.zeros((2, 2, 2)), np.zeros((0, 4)), np.array([["a"]]), np.full((2, 2), np.nan), np.full((2, 2), 1e300)],
        ids=["axes", "nothing", "text", "nan", "infinite"],
    )
    def test_arrays_that_are_no_map_are_refused(self, tmp_path, array):
        np.save(tmp_path / "a.npy", array)
        with pytest.raises(DataError, match=r"a\.npy cannot be read as a map"):
            read_map(tmp_path / "a.npy")

    def test_arrays_are_neither_unpickled_nor_believed(self, tmp_path):
        np.save(tmp_path / "o.npy", np.array([[{}]], object), allow_pickle=True)
        with pytest.raises(DataError):
            read_map(tmp_path / "o.npy")
        np.save(tmp_path / "a.npy", np.zeros((16, 16), np.float32))
        data = (tmp_path / "a.npy").read_bytes()
        (tmp_path / "a.npy").write_bytes(data.replace(b"(16, 16), }      ", b"(16000, 16000), }"))
        with pytest.raises(DataError, match="cannot be read"):
            read_map(tmp_path / "a.npy")

    def test_folders_are_sorted_by_name_and_other_files_left_alone(self, tmp_path):
        for name in ("b.npy", "a.PGM", "c.txt", "10.png"):
            (tmp_path / name).touch()
        (tmp_path / "d.png").mkdir()
        assert list(map_files(tmp_path)) == ["10", "a", "b"]
        (tmp_path / "a.png").touch()
        with pytest.raises(DataError, match="One file of each name"):
            map_files(tmp_path)
        with pytest.raises(DataError, match="cannot be read"):
            map_files(tmp_path / "missing")


def row(blocks, pixels=None):
    return Row("a", "p", "g", 4, 4, pixels or PixelScores(0.5, 0.5, 0.5, 0.5), blocks)


def folders(tmp_path, count=3, height=40, width=56):
    """Maps and masks: of mask i the columns behind 8 i are in, the map is half of that and a little."""
    made = tmp_path / "maps", tmp_path / "masks"
    for folder in made:
        folder.mkdir()
    for i in range(count):
        mask = np.zeros((height, width), np.float32)
        mask[:, 8 * i :] = 1
        np.save(made[0] / f"{i:02}.npy", mask * 0.6)
        np.save(made[1] / f"{i:02}.npy", mask)
    return made


class TestEvaluation:
    def test_means_and_sums(self):
        rows = (row(BlockScores(1, 1, 1, 1)), row(BlockScores(5, 5, 1, 9)), row(BlockScores(0, 0, 0, 0)))
        evaluation = Evaluation(rows, Settings())
        assert evaluation.macro_iou == pytest.approx((1 + 1 / 9 + 1) / 3)
        assert evaluation.micro_iou == 2 / 10
        assert Evaluation(rows[2:], Settings()).micro_iou == 1.0

    def test_masks_without_a_curve_are_left_out_of_its_mean(self):
        blocks = BlockScores(1, 1, 1, 1)
        scores = [PixelScores(0.2, 0.4, 0.1, None), PixelScores(0.4, 0.8, 0.3, 0.7)]
        evaluation = Evaluation(tuple(row(blocks, pixels) for pixels in scores), Settings())
        assert evaluation.pixels == PixelScores(*map(pytest.approx, (0.3, 0.6, 0.2, 0.7)))
        assert Evaluation(evaluation.rows[:1], Settings()).pixels.auc is None

    def test_folders_are_paired_by_name(self, tmp_path):
        maps, masks = folders(tmp_path)
        (maps / "01.npy").unlink()
        evaluation = evaluate_folder(maps, masks, Settings(block_size=8))
        assert [row.stem for row in evaluation.rows] == ["00", "02"]
        assert evaluation.pixels.iou == evaluation.macro_iou == evaluation.micro_iou == 1
        assert evaluation.pixels.mae == pytest.approx((0.4 + 0.4 * 40 / 56) / 2)
        said = report(evaluation)
        assert list(said)[: len(CONTRACT)] == CONTRACT
        assert list(said["rows"][1])[: len(OF_ROW)] == OF_ROW
        assert said["rows"][1] == {
            "stem": "02", "pred_path": str(maps / "02.npy"), "gt_path": str(masks / "02.npy"), "width": 56,
            "height": 40, "block_size": 8, "pred_blocks": 25, "gt_blocks": 25, "intersection_blocks": 25,
            "union_blocks": 25, "iou": 1.0, "pixel_iou": 1.0, "f_beta": pytest.approx(1.0),
            "mae": pytest.approx(0.4 * 40 / 56), "auc": 1.0,
        }  # fmt: skip
        assert said["rows"][0]["auc"] is None

    def test_folders_without_a_pair_are_refused(self, tmp_path):
        maps, masks = folders(tmp_path)
        (maps / "09.npy").write_bytes((maps / "00.npy").read_bytes())
        for i in range(3):
            (maps / f"{i:02}.npy").unlink()
        with pytest.raises(DataError, match=r"has 1, .* has 3, and no name is in both"):
            evaluate_folder(maps, masks)

    def test_sizes_that_differ_name_the_mask(self, tmp_path):
        maps, masks = folders(tmp_path)
        np.save(maps / "02.npy", np.zeros((40, 57)))
        with pytest.raises(DataError, match=r"02\.npy: A map has the size of its mask, but they are 57x40 and 56x40"):
            evaluate_folder(maps, masks)


class TestVideo:
    @pytest.fixture
    def model(self, tmp_path):
        return write(tmp_path)

    @staticmethod
    def video(tmp_path, count=6, height=40, width=56):
        """Red where mask i is; the stand-in's map is how red a sample is."""
        frames = []
        for i in range(count):
            luma, blue, red = (np.full((height, width), v, np.uint8) for v in (16, 128, 128))
            luma[:, 8 * i :], red[:, 8 * i :] = 81, 240
            frames.append((luma, blue, red))
        path = tmp_path / "v.y4m"
        path.write_bytes(y4m_bytes(frames, "444"))
        return path

    def test_frame_i_goes_with_mask_i(self, tmp_path, model):
        _, masks = folders(tmp_path, 3)
        seen = []
        evaluation = evaluate_video(
            self.video(tmp_path), masks, model, every=1, config=DnnConfig(device="cpu", threads=1), progress=seen.append
        )
        assert [row.stem for row in evaluation.rows] == ["00", "01", "02"]
        assert seen == [1, 2, 3]
        assert evaluation.pixels.iou > 0.8
        assert evaluation.rows[0].pixels.iou == 1.0

    def test_every_mask_needs_a_frame_of_its_size(self, tmp_path, model):
        _, masks = folders(tmp_path, 3)
        with pytest.raises(DataError, match=r"has 2 and .* 3 masks"):
            evaluate_video(self.video(tmp_path, 2), masks, model)
        with pytest.raises(DataError, match="they are 64x40 and 56x40"):
            evaluate_video(self.video(tmp_path, 6, width=64), masks, model)
        (tmp_path / "none").mkdir()
        with pytest.raises(DataError, match="At least one mask"):
            evaluate_video(self.video(tmp_path), tmp_path / "none", model)
        with pytest.raises(UnreadableVideoError):
            evaluate_video(tmp_path / "missing.mkv", masks, model)
