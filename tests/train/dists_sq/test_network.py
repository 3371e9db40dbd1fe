"""The network is a distance at any size, learns from its teacher, and is exported as it is."""

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="PyTorch, which only training needs, is not installed")

from tinyvmaf.models.runtime import open_bytes  # noqa: E402
from tinyvmaf.train.dists_sq import corpus, evaluate, network  # noqa: E402
from tinyvmaf.train.dists_sq.export import to_onnx  # noqa: E402
from tinyvmaf.train.dists_sq.fit import Fit, Settings, predict  # noqa: E402
from tinyvmaf.train.dists_sq.pictures import as_bytes  # noqa: E402
from tinyvmaf.train.dists_sq.teacher import WIDTHS, Labels, Teacher  # noqa: E402

PARTS = torch.tensor([0.3, 0.5])
SIZES = [(32, 32), (33, 47), (101, 64)]


@pytest.fixture(scope="module")
def weights():
    """Start values with unequal terms, as the export writes them."""
    made, rng = network.random_weights(7, PARTS), torch.Generator().manual_seed(8)
    moved = {
        name: v + 0.1 * torch.randn(v.shape, generator=rng) if "kernel" not in name else v for name, v in made.items()
    }
    return evaluate.rounded(moved)


def pair(height, width, change=0.1, seed=3):
    rng = torch.Generator().manual_seed(seed)
    coarse = torch.rand(1, 3, height // 4 + 1, width // 4 + 1, generator=rng)
    ref = torch.nn.functional.interpolate(coarse, size=(height, width), mode="bilinear")
    return ref, (ref + change * torch.randn(ref.shape, generator=rng)).clamp(0, 1)


@pytest.mark.parametrize("size", SIZES)
def test_is_a_distance(weights, size):
    ref, dist = pair(*size)
    there, back = network.compare(weights, ref, dist), network.compare(weights, dist, ref)
    assert network.compare(weights, ref, ref) == 0
    assert 0 < there < 1
    assert there == pytest.approx(back, rel=1e-6)


def test_more_damage_is_further_away(weights):
    distances = [float(network.compare(weights, *pair(64, 64, change))) for change in (1e-4, 1e-3, 1e-2, 0.1, 0.4)]
    assert distances == sorted(distances)
    assert distances[0] < 1e-4


def test_all_pairs_at_once_are_the_pairs_one_by_one(weights):
    pictures = torch.cat([*pair(40, 56), *pair(40, 56, seed=4)])
    together = network.compare_all(weights, network.look(weights, pictures)).distance
    for a in range(4):
        for b in range(4):
            alone = network.compare(weights, pictures[a : a + 1], pictures[b : b + 1])
            assert float(together[a, b]) == pytest.approx(float(alone), abs=2e-6)


def test_a_border_without_padding_artefacts(weights):
    """A flat picture is as flat to every pool at its border as inside, at even and odd sizes."""
    value = torch.ones(1, 3, 33, 50)
    for _ in range(4):
        value = torch.nn.functional.avg_pool2d(value, 3, 2, 1, count_include_pad=False)
        assert torch.equal(value, torch.ones_like(value))


@pytest.mark.parametrize("size", SIZES)
def test_the_export_computes_the_same(weights, size):
    data = to_onnx(weights)
    assert len(data) <= 2_000_000
    assert data == to_onnx(weights)
    ref, dist = pair(*size)
    with open_bytes(data) as session:
        score = session.run({"ref": ref.numpy(), "dist": dist.numpy()})["score"]
        same = session.run({"ref": ref.numpy(), "dist": ref.numpy()})["score"]
    assert score == pytest.approx(network.compare(weights, ref, dist).numpy(), abs=1e-5)
    assert score.shape == (1,)
    assert same == 0


ALPHA = torch.full((sum(WIDTHS),), 0.9 / sum(WIDTHS))


def made_up_scene():
    """Labels of a made-up teacher, all of whose means rise as noise does."""
    rng = np.random.default_rng(5)
    changes = np.array([0.0, 0.02, 0.1, 0.3])
    base = rng.random((32, 32, 3))
    pixels = np.stack([base + change * rng.standard_normal(base.shape) for change in changes])
    means = torch.from_numpy(1 + 8 * changes[:, None] * np.ones(sum(WIDTHS))).float()
    a, b = means[:, None], means[None]
    distance = ((a - b) ** 2 / (a * a + b * b) * ALPHA).sum(-1)
    return corpus.Scene(as_bytes(pixels), ("", "a", "b", "c"), Labels(means, torch.zeros(4, 4, 6), distance))


def test_scenes_come_back_from_disk(tmp_path):
    scene = made_up_scene()
    corpus.save(scene, tmp_path / "scene.npz")
    stored = corpus.load(tmp_path / "scene.npz")
    assert stored.names == scene.names
    assert np.array_equal(stored.pixels, scene.pixels)
    assert torch.equal(stored.labels.distance, scene.labels.distance)


def test_a_fit_learns_and_goes_on_where_it_stopped(tmp_path):
    scene = made_up_scene()
    corpus.save(scene, tmp_path / "scene.npz")

    def fit(path, stop=None):
        chosen = Fit(ALPHA, Settings(steps=30, scenes=1), tmp_path / path)
        lines = []

        def say(line):
            lines.append(line)
            if chosen.step == stop:
                raise KeyboardInterrupt

        try:
            chosen.run(lambda: [tmp_path / "scene.npz"], say, every=10)
        except KeyboardInterrupt:
            chosen.save()
        return chosen

    whole = fit("whole.pt")
    fit("parts.pt", stop=20)
    resumed = fit("parts.pt")
    start = Fit(ALPHA, Settings(), tmp_path / "none.pt").weights
    errors = [(predict(w, scene).distance - scene.labels.distance).abs().mean() for w in (start, whole.average)]
    assert errors[1] < 0.7 * errors[0]
    assert resumed.step == whole.step == 30
    for name, value in whole.average.items():
        assert torch.allclose(value, resumed.average[name], atol=1e-6), name


def test_the_teacher_is_dists(pulled, tmp_path):
    data = pulled("dists").data
    path = tmp_path / "dists.onnx"
    path.write_bytes(data)
    ref, dist = pair(64, 80)
    labels = Teacher(path).label(torch.cat([ref, dist]))
    with open_bytes(data) as session:
        score = float(session.run({"ref": ref.numpy(), "dist": dist.numpy()})["score"][0])
    assert float(labels.distance[0, 1]) == pytest.approx(score, abs=1e-5)
    assert float(labels.distance.diagonal().abs().max()) < 1e-6
    faster = Teacher(path, "bfloat16").label(torch.cat([ref, dist]))
    assert float(faster.distance[0, 1]) == pytest.approx(score, abs=5e-3)
