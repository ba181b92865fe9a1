"""A netlink socket that answers with spoiled replies: what no kernel says, or only a newer one."""

import struct
from collections.abc import Callable, Mapping
from typing import Any
from unittest.mock import patch

from core.netlink import socket as netlink
from tests.torture.inputs import Inputs

ACK, DUMP = 0x4, 0x300
ERROR, DONE = 2, 3
MOST_DATAGRAMS = 60  # a verb needs fewer; whoever still asks then gets an error
ERRNOS = (1, 2, 4, 11, 12, 13, 16, 17, 19, 22, 28, 95, 97, 99, 105, 110)


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
                if kind not in (ERROR, DONE):
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
        wanted = (
            (kind & ~0xFF) | {18: 16, 22: 20, 26: 24}.get(kind & 0xFF, max(kind & 0xFF, 1) - 1)
            if self.protocol == 0
            else kind - 1
        )
        usual = self.payloads.get((self.protocol, wanted)) or ()
        for _ in inputs.some(2):
            payload = inputs.one(usual) if usual and inputs.chance(0.9) else self.foreign()
            if inputs.chance(0.5):
                payload = inputs.torn(payload)
            found.append(self.message(wanted, 0x10 if inputs.chance(0.02) else 2, sequence, payload))
        error = -inputs.one(ERRNOS) if inputs.chance(0.15) else 0
        if flags & (ACK | DUMP):
            last = DONE if flags & DUMP == DUMP else ERROR
            tail = (
                inputs.torn(struct.pack("=iIHHII", error, 20, kind, 0, sequence, 0))
                if inputs.chance(0.02)
                else struct.pack("=i", error) + bytes(16)
            )
            found.append(self.message(last, inputs.one((0, 0, 0x100, 0x200)), sequence, tail))
        return [b"".join(found)] if inputs.chance(0.7) else found

    def foreign(self) -> bytes:
        return (
            bytes(self.inputs.one(self.payloads[self.protocol, self.inputs.one(self.kinds)]))
            if self.kinds
            else self.inputs.blob()
        )

    def message(self, kind: int, flags: int, sequence: int, payload: bytes) -> bytes:
        sequence += self.inputs.one((-1, 1)) if self.inputs.chance(0.01) else 0
        data = (
            struct.pack("=IHHII", len(payload) + 16, kind & 0xFFFF, flags, sequence & 0xFFFFFFFF, 0) + payload
        )
        return data + bytes(-len(data) % 4)

    def recv(self, _: int) -> bytes:
        self.left -= 1
        if not self.queue or self.left < 0:
            raise Silence(104, "the wire is cut")
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
