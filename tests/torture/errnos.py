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
# musl's words for what glibc says by calls that take a folder's descriptor.
PLAIN = {"open": "openat", "stat": "newfstatat", "lstat": "newfstatat", "fstat": "newfstatat"}
PLAIN |= {"access": "faccessat2", "link": "linkat", "unlink": "unlinkat"}
FAILING |= {plain: FAILING[name] for plain, name in PLAIN.items()}
CREATING = ("ENOSPC", "EROFS", "EDQUOT")
# Python's own files, and the libraries behind them: one errno will do.
# Closing anything but a file that may have been written cannot fail.
UNFAILING = re.compile(r"\d+<(socket:|pipe:|net:|/proc/|.*/netns/|/dev/)")
MODULE = re.compile(r"\.pyc|\.so\b|/usr/lib/python|/ld\.so|__pycache__|/(core|plugins|ipam)[>\"/]")
OUTPUT = ("ENOSPC", "EIO", "EPIPE", "EINTR")

# linux/netlink.h, linux/rtnetlink.h, linux/netfilter/nfnetlink.h, linux/netfilter/nfnetlink_conntrack.h
NLM_F_EXCL = 0x200
RTM_NEWLINK, RTM_DELLINK, RTM_GETLINK = 16, 17, 18
RTM_NEWADDR, RTM_DELADDR, RTM_GETADDR = 20, 21, 22
RTM_NEWROUTE, RTM_DELROUTE, RTM_GETROUTE = 24, 25, 26
RTM_NEWNEIGH, RTM_DELNEIGH, RTM_GETNEIGH = 28, 29, 30
NFNL_MSG_BATCH_BEGIN, NFNL_MSG_BATCH_END = 0x10, 0x11
IPCTNL_MSG_CT_GET, IPCTNL_MSG_CT_DELETE = 1 << 8 | 1, 1 << 8 | 2
ROUTE = {
    "new": (RTM_NEWLINK, RTM_NEWADDR, RTM_NEWROUTE, RTM_NEWNEIGH),
    "get": (RTM_GETLINK, RTM_GETADDR, RTM_GETROUTE, RTM_GETNEIGH),
    "delete": (RTM_DELLINK, RTM_DELADDR, RTM_DELROUTE, RTM_DELNEIGH),
}
NFT_VERBS = ("new", "get", "delete")  # the order of the message types of each nft object
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
    return found + CREATING if call.name in ("open", "openat") and "O_CREAT" in call.text else found


def of_request(protocol: int, kind: int, flags: int) -> tuple[str, ...]:
    """The errnos to try on a netlink request; an object that is there is never reported to be absent."""
    verb = verb_of(protocol, kind)
    if not verb:
        return ()
    return (*REFUSALS[verb], "EEXIST") if verb == "new" and flags & NLM_F_EXCL else REFUSALS[verb]


def verb_of(protocol: int, kind: int) -> str:
    """new, set, get, delete, batch (its beginning), or "" (its end)."""
    if kind in (NFNL_MSG_BATCH_BEGIN, NFNL_MSG_BATCH_END) and protocol:
        return "batch" if kind == NFNL_MSG_BATCH_BEGIN else ""
    if not protocol:
        return next((verb for verb, kinds in ROUTE.items() if kind in kinds), "set")
    if kind in (IPCTNL_MSG_CT_GET, IPCTNL_MSG_CT_DELETE):
        return "get" if kind == IPCTNL_MSG_CT_GET else "delete"
    return NFT_VERBS[(kind & 0xFF) % 3]
