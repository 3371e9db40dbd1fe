"""The registry: a schema that any validator reads alike, strict JSON, names that nobody can take over."""

import copy
import dataclasses
import functools
import hashlib
import json
import logging
from pathlib import Path

import jsonschema
import pytest

from tinyvmaf.errors import IntegrityError, MissingExtraError, ModelError, UnknownNameError
from tinyvmaf.models import load, paths, register, registry, schema
from tinyvmaf.models.recipes import RECIPES

FORK = Path(__file__).resolve().parents[3] / "shared" / "models" / "fork_reference" / "fork_registry.json"
SHA = "0123456789abcdef" * 4
FULL = {
    "id": "own_model-1",
    "kind": "nr",
    "onnx": "models/own.v1.onnx",
    "sha256": SHA,
    "sidecar_sha256": SHA,
    "opset": 17,
    "license": "BSD-2-Clause-Patent OR (MIT AND Apache-2.0+)",
    "license_url": "https://host/LICENSE",
    "data_license": "open",
    "target": "human",
    "source": "pypi:own==1.0",
    "card": "docs/models/own.md",
    "description": "One – line.",
    "notes": "More.",
    "smoke": True,
    "quant_mode": "dynamic",
    "int8_sha256": SHA,
    "quant_calibration_set": "frames",
    "quant_accuracy_budget_plcc": 0.02,
    "sigstore_bundle": "own.onnx.sigstore.json",
    "sigstore_identity": "https://github.com/o/r/.github/workflows/w.yml@refs/tags/v1",
    "sigstore_issuer": "https://issuer",
}
SMALL = {"id": "small", "kind": "fr", "onnx": "small.onnx", "sha256": SHA}
SVM = {"id": "vmaf_b_v0.6.3", "kind": "fr", "file": "vmaf_b_v0.6.3.json", "sha256": SHA}
ODD = [
    None, True, False, 0, 1, -1, 7, 21, 22, 17.0, 17.5, 0.5, "", "a", "A", "a.b", ".a", "a" * 64, "a" * 65, "a" * 256,
    "a" * 512, "a" * 513, SHA, SHA[:-1], SHA.upper(), "fr", "svm", "open", "fp32", "qat", "x.onnx", "x.json", "a/b",
    "a/b.onnx", "../x.onnx", "a/../x.onnx", "/x.onnx", "a/.x.onnx", "a\\x.onnx", "x.sigstore.json",
    "../x.sigstore.json",
    "https://x", "http://x y", "ftp://x", "file:///x", "é", "a\tb", "a\x1b[2Jb", "a\x9bb", [], ["a"], {}, {"a": 1},
]  # fmt: skip
KEYWORDS = {"$schema", "title", "$defs", "$ref", "then", "else", *schema._SIMPLE, *schema._NESTED}


@pytest.fixture(autouse=True)
def store(tmp_path, monkeypatch):
    """An empty store in place of the user's."""
    monkeypatch.setenv(paths.DATA, str(tmp_path / "user"))
    folder = tmp_path / "user" / "models"
    folder.mkdir(parents=True)
    return folder


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A registry of one model in place of the packaged one."""
    place = tmp_path / "packaged"
    place.mkdir()
    (place / "own.onnx").write_bytes(b"graph")
    (place / "own.json").write_text(
        json.dumps({"kind": "fr", "target": "teacher", "license": "MIT", "onnx_opset": 17, "description": "Own."})
    )
    register.write_registry(place)
    monkeypatch.setattr(registry, "data_folder", lambda: place)
    return place


def put(store, record, name=None):
    path = store / f"{name or record['id']}{registry.ENTRY}"
    path.write_text(json.dumps(record))
    return path


@functools.cache
def validator(name, definition):
    rules = schema.schema(name)
    rules = {"$defs": rules["$defs"], "$ref": f"#/$defs/{definition}"} if definition else rules
    return jsonschema.Draft202012Validator(rules)


def agree(value, name, definition=""):
    """Our verdict, once jsonschema's is the same."""
    problem = schema.problem(value, name, definition)
    assert validator(name, definition).is_valid(value) == (problem == ""), (value, problem)
    assert "\n" not in problem
    return problem == ""


