"""The machine, boot and namespace for which a reservation was made, noted beside its file's content.

They are an extended attribute of the file, which is created and removed with the file and so cannot belong
to another one. A reservation without it (made by the Go plugin, or on a file system that has no attributes)
is never taken for dead.
"""

from __future__ import annotations

from fcntl import LOCK_EX, LOCK_NB, flock

from core import system
from core.attachment import digest
from ipam.host_local.reservation import ATTRIBUTE

FORM, OLD_FORM = b"2", b"1"  # the old one has PART bytes of the boot and knows no namespace
HELD = b"3"  # as FORM, on a file that its ADD keeps locked until all of the attachment is made
# Bytes kept of the machine's hash.
# With a usual netns path the attribute just fits an ext4 inode of 256 bytes.
PART = 4
# Bytes kept of the boot ID and of the namespace's hash. Two that are equal by chance count as the same,
# so the holder counts as alive.
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

    A namespace's inode number is given to another namespace as soon as it is free. The change time tells
    the two apart, but only where a mount holds the inode; below /proc each look makes a new inode.
    So the lowest bit of the first byte says whether the change time is in the hash.
    mounted: True or False as in the hash to compare with; None: as it suits the path.
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
    """Note the boot and the namespace on a reservation file.

    Where that is not possible, the address cannot be reclaimed later from a holder that is dead.
    """
    machine = _machine()
    if not (boot and machine and netns.startswith("/")):
        return
    try:
        namespace = (_namespace(netns) or UNKNOWN) + system.encoded(netns)
        system.setxattr(descriptor, ATTRIBUTE, form + machine + boot[:SHORT] + namespace)
    except OSError:
        pass


def is_dead(descriptor: int, boot: bytes, heir: str = "") -> bool:
    """Whether the attachment of a reservation file cannot be alive: made on this machine before it booted.

    No namespace outlives a boot. What is at its path by now is a new one, of a unit or another process.
    heir: the path of the namespace that the same attachment is to have now. If it is given, an attachment of
    this boot is dead, too, once its namespace is not at its path any more, and the one at *heir* is another.
    """
    try:
        value = system.getxattr(descriptor, ATTRIBUTE)
    except OSError:
        return False
    form, machine, rest = value[:1], value[1 : 1 + PART], value[1 + PART :]
    then, netns = rest[:PART], rest[PART:]
    if not (boot and form in (FORM, HELD, OLD_FORM) and machine == _machine() and netns[:1] == b"/"):
        return False
    kept = PART if form == OLD_FORM else SHORT
    if then[:kept] != boot[:kept]:
        return True
    return form != OLD_FORM and bool(heir) and _was_left(then[SHORT:], system.decoded(netns), heir)


def _was_left(noted: bytes, path: str, heir: str) -> bool:
    """Whether the namespace *noted* is provably neither at its path any more nor the one at *heir*."""
    if noted == UNKNOWN:
        return False
    mounted = bool(noted[0] & 1)
    if _namespace(path, mounted) in (noted, UNKNOWN):
        return False
    return _namespace(heir, mounted) not in (noted, UNKNOWN, b"")


def is_abandoned(descriptor: int) -> bool:
    """Whether the ADD that reserved an address was one in process, and is over.

    Until it is over, it has the file locked.
    """
    try:
        if system.getxattr(descriptor, ATTRIBUTE)[:1] != HELD:
            return False
        flock(descriptor, LOCK_EX | LOCK_NB)
    except OSError:
        return False
    return True
