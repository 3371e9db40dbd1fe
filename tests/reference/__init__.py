"""Slow, obvious twins of the kernels: NumPy and SciPy in float64, from the definitions."""
