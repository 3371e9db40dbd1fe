"""An untrusted ONNX file becomes a bounded session.

>>> from tinyvmaf import dnn
>>> with dnn.open_session("vmaf_tiny") as session:  # doctest: +SKIP
...     scores = session.run({"features": features})["score"]
...     print(session.attached_device)

Every model goes one way: its bytes are read once, hashed, checked by the guard, and opened from memory. Names are
loaded on first use.
"""

from __future__ import annotations

import importlib

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from tinyvmaf.dnn.guard import Limits, Verdict, check
    from tinyvmaf.dnn.session import Session

_HOMES = {
    "DnnConfig": "tinyvmaf.score.scorer",
    "Limits": "tinyvmaf.dnn.guard",
    "ModelSession": "tinyvmaf.models.runtime",
    "Session": "tinyvmaf.dnn.session",
    "Verdict": "tinyvmaf.dnn.guard",
    "check": "tinyvmaf.dnn.guard",
    "open_session": "tinyvmaf.models.runtime",
    "present": "tinyvmaf.dnn.providers",
    "use_tiny_model": "tinyvmaf.score.scorer",
}
"""The door of this room also leads to what is built on it, by name only: nothing here depends on the rooms above."""

__all__ = [
    "DnnConfig",
    "Limits",
    "ModelSession",
    "Session",
    "Verdict",
    "check",
    "open_session",
    "present",
    "use_tiny_model",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'tinyvmaf.dnn' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return __all__
