"""Which luma scale a distorted clip is on, told from samples that an encoder has blurred or buried in noise."""

from __future__ import annotations

import numpy as np
import pytest

from clips import degrade, natural, needs_shared
from tinyvmaf.video.colour import convert_range
from tinyvmaf.video.levels import LevelMonitor
from tinyvmaf.video.thumbnails import shrink

LIMITED = 219 / 255


def _texture(mean=90.0, spread=45.0, shape=(48, 160)):
    rng = np.random.default_rng(3)
    coarse = np.kron(rng.standard_normal((6, 20)), np.ones((8, 8)))
    return np.clip(mean + spread * (0.8 * coarse + 0.6 * rng.standard_normal(shape)), 16, 235).astype(np.float32)


def _coarse(x):
    """Blocks of 4 x 4 by their means: detail is left out."""
    rows, columns = x.shape
    return np.kron(x.reshape(rows // 4, 4, columns // 4, 4).mean((1, 3)), np.ones((4, 4)))


DAMAGES = {
    "nothing": lambda x: x,
    "coarse": _coarse,
    "noise": lambda x: x + 10 * np.random.default_rng(4).standard_normal(x.shape),
}
SCALES = {"stretched": lambda x: (x - 16) / LIMITED, "squeezed": lambda x: x * LIMITED + 16}


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("moved", [False, True])
def test_the_scale_is_told_through_damage(scale, moved, damage):
    x = _texture()
    levels = LevelMonitor()
    levels.push(x, DAMAGES[damage](SCALES[scale](x) if moved else x).astype(np.float32))
    assert levels.prefers(scale) is moved


def test_identical_levels_are_on_the_same_scale():
    x = _texture()
    levels = LevelMonitor()
    levels.push(x, x)
    assert levels.prefers("stretched") is False
    assert levels.prefers("squeezed") is False


def _levels_of_encode(reference, change, crf):
    """Levels of a clip beside an encode of what `change` makes of its luma."""
    levels = LevelMonitor()
    changed = [(change(luma), *chroma) for luma, *chroma in reference]
    for one, other in zip(reference, degrade(changed, crf), strict=True):
        levels.push(shrink(one[0], 8), shrink(other[0], 8))
    return levels


@needs_shared
@pytest.mark.parametrize("clip", ["sam2_cups", "cockatoo", "emulator", "flutter_bee"])
@pytest.mark.parametrize("crf", [24, 45, 51])
@pytest.mark.parametrize("ranges", [None, ("limited", "full"), ("full", "limited")])
def test_a_wrong_tag_shows_in_encodes_down_to_the_worst(clip, crf, ranges):
    reference = natural(clip, 640, 360, 4)
    levels = _levels_of_encode(reference, lambda luma: convert_range(luma, 8, *ranges) if ranges else luma, crf)
    assert levels.verdict() == {None: None, "limited": "stretched", "full": "squeezed"}[ranges and ranges[0]]


@needs_shared
@pytest.mark.parametrize("clip", ["sam2_cups", "cockatoo", "emulator", "flutter_bee"])
@pytest.mark.parametrize(
    ("grade", "crf", "graded"),
    [
        (lambda x: x, 24, False),
        (lambda x: x, 51, False),
        (lambda x: x + 15.0, 24, True),
        (lambda x: (x - 128.0) * 1.25 + 128, 24, True),
        (lambda x: 255 * (x / 255.0) ** 0.6, 24, True),
    ],
)
def test_another_grading_is_told_from_what_encoders_do(clip, grade, crf, graded):
    reference = natural(clip, 640, 360, 4)
    levels = _levels_of_encode(reference, lambda luma: np.clip(grade(luma), 0, 255).astype(np.uint8), crf)
    assert levels.graded() is graded


@needs_shared
@pytest.mark.parametrize(("clip", "crf"), [("udacity", 42), ("udacity", 45), ("openh264_VID_720p", 40)])
@pytest.mark.parametrize("ranges", [None, ("limited", "full")])
def test_what_is_too_coarse_to_prove_is_suspected(clip, crf, ranges):
    reference = natural(clip, 320, 180, 8)
    levels = _levels_of_encode(reference, lambda luma: convert_range(luma, 8, *ranges) if ranges else luma, crf)
    assert (levels.verdict() or levels.suspicion()) == ("stretched" if ranges else None)
