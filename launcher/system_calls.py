"""What the kernel offers and Python's os module lacks: namespaces, mounts, and the like.

os.unshare and os.setns came with Python 3.12. Numbers: linux/sched.h, mount.h, prctl.h, if.h, sockios.h.
"""

import ctypes
import fcntl
import os
import signal
import socket
import struct
from typing import Any

CLONE_NEWNS, CLONE_NEWUTS, CLONE_NEWUSER = 0x20000, 0x4000000, 0x10000000
CLONE_NEWPID, CLONE_NEWNET = 0x20000000, 0x40000000
MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_BIND, MS_REC = 2, 4, 8, 0x1000, 0x4000
MS_PRIVATE, MS_SLAVE, MS_SHARED = 1 << 18, 1 << 19, 1 << 20
MNT_DETACH = 2
PR_SET_PDEATHSIG = 1
SIOCGIFFLAGS, SIOCSIFFLAGS, IFF_UP = 0x8913, 0x8914, 1
IFREQ = "16sH14x"  # struct ifreq: name and flags

libc = ctypes.CDLL(None, use_errno=True)


def call(function: Any, *arguments: object, about: str = "") -> None:
    """Call a C *function* that returns -1 and sets errno when it fails. Raises OSError.

    about: what it was done to; the error's text then names the function and that.
    """
    if function(*arguments) == -1:
        number = ctypes.get_errno()
        text = os.strerror(number)
        raise OSError(number, f"{function.__name__} {about}: {text}" if about else text)


def mount(source: str, target: str, kind: str = "", flags: int = 0, data: str = "", about: str = "") -> None:
    """mount(2). Raises OSError, as call does."""
    paths = os.fsencode(source), os.fsencode(target)
    call(libc.mount, *paths, kind.encode() or None, flags, data.encode() or None, about=about)


def die_with_parent() -> None:
    """Have the kernel kill this process when its parent ends."""
    zero = ctypes.c_ulong(0)
    call(libc.prctl, PR_SET_PDEATHSIG, signal.SIGKILL, zero, zero, zero)


def raise_loopback() -> None:
    """Bring the loopback interface of this network namespace up. Raises OSError."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as handle:
        answer = fcntl.ioctl(handle, SIOCGIFFLAGS, struct.pack(IFREQ, b"lo", 0))
        _, flags = struct.unpack(IFREQ, answer)
        fcntl.ioctl(handle, SIOCSIFFLAGS, struct.pack(IFREQ, b"lo", flags | IFF_UP))
