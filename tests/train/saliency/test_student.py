"""The making of the saliency student: exact composites, a network that learns, a file that computes the same."""

import json

import numpy as np
import pytest

Image = pytest.importorskip("PIL.Image", reason="the training of saliency needs Pillow")
torch = pytest.importorskip("torch", reason="the training of saliency needs PyTorch")

from tinyvmaf.dnn.guard import check  # noqa: E402
from tinyvmaf.dnn.session import Session  # noqa: E402
from tinyvmaf.models.load import load  # noqa: E402
from tinyvmaf.models.runtime import DnnConfig  # noqa: E402
from tinyvmaf.train.saliency import compress as compress_module  # noqa: E402
from tinyvmaf.train.saliency import run  # noqa: E402
from tinyvmaf.train.saliency.composites import Composite, compose, cut_out  # noqa: E402
from tinyvmaf.train.saliency.compress import Survey, choose, compress, survey  # noqa: E402
from tinyvmaf.train.saliency.export import TOLERANCE, export  # noqa: E402
from tinyvmaf.train.saliency.fit import Fit, Plan, answers_error, figures  # noqa: E402
from tinyvmaf.train.saliency.network import CONVOLUTIONS, STRIDE, Network, as_pictures  # noqa: E402
from tinyvmaf.train.saliency.pictures import find  # noqa: E402
from tinyvmaf.train.saliency.samples import PER_FILE, STORED, Maker, Samples, crop  # noqa: E402
from tinyvmaf.train.saliency.teacher import SIDE, as_maps, read_teacher  # noqa: E402
from tinyvmaf.train.thin.convolution import Ranks  # noqa: E402
from tinyvmaf.train.thin.progress import features_error  # noqa: E402
from tinyvmaf.vision.saliency import SaliencyModel  # noqa: E402


@pytest.fixture
def random():
    return np.random.default_rng(7)


def disc(side=64, radius=0.6):
    """A red disc with alpha."""
    y, x = np.mgrid[-1 : 1 : side * 1j, -1 : 1 : side * 1j]
    alpha = np.where(np.hypot(x, y) < radius, 255, 0).astype(np.uint8)
    red = np.broadcast_to(np.array([230, 30, 20], np.uint8), (side, side, 3))
    return Image.fromarray(np.dstack([red, alpha]), "RGBA")


def grey(side=SIDE):
    return Image.new("RGB", (side, side), (128, 128, 128))


def red_teacher(picture):
    """Sees red things."""
    values = picture.astype(np.float32)
    return np.clip((values[..., 0] - values[..., 1]) / 100, 0, 1)


def fill(folder, count=60):
    (folder / "photos").mkdir(parents=True)
    (folder / "cutouts").mkdir()
    for i in range(count):
        grey(80).save(folder / "photos" / f"{i}.png")
        disc().save(folder / "cutouts" / f"{i}.png")


def test_masks_of_composites_are_where_the_objects_are(random):
    for _ in range(5):
        made = compose(grey(), [disc()], random)
        is_red = red_teacher(made.picture) > 0.5
        mask = made.masks[0] > 0.5
        assert mask.any()
        assert (is_red & mask).sum() / (is_red | mask).sum() > 0.93


def test_a_later_object_hides_an_earlier_one(random):
    first, second = compose(grey(), [disc(), disc()], random).masks
    assert (first + second).max() <= 1 + 1e-6


def test_the_target_has_the_exact_edge_of_what_the_teacher_finds_and_the_teacher_elsewhere():
    mask = np.zeros((SIDE, SIDE), np.float32)
    mask[100:200, 100:200] = 1
    composite = Composite(np.zeros((SIDE, SIDE, 3), np.uint8), (mask,))
    vague = np.full((SIDE, SIDE), 0.2, np.float32)
    vague[98:202, 98:202] = 0.7
    expected = np.maximum(mask, 0.2)
    np.testing.assert_allclose(composite.target(vague), expected, atol=1e-6)
    np.testing.assert_array_equal(composite.target(vague * 0.5), vague * 0.5)


def test_only_sure_and_whole_objects_are_cut_out():
    seen = np.zeros((SIDE, SIDE), np.float32)
    seen[100:180, 40:280] = 1
    picture = np.zeros((SIDE, SIDE, 3), np.uint8)
    assert cut_out(picture, seen).size == (240, 80)
    assert cut_out(picture, seen * 0.6) is None
    assert cut_out(picture, np.roll(seen, -100, 0)) is None
    assert cut_out(picture, seen * 0) is None


def test_sources_are_split_once_and_for_all(tmp_path):
    fill(tmp_path)
    kept, held = find(tmp_path, held_out=False), find(tmp_path, held_out=True)
    names = [{path.name for group in pool.groups for path in group} for pool in (kept, held)]
    assert names[0] | names[1] == {f"{i}.png" for i in range(60)}
    assert not names[0] & names[1]
    assert all(names)


