"""What users get wrong: exit code 2, one line on standard error, and nothing left behind."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
import wave
from pathlib import Path

import pytest

from cli_runs import TIME_LIMIT, call, command, environment, pair_of_clips, process, write_pair
from clips import natural
from video_files import write_raw, y4m_bytes

RAW64 = ("-w", 64, "-h", 64, "-p", "420", "-b", 10)
RAW = "-w 176 -h 144 -p 420 -b 8"
needs_rights = pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    """A folder of good and bad files."""
    folder = tmp_path_factory.mktemp("bad")
    reference, distorted = pair_of_clips(frames=4)
    write_pair(folder, reference, distorted)
    write_pair(folder, reference, distorted, kind="yuv")
    files = {
        "empty": b"",
        "text.txt": b"hello, this is no video\n" * 40,
        "cut.y4m": (folder / "dis.y4m").read_bytes()[:-500],
        "cut.yuv": (folder / "dis.yuv").read_bytes()[:-500],
        "header.y4m": (folder / "dis.y4m").read_bytes().split(b"\n")[0] + b"\n",
        "padded.y4m": (folder / "dis.y4m").read_bytes().ljust(5 * 176 * 144 * 3 // 2, b"\0"),
        "short.y4m": y4m_bytes(distorted[:3]),
        "small.y4m": y4m_bytes(natural("mdn_flower", 160, 90, 4)),
        "tiny.y4m": y4m_bytes([(planes[0][:8, :8],) for planes in reference[:2]], "400"),
        "garbage.json": b"{]",
        "other.json": b'{"model": 1}',
        "list.json": b"[1, 2]",
        "garbage.onnx": b"\x00\xffgarbage" * 40,
        "empty.onnx": b"",
    }  # fmt: skip
    for name, content in files.items():
        (folder / name).write_bytes(content)
    with wave.open(str(folder / "sound.wav"), "wb") as sound:
        sound.setparams((1, 2, 8000, 0, "NONE", ""))
        sound.writeframes(bytes(16000))
    (folder / "sub").mkdir()
    (folder / "log.json").write_text("kept")
    return folder


GOOD = "-r ref.y4m -d dis.y4m"
BAD_VMAF = {
    "no arguments": ("", "reference video is required"),
    "no distorted": ("-r ref.y4m", "distorted video is required"),
    "no reference": ("-d dis.y4m", "reference video is required"),
    "missing file": ("-r nope.mp4 -d dis.y4m", "'nope.mp4' cannot be opened: No such file"),
    "a folder": ("-r ref.y4m -d sub", "is a folder"),
    "empty file": ("-r ref.y4m -d empty", "is empty (0 bytes)"),
    "text file": ("-r ref.y4m -d text.txt", "text.txt"),
    "truncated Y4M": ("-r ref.y4m -d cut.y4m", "cut.y4m ends inside frame 3"),
    "Y4M without frames": ("-r header.y4m -d header.y4m", "header.y4m ends after its Y4M header"),
    "distorted Y4M without frames": ("-r ref.y4m -d header.y4m --truncate", "header.y4m ends after its Y4M header"),
    "truncated raw": (f"-r ref.yuv -d cut.yuv {RAW}", "must be a multiple of its frame size"),
    "wrong raw size": ("-r ref.yuv -d dis.yuv -w 175 -h 144 -p 420 -b 8", "must be a multiple of its frame size"),
    "Y4M read as raw": (f"-r ref.y4m -d dis.y4m {RAW}", "Leave out -w -h -p -b"),
    "Y4M whose size fits read as raw": (f"-r padded.y4m -d padded.y4m {RAW}", "'padded.y4m' is a Y4M file"),
    "raw without its layout": ("-r ref.yuv -d dis.yuv", "Raw YUV needs its size"),
    "only the size": ("-r ref.yuv -d dis.yuv -w 176 -h 144", "pixel_format, bitdepth is not given"),
    "only the bits": ("-r ref.yuv -d dis.yuv -b 8", "width, height, pixel_format is not given"),
    "size of zero": ("-r ref.yuv -d dis.yuv -w 0 -h 144 -p 420 -b 8", "width of raw video must be 1 to"),
    "larger than readers take": ("-r ref.yuv -d dis.yuv -w 176 -h 20000 -p 420 -b 8", "must be 1 to 16384, not 20000"),
    "no such bits": ("-r ref.yuv -d dis.yuv -w 176 -h 144 -p 420 -b 9", "not '9'"),
    "sound only": ("-r ref.y4m -d sound.wav", "must hold a video stream"),
    "an address": ("-r ref.y4m -d http://example.org/a.mp4", "Only local files are read"),
    "other size": ("-r ref.y4m -d small.y4m", "176x144 and small.y4m 160x90"),
    "other length": ("-r ref.y4m -d short.y4m", "must have the same number of frames"),
    "too small": ("-r tiny.y4m -d tiny.y4m", "at least 16 x 16"),
    "nothing left": (f"{GOOD} --frame_skip_ref 9 --frame_skip_dist 9", "none is left"),
    "nothing left of one": (f"{GOOD} --frame_skip_dist 99", "none is left after skipping"),
    "both on standard input": ("-r - -d -", "Only one of the two"),
    "device as video": ("-r ref.y4m -d /dev/null", "must carry Y4M"),
    "unknown option": (f"{GOOD} --bogus", "no option --bogus"),
    "stray word": (f"{GOOD} stray", "'stray'"),
    "no value": (f"-o fresh.json {GOOD} --threads", "needs a value"),
    "no number": (f"{GOOD} --threads abc", "whole number, not 'abc'"),
    "negative number": (f"{GOOD} --subsample -1", "whole number, not '-1'"),
    "far too many threads": (f"{GOOD} --threads 4000000000", "1 to 1024"),
    "no such precision": (f"{GOOD} --precision 18", "from 1 to 17"),
    "preset": (f"{GOOD} --aom_ctc v1.0", "tinyvmaf does not have"),
    "unknown feature": (f"{GOOD} --feature bogus", "no feature 'bogus'"),
    "feature of libvmaf only": (f"{GOOD} --feature cambi", "not part of tinyvmaf"),
    "unknown feature option": (f"{GOOD} --feature psnr=bogus=1", "no option 'bogus'"),
    "feature option out of range": (f"{GOOD} --feature adm=adm_enhn_gain_limit=0.5", "between 1 and 100"),
    "nothing to measure": (f"{GOOD} -n", "nothing to measure"),
    "unknown version": (f"{GOOD} -m version=bogus", "no model 'bogus'"),
    "version with a near miss": (f"{GOOD} -m version=vmaf_v0.6.2", "Did you mean vmaf_v0.6.1?"),
    "version that is not carried": (f"{GOOD} -m version=vmaf_b_v0.6.3", "models pull vmaf_b_v0.6.3"),
    "version 1": (f"{GOOD} -m version=vmaf_v1.0.16_3d0h", "cambi"),
    "missing model": (f"{GOOD} -m path=nope.json", "cannot be read"),
    "model is a folder": (f"{GOOD} -m path=sub", "must be a regular file"),
    "model is a device": (f"{GOOD} -m path=/dev/zero", "regular file"),
    "model is text": (f"{GOOD} -m path=text.txt", "not JSON"),
    "model is garbage": (f"{GOOD} -m path=garbage.json", "not JSON"),
    "model is a list": (f"{GOOD} -m path=list.json", "JSON object"),
    "model is other JSON": (f"{GOOD} -m path=other.json", "model"),
    "ONNX is garbage": (f"{GOOD} -m path=garbage.onnx", ""),
    "ONNX is empty": (f"{GOOD} -m path=empty.onnx", "is empty (0 bytes)"),
    "overload of nothing": (f"{GOOD} -m version=vmaf_v0.6.1:psnr.min_sse=1", "reads no feature 'psnr'"),
    "two models, one name": (f"{GOOD} -m version=vmaf_v0.6.1 -m version=vmaf_v0.6.1neg", "two are named 'vmaf'"),
    "model named as a feature": (f"{GOOD} -m version=vmaf_v0.6.1:name=psnr_y --feature psnr", "which a feature has"),
    "output is a folder": (f"{GOOD} -o sub", "is a folder"),
    "output names a folder": (f"{GOOD} -o new/", "is a folder"),
    "output of no name": ([*GOOD.split(), "-o", ""], "is a folder"),
    "no output folder": (f"{GOOD} -o nowhere/log.xml", "does not exist"),
    "file as output folder": (f"{GOOD} -o text.txt/log.xml", "does not exist"),
    "output over the reference": (f"{GOOD} -o ref.y4m", "is also an input"),
    "output over the distorted": (f"{GOOD} -o ./sub/../dis.y4m", "is also an input"),
    "output over the model": (f"{GOOD} -m path=other.json -o other.json", "is also an input"),
}  # fmt: skip
PAIR = "ref.y4m dis.y4m"
BAD_TINYVMAF = {
    "no command": ("", "COMMAND"),
    "unknown command": ("bogus", "invalid choice: 'bogus'"),
    "one video": ("score ref.y4m", "distorted"),
    "unknown option": (f"score {PAIR} --bogus", "--bogus"),
    "abbreviated option": (f"score {PAIR} --thr 2", "--thr"),
    "no number": (f"score {PAIR} --threads abc", "'abc'"),
    "negative threads": (f"score {PAIR} --threads -1", "1 to 1024"),
    "zero subsample": (f"score {PAIR} --subsample 0", "at least 1, not 0"),
    "negative frames": (f"score {PAIR} --frames -1", "0 or more"),
    "unknown model": (f"score {PAIR} --model bogus", "There are: vmaf_v0.6.1, vmaf_v0.6.1neg"),
    "empty model": (["score", *PAIR.split(), "--model", ""], "no model ''"),
    "model twice": (f"score {PAIR} --model vmaf_v0.6.1 --model vmaf_v0.6.1", "used twice"),
    "unknown feature": (f"score {PAIR} --with psnr,bogus", "no feature 'bogus'"),
    "half a layout": (f"score {PAIR} --raw 176x144", "WxH:CHROMA:BITS"),
    "layout of words": (f"score {PAIR} --raw axb:420:8", "WxH:CHROMA:BITS"),
    "unknown chroma": ("score ref.yuv dis.yuv --raw 176x144:411:8", "411"),
    "unknown scale": (f"score {PAIR} --scale magic", "'magic'"),
    "one file for two logs": (f"score {PAIR} --json log --csv ./log", "named twice"),
    "standard output for two logs": (f"score {PAIR} --json - --csv -", "named twice"),
    "log over an input": (f"score {PAIR} --json dis.y4m", "is also an input"),
    "demo of one frame": ("demo made --frames 1", "at least 2 frames"),
    "demo in a file": ("demo text.txt", "cannot be made"),
    "demo of words": ("demo --frames abc", "'abc'"),
}


def _refused(program, words, message, folder, monkeypatch):
    monkeypatch.chdir(folder)
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    done = call(program, *(words.split() if isinstance(words, str) else words))
    assert (done.code, done.out, len(done.lines)) == (2, "", 1), done
    assert done.lines[0].startswith(f"{program}: ")
    assert message in done.lines[0]
    assert "Traceback" not in done.err
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == before


@pytest.mark.parametrize("name", BAD_VMAF)
def test_vmaf_refuses(name, prepared, monkeypatch):
    words, message = BAD_VMAF[name]
    if "-o" not in words:
        words = f"{words} -o fresh.json --json"
    _refused("vmaf", words, message, prepared, monkeypatch)


@pytest.mark.parametrize("name", BAD_TINYVMAF)
def test_tinyvmaf_refuses(name, prepared, monkeypatch):
    _refused("tinyvmaf", *BAD_TINYVMAF[name], prepared, monkeypatch)


@pytest.mark.parametrize("words", [f"{GOOD[:-7]}cut.y4m --json -o log.json", f"{GOOD} -o nowhere/x"])
def test_a_process_of_its_own_says_the_same(words, prepared):
    done = process("vmaf", *words.split(), cwd=prepared)
    assert (done.code, done.out, len(done.lines)) == (2, "", 1), done
    assert (prepared / "log.json").read_text() == "kept"


def test_an_error_late_in_a_run_leaves_the_old_log_alone(prepared, monkeypatch):
    monkeypatch.chdir(prepared)
    done = call("vmaf", "-r", "ref.y4m", "-d", "cut.y4m", "-o", "log.json", "--json")
    assert (done.code, len(done.lines)) == (2, 1)
    assert (prepared / "log.json").read_text() == "kept"
    assert not list(prepared.glob(".*"))


@needs_rights
def test_places_without_rights(prepared, tmp_path):
    locked = tmp_path / "locked"
    locked.mkdir(mode=0o500)
    done = call("vmaf", "-r", prepared / "ref.y4m", "-d", prepared / "dis.y4m", "-o", locked / "log")
    assert (done.code, len(done.lines)) == (2, 1)
    assert "not writable" in done.err


@pytest.mark.parametrize("words", ["-o /dev/full", "--json -o /dev/full"])
def test_a_full_device(words, prepared, monkeypatch):
    monkeypatch.chdir(prepared)
    done = call("vmaf", *GOOD.split(), *words.split())
    assert (done.code, done.out, len(done.lines)) == (2, "", 1)
    assert "No space left on device" in done.err


@pytest.mark.parametrize(
    ("program", "words"),
    [
        ("vmaf", GOOD),
        ("vmaf", f"{GOOD} -o -"),
        ("vmaf", "--help"),
        ("tinyvmaf", "--help"),
        ("tinyvmaf", f"score {PAIR} --model vmaf_v0.6.1"),
        ("tinyvmaf", f"score {PAIR} --model vmaf_v0.6.1 --json -"),
    ],
)
def test_full_and_broken_standard_output(program, words, prepared):
    with open("/dev/full", "w") as full:
        done = process(program, *words.split(), cwd=prepared, stdout=full)
    assert (done.code, len(done.lines)) == (2, 1), done
    assert "No space left on device" in done.err
    reader, writer = os.pipe()
    os.close(reader)
    try:
        done = process(program, *words.split(), cwd=prepared, stdout=writer)
    finally:
        os.close(writer)
    assert (done.code, done.err) == (1, "")


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_closed_streams(closed, prepared):
    line = f'"$@" {closed}'
    words = ["sh", "-c", line, "sh", *command("vmaf", *GOOD.split(), "--json", "-o", "closed.json")]
    done = subprocess.run(words, cwd=prepared, env=environment(), capture_output=True, check=False, timeout=TIME_LIMIT)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    assert (prepared / "closed.json").read_text().endswith("}\n")
    (prepared / "closed.json").unlink()


def test_a_mistake_of_ours_is_one_line_and_code_1(prepared, monkeypatch):
    def fail(*_arguments, **_options):
        raise ZeroDivisionError("first line\nsecond line")

    monkeypatch.chdir(prepared)
    monkeypatch.setattr("tinyvmaf.cli.scoring.compare", fail)
    monkeypatch.delenv("TINYVMAF_DEBUG", raising=False)
    done = call("vmaf", *GOOD.split())
    assert (done.code, done.out, len(done.lines)) == (1, "", 1)
    assert "failed: ZeroDivisionError: first line second line" in done.err
    monkeypatch.setenv("TINYVMAF_DEBUG", "1")
    with pytest.raises(ZeroDivisionError):
        call("vmaf", *GOOD.split())


def test_commands_may_run_in_a_thread(prepared):
    codes = []
    words = ["-r", prepared / "ref.y4m", "-d", prepared / "nope"]
    thread = threading.Thread(target=lambda: codes.append(call("vmaf", *words).code))
    thread.start()
    thread.join()
    assert codes == [2]


@pytest.fixture
def heeded_interrupts():
    """Programs ignore Ctrl-C where their parent does, as everything does that a shell starts in the background."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("heeded_interrupts")
