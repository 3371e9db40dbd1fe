"""What the pages claim about options, names and files, held against the code."""

from __future__ import annotations

import itertools
import json
import re
from pathlib import Path

import pytest

import tinyvmaf
from cli_runs import call
from tinyvmaf import _catalogue
from tinyvmaf.cli.commands import COMMANDS, GROUPS
from tinyvmaf.cli.libvmaf_args import FLAGS
from tinyvmaf.cli.libvmaf_grammar import FEATURES, MISSING_FEATURES
from tinyvmaf.dnn.allowlist import ALLOWED
from tinyvmaf.dnn.guard import Limits
from tinyvmaf.dnn.providers import DEVICES
from tinyvmaf.features.base import Feature
from tinyvmaf.models.recipes import RECIPES
from tinyvmaf.models.registry import NETFLIX_SHA256
from tinyvmaf.score.result import Result
from tinyvmaf.video.policy import PAIRING_FLAGS, SCALES, PairingPolicy

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
PAGES = sorted(DOCS.glob("**/*.md"))
PAGE_NAMES = [str(page.relative_to(ROOT)) for page in PAGES]


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
        text_or_switch = isinstance(option.default, bool | str)
        default = str(option.default).lower() if text_or_switch else f"{option.default:g}"
        assert f"`{option.name}={default}`" in page


def test_tinyvmaf_page_has_every_command() -> None:
    assert all(f"## `tinyvmaf {name}" in text("docs/tinyvmaf.md") for name in COMMANDS)


def test_tinyvmaf_page_has_every_command_of_models_and_its_options() -> None:
    rows = dict(re.findall(r"^\| `(\w+)[^`]*` \|([^|]*)\|", text("docs/tinyvmaf.md"), re.MULTILINE))
    for name in GROUPS["models"]:
        done = call("tinyvmaf", "models", name, "--help")
        flags = set(re.findall(r"(?<![\w-])--[a-z][\w-]+", done.out)) - {"--help", "--quiet"}
        assert flags == set(re.findall(r"--[a-z][\w-]+", rows[name])), name


def test_vmaf_page_has_every_device() -> None:
    assert all(f"`{name}`" in text("docs/vmaf.md") for name in DEVICES)


def _cells(page: str, anchor: str) -> list[list[str]]:
    """Rows of the first table behind a heading."""
    lines = page.split(anchor, 1)[1].splitlines()
    start = next(place for place, line in enumerate(lines) if line.startswith("|---"))
    table = itertools.takewhile(lambda line: line.startswith("| "), lines[start + 1 :])
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table]


def test_trust_page_has_every_operator_and_its_reason() -> None:
    found = {
        name: why
        for names, why in _cells(text("docs/trust.md"), "{ #operators }")
        for name in re.findall(r"`(\w+)`", names)
    }
    assert found == ALLOWED


def test_trust_page_has_every_limit() -> None:
    shown = {row[0].strip("`"): row[1] for row in _cells(text("docs/trust.md"), "{ #limits }")}
    limits = Limits()
    values = {name: getattr(limits, name) for name in Limits.__annotations__}
    low, high = values.pop("opsets")
    assert shown == {name: str(value) for name, value in values.items()} | {"opsets": f"{low} to {high}"}


def test_trust_page_has_every_model_that_can_be_pulled() -> None:
    rows = {re.findall(r"`([^`]+)`", row[0])[0]: row[2:] for row in _cells(text("docs/trust.md"), "{ #pulling }")}
    wanted = {r.id: [r.entry["licence"], r.entry.get("data_licence", "not stated")] for r in RECIPES.values()}
    assert rows == wanted


@pytest.mark.parametrize("recipe", [r for r in RECIPES.values() if r.sidecar], ids=lambda recipe: recipe.id)
def test_cards_have_the_hashes_and_licences_of_the_recipes(recipe) -> None:
    card = text(recipe.entry["card"])
    pins = {recipe.file.sha256, *(part.file.sha256 for part in recipe.parts)}
    assert all(sha256 in card for sha256 in pins)
    assert all(word in card for word in recipe.entry["licence"].split(" AND "))
    assert "for research" in card


@pytest.mark.parametrize("name", ["README.md", "benchmarks/README.md", "CHANGELOG.md", *PAGE_NAMES])
def test_no_page_names_a_place_on_one_machine(name) -> None:
    assert not re.search(r"(?<![\w/.])/(?:tmp|work|root|home|opt|mnt)/", text(name))


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
    used = set(re.findall(r"(?:TINYVMAF|VMAF_TINY|SIGSTORE)_[A-Z_]+", source))
    assert used == set(re.findall(r"^\| `([A-Z_]+)", text("docs/how-it-works.md"), re.MULTILINE))


def test_every_page_is_in_the_navigation() -> None:
    listed = set(re.findall(r"([\w/-]+\.md)$", text("mkdocs.yml"), re.MULTILINE))
    assert listed == {str(page.relative_to(DOCS)) for page in PAGES}


@pytest.mark.parametrize("name", ["README.md", "benchmarks/README.md", *PAGE_NAMES])
def test_local_links_lead_somewhere(name) -> None:
    for target in re.findall(r"\]\((?!https?:)([^)#]+)", text(name)):
        assert ((ROOT / name).parent / target).exists(), target


def test_benchmark_blocks_are_where_the_scripts_look() -> None:
    for name in ("score", "startup"):
        assert all(f"<!-- benchmark:{name} -->" in text(file) for file in ("README.md", "benchmarks/README.md"))
    assert all(f"<!-- benchmark:{name} -->" in text("benchmarks/README.md") for name in ("accuracy", "trust"))
    for file in ("README.md", "benchmarks/README.md"):
        assert text(file).count("<!-- benchmark:") == text(file).count("<!-- /benchmark -->")


def test_scripts_are_executable() -> None:
    assert all((ROOT / name).stat().st_mode & 0o111 for name in ("scripts/test", "scripts/check", ".ci/run"))


def test_version_is_one_everywhere() -> None:
    assert f"## [{tinyvmaf.__version__}]" in text("CHANGELOG.md")
    assert f"\nversion: {tinyvmaf.__version__}\n" in text("CITATION.cff")
