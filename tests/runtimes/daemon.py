"""A daemon of the fake host, with control groups of its own, of which nothing is left when it is over.

Runtimes want control groups. These here get a fresh one as the root of all that they see: the unified
hierarchy without controllers, so that no runtime can set a limit, and none needs one of the machine's.
"""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from launcher.lab import libc, mount

MNT_DETACH = 2
HIERARCHY, SEEN = Path("/run/cgroups"), Path("/sys/fs/cgroup")  # all of it, and where runtimes look
PATIENCE_S = 20

# $0: the group's folder. What follows is executed in the group, and sees the group as the root.
ENTER = f"""
echo $$ > "$0/cgroup.procs" || exit
exec unshare --cgroup sh -c 'test -e {SEEN}/cgroup.procs || mount -t cgroup2 none {SEEN} && exec "$@"' sh "$@"
"""


@contextmanager
def group() -> Iterator[Path]:
    """Make a control group for the length of the block; what still runs in it then is killed.

    Skips the test where that is not allowed: only root of the machine may.
    """
    HIERARCHY.mkdir(exist_ok=True)
    made = HIERARCHY / f"cniwire-{os.getpid()}-{time.monotonic_ns()}"
    try:
        mount("none", str(HIERARCHY), "cgroup2")
        made.mkdir()
    except PermissionError as error:
        pytest.skip(f"no control groups for a runtime here: {error}")
    before = layers(SEEN)
    mount("tmpfs", str(SEEN), "tmpfs")
    try:
        yield made
    finally:
        (made / "cgroup.kill").write_text("1")
        until(lambda: "populated 0" in (made / "cgroup.events").read_text(), "the group is empty")
        for folder, _, _ in os.walk(made, topdown=False):
            os.rmdir(folder)
        while layers(SEEN) > before:
            libc.umount2(os.fsencode(SEEN), MNT_DETACH)
        libc.umount2(os.fsencode(HIERARCHY), MNT_DETACH)


def layers(place: Path) -> int:
    """Count what is mounted on *place*, one upon the other."""
    with open("/proc/self/mountinfo", encoding="utf-8") as file:
        return sum(line.split()[4] == str(place) for line in file)


def inside(group: Path) -> list[str]:
    """Return what has to stand before a command that is to run in *group*."""
    return ["sh", "-c", ENTER, str(group)]


class Daemon:
    """A process of a control *group*, and the log that it writes."""

    def __init__(self, group: Path, command: list[str], log: Path, environ: Mapping[str, str] = os.environ):
        self.log = log
        with open(log, "ab") as output:
            self.process = subprocess.Popen(
                [*inside(group), *command],
                env=dict(environ),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )

    def until(self, ready: Callable[[], bool], what: str) -> None:
        """Wait until *ready*. Raises AssertionError, with the end of the log, when it takes too long."""
        try:
            until(lambda: self.process.poll() is not None or ready(), what)
            assert self.process.poll() is None, f"it ended with {self.process.returncode}"
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.log.read_text()[-2000:]}") from None

    def kill(self, number: signal.Signals = signal.SIGKILL) -> None:
        """Kill it, and whatever of its session it had started: not what it had sent off, as shims are."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, number)
        self.process.wait(PATIENCE_S)


def kill(*pids: int) -> None:
    """Kill processes with a signal that none can catch, those that have not ended yet."""
    for pid in pids:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass


def until(ready: Callable[[], bool], what: str, patience_s: float = PATIENCE_S) -> None:
    """Wait until *ready*. Raises AssertionError when that takes longer than *patience_s*."""
    end = time.monotonic() + patience_s
    while not ready():
        assert time.monotonic() < end, f"waited {patience_s} s in vain: {what}"
        time.sleep(0.01)
