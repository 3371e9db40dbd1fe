"""Loops of ADM: wavelet transform, decoupling and contrast masking, row by row, with no plane in between but the low band.

The rows that one output row needs lie in slots of one flat buffer, so that every load and store of a loop is at a constant
distance from the others and the loops vectorise without alias checks:

    slots 0-2   reference bands h, v, d          slots 8-10   masking sums of three neighbouring rows (ring)
    slots 3-5   distorted bands h, v, d          slots 11-16  restored signal h, v, d of two rows (ring)
                                                 slots 17-22  cubes: reference h, v, d; masked signal h, v, d

Slot row k starts at k * SLOT + MARGIN: the margin holds the sample left of column 0.
"""

from __future__ import annotations

from typing import Final

import numba
import numpy as np

from tinyvmaf.features.kernels.flags import FAST, ORDERED

f4 = np.float32
f8 = np.float64
i2 = np.int16
i8 = np.int64

MARGIN: Final = 16
SLOT: Final = 8192 + 64
BUFFER: Final = 23 * SLOT
"""Length of the slot buffer: bands up to 8192 - 2 * MARGIN wide."""

DISTORTED: Final = 3
MASK: Final = 8
RESTORED: Final = 11
CUBES: Final = 17

TAPS: Final = (15826, 27411, 7345, -4240)
"""Daubechies-2 low-pass taps over 32768, as libvmaf's integer extractor has them; the high-pass is its mirror."""

T0, T1, T2, T3 = (float(tap) for tap in TAPS)
L0, L1, L2, L3 = (tap / 32768 for tap in TAPS)
STEP_0, STEP_1, STEP_2, STEP_3 = (f4((tap >> 7) / 512) for tap in TAPS)
FINE_0, FINE_1, FINE_2, FINE_3 = (f4((tap & 127) / 65536) for tap in TAPS)
"""The first scale's horizontal taps, split in two: from samples in 1/128 to whole steps of 1/64."""

OFFSET: Final = 128 * sum(TAPS) / 32768
"""Mid grey after the low-pass: taken off so that float32 keeps every fraction."""

COSINE_SQUARED: Final = f4(np.cos(np.pi / 180) ** 2)
"""Bands whose (h, v) vectors lie within one degree count as a change of contrast, not as distortion."""

STEPS_1, STEPS_2, STEPS_3 = 2.0**11, 2.0**8, 2.0**5
"""Fixed-point steps of the squared reference bands at the coarse scales."""

SHIFTS_1 = (1.0, 2.0**-15, 2.0**-21)
SHIFTS_2 = (2.0**-16, 2.0**-16, 2.0**-19)
SHIFTS_3 = (2.0**-16, 2.0**-15, 2.0**-18)
"""Fixed point of each coarse scale's transform: shifts of the vertical and the horizontal pass, step of the result. Exact,
because a coefficient that lies at the angle threshold counts in full or not at all."""

BIAS_1, BIAS_2, BIAS_3 = 27 / 2.0**25, 27 / 2.0**23, 27 / 2.0**22
"""libvmaf rounds each of the 27 terms of a masking threshold down by a whole step on average, its sign being lost to an
overflow; the step at each coarse scale."""

MASKED_STEPS_1, MASKED_STEPS_2, MASKED_STEPS_3 = 2.0**20, 2.0**16, 2.0**14
"""Fixed-point steps of the squared masked signal at the coarse scales."""

BORDER: Final = 0.1
"""Share of each side that the sums leave out."""


@numba.njit(inline="always", **FAST)
def fold(position, size):
    """Index of a sample of the transform: mirrored before the first, repeated behind the last."""
    if position < 0:
        position = -position
    if position >= size:
        position = 2 * size - 1 - position
    return max(position, 0)


@numba.njit(inline="always", **FAST)
def extend(line, width):
    """Fill in the sample left of both vertical results and the two right of them."""
    for base in (MARGIN - 1, 2 * SLOT + MARGIN - 1):
        line[base] = line[base + min(2, width)]
        line[base + width + 1] = line[base + width]
        line[base + width + 2] = line[base + max(width - 1, 1)]


