"""The workflows: YAML that parses, actions pinned, no more rights than needed, commands that exist."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

import pki
from tinyvmaf.cli.commands import GROUPS
from tinyvmaf.dnn.providers import parse_devices
from tinyvmaf.errors import IntegrityError
from tinyvmaf.models import registry
from tinyvmaf.models.load import load
from tinyvmaf.models.recipes import RECIPES
from tinyvmaf.models.register import write_registry
from tinyvmaf.models.verify import RELEASE_WORKFLOW, release_policy

FOLDER = Path(__file__).resolve().parents[2] / ".github" / "workflows"
FILES = sorted(FOLDER.glob("*.yml"))


def read(path):
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def steps(name="*"):
    return [step for path in FOLDER.glob(f"{name}.yml") for job in read(path)["jobs"].values() for step in job["steps"]]


def commands(name="*"):
    """What the steps run, lines that end in a backslash joined."""
    return "\n".join(step.get("run", "") for step in steps(name)).replace("\\\n", " ")


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_every_job_has_an_end_and_no_more_rights_than_it_needs(path):
    workflow = read(path)
    assert set(workflow) >= {"name", True, "permissions", "jobs"}  # YAML reads the key "on" as true
    assert workflow["permissions"] in ({}, {"contents": "read"})
    for name, job in workflow["jobs"].items():
        assert job["timeout-minutes"] <= 30, name
        rights = job.get("permissions", {})
        assert rights in ({}, {"contents": "read", "id-token": "write"}), name
        assert bool(rights) == (path.name == "release.yml")


def test_actions_are_pinned_by_commit_and_keep_no_credentials():
    uses = [step["uses"] for step in steps() if "uses" in step]
    assert uses
    assert all(re.fullmatch(r"actions/[a-z-]+@[0-9a-f]{40}", action) for action in uses)
    checkouts = [step for step in steps() if step.get("uses", "").startswith("actions/checkout@")]
    assert all(step["with"] == {"persist-credentials": False} for step in checkouts)


def test_commands_have_no_expression_pasted_into_them():
    assert "${{" not in commands()


def test_commands_and_their_names_exist():
    words = re.findall(r"tinyvmaf models (\w+)([^\n]*)", commands())
    assert {command for command, _ in words} == {"parity", "pull", "sign", "verify"} <= set(GROUPS["models"])
    assert all(name in RECIPES for command, rest in words if command == "pull" for name in rest.split())
    devices = re.findall(r"(?:--devices |devices=)([a-z][\w:=,-]*)", commands("parity"))
    assert len(devices) == 4
    assert all(parse_devices(device.split(":")[0]) for group in devices for device in group.split(","))


def test_what_the_release_signs_is_what_we_pin():
    assert release_policy("1.2.3").identity == f"{RELEASE_WORKFLOW}@refs/tags/v1.2.3"
    assert RELEASE_WORKFLOW.endswith("/.github/workflows/release.yml")
    text = commands("release")
    order = [text.index(part) for part in ("models sign", "write_registry(", "-m build", "models verify --signature")]
    assert order == sorted(order)
    assert read(FOLDER / "release.yml")[True] == {"push": {"tags": ["v*"]}}


def test_what_the_release_writes_is_verified(tmp_path, monkeypatch):
    """The registry with the release's signer, on a copy, with bundles of a Sigstore of our own."""
    own, folder, policy = pki.Pki(), tmp_path / "data", release_policy("1.2.3")
    shutil.copytree(registry.data_folder(), folder)
    data = (folder / "vmaf_tiny.onnx").read_bytes()
    bundle = json.dumps(own.bundle(data, policy.identity, policy.issuer))
    (folder / "vmaf_tiny.onnx.sigstore.json").write_text(bundle)
    write_registry(folder, identity=policy.identity, issuer=policy.issuer)
    (tmp_path / "root.json").write_text(json.dumps(own.trusted_root()))
    monkeypatch.setattr(registry, "data_folder", lambda: folder)
    with pytest.raises(IntegrityError, match=f"must be signed by {re.escape(policy.identity)}"):
        load("vmaf_tiny", verify=True)  # the public root of trust does not know our Sigstore
    assert load("vmaf_tiny", verify=replace(policy, trusted_root=tmp_path / "root.json")).verified


def test_the_runner_with_a_gpu_runs_only_when_asked():
    job = read(FOLDER / "parity.yml")["jobs"]["cuda"]
    assert job["runs-on"] == ["self-hosted", "linux", "gpu"]
    assert "workflow_dispatch" in job["if"]
    assert "head.repo.full_name == github.repository" in job["if"]
