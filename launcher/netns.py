"""Network namespaces: named ones in /run/netns as `ip netns` keeps them, and the way into any of them.

Spec: section 2 "Parameters" (CNI_NETNS).
"""

import contextlib
import fcntl
import os
from collections.abc import Callable, Iterator

from launcher import system_calls
from launcher.failures import PRIVILEGE, Failure, UsageFailure
from launcher.system_calls import (
    CLONE_NEWNET,
    CLONE_NEWNS,
    MNT_DETACH,
    MS_BIND,
    MS_REC,
    MS_SHARED,
    MS_SLAVE,
    call,
    libc,
    mount,
)

DIRECTORY = "/run/netns"
NS_GET_USERNS, NS_GET_NSTYPE = 0xB701, 0xB703  # linux/nsfs.h
CAP_NET_ADMIN = 12  # linux/capability.h
NO_ERRNO = 255  # how a child ends that failed without one


def path_of(name: str) -> str:
    """Where the namespace called *name* is."""
    return os.path.join(DIRECTORY, name)


def _checked_path(name: str) -> str:
    """The path for a name that comes from a person. Raises UsageFailure."""
    if "/" in name or name in ("", ".", ".."):
        raise UsageFailure(f"namespace name: want a file name, found {name!r}")
    return path_of(name)


def create(name: str) -> str:
    """Make a named namespace with its loopback up; return its path.

    Raises Failure when it exists or may not be made.
    """
    path = _checked_path(name)
    try:
        _share_directory()
        os.close(os.open(path, os.O_RDONLY | os.O_CREAT | os.O_EXCL, 0))
    except FileExistsError:
        hint = f"`cniwire attach NETWORK {name}` wires it, `cniwire down {name}` removes it"
        raise Failure(f"namespace {name} exists already", hint=hint) from None
    except OSError as error:
        raise _refused(f"cannot make {path}", error) from None
    try:
        _in_child(lambda: _become(path))
    except BaseException as error:
        remove(name)
        if isinstance(error, OSError):
            raise _refused(f"cannot make a namespace at {path}", error) from None
        raise
    return path


def _refused(what: str, error: OSError) -> Failure:
    return Failure(f"{what}: {error.strerror}", hint=PRIVILEGE if isinstance(error, PermissionError) else "")


def _share_directory() -> None:
    """Make /run/netns a shared mount, so that other mount namespaces see what is made and removed here."""
    os.makedirs(DIRECTORY, exist_ok=True)
    try:
        mount("", DIRECTORY, flags=MS_SHARED | MS_REC)
    except OSError:
        mount(DIRECTORY, DIRECTORY, flags=MS_BIND | MS_REC)
        mount("", DIRECTORY, flags=MS_SHARED | MS_REC)


def _become(path: str) -> None:
    """Enter a new namespace, bring its loopback up and pin it at *path*."""
    call(libc.unshare, CLONE_NEWNET)
    system_calls.raise_loopback()
    mount("/proc/self/ns/net", path, flags=MS_BIND)


def raise_loopback(path: str) -> None:
    """Bring the loopback of the namespace at *path* up. Raises OSError."""
    with inside(path):
        system_calls.raise_loopback()


def _in_child(action: Callable[[], None]) -> None:
    """Run *action* in a child process, so that our own namespaces stay as they are. Raises OSError."""
    child = os.fork()
    if child == 0:
        number = NO_ERRNO
        try:
            action()
            number = 0
        except OSError as error:
            number = error.errno or NO_ERRNO
        finally:
            os._exit(number)
    number = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if number:
        raise OSError(number, os.strerror(number) if 0 < number < NO_ERRNO else "the child died")


def remove(name: str) -> bool:
    """Remove a named namespace; it lives on while processes are in it. Raises Failure.

    Returns False when there was none.
    """
    path = _checked_path(name)
    with contextlib.suppress(OSError):
        call(libc.umount2, os.fsencode(path), MNT_DETACH)
    try:
        os.unlink(path)
    except FileNotFoundError:
        return False
    except OSError as error:
        raise _refused(f"cannot remove {path}", error) from None
    return True


def names() -> list[str]:
    """The named namespaces, sorted."""
    try:
        return sorted(name for name in os.listdir(DIRECTORY) if identity(path_of(name)))
    except OSError:
        return []


def identity(path: str) -> tuple[int, int] | None:
    """(device, inode) of the network namespace at *path*, None when there is none."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        if fcntl.ioctl(handle, NS_GET_NSTYPE) != CLONE_NEWNET:
            return None
        status = os.fstat(handle)
        return status.st_dev, status.st_ino
    except OSError:
        return None
    finally:
        os.close(handle)


def may_wire() -> bool:
    """Whether we have CAP_NET_ADMIN in the network namespace that we are in.

    Root of a user namespace has it only where that namespace, or one below it, owns the network.
    """
    with open("/proc/thread-self/status", encoding="ascii", errors="replace") as file:
        effective = next(line for line in file if line.startswith("CapEff:"))
    handle = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.close(fcntl.ioctl(handle, NS_GET_USERNS))
    except PermissionError:  # the owner is a user namespace above ours
        return False
    finally:
        os.close(handle)
    return bool(int(effective.split()[1], 16) >> CAP_NET_ADMIN & 1)


@contextlib.contextmanager
def inside(path: str) -> Iterator[None]:
    """Open sockets in another namespace: everything within the block happens there. Raises OSError."""
    here = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        there = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            call(libc.setns, there, CLONE_NEWNET)
        finally:
            os.close(there)
        try:
            yield
        finally:
            call(libc.setns, here, CLONE_NEWNET)
    finally:
        os.close(here)


def enter(path: str, resolv_conf: str = "") -> None:
    """Move this process into a namespace for good, as `ip netns exec` does. Raises OSError.

    /sys shows the namespace, and the files of /etc/netns/NAME are mounted over those of /etc.
    resolv_conf: text that replaces /etc/resolv.conf unless /etc/netns/NAME has one.
    """
    with open(path, "rb") as file:
        call(libc.setns, file.fileno(), CLONE_NEWNET)
    call(libc.unshare, CLONE_NEWNS)
    mount("", "/", flags=MS_SLAVE | MS_REC)
    with contextlib.suppress(OSError):  # refused in some user namespaces: /sys shows the old namespace then
        mount("sysfs", "/sys", "sysfs")
    folder, name = os.path.split(path)
    is_named = os.path.realpath(folder) == os.path.realpath(DIRECTORY)
    own = os.path.join("/etc/netns", name) if is_named else ""
    if resolv_conf and not (own and os.path.exists(f"{own}/resolv.conf")):
        import tempfile  # only where a network asks for it

        with tempfile.NamedTemporaryFile("w", encoding="utf-8") as file:  # the mount outlives its name
            os.chmod(file.name, 0o644)
            file.write(resolv_conf)
            file.flush()
            _mount_over(file.name, "/etc/resolv.conf")
    for name in os.listdir(own) if os.path.isdir(own) else ():
        _mount_over(os.path.join(own, name), os.path.join("/etc", name))


def _mount_over(source: str, target: str) -> None:
    if os.path.exists(target):
        mount(source, os.path.realpath(target), flags=MS_BIND)
