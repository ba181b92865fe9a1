"""One process under strace: which system calls it makes, and how it fares when one of them kills it or fails.

Law: calls are counted by strace, name by name, from the first execve on; the n-th of a recording is the n-th
of the next run, unless the kernel let one of them begin again (sysctls of IPv6 do while another process holds
the lock of all links), which only strace counts.
"""

import re
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from tests.torture.subject import Command

LINE = re.compile(r"(?:(\d+) +)?(\w+)\((.*)")
BYTES = re.compile(r'"[^"]*\\[^"]*"')
VARYING = re.compile(r"torture-\w+|[0-9a-f]*[0-9][0-9a-f]*")  # numbers, addresses
RESULT = re.compile(r"\) += .*")
# The first call of main(), which arranges the verb's budget. Earlier ones are the interpreter's start.
BEGIN = "setitimer"
STRACE = ("strace", "-y", "-qq", "-e", "signal=none")
FOLLOW = "-f"  # leads the lines, and is wanted for
FAST = "--seccomp-bpf"  # which stops at nothing but the calls asked for; strace cannot inject a signal then


class Call(NamedTuple):
    """The *number*-th call of *name* by one process; text: the rest of strace's line."""

    name: str
    number: int
    text: str

    def __str__(self) -> str:
        return f"{self.name} #{self.number} ({self.text[:70]})"

    @property
    def shape(self) -> str:
        """What the same call looks like in every run: without descriptors, addresses and numbers."""
        return VARYING.sub("#", BYTES.sub("#", RESULT.sub("", self.text)))[:40]


class Trace:
    """A file for strace's output; its commands tamper with a plugin.

    alone: but not with the processes that it starts.
    """

    def __init__(self, alone: bool = False) -> None:
        self.start = STRACE if alone else (*STRACE, FOLLOW)
        self.fast = () if alone else (FAST,)
        self.file = Path(tempfile.mkstemp(prefix="trace-")[1])

    def record(self, names: Sequence[str]) -> Command:
        """Watch the calls of *names*."""
        return lambda executable: [
            *self.start,
            *self.fast,
            "-e",
            f"trace={','.join({*names, BEGIN})}",
            "-o",
            self.file,
            executable,
        ]

    def inject(self, call: Call, what: str) -> Command:
        """Do *what* (signal=KILL, error=EIO) instead of *call*."""
        tamper = f"inject={call.name}:{what}:when={call.number}"
        fast = () if what.startswith("signal") else self.fast
        return lambda executable: [
            *self.start,
            *fast,
            "-e",
            f"trace={call.name}",
            "-e",
            tamper,
            "-o",
            self.file,
            executable,
        ]

    def calls(self, whole: bool = False) -> list[Call]:
        """The first process's calls since its budget began, or all of them."""
        found: list[Call] = []
        counts: dict[str, int] = {}
        first, begun = "", whole
        for line in self.file.read_text(errors="replace").splitlines():
            match = LINE.match(line)
            if not match or "= ? ERESTART" in line:
                continue
            process, name, text = match.groups()
            first = first or process
            if process != first:
                continue
            counts[name] = counts.get(name, 0) + 1
            if begun:
                found.append(Call(name, counts[name], text))
            begun = begun or name == BEGIN
        return found

    def reached(self, call: Call) -> bool:
        """Whether the last run got to *call*, and it was the same one that was recorded."""
        same = [other for other in self.calls(whole=True) if other.number == call.number]
        # What was to be received is not told of a call that failed.
        return any(
            other.shape == call.shape or ("INJECTED" in other.text and other.shape[:8] == call.shape[:8])
            for other in same
        )

    def close(self) -> None:
        self.file.unlink(missing_ok=True)
