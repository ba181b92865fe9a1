"""Signals: stop by exception, hold while cleaning up, pass on to a command."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator

import pytest

from launcher import signals
from launcher.failures import Interrupted


@pytest.fixture(autouse=True)
def handlers() -> Iterator[None]:
    """The handlers of before come back."""
    before = [(number, signal.getsignal(number)) for number in signals.STOPPING]
    yield
    for number, handler in before:
        signal.signal(number, handler)


@pytest.mark.parametrize("number", signals.STOPPING)
def test_a_stopping_signal_becomes_an_exception(number: signal.Signals) -> None:
    signals.stop_by_exception()
    with pytest.raises(Interrupted) as caught:
        os.kill(os.getpid(), number)
    assert caught.value.number == number


def test_held_signals_are_noted_and_nothing_else(capsys: pytest.CaptureFixture[str]) -> None:
    signals.stop_by_exception()
    with signals.held():
        os.kill(os.getpid(), signal.SIGTERM)
    assert capsys.readouterr().err == "cniwire: SIGTERM noted, still cleaning up\n"
    with pytest.raises(Interrupted):
        os.kill(os.getpid(), signal.SIGTERM)


def later(number: int, seconds: float = 0.3) -> threading.Timer:
    timer = threading.Timer(seconds, os.kill, (os.getpid(), number))
    timer.start()
    return timer


def python(code: str) -> int:
    """The pid of a Python child that has begun to run *code*.

    Signals that the tests' caller ignores, as under nohup, have their default action in it.
    """
    program = (
        f"import signal, time; signal.signal(1, signal.SIG_DFL); {code}; print(1, flush=True); time.sleep(60)"
    )
    process = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE)
    assert process.stdout
    process.stdout.readline()
    process.stdout.close()
    process.returncode = 0  # wait_for() reaps it
    return process.pid


def test_wait_for_returns_the_exit_code() -> None:
    for code, expected in (("raise SystemExit(7)", 7), ("import os; os.kill(os.getpid(), 9)", 137)):
        child = os.posix_spawn(sys.executable, [sys.executable, "-c", code], dict(os.environ))
        assert signals.wait_for(child) == expected


@pytest.mark.parametrize(("number", "expected"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_wait_for_passes_signals_on(number: int, expected: int) -> None:
    child = python("pass")
    later(number)
    assert signals.wait_for(child) == expected


def test_wait_for_kills_what_ignores_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signals, "KILL_AFTER", 1)
    child = python("signal.signal(15, signal.SIG_IGN)")
    start = time.monotonic()
    later(signal.SIGTERM)
    assert signals.wait_for(child) == 137
    assert 1 < time.monotonic() - start < 5


@pytest.mark.parametrize(("terminal", "expected"), [(True, 143), (False, 130)])
def test_wait_for_leaves_ctrl_c_to_the_terminal(
    monkeypatch: pytest.MonkeyPatch, terminal: bool, expected: int
) -> None:
    """A terminal sends SIGINT to the command itself, so it must not get it twice."""
    monkeypatch.setattr("launcher.signals.os.isatty", lambda _: terminal)
    child = python("signal.signal(2, signal.SIG_DFL)")
    later(signal.SIGINT)
    timer = later(signal.SIGTERM, 0.8)
    assert signals.wait_for(child) == expected
    timer.cancel()