def test_samples_are_the_same_when_made_again(tmp_path):
    fill(tmp_path)
    pool = find(tmp_path, held_out=False)
    made = []
    for name in ("a", "b"):
        (tmp_path / name / "objects").mkdir(parents=True)
        Maker(pool, red_teacher, tmp_path / name, tmp_path / name / "objects", 3).make(0)
        made.append(Samples(tmp_path / name).all())
    assert made[0].shape == (PER_FILE, STORED, STORED, 4)
    np.testing.assert_array_equal(made[0], made[1])
    shown, target = made[0][..., :3], made[0][..., 3] / 255
    assert target.max() > 0.9
    assert np.abs(np.stack([red_teacher(p) for p in shown]) - target).mean() < 0.02


def test_crops_are_squares(random):
    assert crop(Image.new("RGB", (200, 90)), random).size == (SIDE, SIDE)


def test_networks_see_pictures_divided_by_their_largest_value():
    picture = np.zeros((1, 64, 64, 4), np.uint8)
    picture[..., :3] = 100
    picture[..., 3] = 255
    seen = as_pictures(picture, 32)
    assert seen.shape == (1, 3, 32, 32)
    np.testing.assert_allclose(seen, 1, atol=1e-6)


def test_samples_are_spread_over_all_files(tmp_path):
    for number in range(3):
        np.save(tmp_path / f"{number}.npy", np.full((4, 8, 8, 4), number, np.uint8))
    spread = Samples(tmp_path).spread(6)
    assert sorted(np.unique(spread[:, 0, 0, 0], return_counts=True)[1]) == [2, 2, 2]
    assert len(Samples(tmp_path).spread(100)) == 12


def wild_teacher(seed=1):
    """A network of random weights, with as much to say at every layer."""
    torch.manual_seed(seed)
    network = Network()
    for module in network.modules():
        if isinstance(module, torch.nn.Conv2d):
            torch.nn.init.kaiming_normal_(module.weight)
            torch.nn.init.normal_(module.bias, 0, 0.1)
    return network.eval().requires_grad_(False)


