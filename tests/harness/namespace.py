"""Network namespaces that a test makes, enters and leaves.

Law: a socket stays in the namespace in which it was opened, so code enters a namespace only to open one, or to start a process.
"""

import os
import subprocess
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Self

from launcher.lab import CLONE_NEWNET, MS_BIND, call, libc, mount

MNT_DETACH = 2
HERE = "/proc/thread-self/ns/net"


@contextmanager
def entered(path: str | Path) -> Iterator[None]:
    """Let this thread, and the processes that it starts, live in the network namespace at *path*."""
    with open(HERE, "rb") as before, open(path, "rb") as inside:
        call(libc.setns, inside.fileno(), CLONE_NEWNET)
        try:
            yield
        finally:
            call(libc.setns, before.fileno(), CLONE_NEWNET)


class Namespace:
    """A network namespace with its loopback up, bound to the file *path* until close()."""

    def __init__(self, path: Path):
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
        with open(HERE, "rb") as before:
            call(libc.unshare, CLONE_NEWNET)
            try:
                mount(HERE, str(path), flags=MS_BIND)
            finally:
                call(libc.setns, before.fileno(), CLONE_NEWNET)
        self.run("ip link set lo up")

    @property
    def name(self) -> str:
        return self.path.name

    def entered(self) -> AbstractContextManager[None]:
        """Return a context manager: this thread inside the namespace."""
        return entered(self.path)

    def run(self, command: str, stdin: str | None = None) -> str:
        """Run a shell *command* inside and return what it prints. Raises AssertionError with its stderr when it fails."""
        with self.entered():
            done = subprocess.run(command, shell=True, input=stdin, capture_output=True, text=True, timeout=30)
        assert done.returncode == 0, f"{command}: {done.stderr.strip() or done.stdout.strip()}"
        return done.stdout.strip()

    def sysctl(self, name: str, value: object = None) -> str:
        """Return the text of the sysctl *name*, slash form below /proc/sys; write *value* first unless it is None."""
        with self.entered():
            file = Path("/proc/sys", name)
            if value is not None:
                file.write_text(str(value))
            return file.read_text().strip()

    def close(self) -> None:
        """Let go of the namespace; safe to repeat."""
        if self.path.exists():
            libc.umount2(os.fsencode(self.path), MNT_DETACH)
            self.path.unlink()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
