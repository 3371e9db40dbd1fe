"""`tinyvmaf models` and the options of `vmaf` that concern tiny models, as users type them."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import jsonschema
import numpy as np
import onnx.parser
import pytest

import pki
from cli_runs import call, column, log_of, pair_of_clips, process, write_pair
from tinyvmaf.cli.commands import GROUPS
from tinyvmaf.dnn import providers
from tinyvmaf.models import registry
from tinyvmaf.models.recipes import RECIPES
from tinyvmaf.score.fusion import CANONICAL
from video_files import y4m_bytes

ROOT = Path(__file__).resolve().parents[2]
FORK = ROOT.parent / "shared" / "models" / "fork_reference"
needs_fork = pytest.mark.skipif(not FORK.exists(), reason="the shared reference models are not beside this checkout")
SIGNER = ("--identity", pki.IDENTITY, "--issuer", pki.ISSUER)


def model(text):
    return onnx.parser.parse_model(f'<ir_version: 8, opset_import: ["" : 17]> {text}').SerializeToString()


MEAN = model("g (float[N, 1, H, W] x) => (float[N] y) { y = ReduceMean <axes = [1, 2, 3], keepdims = 0> (x) }")
HALF = model("g (float16[N, 1, H, W] x) => (float16[N] y) { y = ReduceMean <axes = [1, 2, 3], keepdims = 0> (x) }")
DICE = model("g (float[N, 1, H, W] x) => (float[N, 1, H, W] y) { y = RandomNormalLike (x) }")
LOOP = model("""g (float[N, 1, H, W] x) => (float[N, 1, H, W] y) <int64 m = {3}, bool go = {1}> {
    y = Loop (m, go, x) <body = b (int64 i, bool k, float[N, 1, H, W] v) => (bool on, float[N, 1, H, W] w)
      { on = Identity(k) w = Tanh(v) }> }""")
NORMALISED = model("""g (float[N, 1, H, W] x) => (float[N, 1, H, W] y)
    <float[1, 1, 1, 1] w = {0.7}, float[1] s = {0.3}, float[1] b = {0.1}, float[1] m = {0.9}, float[1] v = {0.7}> {
    c = Conv (x, w) y = BatchNormalization (c, s, b, m, v) }""")


@pytest.fixture(autouse=True)
def store(monkeypatch, tmp_path):
    """A store of the test's own."""
    monkeypatch.setenv("TINYVMAF_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.delenv("VMAF_TINY_MODEL_DIR", raising=False)
    return tmp_path / "data" / "models"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Good and bad files, in the current folder."""
    where = tmp_path / "files"
    where.mkdir()
    files = {
        "good.onnx": MEAN, "half.onnx": HALF, "dice.onnx": DICE, "loop.onnx": LOOP, "--odd.onnx": MEAN,
        "line\nfeed.onnx": MEAN, "empty.onnx": b"", "text.onnx": b"hello\n", "list.json": b"[1]",
    }  # fmt: skip
    for name, content in files.items():
        (where / name).write_bytes(content)
    (where / "folder.onnx").mkdir()
    os.mkfifo(where / "pipe.onnx")
    monkeypatch.chdir(where)
    return where


def models(*words):
    return call("tinyvmaf", "models", *words)


def refused(done, *parts, code=2):
    """One line on standard error, nothing on standard output, no traceback."""
    assert (done.code, done.out, len(done.lines)) == (code, "", 1), done
    assert "Traceback" not in done.err
    assert all(part in done.err for part in parts), done.err


# --- help and calls that are wrong


def test_the_group_lists_its_commands():
    done = models("--help")
    assert (done.code, done.err) == (0, "")
    assert all(f"    {name}" in done.out for name in GROUPS["models"])


@pytest.mark.parametrize("name", GROUPS["models"])
def test_every_command_has_help(name):
    done = models(name, "--help")
    assert (done.code, done.err) == (0, "")
    assert f"usage: tinyvmaf models {name}" in done.out


@pytest.mark.parametrize(
    ("words", "part"),
    [
        ("", "COMMAND"),
        ("checks", "invalid choice: 'checks'"),
        ("list more", "Unrecognized arguments: more"),
        ("show", "required: model"),
        ("show nothing", "There is no model 'nothing'"),
        ("check", "A file to check is required"),
        ("check --fast good.onnx", "There is no option --fast"),
        ("verify good.onnx --identity me", "--identity and --issuer together"),
        ("verify good.onnx --trusted-root root.json", "--trusted-root needs"),
        ("pull", "required: MODEL"),
        ("pull vmaf_tiny", "needs no fetching"),
        ("pull lpips_squ", "Did you mean lpips_sq?"),
        ("pull lpips_sq --from .", "must hold lpips_sq.onnx, but it does not. Put it there."),
        (
            "pull dists --from .",
            "vgg16.ckpt and DISTS_pytorch-0.1-py3-none-any.whl or weights.pt, but it does not. Put the "
            "files there, or the finished dists.onnx.",
        ),
        ("import good.onnx", "required: id"),
        ("import good.onnx vmaf_tiny", "taken by a packaged model"),
        (
            "import good.onnx Good",
            "begins with a letter or digit, but this one is 'Good'",
        ),
        ("import good.onnx good.onnx", "but this one is 'good.onnx'"),
        ("import good.onnx good --kind taste", "invalid choice: 'taste'"),
        ("import good.onnx u2netp", "u2netp is that of a model that can be pulled"),
        ("check ''", "The file '' cannot be read"),
        ("import good.onnx good --target me", "invalid choice: 'me'"),
        ("import dice.onnx dice", "RandomNormalLike"),
        ("import text.onnx text", "not an ONNX model"),
        ("import list.json list", "must be a JSON object"),
        ("import absent.onnx absent", "No such file"),
        ("remove", "required: ID"),
        ("remove good", "no model 'good'"),
        ("sign", "required: file"),
        ("sign absent.onnx", "No such file"),
        ("sign good.onnx --output folder.onnx", "is a folder"),
        ("sign good.onnx --output absent/bundle", "does not exist"),
        ("parity --tolerance much", "invalid float value"),
        ("parity --devices tpu", "There is no device 'tpu'"),
        ("parity --devices cpu:threads=x", "whole number"),
        ("parity --reference clip.y4m", "both clips or none"),
        ("parity vmaf_v0.6.1", "libvmaf's JSON"),
        ("parity nothing", "There is no model 'nothing'"),
        ("parity --json absent/rows.json", "does not exist"),
        ("parity --json folder.onnx", "is a folder"),
        ("parity ./good.onnx --json good.onnx", "is also an input"),
    ],
)
def test_wrong_calls(words, part, folder):
    before = sorted(os.listdir(folder))
    refused(models(*words.split()), part)
    assert sorted(os.listdir(folder)) == before


@pytest.mark.parametrize("command", ["show", "import", "parity", "verify", "sign"])
@pytest.mark.parametrize("name", ["pipe.onnx", "folder.onnx", "./absent.onnx"])
def test_what_is_no_regular_file_is_refused_at_once(command, name, folder, monkeypatch):
    monkeypatch.setenv("SIGSTORE_ID_TOKEN", "none")
    if command == "sign" and name == "folder.onnx":
        name = "./folder.onnx/"
    refused(models(command, name, *(["id"] if command == "import" else [])))


# --- check


def test_accepted_files_give_one_line_each(folder):
    done = models("check", "good.onnx", "loop.onnx")
    assert (done.code, done.err) == (0, "")
    first, second = done.out.splitlines()
    assert first.startswith("good.onnx: accepted: opset 17, 1 nodes of 1 operators, 0 parameters")
    assert "3" in second.split("; ")[1]


@pytest.mark.parametrize(
    ("name", "part"),
    [
        ("dice.onnx", "RandomNormalLike"),
        ("empty.onnx", "0 bytes"),
        ("text.onnx", "not an ONNX model"),
        ("pipe.onnx", "regular file"),
        ("folder.onnx", "regular file"),
        ("absent.onnx", "No such file"),
    ],
)
def test_refused_files_give_one_line_and_exit_2(name, part, folder):
    refused(models("check", name), f"tinyvmaf: {name}: refused: ", part)


def test_one_refused_file_among_others(folder):
    done = models("check", "good.onnx", "dice.onnx", "half.onnx")
    assert done.code == 2
    assert [line.split(":")[0] for line in done.out.splitlines()] == ["good.onnx", "half.onnx"]
    assert len(done.lines) == 1


def test_names_that_look_like_options_or_break_lines(folder):
    refused(models("check", "--odd.onnx"), "There is no option --odd.onnx")
    assert models("check", "--", "--odd.onnx").out.startswith("--odd.onnx: accepted")
    assert models("check", "./--odd.onnx").code == 0
    done = models("check", "line\nfeed.onnx")
    assert (done.code, len(done.out.splitlines())) == (0, 1)
    assert "\nid" not in models("show", "line\nfeed.onnx").out.replace("\nregistered", "")
    assert models("show", "line\nfeed.onnx").out.startswith(f"id          {'line' + chr(10) + 'feed.onnx'!a}\n")


def test_check_as_json(folder):
    done = models("check", "--json", "loop.onnx", "dice.onnx", "pipe.onnx")
    assert (done.code, done.err) == (2, "")
    loop, dice, pipe = map(json.loads, done.out.splitlines())
    assert (loop["file"], loop["accepted"], loop["reason"], loop["opset"]) == ("loop.onnx", True, "", 17)
    assert loop["operators"] == ["Identity", "Loop", "Tanh"]
    assert loop["inputs"] == [{"name": "x", "dtype": "float32", "shape": ["N", 1, "H", "W"]}]
    assert len(loop["loops"]) == 1
    assert (dice["accepted"], pipe["accepted"]) == (False, False)
    assert "RandomNormalLike" in dice["reason"]


def test_check_keeps_to_the_jail(folder, tmp_path, monkeypatch):
    jail = tmp_path / "jail"
    jail.mkdir()
    (jail / "inside.onnx").write_bytes(MEAN)
    (jail / "link.onnx").symlink_to(folder / "good.onnx")
    monkeypatch.setenv("VMAF_TINY_MODEL_DIR", str(jail))
    assert models("check", jail / "inside.onnx").code == 0
    for name in (folder / "good.onnx", jail / "link.onnx"):
        refused(models("check", name), "VMAF_TINY_MODEL_DIR", "must lie inside")


def test_check_in_a_process_of_its_own(folder):
    done = process("tinyvmaf", "models", "check", "good.onnx", "dice.onnx")
    assert (done.code, len(done.out.splitlines()), len(done.lines)) == (2, 1, 1)


# --- list, show, verify


def test_list_names_what_is_packaged_and_what_can_be_pulled():
    rows = json.loads(models("list", "--json").out)
    where = {row["id"]: row["where"] for row in rows}
    ours = {"dists_sq", "saliency", "vmaf_tiny"}
    assert {name for name, place in where.items() if place == "packaged"} == {*ours, *registry.NETFLIX_SHA256}
    assert {name for name, place in where.items() if place == "can be pulled"} == set(RECIPES)
    research = {row["id"] for row in rows if row["data_licence"] == "research"}
    assert research == {"dists", "lpips_alex", "lpips_sq", "transnet_v2", "u2netp"}
    lines = models("list").out.splitlines()
    assert len(lines) == len(rows) + 1
    assert lines[0].split()[:2] == ["id", "where"]


def test_stored_models_are_listed_and_shown(folder):
    assert models("import", "good.onnx", "good", "--kind", "nr", "--target", "human", "--licence", "MIT").code == 0
    row = next(row for row in json.loads(models("list", "--json").out) if row["id"] == "good")
    assert (row["where"], row["kind"], row["target"], row["licence"]) == ("stored", "nr", "human", "MIT")
    facts = json.loads(models("show", "good", "--json").out)
    assert (facts["registered"], facts["onnx"], facts["bytes"]) == (True, "good.onnx", len(MEAN))


def test_show_says_what_the_guard_says(folder):
    facts = json.loads(models("show", "vmaf_tiny", "--json").out)
    assert facts["target"] == "teacher"
    assert facts["guard"].startswith("accepted: ")
    assert facts["inputs"] == "features float32 ['N', 6]"
    text = models("show", "vmaf_tiny").out
    assert all(f"{key} " in text for key in facts)
    done = models("show", "dice.onnx")
    assert done.code == 0
    assert "guard       refused: " in done.out
    assert json.loads(models("show", "vmaf_v0.6.1", "--json").out)["target"] == "human"


def test_what_a_file_says_cannot_steer_the_terminal(folder):
    graph = onnx.load_from_string(MEAN)
    graph.graph.input[0].name = graph.graph.node[0].input[0] = "\x1b[31mred"
    (folder / "red.onnx").write_bytes(graph.SerializeToString())
    for command in ("show", "check"):
        done = models(command, "red.onnx")
        assert "\x1b" not in done.out + done.err
        assert command == "check" or r"\x1b[31mred" in done.out
    (folder / "good.json").write_text(json.dumps({"name": "\x1b[31mred\n"}))
    refused(models("show", "good.onnx"), r"name must match", r"not '\x1b[31mred\n'")


def test_verify_compares_every_registered_model():
    done = models("verify")
    assert (done.code, done.err) == (0, "")
    ours = ["dists_sq", "saliency", "vmaf_tiny"]
    assert [line.split(":")[0] for line in done.out.splitlines()] == [*ours, *registry.NETFLIX_SHA256]
    assert all("as pinned, SHA-256 " in line for line in done.out.splitlines())


def test_one_flipped_bit_is_found(tmp_path, monkeypatch):
    copy = tmp_path / "packaged"
    shutil.copytree(registry.data_folder(), copy)
    monkeypatch.setattr(registry, "data_folder", lambda: copy)
    whole = (copy / "vmaf_tiny.onnx").read_bytes()
    (copy / "vmaf_tiny.onnx").write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    done = models("verify")
    assert (done.code, len(done.lines), len(done.out.splitlines())) == (2, 1, 2 + len(registry.NETFLIX_SHA256))
    assert "vmaf_tiny: The file of model vmaf_tiny must have SHA-256" in done.err


def test_a_stored_model_that_changes_is_found(folder, store):
    assert models("import", "good.onnx", "good").code == 0
    assert models("verify", "good").code == 0
    (store / "good.onnx").write_bytes(HALF)
    refused(models("verify", "good"), "must have SHA-256")
    refused(models("show", "good"), "must have SHA-256")


def test_a_damaged_entry_stops_nothing_and_can_be_removed(folder, store):
    for name in ("one", "three", "two"):
        assert models("import", "good.onnx", name).code == 0
    (store / "three.entry.json").write_text("{")
    (store / "u2netp.entry.json").write_text("{")
    cures = {"three": "Run: tinyvmaf models remove three", "u2netp": "Run: tinyvmaf models pull u2netp"}
    done = models("list", "--json")
    where = {row["id"]: row["where"] for row in json.loads(done.out)}
    assert (done.code, where["one"], where["two"], where["u2netp"]) == (0, "stored", "stored", "can be pulled")
    assert "three" not in where
    for line, (name, cure) in zip(done.lines, cures.items(), strict=True):
        assert f"{name}.entry.json cannot be used" in line
        assert line.endswith(cure)
    done = models("verify")
    assert (done.code, len(done.lines)) == (2, 2)
    assert [line.split(":")[0] for line in done.out.splitlines()] == [
        "dists_sq",
        "saliency",
        "vmaf_tiny",
        "one",
        "two",
        *registry.NETFLIX_SHA256,
    ]
    refused(models("verify", "three"), "three.entry.json cannot be used", cures["three"])
    (store / "one.onnx").write_bytes(HALF)
    assert models("verify").code == models("verify", "one", "three").code == models("verify", "three", "one").code == 2
    assert models("remove", "three", "u2netp").out == "three: removed\nu2netp: removed\n"
    assert models("list").err == ""


def test_no_signature_is_no_success(folder):
    refused(models("verify", "vmaf_tiny", "--signature"), "vmaf_tiny is not signed")
    refused(models("verify", "good.onnx", "--signature"), "Nobody vouches for who signs good.onnx")
    refused(models("verify", "good.onnx", *SIGNER), "no signature that can be read")
    assert "good.onnx: not registered, SHA-256" in models("verify", "good.onnx").out


# --- sign and verify, against a Sigstore on this machine's loopback


@pytest.fixture
def deployment(tmp_path, monkeypatch):
    """The options that name a running Sigstore, for signing and for verifying."""
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    own = pki.Pki()
    config, root = tmp_path / "config.json", tmp_path / "root.json"
    root.write_text(json.dumps(own.trusted_root()))
    with pki.services(own) as url:
        config.write_text(json.dumps(own.trust_config(url)))
        monkeypatch.setenv("SIGSTORE_ID_TOKEN", pki.token())
        yield ("--trust-config", config), (*SIGNER, "--trusted-root", root)


def test_what_is_signed_verifies_until_a_bit_changes(folder, deployment):
    sign, verify = deployment
    done = models("sign", "good.onnx", *sign)
    assert (done.code, done.err, done.out) == (0, "", "good.onnx: signed, good.onnx.sigstore.json\n")
    assert "good.onnx: signature good, SHA-256" in models("verify", "good.onnx", *verify).out
    (folder / "half.onnx.sigstore.json").write_bytes((folder / "good.onnx.sigstore.json").read_bytes())
    refused(models("verify", "half.onnx", *verify), "must be signed by")
    other = ("--identity", "https://someone/else", *verify[2:])
    refused(models("verify", "good.onnx", *other), "must be signed by https://someone/else")
    refused(models("verify", "good.onnx", *SIGNER), "must be signed by")


def test_a_bundle_can_go_elsewhere_and_a_failure_leaves_the_old_one(folder, deployment, monkeypatch):
    sign, _ = deployment
    (folder / "bundle").write_text("old")
    monkeypatch.setenv("SIGSTORE_ID_TOKEN", pki.token(lifetime=-600))
    refused(models("sign", "good.onnx", *sign, "--output", "bundle"), "Signing failed", code=1)
    assert (folder / "bundle").read_text() == "old"
    assert not (folder / "good.onnx.sigstore.json").exists()
    monkeypatch.setenv("SIGSTORE_ID_TOKEN", pki.token())
    assert models("sign", "good.onnx", *sign, "--output", "bundle").code == 0
    assert json.loads((folder / "bundle").read_text())["mediaType"]


@pytest.mark.usefixtures("folder")
def test_scoring_with_a_signed_model_only(tmp_path, deployment):
    sign, verify = deployment
    _, _, _, _, _, root = verify
    clip = write_pair(tmp_path, *pair_of_clips(64, 48, 2))
    named = ("--tiny-identity", pki.IDENTITY, "--tiny-issuer", pki.ISSUER, "--tiny-trusted-root", root)
    words = (*clip, "--tiny-model", "good.onnx", "--tiny-model-verify")
    refused(call("vmaf", *words), "Nobody vouches for who signs good.onnx")
    refused(call("vmaf", *words, *named), "no signature that can be read")
    assert models("sign", "good.onnx", *sign).code == 0
    log = log_of(tmp_path, *words, *named, "-q")
    assert log["tiny_model"]["verified"] is True
    assert [entry["verified"] for entry in log["models"]] == [False, True]


# --- pull, import, remove


@needs_fork
def test_pulling_from_a_folder(store):
    for _ in range(2):
        done = models("pull", "lpips_sq", "--from", FORK)
        assert (done.code, done.err) == (0, "")
        assert done.out.startswith(f"lpips_sq: {store / 'lpips_sq.onnx'}, SHA-256 {RECIPES['lpips_sq'].file.sha256}")
    assert next(r for r in json.loads(models("list", "--json").out) if r["id"] == "lpips_sq")["where"] == "stored"
    assert json.loads(models("show", "lpips_sq", "--json").out)["data_license"] == "research"
    assert models("verify", "lpips_sq").code == 0
    assert models("remove", "lpips_sq").out == "lpips_sq: removed\n"
    assert [name for name in os.listdir(store) if not name.endswith(".lock")] == []


def test_pulling_other_bytes_stores_nothing(folder, store):
    (folder / "lpips_sq.onnx").write_bytes(MEAN)
    refused(models("pull", "lpips_sq", "--from", "."), "lpips_sq.onnx must have SHA-256")
    assert [name for name in os.listdir(store) if not name.endswith(".lock")] == []


def test_importing_with_a_sidecar_and_replacing(folder, store):
    (folder / "good.json").write_text(json.dumps({"kind": "nr", "name": "Brightness"}))
    assert models("import", "good.onnx", "mine").code == 0
    assert json.loads((store / "mine.entry.json").read_text())["kind"] == "nr"
    assert (store / "mine.json").read_bytes() == (folder / "good.json").read_bytes()
    refused(models("import", "half.onnx", "mine"), "has a model mine already", "replace it with --overwrite")
    assert (store / "mine.onnx").read_bytes() == MEAN
    assert models("import", "half.onnx", "mine", "--overwrite").code == 0
    assert (store / "mine.onnx").read_bytes() == HALF
    assert not (store / "mine.json").exists()


def test_a_stored_model_scores_by_its_name(folder, tmp_path):
    assert models("import", "good.onnx", "mine").code == 0
    reference, distorted = pair_of_clips(64, 48, 2)
    log = log_of(tmp_path, *write_pair(tmp_path, reference, distorted), "--tiny-model", "mine", "-q")
    assert column(log, "mine") == pytest.approx([planes[0].mean() / 255 for planes in distorted], abs=2e-6)
    assert log["models"][1]["registered"] is True


def test_removing_several(folder):
    for name in ("one", "two"):
        assert models("import", "good.onnx", name).code == 0
    assert models("remove", "one", "two").out == "one: removed\ntwo: removed\n"
    refused(models("remove", "vmaf_tiny"), "no model 'vmaf_tiny'", "It is empty")


# --- parity


def test_parity_of_what_is_registered():
    done = models("parity")
    assert (done.code, done.err) == (0, "")
    title, *rows = done.out.splitlines()
    assert title.split()[:4] == ["model", "device", "ran", "on"]
    assert [row.split()[:3] for row in rows] == [
        ["dists_sq", "cpu:threads=2", "CPU"],
        ["dists_sq", "cpu:unoptimised", "CPU"],
        ["saliency", "cpu:threads=2", "CPU"],
        ["saliency", "cpu:unoptimised", "CPU"],
        ["vmaf_tiny", "cpu:threads=2", "CPU"],
        ["vmaf_tiny", "cpu:unoptimised", "CPU"],
    ]
    assert all(row.endswith("ok") for row in rows)


def test_a_breach_is_exit_1_and_json_says_where(folder):
    (folder / "normalised.onnx").write_bytes(NORMALISED)
    words = ("normalised.onnx", "--devices", "cpu,cpu:unoptimised")
    done = models("parity", *words, "--tolerance", "0", "--json", "rows.json")
    assert (done.code, done.err) == (1, "")
    assert [line.split()[-1] for line in done.out.splitlines()[1:]] == ["ok", "BREACH"]
    rows = json.loads((folder / "rows.json").read_text())
    assert [row["passed"] for row in rows] == [True, False]
    assert 0 < rows[1]["max_abs"] < 1e-5
    done = models("parity", *words, "--json", "-")
    assert done.code == 0
    assert [row["passed"] for row in json.loads(done.out)] == [True, True]


def test_an_absent_device_is_skipped_or_a_breach_where_that_is_asked(folder):
    words = ("parity", "vmaf_tiny", "--devices", "coreml")
    done = models(*words)
    assert (done.code, done.err) == (0, "")
    assert "skipped: Device 'coreml' cannot be used here" in done.out
    assert models(*words, "--strict").code == 1
    assert models(*words, "--json", "rows.json").code == 0
    (row,) = json.loads((folder / "rows.json").read_text())
    assert (row["max_abs"], row["seconds"], row["attached"]) == (None, None, "")


def test_parity_on_clips_of_ones_own(folder):
    reference, distorted = pair_of_clips(61, 45, 3)
    for name, frames in (("ref", reference), ("dis", distorted)):
        (folder / f"{name}.y4m").write_bytes(y4m_bytes(frames))
    clips = ("--reference", "ref.y4m", "--distorted", "dis.y4m")
    done = models("parity", "vmaf_tiny", "good.onnx", "half.onnx", *clips)
    assert (done.code, done.err) == (0, "")
    assert done.out.count(" ok") == 6
    assert done.out.count("1e-02") == 2
    refused(models("parity", "vmaf_tiny", *clips[:3], "absent.y4m"), "absent.y4m")


# --- the options of `vmaf`


@pytest.fixture
def clip(folder):
    reference, distorted = pair_of_clips(64, 48, 3)
    write_pair(folder, reference, distorted)
    return reference, distorted


PAIR = ("-r", "ref.y4m", "-d", "dis.y4m")
ALONE = ("-d", "dis.y4m", "--no-reference")
MINE = ("--tiny-model", "good.onnx")


def test_a_tiny_model_beside_vmaf_and_its_block_in_the_log(clip, folder):
    log = log_of(folder, *PAIR, *MINE, "-q", "--precision", "max")
    jsonschema.validate(log, json.loads((ROOT / "docs/schema/vmaf-log-1.json").read_text()))
    want = [planes[0].mean() / 255 for planes in clip[1]]
    block = log["tiny_model"]
    assert (block["name"], block["kind"], block["device"], block["verified"]) == ("vmaf_tiny_model", "nr", "CPU", False)
    assert block["per_frame"] == column(log, "vmaf_tiny_model") == pytest.approx(want, abs=1e-6)
    assert block["mean"] == pytest.approx(np.mean(want), abs=1e-6)
    assert [entry["name"] for entry in log["models"]] == ["vmaf", "vmaf_tiny_model"]


def test_several_tiny_models(clip, folder):
    (folder / "half.json").write_text(json.dumps({"name": "brightness"}))
    more = ("--tiny-model", "half.onnx", "--tiny-model", "vmaf_tiny", "--tiny-model", "./good.onnx")
    log = log_of(folder, *PAIR, *MINE, *more, "-q")
    names = [entry["name"] for entry in log["models"]]
    assert names == ["vmaf", "vmaf_tiny_model", "brightness", "vmaf_tiny", "vmaf_tiny_model_4"]
    assert column(log, "vmaf_tiny_model") == column(log, "vmaf_tiny_model_4")
    assert column(log, "brightness") == pytest.approx(column(log, "vmaf_tiny_model"), abs=1e-3)
    assert (log["tiny_model"]["name"], log["tiny_model"]["names"]) == ("vmaf_tiny_model", names[1:])


@pytest.mark.usefixtures("clip")
def test_two_models_of_one_name_are_told_what_to_change(folder):
    (folder / "half.json").write_text(json.dumps({"name": "one"}))
    (folder / "good.json").write_text(json.dumps({"name": "one"}))
    refused(
        call("vmaf", *PAIR, *MINE, "--tiny-model", "half.onnx"), "'one' is used twice", "Change the name in the side"
    )


@pytest.mark.usefixtures("clip")
def test_means_are_printed_and_where_it_ran():
    done = call("vmaf", *PAIR, *MINE)
    assert done.code == 0
    assert [line.split(": ")[0] for line in done.out.splitlines()] == ["vmaf_v0.6.1", "good.onnx"]
    assert done.lines == ["vmaf: note: vmaf_tiny_model ran on CPU."]
    assert call("vmaf", *PAIR, *MINE, "-q").err == ""


@pytest.mark.usefixtures("clip")
def test_devices(folder):
    assert log_of(folder, *PAIR, *MINE, "-q", "--tiny-device", "cpu")["tiny_model"]["device"] == "CPU"
    assert log_of(folder, *PAIR, *MINE, "-q", "--dnn-ep", "CPU", "--tiny-threads", 2)["tiny_model"]["device"] == "CPU"
    refused(call("vmaf", *PAIR, *MINE, "--tiny-device", "coreml"), "Device 'coreml' cannot be used", "Present are cpu")
    refused(call("vmaf", *PAIR, *MINE, "--tiny-device", "gpu"), "There is no device 'gpu'")
    refused(call("vmaf", *PAIR, *MINE, "--tiny-threads", 65), "threads must be 1 to 64")
    done = call("vmaf", *PAIR, *MINE, "--tiny-device", "coreml,cpu")
    assert done.code == 0
    assert done.lines == ["vmaf: note: vmaf_tiny_model runs on CPU: CoreML is not in the installed ONNX Runtime."]
    log = json.loads(call("vmaf", *PAIR, *MINE, "-q", "--tiny-device", "coreml,cpu", "--json", "-o", "-").out)
    assert "CoreML" in log["models"][1]["notes"][0]


@pytest.mark.skipif("cuda" in providers.present(), reason="CUDA is here")
@pytest.mark.usefixtures("clip")
def test_cuda_by_name_is_refused_where_it_is_absent():
    refused(call("vmaf", *PAIR, *MINE, "--tiny-device", "cuda"), "Device 'cuda' cannot be used here")


@pytest.mark.usefixtures("clip")
def test_features_as_float16_need_the_flag(folder):
    (folder / "rows.onnx").write_bytes(
        model("g (float16[N, 6] x) => (float16[N] y) { y = ReduceMax <axes = [1], keepdims = 0> (x) }")
    )
    words = (*PAIR, "--tiny-model", "rows.onnx", "-q")
    refused(call("vmaf", *words), "rows.onnx has 'x' float16 ['N', 6], 'y' float16 ['N']", "vmaf --tiny-fp16")
    log = log_of(folder, *words, "--tiny-fp16", "--precision", "max")
    rows = [[frame["metrics"][f"integer_{key}"] for key in CANONICAL] for frame in log["frames"]]
    assert column(log, "vmaf_tiny_model") == np.array(rows).astype(np.float16).max(axis=1).tolist()


def test_float16(clip, folder):
    plain, converted = (
        log_of(folder, *PAIR, "--tiny-model", "half.onnx", "-q", *more)["tiny_model"]["per_frame"]
        for more in ((), ("--tiny-fp16",))
    )
    assert plain == converted == pytest.approx([planes[0].mean() / 255 for planes in clip[1]], abs=2e-3)


LOGARITHM = model("""g (float[N, 1, H, W] x) => (float[N] y) <float half = {0.5}> {
    m = ReduceMean <axes = [1, 2, 3], keepdims = 0> (x) d = Sub(m, half) y = Log(d) }""")


@pytest.mark.parametrize("program", ["vmaf", "tinyvmaf"])
def test_scores_that_are_no_numbers_end_in_a_whole_log_and_exit_1(folder, program):
    (folder / "log.onnx").write_bytes(LOGARITHM)
    frames = [
        tuple(np.full(shape, level, np.uint8) for shape in ((48, 64), (24, 32), (24, 32))) for level in (200, 9, 9)
    ]
    write_pair(folder, frames, frames)
    words = [*ALONE, "--tiny-model", "log.onnx", "--json", "-o"]
    if program == "tinyvmaf":
        words = ["score", "ref.y4m", "dis.y4m", "--model", "log.onnx", "--json"]
    done = call(program, *words, "log.json", "-q")
    name = "vmaf_tiny_model" if program == "vmaf" else "log"
    said = f"{name} gave no finite number for 2 of 3 frames, the first is frame 1."
    assert (done.code, done.out, len(done.lines)) == (1, "", 1)
    assert done.err.startswith(f"{program}: {said} ")
    log = json.loads((folder / "log.json").read_text())
    jsonschema.validate(log, json.loads((ROOT / "docs/schema/vmaf-log-1.json").read_text()))
    assert column(log, name) == [pytest.approx(np.log(200 / 255 - 0.5), abs=1e-5), None, None]
    assert log["tiny_model"]["per_frame"] == column(log, name)
    assert set(log["pooled_metrics"][name].values()) == {None}
    assert log["models"][-1]["failure"] == said


@pytest.mark.usefixtures("clip")
def test_a_model_that_gives_pictures_says_so(folder):
    (folder / "normalised.onnx").write_bytes(NORMALISED)
    done = call("vmaf", *ALONE, "--tiny-model", "normalised.onnx", "--json", "-o", "log.json")
    assert done.code == 0
    assert done.lines[0].startswith(
        "vmaf: note: vmaf_tiny_model gives pictures, not a score: each frame's value is the "
    )
    assert done.lines[1:] == ["vmaf: note: vmaf_tiny_model ran on CPU."]
    assert len(json.loads((folder / "log.json").read_text())["models"][0]["notes"]) == 1


@pytest.mark.usefixtures("clip")
def test_what_no_reference_models_take_is_said(folder):
    (folder / "many.onnx").write_bytes(
        model("""g (float[1, 9, 1, H, W] x) => (float[1] y) {
        y = ReduceMean <axes = [1, 2, 3, 4], keepdims = 0> (x) }""")
    )
    words = (*ALONE, "--tiny-model", "many.onnx")
    refused(
        call("vmaf", *words), "many.onnx has 'x' float32 [1, 9, 1, 'H', 'W']", "A no-reference model takes one picture"
    )
    (folder / "many.json").write_text(json.dumps({"kind": "shots"}))
    refused(call("vmaf", *words), "many.onnx finds where shots end", "gives no score")


@pytest.mark.usefixtures("clip")
@pytest.mark.parametrize(
    ("words", "parts"),
    [
        ((*MINE, "--tiny-model", "dice.onnx"), ("dice.onnx: The guard refuses", "RandomNormalLike")),
        (("--tiny-model", "pipe.onnx"), ("regular file",)),
        (("--tiny-model", "absent.onnx"), ("No such file",)),
        (("--tiny-model", "nothing"), ("There is no model 'nothing'",)),
        (
            ("--tiny-model", "vmaf_v0.6.1", "--tiny-model", "vmaf_v0.6.1"),
            ("name of its own", "same model: give it once"),
        ),
        (("--tiny-model", "vmaf_tiny", "--tiny-model", "vmaf_tiny"), ("name of its own", "same model: give it once")),
        (("--tiny-fp16",), ("Without --tiny-model", "nothing for --tiny-fp16.")),
        (("--tiny-model-verify",), ("Without --tiny-model",)),
        (("--tiny-threads", 2, "--dnn-ep", "cpu"), ("nothing for --tiny-device, --tiny-threads. Name a model",)),
        (("--tiny-cosign",), ("Without --tiny-model",)),
        (("--tiny-trusted-root", "root.json"), ("Without --tiny-model",)),
        (("--tiny-identity", "me", "--tiny-issuer", "you"), ("nothing for --tiny-identity, --tiny-issuer",)),
        ((*MINE, "--tiny-model-verify"), ("Nobody vouches",)),
        (("--tiny-model", "vmaf_tiny", "--tiny-model-verify"), ("vmaf_tiny is not signed",)),
        (("--tiny-model", "vmaf_tiny", "--tiny-model-verify", "--tiny-cosign"), ("vmaf_tiny is not signed",)),
        ((*MINE, "--tiny-model-verify", "--tiny-identity", "me"), ("together",)),
        ((*MINE, "--tiny-identity", "me", "--tiny-issuer", "you"), ("needs --tiny-model-verify",)),
        ((*MINE, "--tiny-model-verify", "--tiny-trusted-root", "r"), ("needs --tiny-identity",)),
        ((*MINE, "--tiny-cosign"), ("needs --tiny-model-verify",)),
    ],
)
def test_wrong_tiny_options(words, parts):
    refused(call("vmaf", *PAIR, *words), *parts)


def test_no_reference(clip, folder):
    log = log_of(folder, *ALONE, *MINE, "-q", "--precision", "max")
    jsonschema.validate(log, json.loads((ROOT / "docs/schema/vmaf-log-1.json").read_text()))
    assert column(log, "vmaf_tiny_model") == pytest.approx([p[0].mean() / 255 for p in clip[1]], abs=1e-6)
    assert (log["pairing"], list(log["inputs"])) == ({"frames": 3, "no_reference": True, "notes": []}, ["distorted"])
    cut = log_of(folder, *ALONE, *MINE, "-q", "--precision", "max", "--frame_skip_dist", 1, "--frame_cnt", 1)
    assert column(cut, "vmaf_tiny_model") == column(log, "vmaf_tiny_model")[1:2]
    for name in ("xml", "csv", "sub"):
        assert call("vmaf", *ALONE, *MINE, "-q", f"--{name}", "-o", f"log.{name}").code == 0


@pytest.mark.usefixtures("clip")
@pytest.mark.parametrize(
    ("words", "part"),
    [
        (ALONE, "scores with tiny models that need no reference"),
        ((*PAIR, "--no-reference", *MINE), "there is no reference, but -r/--reference is given"),
        ((*ALONE, *MINE, "-m", "version=vmaf_v0.6.1"), "and with nothing else"),
        ((*ALONE, "--tiny-model", "vmaf_tiny"), "but vmaf_tiny needs one"),
        ((*ALONE, *MINE, "--feature", "psnr"), "Feature psnr needs a reference"),
        ((*ALONE, *MINE, "--sync"), "an option of pairing is given"),
        ((*ALONE, *MINE, "--frame_skip_ref", 1), "an option of pairing is given"),
        (("--no-reference", *MINE), "A distorted video is required"),
        ((*ALONE, *MINE, "--frame_skip_dist", 9), "At least one frame is needed"),
    ],
)
def test_what_goes_with_no_reference(words, part):
    refused(call("vmaf", *words), part)


def test_no_reference_from_a_pipe_and_from_raw_video(clip, folder):
    want = log_of(folder, *ALONE, *MINE, "-q")["frames"]
    piped = process("vmaf", "-d", "-", *ALONE[2:], *MINE, "-q", "--json", "-o", "-",
                    input=(folder / "dis.y4m").read_bytes())  # fmt: skip
    assert (piped.code, json.loads(piped.out)["frames"]) == (0, want)
    (folder / "dis.yuv").write_bytes(b"".join(p.tobytes() for planes in clip[1] for p in planes))
    raw = ("-d", "dis.yuv", "-w", 64, "-h", 48, "-p", "420", "-b", 8, "--no-reference")
    assert log_of(folder, *raw, *MINE, "-q")["frames"] == want
