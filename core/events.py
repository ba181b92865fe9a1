"""Waiting for the kernel to say that something has changed, instead of asking every 50 ms."""

from __future__ import annotations

from time import monotonic

from core.message import pack
from core.netlink import ROUTE, SOL_NETLINK, SOL_SOCKET, Socket

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from core.kernel import Kernel

ADD_MEMBERSHIP, SO_RCVTIMEO = 1, 20


def wait(kernel: Kernel, group: int, place: str, done: Callable[[], bool], timeout_s: float) -> bool:
    """Look again with *done* after every event of an rtnetlink *group*; False when *timeout_s* is over. Raises OSError."""
    events = kernel.visit(place, lambda: Socket(ROUTE))
    try:
        events.socket.bind((0, 0))  # the kernel's own news passes by a socket without an address
        events.socket.setsockopt(SOL_NETLINK, ADD_MEMBERSHIP, group)
        deadline = monotonic() + timeout_s
        while not done():
            left = deadline - monotonic()
            if left <= 0:
                return False
            events.socket.setsockopt(SOL_SOCKET, SO_RCVTIMEO, pack("@ll", int(left), max(1, int(left % 1 * 1e6))))
            try:
                events.receive()  # interruptible by the verb's own deadline
            except BlockingIOError:
                continue  # time is over, and one last look decides
            except OSError as error:
                if error.errno != 105:  # ENOBUFS: events were lost, so look again
                    raise
        return True
    finally:
        events.close()