def mutations(record):
    yield record
    yield {**record, "other": 1}
    yield from ([], None, "a", 1, [record])
    for key in record:
        yield {name: value for name, value in record.items() if name != key}
    for key in {*FULL, *SVM}:
        yield from ({**record, key: value} for value in ODD)


def keywords(rules):
    """Every keyword of a schema; names of properties are none."""
    if isinstance(rules, list):
        return set().union(*map(keywords, rules), set())
    if not isinstance(rules, dict):
        return set()
    found = set(rules)
    for key, value in rules.items():
        named = key in ("properties", "$defs", "dependentRequired")
        found |= set().union(*map(keywords, value.values()), set()) if named else keywords(value)
    return found


@pytest.mark.parametrize("name", ["registry", "sidecar"])
def test_schemas_are_valid_and_use_only_what_our_validator_reads(name):
    rules = json.loads((registry.data_folder() / f"{name}.schema.json").read_text())
    jsonschema.Draft202012Validator.check_schema(rules)
    assert keywords(rules) <= KEYWORDS
    assert "additionalProperties" not in rules or rules["additionalProperties"] is False


@pytest.mark.parametrize("record", [FULL, SMALL, SVM])
def test_our_validator_and_jsonschema_agree_on_entries(record):
    verdicts = [agree(value, "registry", "entry") for value in mutations(record)]
    assert verdicts[0]
    assert 20 < sum(verdicts) < len(verdicts) / 2


@pytest.mark.parametrize(
    ("content", "good"),
    [
        ({"models": []}, True),
        ({"$schema": "./x", "schema_version": 1, "models": [SMALL, FULL]}, True),
        ({"schema_version": 1.0, "models": []}, True),
        ({"schema_version": True, "models": []}, False),
        ({"schema_version": 2, "models": []}, False),
        ({"models": [SMALL, {}]}, False),
        ({"models": [{**SMALL, "file": "small.json"}]}, False),
        ({"models": [SMALL] * 1001}, False),
        ({"models": {}}, False),
        ({"models": [], "more": 1}, False),
        ({}, False),
        ([], False),
    ],
)
def test_our_validator_and_jsonschema_agree_on_registries(content, good):
    assert agree(content, "registry") == good


def test_a_line_feed_at_the_end_is_no_part_of_a_name():
    """jsonschema lets it pass, because Python's dollar does."""
    for key in ("id", "onnx", "sha256", "card"):
        assert "must match" in schema.problem({**FULL, key: f"{FULL[key]}\n"}, "registry", "entry")


def test_what_is_wrong_is_said_with_its_place():
    content = {"models": [SMALL, {**SMALL, "sha256": "a" * 80}]}
    assert schema.problem(content, "registry").startswith("models[1].sha256 must match ^[0-9a-f]{64}$, not 'aaaaa")
    assert schema.problem({**SMALL, "more": 1}, "registry", "entry") == "it must not have 'more'"
    assert schema.problem({"id": "a"}, "registry", "entry") == "it must have 'kind'"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (b"", "Expecting value"),
        (b"{", "Expecting"),
        (b"{} {}", "Extra data"),
        (b'{"a": 1, "a": 1}', "gives 'a' twice"),
        (b'{"b": {"a": 1, "a": 2}}', "gives 'a' twice"),
        (b"NaN", "NaN is not a finite number"),
        (b"[Infinity]", "not a finite number"),
        (b"-Infinity", "not a finite number"),
        (b"1e999", "1e999 is not a finite number"),
        (b"1" * 21, "a number of 21 digits"),
        (b'"\\ud800"', "surrogates not allowed"),
        (b'{"\\udfff": 1}', "surrogates not allowed"),
        (b'"\xff"', "invalid start byte"),
        (b"\xef\xbb\xbf{}", "BOM"),
        ("{}".encode("utf-16"), "codec can't decode"),
        (b"[" * 34 + b"]" * 34, "more than 32 levels"),
        (b"[" * 500_000, "more than 32 levels"),
        (b'{"a":' * 100_000, "more than 32 levels"),
        (b" " * (schema.MAX_BYTES + 1), "1048577 bytes"),
    ],
)
def test_json_that_readers_may_understand_differently_is_refused(text, reason):
    with pytest.raises(ValueError, match=reason):
        schema.parse(text)


