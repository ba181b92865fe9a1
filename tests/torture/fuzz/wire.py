"""A netlink socket that answers with spoiled replies: what no kernel says, or only a newer one."""

import errno
import struct
from collections.abc import Callable, Mapping
from typing import Any
from unittest.mock import patch

from core.netlink import socket as netlink
from tests.torture.fuzz.inputs import Inputs

# linux/netlink.h
NLMSG_ERROR, NLMSG_DONE = 2, 3
NLM_F_MULTI, NLM_F_ACK, NLM_F_DUMP_INTR, NLM_F_DUMP = 0x2, 0x4, 0x10, 0x300
NLM_F_CAPPED, NLM_F_ACK_TLVS = 0x100, 0x200
NETLINK_ROUTE = 0
# linux/rtnetlink.h
RTM_NEWLINK, RTM_GETLINK, RTM_NEWADDR, RTM_GETADDR, RTM_NEWROUTE, RTM_GETROUTE = 16, 18, 20, 22, 24, 26
RTM_NEWQDISC, RTM_GETQDISC, RTM_NEWTFILTER, RTM_GETTFILTER = 36, 38, 44, 46
ANSWERS = {RTM_GETLINK: RTM_NEWLINK, RTM_GETADDR: RTM_NEWADDR, RTM_GETROUTE: RTM_NEWROUTE}
ANSWERS |= {RTM_GETQDISC: RTM_NEWQDISC, RTM_GETTFILTER: RTM_NEWTFILTER}
MOST_DATAGRAMS = 60  # a verb needs fewer; whoever still asks then gets an error
ERRNOS = (
    *(errno.EPERM, errno.ENOENT, errno.EINTR, errno.EAGAIN, errno.ENOMEM, errno.EACCES, errno.EBUSY),
    *(errno.EEXIST, errno.ENODEV, errno.EINVAL, errno.ENOSPC, errno.EOPNOTSUPP, errno.EAFNOSUPPORT),
    *(errno.EADDRNOTAVAIL, errno.ENOBUFS, errno.ETIMEDOUT),
)


class Silence(OSError):
    """The kernel's end of the wire is dead."""


class Recorder:
    """Wraps the real sockets: collects the payloads of replies by protocol and type while it is entered."""

    def __init__(self) -> None:
        self.payloads: dict[tuple[int, int], list[bytes]] = {}

    def __enter__(self) -> "Recorder":
        self.receive = receive = netlink.Socket.receive

        def listening(socket: netlink.Socket) -> list[tuple[int, int, int, bytes]]:
            messages = receive(socket)
            for kind, _, _, payload in messages:
                if kind not in (NLMSG_ERROR, NLMSG_DONE):
                    self.payloads.setdefault((socket.socket.proto, kind), []).append(payload)
            return messages

        netlink.Socket.receive = listening  # type: ignore[method-assign,assignment]
        return self

    def __exit__(self, *_: object) -> None:
        netlink.Socket.receive = self.receive  # type: ignore[method-assign]


class Wire:
    """Stands for a socket: whatever is asked, the replies are recorded ones or none, spoiled now and then."""

    def __init__(
        self, inputs: Inputs, payloads: Mapping[tuple[int, int], list[bytes]], protocol: int
    ) -> None:
        self.inputs, self.payloads, self.protocol = inputs, payloads, protocol
        self.kinds = [kind for proto, kind in payloads if proto == protocol]
        self.queue: list[bytes] = []
        self.left = MOST_DATAGRAMS

    def setsockopt(self, *_: object) -> None:
        return

    def bind(self, _: object) -> None:
        return

    def close(self) -> None:
        return

    def send(self, data: bytes) -> int:
        offset = 0
        while offset + 16 <= len(data):
            size, kind, flags, sequence, _ = struct.unpack_from("=IHHII", data, offset)
            self.queue += self.replies(kind, flags, sequence)
            offset += size + (-size % 4)
        return len(data)

    def replies(self, kind: int, flags: int, sequence: int) -> list[bytes]:
        """The datagrams that answer one request: replies of its type, or of another, and the end of them."""
        inputs = self.inputs
        found = []
        wanted = kind - 1
        if self.protocol == NETLINK_ROUTE:
            wanted = (kind & ~0xFF) | ANSWERS.get(kind & 0xFF, max(kind & 0xFF, 1) - 1)
        usual = self.payloads.get((self.protocol, wanted)) or ()
        for _ in inputs.some(2):
            payload = inputs.one(usual) if usual and inputs.chance(0.9) else self.foreign()
            if inputs.chance(0.5):
                payload = inputs.torn(payload)
            kind_of_reply = NLM_F_DUMP_INTR if inputs.chance(0.02) else NLM_F_MULTI
            found.append(self.message(wanted, kind_of_reply, sequence, payload))
        error = -inputs.one(ERRNOS) if inputs.chance(0.15) else 0
        if flags & (NLM_F_ACK | NLM_F_DUMP):
            last = NLMSG_DONE if flags & NLM_F_DUMP == NLM_F_DUMP else NLMSG_ERROR
            tail = struct.pack("=i", error) + bytes(16)
            if inputs.chance(0.02):
                tail = inputs.torn(struct.pack("=iIHHII", error, 20, kind, 0, sequence, 0))
            found.append(self.message(last, inputs.one((0, 0, NLM_F_CAPPED, NLM_F_ACK_TLVS)), sequence, tail))
        return [b"".join(found)] if inputs.chance(0.7) else found

    def foreign(self) -> bytes:
        """A reply to another request."""
        if not self.kinds:
            return self.inputs.blob()
        return bytes(self.inputs.one(self.payloads[self.protocol, self.inputs.one(self.kinds)]))

    def message(self, kind: int, flags: int, sequence: int, payload: bytes) -> bytes:
        sequence += self.inputs.one((-1, 1)) if self.inputs.chance(0.01) else 0
        size, sequence = len(payload) + 16, sequence & 0xFFFFFFFF
        data = struct.pack("=IHHII", size, kind & 0xFFFF, flags, sequence, 0) + payload
        return data + bytes(-len(data) % 4)

    def recv(self, _: int) -> bytes:
        self.left -= 1
        if not self.queue or self.left < 0:
            raise Silence(errno.ECONNRESET, "the wire is cut")
        data = self.queue.pop(0)
        return self.inputs.torn(data) if self.inputs.chance(0.02) else data


class Wired:
    """Lets every netlink socket that the code opens be a Wire while it is entered."""

    def __init__(self, make: Callable[[int], Any]) -> None:
        self.patch = patch.object(netlink, "socket", lambda _family, _kind, protocol: make(protocol))

    def __enter__(self) -> None:
        self.patch.start()

    def __exit__(self, *_: object) -> None:
        self.patch.stop()