@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("moment", ["waiting for input", "scoring"])
def test_interrupted_runs_leave_nothing(sent, moment, prepared, tmp_path):
    header, frames = (prepared / "ref.y4m").read_bytes().split(b"\n", 1)
    words = command("vmaf", "-r", "-", "-d", prepared / "endless.y4m", "--json", "-o", tmp_path / "log.json")
    os.mkfifo(prepared / "endless.y4m")
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    running = subprocess.Popen(words, env=environment(), start_new_session=True, **pipes)
    try:
        if moment == "scoring":
            for place in (running.stdin, prepared / "endless.y4m"):
                threading.Thread(target=_feed, args=(place, header, frames), daemon=True).start()
        time.sleep(2.0)
        assert running.poll() is None, running.stderr.read()
        running.send_signal(sent)
        code = running.wait(30)
        out, err = running.stdout.read(), running.stderr.read()
    finally:
        running.kill()
        (prepared / "endless.y4m").unlink()
        with contextlib.suppress(OSError):
            running.stdin.close()
        running.stdout.close()
        running.stderr.close()
    assert (code, out) == (130, b"")
    lines = [line for line in err.decode().splitlines() if "Compiling" not in line]
    assert lines == ["vmaf: interrupted; nothing was written"]
    assert not list(tmp_path.iterdir())
    with pytest.raises(ProcessLookupError):
        os.killpg(running.pid, 0)