def test_json_is_read_up_to_the_limits():
    assert schema.parse(b" " * (schema.MAX_BYTES - 2) + b"{}") == {}
    assert schema.parse(b"[" * 32 + b"]" * 32)
    assert schema.parse('{"a": [1, -2.5, "é\\ud83d\\ude00", true, null]}'.encode()) == {
        "a": [1, -2.5, "é😀", True, None]
    }


@pytest.mark.skipif(not FORK.exists(), reason="the shared models are not beside this checkout")
def test_the_forks_registry_is_readable():
    entries = registry.read_registry(FORK)
    assert len(entries) == 24
    by_id = {entry.id: entry for entry in entries}
    assert by_id["nr_metric_v1"].quant_mode == "dynamic"
    assert by_id["vmaf_tiny_v2"].licence == "BSD-3-Clause-Plus-Patent"
    assert (by_id["lpips_sq_v1"].file, by_id["lpips_sq_v1"].folder) == ("lpips_sq.onnx", FORK.parent)
    originals = {model["id"]: model for model in json.loads(FORK.read_text())["models"]}
    for entry in entries:
        # Only what equals a default is left out, and only the target, which the fork does not know, is added.
        original = {
            k: v
            for k, v in originals[entry.id].items()
            if (k, v) not in (("smoke", False), ("quant_accuracy_budget_plcc", 0.01))
        }
        assert entry.record() == {**original, "target": "unknown"}


@pytest.mark.parametrize("record", [FULL, {**SMALL, "target": "none"}, {**SVM, "target": "human"}])
def test_an_entry_writes_what_it_was_read_from(record, tmp_path):
    entry = registry.from_record(record, tmp_path)
    assert entry.record() == record
    assert registry.from_record(json.loads(json.dumps(entry.record())), tmp_path) == entry
    with pytest.raises(dataclasses.FrozenInstanceError):
        entry.sha256 = ""
    assert type(registry.from_record({**FULL, "opset": 17.0}, tmp_path).opset) is int


def test_an_entry_that_breaks_the_schema_is_refused(tmp_path):
    with pytest.raises(ModelError, match="must have exactly one of"):
        registry.from_record({key: SMALL[key] for key in ("id", "kind", "sha256")}, tmp_path)


def test_the_packaged_registry_is_the_one_made_from_the_files():
    data = registry.data_folder()
    assert (data / "registry.json").read_text() == register.build_registry(data)
    entries = registry.packaged()
    assert [(entry.id, entry.kind, entry.target, entry.licence) for entry in entries] == [
        ("dists_sq", "fr", "teacher", "MIT AND BSD-3-Clause"),
        ("saliency", "saliency", "none", "Apache-2.0"),
        ("vmaf_tiny", "fr", "teacher", "BSD-2-Clause-Patent"),
    ]
    for entry in entries:
        assert (entry.data_licence, entry.card, entry.packaged) == ("open", f"docs/models/{entry.id}.md", True)
        assert entry.sha256 in (Path(__file__).resolve().parents[2] / entry.card).read_text()


def test_every_flipped_bit_of_the_packaged_registry_is_refused(folder, monkeypatch):
    """Also those that leave a registry of the same form, such as the kind fr turned into nr."""
    files = {name: (folder / name).read_bytes() for name in (registry.REGISTRY, registry.CHECKSUM)}
    now = dict(files)
    monkeypatch.setattr(paths, "read", lambda path, limit: bytes(now[path.name]))
    assert registry.find("own").licence == "MIT"
    for name, whole in files.items():
        for position in range(8 * len(whole)):
            now[name] = bytearray(whole)
            now[name][position // 8] ^= 1 << position % 8
            with pytest.raises(IntegrityError, match="has changed since it was packaged"):
                registry.packaged()
        now[name] = whole


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        "{}",
        '{"models": 3}',
        '{"models": [{"id": "own"}]}',
        json.dumps({"models": [{**SMALL, "id": "../own"}]}),
    ],
)
def test_a_damaged_registry_is_refused(folder, content):
    (folder / registry.REGISTRY).write_text(content)
    (folder / registry.CHECKSUM).write_bytes(registry.checksum(content.encode()))
    with pytest.raises(ModelError, match="registry"):
        registry.find("own")


