"""Loops of SSIM and MS-SSIM: moments under an 11x11 Gaussian window, and the two decimations.

Both images enter as their sum and difference, p = x + y - 256 and q = x - y, because SSIM is a function of the moments
of p and q in which equal images give exactly zero, little is lost by cancellation, and swapping the images changes
nothing:

    mu_x^2 + mu_y^2 = (mu_p^2 + mu_q^2) / 2      (mu_p without the offset)
    mu_x - mu_y     = mu_q
    var_x, var_y    = (var_p + var_q) / 4 +- cov_pq / 2
    cov_xy          = (var_p - var_q) / 4

The offset 256 centres 8-bit values at zero: squares stay small enough for float32 variances.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np

from tinyvmaf.features.kernels.flags import FAST

# 11-tap Gaussian of standard deviation 1.5 (Wang et al., 2004, doi:10.1109/TIP.2003.819861) in libvmaf's six decimals
# (iqa/ssim_tools.h, g_gaussian_window_h): outermost tap first; symmetric.
G0, G1, G2 = np.float32(0.001028), np.float32(0.007599), np.float32(0.036001)
G3, G4, G5 = np.float32(0.109361), np.float32(0.213006), np.float32(0.266012)
RADIUS = 5

GAIN = (2.0 * (float(G0) + float(G1) + float(G2) + float(G3) + float(G4)) + float(G5)) ** 2
"""Sum of the window's 121 taps. It is not quite 1, so that libvmaf's variance E[x^2] - E[x]^2 of a flat bright image is
not quite 0 but up to -0.26; the corrections below give centred values the same variances."""

# Low-pass of the 9/7 biorthogonal wavelet (libvmaf ms_ssim.c, g_lpf_h): outermost tap first; symmetric.
L0, L1, L2 = np.float32(0.026727), np.float32(-0.016828), np.float32(-0.078201)
L3, L4 = np.float32(0.266846), np.float32(0.602914)
LOW_PASS_RADIUS = 4

OFFSET = np.float32(256.0)
"""Twice the middle of 8-bit code values."""

BLURRED_OFFSET = np.float32(256.0 * GAIN)
EXCESS = np.float32(256.0 * (1.0 - GAIN))
"""With p = z + 256: var_p = var_z + EXCESS * (2 mu_z + BLURRED_OFFSET), cov_pq = cov_zq + EXCESS * mu_q."""

C1 = np.float32((0.01 * 255) ** 2)
C2 = np.float32((0.03 * 255) ** 2)
TINY = np.float32(1e-12)
"""Keeps a quotient finite where both images are flat."""

# Work buffer of `statistics`, float32, one row = PITCH samples:
#
#   P: STRIP + 10 rows of p | Q: STRIP + 10 rows of q | 5 rows: blurred columns of p, q, p*p, q*q, p*q | 1 row of ones
#
# The ones stand in for absent weights, so that weights of one give the very same digits.
TILE = 374
STRIP = 32
PITCH = TILE + 2 * RADIUS
Q = (STRIP + 2 * RADIUS) * PITCH
BLURRED = 2 * Q
ONES = BLURRED + 5 * PITCH
WORK_SIZE = ONES + PITCH

SUMS = 5
"""Weighted sums of 1 - ssim, 1 - l, 1 - c, 1 - s, and the sum of weights."""


@numba.njit(inline="always", **FAST)
def _load(reference: Any, distorted: Any, y: int, left: int, n: int, gain: Any, target: Any) -> None:
    """Sum and difference of one row of a tile, in 8-bit units."""
    a = reference[y, left : left + n]
    b = distorted[y, left : left + n]
    for x in range(n):
        first = np.float32(a[x])
        second = np.float32(b[x])
        target[x] = (first + second) * gain - OFFSET
        target[x + Q] = (first - second) * gain


@numba.njit(inline="always", **FAST)
def _blur_columns(tile: Any, blurred: Any, n: int) -> None:
    """One output row of the vertical pass: 11 rows in, the five first and second moments out."""
    for x in range(n):
        p0, p1, p2, p3 = tile[x], tile[x + PITCH], tile[x + 2 * PITCH], tile[x + 3 * PITCH]
        p4, p5, p6, p7 = tile[x + 4 * PITCH], tile[x + 5 * PITCH], tile[x + 6 * PITCH], tile[x + 7 * PITCH]
        p8, p9, p10 = tile[x + 8 * PITCH], tile[x + 9 * PITCH], tile[x + 10 * PITCH]
        q0, q1, q2 = tile[x + Q], tile[x + Q + PITCH], tile[x + Q + 2 * PITCH]
        q3, q4, q5 = tile[x + Q + 3 * PITCH], tile[x + Q + 4 * PITCH], tile[x + Q + 5 * PITCH]
        q6, q7, q8 = tile[x + Q + 6 * PITCH], tile[x + Q + 7 * PITCH], tile[x + Q + 8 * PITCH]
        q9, q10 = tile[x + Q + 9 * PITCH], tile[x + Q + 10 * PITCH]
        blurred[x] = G0 * (p0 + p10) + G1 * (p1 + p9) + G2 * (p2 + p8) + G3 * (p3 + p7) + G4 * (p4 + p6) + G5 * p5
        blurred[x + PITCH] = (
            G0 * (q0 + q10) + G1 * (q1 + q9) + G2 * (q2 + q8) + G3 * (q3 + q7) + G4 * (q4 + q6) + G5 * q5
        )
        blurred[x + 2 * PITCH] = (
            G0 * (p0 * p0 + p10 * p10)
            + G1 * (p1 * p1 + p9 * p9)
            + G2 * (p2 * p2 + p8 * p8)
            + G3 * (p3 * p3 + p7 * p7)
            + G4 * (p4 * p4 + p6 * p6)
            + G5 * (p5 * p5)
        )
        blurred[x + 3 * PITCH] = (
            G0 * (q0 * q0 + q10 * q10)
            + G1 * (q1 * q1 + q9 * q9)
            + G2 * (q2 * q2 + q8 * q8)
            + G3 * (q3 * q3 + q7 * q7)
            + G4 * (q4 * q4 + q6 * q6)
            + G5 * (q5 * q5)
        )
        blurred[x + 4 * PITCH] = (
            G0 * (p0 * q0 + p10 * q10)
            + G1 * (p1 * q1 + p9 * q9)
            + G2 * (p2 * q2 + p8 * q8)
            + G3 * (p3 * q3 + p7 * q7)
            + G4 * (p4 * q4 + p6 * q6)
            + G5 * (p5 * q5)
        )


@numba.njit(inline="always", **FAST)
def _blur_row(row: Any, x: int) -> Any:
    """One sample of the horizontal pass."""
    return (
        G0 * (row[x] + row[x + 10])
        + G1 * (row[x + 1] + row[x + 9])
        + G2 * (row[x + 2] + row[x + 8])
        + G3 * (row[x + 3] + row[x + 7])
        + G4 * (row[x + 4] + row[x + 6])
        + G5 * row[x + 5]
    )


@numba.njit(**FAST)
def statistics(reference: Any, distorted: Any, width: int, gain: float, weights: Any, work: Any, sums: Any) -> None:
    """Sum what luminance, contrast, structure and SSIM lack to 1, over all windows inside the image.

    Args:
        reference: (H, row) uint8, uint16 or float32, H >= 11.
        distorted: (H, row), same dtype.
        width: Samples of a row that count, >= 11.
        gain: Factor that brings samples to 0 .. 255.
        weights: (H, row) float32 weight of the window centred on each sample, or None.
        work: (WORK_SIZE,) float32.
        sums: (SUMS,) float64, written.
    """
    factor = np.float32(gain)
    half, zero = np.float32(0.5), np.float32(0.0)
    quarter, two = np.float32(0.25), np.float32(2.0)
    out_height = reference.shape[0] - 2 * RADIUS
    out_width = width - 2 * RADIUS
    blurred = work[BLURRED : BLURRED + 5 * PITCH]
    p, q = blurred[:PITCH], blurred[PITCH : 2 * PITCH]
    pp, qq, pq = blurred[2 * PITCH : 3 * PITCH], blurred[3 * PITCH : 4 * PITCH], blurred[4 * PITCH : 5 * PITCH]
    ones = work[ONES : ONES + PITCH]
    for x in range(PITCH):
        ones[x] = np.float32(1.0)
    ssim_total, l_total, c_total, s_total, weight_total = 0.0, 0.0, 0.0, 0.0, 0.0
    for top in range(0, out_height, STRIP):
        rows = min(STRIP, out_height - top)
        for left in range(0, out_width, TILE):
            n = min(TILE, out_width - left)
            for y in range(rows + 2 * RADIUS):
                _load(
                    reference, distorted, top + y, left, n + 2 * RADIUS, factor, work[y * PITCH : Q + (y + 1) * PITCH]
                )
            for y in range(rows):
                _blur_columns(work[y * PITCH : Q + (y + 2 * RADIUS + 1) * PITCH], blurred, n + 2 * RADIUS)
                ssim_sum, l_sum, c_sum, s_sum, weight_sum = zero, zero, zero, zero, zero
                if weights is None:
                    row_weights = ones[:n]
                else:
                    row_weights = weights[top + y + RADIUS, left + RADIUS : left + RADIUS + n]
                for x in range(n):
                    mean_z, mean_q = _blur_row(p, x), _blur_row(q, x)
                    mean_p = mean_z + BLURRED_OFFSET
                    var_p = _blur_row(pp, x) - mean_z * mean_z + EXCESS * (mean_z + mean_p)
                    var_q = _blur_row(qq, x) - mean_q * mean_q
                    d = half * (_blur_row(pq, x) - mean_z * mean_q + EXCESS * mean_q)
                    var_x = quarter * (var_p + var_q) + d
                    var_y = quarter * (var_p + var_q) - d
                    clipped_x, clipped_y = max(var_x, zero), max(var_y, zero)
                    both = clipped_x + clipped_y
                    root = np.sqrt(clipped_x * clipped_y)
                    apart = clipped_x - clipped_y
                    gap = apart * apart / (both + two * root + TINY)  # var_x + var_y - 2 sigma_x sigma_y
                    # 2 (sigma_x sigma_y - cov_xy); negative covariances of flat windows do not count
                    unlike = var_q + (clipped_x - var_x) + (clipped_y - var_y) - gap
                    unlike = unlike if root > zero else min(unlike, zero)
                    l_lack = mean_q * mean_q / (half * (mean_p * mean_p + mean_q * mean_q) + C1)
                    c_lack = gap / (both + C2)
                    s_lack = unlike / (two * root + C2)
                    cs_lack = c_lack + s_lack - c_lack * s_lack
                    lack = l_lack + cs_lack - l_lack * cs_lack
                    weight = row_weights[x]
                    ssim_sum += weight * lack
                    l_sum += weight * l_lack
                    c_sum += weight * c_lack
                    s_sum += weight * s_lack
                    weight_sum += weight
                ssim_total += float(ssim_sum)
                l_total += float(l_sum)
                c_total += float(c_sum)
                s_total += float(s_sum)
                weight_total += float(weight_sum)
    sums[0], sums[1], sums[2], sums[3], sums[4] = ssim_total, l_total, c_total, s_total, weight_total


@numba.njit(inline="always", **FAST)
def _mirror(position: int, size: int) -> int:
    """Half-sample symmetric border (libvmaf's KBND_SYMMETRIC)."""
    if position < 0:
        return -1 - position
    if position >= size:
        return 2 * size - 1 - position
    return position


@numba.njit(**FAST)
def box_decimate(plane: Any, width: int, factor: int, gain: float, work: Any, out: Any, out_width: int) -> None:
    """Mean of factor x factor samples around every factor-th sample.

    Taps reach from -(factor // 2) to (factor - 1) // 2 around sample (factor * y, factor * x), mirrored at the borders.

    Args:
        plane: (H, row) uint8, uint16 or float32.
        width: Samples of a row that count, >= factor.
        factor: Distance of the samples kept, >= 1.
        gain: Factor applied to the result.
        work: (>= width + 2 * factor,) float32.
        out: (H', row') float32, written.
        out_width: Samples of a row of `out` to write.
    """
    height = plane.shape[0]
    before = factor // 2
    scale = np.float32(gain / (factor * factor))
    for y in range(out.shape[0]):
        middle = work[before : before + width]
        for x in range(width):
            middle[x] = np.float32(0.0)
        for v in range(factor):
            row = plane[_mirror(y * factor - before + v, height), :width]
            for x in range(width):
                middle[x] += np.float32(row[x])
        for x in range(before):
            work[before - 1 - x] = work[before + x]
        for x in range(factor):
            work[before + width + x] = work[before + width - 1 - x]
        target = out[y, :out_width]
        for x in range(out_width):
            taps = work[x * factor : x * factor + factor]
            total = np.float32(0.0)
            for u in range(factor):
                total += taps[u]
            target[x] = total * scale


@numba.njit(**FAST)
def low_pass_decimate(plane: Any, width: int, gain: float, work: Any, out: Any, out_width: int) -> None:
    """Every second sample of every second row after the 9/7 wavelet's low-pass, mirrored at the borders.

    Args:
        plane: (H, row) uint8, uint16 or float32, H >= 5.
        width: Samples of a row that count, >= 5.
        gain: Factor applied to the result.
        work: (>= 2 * width + 16,) float32.
        out: (H', row') float32, written; H' = (H + 1) // 2.
        out_width: (width + 1) // 2.
    """
    height = plane.shape[0]
    scale = np.float32(gain)
    padded = work[: width + 2 * LOW_PASS_RADIUS + 1]
    middle = padded[LOW_PASS_RADIUS : LOW_PASS_RADIUS + width]
    count = out_width + LOW_PASS_RADIUS
    even = work[width + 10 : width + 10 + count]
    odd = work[width + 10 + count : width + 10 + 2 * count]
    for y in range(out.shape[0]):
        r0, r1 = plane[_mirror(2 * y - 4, height), :width], plane[_mirror(2 * y - 3, height), :width]
        r2, r3 = plane[_mirror(2 * y - 2, height), :width], plane[_mirror(2 * y - 1, height), :width]
        r4, r5 = plane[_mirror(2 * y, height), :width], plane[_mirror(2 * y + 1, height), :width]
        r6, r7 = plane[_mirror(2 * y + 2, height), :width], plane[_mirror(2 * y + 3, height), :width]
        r8 = plane[_mirror(2 * y + 4, height), :width]
        for x in range(width):
            middle[x] = (
                L0 * (np.float32(r0[x]) + np.float32(r8[x]))
                + L1 * (np.float32(r1[x]) + np.float32(r7[x]))
                + L2 * (np.float32(r2[x]) + np.float32(r6[x]))
                + L3 * (np.float32(r3[x]) + np.float32(r5[x]))
                + L4 * np.float32(r4[x])
            ) * scale
        for x in range(LOW_PASS_RADIUS):
            padded[LOW_PASS_RADIUS - 1 - x] = middle[x]
            padded[LOW_PASS_RADIUS + width + x] = middle[width - 1 - x]
        padded[width + 2 * LOW_PASS_RADIUS] = np.float32(0.0)
        for x in range(count):
            even[x] = padded[2 * x]
            odd[x] = padded[2 * x + 1]
        target = out[y, :out_width]
        for x in range(out_width):
            target[x] = (
                L0 * (even[x] + even[x + 4])
                + L1 * (odd[x] + odd[x + 3])
                + L2 * (even[x + 1] + even[x + 3])
                + L3 * (odd[x + 1] + odd[x + 2])
                + L4 * even[x + 2]
            )
