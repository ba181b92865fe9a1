"""Run a plugin of a source tree, while the kernel seems to refuse one of its netlink requests.

The request is not sent, and answered with an errno.

    python3 -I -S refuse.py LOG NUMBER ERRNO EXECUTABLE

Each request is noted in the file LOG: protocol, message type and flags. NUMBER counts from 1, 0 refuses none.
ERRNO 0 means that the request is carried out and never answered. Of a batch of nft messages none is carried
out, as the kernel does it.
"""

import _socket
import sys
from collections.abc import Iterator
from struct import pack, unpack_from
from typing import NamedTuple

log, number, errno, executable = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
sys.argv[:] = [executable]
sys.path.insert(0, executable.rpartition("/bin/")[0])

from core.netlink import socket  # noqa: E402

# linux/netlink.h, linux/netfilter/nfnetlink.h
NLMSG_ERROR, NLM_F_ACK, NETLINK_NETFILTER, NFNL_MSG_BATCH_BEGIN = 2, 0x4, 12, 0x10


class Request(NamedTuple):
    """One message of a datagram: its bytes, and what its header says."""

    data: bytes
    kind: int
    flags: int
    sequence: int


def requests(datagram: bytes) -> Iterator[Request]:
    offset = 0
    while offset < len(datagram):
        size, kind, flags, sequence = unpack_from("=IHHI", datagram, offset)
        yield Request(datagram[offset : offset + size], kind, flags, sequence)
        offset += size + (-size % 4)


def answer(request: Request, code: int) -> bytes:
    """What the kernel says when a request failed with *code*, or succeeded (0)."""
    return pack("=IHHII", 36, NLMSG_ERROR, 0, request.sequence, 0) + pack("=i", -code) + request.data[:16]


class Refusing(_socket.socket):
    """A netlink socket that counts requests, over all sockets of the process."""

    count = 0

    def __init__(self, family: int, kind: int, protocol: int) -> None:
        super().__init__(family, kind, protocol)
        self.spoken = protocol
        self.waiting: list[bytes] = []
        self.swallowed: set[int] = set()

    def send(self, datagram: bytes) -> int:  # type: ignore[override]
        kept, refused = [], None
        members = list(requests(datagram))
        for request in members:
            Refusing.count += 1
            with open(log, "a", encoding="ascii") as file:
                print(self.spoken, request.kind, request.flags, file=file)
            if Refusing.count == number:
                refused = request
            else:
                kept.append(request)
        if refused is None:
            return super().send(datagram)
        if not errno:
            self.swallowed.add(refused.sequence)
            return super().send(datagram)
        self.waiting.append(answer(refused, errno))
        if self.spoken == NETLINK_NETFILTER and members[0].kind == NFNL_MSG_BATCH_BEGIN:
            if refused.kind != NFNL_MSG_BATCH_BEGIN:
                self.waiting += [answer(request, 0) for request in kept if request.flags & NLM_F_ACK]
        elif kept:
            super().send(b"".join([request.data for request in kept]))
        return len(datagram)

    def recv(self, size: int) -> bytes:  # type: ignore[override]
        while True:
            if self.waiting:
                return self.waiting.pop(0)
            datagram = super().recv(size)
            heard = [message.data for message in requests(datagram) if message.sequence not in self.swallowed]
            if heard:
                return b"".join(heard)


setattr(socket, "socket", Refusing)  # noqa: B010 (for a type checker the name is not exported)
with open(executable, encoding="utf-8") as script:
    exec(compile(script.read(), executable, "exec"), {"__name__": "__main__", "__file__": executable})
