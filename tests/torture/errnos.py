"""Which errno a system call or a netlink request can return, by manual pages and kernel sources."""

import re

from tests.torture.trace import Call

FILE_FULL = ("ENOSPC", "EDQUOT", "EIO")
FAILING: dict[str, tuple[str, ...]] = {
    "openat": ("EMFILE", "EACCES", "EIO", "ENOMEM"),
    "read": ("EIO", "EINTR"),
    "pread64": ("EIO", "EINTR"),
    "write": (*FILE_FULL, "EINTR", "EACCES"),
    "pwrite64": (*FILE_FULL, "EINTR"),
    "close": ("EIO",),
    "newfstatat": ("EACCES", "EIO", "ENOMEM"),
    "getdents64": ("EIO", "ENOMEM"),
    "faccessat2": ("EACCES", "EIO"),
    "ioctl": ("ENOTTY", "EIO"),
    "flock": ("EAGAIN", "EINTR", "ENOLCK"),
    "linkat": (*FILE_FULL, "EEXIST", "EMLINK", "EPERM", "EROFS"),
    "unlinkat": ("EIO", "EPERM", "EROFS", "EBUSY"),
    "mkdir": (*FILE_FULL, "EACCES", "EROFS", "EEXIST"),
    "mkdirat": (*FILE_FULL, "EACCES", "EROFS", "EEXIST"),
    "fsync": ("EIO", "ENOSPC", "EINTR", "EINVAL"),
    "ftruncate": ("EIO", "EINTR", "EPERM"),
    "fsetxattr": ("EOPNOTSUPP", "ENOSPC", "EPERM"),
    "fgetxattr": ("EOPNOTSUPP", "EIO"),
    "utimensat": ("EPERM", "EROFS"),
    "socket": ("EMFILE", "ENFILE", "ENOMEM", "EACCES", "ENOBUFS"),
    "setsockopt": ("ENOPROTOOPT", "ENOMEM"),
    "bind": ("ENOMEM", "EADDRINUSE"),
    "sendto": ("ENOBUFS", "ENOMEM", "EPERM", "EINTR"),
    "recvfrom": ("ENOBUFS", "ENOMEM", "EINTR"),
    "setns": ("EPERM", "EINVAL", "ENOMEM"),
    "mmap": ("ENOMEM",),
    "getrandom": ("EINTR", "ENOSYS"),
    "memfd_create": ("EMFILE", "ENOMEM"),
    "pipe2": ("EMFILE",),
    "pidfd_open": ("EMFILE",),
    "vfork": ("EAGAIN", "ENOMEM"),
    "clone3": ("EAGAIN", "ENOMEM"),
    "poll": ("EINTR", "ENOMEM"),
}
CREATING = ("ENOSPC", "EROFS", "EDQUOT")
# Python's own files, and the libraries behind them: one errno will do.
# Closing anything but a file that may have been written cannot fail.
UNFAILING = re.compile(r"\d+<(socket:|pipe:|net:|/proc/|.*/netns/|/dev/)")
MODULE = re.compile(r"\.pyc|\.so\b|/usr/lib/python|/ld\.so|__pycache__|/(core|plugins|ipam)[>\"/]")
OUTPUT = ("ENOSPC", "EIO", "EPIPE", "EINTR")

ROUTE = {"new": (16, 20, 24, 28), "get": (18, 22, 26, 30), "delete": (17, 21, 25, 29)}  # set is 19
NFT_VERBS = ("new", "get", "delete")
CREATE_FLAG, EXCL_FLAG = 0x400, 0x200
REFUSALS = {
    "new": ("EPERM", "ENOMEM", "EBUSY", "ENOBUFS", "EINTR", "EOPNOTSUPP", "EINVAL"),
    "set": ("EPERM", "ENOMEM", "EBUSY", "EINTR", "EINVAL"),
    "get": ("EPERM", "ENOMEM", "ENOBUFS", "EINTR"),
    "delete": ("EPERM", "ENOMEM", "EBUSY", "EINTR"),
    "batch": ("EPERM", "ENOMEM", "EINTR"),
}


def of_call(call: Call) -> tuple[str, ...]:
    """The errnos to try on a call; none for one that is of no interest."""
    found = FAILING.get(call.name, ())
    if call.name == "close" and (UNFAILING.match(call.text) or MODULE.search(call.text)):
        return ()
    if MODULE.search(call.text):
        return found[:1]
    if call.text.startswith("1<"):
        return OUTPUT
    return found + CREATING if call.name == "openat" and "O_CREAT" in call.text else found


def of_request(protocol: int, kind: int, flags: int) -> tuple[str, ...]:
    """The errnos to try on a netlink request; an object that is there is never reported to be absent."""
    verb = verb_of(protocol, kind)
    if not verb:
        return ()
    return (*REFUSALS[verb], "EEXIST") if verb == "new" and flags & EXCL_FLAG else REFUSALS[verb]


def verb_of(protocol: int, kind: int) -> str:
    """new, set, get, delete, batch (its beginning), or "" (its end)."""
    if kind in (0x10, 0x11) and protocol:
        return "batch" if kind == 0x10 else ""
    if not protocol:
        return next((verb for verb, kinds in ROUTE.items() if kind in kinds), "set")
    return "get" if kind == 0x101 else "delete" if kind == 0x102 else NFT_VERBS[(kind & 0xFF) % 3]
