"""Every way to damage a picture keeps its shape, grows with its strength, and follows its seed."""

import csv

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("torch", reason="PyTorch, which only training needs, is not installed")

from tinyvmaf.errors import DataError
from tinyvmaf.train.dists_sq import corpus, encode, pictures
from tinyvmaf.train.dists_sq.__main__ import main

WAYS = {**corpus.TAUGHT, **corpus.UNSEEN}


@pytest.fixture(scope="module")
def image():
    """Smooth shapes with some texture and colour, of odd height."""
    y, x = np.mgrid[:65, :80] / 80
    rng = np.random.default_rng(2)
    planes = [0.5 + 0.3 * np.sin(9 * x + n) * np.cos(7 * y - n) for n in range(3)]
    return np.clip(np.stack(planes, -1) + 0.05 * rng.standard_normal((65, 80, 1)), 0, 1).astype(np.float32)


def made(name, image, strength, seed=4):
    return np.clip(WAYS[name](image, strength, np.random.default_rng(seed)), 0, 1)


@pytest.mark.parametrize("name", sorted(WAYS))
def test_damage(name, image):
    before = image.copy()
    mild, strong = made(name, image, 0.1), made(name, image, 0.9)
    assert mild.shape == strong.shape == image.shape
    assert np.isfinite(strong).all()
    assert np.array_equal(image, before)
    assert np.array_equal(strong, made(name, image, 0.9))
    assert not np.array_equal(strong, image)
    assert np.abs(mild - image).mean() <= np.abs(strong - image).mean()


def test_what_is_tested_is_not_taught():
    assert not set(corpus.TAUGHT) & set(corpus.UNSEEN)


def test_a_clip_keeps_colours_and_place(image):
    """At high quality the last frame of the pan is the picture: neither shifted nor tinted."""
    found = made("x264", image, 0.0)
    assert np.abs(found.mean((0, 1)) - image.mean((0, 1))).max() < 0.01
    moved = [
        np.abs(np.roll(found, shift, (0, 1)) - image).mean() for shift in ((0, 0), (0, 1), (1, 0), (0, -1), (-1, 0))
    ]
    assert min(moved) == moved[0]


def test_planes_of_known_colours():
    red = np.tile(np.array([1, 0, 0], np.float32), (8, 8, 1))
    luma, blue, other = encode._planes(red)
    assert (luma[0, 0], blue[0, 0], other[0, 0]) == (81, 90, 240)
    assert (luma.shape, blue.shape, other.shape) == ((8, 8), (4, 4), (4, 4))


@pytest.fixture
def folder(tmp_path):
    """Three sources, one of them held out for the test."""
    rows = [("photos/a.png", "free-pictures"), ("photos/b.png", "kphotoalbum"), ("frames/clip_00010.png", "clips")]
    for kind in ("photos", "frames"):
        (tmp_path / kind).mkdir()
    for number, (file, _) in enumerate(rows):
        pixels = np.random.default_rng(number).integers(0, 256, (150, 200, 3)).astype(np.uint8)
        Image.fromarray(pixels).save(tmp_path / file)
    with (tmp_path / "manifest.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(("file", "package_or_clip", "licence"))
        table.writerows((*row, "CC0") for row in (*rows, ("photos/gone.png", "free-pictures")))
    return tmp_path


def test_pictures_and_their_splits(folder):
    found = pictures.find(folder)
    assert [(one.path.name, one.source, pictures.split_of(one)) for one in found] == [
        ("clip_00010.png", "clip", "train"),
        ("a.png", "free-pictures", "train"),
        ("b.png", "kphotoalbum", "test"),
    ]
    with pytest.raises(DataError, match=r"no manifest\.csv"):
        pictures.find(folder / "photos")


def test_crops_follow_their_seed(folder):
    scenes = pictures.Scenes(pictures.find(folder))
    one, again = (scenes.draw(np.random.default_rng(3)) for _ in range(2))
    assert np.array_equal(one, again)
    assert one.shape[0] == one.shape[1] in pictures.SIDES
    assert (one.min() >= 0, one.max() <= 1, one.dtype) == (True, True, np.float32)
    assert not np.array_equal(one[:96, :96], scenes.draw(np.random.default_rng(4))[:96, :96])
    with pytest.raises(DataError, match="there are none"):
        pictures.Scenes([])


def test_versions_follow_their_seed(image):
    (one, names), (again, _) = (corpus.training_versions(image, np.random.default_rng(1)) for _ in range(2))
    assert len(one) == len(names) == corpus.VERSIONS + 1
    assert all(np.array_equal(a, b) for a, b in zip(one, again, strict=True))
    assert {part for name in names[1:] for part in name.split("+")} <= set(corpus.TAUGHT)


def test_the_command_says_what_is_missing(tmp_path, monkeypatch, capsys):
    words = ["--pictures", str(tmp_path), "--teacher", str(tmp_path / "dists.onnx"), "--out", str(tmp_path)]
    (tmp_path / "fit.pt").touch()
    monkeypatch.setattr("sys.argv", ["dists_sq", *words])
    assert main() == 2
    assert "holds a fit already" in capsys.readouterr().err
