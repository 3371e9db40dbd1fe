"""Convolutions in coordinates in which they are easy to fit.

What a layer sees points mostly one way: channels have large means, and neighbouring pixels are alike. Steps of equal
length in all weights then spoil one direction while another hardly moves. So weights are fitted as V in
[weights, bias] = s V M^(-1/2), where M is the mean of v v' over the patches v, with a 1, that the layer sees, and s how
much each of its channels varies.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import torch
from torch import Tensor, nn
from torch.nn import functional

from tinyvmaf.train.thin.convolution import TAPS, Convolution

_PARTS = ("first", "core", "last")
_DAMPING = 1e-3
"""Of the mean of the squares: what is hardly ever seen is not blown up beyond it."""


class Conditioned(nn.Module):
    """Computes what a convolution computes, from other weights.

    Args:
        plain: The convolution.
        moment: float64 (n, n), n = inputs of its kernel, with a bias one more: mean of v v', v a patch and a 1.
    """

    def __init__(self, plain: nn.Conv2d, moment: Tensor) -> None:
        super().__init__()
        self.padding, self.dilation, self.shape = plain.padding, plain.dilation, plain.weight.shape
        self.has_bias = plain.bias is not None
        rows = plain.weight.detach().double().flatten(1)
        if plain.bias is not None:
            rows = torch.cat([rows, plain.bias.detach().double()[:, None]], 1)
        values, vectors = torch.linalg.eigh(moment)
        values = values.clamp_min(0) + _DAMPING * values.mean()
        size = (rows @ moment * rows).sum(1, keepdim=True).clamp_min(1e-12).sqrt()
        self.register_buffer("back", ((vectors * values**-0.5) @ vectors.T).float())
        self.register_buffer("size", size.float())
        self.free = nn.Parameter((rows / size @ (vectors * values**0.5) @ vectors.T).float())

    def weights(self) -> tuple[Tensor, Tensor | None]:
        """Kernel and bias of the convolution."""
        rows = self.size * (self.free @ self.back)
        return (rows[:, :-1].reshape(self.shape), rows[:, -1]) if self.has_bias else (rows.reshape(self.shape), None)

    def forward(self, x: Tensor) -> Tensor:
        """(N, inputs, H, W) to (N, outputs, H, W)."""
        with torch.autocast("cpu", enabled=False):
            kernel, bias = self.weights()
        return functional.conv2d(x, kernel, bias, padding=self.padding, dilation=self.dilation)


def condition(convolutions: Iterable[Convolution], seen: Iterable[Tensor]) -> None:
    """Make all factors of convolutions easy to fit.

    Args:
        convolutions: Changed in place; compute what they did.
        seen: What each gets to see: float64 (9 * inside + 1, 9 * inside + 1), the mean of v v', v a patch and a 1.
    """
    for convolution, moment in zip(convolutions, seen, strict=True):
        for (name, part), own in zip(list(_present(convolution)), list(_moments(convolution, moment)), strict=True):
            setattr(convolution, name, Conditioned(part, own))


@torch.no_grad()
def copy_plain(made: nn.Module, given: nn.Module) -> None:
    """Give a network of plain convolutions what one that `condition` changed has.

    Args:
        made: Changed in place.
        given: Of the same form but for that.
    """
    state = made.state_dict()
    made.load_state_dict(state | {name: value for name, value in given.state_dict().items() if name in state})
    for mine, fitted in zip(_convolutions(made), _convolutions(given), strict=True):
        for name, part in _present(mine):
            kernel, bias = getattr(fitted, name).weights()
            part.weight.copy_(kernel)
            if part.bias is not None:
                part.bias.copy_(bias)


def _convolutions(network: nn.Module) -> list[Convolution]:
    return [module for module in network.modules() if isinstance(module, Convolution)]


def _present(convolution: Convolution) -> Iterator[tuple[str, nn.Conv2d]]:
    for name in _PARTS:
        part = getattr(convolution, name)
        if part is not None:
            yield name, part


def _moments(convolution: Convolution, moment: Tensor) -> Iterator[Tensor]:
    """What each factor gets to see, from what the first one sees."""
    count = convolution.inside
    to_core = torch.eye(len(moment), dtype=moment.dtype)
    if convolution.first is not None:
        centre = torch.arange(count) * TAPS + TAPS // 2
        yield moment[centre][:, centre]
        first = convolution.first.weight.detach().double().flatten(1)
        to_core = torch.block_diag(torch.kron(first, torch.eye(TAPS, dtype=first.dtype)), to_core[:1, :1])
    at_core = to_core @ moment @ to_core.T
    if convolution.last is None:
        yield at_core
        return
    yield at_core[:-1, :-1]
    core = torch.block_diag(convolution.core.weight.detach().double().flatten(1), torch.eye(1, dtype=moment.dtype))
    yield core @ at_core @ core.T
