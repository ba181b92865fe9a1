"""What is known of a reservation beside its file's content: the machine, boot and namespace in which it was made.

It is an extended attribute of the file, so it comes and goes with the file and can never belong to another one. Reservations
without it (made by the Go plugin, or on a file system that has no attributes) are never known to be dead.
"""

from __future__ import annotations

from fcntl import LOCK_EX, LOCK_NB, flock

from core import system
from core.attachment import digest

ATTRIBUTE = "user.cniwire"
FORM, OLD_FORM = b"2", b"1"  # the old one has PART bytes of the boot and knows no namespace
HELD = b"3"  # as FORM, on a file that its ADD keeps locked until all of the attachment is made
# Bytes kept of the machine's hash; with a usual netns path the attribute just fits an ext4 inode of 256 bytes
PART = 4
# Bytes kept of the boot and of the namespace's hash: two that look alike by chance count as the same, so as alive
SHORT = 2
UNKNOWN = bytes(SHORT)  # of a namespace that cannot be looked at
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


def _namespace(path: str, mounted: bool | None = None) -> bytes:
    """SHORT bytes for the namespace at *path*, none where nothing is there.

    A namespace's inode number is given to the next one as soon as it is free. The change time tells them apart, but only where
    a mount holds the inode (the lowest bit of the first byte says so): below /proc each look makes another one.
    mounted: the kind to compare with; None: the path's own.
    """
    try:
        found = system.lstat(path)
        link = found.st_mode & system.S_IFMT == system.S_IFLNK
        found = system.stat(path) if link else found
    except (FileNotFoundError, NotADirectoryError, ProcessLookupError):
        return b""
    except (OSError, ValueError):
        return UNKNOWN
    mounted = not link if mounted is None else mounted
    if mounted and link:
        return UNKNOWN
    hashed = digest(f"{found.st_dev} {found.st_ino} {found.st_ctime_ns if mounted else 0}".encode())
    return bytes([hashed[0] & 0xFC | 2 | mounted, hashed[1]])


def attach(descriptor: int, boot: bytes, netns: str, form: bytes = FORM) -> None:
    """Note the boot and the namespace on a reservation file. Where that is not possible, nothing is lost but a later reclaim."""
    machine = _machine()
    if not (boot and machine and netns.startswith("/")):
        return
    try:
        system.setxattr(
            descriptor,
            ATTRIBUTE,
            form + machine + boot[:SHORT] + (_namespace(netns) or UNKNOWN) + system.encoded(netns),
        )
    except OSError:
        pass


def is_dead(descriptor: int, boot: bytes, heir: str = "") -> bool:
    """Whether the attachment of a reservation file cannot be alive: made on this machine before it booted.

    No namespace outlives a boot, whatever is at its path by now: a unit that makes it again, another process with that number.
    heir: the namespace's path that the same attachment is to have now. Then one of this boot is dead, too, once its own
    namespace is no more at its path, and the new one is another.
    """
    try:
        value = system.getxattr(descriptor, ATTRIBUTE)
    except OSError:
        return False
    form, machine, then, netns = (
        value[:1],
        value[1 : 1 + PART],
        value[1 + PART : 1 + 2 * PART],
        value[1 + 2 * PART :],
    )
    if not (boot and form in (FORM, HELD, OLD_FORM) and machine == _machine() and netns[:1] == b"/"):
        return False
    kept = PART if form == OLD_FORM else SHORT
    if then[:kept] != boot[:kept]:
        return True
    return form != OLD_FORM and bool(heir) and _was_left(then[SHORT:], system.decoded(netns), heir)


def _was_left(noted: bytes, path: str, heir: str) -> bool:
    """Whether the namespace *noted* is provably no more at its path, nor the one at *heir*."""
    if noted == UNKNOWN:
        return False
    mounted = bool(noted[0] & 1)
    return _namespace(path, mounted) not in (noted, UNKNOWN) and _namespace(heir, mounted) not in (
        noted,
        UNKNOWN,
        b"",
    )


def is_abandoned(descriptor: int) -> bool:
    """Whether the ADD that reserved an address was one in process, and is over: it would have the file locked."""
    try:
        if system.getxattr(descriptor, ATTRIBUTE)[:1] != HELD:
            return False
        flock(descriptor, LOCK_EX | LOCK_NB)
    except OSError:
        return False
    return True
