"""The lock of a network's directory: `flock` on its file `lock`, as the Go plugin takes it.

The wait ends with the verb's budget.
"""

from __future__ import annotations

from fcntl import LOCK_EX, LOCK_NB, flock

from core import system
from core.deadline import WAITING, Expired
from core.errors import TRY_AGAIN_LATER

FILE = "lock"
MODE = 0o750  # as the Go plugin creates it
# Without O_NONBLOCK, a FIFO of that name would keep us until somebody writes to it, beyond the budget.
OPEN = system.O_CREAT | system.O_RDONLY | system.O_CLOEXEC | system.O_NONBLOCK
# Locks that this process did not get. A DEL in process that follows such an ADD has nothing to free,
# and need not wait again.
GIVEN_UP: set[str] = set()


def acquire(directory: str) -> int:
    """The descriptor that holds the lock; closing it releases the lock.

    Raises Expired when somebody else holds it for longer than we may wait, OSError when it cannot be opened.
    """
    path = system.join(directory, FILE)
    while True:
        descriptor = system.open(path, OPEN, MODE)
        try:
            _lock(descriptor, path)
            if _still_there(descriptor, path):
                return descriptor
        except BaseException:
            system.close(descriptor)
            raise
        system.close(descriptor)


def _lock(descriptor: int, path: str) -> None:
    try:
        flock(descriptor, LOCK_EX | LOCK_NB)
    except BlockingIOError:
        held = f"ipam.dataDir: another process holds the lock {path}"
        if path in GIVEN_UP:
            raise Expired(TRY_AGAIN_LATER, held) from None
        try:
            with WAITING:
                flock(descriptor, LOCK_EX)
        except Expired as error:
            GIVEN_UP.add(path)
            details = f"lslocks tells who it is; {error.details}"
            raise Expired(error.code, f"{held}; {error.msg}", details) from None


def _still_there(descriptor: int, path: str) -> bool:
    """Whether the locked file is still at its path. If not, somebody has removed the directory meanwhile."""
    try:
        return system.same_file(descriptor, path)
    except FileNotFoundError:
        return False
