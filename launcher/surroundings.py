"""Where we run: whether pids and paths mean the same here as in the containers' runtime.

Law: no attachment is judged by a pid or a path that may mean something else here.
"""

import os
import time
from functools import cache

from launcher.failures import Failure

PROC_PID_INIT_INO = 0xEFFFFFFC  # inode of the first pid namespace of the machine (linux/proc_ns.h)
OF_THE_MACHINE = "/proc/sys/net/core/netdev_max_backlog"  # only in the machine's first network namespace
STARTTIME = 19  # position in /proc/PID/stat behind the name, which may hold anything (proc(5), field 22)
HZ = 100  # ticks of /proc/PID/stat in a second (USER_HZ)
HINT = (
    "run it where the containers' runtime runs, from outside: "
    "`nsenter --target PID --mount --pid cniwire ...`, PID being the runtime's"
)


def refuse_foreign() -> None:
    """Raise Failure where pids or paths mean something else than to the runtime, as in a hostNetwork pod."""
    reason = foreign()
    if reason:
        raise Failure(f"{reason}: what lives cannot be told from here, so nothing is removed", hint=HINT)


def foreign() -> str:
    """Why pids or paths mean something else here, "" when nothing says so."""
    try:
        if os.readlink("/proc/self") != str(os.getpid()):
            return "/proc is that of another pid namespace"
        all_pids = has_all_pids()
    except OSError as error:
        return f"/proc cannot be read ({error.strerror})"
    try:
        if not os.path.samefile("/proc/1/ns/mnt", "/proc/self/ns/mnt"):
            return "this mount namespace is not the one of process 1, so paths may lead elsewhere"
    except OSError as error:
        return f"the mount namespace of process 1 cannot be seen ({error.strerror})"
    if not all_pids and os.path.exists(OF_THE_MACHINE):
        return "the network is the machine's own, the pid namespace is not"
    return ""


def has_all_pids() -> bool:
    """Whether this is the machine's first pid namespace, in which every process has a number."""
    return os.stat("/proc/self/ns/pid").st_ino == PROC_PID_INIT_INO


def start_time(pid: int) -> int | None:
    """When a process started, in clock ticks since boot; None when there is none or it has ended.

    A pid is used again; pid and start time together name one process.
    """
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            fields = file.read().rpartition(b")")[2].split()
    except OSError:
        return None
    return None if fields[0] in (b"Z", b"X") else int(fields[STARTTIME])


@cache
def pids_began() -> float:
    """When this pid namespace began, in seconds since the epoch: pids noted before mean nothing here.

    That is the start of the machine or, in a pid namespace below the first, that of its process 1.
    """
    with open("/proc/1/stat", "rb") as file:
        ticks = int(file.read().rpartition(b")")[2].split()[STARTTIME])
    up = ticks / HZ if not has_all_pids() else 0.0
    return time.time() - time.clock_gettime(time.CLOCK_BOOTTIME) + up
