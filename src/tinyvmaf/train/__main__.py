"""`python -m tinyvmaf.train --data DIR --out DIR` makes vmaf_tiny.onnx, its sidecar and its card."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable
from pathlib import Path

from tinyvmaf.train import command

ONE_THREAD = {name: "1" for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")}
"""BLAS adds in an order that depends on its number of threads."""


def main() -> int:
    """Run the command.

    Returns:
        The exit code.
    """
    if any(os.environ.get(name) != value for name, value in ONE_THREAD.items()):
        # BLAS reads its settings when it is loaded, so they must stand before this process starts.
        words = [sys.executable, "-m", "tinyvmaf.train", *sys.argv[1:]]
        os.execve(sys.executable, words, {**os.environ, **ONE_THREAD})
    arguments = _parse()

    def ready() -> Callable[[], object]:
        from tinyvmaf.train.recipe import load_recipe
        from tinyvmaf.train.run import make_model

        cache = arguments.cache or arguments.out / "cache"
        return lambda: make_model(
            load_recipe(arguments.recipe), arguments.data, arguments.out, cache, arguments.jobs, command.say
        )

    return command.run(ready, "pip install 'tinyvmaf[train,ffmpeg]'", "stopped; the same command goes on from here")


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tinyvmaf.train", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder that the recipe's paths are relative to")
    parser.add_argument("--out", type=Path, required=True, help="folder for the model, its sidecar and its card")
    parser.add_argument("--cache", type=Path, help="folder for features, OUT/cache by default")
    parser.add_argument("--recipe", type=Path, help="another recipe than that of vmaf_tiny")
    parser.add_argument("--jobs", type=command.count, default=1, help="processes that encode and measure (default 1)")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