@numba.njit(inline="always", **FAST)
def four_rows(source, row):
    """The rows that one output row of the transform is made from."""
    height = source.shape[0]
    return (
        source[fold(2 * row - 1, height)],
        source[fold(2 * row, height)],
        source[fold(2 * row + 1, height)],
        source[fold(2 * row + 2, height)],
    )


@numba.njit(inline="always", **FAST)
def vertical_results(line, width):
    """Where the low-pass and the high-pass of the vertical step lie in the work row."""
    return line[MARGIN : MARGIN + width], line[2 * SLOT + MARGIN : 2 * SLOT + MARGIN + width]


@numba.njit(inline="always", **FAST)
def band_rows(slots, first, half):
    """Rows of the h, v and d bands from slot `first` on."""
    base = first * SLOT + MARGIN
    return (
        slots[base : base + half],
        slots[base + SLOT : base + SLOT + half],
        slots[base + 2 * SLOT : base + 2 * SLOT + half],
    )


@numba.njit(**ORDERED)
def transform_fine(source, exact, width, row, line, low, slots, first, bands):
    """One row of the first scale's wavelet transform, in libvmaf's fixed point: all samples are whole numbers of steps.

    Args:
        source: (H, stride) uint8 or uint16 plane; `width` columns count.
        exact: Factor that brings samples to 8-bit units; None for 8-bit samples, whose sum with taps over 32768 fits the
            24 bits of a float32 exactly.
        row: Output row.
        line: Work row for both vertical results, 4 * SLOT long: steps of 1/128, mid grey taken off.
        low: Row of the low band, (width + 1) // 2, int16 in steps of 1/64.
        slots: The slot buffer.
        first: Slot of the h band; v and d follow.
        bands: Whether the h, v and d rows are needed.
    """
    half = (width + 1) // 2
    r0, r1, r2, r3 = four_rows(source, row)
    under, over = vertical_results(line, width)
    if exact is None:
        c0, c1, c2, c3 = f4(L0 * 128), f4(L1 * 128), f4(L2 * 128), f4(L3 * 128)
        for j in range(width):
            s0 = f4(r0[j])
            s1 = f4(r1[j])
            s2 = f4(r2[j])
            s3 = f4(r3[j])
            under[j] = np.floor(f4(0.5 - 128 * OFFSET) + c0 * s0 + c1 * s1 + c2 * s2 + c3 * s3)
            over[j] = np.floor(f4(0.5) + c3 * s0 - c2 * s1 + c1 * s2 - c0 * s3)
    else:
        w0, w1, w2, w3 = L0 * 128 * exact, L1 * 128 * exact, L2 * 128 * exact, L3 * 128 * exact
        for j in range(width):
            d0 = f8(r0[j])
            d1 = f8(r1[j])
            d2 = f8(r2[j])
            d3 = f8(r3[j])
            under[j] = f4(np.floor(0.5 - 128 * OFFSET + w0 * d0 + w1 * d1 + w2 * d2 + w3 * d3))
            over[j] = f4(np.floor(0.5 + w3 * d0 - w2 * d1 + w1 * d2 - w0 * d3))
    extend(line, width)
    t = line[MARGIN - 1 : MARGIN + 2 * half + 1]
    for j in range(half):
        # The sum has 31 bits. Split taps give two sums that float32 holds exactly: `fine` in 1/65536 of a step of the
        # band, `steps` in 1/512.
        t0 = t[2 * j]
        t1 = t[2 * j + 1]
        t2 = t[2 * j + 2]
        t3 = t[2 * j + 3]
        fine = f4(0.5) + FINE_0 * t0 + FINE_1 * t1 + FINE_2 * t2 + FINE_3 * t3
        steps = STEP_0 * t0 + STEP_1 * t1 + STEP_2 * t2 + STEP_3 * t3
        whole = np.floor(steps)
        low[j] = i2(whole + np.floor((steps - whole) + fine))
    if bands:
        h, v, d = band_rows(slots, first, half)
        o = line[2 * SLOT + MARGIN - 1 : 2 * SLOT + MARGIN + 2 * half + 1]
        k0, k1, k2, k3 = f4(L0 / 2), f4(L1 / 2), f4(L2 / 2), f4(L3 / 2)
        for j in range(half):
            v[j] = np.floor(f4(0.5) + k3 * t[2 * j] - k2 * t[2 * j + 1] + k1 * t[2 * j + 2] - k0 * t[2 * j + 3]) * f4(
                1 / 64
            )
        for j in range(half):
            o0 = o[2 * j]
            o1 = o[2 * j + 1]
            o2 = o[2 * j + 2]
            o3 = o[2 * j + 3]
            h[j] = np.floor(f4(0.5) + k0 * o0 + k1 * o1 + k2 * o2 + k3 * o3) * f4(1 / 64)
            d[j] = np.floor(f4(0.5) + k3 * o0 - k2 * o1 + k1 * o2 - k0 * o3) * f4(1 / 64)


