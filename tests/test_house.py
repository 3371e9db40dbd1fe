"""The rules of the house: what loads when, who may know whom, how long things are, what is written where."""

from __future__ import annotations

import ast
import functools
import importlib
import inspect
import json
import pkgutil
import re
import subprocess
import sys
from pathlib import Path

import pytest

import tinyvmaf
from cli_runs import TIME_LIMIT, environment, pair_of_clips, write_pair
from tinyvmaf import _catalogue, errors

SOURCE = Path(__file__).resolve().parents[1] / "src" / "tinyvmaf"
HEAVY = ("numba", "llvmlite", "onnx", "onnxruntime", "av", "torch", "scipy", "rich", "sigstore")
GROUND = ("errors", "_catalogue", "_files", "_memory", "_version")
ROWS = (GROUND, ("video", "dnn"), ("models",), ("vision",), ("features",), ("score",), ("train",), ("cli",))
"""Rooms from the ground up: a module imports from its own row and from those below."""

STRANGERS = {("models", "video"), ("models", "features"), ("dnn", "video"), ("video", "dnn")}
"""Rooms that stay apart although one lies below the other."""

HOMES = {
    "av": {"video/container.py", "video/pictures.py", "video/writer.py", "video/stream_facts.py"},
    "numba": {"features/kernels"},
    "llvmlite": {"features/kernels"},
    "onnx": {"models/convert", "train"},
    "onnxruntime": {"dnn/session.py", "dnn/providers.py", "train"},
    "rich": {"cli", "train"},
    "scipy": {"train"},
    "sigstore": {"models/verify.py", "models/sign.py"},
    "torch": {"train"},
    "subprocess": {"features/kernels/native.py", "models/cosign.py", "models/fetch.py", "train"},
}
GENERATED = {"features/kernels/vif_scales.py"}
MAX_FUNCTION, MAX_FILE = 60, 350


def _files():
    return sorted(path for path in SOURCE.rglob("*.py"))


def _name(path):
    return path.relative_to(SOURCE).as_posix()


FILES = [_name(path) for path in _files()]


@functools.cache
def _tree(name):
    return ast.parse((SOURCE / name).read_text(encoding="utf-8"))


def _imports(name):
    """Every module that a file imports, at whatever depth and for whatever reason."""
    for node in ast.walk(_tree(name)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name} imports relatively"
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _loaded(code, *words):
    """Heavy packages that a fresh interpreter has loaded after running some code."""
    script = f"import sys, json\ntry:\n    {code}\nexcept SystemExit: pass\n"
    script += f"print(json.dumps([name for name in {HEAVY!r} if name in sys.modules]), file=sys.stderr)"
    done = subprocess.run(
        [sys.executable, "-c", script, *map(str, words)],
        capture_output=True, text=True, env=environment(), timeout=TIME_LIMIT, check=True,
    )  # fmt: skip
    return json.loads(done.stderr.splitlines()[-1])


DOORS = {
    "vmaf": "from tinyvmaf.cli.vmaf import main; main()",
    "tinyvmaf": "from tinyvmaf.cli.main import main; main()",
}


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("import tinyvmaf; [getattr(tinyvmaf, name) for name in ('TinyVmafError', 'PairingPolicy', 'open_video')]", ()),
        (DOORS["vmaf"], ("--help",)),
        (DOORS["vmaf"], ("--version",)),
        (DOORS["tinyvmaf"], ("--help",)),
        (DOORS["tinyvmaf"], ("score", "--help")),
        (DOORS["tinyvmaf"], ("demo", "--help")),
    ],
)
def test_nothing_heavy_is_loaded_to_say_hello(code, words):
    assert _loaded(code, *words) == []


@pytest.mark.parametrize("kind", ["yuv", "y4m"])
def test_scoring_uncoded_files_loads_neither_compiler_nor_media_library(kind, tmp_path):
    words = write_pair(tmp_path, *pair_of_clips(frames=2), kind=kind)
    assert _loaded(DOORS["vmaf"], *words) == []


@pytest.mark.parametrize("name", FILES)
def test_every_package_has_its_home(name):
    for module in _imports(name):
        homes = HOMES.get(module.split(".")[0])
        at_home = homes is None or any(name == home or name.startswith(f"{home}/") for home in homes)
        assert at_home, f"{name} imports {module}"


def _row(room):
    return next(i for i, rooms in enumerate(ROWS) if room in rooms)


@pytest.mark.parametrize("name", [name for name in FILES if name != "__init__.py"])
def test_modules_know_only_lower_rows(name):
    own = name.split("/")[0].removesuffix(".py")
    for module in _imports(name):
        parts = module.split(".")
        if parts[0] != "tinyvmaf" or len(parts) < 2 or module in ("tinyvmaf._catalogue", "tinyvmaf.__version__"):
            continue
        assert _row(parts[1]) <= _row(own), f"{name} looks up to {module}"
        assert (own, parts[1]) not in STRANGERS, f"{name} should not know {module}"
        assert "train" in (own,) or parts[1] != "train", f"{name} imports {module}"