def some_pictures(count=2, side=2 * STRIDE):
    random = torch.Generator().manual_seed(5)
    small = torch.rand(count, 3, side // 8, side // 8, generator=random)
    return torch.nn.functional.interpolate(small, (side, side), mode="bicubic", align_corners=False).clamp(0, 1)


@pytest.fixture(scope="module", autouse=True)
def fewer_choices():
    """Ranks in steps of 16: the tables are made in a tenth of the time."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(compress_module, "_ladder", lambda channels, few: [0, *range(8, channels * 3 // 4 + 1, 16)])
        yield


@pytest.fixture(scope="module")
def surveyed(fewer_choices):
    teacher = wild_teacher()
    return teacher, survey(teacher, [some_pictures()])


def test_the_teacher_computes_what_the_pulled_file_computes(pulled):
    pulled("u2netp")
    data = load("u2netp").data
    teacher = read_teacher(data)
    picture = some_pictures(1, SIDE)
    session = Session(data, threads=1)
    entrance, answer = session.inputs[0].name, session.outputs[0].name
    wanted = session.run({entrance: ((picture - teacher.mean) / teacher.deviation).numpy()})[answer]
    np.testing.assert_allclose(torch.sigmoid(teacher(picture)), wanted, atol=1e-4)
    bytes_seen = np.rint(picture[0].permute(1, 2, 0).numpy() * 255).astype(np.uint8)
    np.testing.assert_allclose(as_maps(teacher)(bytes_seen), wanted[0, 0], atol=0.02)


def test_features_and_answers_have_their_sizes():
    network = Network()
    features = network.features(torch.rand(2, 3, 2 * STRIDE, 3 * STRIDE))
    scales = (1, 2, 4, 8, 16, 32, 16, 8, 4, 2, 1)
    assert [tuple(f.shape) for f in features] == [(2, 64, 64 // s, 96 // s) for s in scales]
    answers = network.answers(features)
    assert [tuple(m.shape) for m in answers] == [(2, 1, 64 // s, 96 // s) for s in (1, 1, 2, 4, 8, 16, 32)]
    assert len(network.convolutions()) == CONVOLUTIONS


def test_moments_are_those_of_what_a_convolution_sees(surveyed):
    teacher, known = surveyed
    entrance = teacher.convolutions()[0]
    x = (some_pictures() - teacher.mean) / teacher.deviation
    patches = torch.nn.functional.unfold(x, 3, padding=1).transpose(1, 2).flatten(0, 1).double()
    wanted = patches.T @ patches / len(patches)
    found = known.seen[0]
    assert entrance.inside == 3
    assert found[-1, -1] == pytest.approx(1)
    assert float((found[:-1, :-1] - wanted).norm() / wanted.norm()) < 0.1


def test_a_student_has_the_wanted_size_and_keeps_what_matters(surveyed):
    teacher, known = surveyed
    ranks = {size: choose(teacher, known, size) for size in (440_000, 800_000)}
    students = {size: compress(teacher, known, size) for size in ranks}
    wanted = teacher.features(some_pictures())
    errors = {}
    for size, student in students.items():
        numbers = sum(p.numel() for p in student.parameters())
        assert 0.97 * size < numbers <= size
        assert student.ranks == tuple(ranks[size])
        with torch.no_grad():
            errors[size] = float(features_error(student.features(some_pictures()), wanted))
    assert errors[800_000] < errors[440_000]
    with pytest.raises(ValueError, match="1000 numbers"):
        choose(teacher, known, 1000)


def test_what_matters_more_becomes_less_thin(surveyed):
    teacher, known = surveyed
    heavy = [1.0] * CONVOLUTIONS
    heavy[14] = 1e6
    even, uneven = (
        choose(teacher, Survey(known.seen, s, known.choices), 440_000) for s in ([1.0] * CONVOLUTIONS, heavy)
    )
    assert even[14] != Ranks()
    assert uneven[14] == Ranks()


def test_fitting_brings_the_student_nearer_and_goes_on_after_a_restart(surveyed, tmp_path):
    teacher, known = surveyed
    student = compress(teacher, known, 440_000)
    plan = Plan(steps=100, warm_up=1)
    fit = Fit(teacher, student, known, plan)
    losses = [fit.advance(some_pictures())[0] for _ in range(6)]
    assert losses[-1] < losses[0]
    fit.progress.save(tmp_path / "state.pt")
    again = Fit(teacher, student, known, plan)
    again.progress.restore(tmp_path / "state.pt")
    assert again.progress.step == 6
    assert again.advance(some_pictures())[0] == pytest.approx(fit.advance(some_pictures())[0], rel=1e-2)
    with torch.no_grad():
        nearer = features_error(fit.student.features(some_pictures()), teacher.features(some_pictures()))
        start = features_error(student.features(some_pictures()), teacher.features(some_pictures()))
    assert float(nearer) < float(start)


def test_errors_are_zero_for_the_teacher_itself():
    answers = [torch.randn(2, 1, 8, 8)] * 2
    assert float(answers_error(answers, answers)) == pytest.approx(0, abs=1e-6)
    assert float(answers_error([answers[0] + 1] * 2, answers)) > 0.05


def test_rate_rises_stays_and_falls():
    plan = Plan(steps=100, decline=0.5, rate=1.0, warm_up=10)
    assert [plan.rate_at(s) for s in (0, 9, 49, 75)] == pytest.approx([0.1, 1, 1, 0.5])


def test_figures_of_a_perfect_answer():
    samples = np.zeros((2, 64, 64, 4), np.uint8)
    samples[0, 16:48, 16:48] = 255

    class Perfect(torch.nn.Module):
        def forward(self, picture):
            return (picture[:, :1] - 0.5) * 40

    got = figures(Perfect(), samples, 64)
    assert got["iou"] == 1
    assert got["mae"] < 1e-3


def test_the_file_computes_what_the_network_computes(surveyed):
    teacher, known = surveyed
    network = compress(teacher, known, run.NUMBERS)
    with torch.no_grad():
        network.fuse.weight *= 1 / network(some_pictures()).std()
    data = export(network, "test")
    assert len(data) <= 500_000
    assert check(data).require().opset == 17
    picture = torch.rand(1, 3, 2 * STRIDE, 3 * STRIDE)
    seen = Session(data).run({"picture": picture.numpy()})["saliency_map"]
    with torch.no_grad():
        wanted = torch.sigmoid(network(picture)).numpy()
    assert seen.shape == (1, 1, 64, 96)
    # Weights are rounded to eight bits; without rounding, export itself allows no more than TOLERANCE.
    assert TOLERANCE < np.abs(seen - wanted).max() < 0.05


def test_one_command_makes_a_file_and_goes_on(tmp_path, monkeypatch):
    fill(tmp_path / "pictures")
    rows = [f"photos/{i}.png,CC0" for i in range(60)]
    (tmp_path / "pictures" / "manifest.csv").write_text("\n".join(["file,licence", *rows]))
    teacher = wild_teacher()
    teacher.fuse.weight *= 0.01
    monkeypatch.setattr(run, "open_teacher", lambda: teacher)
    monkeypatch.setattr(run, "as_maps", lambda _: red_teacher)
    monkeypatch.setattr(run, "SIDE", 64)
    said = []
    for steps, resume in ((1, False), (2, True)):
        made = run.make_model(tmp_path / "pictures", tmp_path / "out", run.Size(1, 1, steps), resume, said.append)
        assert check(made.read_bytes()).require()
    assert [line for line in said if line.startswith("1 of 1")]
    assert [line for line in said if line.startswith("2 of 2")]
    assert not [line for line in said if line.startswith("1 of 2")]
    said = json.loads((tmp_path / "out" / "saliency.json").read_text())
    assert said["training"]["pictures"] == {"photos: CC0": 60}
    assert (said["training"]["steps"], said["parameters"] <= run.NUMBERS) == (2, True)
    assert {"student", "teacher"} <= set(said["held_out"])
    session = DnnConfig(device="cpu").open(load(str(made)))
    assert SaliencyModel(session).size(1920, 1080) == (run.SEEN, run.SEEN)