@numba.njit(**FAST)
def transform(source, steps, width, row, line, low, slots, first, bands):
    """One row of the wavelet transform of a low band, in libvmaf's fixed point: whole numbers of steps in float64.

    Args:
        source: (H, stride) plane; `width` columns count.
        steps: What the vertical and the horizontal sums are multiplied by before they are rounded, and the step of the
            result in 8-bit units: see SHIFTS.
        row, slots, first, bands: See `transform_fine`.
        line: Work row for both vertical results, 4 * SLOT long.
        low: Row of the low band, (width + 1) // 2, in steps of the result.
    """
    half = (width + 1) // 2
    r0, r1, r2, r3 = four_rows(source, row)
    under, over = vertical_results(line, width)
    vertical, horizontal, step = steps
    c0, c1, c2, c3 = T0 * vertical, T1 * vertical, T2 * vertical, T3 * vertical
    for j in range(width):
        s0 = f8(r0[j])
        s1 = f8(r1[j])
        s2 = f8(r2[j])
        s3 = f8(r3[j])
        under[j] = np.floor(0.5 + c0 * s0 + c1 * s1 + c2 * s2 + c3 * s3)
        over[j] = np.floor(0.5 + c3 * s0 - c2 * s1 + c1 * s2 - c0 * s3)
    extend(line, width)
    t = line[MARGIN - 1 : MARGIN + 2 * half + 1]
    k0, k1, k2, k3 = T0 * horizontal, T1 * horizontal, T2 * horizontal, T3 * horizontal
    for j in range(half):
        low[j] = np.floor(0.5 + k0 * t[2 * j] + k1 * t[2 * j + 1] + k2 * t[2 * j + 2] + k3 * t[2 * j + 3])
    if bands:
        h, v, d = band_rows(slots, first, half)
        o = line[2 * SLOT + MARGIN - 1 : 2 * SLOT + MARGIN + 2 * half + 1]
        for j in range(half):
            v[j] = np.floor(0.5 + k3 * t[2 * j] - k2 * t[2 * j + 1] + k1 * t[2 * j + 2] - k0 * t[2 * j + 3]) * step
        for j in range(half):
            h[j] = np.floor(0.5 + k0 * o[2 * j] + k1 * o[2 * j + 1] + k2 * o[2 * j + 2] + k3 * o[2 * j + 3]) * step
        for j in range(half):
            d[j] = np.floor(0.5 + k3 * o[2 * j] - k2 * o[2 * j + 1] + k1 * o[2 * j + 2] - k0 * o[2 * j + 3]) * step


@numba.njit(inline="always", **FAST)
def restore(original, test, contrast, gain):
    """The part of a test coefficient that the original explains; `contrast`: enhancement up to `gain` is allowed."""
    return enhance(min(max(test, min(original, f4(0))), max(original, f4(0))), test, contrast, gain)


@numba.njit(inline="always", **FAST)
def restore_coarse(original, test, contrast, gain):
    """The same with the quotient test / original in libvmaf's fixed point of the coarse scales.

    The divisor is rounded to 15 significant bits, its reciprocal cut to 16, the quotient rounded to 15 fraction bits.
    """
    size = i8((f8(abs(original)).view(np.int64) + (1 << 37)) & -(1 << 38))
    reciprocal = i8(f8(1.0 / (size.view(np.float64) + 1e-300)).view(np.int64) & -(1 << 37))
    signed = test if original >= 0.0 else -test
    quotient = np.floor(reciprocal.view(np.float64) * signed * 32768.0 + 0.5)
    return enhance(min(max(quotient, 0.0), 32768.0) * (original * (1.0 / 32768.0)), test, contrast, gain)


