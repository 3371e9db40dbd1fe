"""The network: six features, two hidden layers of tanh units, one score; with its gradient, in float64."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Weights:
    """Parameters of a network with I inputs and hidden layers of H and K units.

    Attributes:
        w1: (I, H).
        b1: (H,).
        w2: (H, K).
        b2: (K,).
        w3: (K, 1).
        b3: (1,).
    """

    w1: Array
    b1: Array
    w2: Array
    b2: Array
    w3: Array
    b3: Array

    @property
    def parts(self) -> tuple[Array, ...]:
        """All arrays, in order."""
        return self.w1, self.b1, self.w2, self.b2, self.w3, self.b3

    @property
    def count(self) -> int:
        """Number of parameters."""
        return sum(part.size for part in self.parts)

    @property
    def flat(self) -> Array:
        """All parameters in one vector."""
        return np.concatenate([part.ravel() for part in self.parts])

    def like(self, flat: Array) -> Weights:
        """Weights of the same shapes from a vector."""
        ends = np.cumsum([part.size for part in self.parts])[:-1]
        pieces = np.split(flat, ends)
        return Weights(*(piece.reshape(part.shape) for piece, part in zip(pieces, self.parts, strict=True)))


def random_weights(sizes: tuple[int, int, int], rng: np.random.Generator) -> Weights:
    """Start values that keep the variance of a signal.

    Args:
        sizes: Inputs and units of both hidden layers.
        rng: Source of randomness.

    Returns:
        Weights with small random biases, so that the units bend at different places.
    """
    i, h, k = sizes
    return Weights(
        w1=rng.standard_normal((i, h)) / np.sqrt(i),
        b1=0.5 * rng.standard_normal(h),
        w2=rng.standard_normal((h, k)) / np.sqrt(h),
        b2=0.5 * rng.standard_normal(k),
        w3=rng.standard_normal((k, 1)) / np.sqrt(k),
        b3=np.zeros(1),
    )


def forward(weights: Weights, x: Array) -> tuple[Array, Array, Array]:
    """Run the network.

    Args:
        weights: The parameters.
        x: (N, I) inputs.

    Returns:
        (N,) outputs, and the (N, H) and (N, K) activations of the hidden layers.
    """
    first = np.tanh(x @ weights.w1 + weights.b1)
    second = np.tanh(first @ weights.w2 + weights.b2)
    return (second @ weights.w3 + weights.b3)[:, 0], first, second


def backward(weights: Weights, x: Array, first: Array, second: Array, slope: Array) -> Weights:
    """Carry a gradient from the outputs to the parameters.

    Args:
        weights: The parameters.
        x: (N, I) inputs.
        first: (N, H) activations that `forward` returned.
        second: (N, K), likewise.
        slope: (N,) derivative of the loss by each output.

    Returns:
        Derivative of the loss by each parameter.
    """
    column = slope[:, None]
    back2 = column * weights.w3[:, 0] * (1 - second * second)
    back1 = back2 @ weights.w2.T * (1 - first * first)
    return Weights(
        w1=x.T @ back1,
        b1=back1.sum(axis=0),
        w2=first.T @ back2,
        b2=back2.sum(axis=0),
        w3=second.T @ column,
        b3=column.sum(axis=0),
    )
