"""`python -m tinyvmaf.train.saliency --pictures DIR --out DIR` makes saliency.onnx from open pictures and a teacher."""

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
        from tinyvmaf.train.saliency.run import Size, make_model
    except ModuleNotFoundError as error:
        _say(f"error: This training needs the package {error.name}. Run: pip install torch pillow onnx")
        return 2
    try:
        size = Size(arguments.files, arguments.validation_files, arguments.steps, arguments.threads)
        make_model(arguments.pictures, arguments.out, size, arguments.resume, _say)
    except TinyVmafError as error:
        _say(f"error: {error}")
        return error.exit_code
    except KeyboardInterrupt:
        _say("stopped; the same command with --resume goes on from here")
        return 130
    return 0


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tinyvmaf.train.saliency", description=__doc__)
    parser.add_argument("--pictures", type=Path, required=True, help="folder of photos/, frames/ and cutouts/")
    parser.add_argument("--out", type=Path, required=True, help="folder for samples, states and saliency.onnx")
    parser.add_argument("--resume", action="store_true", help="go on from the last saved state")
    parser.add_argument("--files", type=_count, default=64, help="files of 64 samples for training (default 64)")
    parser.add_argument("--validation-files", type=_count, default=4, help="the same for validation (default 4)")
    parser.add_argument("--steps", type=_count, default=6000, help="batches (default 6000)")
    parser.add_argument("--threads", type=_count, default=1, help="threads of the fit (default 1)")
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
