"""What every feature promises, whoever wrote it; a new file in the folder is covered by being there."""

from __future__ import annotations

import threading

import numpy as np
import pytest

import denoisers
import saliency_models
from clips import degrade, natural, padded, pairs, random_weights
from tinyvmaf import _catalogue
from tinyvmaf.errors import MismatchError, UnknownNameError, UsageError
from tinyvmaf.features.base import Feature
from tinyvmaf.models.recipes import RECIPES
from tinyvmaf.score.pipeline import make_feature, measure
from tinyvmaf.video.frame import cells

NAMES = _catalogue.names("tinyvmaf.features")
WIDTH, HEIGHT = 211, 179
"""Odd, prime, and enough for five octaves of multi-scale SSIM."""
LAYOUTS = [(8, "420"), (10, "420"), (12, "422"), (16, "444"), (8, "400")]


def _size(name):
    """Width and height, smaller where every pixel goes through a network."""
    return (67, 61) if name in RECIPES or name == "dists_sq" else (WIDTH, HEIGHT)


def _clip(name, bits=8, chroma="420", frames=3, width=0, height=0):
    width, height = (width, height) if width else _size(name)
    reference = natural("mdn_flower", width, height, frames, bits, chroma)
    return reference, degrade(reference, 36, bits, chroma)


def _run(feature, clip):
    series = feature.series()
    for pair in clip:
        series.add(feature.update(pair))
    return series.finish()[0]


@pytest.fixture(autouse=True)
def weights(request, name, tmp_path, monkeypatch):
    """Published networks are in a store of the tests; the denoiser is a mean of frames, and saliency is what is red."""
    monkeypatch.setenv(denoisers.VARIABLE, str(denoisers.write(tmp_path)))
    monkeypatch.setenv(saliency_models.VARIABLE, str(saliency_models.write(tmp_path)))
    if name in RECIPES:
        request.getfixturevalue("pulled")(name)


