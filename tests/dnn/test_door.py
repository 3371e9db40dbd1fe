"""The door of the room: names that lead to their homes when they are first asked for, and nothing else."""

from __future__ import annotations

import importlib
import subprocess
import sys

import pytest

from cli_runs import environment
from tinyvmaf import dnn


def test_the_door_leads_to_the_homes():
    assert dir(dnn) == list(dnn.__all__)
    for name in dnn.__all__:
        thing = getattr(dnn, name)
        assert thing is getattr(importlib.import_module(thing.__module__), name)


def test_a_name_that_is_not_there():
    with pytest.raises(AttributeError, match=r"module 'tinyvmaf\.dnn' has no attribute 'sesion'"):
        dnn.sesion  # noqa: B018


def test_the_guard_comes_through_the_door_alone():
    code = "import sys; from tinyvmaf.dnn import check; print(check(b'').accepted, "
    code += "sorted({'numpy', 'onnxruntime', 'tinyvmaf.dnn.session', 'tinyvmaf.models'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment(), check=True)
    assert done.stdout == "False []\n"
