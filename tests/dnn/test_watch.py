"""The watchdog: a forked process gets one of its own, whatever its parent's was doing at that moment."""

from __future__ import annotations

import time
from types import SimpleNamespace

import pytest

from tinyvmaf.dnn import watch


@pytest.fixture
def forked(monkeypatch):
    """What a forked process has: its parent's watchdog, whose lock nobody will ever give back."""
    parents = watch._Watchdog()
    monkeypatch.setattr(watch, "_watchdog", parents)
    watch._start_anew()
    return parents


def test_a_forked_process_has_a_watchdog_of_its_own(forked):
    assert watch._watchdog is not forked
    options = SimpleNamespace(terminate=False)
    with watch.Deadline(options, 0.01) as deadline:
        until = time.monotonic() + 5
        while not options.terminate and time.monotonic() < until:
            time.sleep(0.005)
    assert deadline.passed
    assert options.terminate


def test_a_run_without_a_limit_is_never_stopped(forked):
    options = SimpleNamespace(terminate=False)
    with watch.Deadline(options, None) as deadline:
        time.sleep(0.02)
    assert not deadline.passed
    assert not options.terminate
