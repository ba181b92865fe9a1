"""Signals that ask the launcher to stop: they become an exception while it builds, and are held back while it tears down."""

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
    """Within the block stopping signals do nothing: what is being undone is undone to the end (calls have deadlines)."""
    before = [(number, signal.signal(number, _hold)) for number in STOPPING]
    try:
        yield
    finally:
        for number, handler in before:
            signal.signal(number, handler)


def restore() -> None:
    """Default reactions again, for a command that we become or fork."""
    for number in STOPPING:
        signal.signal(number, signal.SIG_DFL)


def wait_for(child: int) -> int:
    """Wait for a command, passing stopping signals on to it; return its exit code, 128 + n when signal n ended it.

    A terminal sends Ctrl-C to the command itself. A command that outlives another signal by KILL_AFTER seconds is killed.
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
