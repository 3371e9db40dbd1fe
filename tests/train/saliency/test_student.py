"""The making of the saliency student: exact composites, a network that learns, a file that computes the same."""

import numpy as np
import pytest

Image = pytest.importorskip("PIL.Image", reason="the training of saliency needs Pillow")
torch = pytest.importorskip("torch", reason="the training of saliency needs PyTorch")

from tinyvmaf.dnn.guard import check  # noqa: E402
from tinyvmaf.dnn.session import Session  # noqa: E402
from tinyvmaf.train.saliency.augment import Augmenter  # noqa: E402
from tinyvmaf.train.saliency.calibrate import calibrate  # noqa: E402
from tinyvmaf.train.saliency.composites import Composite, compose, cut_out  # noqa: E402
from tinyvmaf.train.saliency.export import TOLERANCE, export  # noqa: E402
from tinyvmaf.train.saliency.fit import Fit, Plan, Samples, answers, figures, total_loss  # noqa: E402
from tinyvmaf.train.saliency.network import STRIDE, Network  # noqa: E402
from tinyvmaf.train.saliency.pictures import find  # noqa: E402
from tinyvmaf.train.saliency.samples import PER_FILE, STORED, Maker, crop  # noqa: E402
from tinyvmaf.train.saliency.teacher import SIDE, prepare  # noqa: E402


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


def test_the_teacher_sees_pictures_divided_by_their_largest_value():
    picture = np.full((SIDE, SIDE, 3), 100, np.uint8)
    np.testing.assert_allclose(
        prepare(picture)[0, :, 0, 0], (1 - np.array([0.485, 0.456, 0.406])) / [0.229, 0.224, 0.225], rtol=1e-5
    )


def test_augmented_pictures_and_targets_move_together(random):
    samples = np.zeros((6, STORED, STORED, 4), np.uint8)
    samples[:, 64:192, 64:192] = 255
    pictures, targets = Augmenter(torch.zeros(0, 4, 1, 1), 1)(samples, 96)
    assert pictures.shape == (6, 3, 96, 96)
    assert 0 <= float(pictures.min()) <= float(pictures.max()) <= 1
    for picture, target in zip(pictures, targets, strict=True):
        bright = picture.mean(0) > 0.35 * float(picture.max())
        overlap = (bright & (target[0] > 0.5)).sum() / (bright | (target[0] > 0.5)).sum()
        assert overlap > 0.85


def test_objects_are_pasted_with_their_masks():
    objects = torch.ones(1, 4, 8, 8)
    _, targets = Augmenter(objects, 0)(np.zeros((64, 64, 64, 4), np.uint8), 64)
    pasted = targets.amax((1, 2, 3)) > 0.5
    assert 1 <= int(pasted.sum()) < 32
    assert not targets[~pasted].any()


def test_maps_have_the_size_of_the_picture_and_levels_are_smaller():
    maps = Network().eval().all_maps(torch.rand(2, 3, 2 * STRIDE, 3 * STRIDE))
    assert [tuple(m.shape) for m in maps] == [(2, 1, 64 // s, 96 // s) for s in (1, 4, 8, 16, 32)]


def test_fitting_lowers_the_loss_and_goes_on_after_a_restart(tmp_path):
    picture = torch.rand(4, 3, 64, 64, generator=torch.Generator().manual_seed(0)) * 0.2
    target = torch.zeros(4, 1, 64, 64)
    target[..., 16:48, 16:48] = 1
    picture += 0.7 * target
    fit = Fit(Plan(steps=100, warm_up=1))
    losses = [fit.advance(picture, target) for _ in range(6)]
    assert losses[-1] < 0.8 * losses[0]
    fit.save(tmp_path / "state.pt")
    again = Fit(Plan(steps=100, warm_up=1))
    again.restore(tmp_path / "state.pt")
    assert again.step == 6
    assert again.advance(picture, target) == pytest.approx(fit.advance(picture, target), rel=1e-3)


def test_the_loss_is_least_for_the_target_itself():
    target = torch.zeros(1, 1, 32, 32)
    target[..., 8:24, 8:24] = 1
    right = [(target - 0.5) * 20] * 2
    shifted = [m.roll(4, -1) for m in right]
    assert total_loss(right, target) < 0.01 < total_loss(shifted, target)


def test_rate_rises_stays_and_falls():
    plan = Plan(steps=100, decline=0.5, rate=1.0, warm_up=10, sides=((0, 64), (0.5, 96)))
    assert [plan.rate_at(s) for s in (0, 9, 49, 75)] == pytest.approx([0.1, 1, 1, 0.5])
    assert (plan.side_at(49), plan.side_at(50)) == (64, 96)


def test_figures_of_a_perfect_and_of_an_empty_answer():
    samples = np.zeros((2, 64, 64, 4), np.uint8)
    samples[0, 16:48, 16:48] = 255

    class Perfect(torch.nn.Module):
        def forward(self, picture):
            return (picture[:, :1] - 0.5) * 40

    got = figures(Perfect(), samples, 64)
    assert got["iou"] == 1
    assert got["mae"] < 1e-3
    assert got["false"] < 1e-3


def test_calibration_agrees_better_with_the_targets():
    torch.manual_seed(2)
    network = Network().eval()
    samples = np.random.default_rng(0).integers(0, 255, (4, 64, 64, 4), np.uint8)
    seen = answers(network, samples, 64)[0][:, 0]
    samples[..., 3] = 255 * (seen > seen.quantile(0.8)).numpy()
    before, after = (figures(n, samples, 64) for n in (network, calibrate(network, samples, 64)))
    assert after["iou"] > before["iou"]
    assert after["mae"] < before["mae"]


def test_the_file_computes_what_the_network_computes():
    torch.manual_seed(1)
    network = Network()
    for _ in range(3):
        network(torch.rand(2, 3, 64, 64))
    data = export(network.eval(), "test")
    assert len(data) <= 500_000
    assert check(data).require().opset == 17
    picture = torch.rand(1, 3, 2 * STRIDE, 3 * STRIDE)
    seen = Session(data).run({"picture": picture.numpy()})["saliency_map"]
    with torch.no_grad():
        mirrored = network(picture.flip(3)).flip(3)
        wanted = torch.sigmoid((network(picture) + mirrored) / 2).numpy()
    assert seen.shape == (1, 1, 64, 96)
    # Weights are rounded to eight bits; without rounding, export itself allows no more than TOLERANCE.
    assert TOLERANCE < np.abs(seen - wanted).max() < 0.03
