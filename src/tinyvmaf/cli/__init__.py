"""Doors for the shell: one module per command, no logic of their own."""

import os

# NumPy's linear algebra would start a thread per processor of its own, which wait busily between its small products and
# take the processors from the scoring threads. It reads this when it is loaded.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
