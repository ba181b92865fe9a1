"""Who reaches whom: a web server in a container, asked from everywhere, and what it can ask itself."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path

from tests.harness.host import Host
from tests.harness.namespace import Namespace
from tests.harness.traffic import Server, ask, ask_http
from tests.runtimes.images import GREETING, PAGE

HOST_LAN = ("192.0.2.1", "2001:db8:ff::1")  # as Host.outside() gives them
LAN = ("192.0.2.2", "2001:db8:ff::2")
COLLECTOR_PORT = 9000  # of a server in the LAN, which tells as whom it sees a caller


class Found(Namespace):
    """The network namespace of a container that a runtime has made; it is the runtime's to remove."""

    def __init__(self, path: str | Path):
        self.path = Path(path)

    def close(self) -> None:
        """Do nothing."""


@dataclass
class Site:
    """A container that serves /index.html on port 80, published on *host_port* (0: not published)."""

    namespace: Namespace
    addresses: tuple[str, ...]
    host_port: int = 0
    peer: Namespace | None = None  # a neighbour on the same network


@dataclass
class Question:
    who: str
    asker: Namespace
    address: str
    port: int
    server: str = field(default="")  # of the LAN, by the address as which it has to see the asker

    def trouble(self) -> str:
        """Return what is wrong with the answer; "" if nothing is."""
        try:
            if self.server:
                said, want = ask(self.asker, self.address, self.port).caller, self.server
            else:
                said, want = fetched(self.asker, self.address, self.port), GREETING
        except OSError as error:
            said, want = repr(error), ""
        return "" if said == want else f"{self.who} asks [{self.address}]:{self.port}: {said}"


def fetched(asker: Namespace, address: str, port: int) -> str:
    """Return /index.html of the web server at *address*. Raises OSError."""
    return ask_http(asker, address, port, PAGE)


def troubles(host: Host, outside: Namespace, site: Site) -> list[str]:
    """Ask in all directions; return what did not work.

    From host, neighbour, LAN and the container itself to the container, and to its published port; and from
    the container to the LAN, where it has to be seen as the host.
    """
    with Server(outside, COLLECTOR_PORT):
        asked = [each for address in site.addresses for each in questions(host, outside, site, address)]
        return [trouble for trouble in (each.trouble() for each in asked) if trouble]


def questions(host: Host, outside: Namespace, site: Site, address: str) -> Iterator[Question]:
    """Yield the questions for one address of the container."""
    version6 = ip_address(address).version == 6
    neighbours = [("a neighbour", site.peer)] if site.peer else []
    everybody = [("the host", host), ("the LAN", outside), ("the container", site.namespace), *neighbours]
    for who, asker in everybody:
        if asker is not outside:  # it has no route to containers, as a LAN has none
            yield Question(who, asker, address, 80)
        if site.host_port:
            yield Question(who, asker, HOST_LAN[version6], site.host_port)
    if site.host_port and not version6:
        yield Question("the host", host, "127.0.0.1", site.host_port)
    yield Question("the container", site.namespace, LAN[version6], COLLECTOR_PORT, HOST_LAN[version6])