def _feed(place, header, frames):
    """The same frames again and again, until the reader is gone."""
    try:
        with open(place, "wb") if isinstance(place, Path) else place as stream:
            stream.write(header + b"\n")
            while True:
                stream.write(frames)
    except OSError:
        pass


def test_links_are_written_through(prepared, tmp_path, monkeypatch):
    monkeypatch.chdir(prepared)
    (tmp_path / "real.xml").write_text("old")
    (tmp_path / "link.xml").symlink_to(tmp_path / "real.xml")
    assert call("vmaf", *GOOD.split(), "-o", tmp_path / "link.xml").code == 0
    assert (tmp_path / "link.xml").is_symlink()
    assert (tmp_path / "real.xml").read_text().startswith("<VMAF")


def test_standard_output_by_its_device_name_into_a_file(prepared, tmp_path):
    with open(tmp_path / "log.xml", "w") as target:
        done = process("vmaf", *GOOD.split(), "-o", "/dev/stdout", cwd=prepared, stdout=target)
    assert (done.code, done.err) == (0, "")
    assert (tmp_path / "log.xml").read_text().endswith("</VMAF>\n")


def test_names_with_odd_characters(prepared, tmp_path):
    odd = tmp_path / "a [b] \u00e4 'q' \"d\".y4m"
    odd.write_bytes((prepared / "dis.y4m").read_bytes())
    done = call("vmaf", "-r", prepared / "ref.y4m", "-d", odd, "--json", "-o", tmp_path / "o [x] \u00e4.json")
    assert (done.code, done.err) == (0, "")
    assert (tmp_path / "o [x] \u00e4.json").exists()
    broken = os.fsdecode(b"\xff\n.y4m")
    done = call("vmaf", "-r", prepared / "ref.y4m", "-d", broken)
    assert (done.code, len(done.lines)) == (2, 1)


def test_raw_files_that_hold_more_than_their_bits(prepared, tmp_path):
    reference = natural("mdn_flower", 64, 64, 2, 16)
    write_raw(tmp_path / "deep.yuv", reference)
    words = ["-r", tmp_path / "deep.yuv", "-d", tmp_path / "deep.yuv", *RAW64]
    done = call("vmaf", *words)
    assert (done.code, len(done.lines)) == (2, 1)
    assert "must not exceed 1023" in done.err
