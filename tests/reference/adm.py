"""ADM in a page of NumPy: whole planes, double precision, the fixed-point roundings that show in the score."""

from __future__ import annotations

import numpy as np

LOW = np.array((15826, 27411, 7345, -4240)) / 32768
HIGH = np.array((-4240, -7345, 27411, -15826)) / 32768
AMPLITUDES = [(0.67234, 0.72709), (0.41317, 0.49428), (0.22727, 0.28688), (0.11792, 0.15214)]


def taps(size):
    """Indices of the four samples under each output of the transform."""
    places = 2 * np.arange((size + 1) // 2)[:, None] + np.arange(-1, 3)
    places = np.abs(places)
    return np.where(places >= size, 2 * size - 1 - places, places)


STEPS = [(2**7, 2**6), (2**21, 2**21), (2**20, 2**19), (2**18, 2**18)]
"""Fixed point of each scale after the vertical and after the horizontal pass."""


def rounded(x, steps):
    return np.floor(x * steps + 0.5) / steps


def transform(x, scale):
    rows = x[taps(x.shape[0])]
    fine, coarse = STEPS[scale]
    low = np.einsum("iks,k->is", rows, LOW) - (128 * LOW.sum() if scale == 0 else 0)
    low, high = rounded(low, fine), rounded(np.einsum("iks,k->is", rows, HIGH), fine)
    columns = taps(x.shape[1])
    bands = [(low, LOW), (high, LOW), (low, HIGH), (high, HIGH)]
    return [rounded(b[:, columns] @ window, coarse) for b, window in bands]  # a, h, v, d


def csf(scale):
    straight, diagonal = AMPLITUDES[scale]
    per_degree = 3.0 * 1080 * np.pi / 180

    def step(g, amplitude):
        return 2 * 0.495 * 10 ** (0.466 * np.log10(2.0 ** (scale + 1) * 0.401 * g / per_degree) ** 2) / amplitude

    return np.array([1 / step(1, straight), 1 / step(1, straight), 1 / step(0.534, diagonal)])


def significant(x, bits, cut):
    """x with so many significant bits, rounded or cut."""
    mantissa, exponent = np.frexp(x)
    whole = mantissa * 2**bits
    return np.ldexp(np.floor(whole) if cut else np.floor(whole + 0.5), exponent - bits)


def restored(o, t, contrast, gain, first):
    if first:
        kept = np.clip(t, np.minimum(o, 0), np.maximum(o, 0))
    else:
        size = significant(np.abs(o), 15, cut=False)
        inverse = np.zeros_like(size)
        np.divide(1, size, out=inverse, where=size > 0)
        quotient = np.floor(significant(inverse, 16, cut=True) * np.sign(o) * t * 32768 + 0.5)
        kept = np.clip(quotient, 0, 32768) / 32768 * o
    raised = np.where(kept > 0, np.minimum(kept * gain, t), np.where(kept < 0, np.maximum(kept * gain, t), 0))
    return np.where(contrast, raised, kept)


def masks(impairment):
    padded = np.pad(impairment, 1)
    padded[0], padded[-1] = padded[min(2, len(padded) - 2)], padded[-2]
    padded[:, 0], padded[:, -1] = padded[:, min(2, padded.shape[1] - 2)], padded[:, -2]
    height, width = impairment.shape
    box = sum(padded[i : i + height, j : j + width] for i in range(3) for j in range(3))
    return (box + impairment) / 30


def halved(weights):
    """Means of 2 x 2 weights; the last row and column of an odd plane count twice."""
    even = np.pad(weights, [(0, side % 2) for side in weights.shape], mode="edge")
    return (even[::2, ::2] + even[1::2, ::2] + even[::2, 1::2] + even[1::2, 1::2]) / 4


def adm(reference, distorted, bits=8, gain=100.0, weights=None):
    """(adm2, [ADM of scale 0, 1, 2, 3])."""
    x, y = reference / 2.0 ** (bits - 8), distorted / 2.0 ** (bits - 8)
    w = np.ones(x.shape) if weights is None else weights.astype(np.float64)
    total, scales = np.zeros(2), []
    for scale in range(4):
        first = scale == 0
        (x, *original), (y, *test) = transform(x, scale), transform(y, scale)
        height, width = x.shape
        top, left = max(int(height * 0.1 - 0.5), 0), max(int(width * 0.1 - 0.5), 0)
        inner = slice(top, height - top), slice(left, width - left)
        w = halved(w)
        (oh, ov, _), (th, tv, _) = original, test
        dot = np.float32(oh * th + ov * tv).astype(np.float64)
        sizes = np.float32(oh**2 + ov**2).astype(np.float64) * np.float32(th**2 + tv**2)
        contrast = (dot >= 0) & (dot**2 >= np.float32(np.cos(np.pi / 180) ** 2) * sizes)
        visible = np.array([36453 / 2**21] * 2 + [49417 / 2**23]) if first else csf(scale)
        kept = [restored(o, t, contrast, gain, first) for o, t in zip(original, test, strict=True)]
        impairment = sum(c * np.abs(t - k) for c, t, k in zip(visible, test, kept, strict=True))
        threshold = masks(impairment)
        floor = np.cbrt(w[inner].sum() / 32)
        seen = [np.maximum(c * np.abs(k) - threshold, 0)[inner] for c, k in zip(visible, kept, strict=True)]
        numerator = sum(np.cbrt((w[inner] * s**3).sum()) + floor for s in seen)
        cubes = [np.cbrt((w[inner] * np.abs(o[inner]) ** 3).sum()) for o in original]
        denominator = sum(c * seen + floor for c, seen in zip(cubes, csf(scale), strict=True))
        total += numerator, denominator
        scales.append(numerator / denominator)
    return total[0] / total[1], scales
