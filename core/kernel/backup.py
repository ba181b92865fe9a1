"""What was there before an attachment changed it, in a file: DEL writes it back.

The one place where the kernel is not the database. What the file says: core.plan.kept.

Law: the file is complete before anything is changed, and goes when all of it is written back. What a killed
ADD has left there is older than what a second one in the same namespace finds, so it stays. A file is written
back by its owner, in the namespace that it is of: of another owner it is left alone, and what was changed in
a namespace that is gone is gone with it. A sysctl is written back where it is still what the attachment has
written, as it may be the whole namespace's, and another attachment's by now.
"""

from __future__ import annotations

from errno import ENOPROTOOPT, ENOSPC

from core import system
from core.attachment import Attachment, hashed, network_prefix
from core.errors import STORE_FAILED, CNIError, of_kernel
from core.netlink.message import unsigned
from core.plan import kept
from core.plan.apply import attempt
from core.plan.changed import LinkSettings, TunedSysctl
from core.plan.kept import Damaged, Kept
from core.plan.records import CONTAINER

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

LARGEST = 1 << 20  # bytes of a file
SOL_SOCKET, SO_NETNS_COOKIE = 1, 71


def path(folder: str, attachment: Attachment) -> str:
    """The file of an attachment."""
    return system.join(folder, f"{attachment.container_id}_{attachment.ifname}.json")


def _ending(network: str) -> str:
    """What stands behind the name of a file that is being written; the network's, so that GC knows whose."""
    return f".{hashed(8, '', network)}.new"


def save(kernel: Any, folder: str, attachment: Attachment, before: list[Any]) -> bytes | None:
    """Write what apply has found (core.plan.changed.Before), besides what an earlier ADD has found.

    Returns the file as it was, None for none: put_back takes it. Raises CNIError, also where another
    attachment's file has that name.
    """
    name, netns = path(folder, attachment), _cookie(kernel)
    data = _read(name)
    earlier = kept.parse(data, name) if data is not None else None
    if earlier and earlier.owner.partition("/")[2] not in ("", attachment.owner.partition("/")[2]):
        raise CNIError(STORE_FAILED, f"{name} is the file of {earlier.owner}", "choose another dataDir")
    if earlier and earlier.netns not in (0, netns):
        earlier = None  # of a namespace that is gone
    told = kept.of(before, attachment.owner, netns, earlier)
    if told.link or told.sysctls:
        _write(name, attachment.network, kept.render(told))
    return data


def put_back(folder: str, attachment: Attachment, data: bytes | None) -> None:
    """Make the file what it was before save. Raises CNIError."""
    if data is None:
        remove(folder, attachment)
    else:
        _write(path(folder, attachment), attachment.network, data)


def restore(kernel: Any, folder: str, attachment: Attachment) -> list[CNIError]:
    """Write back what the attachment's file says, and remove it; no file is success.

    Goes on after failures and returns them; the file then stays for another try. Raises CNIError where it
    cannot be read, and Damaged where it says nothing and there is something that it may be of.
    """
    name = path(folder, attachment)
    data = _read(name)
    if data is None:
        remove(folder, attachment)
        return []
    try:
        told = kept.parse(data, name)
    except Damaged:
        if kernel.netns is not None and kernel.find(LinkSettings(CONTAINER, attachment.ifname)):
            raise
        told = Kept({}, {}, "", 0)
    if told.owner not in ("", attachment.owner):
        return []
    failures: list[CNIError] = []
    if kernel.netns is not None and told.netns in (0, _cookie(kernel)):
        _write_back_all(kernel, told, attachment.ifname)
        failures = _write_back_all(kernel, told, attachment.ifname)  # conf/all has set those of all links
    if not failures:
        remove(folder, attachment)
    return failures


def _changed(told: Kept, ifname: str) -> list[tuple[Any, Any]]:
    """Each setting as it was, and as it has to be if it is to be written back, None for however it is."""
    link = [(LinkSettings(CONTAINER, ifname, **{field: value}), None) for field, value in told.link.items()]
    sysctls = [(key, *values) for key, values in reversed(told.sysctls.items())]
    return [*link, *[(TunedSysctl(key, before), TunedSysctl(key, after)) for key, before, after in sysctls]]


def _write_back_all(kernel: Any, told: Kept, ifname: str) -> list[CNIError]:
    failures = []
    for record, still in _changed(told, ifname):
        try:
            _write_back(kernel, record, still)
        except CNIError as error:
            failures.append(error)
    return failures


