"""The teacher is DISTS, its thinner form is a distance at any size, learns from it, and is exported as it is."""

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="PyTorch, which only training needs, is not installed")

from small_dists import SMALL, wild  # noqa: E402
from tinyvmaf.models.runtime import open_bytes  # noqa: E402
from tinyvmaf.train.dists_sq import corpus, start  # noqa: E402
from tinyvmaf.train.dists_sq.export import rounded, to_onnx  # noqa: E402
from tinyvmaf.train.dists_sq.fit import Fit, Settings, predict  # noqa: E402
from tinyvmaf.train.dists_sq.network import Network  # noqa: E402
from tinyvmaf.train.dists_sq.pictures import as_bytes  # noqa: E402
from tinyvmaf.train.dists_sq.teacher import Teacher, read_teacher  # noqa: E402
from tinyvmaf.train.thin.convolution import Ranks  # noqa: E402

SIZES = [(32, 32), (33, 47), (101, 64)]


@pytest.fixture(scope="module")
def network():
    """Of the shipped size, as the export writes it."""
    return rounded(wild(Network(start.OUTPUTS, start.RANKS)))


@pytest.fixture(scope="module")
def teacher():
    return wild(Network(SMALL))


def pair(height, width, change=0.1, seed=3):
    rng = torch.Generator().manual_seed(seed)
    coarse = torch.rand(1, 3, height // 4 + 1, width // 4 + 1, generator=rng)
    ref = torch.nn.functional.interpolate(coarse, size=(height, width), mode="bilinear")
    return ref, (ref + change * torch.randn(ref.shape, generator=rng)).clamp(0, 1)


def between(network, ref, dist):
    with torch.inference_mode():
        return float(network.distances(torch.cat([ref, dist]))[0, 1])


def test_the_teacher_is_dists(pulled, tmp_path):
    data = pulled("dists").data
    path = tmp_path / "dists.onnx"
    path.write_bytes(data)
    ref, dist = pair(64, 81)
    whole = read_teacher(path)
    labels = Teacher(whole).label(torch.cat([ref, dist]))
    with open_bytes(data) as session:
        score = float(session.run({"ref": ref.numpy(), "dist": dist.numpy()})["score"][0])
    assert float(labels.distance[0, 1]) == pytest.approx(score, abs=1e-5)
    assert between(whole, ref, dist) == pytest.approx(score, abs=1e-5)
    assert float(labels.distance.diagonal().abs().max()) < 1e-6
    faster = Teacher(whole, "bfloat16").label(torch.cat([ref, dist]))
    assert float(faster.distance[0, 1]) == pytest.approx(score, abs=5e-3)


@pytest.mark.parametrize("size", SIZES)
def test_is_a_distance(network, size):
    ref, dist = pair(*size)
    there = between(network, ref, dist)
    assert between(network, ref, ref) < 1e-9
    assert 0 < there < 1
    assert there == pytest.approx(between(network, dist, ref), rel=1e-6)


def test_more_damage_is_further_away(network):
    distances = [between(network, *pair(64, 64, change)) for change in (1e-4, 1e-3, 1e-2, 0.1, 0.4)]
    assert distances == sorted(distances)
    assert distances[0] < 1e-4


def test_all_pairs_at_once_are_the_pairs_one_by_one(network):
    pictures = torch.cat([*pair(40, 56), *pair(40, 56, seed=4)])
    with torch.inference_mode():
        together = network.distances(pictures)
    for a in range(4):
        for b in range(4):
            alone = between(network, pictures[a : a + 1], pictures[b : b + 1])
            assert float(together[a, b]) == pytest.approx(alone, abs=2e-6)


@pytest.fixture(scope="module")
def exported(network):
    data = to_onnx(network)
    assert len(data) <= 2_000_000
    assert data == to_onnx(network)
    with open_bytes(data) as session:
        yield lambda ref, dist: session.run({"ref": ref.numpy(), "dist": dist.numpy()})["score"]


@pytest.mark.parametrize("size", SIZES)
def test_the_export_computes_the_same(network, exported, size):
    ref, dist = pair(*size)
    score = exported(ref, dist)
    assert score.shape == (1,)
    assert float(score[0]) == pytest.approx(between(network, ref, dist), abs=1e-5)
    assert exported(ref, ref) == 0


def test_long_sums_lose_no_digits(network, exported):
    """Half a million equal samples, summed in float32 one after the other, would be wrong by half a percent."""
    ref = torch.full((1, 3, 540, 960), 0.5371)
    dist = ref + 0.004 * torch.randn(ref.shape, generator=torch.Generator().manual_seed(9))
    assert exported(ref, ref) == 0
    assert float(exported(ref, dist)[0]) == pytest.approx(between(network, ref, dist), rel=1e-3)


def test_what_tells_the_others_is_kept():
    random = torch.Generator().manual_seed(2)
    base = torch.rand(8, 3, 16, 16, generator=random)
    said = torch.cat([base[:, :1], base[:, :1] * 2, base[:, 1:2], base[:, 1:2] * 0.5, base[:, 2:] * 3], 1)
    kept = start._most_telling(said, 3)
    assert sorted({0: 0, 1: 0, 2: 1, 3: 1, 4: 2}[n] for n in kept) == [0, 1, 2]
    assert start._most_telling(said, 5) == [0, 1, 2, 3, 4]


def begin(teacher, monkeypatch, outputs, ranks):
    monkeypatch.setattr(start, "OUTPUTS", outputs)
    monkeypatch.setattr(start, "RANKS", ranks)
    pictures = torch.cat([*pair(48, 48), *pair(48, 48, seed=5), *pair(48, 48, 0.3, seed=6)])
    return start.start(teacher, pictures, lambda line: None)


def test_a_start_of_full_rank_is_the_teacher(teacher, monkeypatch):
    student, seen = begin(teacher, monkeypatch, SMALL, (Ranks(),) * len(SMALL))
    assert len(seen) == len(SMALL)
    given = pair(40, 56, seed=11)
    assert between(student, *given) == pytest.approx(between(teacher, *given), rel=0.02)


def test_a_thin_start_is_near_the_teacher_and_the_thinner_the_less(teacher, monkeypatch):
    given = [pair(40, 56, change, seed) for seed, change in ((11, 0.05), (12, 0.1), (13, 0.2), (14, 0.4))]
    wanted = np.array([between(teacher, *one) for one in given])
    errors = []
    for part in (0.75, 0.25):
        ranks = tuple(Ranks(0, round(width * part)) for width in SMALL)
        student, _ = begin(teacher, monkeypatch, (8, 6, *SMALL[2:]), ranks)
        assert sum(student.widths) == sum(teacher.widths) - 2
        for own, theirs in zip(student.weights(), teacher.weights(), strict=True):
            torch.testing.assert_close(own.detach().sum(), theirs.sum())
        errors.append(np.abs(np.array([between(student, *one) for one in given]) / wanted - 1).mean())
    assert errors[0] < 0.8 * errors[1]


def made_up_scenes(teacher):
    scenes = []
    for seed in range(6):
        changes = (0.02, 0.1, 0.3)
        versions = [pair(32, 32, seed=seed)[0], *(pair(32, 32, change, seed)[1] for change in changes)]
        pixels = as_bytes(torch.cat(versions).permute(0, 2, 3, 1).numpy())
        scenes.append(corpus.Scene(pixels, ("", "a", "b", "c"), Teacher(teacher).label(corpus.as_tensor(pixels))))
    return scenes


def test_scenes_come_back_from_disk(teacher, tmp_path):
    scene = made_up_scenes(teacher)[0]
    corpus.save(scene, tmp_path / "scene.npz")
    stored = corpus.load(tmp_path / "scene.npz")
    assert stored.names == scene.names
    assert np.array_equal(stored.pixels, scene.pixels)
    assert torch.equal(stored.labels.distance, scene.labels.distance)


def test_a_fit_learns_and_goes_on_where_it_stopped(teacher, monkeypatch, tmp_path):
    scenes = made_up_scenes(teacher)
    paths = [tmp_path / f"{n}.npz" for n in range(len(scenes))]
    for scene, path in zip(scenes, paths, strict=True):
        corpus.save(scene, path)
    ranks = tuple(Ranks(0, width // 4) for width in SMALL)
    student, seen = begin(teacher, monkeypatch, (8, 6, *SMALL[2:]), ranks)

    def fit(name, steps):
        made = Fit(Teacher(teacher), student, seen, Settings(steps=60))
        if (tmp_path / name).exists():
            made.progress.restore(tmp_path / name)
        while made.progress.step < steps:
            made.advance([scenes[made.progress.step % len(scenes)]])
        made.progress.save(tmp_path / name)
        return made

    whole = fit("whole.pt", 60)
    fit("parts.pt", 40)
    resumed = fit("parts.pt", 60)
    wrong = [
        np.mean([float((predict(one, s) - s.labels.distance).abs().mean()) for s in scenes])
        for one in (student, whole.student, resumed.student)
    ]
    assert wrong[1] < 0.6 * wrong[0]
    assert wrong[2] == pytest.approx(wrong[1], rel=0.05)
    lines = []
    again = Fit(Teacher(teacher), student, seen, Settings(steps=3))
    again.run(paths, lines.append, tmp_path / "run.pt", every=2)
    assert [line.split(":")[0] for line in lines] == ["step 2", "step 3"]
    assert (tmp_path / "run.pt").exists()
