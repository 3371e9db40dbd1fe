"""How every command ends: errors become one line and an exit code, whatever happened becomes visible."""

from __future__ import annotations

import errno
import os
import signal
import sys
from collections.abc import Callable
from types import FrameType

from tinyvmaf.errors import DataError, TinyVmafError

INTERRUPTED = 130
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def run(name: str, command: Callable[[], int]) -> int:
    """Run a command.

    Args:
        name: Program name, put before every message.
        command: Does the work and returns an exit code.

    Returns:
        0 done, 2 a user's mistake or a refused pair, 1 a run that failed, 130 interrupted.
    """
    try:  # noqa: SIM105 - neither contextlib nor threading: a check of a model is over before they are loaded
        signal.signal(signal.SIGTERM, _terminated)
    except ValueError:  # this is not the main thread
        pass
    _open_closed()
    try:
        code = command()
        sys.stdout.flush()  # what cannot be written is our error, not one of the interpreter's last words
        return code
    except TinyVmafError as error:
        say(name, str(error))
        return error.exit_code
    except KeyboardInterrupt:
        say(name, "interrupted; nothing was written")
        return INTERRUPTED
    except Exception as error:
        if isinstance(error, OSError) and error.errno in _FULL:
            _drop_output()
            say(name, f"Output cannot be written: {error.strerror}. Make room, or write elsewhere.")
            return DataError.exit_code
        if os.environ.get("TINYVMAF_DEBUG"):
            raise
        _drop_output()
        if not isinstance(error, BrokenPipeError):  # the reader of our output went away, as `head` does
            detail = " ".join(str(error).split())
            say(name, f"failed: {type(error).__name__}: {detail} (set TINYVMAF_DEBUG=1 for the traceback)")
        return 1


def _open_closed() -> None:
    """Give a program that was started with closed streams (`2>&-`) something to write to."""
    sys.stdout = sys.stdout or open(os.devnull, "w")  # noqa: SIM115
    sys.stderr = sys.stderr or open(os.devnull, "w")  # noqa: SIM115


def _drop_output() -> None:
    """Forget what standard output could not take: it must not be flushed again at exit."""
    try:
        sys.stdout.flush()
    except OSError:
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, sys.stdout.fileno())
        os.close(null)


def say(name: str, text: str) -> None:
    """Print one line on standard error.

    Args:
        name: Program name.
        text: What to say; control characters, which a file's name may hold, are shown instead of obeyed.
    """
    shown = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
    print(f"{name}: {shown}", file=sys.stderr, flush=True)


def _terminated(_signal: int, _frame: FrameType | None) -> None:
    """Stop as Ctrl-C does, so that nothing half written stays behind."""
    raise KeyboardInterrupt
