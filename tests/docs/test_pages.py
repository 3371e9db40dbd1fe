"""What the pages claim about options, names and files, held against the code."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

import tinyvmaf
from tinyvmaf import _catalogue
from tinyvmaf.cli.libvmaf_args import FLAGS
from tinyvmaf.cli.libvmaf_grammar import FEATURES, MISSING_FEATURES
from tinyvmaf.cli.commands import COMMANDS
from tinyvmaf.features.base import Feature
from tinyvmaf.models.registry import NETFLIX_SHA256
from tinyvmaf.score.result import Result
from tinyvmaf.video.policy import PAIRING_FLAGS, SCALES, PairingPolicy

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
PAGES = sorted(DOCS.glob("**/*.md"))


def text(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


@pytest.mark.parametrize("flag", PAIRING_FLAGS, ids=lambda flag: flag.flag)
def test_pairing_page_has_the_option_and_its_field(flag) -> None:
    rows = [line for line in text("docs/pairing.md").splitlines() if line.startswith(f"| `{flag.flag}")]
    assert len(rows) == 1
    assert f"`{flag.field}=" in rows[0]


def test_pairing_page_has_every_scaling_method() -> None:
    assert all(f"`{method}`" in text("docs/pairing.md") for method in SCALES)


def test_pairing_pages_have_every_field_of_the_policy() -> None:
    assert all(field in text("docs/pairing.md") for field in PairingPolicy.__dataclass_fields__)


@pytest.mark.parametrize("flag", FLAGS, ids=lambda flag: flag.name)
def test_vmaf_page_has_the_option(flag) -> None:
    rows = [line for line in text("docs/vmaf.md").splitlines() if line.startswith("| `-")]
    assert any(f"`--{flag.name}`" in row and (not flag.short or f"`-{flag.short}`" in row) for row in rows)


def test_vmaf_page_has_every_feature_and_every_missing_one() -> None:
    page = text("docs/vmaf.md")
    assert all(f"`{name}`" in page for name in {*FEATURES, *MISSING_FEATURES})


@pytest.mark.parametrize("name", _catalogue.names("tinyvmaf.features"))
def test_vmaf_page_has_every_option_of_a_feature(name) -> None:
    feature = _catalogue.find("tinyvmaf.features", name, Feature, "feature")
    page = text("docs/vmaf.md")
    for option in feature.options:
        default = str(option.default).lower() if isinstance(option.default, bool) else f"{option.default:g}"
        assert f"`{option.name}={default}`" in page


def test_tinyvmaf_page_has_every_command() -> None:
    assert all(f"## `tinyvmaf {name}" in text("docs/tinyvmaf.md") for name in COMMANDS)


def test_models_page_has_every_version() -> None:
    assert all(f"| `{version}` |" in text("docs/models.md") for version in NETFLIX_SHA256)


def test_python_page_has_every_public_name() -> None:
    pages = text("docs/python.md") + "".join(path.read_text() for path in (DOCS / "snippets").glob("*.py"))
    assert [name for name in tinyvmaf.__all__ if name != "__version__" and name not in pages] == ["Result"]
    assert all(
        f"result.{name}" in text("docs/python.md")
        for name in Result.__dataclass_fields__
        if name not in ("width", "height")
    )


def test_json_page_has_every_key_of_the_schema() -> None:
    schema = json.loads(text("docs/schema/vmaf-log-1.json"))
    rows = re.findall(r"^\| `(\w+)` \|", text("docs/json.md"), re.MULTILINE)
    assert set(rows) == set(schema["properties"])


def test_environment_variables_are_those_of_the_code() -> None:
    source = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "src").glob("**/*.py"))
    used = set(re.findall(r"TINYVMAF_[A-Z_]+", source))
    assert used == set(re.findall(r"^\| `(TINYVMAF_[A-Z_]+)", text("docs/how-it-works.md"), re.MULTILINE))


def test_every_page_is_in_the_navigation() -> None:
    listed = set(re.findall(r"([\w/-]+\.md)$", text("mkdocs.yml"), re.MULTILINE))
    assert listed == {str(page.relative_to(DOCS)) for page in PAGES}


@pytest.mark.parametrize("name", ["README.md", "benchmarks/README.md", *(str(p.relative_to(ROOT)) for p in PAGES)])
def test_local_links_lead_somewhere(name) -> None:
    for target in re.findall(r"\]\((?!https?:)([^)#]+)", text(name)):
        assert ((ROOT / name).parent / target).exists(), target


def test_benchmark_blocks_are_where_the_scripts_look() -> None:
    for name in ("score", "startup"):
        assert all(f"<!-- benchmark:{name} -->" in text(file) for file in ("README.md", "benchmarks/README.md"))
    assert "<!-- benchmark:accuracy -->" in text("benchmarks/README.md")
    for file in ("README.md", "benchmarks/README.md"):
        assert text(file).count("<!-- benchmark:") == text(file).count("<!-- /benchmark -->")


def test_scripts_are_executable() -> None:
    assert all((ROOT / name).stat().st_mode & 0o111 for name in ("scripts/test", "scripts/check", ".ci/run"))


def test_version_is_one_everywhere() -> None:
    assert f"## [{tinyvmaf.__version__}]" in text("CHANGELOG.md")
    assert f"\nversion: {tinyvmaf.__version__}\n" in text("CITATION.cff")
