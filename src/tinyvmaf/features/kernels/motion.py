"""Motion: how far the low-passed luma of two neighbouring reference frames lies apart."""

from __future__ import annotations

from typing import Final

import numba
import numpy as np

from tinyvmaf.features.kernels.arithmetic import mirror
from tinyvmaf.features.kernels.flags import FAST

f4 = np.float32
i4 = np.int32

OUTER: Final = 3571 / 65536
INNER: Final = 16004 / 65536
CENTRE: Final = 26386 / 65536
"""The symmetric five taps of libvmaf's integer extractor."""

RADIUS: Final = 2
CELL: Final = 8
"""Samples on a side of a cell of weights."""


@numba.njit(**FAST)
def sad(previous, current, unit, width, weights, rows, line, spread, out):
    """Sum of absolute low-passed differences in 1/256 of an 8-bit step, and the sum of weights.

    Filtering the difference equals the difference of the filtered frames. The vertical pass rounds to 1/256, the
    horizontal pass to whole 1/256 again, as libvmaf's integer extractor does.

    Args:
        previous, current: (H, stride) uint8 or uint16 luma; `width` columns count.
        unit: Factor that brings samples to 8-bit units.
        weights: What the weight of each cell of 8 x 8 samples has above one, float32, or None for all ones.
        rows: Work buffer, 5 rows of width + 4, float32.
        line, spread: Work rows, width + 4, float32.
        out: (4,) float64: sum and samples, then what the weights add to them.
    """
    height = current.shape[0]
    stride = width + 2 * RADIUS
    total = 0.0
    more = 0.0
    mass = 0.0
    for r in range(4):
        _difference(previous, current, mirror(r - RADIUS, height), width, rows, ((r + 3) % 5) * stride)
    for i in range(height):
        _difference(previous, current, mirror(i + RADIUS, height), width, rows, ((i + 2) % 5) * stride)
        r0 = rows[((i + 3) % 5) * stride :]
        r1 = rows[((i + 4) % 5) * stride :]
        r2 = rows[(i % 5) * stride :]
        r3 = rows[((i + 1) % 5) * stride :]
        r4 = rows[((i + 2) % 5) * stride :]
        for j in range(width):
            v = f4(OUTER) * (r0[j] + r4[j]) + f4(INNER) * (r1[j] + r3[j]) + f4(CENTRE) * r2[j]
            line[RADIUS + j] = f4(np.floor(v * f4(unit) * f4(256) + f4(0.5)))
        for k in range(1, RADIUS + 1):
            line[RADIUS - k] = line[RADIUS + k]
            line[RADIUS + width - 1 + k] = line[RADIUS + width - 1 - k]
        if weights is not None and i % CELL == 0:
            cells = weights[i // CELL]
            for j in range(width):
                spread[j] = cells[j // CELL]
        row = i4(0)
        for j in range(width):
            v = f4(OUTER) * (line[j] + line[j + 4]) + f4(INNER) * (line[j + 1] + line[j + 3]) + f4(CENTRE) * line[j + 2]
            difference = abs(f4(np.floor(v + f4(0.5))))
            row += i4(difference)
            if weights is not None:
                line[j] = difference * spread[j]
        total += row
        if weights is not None:
            part = f4(0)
            weight = f4(0)
            for j in range(width):
                part += line[j]
                weight += spread[j]
            more += part
            mass += weight
    out[0] = total
    out[1] = np.float64(height) * width
    out[2] = more
    out[3] = mass


@numba.njit(inline="always", **FAST)
def _difference(previous, current, row, width, rows, base):
    """One row of previous minus current, into rows[base:]."""
    before = previous[row]
    now = current[row]
    target = rows[base : base + width]
    for j in range(width):
        target[j] = f4(i4(before[j]) - i4(now[j]))