def _write_back(kernel: Any, record: Any, still: Any) -> None:
    found = attempt("find", record, kernel.find, record)
    if found in (None, record) or (still and attempt("find", still, kernel.find, still) != still):
        return
    attempt("write back", record, kernel.create, record)


def is_there(folder: str, attachment: Attachment) -> bool:
    """Whether an attachment may have a file, finished or not."""
    name = path(folder, attachment)
    return not (system.absent(name) and system.absent(name + _ending(attachment.network)))


def remove(folder: str, attachment: Attachment) -> None:
    """Remove an attachment's file, finished or not; absent is success. Raises CNIError."""
    name = path(folder, attachment)
    _unlink(name + _ending(attachment.network))
    _unlink(name)


def collect(folder: str, network: str, valid: set[str]) -> list[CNIError]:
    """Remove the files of a network's attachments whose owner is not *valid*; returns the failures.

    Nobody knows of which network a file is that the reference has made, or that cannot be read: it stays.
    """
    failures: list[CNIError] = []
    try:
        names = system.listdir(folder)
    except OSError as error:
        return [] if error.errno in system.NOTHING else [_refused(folder, error)]
    for name in [system.join(folder, each) for each in names]:
        try:
            if name.endswith(_ending(network)) or _is_stale(name, network, valid):
                _unlink(name)
        except CNIError as error:
            failures.append(error)
    return failures


def _is_stale(name: str, network: str, valid: set[str]) -> bool:
    data = _read(name) if name.endswith(".json") else None
    try:
        owner = kept.parse(data or b"", name).owner
    except Damaged:
        return False
    return owner.startswith(network_prefix(network)) and owner not in valid


def complaint(folder: str) -> str:
    """Why no file could be written to *folder*, "" where it could, once it is made."""
    while folder not in ("", "/") and not system.there(folder):
        folder = system.parent(folder)
    if system.kind(folder) != system.S_IFDIR:
        return f"{folder} is not a directory"
    return "" if system.access(folder, system.W_OK | system.X_OK) else f"{folder} cannot be written"


# -- the file ------------------------------------------------------------------------------------------


def _cookie(kernel: Any) -> int:
    """A number that no other namespace has until the next boot; 0 before Linux 5.14. Raises CNIError."""
    try:
        return unsigned(kernel.at(CONTAINER).socket.getsockopt(SOL_SOCKET, SO_NETNS_COOKIE, 8))
    except OSError as error:
        if error.errno == ENOPROTOOPT:
            return 0
        raise CNIError(of_kernel(error.errno), f"the container's namespace: {error.strerror}") from error


def _read(name: str) -> bytes | None:
    """The content of a file, None where there is none. Raises CNIError."""
    try:
        descriptor = system.open(name, system.O_RDONLY | system.O_NONBLOCK | system.O_CLOEXEC)
        try:
            return system.read(descriptor, LARGEST)
        finally:
            system.close(descriptor)
    except OSError as error:
        if error.errno in system.NOTHING:
            return None
        raise _refused(name, error) from None


def _write(name: str, network: str, data: bytes) -> None:
    """Make a file whole or not at all. Raises CNIError."""
    fresh = name + _ending(network)
    try:
        _make_folder(system.parent(name))
        flags = system.O_WRONLY | system.O_CREAT | system.O_TRUNC | system.O_CLOEXEC
        descriptor = system.open(fresh, flags, 0o600)
        try:
            if system.write(descriptor, data) != len(data):
                raise OSError(ENOSPC, system.strerror(ENOSPC))
        finally:
            system.close(descriptor)
        system.rename(fresh, name)
    except OSError as error:
        if system.there(fresh):
            _unlink(fresh)
        raise _refused(name, error) from None


def _make_folder(folder: str) -> None:
    if folder and system.kind(folder) != system.S_IFDIR:
        _make_folder(system.parent(folder) if folder != "/" else "")
        try:
            system.mkdir(folder, 0o700)
        except FileExistsError:
            return


def _unlink(name: str) -> None:
    try:
        system.unlink(name)
    except OSError as error:
        if error.errno not in system.NOTHING:
            raise _refused(name, error) from None


def _refused(name: str, error: OSError) -> CNIError:
    return CNIError(STORE_FAILED, f"{name}: {error.strerror}")
