"""Settings below /proc/sys, as a kernel's records and one by one.

They are addressed by their slash form, because interface names contain dots.
"""

from __future__ import annotations

from errno import EACCES, ENOENT, EPERM, EROFS

from core import system
from core.plan.records import Sysctl
from core.record import replace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from core.kernel.state import State

ROOT = "/proc/sys/"
OUT_OF_REACH = (EPERM, EACCES, EROFS, ENOENT)  # not ours to set; ENOENT: there is no IPv6


def read(key: str, most: int = 4096) -> str:
    """The value of "net/ipv4/ip_forward", without white space around it. Raises OSError."""
    descriptor = system.open(ROOT + key, system.O_RDONLY | system.O_CLOEXEC)
    try:
        return system.read(descriptor, most).decode("ascii", "replace").strip()
    finally:
        system.close(descriptor)


def value(key: str) -> str:
    """As read, "" where it cannot be read."""
    try:
        return read(key)
    except OSError:
        return ""


def may_write(key: str) -> bool:
    """Whether a setting is there and can be written: /proc/sys may be read-only."""
    return system.access(ROOT + key, system.W_OK)


def write(key: str, value: str) -> None:
    """Set a value. Raises OSError."""
    descriptor = system.open(ROOT + key, system.O_WRONLY | system.O_CLOEXEC)
    try:
        system.write(descriptor, value.encode())
    finally:
        system.close(descriptor)


def _find_sysctl(kernel: State, want: Sysctl) -> Sysctl | None:
    try:
        found = kernel.visit(want.place, lambda: read(want.key))
        differs = want.if_writable and found != want.value
        out_of_reach = differs and not kernel.visit(want.place, lambda: may_write(want.key))
    except OSError:
        return None if want.required else want
    return want if out_of_reach else replace(want, value=found)


def _create_sysctl(kernel: State, *batch: Sysctl) -> None:
    """Write settings of one place.

    *kernel.notes* says which one could not be written because /proc/sys is read-only.
    """

    def write_all() -> None:
        for want in batch:
            try:
                write(want.key, want.value)
            except OSError as error:
                if value(want.key) == want.value:  # /proc/sys may be read-only
                    continue
                if want.if_writable and error.errno == EROFS:
                    kernel.notes.append(f"/proc/sys is read-only: {want.key} stays as it is")
                elif want.required:
                    error.record = want  # type: ignore[attr-defined]
                    raise

    kernel.visit(batch[0].place, write_all)


FIND: dict[type, Any] = {Sysctl: _find_sysctl}
CREATE: dict[type, Any] = {Sysctl: _create_sysctl}
