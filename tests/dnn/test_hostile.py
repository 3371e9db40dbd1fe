"""Attacks: every model of the catalogue is refused for what it does, and files are never read astray."""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import sys

import pytest

from cli_runs import call, environment
from hostile import FILES, INVALID, MODELS, RUNS, fits, legitimate
from hostile.files import RULES
from tinyvmaf.dnn import guard
from tinyvmaf.dnn.session import Session
from tinyvmaf.errors import BindingError, ContractError, ModelError, RejectedModelError, RunLimitError
from tinyvmaf.models import load, paths

MEBIBYTES = 256
"""Memory that a verdict may take beside the interpreter and the file."""

CHILD = """
import resource, sys
from tinyvmaf.dnn import guard
with open(sys.argv[1], "rb") as file:
    data = file.read()
with open("/proc/self/status") as status:
    used = next(int(line.split()[1]) << 10 for line in status if line.startswith("VmSize"))
resource.setrlimit(resource.RLIMIT_AS, (used + (int(sys.argv[2]) << 20),) * 2)
print(guard.check(data).line)
"""
LARGEST = (
    "1500000_nodes_of_tanh",
    "300000_nodes_of_relu",
    "branches_50000_deep",
    "flood_of_attribute_integers",
    "flood_of_functions",
    "flood_of_metadata",
    "flood_of_outputs",
    "flood_of_wires",
    "graph_nested_1000000_deep_in_attributes",
    "million_inputs_of_the_graph",
    "million_outputs_of_one_node",
    "two_million_initialisers",
)
HONEST = ("thirty_mebibytes_of_floats", "sixteen_mebibytes_of_listed_floats", "four_mebibytes_of_listed_bytes")

WORDS = {
    "empty": "empty",
    "jail": paths.JAIL,
    "not found": "No such file|Too many levels",
    "not found|name": "name too long|null",
    "permission": "denied",
    "protobuf": "not an ONNX model",
    "size|bytes|MiB": "bytes",
}
"""Rule of a file's attack -> what is said of it."""


@pytest.mark.parametrize("attack", MODELS.values(), ids=list(MODELS))
def test_every_attack_is_refused_for_its_sin(attack):
    verdict = guard.check(attack())
    assert not verdict.accepted
    assert fits(attack, verdict.reason), verdict.reason
    assert verdict.line.isprintable()
    assert len(verdict.line) < 700
    with pytest.raises(RejectedModelError):
        verdict.require()


@pytest.mark.parametrize("attack", INVALID.values(), ids=list(INVALID))
def test_a_mistake_is_refused_or_fails_with_an_error(attack):
    data = attack()
    verdict = guard.check(data)
    assert verdict.line.isprintable()
    if not verdict.accepted:
        return
    ports = verdict.report.inputs
    if [port.name for port in ports] != ["x"]:
        return  # values that a session does not take
    import numpy as np

    with contextlib.suppress(ModelError), Session(data, device="cpu") as session:
        session.run([np.zeros(ports[0].shape, np.float32)])


@pytest.mark.skipif(sys.platform != "linux", reason="the limit of memory is Linux's")
@pytest.mark.parametrize("name", [*LARGEST, *HONEST])
def test_a_verdict_takes_little_memory(name, tmp_path):
    file = tmp_path / "model.onnx"
    file.write_bytes(MODELS[name]() if name in MODELS else legitimate.MODELS[name]())
    done = subprocess.run(
        [sys.executable, "-c", CHILD, str(file), str(MEBIBYTES)],
        capture_output=True, text=True, env=environment(), check=False,
    )  # fmt: skip
    assert done.stdout.startswith("refused: " if name in MODELS else "accepted: "), done.stderr[-300:]


@pytest.mark.parametrize("name", [name for name, attack in RUNS.items() if attack.small])
def test_honest_sizes_pass(name):
    verdict = guard.check(RUNS[name].build())
    assert verdict.admit(RUNS[name].small).work > 0


@pytest.mark.parametrize("name", [name for name in RUNS if name != "size_that_the_caller_may_replace"])
def test_sizes_that_explode_are_stopped(name):
    attack = RUNS[name]
    verdict = guard.check(attack.build())
    if verdict.accepted:
        with pytest.raises((RunLimitError, ContractError)):
            verdict.admit(attack.large, attack.values)


def test_an_initialiser_is_no_input_whatever_the_caller_gives():
    import numpy as np

    data = RUNS["size_that_the_caller_may_replace"].build()
    report = guard.check(data).require()
    assert [port.name for port in report.inputs] == ["x"]
    picture = np.zeros((1, 3, 8, 8), np.float32)
    with Session(data, device="cpu") as session:
        with pytest.raises(BindingError):
            session.run({"x": picture, "wanted": np.array([1 << 28, 3, 8, 8])})
        assert next(iter(session.run({"x": picture}).values())).shape == (1, 3, 8, 8)


def _place(name, tmp_path, monkeypatch):
    """The path of an attack on files, and everything that lies around it."""
    path = FILES[name](tmp_path)
    if RULES[name] == "jail":
        monkeypatch.setenv(paths.JAIL, str(tmp_path / "jail"))
    if name == "unreadable_file" and os.access(path, os.R_OK):
        pytest.skip("the superuser reads every file")
    return path


def _around(folder):
    return sorted((str(path), os.lstat(path).st_size) for path in folder.rglob("*"))


@pytest.mark.parametrize("name", FILES)
def test_files(name, tmp_path, monkeypatch):
    path = _place(name, tmp_path, monkeypatch)
    before = _around(tmp_path)
    with pytest.raises(ModelError, match=WORDS.get(RULES[name], RULES[name])):
        guard.check(load.load(path).data).require()
    with pytest.raises(ModelError, match=WORDS.get(RULES[name], RULES[name])):
        guard.check(paths.read(path, guard.DEFAULT.file_bytes, jailed=True)).require()
    assert _around(tmp_path) == before
    assert not (tmp_path.parent / "climbed.onnx").exists()


@pytest.mark.parametrize("name", FILES)
def test_cli(name, tmp_path, monkeypatch):
    path = _place(name, tmp_path, monkeypatch)
    before = _around(tmp_path)
    run = call("tinyvmaf", "models", "check", path)
    assert run.code == 2
    assert run.out == ""
    assert len(run.lines) == 1
    assert re.search(WORDS.get(RULES[name], RULES[name]), run.err)
    assert _around(tmp_path) == before
