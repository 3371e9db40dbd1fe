"""From numbers to an answer: features become scores, scores become one figure per clip, and a log says how.

The folder is also the function of its name: `tinyvmaf.score(reference, distorted)` is `compare.compare`, whether or not
a module of the folder was imported before, which would bind the name to the folder.
"""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any


class _CalledFolder(ModuleType):
    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Score a distorted video against its reference: see `tinyvmaf.score.compare.compare`."""
        from tinyvmaf.score.compare import compare

        return compare(*args, **kwargs)


sys.modules[__name__].__class__ = _CalledFolder
