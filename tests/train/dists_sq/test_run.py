"""One command: scenes, start, fit, file, figures; and it goes on where it stopped."""

import json

import numpy as np
import pytest

Image = pytest.importorskip("PIL.Image", reason="the training of dists_sq needs Pillow")
torch = pytest.importorskip("torch", reason="PyTorch, which only training needs, is not installed")

from small_dists import SMALL, wild  # noqa: E402
from tinyvmaf.errors import UsageError  # noqa: E402
from tinyvmaf.models.load import load  # noqa: E402
from tinyvmaf.models.runtime import DnnConfig  # noqa: E402
from tinyvmaf.train.dists_sq import damage, evaluate, run, start  # noqa: E402
from tinyvmaf.train.dists_sq.network import Network  # noqa: E402
from tinyvmaf.train.thin.convolution import Ranks  # noqa: E402

SOURCES = {"other": "train", "lxqt-themes": "validation", "kphotoalbum": "test"}


@pytest.fixture
def pictures(tmp_path):
    """Two photographs of each split."""
    random = np.random.default_rng(3)
    (tmp_path / "photos").mkdir()
    rows = []
    for source in SOURCES:
        for number in range(2):
            coarse = random.integers(0, 255, (20, 24, 3), np.uint8)
            name = f"photos/{source}{number}.png"
            Image.fromarray(coarse).resize((240, 200)).save(tmp_path / name)
            rows.append(f"{name},{source},CC0")
    (tmp_path / "manifest.csv").write_text("\n".join(["file,package_or_clip,licence", *rows]))
    return tmp_path


@pytest.fixture
def small(monkeypatch):
    """A small teacher and student, and few damages."""
    ranks = tuple(Ranks(0, width // 2) for width in SMALL)
    for module in (start, run):
        monkeypatch.setattr(module, "OUTPUTS", (8, 6, *SMALL[2:]))
        monkeypatch.setattr(module, "RANKS", ranks)
    monkeypatch.setattr(run, "read_teacher", lambda path: wild(Network(SMALL)))
    monkeypatch.setattr(run, "VALIDATION_SCENES", 2)
    ways = {"taught": {"blur": damage.TAUGHT["blur"]}, "unseen": {"fog": damage.UNSEEN["fog"]}}
    monkeypatch.setattr(evaluate, "WAYS", ways)


def test_one_command_makes_a_file_and_goes_on(pictures, small, tmp_path):
    out, said = tmp_path / "out", []

    def make(steps, resume):
        plan = run.Plan(pictures, tmp_path / "dists.onnx", out, 3, steps, "float32", 2, (pictures / "photos",))
        run.make_model(plan, resume, said.append)

    make(2, False)
    with pytest.raises(UsageError, match="holds a fit already"):
        make(3, False)
    make(3, True)
    assert sum(line.startswith("layer") for line in said) == len(SMALL)
    assert [line.split(":")[0] for line in said if line.startswith("step")] == ["step 2", "step 3"]
    report = json.loads((out / "report.json").read_text())
    assert report["pictures"] == {split: {"photos: CC0": 2} for split in ("test", "train", "validation")}
    assert set(report["tests"]) == {f"{where}-{kind}" for where in ("open", "photos") for kind in ("taught", "unseen")}
    facts = json.loads((out / "dists_sq.json").read_text())
    assert (facts["training"]["steps"], facts["training"]["scenes"]) == (3, 3)
    session = DnnConfig(device="cpu").open(load(str(out / "dists_sq.onnx")))
    assert [port.name for port in session.inputs] == ["ref", "dist"]
