"""LPIPS by SqueezeNet as a feature, on the pulled weights: colours, options, and where the file comes from."""

from __future__ import annotations

import shutil

import numpy as np
import pytest

from cli_runs import call, write_pair
from clips import degrade, natural, pairs
from oracles.networks import distance
from tinyvmaf.errors import UnknownNameError, UsageError
from tinyvmaf.models import paths
from tinyvmaf.models.runtime import open_bytes
from tinyvmaf.score.pipeline import make_feature

MATRICES = {"bt601": "smpte170m", "bt709": "bt709", "bt2020": "bt2020nc"}


@pytest.fixture
def model(pulled):
    return pulled("lpips_sq")


def measured(clip, bits=8, **options):
    feature = make_feature("lpips_sq", options)
    return feature.compute([feature.update(pair) for pair in clip])["lpips_sq"]


def test_published_numbers_are_reproduced(model):
    """The example of two pairs in TorchMetrics 1.9's documentation; its generator is NumPy's Mersenne twister."""
    numbers = np.random.RandomState(42).randint(0, 2**32, 4 * 3 * 100 * 100, np.uint32) & 0xFFFFFF
    images = (numbers / 2**24).astype(np.float32).reshape(2, 2, 3, 100, 100)
    session = open_bytes(model.data, model.sidecar)
    found = [session.run([one[None], other[None]])["score"].item() for one, other in zip(*images, strict=True)]
    assert found == pytest.approx([0.1024, 0.0938], abs=6e-5)


@pytest.mark.parametrize(("bits", "chroma"), [(8, "420"), (10, "422"), (12, "444"), (8, "400")])
def test_equals_the_network_on_rgb(model, bits, chroma):
    reference = natural("mdn_flower", 75, 53, 2, bits, chroma)
    distorted = degrade(reference, 40, bits, chroma)
    for word, matrix in MATRICES.items():
        for span in ("limited", "full"):
            found = measured(pairs(reference, distorted, bits), matrix=word, range=span)
            want = [
                distance(model.data, *frames, bits, chroma, matrix, span, imagenet=True)
                for frames in zip(reference, distorted, strict=True)
            ]
            np.testing.assert_allclose(found, want, atol=1e-5)


def test_colours_that_nobody_states_follow_the_height(model):
    reference = natural("mdn_flower", 64, 48, 1)
    clip = pairs(reference, degrade(reference, 40))
    assert measured(clip) == measured(clip, matrix="bt601", range="limited")
    assert measured(clip) != measured(clip, matrix="bt709")


def test_the_file_may_be_named(model, tmp_path, monkeypatch):
    reference = natural("mdn_flower", 64, 48, 1)
    clip = pairs(reference, degrade(reference, 40))
    wanted = measured(clip)
    for ending in (".onnx", ".json"):
        shutil.copy(paths.store_folder() / f"lpips_sq{ending}", tmp_path / f"own{ending}")
    monkeypatch.setenv(paths.DATA, str(tmp_path / "empty"))
    with pytest.raises(UnknownNameError, match=r"lpips_sq is not here yet. Run: tinyvmaf models pull lpips_sq"):
        make_feature("lpips_sq")
    assert measured(clip, model_path=str(tmp_path / "own.onnx")) == wanted
    monkeypatch.setenv("VMAF_LPIPS_MODEL_PATH", str(tmp_path / "own.onnx"))
    assert measured(clip) == wanted
    monkeypatch.setenv("VMAF_LPIPS_MODEL_PATH", str(tmp_path / "none.onnx"))
    with pytest.raises(UsageError, match=r"none at '.*none.onnx'. .*VMAF_LPIPS_MODEL_PATH"):
        make_feature("lpips_sq")


@pytest.mark.parametrize("name", ["lpips", "lpips_sq"])
def test_the_command_line_knows_it_by_both_names(model, name, tmp_path):
    frames = natural("mdn_flower", 64, 48, 2)
    options = write_pair(tmp_path, frames, degrade(frames, 40))
    done = call("vmaf", *options, "--no_prediction", "--feature", f"{name}=matrix=bt709:threads=1")
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith("lpips_sq: 0.")
    done = call("vmaf", *options, "--no_prediction", "--feature", f"{name}=matrix=bt2100")
    assert (done.code, done.out) == (2, "")
    assert "is one of auto, bt601, bt709, bt2020, compat, not 'bt2100'" in done.err
