"""Convolutions made thinner lose what the ranks make them lose, and are fitted in coordinates that change nothing."""

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="PyTorch, which only training needs, is not installed")

from tinyvmaf.train.thin.condition import condition, copy_plain  # noqa: E402
from tinyvmaf.train.thin.convolution import Convolution, Ranks  # noqa: E402
from tinyvmaf.train.thin.factors import affine, factors, fill  # noqa: E402
from tinyvmaf.train.thin.patches import patches, places  # noqa: E402
from tinyvmaf.train.thin.progress import Progress, features_error  # noqa: E402
from tinyvmaf.train.thin.whole_numbers import steps_of, wholes_of  # noqa: E402

INSIDE, OUTSIDE = 12, 16


@pytest.fixture(scope="module")
def maps():
    """Maps whose channels have means and are alike, as those of real networks."""
    random = torch.Generator().manual_seed(3)
    some = torch.nn.functional.avg_pool2d(torch.randn(8, INSIDE, 26, 26, generator=random), 3, 1)
    return (some + 0.5 * some[:, :1] + 0.4).relu()


@pytest.fixture(scope="module")
def moment(maps):
    seen = patches(maps, places(maps.shape, 2000, torch.Generator().manual_seed(4))).double()
    return seen.T @ seen / len(seen)


@pytest.fixture(scope="module")
def whole():
    torch.manual_seed(5)
    return Convolution(INSIDE, OUTSIDE, Ranks()).requires_grad_(False)


def thinner(whole, moment, ranks):
    made, product = Convolution(INSIDE, OUTSIDE, ranks), factors(affine(whole), moment, ranks)
    fill(made, product)
    return made.requires_grad_(False), product.error


def lost(made, whole, maps):
    """Share of the variance that is wrong, measured on the maps themselves."""
    right, found = whole.linear(maps), made.linear(maps)
    return float((found - right).square().mean() / (right - right.mean((0, 2, 3), keepdim=True)).square().mean())


@pytest.mark.parametrize("dilation", [1, 2])
def test_patches_are_what_a_kernel_sees(maps, dilation):
    convolution = Convolution(INSIDE, OUTSIDE, Ranks(), dilation).requires_grad_(False)
    where = places(maps.shape, 5, torch.Generator().manual_seed(6))
    seen = patches(maps, where, dilation)
    rows = torch.cat([convolution.core.weight.flatten(1), convolution.core.bias[:, None]], 1)
    batch, top, left = where
    torch.testing.assert_close(seen @ rows.T, convolution.linear(maps)[batch, :, top, left], atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("ranks", [Ranks(), Ranks(inside=INSIDE), Ranks(outside=OUTSIDE), Ranks(INSIDE, OUTSIDE)])
def test_factors_of_full_rank_lose_nothing(whole, moment, maps, ranks):
    made, error = thinner(whole, moment, ranks)
    assert error < 1e-4
    assert lost(made, whole, maps) < 1e-3


def test_thinner_factors_lose_more_and_the_stated_share_is_lost(whole, moment, maps):
    found = [thinner(whole, moment, Ranks(r, r)) for r in (10, 7, 4)]
    errors = [error for _, error in found]
    assert 0 < errors[0] < errors[1] < errors[2] < 1
    for made, error in found:
        assert lost(made, whole, maps) == pytest.approx(error, rel=0.25)


def test_factors_of_what_is_seen_lose_less_than_those_of_the_kernel_alone(whole, moment, maps):
    """Truncating the kernel itself is what one would do without looking at pictures."""
    made, _ = thinner(whole, moment, Ranks(outside=4))
    blind, _ = thinner(whole, torch.eye(len(moment), dtype=torch.float64), Ranks(outside=4))
    assert lost(made, whole, maps) < 0.8 * lost(blind, whole, maps)


@pytest.mark.parametrize("ranks", [Ranks(), Ranks(4, 6)])
def test_conditioned_convolutions_compute_the_same(whole, moment, maps, ranks):
    made, _ = thinner(whole, moment, ranks)
    before = made(maps)
    network = torch.nn.Sequential(made)
    condition([made], [moment])
    torch.testing.assert_close(made(maps), before, atol=1e-4, rtol=1e-3)
    again = torch.nn.Sequential(Convolution(INSIDE, OUTSIDE, ranks).requires_grad_(False))
    copy_plain(again, network)
    torch.testing.assert_close(again(maps), before, atol=1e-4, rtol=1e-3)


def test_whole_numbers_are_within_about_half_a_step():
    kernel = np.random.default_rng(7).normal(size=(6, 4, 3, 3)).astype(np.float32)
    kernel[2] = 0
    kernel[3] *= 0.01
    steps = steps_of(kernel)
    wholes = wholes_of(kernel, steps)
    assert wholes.dtype == np.int8
    assert np.abs(wholes[[0, 1, 4, 5]]).max(axis=(1, 2, 3)).min() >= 126
    assert np.all(np.abs(wholes * steps.astype(np.float32) - kernel) <= 0.6 * steps.astype(np.float32))


def made_progress():
    torch.manual_seed(8)
    network = torch.nn.Linear(4, 1)
    return Progress(network, [{"params": list(network.parameters()), "share": 0.5}], memory=0.9, longest=1.0)


def test_progress_goes_on_where_it_stopped(tmp_path):
    given = torch.ones(2, 4)

    def advance(progress, times):
        for _ in range(times):
            (progress.network(given) - 3).square().mean().backward()
            progress.advance(0.1)
        return progress

    whole = advance(made_progress(), 6)
    advance(made_progress(), 4).save(tmp_path / "state.pt")
    resumed = made_progress()
    resumed.restore(tmp_path / "state.pt")
    advance(resumed, 2)
    assert whole.step == resumed.step == 6
    for a, b in ((whole.network, resumed.network), (whole.average, resumed.average)):
        torch.testing.assert_close(a(given), b(given))
    assert not torch.allclose(whole.network(given), whole.average(given), rtol=1e-3)


def test_the_error_of_features_is_in_units_of_their_variance():
    features = [torch.randn(2, 4, 8, 8)]
    assert float(features_error(features, features)) == 0
    assert float(features_error([features[0] + 1], features)) == pytest.approx(1 / float(features[0].var()), rel=1e-5)
