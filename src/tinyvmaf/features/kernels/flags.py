"""How every kernel is compiled, named once."""

from __future__ import annotations

from typing import Any, Final

FAST: Final[dict[str, Any]] = {
    # Kernels never see or make a NaN or an infinity (no division by zero: each divisor carries an epsilon), and do not
    # tell -0 from 0; contraction to FMA, re-association and reciprocals are what lets sums use vector registers.
    "fastmath": {"nnan", "ninf", "nsz", "contract", "reassoc", "arcp", "afn"},
    "nogil": True,
    "boundscheck": False,
    "error_model": "numpy",
}
"""Keyword arguments of `numba.njit` for loops that sum."""

ORDERED: Final[dict[str, Any]] = {**FAST, "fastmath": FAST["fastmath"] - {"reassoc"}}
"""The same for loops that do not: their terms already stand in the fastest order, or in the only exact one."""
