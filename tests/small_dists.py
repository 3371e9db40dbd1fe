"""DISTS with random weights; needs PyTorch."""

import torch

SMALL = (8, 8, 12, 12, *(16,) * 3, *(24,) * 6)
"""Outputs of a teacher as deep as DISTS, but small enough for tests."""


def wild(network, seed=1):
    """Random weights, with as much to say at every layer, and unequal weights of terms."""
    random = torch.Generator().manual_seed(seed)
    for module in network.modules():
        if isinstance(module, torch.nn.Conv2d):
            torch.nn.init.kaiming_normal_(module.weight, generator=random)
            if module.bias is not None:
                torch.nn.init.normal_(module.bias, 0, 0.1, generator=random)
    weights = torch.rand(2, sum(network.widths), generator=random)
    network.weigh(*(weights / weights.sum()))
    return network.eval().requires_grad_(False)