def test_a_registry_without_its_checksum_is_refused(folder):
    (folder / registry.CHECKSUM).unlink()
    with pytest.raises(ModelError, match="cannot be read"):
        registry.entries()


def test_a_registry_lists_an_id_once(tmp_path):
    (tmp_path / "r.json").write_text(json.dumps({"models": [SMALL, FULL, SMALL]}))
    with pytest.raises(ModelError, match="lists small twice"):
        registry.read_registry(tmp_path / "r.json")


def test_the_store_adds_entries(folder, store):
    assert [entry.id for entry in registry.entries()] == ["own"]
    put(store, SVM)
    put(store, {**SMALL, "id": "mine"})
    (store / ".mine.entry.json").write_text("half written")
    (store / "mine.onnx").write_bytes(b"")
    assert [(e.id, e.packaged, e.folder) for e in registry.entries()][1:] == [
        ("mine", False, store), ("vmaf_b_v0.6.3", False, store),
    ]  # fmt: skip
    assert registry.find("vmaf_b_v0.6.3").is_onnx is False
    assert registry.find("mine").sidecar_file == "small.json"


def test_a_store_that_does_not_exist_holds_nothing(folder, monkeypatch, tmp_path):
    monkeypatch.setenv(paths.DATA, str(tmp_path / "absent"))
    assert [entry.id for entry in registry.entries()] == ["own"]


def test_the_store_lies_where_the_system_keeps_user_data(monkeypatch, tmp_path):
    monkeypatch.delenv(paths.DATA)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert paths.store_folder().name == "models"
    assert paths.store_folder().parent.name == "tinyvmaf"


@pytest.mark.parametrize("name", ["own", "vmaf_v0.6.1"])
def test_nobody_takes_over_a_packaged_name(folder, store, name, caplog):
    put(store, {**SVM, "id": name})
    assert registry.find(name).packaged
    assert registry.find(name).sha256 != SHA
    with caplog.at_level(logging.WARNING, "tinyvmaf"):
        assert [entry.id for entry in registry.entries()] == ["own"]
    assert f"The model {name} of the store is not used" in caplog.text


def test_a_store_entry_has_the_id_of_its_file(folder, store):
    put(store, SMALL, "other")
    with pytest.raises(ModelError, match="must have the id other, but it has small"):
        registry.find("other")


def test_a_damaged_store_entry_does_not_hide_the_others(folder, store):
    (store / f"broken{registry.ENTRY}").write_text("{")
    put(store, SMALL)
    assert registry.find("small").id == "small"
    assert registry.find("own").id == "own"
    for call in (registry.entries, lambda: registry.find("broken")):
        with pytest.raises(ModelError, match=r"broken\.entry\.json cannot be used"):
            call()


def test_unknown_names_name_the_nearest(folder, store):
    put(store, {**SMALL, "id": "saliency_u2netp"})
    for name, near in (("onw", "own"), ("saliency_u2net", "saliency_u2netp"), ("vmaf_v0.6.1_neg", "vmaf_v0.6.1neg")):
        with pytest.raises(
            UnknownNameError, match=f"no model '{name}'.*Did you mean {near}.*There are: vmaf_v0.6.1, .*own"
        ):
            registry.find(name)
    for name in ("", "../own", "a/b", "x\0", "entirely different"):
        with pytest.raises(UnknownNameError, match="There is no model"):
            registry.find(name)


@pytest.mark.parametrize(
    ("version", "reason"),
    [
        ("vmaf_float_v0.6.1", "float features"),
        ("vmaf_float_b_v0.6.3", "float features"),
        ("vmaf_v1.0.16_3d0h", "cambi"),
        ("vmaf_v1.0.16_hfr_1d5h_2160", "motion3"),
    ],
)
def test_versions_that_cannot_be_had_say_why(version, reason):
    with pytest.raises(UnknownNameError, match=f"not available.*{reason}"):
        registry.find(version)


