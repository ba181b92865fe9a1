"""Real packets: servers that say who they are and whom they see, clients, and an own ping."""

import os
import select
import socket
import struct
import threading
import time
from collections.abc import Callable
from typing import NamedTuple, Self

from tests.harness.namespace import Namespace

KINDS = {"tcp": socket.SOCK_STREAM, "udp": socket.SOCK_DGRAM}
ECHO_REQUESTS = {socket.AF_INET: (socket.IPPROTO_ICMP, 8, 0), socket.AF_INET6: (socket.IPPROTO_ICMPV6, 128, 129)}
DATAGRAM = 2048  # bytes


class Reply(NamedTuple):
    """Who answered, and from which address it saw the question come."""

    server: str
    caller: str


def family_of(address: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in address else socket.AF_INET


class Server:
    """Answers every question on one port inside a namespace until closed; IPv4 and IPv6 at once."""

    def __init__(self, namespace: Namespace, port: int, protocol: str = "tcp"):
        self.name = namespace.name
        with namespace.entered():
            self.socket = socket.socket(socket.AF_INET6, KINDS[protocol])
        self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(("::", port))
        if protocol == "tcp":
            self.socket.listen()
        serve: Callable[[], None] = self.serve_tcp if protocol == "tcp" else self.serve_udp
        self.thread = threading.Thread(target=self.until_closed, args=(serve,), daemon=True)
        self.thread.start()

    def until_closed(self, serve: Callable[[], None]) -> None:
        try:
            while True:
                serve()
        except OSError:
            pass

    def serve_tcp(self) -> None:
        connection, caller = self.socket.accept()
        with connection:
            connection.sendall(self.reply(caller[0]))

    def serve_udp(self) -> None:
        _, caller = self.socket.recvfrom(DATAGRAM)
        self.socket.sendto(self.reply(caller[0]), caller)

    def reply(self, caller: str) -> bytes:
        return f"{self.name} {caller.removeprefix('::ffff:')}".encode()

    def close(self) -> None:
        """Stop; shutdown() is what wakes the thread."""
        try:
            self.socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.thread.join(timeout=1)
        self.socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def ask(
    namespace: Namespace,
    address: str,
    port: int,
    protocol: str = "tcp",
    *,
    source: tuple[str, int] | None = None,
    timeout_s: float = 2,
) -> Reply:
    """Ask the server at *address* and *port* from inside *namespace*. Raises OSError, TimeoutError among them."""
    with namespace.entered():
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


def ask_http(namespace: Namespace, address: str, port: int, path: str, timeout_s: float = 2) -> str:
    """Fetch *path* by HTTP/1.0 from inside *namespace* and return the body. Raises OSError."""
    with namespace.entered():
        client = socket.socket(family_of(address), socket.SOCK_STREAM)
    with client:
        client.settimeout(timeout_s)
        client.connect((address, port))
        client.sendall(f"GET {path} HTTP/1.0\r\n\r\n".encode())
        with client.makefile("rb") as answer:
            return answer.read().decode().partition("\r\n\r\n")[2]


def ping(namespace: Namespace, address: str, timeout_s: float = 2, size: int = 56) -> float | None:
    """Send echo requests, one every 100 ms with *size* bytes, until one is answered; return the seconds that took, or None."""
    family = family_of(address)
    protocol, request, expected = ECHO_REQUESTS[family]
    with namespace.entered():
        raw = socket.socket(family, socket.SOCK_RAW, protocol)
    identifier = os.getpid() & 0xFFFF
    begin = time.monotonic()
    with raw:
        sequence = 0
        while time.monotonic() - begin < timeout_s:
            sequence += 1
            try:
                raw.sendto(echo_request(request, identifier, sequence, bytes(size)), (address, 0))
            except OSError:  # no route yet, or the address is still tentative
                time.sleep(0.1)
                continue
            until = time.monotonic() + 0.1
            while (left := until - time.monotonic()) > 0 and select.select([raw], [], [], left)[0]:
                packet, sender = raw.recvfrom(65536)
                body = packet[(packet[0] & 15) * 4 :] if family == socket.AF_INET else packet
                if body[0] == expected and struct.unpack_from("!H", body, 4)[0] == identifier and sender[0] == address:
                    return time.monotonic() - begin
    return None


def echo_request(kind: int, identifier: int, sequence: int, payload: bytes) -> bytes:
    """Return an ICMP echo request; the kernel fills in the ICMPv6 checksum itself."""
    body = struct.pack("!BBHHH", kind, 0, 0, identifier, sequence) + payload
    return body[:2] + struct.pack("!H", checksum(body)) + body[4:]


def checksum(data: bytes) -> int:
    """Return the internet checksum (RFC 1071)."""
    padded = data + b"\0" * (len(data) % 2)
    total: int = sum(struct.unpack(f"!{len(padded) // 2}H", padded))
    total = (total >> 16) + (total & 0xFFFF)
    return ~(total + (total >> 16)) & 0xFFFF
