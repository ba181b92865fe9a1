"""What is known of a reservation beside its file's content: the machine, boot and namespace in which it was made.

It is an extended attribute of the file, so it comes and goes with the file and can never belong to another one. Reservations
without it (made by the Go plugin, or on a file system that has no attributes) are never known to be dead.
"""

from __future__ import annotations

from core import system
from core.attachment import digest

ATTRIBUTE = "user.cniwire"
FORM = b"1"
PART = 4  # bytes kept of each hash; with a usual netns path the attribute just fits an ext4 inode of 256 bytes
BOOT_ID, MACHINE_ID = "/proc/sys/kernel/random/boot_id", "/etc/machine-id"


def boot_id() -> bytes:
    """16 bytes that differ with every boot; none where they cannot be told."""
    try:
        return bytes.fromhex(_line(BOOT_ID).replace("-", ""))[:16]
    except ValueError:
        return b""


def _line(path: str) -> str:
    try:
        descriptor = system.open(path, system.O_RDONLY | system.O_CLOEXEC)
    except OSError:
        return ""
    try:
        return system.read(descriptor, 64).decode("ascii", "replace").strip()
    except OSError:
        return ""
    finally:
        system.close(descriptor)


def _machine() -> bytes:
    """Some bytes for this machine; none where it has no identity."""
    line = _line(MACHINE_ID)
    return digest(line.encode())[:PART] if len(line) == 32 else b""


def attach(descriptor: int, boot: bytes, netns: str) -> None:
    """Note the boot and the namespace on a reservation file. Where that is not possible, nothing is lost but a later reclaim."""
    machine = _machine()
    if not (boot and machine and netns.startswith("/")):
        return
    try:
        system.setxattr(descriptor, ATTRIBUTE, FORM + machine + boot[:PART] + system.encoded(netns))
    except OSError:
        pass


def is_dead(descriptor: int, boot: bytes) -> bool:
    """Whether the attachment of a reservation file cannot be alive: made on this machine before it booted.

    No namespace outlives a boot, whatever is at its path by now: a unit that makes it again, another process with that number.
    """
    try:
        value = system.getxattr(descriptor, ATTRIBUTE)
    except OSError:
        return False
    machine, then, netns = value[1 : 1 + PART], value[1 + PART : 1 + 2 * PART], value[1 + 2 * PART :]
    return bool(boot) and value[:1] == FORM and machine == _machine() and then != boot[:PART] and netns[:1] == b"/"
