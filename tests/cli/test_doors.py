import errno

import pytest

from tinyvmaf import errors
from tinyvmaf.cli.doors import run, say


def _raised(error):
    def command():
        raise error

    return command


def _every_error(kind=errors.TinyVmafError):
    yield kind
    for child in kind.__subclasses__():
        yield from _every_error(child)


@pytest.mark.parametrize("kind", list(_every_error()))
def test_errors_on_purpose_are_one_line_and_only_failed_runs_are_not_the_users(kind, capsys):
    assert run("vmaf", _raised(kind("A rule,\nbroken.", "Mend it."))) == (1 if kind is errors.RunError else 2)
    assert capsys.readouterr().err == "vmaf: A rule, broken. Mend it.\n"


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (KeyboardInterrupt(), 130),
        (OSError(errno.ENOSPC, "No space left on device"), 2),
        (OSError(errno.EIO, "Input/output error"), 1),
        (MemoryError(), 1),
    ],
)
def test_other_ends(error, code, capsys, monkeypatch):
    monkeypatch.delenv("TINYVMAF_DEBUG", raising=False)
    assert run("vmaf", _raised(error)) == code
    assert capsys.readouterr().err.count("\n") == 1


def test_what_a_command_returns_is_the_exit_code(capsys):
    assert [run("vmaf", lambda code=code: code) for code in (0, 2)] == [0, 2]
    assert capsys.readouterr().err == ""


def test_control_characters_are_shown_and_letters_kept(capsys):
    say("vmaf", "a\x1b[31mb\rc\td \u00e4\u4e2d")
    assert capsys.readouterr().err == "vmaf: a\\x1b[31mb\\rc\\td \u00e4\u4e2d\n"