@numba.njit(inline="always", **FAST)
def enhance(kept, test, contrast, gain):
    """Restored signal where contrast may have been raised."""
    raised = min(kept * gain, test) if kept > f4(0) else max(kept * gain, test)
    raised = raised if kept != f4(0) else kept
    return raised if contrast else kept


@numba.njit(inline="always", **FAST)
def single(x):
    """A float64 rounded to the precision of float32, by its bits: LLVM drops a cast there and back."""
    return i8((f8(x).view(np.int64) + (1 << 28)) & -(1 << 29)).view(np.float64)


@numba.njit(inline="always", **FAST)
def aligned(oh, ov, th, tv, coarse):
    """Whether original and test vectors lie within one degree.

    At the coarse scales, where single coefficients are large, the products are rounded once, as libvmaf rounds them, so
    that a coefficient at one degree falls on the same side.
    """
    if coarse is None:
        dot = oh * th + ov * tv
        return (dot >= f4(0)) and (dot * dot >= COSINE_SQUARED * ((oh * oh + ov * ov) * (th * th + tv * tv)))
    dot = single(oh * th + ov * tv)
    sizes = single(oh * oh + ov * ov) * single(th * th + tv * tv)
    return (dot >= 0.0) and (dot * dot >= f8(COSINE_SQUARED) * sizes)


@numba.njit(**FAST)
def decouple(slots, left, count, restored, mask, gain, straight, diagonal, coarse):
    """Split the distorted bands of one row into restored signal and additive impairment.

    Writes the CSF-weighted magnitude of the restored signal (three slots from `restored`) and the sum over the bands of
    the CSF-weighted impairment (slot `mask`). `coarse` is None for the first scale.
    """
    base = left + MARGIN
    b = slots[base : base + BUFFER - SLOT + count]
    xs = restored * SLOT
    cs = mask * SLOT
    x = slots[base + xs : base + xs + 2 * SLOT + count]
    c = slots[base + cs : base + cs + count]
    for j in range(count):
        oh = b[j]
        ov = b[SLOT + j]
        od = b[2 * SLOT + j]
        th = b[3 * SLOT + j]
        tv = b[4 * SLOT + j]
        td = b[5 * SLOT + j]
        contrast = aligned(oh, ov, th, tv, coarse)
        if coarse is None:
            rh = restore(oh, th, contrast, gain)
            rv = restore(ov, tv, contrast, gain)
            rd = restore(od, td, contrast, gain)
        else:
            rh = restore_coarse(oh, th, contrast, gain)
            rv = restore_coarse(ov, tv, contrast, gain)
            rd = restore_coarse(od, td, contrast, gain)
        x[j] = abs(rh) * straight
        x[SLOT + j] = abs(rv) * straight
        x[2 * SLOT + j] = abs(rd) * diagonal
        c[j] = straight * (abs(th - rh) + abs(tv - rv)) + diagonal * abs(td - rd)


@numba.njit(**FAST)
def cubes(slots, left, count, steps):
    """Cubes of the reference bands' magnitudes, into the first three cube slots.

    Where `steps` is given, squares are cut to 1/steps and a whole step is added, as libvmaf's fixed point does; it meant
    to add half a step.
    """
    base = left + MARGIN
    b = slots[base : base + 2 * SLOT + count]
    out = slots[base + CUBES * SLOT : base + CUBES * SLOT + 2 * SLOT + count]
    for band in range(3):
        source = b[band * SLOT : band * SLOT + count]
        target = out[band * SLOT : band * SLOT + count]
        for j in range(count):
            x = abs(source[j])
            square = x * x if steps is None else (np.floor(x * x * steps) + 1.0) * (1.0 / steps)
            target[j] = square * x


@numba.njit(inline="always", **FAST)
def cube(x, steps):
    """Third power, of which the square is rounded to 1/steps, or kept where `steps` is None."""
    square = x * x if steps is None else np.floor(x * x * steps + 0.5) * (1.0 / steps)
    return square * x


