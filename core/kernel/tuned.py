"""Sysctls that are not ours, as a kernel's records: tuning writes them, and writes back what was there.

White space and the way in which numbers are written make no difference: the kernel tells `1024 65535` with
a tabulator, 0x10 as 16, and the ports 8080,8081 as 8080-8081.
"""

from __future__ import annotations

from errno import EIO

from core import system
from core.kernel.sysctl import ROOT, read, write
from core.plan.changed import TunedSysctl
from core.record import replace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from core.kernel.state import State

DIGITS = 5  # of a port
LONGEST = 1 << 16  # bytes of a value: a list of reserved ports may be long
READABLE = 0o444
SECRET = "/stable_secret"  # EIO while there is none, and none can be taken back


def is_same(want: str, found: str) -> bool:
    """Whether two texts mean the same value to the kernel."""
    return want == found or [*map(_meaning, want.split())] == [*map(_meaning, found.split())]


def _meaning(word: str) -> object:
    """A number as the kernel reads it, in base 8 behind a 0; a list of ports; any other word as it is."""
    digits = word.lstrip("-").lower()
    try:
        return int(word, 16 if digits.startswith("0x") else 8 if digits.startswith("0") else 10)
    except ValueError:
        return _ports(word) or word


def _ports(word: str) -> set[int]:
    """The ports of a list with ranges; none where it is no such list."""
    found: set[int] = set()
    for low, _, high in [part.partition("-") for part in word.split(",")]:
        ends = low, high or low
        if not all([end.isascii() and end.isdecimal() and len(end) <= DIGITS for end in ends]):
            return set()
        found.update(range(int(ends[0]), int(ends[1]) + 1))
    return found


def _find(kernel: State, want: TunedSysctl) -> TunedSysctl | None:
    """The value in the kernel's words, or in those of *want*.

    None where there is no such setting, or nothing that could be written back: it can only be written.
    """
    found = kernel.visit(want.place, lambda: _look(want.key))
    if found is None:
        return None
    return want if is_same(want.value, found) else replace(want, value=found)


def _look(key: str) -> str | None:
    try:
        return read(key, LONGEST)
    except OSError as error:
        if system.absent(ROOT + key) or (error.errno == EIO and key.endswith(SECRET)):
            return None
        if system.stat(ROOT + key).st_mode & READABLE:
            raise
        return None


def _write(kernel: State, want: TunedSysctl) -> None:
    """An empty list of ports is a line without any: of no bytes at all the kernel takes no notice."""
    kernel.visit(want.place, lambda: write(want.key, want.value or "\n"))


FIND: dict[type, Any] = {TunedSysctl: _find}
CREATE: dict[type, Any] = {TunedSysctl: _write}
DELETE: dict[type, Any] = {}
