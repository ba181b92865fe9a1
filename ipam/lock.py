"""The lock of a network's directory: `flock` on its file `lock`, as the Go plugin takes it, but with a bounded wait."""

from __future__ import annotations

import os
from fcntl import LOCK_EX, LOCK_NB, flock

from core.errors import TRY_AGAIN_LATER, CNIError

FILE = "lock"
MODE = 0o750  # as the Go plugin creates it


def acquire(directory: str, timeout_s: float) -> int:
    """The descriptor that holds the lock; closing it releases the lock.

    Raises CNIError(TRY_AGAIN_LATER) when somebody else holds it for longer than *timeout_s*, OSError when it cannot be opened.
    """
    path = os.path.join(directory, FILE)
    while True:
        descriptor = os.open(path, os.O_CREAT | os.O_RDONLY | os.O_CLOEXEC, MODE)
        try:
            try:
                flock(descriptor, LOCK_EX | LOCK_NB)
            except BlockingIOError:
                _wait(descriptor, path, timeout_s)
            if _still_there(descriptor, path):
                return descriptor
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)


def _still_there(descriptor: int, path: str) -> bool:
    """Whether the locked file is the one that others will lock: somebody may have removed the directory meanwhile."""
    try:
        return os.path.samestat(os.fstat(descriptor), os.stat(path))
    except FileNotFoundError:
        return False


def _wait(descriptor: int, path: str, timeout_s: float) -> None:
    """Queue for the lock in a thread: the kernel's queue is fair, and a thread can be waited for with a limit.

    After the limit the thread stays behind, blocked, with a descriptor of its own; the process is about to end.
    """
    from _thread import allocate_lock, start_new_thread  # late: only when somebody else holds the lock

    done = allocate_lock()
    done.acquire()
    failures: list[OSError] = []
    own = os.dup(descriptor)

    def queue() -> None:
        try:
            flock(own, LOCK_EX)
        except OSError as error:
            failures.append(error)
        finally:
            os.close(own)
            done.release()

    start_new_thread(queue, ())
    if not done.acquire(timeout=timeout_s):
        msg = f"ipam.dataDir: another process has held the lock {path} for more than {timeout_s:g} s"
        raise CNIError(TRY_AGAIN_LATER, msg, "lslocks tells who it is; ipam.lockTimeout is how long to wait")
    if failures:
        raise failures[0]
