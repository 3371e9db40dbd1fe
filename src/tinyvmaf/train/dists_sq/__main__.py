"""`python -m tinyvmaf.train.dists_sq --pictures DIR --teacher dists.onnx --out DIR` makes dists_sq.onnx."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from tinyvmaf.errors import TinyVmafError


def main() -> int:
    """Run the command.

    Returns:
        The exit code.
    """
    arguments = _parse()
    try:
        import torch

        from tinyvmaf.train.dists_sq.run import Plan, make_model
    except ModuleNotFoundError as error:
        _say(f"error: Training needs the package {error.name}. Run: pip install 'tinyvmaf[train]' torch pillow")
        return 2
    torch.set_num_threads(arguments.threads)
    words = vars(arguments)
    del words["threads"]
    try:
        resume = words.pop("resume")
        make_model(Plan(**words | {"outside": tuple(words["outside"])}), resume, _say)
    except TinyVmafError as error:
        _say(f"error: {error}")
        return error.exit_code
    except KeyboardInterrupt:
        _say("stopped; the same command with --resume goes on from here")
        return 130
    return 0


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tinyvmaf.train.dists_sq", description=__doc__)
    parser.add_argument("--pictures", type=Path, required=True, help="folder of open pictures with a manifest.csv")
    parser.add_argument("--teacher", type=Path, required=True, help="dists.onnx, from `tinyvmaf models pull dists`")
    parser.add_argument(
        "--out", type=Path, required=True, help="folder for the model, its figures and all that is kept"
    )
    parser.add_argument("--resume", action="store_true", help="go on with the fit in that folder")
    parser.add_argument("--scenes", type=_count, default=2000, help="scenes for training (default 2000)")
    parser.add_argument("--steps", type=_count, default=4000, help="updates (default 4000)")
    parser.add_argument(
        "--precision", choices=("bfloat16", "float32"), default="bfloat16", help="of the teacher (default bfloat16)"
    )
    parser.add_argument("--test-crops", type=_count, default=24, help="references of each test (default 24)")
    parser.add_argument(
        "--outside", type=Path, action="append", default=[], help="folder of pictures to evaluate on, and nothing else"
    )
    parser.add_argument("--threads", type=_count, default=1, help="of PyTorch (default 1)")
    return parser.parse_args()


def _count(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("it must be 1 or more")
    return number


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
