"""Real packets between the namespaces of a test."""

import socket
import time

from launcher import traffic
from launcher.traffic import Reply, family_of
from tests.harness.namespace import Namespace

__all__ = ["Reply", "Server", "ask", "ask_http", "ping"]


class Server(traffic.Server):
    """Answers on one port inside a namespace, with its name and the caller's address, until closed."""

    def __init__(self, namespace: Namespace, port: int, protocol: str = "tcp"):
        super().__init__(str(namespace.path), namespace.name, port, protocol)


def ask(
    namespace: Namespace,
    address: str,
    port: int,
    protocol: str = "tcp",
    *,
    source: tuple[str, int] | None = None,
    timeout_s: float = 2,
) -> Reply:
    """Ask the server at *address* and *port* from inside *namespace*.

    Raises OSError, TimeoutError among them.
    """
    return traffic.ask(str(namespace.path), address, port, protocol, source=source, timeout_s=timeout_s)


def ask_http(namespace: Namespace, address: str, port: int, path: str, timeout_s: float = 2) -> str:
    """Fetch *path* by HTTP/1.0 from inside *namespace* and return the body. Raises OSError.

    A server that was started just now gets *timeout_s* to listen.
    """
    end = time.monotonic() + timeout_s
    while True:
        with namespace.entered():
            client = socket.socket(family_of(address), socket.SOCK_STREAM)
        with client:
            client.settimeout(timeout_s)
            try:
                client.connect((address, port))
            except ConnectionRefusedError:
                if time.monotonic() > end:
                    raise
                time.sleep(0.02)
                continue
            client.sendall(f"GET {path} HTTP/1.0\r\n\r\n".encode())
            with client.makefile("rb") as answer:
                return answer.read().decode().partition("\r\n\r\n")[2]


def ping(namespace: Namespace, address: str, timeout_s: float = 2, size: int = 56) -> float | None:
    """Send echo requests of *size* bytes from inside *namespace* until one is answered.

    Returns the seconds it took, or None.
    """
    return traffic.ping(str(namespace.path), address, timeout_s, size)
