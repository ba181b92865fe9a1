"""Waiting for the kernel to say that something has changed, instead of asking every 50 ms."""

from __future__ import annotations

from errno import ENOBUFS
from select import POLLIN, poll
from time import monotonic

from core.deadline import WAITING
from core.netlink.socket import SOL_NETLINK

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from core.netlink.socket import Socket

NETLINK_ADD_MEMBERSHIP = 1


def wait(events: Socket, group: int, done: Callable[[], bool], timeout_s: float) -> bool:
    """Look again with *done* after every event of an rtnetlink *group*; False when *timeout_s* is over.

    Raises OSError.

    events: an rtnetlink socket in the namespace in question, for this alone; it is closed.
    """
    try:
        events.socket.bind((0, 0))  # the kernel's own news passes by a socket without an address
        events.socket.setsockopt(SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, group)
        news = poll()
        news.register(events.socket.fileno(), POLLIN)
        deadline = monotonic() + timeout_s
        while not done():
            left = deadline - monotonic()
            if left <= 0:
                return False
            with WAITING:  # with SO_RCVTIMEO, each tick of the budget would begin the wait anew
                ready = news.poll(left * 1000)
            if not ready:
                continue  # time is over, and one last look decides
            try:
                events.receive()
            except OSError as error:
                if error.errno != ENOBUFS:  # events were lost, so look again
                    raise
        return True
    finally:
        events.close()