@numba.njit(**FAST)
def masked_cubes(slots, left, count, restored, above, at, below, bias, steps):
    """Cubes of what the restored signal of a row has above its masking threshold, into the last three cube slots.

    The threshold is a 3 x 3 sum of the impairment over all bands, 1/30 each and 1/15 for the centre, minus what libvmaf's
    fixed point loses of it on average.
    """
    base = left + MARGIN
    x = slots[base + restored * SLOT : base + restored * SLOT + 2 * SLOT + count]
    upper = slots[base + above * SLOT - 1 : base + above * SLOT + count + 1]
    centre = slots[base + at * SLOT - 1 : base + at * SLOT + count + 1]
    lower = slots[base + below * SLOT - 1 : base + below * SLOT + count + 1]
    target = slots[base + (CUBES + 3) * SLOT : base + (CUBES + 5) * SLOT + count]
    for j in range(count):
        threshold = upper[j] + upper[j + 1] + upper[j + 2]
        threshold += centre[j] + f4(2) * centre[j + 1] + centre[j + 2]
        threshold += lower[j] + lower[j + 1] + lower[j + 2]
        threshold = threshold * f4(1 / 30) - bias
        target[j] = cube(max(x[j] - threshold, f4(0)), steps)
        target[SLOT + j] = cube(max(x[SLOT + j] - threshold, f4(0)), steps)
        target[2 * SLOT + j] = cube(max(x[2 * SLOT + j] - threshold, f4(0)), steps)


@numba.njit(**FAST)
def add_row(slots, first, left, count, weights, sums, excess):
    """Add the sums of three cube slots to sums[0:3], and the sums times their weights to excess[0:3]."""
    for band in range(3):
        base = (first + band) * SLOT + MARGIN + left
        values = slots[base : base + count]
        part = values[0] * f4(0)
        for j in range(count):
            part += values[j]
        sums[band] += f8(part)
        if weights is not None:
            weighted = values[0] * f4(0)
            for j in range(count):
                weighted += values[j] * weights[j]
            excess[band] += f8(weighted)


