"""A plugin that is still running: started, signalled and awaited by the test."""

import json
import os
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from fcntl import LOCK_EX, flock
from pathlib import Path
from typing import Any

from tests.harness.host import Container, Host
from tests.harness.plugin import PATH, Answer, decoded


class Running:
    """One call of the plugin that *config* names, under way in the test's host.

    open_stdin: leave the configuration without an end, so that the plugin goes on reading.
    """

    def __init__(
        self,
        host: Host,
        command: str,
        config: Mapping[str, Any],
        container: Container | None = None,
        environ: Mapping[str, str] = {},
        *,
        open_stdin: bool = False,
    ) -> None:
        variables = {"PATH": PATH, "CNI_COMMAND": command, "CNI_PATH": str(host.plugins)}
        if container is not None:
            variables |= {
                "CNI_CONTAINERID": container.name,
                "CNI_NETNS": str(container.path),
                "CNI_IFNAME": "eth0",
            }
        pipe = subprocess.PIPE
        self.began = time.monotonic()
        self.process = subprocess.Popen(
            [host.plugins / config["type"]],
            env={**variables, **environ},
            stdin=pipe,
            stdout=pipe,
            stderr=pipe,
            start_new_session=True,
        )
        assert self.process.stdin
        try:
            self.process.stdin.write(json.dumps(config).encode())
            self.process.stdin.flush()
            if not open_stdin:
                self.process.stdin.close()
        except BrokenPipeError:  # it did not want to read
            pass

    def until(self, file: Path, timeout_s: float = 10) -> "Running":
        """Wait until *file* is there, as a sign that the plugin has come so far."""
        end = time.monotonic() + timeout_s
        while not file.exists():
            assert time.monotonic() < end, f"{file} did not appear"
            time.sleep(0.005)
        return self

    def until_blocked(self, function: str, timeout_s: float = 10) -> "Running":
        """Wait until one of the plugin's threads waits in the kernel in *function*, or something alike."""
        end = time.monotonic() + timeout_s
        while not any(function in wchan for wchan in self.waits()):
            assert self.process.poll() is None, "it has ended"
            assert time.monotonic() < end, f"it waits in {self.waits()}"
            time.sleep(0.005)
        return self

    def waits(self) -> list[str]:
        """What each thread of the plugin waits for, as the kernel calls it."""
        found = []
        for task in Path(f"/proc/{self.process.pid}/task").glob("*"):
            try:
                found.append((task / "wchan").read_text())
            except OSError:  # it has ended meanwhile
                continue
        return found

    def signal(self, number: int) -> "Running":
        self.process.send_signal(number)
        return self

    def answer(self, timeout_s: float = 30) -> Answer:
        """Wait for the end. Raises subprocess.TimeoutExpired."""
        stdin, self.process.stdin = self.process.stdin, None
        try:
            out, err = self.process.communicate(timeout=timeout_s)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.communicate()
            raise
        finally:
            try:
                stdin and stdin.close()
            except BrokenPipeError:  # what it did not want to read is still here
                pass
        self.seconds = time.monotonic() - self.began
        return Answer(self.process.returncode, decoded(out), err.decode(errors="replace"))


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the lock of a directory of reservations, as a process that hangs does."""
    folder.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(folder / "lock", os.O_CREAT | os.O_RDONLY, 0o750)
    try:
        flock(descriptor, LOCK_EX)
        yield
    finally:
        os.close(descriptor)
