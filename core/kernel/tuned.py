"""Sysctls that are not ours, as a kernel's records: tuning writes them, and writes back what was there.

White space and the way in which a number is written make no difference: the kernel tells `1024 65535` with
a tabulator, and 0x10 as 16.
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

LONGEST = 1 << 16  # bytes of a value: a list of reserved ports may be long
READABLE = 0o444
SECRET = "/stable_secret"  # EIO while there is none, and none can be taken back


def is_same(want: str, found: str) -> bool:
    """Whether two texts mean the same value to the kernel."""
    return want == found or [*map(_meaning, want.split())] == [*map(_meaning, found.split())]


def _meaning(word: str) -> int | str:
    """A number as the kernel reads it, in base 8 behind a 0; any other word as it is."""
    digits = word.lstrip("-").lower()
    try:
        return int(word, 16 if digits.startswith("0x") else 8 if digits.startswith("0") else 10)
    except ValueError:
        return word


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
    kernel.visit(want.place, lambda: write(want.key, want.value))


FIND: dict[type, Any] = {TunedSysctl: _find}
CREATE: dict[type, Any] = {TunedSysctl: _write}
DELETE: dict[type, Any] = {}