@pytest.mark.parametrize("name", RECIPES)
def test_a_model_that_can_be_pulled_says_so(name, folder):
    with pytest.raises(UnknownNameError, match=f"{name} is not here yet. Run: tinyvmaf models pull {name}"):
        registry.find(name)


@pytest.mark.parametrize("version", registry.NETFLIX_SHA256)
def test_netflix_models_are_pinned_and_found(version):
    entry = registry.find(version)
    assert (entry.kind, entry.target, entry.is_onnx) == ("fr", "human", False)
    assert hashlib.sha256((entry.folder / entry.file).read_bytes()).hexdigest() == entry.sha256
    assert registry.netflix_file(version) == entry.folder / entry.file
    assert agree(entry.record(), "registry", "entry")


def test_without_the_carrier_the_error_gives_the_command(monkeypatch):
    monkeypatch.setattr(registry, "CARRIER", "no_such_package")
    with pytest.raises(MissingExtraError, match="pip install ffmpeg-quality-metrics"):
        registry.find("vmaf_v0.6.1")


@pytest.mark.parametrize(
    ("text", "is_file"),
    [
        ("vmaf_v0.6.1", False),
        ("own", False),
        ("own.onnx", True),
        ("M.JSON", True),
        ("./own", True),
        ("a/b", True),
        ("", False),
    ],
)
def test_files_are_told_from_names(text, is_file):
    assert registry.names_a_file(text) == is_file


def test_a_registry_is_made_of_all_that_lies_in_the_folder(folder):
    (folder / "big.onnx").write_bytes(b"big")
    (folder / "big.int8.onnx").write_bytes(b"small")
    (folder / "big.onnx.sigstore.json").write_text("{}")
    said = {"kind": "saliency", "target": "none", "quant_mode": "static", "data_license": "research", "card": "x.md"}
    (folder / "big.json").write_text(json.dumps(said))
    text = register.build_registry(folder, identity="me", issuer="https://issuer")
    big, own = json.loads(text)["models"]
    assert big == {
        **said, "id": "big", "onnx": "big.onnx", "sha256": hashlib.sha256(b"big").hexdigest(),
        "sidecar_sha256": hashlib.sha256((folder / "big.json").read_bytes()).hexdigest(),
        "int8_sha256": hashlib.sha256(b"small").hexdigest(), "sigstore_bundle": "big.onnx.sigstore.json",
        "sigstore_identity": "me", "sigstore_issuer": "https://issuer",
    }  # fmt: skip
    assert (own["data_license"], own["card"], own["opset"]) == ("open", "docs/models/own.md", 17)
    assert register.build_registry(folder, identity="me", issuer="https://issuer") == text
    assert agree(json.loads(text), "registry")
    assert "sigstore_identity" not in register.build_registry(folder)


@pytest.mark.parametrize(
    "content", ["", "[]", "{}", '{"kind": "fr"}', '{"kind": "fr", "kind": "fr", "target": "human"}']
)
def test_a_registry_is_not_made_from_half_a_sidecar(folder, content):
    (folder / "own.json").write_text(content)
    with pytest.raises(ModelError, match="at least kind and target"):
        register.build_registry(folder)


@pytest.mark.parametrize("change", [{"kind": "other"}, {"target": 3}, {"quant_mode": "static"}, {"onnx_opset": 3}])
def test_a_registry_is_not_made_from_what_the_schema_refuses(folder, change):
    said = json.loads((folder / "own.json").read_text())
    (folder / "own.json").write_text(json.dumps(said | change))
    with pytest.raises(ModelError, match="cannot be used"):
        register.build_registry(folder)


def test_a_packaged_model_is_found_and_read_in_two_milliseconds():
    import time

    def once():
        start = time.perf_counter()
        load.load(registry.DEFAULT_TINY)
        return time.perf_counter() - start

    assert min(once() for _ in range(20)) < 2e-3


def test_entries_are_compared_by_what_is_pinned(tmp_path):
    entry = registry.from_record(copy.deepcopy(FULL), tmp_path)
    assert entry == registry.from_record(FULL, tmp_path / "elsewhere")
    assert entry != registry.from_record({**FULL, "sha256": SHA[::-1]}, tmp_path)
