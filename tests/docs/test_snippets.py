"""The snippets that the pages include: each runs as a reader would run it, beside the demo clips."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
SNIPPETS = sorted((DOCS / "snippets").iterdir())
SAYS = {
    "demo.sh": r"demo/reference\.mkv",
    "score.sh": r"^vmaf_v0\.6\.1: \d+\.\d{6}$",
    "table.sh": r"psnr_y +\d",
    "score.py": r"^VMAF \d+\.\d\d, fifth percentile \d",
    "arrays.py": r"\[ *4\d\.",
    "features.py": r"'mse_y'",
    "policy.py": r"Use --(sync|truncate)",
    "new_metric.py": r"\[ *\d",
    "tiny.sh": r"'name': 'vmaf_tiny', 'kind': 'fr', 'device': 'CPU'",
    "models.sh": r"^vmaf_tiny +cpu:unoptimised +CPU +score .* ok$",
    "session.py": r"^CPU \[",
    "scorer.py": r"only no-reference models can score, but vmaf_tiny needs one",
    "shots.sh": r"^\d+ shots, 50 frames, found by content$",
    "shots.py": r"^frames 0 to \d+, 0\.0 s to \d",
    "check.py": r"^False The file is not an ONNX model",
}
"""What the output of a snippet must hold."""


@pytest.fixture(scope="session")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """This process's, with this environment's programs and a store of its own."""
    own = {"TINYVMAF_DATA_DIR": str(tmp_path_factory.mktemp("store"))}
    return {
        **os.environ,
        **own,
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")]),
    }


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory, environment: dict[str, str]) -> Path:
    """A folder with the demo clips and a log."""
    folder = tmp_path_factory.mktemp("snippets")
    commands = "tinyvmaf demo\nvmaf -r demo/reference.mkv -d demo/distorted.mp4 --frame_cnt 20 --json -o vmaf.json"
    subprocess.run(["bash", "-euc", commands], cwd=folder, env=environment, check=True, stdin=subprocess.DEVNULL)
    (folder / "docs").symlink_to(DOCS)
    return folder


@pytest.mark.parametrize("path", SNIPPETS, ids=lambda path: path.name)
def test_it_runs(path: Path, demo: Path, environment: dict[str, str], tmp_path: Path) -> None:
    folder = tmp_path / "work"
    shutil.copytree(demo, folder, symlinks=True)
    program = [sys.executable] if path.suffix == ".py" else ["bash", "-eu"]
    command = [*program, str(path)]
    done = subprocess.run(
        command, cwd=folder, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=300,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    assert re.search(SAYS.get(path.name, "."), done.stdout, re.MULTILINE) or path.name == "vmaf.sh", done.stdout


def test_each_is_on_a_page() -> None:
    pages = "\n".join(page.read_text(encoding="utf-8") for page in DOCS.glob("*.md"))
    assert set(re.findall(r'--8<-- "snippets/([^"]+)"', pages)) == {path.name for path in SNIPPETS}
