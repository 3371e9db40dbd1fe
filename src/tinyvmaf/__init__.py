"""tinyvmaf: how good does this encode look, and where does it break?

>>> import tinyvmaf
>>> result = tinyvmaf.score("reference.mkv", "distorted.mkv")  # doctest: +SKIP
>>> result.score("vmaf"), result.pooled("vmaf").p5  # doctest: +SKIP

Every name is loaded on first use: importing the package costs next to nothing.
"""

from __future__ import annotations

import importlib

from tinyvmaf._version import __version__

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from tinyvmaf.errors import (
        ContractError,
        DataError,
        MismatchError,
        MissingExtraError,
        ModelError,
        RunError,
        TinyVmafError,
        TruncatedVideoError,
        UnknownNameError,
        UnreadableVideoError,
        UsageError,
        VideoError,
    )
    from tinyvmaf.score.compare import compare as score
    from tinyvmaf.score.compare import load_model
    from tinyvmaf.score.logs import read_log, write_log
    from tinyvmaf.score.pipeline import make_feature
    from tinyvmaf.score.result import Result
    from tinyvmaf.video.policy import PairingPolicy
    from tinyvmaf.video.raw import RawFormat
    from tinyvmaf.video.reader import open_arrays, open_video

_HOMES = {
    "ContractError": "tinyvmaf.errors",
    "DataError": "tinyvmaf.errors",
    "MismatchError": "tinyvmaf.errors",
    "MissingExtraError": "tinyvmaf.errors",
    "ModelError": "tinyvmaf.errors",
    "PairingPolicy": "tinyvmaf.video.policy",
    "RawFormat": "tinyvmaf.video.raw",
    "Result": "tinyvmaf.score.result",
    "RunError": "tinyvmaf.errors",
    "TinyVmafError": "tinyvmaf.errors",
    "TruncatedVideoError": "tinyvmaf.errors",
    "UnknownNameError": "tinyvmaf.errors",
    "UnreadableVideoError": "tinyvmaf.errors",
    "UsageError": "tinyvmaf.errors",
    "VideoError": "tinyvmaf.errors",
    "load_model": "tinyvmaf.score.compare",
    "make_feature": "tinyvmaf.score.pipeline",
    "open_arrays": "tinyvmaf.video.reader",
    "open_video": "tinyvmaf.video.reader",
    "read_log": "tinyvmaf.score.logs",
    "score": "tinyvmaf.score.compare",
    "write_log": "tinyvmaf.score.logs",
}
_RENAMED = {"score": "compare"}

__all__ = [
    "ContractError",
    "DataError",
    "MismatchError",
    "MissingExtraError",
    "ModelError",
    "PairingPolicy",
    "RawFormat",
    "Result",
    "RunError",
    "TinyVmafError",
    "TruncatedVideoError",
    "UnknownNameError",
    "UnreadableVideoError",
    "UsageError",
    "VideoError",
    "__version__",
    "load_model",
    "make_feature",
    "open_arrays",
    "open_video",
    "read_log",
    "score",
    "write_log",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'tinyvmaf' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), _RENAMED.get(name, name))


def __dir__() -> list[str]:
    return __all__
