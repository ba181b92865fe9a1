"""Network namespaces that a test makes, enters and leaves.

Law: a socket stays in the namespace in which it was opened, so code enters a namespace only to open one,
or to start a process.
"""

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, Self

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
        """Run a shell *command* inside and return what it prints.

        Raises AssertionError with its stderr when it fails.
        """
        with self.entered():
            done = subprocess.run(
                command, shell=True, input=stdin, capture_output=True, text=True, timeout=30
            )
        assert done.returncode == 0, f"{command}: {done.stderr.strip() or done.stdout.strip()}"
        return done.stdout.strip()

    def ip(self, arguments: str) -> Any:
        """Return what `ip -json` says to *arguments*: `ip("-details link show br0")[0]["mtu"]`."""
        return self.run_json(f"ip -json {arguments}")

    def run_json(self, command: str) -> Any:
        """Return what a *command* that speaks JSON says; an empty list if it says nothing."""
        return json.loads(self.run(command) or "[]")

    def link(self, name: str) -> dict[str, Any]:
        """Return the link *name* as `ip -json -details` shows it.

        Raises AssertionError when there is none.
        """
        found: dict[str, Any] = self.ip(f"-details link show dev {name}")[0]
        return found

    def links(self) -> list[str]:
        """Return the names of all links but the loopback."""
        return sorted(link["ifname"] for link in self.ip("link show") if link["ifname"] != "lo")

    def addresses(self, name: str) -> list[str]:
        """Return the addresses of the link *name* that are not link-local, with prefix."""
        found = self.ip(f"address show dev {name}")[0]["addr_info"]
        return sorted(f"{it['local']}/{it['prefixlen']}" for it in found if it["scope"] != "link")

    def sysctl(self, name: str, value: object = None) -> str:
        """Return the text of the sysctl *name*, in slash form below /proc/sys. *value*: is written first."""
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
