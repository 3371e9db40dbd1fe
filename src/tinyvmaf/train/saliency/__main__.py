"""`python -m tinyvmaf.train.saliency --pictures DIR --out DIR` makes saliency.onnx from open pictures and a teacher."""

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
        from tinyvmaf.train.saliency.run import Size, make_model

        size = Size(arguments.files, arguments.validation_files, arguments.steps, arguments.threads)
        return lambda: make_model(arguments.pictures, arguments.out, size, arguments.resume, command.say)

    return command.run(
        ready, "pip install 'tinyvmaf[train]'", "stopped; the same command with --resume goes on from here"
    )


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tinyvmaf.train.saliency", description=__doc__)
    parser.add_argument("--pictures", type=Path, required=True, help="folder of photos/, frames/ and cutouts/")
    parser.add_argument("--out", type=Path, required=True, help="folder for samples, states and saliency.onnx")
    parser.add_argument("--resume", action="store_true", help="go on from the last saved state")
    parser.add_argument("--files", type=command.count, default=32, help="files of 64 samples for training (default 32)")
    parser.add_argument("--validation-files", type=command.count, default=4, help="the same for validation (default 4)")
    parser.add_argument("--steps", type=command.count, default=600, help="batches (default 600)")
    parser.add_argument("--threads", type=command.count, default=1, help="threads of the fit (default 1)")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
