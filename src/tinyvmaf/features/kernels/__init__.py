"""Numba loops, one file per feature that needs them. Nothing here is imported to score: see `native`."""