@numba.njit(**FAST)
def row_weights(spread, cells, row, side, left, right, new):
    """The weights of one row of a band, None where there are none; spread out where the row is the first of its cells.

    Two rows of cells are kept, because the masked signal is summed up one row behind.
    """
    if cells is None:
        return None
    cell = cells[row // side]
    weights = spread[row // side % 2 * SLOT : row // side % 2 * SLOT + right]
    if new:
        for j in range(right):
            weights[j] = cell[j // side]
    return weights[left:right]


@numba.njit(**FAST)
def scale(
    reference, distorted, exact, shifts, width, gain, straight, diagonal, steps, bias, masked_steps, weights, side,
    low_x, low_y, slots, line, spread, sums,
):  # fmt: skip
    """Sums of one scale.

    Args:
        reference, distorted: (H, stride) planes; `width` columns count.
        exact: See `transform_fine`.
        shifts: `steps` of `transform`.
        gain: Largest enhancement gain.
        straight, diagonal: CSF weight of the h and v bands, and of the d band.
        steps: See `cubes`.
        bias, masked_steps: See `masked_cubes`.
        weights: What the weight of each cell has above one, or None.
        side: Samples of a band on a side of a cell.
        low_x, low_y: Low bands, written.
        slots, line, spread: Work buffers.
        sums: (14,): cubes of the reference h, v, d; cubes of the masked signal h, v, d; samples; then what the weights
            add to each of them.
    """
    height = (reference.shape[0] + 1) // 2
    half = (width + 1) // 2
    left = max(int(half * BORDER - 0.5), 0)
    top = max(int(height * BORDER - 0.5), 0)
    right = half - left
    bottom = height - top
    start = max(left - 1, 0)
    end = min(right + 1, half)
    for k in range(14):
        sums[k] = 0.0
    for i in range(height + 1):
        needed = top - 1 <= i <= bottom and i < height
        if i < height:
            if steps is None:
                transform_fine(reference, exact, width, i, line, low_x[i], slots, 0, needed)
                transform_fine(distorted, exact, width, i, line, low_y[i], slots, DISTORTED, needed)
            else:
                transform(reference, shifts, width, i, line, low_x[i], slots, 0, needed)
                transform(distorted, shifts, width, i, line, low_y[i], slots, DISTORTED, needed)
        if needed:
            mask = MASK + i % 3
            decouple(slots, start, end - start, RESTORED + 3 * (i % 2), mask, gain, straight, diagonal, steps)
            edge = mask * SLOT + MARGIN
            slots[edge - 1] = slots[edge + min(1, half - 1)]
            slots[edge + half] = slots[edge + half - 1]
            if top <= i < bottom:
                cubes(slots, left, right - left, steps)
                weight = row_weights(spread, weights, i, side, left, right, i == top or i % side == 0)
                add_row(slots, CUBES, left, right - left, weight, sums[0:3], sums[7:10])
                if weights is not None:
                    for j in range(right - left):
                        sums[13] += f8(weight[j])
        c = i - 1
        if top <= c < bottom:
            above = MASK + (c - 1) % 3 if c > 0 else MASK + min(1, height - 1)
            below = MASK + i % 3 if i < height else MASK + c % 3
            masked_cubes(
                slots, left, right - left, RESTORED + 3 * (c % 2), above, MASK + c % 3, below, bias, masked_steps
            )
            weight = row_weights(spread, weights, c, side, left, right, False)
            add_row(slots, CUBES + 3, left, right - left, weight, sums[3:6], sums[10:13])
    sums[6] = np.float64((right - left) * (bottom - top))


@numba.njit(**FAST)
def halve(source, width, out):
    """Mean of every 2 x 2 cells of weights; an odd last row or column counts twice."""
    height = source.shape[0]
    for i in range((height + 1) // 2):
        upper = source[2 * i]
        lower = source[min(2 * i + 1, height - 1)]
        target = out[i]
        for j in range(width // 2):
            target[j] = (upper[2 * j] + upper[2 * j + 1] + lower[2 * j] + lower[2 * j + 1]) * f4(0.25)
        if width % 2:
            target[width // 2] = (upper[width - 1] + lower[width - 1]) * f4(0.5)


@numba.njit(**FAST)
def frame(
    reference, distorted, exact, width, gain, csf, weights,
    x1, y1, x2, y2, x3, y3, x4, y4, w4, slots, line, wide_slots, wide_line, spread, sums,
):  # fmt: skip
    """Sums of all four scales.

    Args:
        reference, distorted: (H, stride) uint8 or uint16 luma; `width` columns count.
        exact: None for 8-bit samples, else the factor that brings samples to 8-bit units, 2**(8 - bits).
        gain: Largest enhancement gain: 100, or 1 for NEG models.
        csf: (4, 2) float64: CSF weight of the straight and the diagonal bands, scale by scale.
        weights: What the weight of each cell of 8 x 8 samples has above one, float32, or None for all ones.
        x1 .. y4: Low bands, each half (rounded up) as large as the one before: x1 and y1 are int16 in steps of 1/64, x2
            to y4 float64 in steps of SHIFTS_1 to SHIFTS_3.
        w4: Weights of 2 x 2 cells, float32, written; None where `weights` is.
        slots, line: Work buffers, BUFFER and 4 * SLOT long, float32.
        wide_slots, wide_line: The same in float64.
        spread: Work buffer, 2 * SLOT long, float32.
        sums: (4, 14) float64, see `scale`.
    """
    half = (width + 1) // 2
    quarter = (half + 1) // 2
    eighth = (quarter + 1) // 2
    if weights is not None:
        halve(weights, eighth, w4)
    # The first scale is fixed point of few bits, which float32 holds exactly; the others carry more.
    scale(
        reference, distorted, exact, SHIFTS_1, width, f4(gain), f4(csf[0, 0]), f4(csf[0, 1]), None, f4(0), None, weights, 4,
        x1, y1, slots, line, spread, sums[0],
    )  # fmt: skip
    scale(
        x1, y1, None, SHIFTS_1, half, gain, csf[1, 0], csf[1, 1], STEPS_1, BIAS_1, MASKED_STEPS_1, weights, 2,
        x2, y2, wide_slots, wide_line, spread, sums[1],
    )  # fmt: skip
    scale(
        x2, y2, None, SHIFTS_2, quarter, gain, csf[2, 0], csf[2, 1], STEPS_2, BIAS_2, MASKED_STEPS_2, weights, 1,
        x3, y3, wide_slots, wide_line, spread, sums[2],
    )  # fmt: skip
    scale(
        x3, y3, None, SHIFTS_3, eighth, gain, csf[3, 0], csf[3, 1], STEPS_3, BIAS_3, MASKED_STEPS_3, w4, 1,
        x4, y4, wide_slots, wide_line, spread, sums[3],
    )  # fmt: skip
