"""`python -m tinyvmaf.train.dists_sq --pictures DIR --teacher dists.onnx --out DIR` makes dists_sq.onnx."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

from tinyvmaf.train import command


def main() -> int:
    """Run the command.

    Returns:
        The exit code.
    """
    arguments = _parse()

    def ready() -> Callable[[], object]:
        import torch

        from tinyvmaf.train.dists_sq.run import Plan, make_model

        words = vars(arguments)
        torch.set_num_threads(words.pop("threads"))
        resume = words.pop("resume")
        plan = Plan(**words | {"outside": tuple(words["outside"])})
        return lambda: make_model(plan, resume, command.say)

    return command.run(
        ready, "pip install 'tinyvmaf[train]'", "stopped; the same command with --resume goes on from here"
    )


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tinyvmaf.train.dists_sq", description=__doc__)
    parser.add_argument("--pictures", type=Path, required=True, help="folder of open pictures with a manifest.csv")
    parser.add_argument("--teacher", type=Path, required=True, help="dists.onnx, from `tinyvmaf models pull dists`")
    parser.add_argument(
        "--out", type=Path, required=True, help="folder for the model, its figures and all that is kept"
    )
    parser.add_argument("--resume", action="store_true", help="go on with the fit in that folder")
    parser.add_argument("--scenes", type=command.count, default=2600, help="scenes for training (default 2600)")
    parser.add_argument("--steps", type=command.count, default=1900, help="updates (default 1900)")
    parser.add_argument(
        "--precision", choices=("bfloat16", "float32"), default="bfloat16", help="of the teacher (default bfloat16)"
    )
    parser.add_argument("--test-crops", type=command.count, default=24, help="references of each test (default 24)")
    parser.add_argument(
        "--outside", type=Path, action="append", default=[], help="folder of pictures to evaluate on, and nothing else"
    )
    parser.add_argument("--threads", type=command.count, default=1, help="of PyTorch (default 1)")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
