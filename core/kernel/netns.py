"""Network namespaces: open one by its path, visit it to open sockets and files there, and come back.

Law: nothing stays inside. A socket keeps working in the namespace in which it was opened.
"""

from __future__ import annotations

from fcntl import ioctl

from core import system
from core.errors import INVALID_NETNS, CNIError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeVar

    T = TypeVar("T")

OURS = "/proc/self/ns/net"
CLONE_NEWNET = 0x40000000
STRANDED = (
    '{"cniVersion": "1.1.0", "code": 11, "msg": "cannot return from the container\'s namespace: REASON", '
    '"details": "DEL, then try again"}'
)
NS_GET_NSTYPE = 0xB703  # linux/nsfs.h


def open_path(path: str) -> int:
    """A file descriptor of the namespace at *path*; the caller closes it.

    Raises CNIError(INVALID_NETNS) when there is none, FileNotFoundError when nothing is there at all.
    """
    try:
        descriptor = system.open(path, system.O_RDONLY | system.O_CLOEXEC | system.O_NONBLOCK)
    except (FileNotFoundError, NotADirectoryError):
        raise FileNotFoundError(2, f"CNI_NETNS: no network namespace at {path}") from None
    except (OSError, ValueError) as error:
        raise CNIError(
            INVALID_NETNS, f"CNI_NETNS: cannot open {path}: {getattr(error, 'strerror', error)}"
        ) from None
    try:
        kind = ioctl(descriptor, NS_GET_NSTYPE)
    except OSError:
        kind = 0
    if kind != CLONE_NEWNET:
        system.close(descriptor)
        raise CNIError(INVALID_NETNS, f"CNI_NETNS: {path} is not a network namespace")
    return descriptor


def visit(descriptor: int, errand: Callable[[], T]) -> T:
    """Run *errand* inside the namespace and return to ours, whatever happens. Raises OSError."""
    home = system.open(OURS, system.O_RDONLY | system.O_CLOEXEC)
    try:
        _setns(descriptor)
        try:
            return errand()
        finally:
            _return(home)
    finally:
        system.close(home)


def _return(home: int) -> None:
    """Leave the container's namespace; tried again, as memory may be short for a moment.

    Whoever cannot leave ends here: what he undid would be the container's, and what he made on the host stays
    until DEL.
    """
    reason = ""
    for _ in range(3):
        try:
            _setns(home)
        except OSError as error:
            reason = error.strerror or ""
        else:
            return
    system.write(1, STRANDED.replace("REASON", reason).encode())
    system._exit(1)


def _setns(descriptor: int) -> None:
    if hasattr(system, "setns"):
        system.setns(descriptor, CLONE_NEWNET)
    elif _libc_setns(descriptor):
        raise PermissionError(1, "cannot enter a network namespace (setns): CAP_SYS_ADMIN is needed")


def _libc_setns(descriptor: int) -> int:
    """Python 3.11: the C library's setns, without the price of the ctypes package.

    Its errno is not within reach.
    """
    import _ctypes  # late: 3.12 and later have system.setns

    library = _ctypes.dlopen(None, 0)  # type: ignore[arg-type]
    result: int = _ctypes.call_cdeclfunction(_ctypes.dlsym(library, "setns"), (descriptor, CLONE_NEWNET))
    return result
