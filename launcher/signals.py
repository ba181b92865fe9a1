"""Signals that ask the launcher to stop: an exception while it wires, and ignored while it tears down."""

import contextlib
import os
import signal
import sys
from collections.abc import Iterator
from types import FrameType

from launcher.failures import Interrupted

STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)
KILL_AFTER = 10  # seconds that a command has to end after a forwarded signal


def _interrupt(number: int, _: FrameType | None) -> None:
    raise Interrupted(number)


def _hold(number: int, _: FrameType | None) -> None:
    print(f"cniwire: {signal.Signals(number).name} noted, still cleaning up", file=sys.stderr)


def stop_by_exception() -> None:
    """From now on a stopping signal raises Interrupted."""
    for number in STOPPING:
        signal.signal(number, _interrupt)


@contextlib.contextmanager
def held() -> Iterator[None]:
    """Within the block stopping signals are only noted, so that the undoing is completed.

    Calls have deadlines.
    """
    before = [(number, signal.signal(number, _hold)) for number in STOPPING]
    try:
        yield
    finally:
        for number, handler in before:
            signal.signal(number, handler)


def restore() -> None:
    """Restore the default actions, for a command that this process becomes or forks."""
    for number in STOPPING:
        signal.signal(number, signal.SIG_DFL)


def wait_for(child: int) -> int:
    """Wait for a command, passing stopping signals on to it; return its exit code (128 + n for signal n).

    SIGINT is not passed on at a terminal, which sends Ctrl-C to the command itself. A command that has
    not ended KILL_AFTER seconds after another signal is killed.
    """

    def forward(number: int, _: FrameType | None) -> None:
        if number != signal.SIGINT:
            signal.alarm(KILL_AFTER)
        elif os.isatty(0):
            return
        os.kill(child, number)

    before = [(number, signal.signal(number, forward)) for number in STOPPING]
    before.append((signal.SIGALRM, signal.signal(signal.SIGALRM, lambda *_: os.kill(child, signal.SIGKILL))))
    try:
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    finally:
        signal.alarm(0)
        for number, handler in before:
            signal.signal(number, handler)
    return code if code >= 0 else 128 - code