def test_features_do_not_know_each_other():
    for name in _catalogue.names("tinyvmaf.features"):
        for module in _imports(f"features/{name}.py"):
            parts = module.split(".")
            if parts[:2] == ["tinyvmaf", "features"] and len(parts) > 2:
                assert parts[2] in (name, "base", "kernels") or parts[2].startswith("_"), f"{name} imports {module}"


@pytest.mark.parametrize("name", FILES)
def test_files_and_functions_are_short(name):
    if "kernels/" in name:
        return
    lines = (SOURCE / name).read_text(encoding="utf-8").count("\n")
    assert lines <= MAX_FILE
    for node in ast.walk(_tree(name)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            # Documentation does not count: a function of many arguments says what each of them is.
            body = node.body[1:] if ast.get_docstring(node) else node.body
            length = (node.end_lineno - body[0].lineno + 1) if body else 0
            assert length <= MAX_FUNCTION, f"{name}: {node.name}"


@pytest.mark.parametrize("name", FILES)
def test_public_things_are_documented(name):
    assert ast.get_docstring(_tree(name)), f"{name} does not say what it is for"
    if "kernels/" in name:
        return
    for node in _tree(name).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_"):
            assert ast.get_docstring(node), f"{name}: {node.name}"
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            for method in node.body:
                if isinstance(method, ast.FunctionDef) and not method.name.startswith("_"):
                    assert ast.get_docstring(method), f"{name}: {node.name}.{method.name}"


@pytest.mark.parametrize("name", FILES)
def test_words(name):
    text = (SOURCE / name).read_text(encoding="utf-8")
    assert not re.search(r"\b(TODO|FIXME|XXX|HACK)\b|\b(issue|ticket|PR) ?#?\d+", text)
    assert "utils" not in name
    assert "\r" not in text
    assert text.endswith("\n") or not text


def test_only_the_doors_print():
    for name in FILES:
        if name.startswith(("cli/", "train/", "features/kernels/compile", "features/kernels/generate")):
            continue
        calls = [n for n in ast.walk(_tree(name)) if isinstance(n, ast.Call) and isinstance(n.func, ast.Name)]
        assert not [call for call in calls if call.func.id in ("print", "input", "exit")], name


def _modules():
    skipped = ("tinyvmaf.train", "tinyvmaf.features.kernels")
    found = pkgutil.walk_packages(tinyvmaf.__path__, "tinyvmaf.")
    return [module.name for module in found if not module.name.startswith(skipped)]


@pytest.mark.parametrize("module", _modules())
def test_all_is_sorted_and_true(module):
    """Constants, classes, functions, each by name; the front door is plainly sorted."""
    loaded = importlib.import_module(module)
    names = getattr(loaded, "__all__", [])
    if module != "tinyvmaf":
        assert list(names) == sorted(names, key=lambda name: (not name.isupper(), not name[0].isupper(), name))
    assert all(hasattr(loaded, name) for name in names)


def test_the_front_door():
    assert list(tinyvmaf.__all__) == sorted(tinyvmaf.__all__) == dir(tinyvmaf)
    for name in tinyvmaf.__all__:
        thing = getattr(tinyvmaf, name)
        assert name == "__version__" or inspect.getdoc(thing), name
    with pytest.raises(AttributeError, match="no attribute 'scroe'"):
        tinyvmaf.scroe  # noqa: B018
    assert re.fullmatch(r"\d+\.\d+\.\d+\S*", tinyvmaf.__version__)


def test_the_tree_of_errors_is_the_one_drawn():
    drawn = set(re.findall(r"^[│ ├└─]*(\w+Error)\b", errors.__doc__, re.MULTILINE))
    defined = {n for n, v in vars(errors).items() if inspect.isclass(v) and issubclass(v, errors.TinyVmafError)}
    assert drawn == defined
    for name in defined:
        error = getattr(errors, name)("Rule, not value.", "Do this\nthen that.")
        assert str(error) == "Rule, not value. Do this then that."
        assert error.exit_code == (1 if name == "RunError" else 2)


def test_generated_kernels_are_what_their_generator_makes():
    from tinyvmaf.features.kernels.generate_vif import generate

    path = Path(inspect.getfile(importlib.import_module("tinyvmaf.features"))).parent / "kernels" / "vif_scales.py"
    assert path.read_text(encoding="utf-8") == generate()


def test_the_catalogue_finds_by_name_and_imports_nothing_before():
    code = "import tinyvmaf._catalogue as c; assert 'psnr' in c.names('tinyvmaf.features'); "
    code += "assert 'tinyvmaf.features.psnr' not in sys.modules"
    assert _loaded(code) == []
