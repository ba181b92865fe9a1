"""Real packets between namespaces: servers that tell name and caller, clients, and a ping.

Law: a socket stays in the namespace in which it was opened, so a namespace is entered only to open one.
"""

import os
import select
import socket
import struct
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import NamedTuple, Self

from launcher.host_ports import KINDS
from launcher.netns import inside

ICMP_ECHO, ICMP_ECHOREPLY = 8, 0  # linux/icmp.h
ICMPV6_ECHO_REQUEST, ICMPV6_ECHO_REPLY = 128, 129  # linux/icmpv6.h
ECHO = {
    socket.AF_INET: (socket.IPPROTO_ICMP, ICMP_ECHO, ICMP_ECHOREPLY),
    socket.AF_INET6: (socket.IPPROTO_ICMPV6, ICMPV6_ECHO_REQUEST, ICMPV6_ECHO_REPLY),
}
DATAGRAM = 2048  # bytes
INTERVAL = 0.1  # seconds between two echo requests
HERE = "/proc/thread-self/ns/net"  # of the caller itself


class Reply(NamedTuple):
    """Who answered, and from which address it saw the question come."""

    server: str
    caller: str


class Server:
    """Answers every question on one port until closed, over IPv4 and IPv6: `NAME CALLER`."""

    def __init__(self, netns: str, name: str, port: int, protocol: str = "tcp") -> None:
        self.name = name
        with inside(netns):
            self.socket = socket.socket(socket.AF_INET6, KINDS[protocol])
        self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(("::", port))
        if protocol == "tcp":
            self.socket.listen()
        serve = self._accept if protocol == "tcp" else self._receive
        self.thread = threading.Thread(target=self._until_closed, args=(serve,), daemon=True)
        self.thread.start()

    def _until_closed(self, serve: Callable[[], None]) -> None:
        with suppress(OSError):
            while True:
                serve()

    def _accept(self) -> None:
        connection, caller = self.socket.accept()
        with connection:
            connection.sendall(self._answer(caller[0]))

    def _receive(self) -> None:
        _, caller = self.socket.recvfrom(DATAGRAM)
        if not caller:
            raise OSError("closed")
        self.socket.sendto(self._answer(caller[0]), caller)

    def _answer(self, caller: str) -> bytes:
        return f"{self.name} {caller.removeprefix('::ffff:')}".encode()

    def close(self) -> None:
        """Stop answering."""
        with suppress(OSError):  # ENOTCONN for datagrams, and yet it wakes the thread
            self.socket.shutdown(socket.SHUT_RDWR)
        self.thread.join(timeout=1)
        self.socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def ask(
    netns: str,
    address: str,
    port: int,
    protocol: str = "tcp",
    *,
    source: tuple[str, int] | None = None,
    timeout_s: float = 2,
) -> Reply:
    """Ask the Server at *address* and *port* from inside *netns*, bound to *source*.

    Raises OSError; TimeoutError where there is no answer in time.
    """
    with inside(netns):
        client = socket.socket(family_of(address), KINDS[protocol])
    with client:
        client.settimeout(timeout_s)
        if source:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            client.bind(source)
        client.connect((address, port))
        if protocol == "udp":
            client.send(b"?")
        server, caller = client.recv(DATAGRAM).decode().split()
    return Reply(server, caller)


def ping(netns: str, address: str, timeout_s: float = 2, size: int = 56) -> float | None:
    """Send echo requests from inside *netns* until one is answered; return the seconds that took, or None.

    size: bytes of payload.
    """
    family = family_of(address)
    protocol, request, expected = ECHO[family]
    with inside(netns):
        raw = socket.socket(family, socket.SOCK_RAW, protocol)
    identifier, begin, sequence = os.getpid() & 0xFFFF, time.monotonic(), 0
    with raw:
        while time.monotonic() - begin < timeout_s:
            sequence += 1
            try:
                raw.sendto(echo_request(request, identifier, sequence, bytes(size)), (address, 0))
            except OSError:  # no route yet, or our own address is still tentative
                time.sleep(INTERVAL)
                continue
            if answered(raw, expected, identifier, address, time.monotonic() + INTERVAL):
                return time.monotonic() - begin
    return None


def answered(raw: socket.socket, expected: int, identifier: int, address: str, until: float) -> bool:
    """Wait for an echo reply from *address* until the monotonic time *until*."""
    while (left := until - time.monotonic()) > 0 and select.select([raw], [], [], left)[0]:
        packet, sender = raw.recvfrom(65536)
        body = packet[(packet[0] & 15) * 4 :] if raw.family == socket.AF_INET else packet
        kind, _, _, number = struct.unpack_from("!BBHH", body)
        if (kind, number, sender[0]) == (expected, identifier, address):
            return True
    return False


def echo_request(kind: int, identifier: int, sequence: int, payload: bytes) -> bytes:
    """An ICMP echo request; of ICMPv6 the kernel fills in the checksum itself."""
    body = struct.pack("!BBHHH", kind, 0, 0, identifier, sequence) + payload
    return body[:2] + struct.pack("!H", checksum(body)) + body[4:]


def checksum(data: bytes) -> int:
    """The internet checksum (RFC 1071)."""
    padded = data + b"\0" * (len(data) % 2)
    total: int = sum(struct.unpack(f"!{len(padded) // 2}H", padded))
    total = (total >> 16) + (total & 0xFFFF)
    return ~(total + (total >> 16)) & 0xFFFF


def family_of(address: str) -> socket.AddressFamily:
    """IPv4 or IPv6."""
    return socket.AF_INET6 if ":" in address else socket.AF_INET
