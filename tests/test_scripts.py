"""The scripts of `scripts/`, where running them costs nothing."""

import os
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def test_fuzzing_without_atheris_says_so(tmp_path):
    (tmp_path / "bin").mkdir()
    python = tmp_path / "bin" / "python"
    python.write_text(
        "#!/bin/sh\necho Traceback >&2\necho 'ModuleNotFoundError: No module named atheris' >&2\nexit 1\n"
    )
    python.chmod(0o755)
    (tmp_path / "ready").touch()
    environment = {**os.environ, "TINYVMAF_VENV": str(tmp_path)}
    done = subprocess.run(
        [ROOT / "scripts" / "fuzz", "5"], env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        "scripts/fuzz needs the package atheris, which cannot be imported: "
        "ModuleNotFoundError: No module named atheris\n"
    )
