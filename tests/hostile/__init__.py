"""Attack models, built by code: every file that must be refused, in one catalogue of a fixed order.

`MODELS` must be refused. `INVALID` are mistakes that the runtime reports itself: a guard may accept or refuse them.
`RUNS` are honest until a run is large. `FILES` attack the way a file is opened.
"""

from __future__ import annotations

import re

from hostile import (
    compute,
    computed,
    crash,
    graphs,
    growth,
    hidden,
    loops,
    memory,
    mistaken,
    odd,
    opening,
    operators,
    readings,
    resize,
    slow,
    structure,
    tensors,
    wire,
)
from hostile.at_run import RUNS, RunAttack
from hostile.build import Attack
from hostile.files import FILES

__all__ = ["FILES", "INVALID", "INVALID_REASON", "MODELS", "RUNS", "Attack", "RunAttack", "fits"]

_FAMILIES = (
    memory,
    resize,
    growth,
    computed,
    compute,
    hidden,
    loops,
    structure,
    graphs,
    tensors,
    wire,
    operators,
    crash,
    opening,
    readings,
    slow,
    mistaken,
)

MODELS: dict[str, Attack] = {}
"""Name to attack; calling it gives the bytes."""

for _family in _FAMILIES:
    assert not MODELS.keys() & _family.ATTACKS.keys()
    MODELS.update(_family.ATTACKS)

INVALID: dict[str, Attack] = dict(odd.INVALID)
INVALID_REASON = odd.WHY

_SIZE = "elements|MiB|axis|axes|operations|rounds|known before a run"
WORDS = {
    "attribute": "attribute|value",
    "body": "body|defined|output|input",
    "constant": "constant|value",
    "branch": "branch|defined",
    "count": "fields|at most|rounds",
    "cycle": "before it is defined",
    "dim": _SIZE,
    "domain": "domain|operators|belongs|a name is",
    "duplicate": "twice",
    "depth": "deep|depth|levels",
    "function": "one graph|function",
    "memory": _SIZE,
    "name": "name|defined",
    "node": "node|fields",
    "order": "before it is defined",
    "protobuf": "not an ONNX model|must hold a model",
    "rank": "axes",
    "shape": _SIZE,
    "size": _SIZE,
    "trip": "rounds",
    "undefined": "defined",
    "unknown": "known before a run",
    "work": _SIZE,
}
"""What a refusal may say for a rule whose short name it does not use."""


def fits(attack: Attack, reason: str) -> bool:
    """Whether a refusal names the rule that this attack should run into, not an accident of its form."""
    return any(re.search(WORDS.get(rule, rule), reason, re.IGNORECASE) for rule in attack.rule.split("|"))