@pytest.mark.parametrize("name", NAMES)
class TestEveryFeature:
    def test_facts(self, name):
        feature = make_feature(name)
        assert isinstance(feature, Feature)
        assert feature.name == name
        assert feature.__class__.__doc__
        assert feature.provides
        assert feature.keys == feature.provides
        assert feature.suffix == ""
        assert len({option.name for option in feature.options}) == len(feature.options)
        assert all(option.help for option in feature.options)
        assert feature.minimum_size >= 1

    @pytest.mark.parametrize(("bits", "chroma"), LAYOUTS)
    def test_declared_keys_are_produced_for_every_layout(self, name, bits, chroma):
        feature = make_feature(name)
        columns = _run(feature, pairs(*_clip(name, bits, chroma), bits))
        planes = [key for key in feature.keys if not (chroma == "400" and key.endswith(("_cb", "_cr")))]
        assert list(columns) == planes
        for column in columns.values():
            assert (column.dtype, column.shape) == (np.float64, (3,))
            assert np.isfinite(column).all()

    @pytest.mark.parametrize("bits", [8, 10, 16])
    def test_identical_frames_are_perfect(self, name, bits):
        reference, _ = _clip(name, bits)
        feature = make_feature(name)
        if feature.higher_is_better is None:
            pytest.skip("a measure of content")
        for column in _run(feature, pairs(reference, reference, bits)).values():
            if feature.unit == "dB":
                assert column.tolist() == [6.0 * bits + 12.0] * 3
            elif not feature.higher_is_better:
                np.testing.assert_allclose(column, 0.0, atol=1e-6)
            else:
                np.testing.assert_allclose(column, 1.0, atol=1e-5)  # libvmaf's fixed point says 1.000006 too

    def test_a_worse_picture_scores_worse(self, name):
        reference, distorted = _clip(name)
        feature = make_feature(name)
        if feature.higher_is_better is None:
            pytest.skip("a measure of content")
        best = _run(feature, pairs(reference, reference))
        worse = _run(make_feature(name), pairs(reference, distorted))
        for key, column in worse.items():
            assert ((column < best[key]) if feature.higher_is_better else (column > best[key])).all()

    def test_bits_only_refine(self, name):
        """The same samples on a finer scale give the same answer, up to the peak of PSNR."""
        reference, distorted = _clip(name)
        deep = [[tuple(p.astype(np.uint16) << 2 for p in planes) for planes in clip] for clip in (reference, distorted)]
        shallow_columns = _run(make_feature(name), pairs(reference, distorted))
        for key, column in _run(make_feature(name), pairs(*deep, 10)).items():
            np.testing.assert_allclose(column, shallow_columns[key], rtol=1e-2, atol=1e-3)

    def test_row_padding_is_not_looked_at_and_nothing_is_written(self, name):
        reference, distorted = _clip(name, frames=2)
        wide = [[padded(planes, extra) for planes in clip] for clip, extra in ((reference, 5), (distorted, 11))]
        copies = [[plane.base.copy() for planes in clip for plane in planes] for clip in wide]
        plain = _run(make_feature(name), pairs(reference, distorted))
        for key, column in _run(make_feature(name), pairs(*wide)).items():
            assert np.array_equal(column, plain[key])
        for clip, copy in zip(wide, copies, strict=True):
            bases = [plane.base for planes in clip for plane in planes]
            assert all(np.array_equal(one, other) for one, other in zip(bases, copy, strict=True))

    def test_threads_share_one_instance(self, name):
        width, height = _size(name)
        clip = pairs(*_clip(name)) + pairs(*_clip(name, width=width - 34, height=height + 22))
        feature = make_feature(name)
        wanted = [feature.update(pair) for pair in clip]
        found = {}

        def work(turn):
            order = clip[turn:] + clip[:turn]
            found[turn] = [feature.update(pair) for pair in order]

        threads = [threading.Thread(target=work, args=(turn,)) for turn in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for turn, partials in found.items():
            assert repr(partials) == repr(wanted[turn:] + wanted[:turn])

    @pytest.mark.parametrize("bits", [8, 10])
    def test_weights_of_one_are_no_weights(self, name, bits):
        clip = _clip(name, bits)
        ones = np.ones(cells(*_size(name)[::-1]), np.float32)
        plain = _run(make_feature(name), pairs(*clip, bits))
        for key, column in _run(make_feature(name), pairs(*clip, bits, ones)).items():
            np.testing.assert_allclose(column, plain[key], rtol=0, atol=1e-9, err_msg=key)

    def test_one_pass_gives_plain_and_weighted_figures(self, name):
        width, height = _size(name)
        weights = random_weights(5, height, width)
        clip = _clip(name)
        feature = make_feature(name)
        both = [feature.update_both(pair) for pair in pairs(*clip, 8, weights)]
        alone = [[feature.update(pair) for pair in pairs(*clip, 8, w)] for w in (None, weights)]
        for partials, expected in zip(zip(*both, strict=True), alone, strict=True):
            assert repr(list(partials)) == repr(expected)
        assert feature.weighable == (repr(alone[0]) != repr(alone[1]))

    @pytest.mark.parametrize("shape", [(HEIGHT, WIDTH), (4, 4)])
    def test_weights_of_another_size_are_refused(self, name, shape):
        feature = make_feature(name)
        if not feature.weighable:
            pytest.skip("weights change nothing")
        with pytest.raises(UsageError, match="Weights of this frame are float32 of shape"):
            [feature.update(pair) for pair in pairs(*_clip(name), 8, np.ones(shape, np.float32))]

    def test_the_smallest_size_works_and_a_smaller_one_is_refused(self, name):
        side = make_feature(name).minimum_size
        columns = measure(pairs(*_clip(name, frames=2, width=side, height=side)), [make_feature(name)]).columns
        assert all(np.isfinite(column).all() for column in columns.values())
        small = [(np.zeros((side + 9, side - 1), np.uint8),)] * 2
        with pytest.raises(MismatchError, match=f"Feature {name} needs frames of at least {side} x {side}"):
            measure(pairs(small, small), [make_feature(name)])

    def test_flat_frames_give_numbers(self, name):
        for level in (0, 255):
            flat = [tuple(np.full_like(plane, level) for plane in planes) for planes in _clip(name, frames=2)[0]]
            for key, column in _run(make_feature(name), pairs(flat, flat)).items():
                assert np.isfinite(column).all(), key

    def test_options_are_checked(self, name):
        with pytest.raises(UnknownNameError, match="has no option 'bogus'"):
            make_feature(name, {"bogus": 1})
        for option in make_feature(name).options:
            with pytest.raises(UsageError, match=option.name):
                make_feature(name, {option.name: "bogus"})
            given = make_feature(name, {option.name: str(option.default)})
            assert given.identity == make_feature(name).identity
            if option.high < float("inf"):
                with pytest.raises(UsageError, match="lies between"):
                    make_feature(name, {option.name: option.high + 1})
