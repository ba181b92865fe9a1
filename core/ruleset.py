"""Our nft tables: `inet cniwire` for address translation and `bridge cniwire` for the spoof check.

Maps with elements do the work, so that a packet and an ADD cost the same with one container as with a thousand:

    prerouting, output   fib daddr type local: hostports -> dnat to what the maps say
    postrouting          ct status dnat: hairpin4 says whose answers must come back through the host
                         masquerade4 says which sources leave under the host's address, unless they stay in their network

Chains named after a network are shared by its attachments. What stands in a shared chain is worked out by core.rules, and only
when the chain has to be made or compared: nearly always it is there. Pure.
"""

from __future__ import annotations

from core import address
from core.plan import Element
from core.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from core.address import Cidr
    from core.expression import Rule
    from core.rules import Hook, Map

TABLE = "cniwire"
INET, BRIDGE = "inet", "bridge"
PORT_MAPS = ("hostports", "hostip_", "hairpin")  # what portmap's maps begin with
MASQUERADE_MAPS = ("masquerade",)
SPOOF_MAPS = ("spoof",)
PROTOCOLS = {"tcp": 6, "udp": 17, "sctp": 132, "udplite": 136, "dccp": 33}
TAGS = {4: "4", 16: "6"}  # bytes of an address -> suffix of a map's name


class Chain(Record):
    """A chain with its rules; *maps* and *entries* (rules of the chain named in front) are made with it, in one batch.

    net: the network whose chain it is, shared by its attachments; the rules then follow from name and net. body: the rules of any other.
    owner: whose it is, "" for a shared one.
    """

    family: str
    name: str
    body: tuple[Rule, ...] = ()
    hook: Hook | None = None
    owner: str = ""
    maps: tuple[Map, ...] = ()
    entries: tuple[tuple[str, Rule], ...] = ()
    net: Cidr | None = None

    @property
    def rules(self) -> tuple[Rule, ...]:
        """All rules, in order."""
        if self.net is None:
            return self.body
        from core.rules import of_network  # late: nearly always the chain is there

        return of_network(self.name, self.net)

    @property
    def size(self) -> int:
        """How many rules there are, which can be told without working them out."""
        if self.net is None:
            return len(self.body)
        return 3 if self.name.startswith("outside-") else 2 if len(self.net.address) == 4 else 1


class Table(Record):
    """One of our tables with everything that is always in it, which is worked out only when it has to be made."""

    family: str

    @property
    def maps(self) -> tuple[Map, ...]:
        from core.rules import MAPS  # late: nearly always the table is there

        return MAPS[self.family]()

    @property
    def chains(self) -> tuple[Chain, ...]:
        from core.rules import CHAINS  # late: as above

        return CHAINS[self.family]()


TABLES = {INET: Table(INET), BRIDGE: Table(BRIDGE)}


def kin(name: str) -> tuple[str, ...]:
    """The beginnings of the names of all maps that the same plugin fills as the map *name*."""
    return next(group for group in (PORT_MAPS, MASQUERADE_MAPS, SPOOF_MAPS) if name.startswith(group))


def _named(kind: str, net: Cidr) -> str:
    """A chain's name for a network; nft's grammar has no colon in names."""
    return f"{kind}-{str(net).replace(':', '_')}"


def outside(net: Cidr) -> Chain:
    """What a source in *net* sends to another unicast address is masqueraded."""
    return Chain(INET, _named("outside", net), net=net)


def hairpin(net: Cidr) -> Chain:
    """Neighbours in *net* and the host's loopback are masqueraded on their way to a published port."""
    return Chain(INET, _named("hairpin", net), net=net)


def hairpin_any() -> Chain:
    """Everybody is masqueraded on the way to a published port (masqAll)."""
    from core.rules import anybody  # late: only where masqAll is set

    return Chain(INET, "hairpin-any", anybody())


def spoof_chain(link: str, mac: bytes, owner: str) -> Chain:
    """Frames that enter through *link* carry *mac* or are dropped."""
    from core.rules import spoof_rules  # late: only where macspoofchk is set

    return Chain(BRIDGE, f"mac-{link}", spoof_rules(mac), owner=owner)


def masquerade_element(cidr: Cidr, owner: str) -> Element:
    """The container's address jumps to the chain of its network."""
    return _jump("masquerade", cidr.address, outside(address.network(cidr)).name, owner)


def hairpin_element(container: bytes, chain: Chain, owner: str) -> Element:
    """Translated connections to the container jump to *chain*."""
    return _jump("hairpin", container, chain.name, owner)


def _jump(name: str, container: bytes, chain: str, owner: str) -> Element:
    return Element(INET, name + TAGS[len(container)], container, b"", chain, owner, f"{address.text(container)} : jump {chain}")


def spoof_element(link: str, chain: str, owner: str) -> Element:
    """Frames that enter through *link* are checked by *chain*."""
    return Element(BRIDGE, "spoof", link.encode().ljust(16, b"\0"), b"", chain, owner, f'"{link}" : jump {chain}')


def port_element(protocol: str, host_ip: bytes, host_port: int, container: bytes, container_port: int, owner: str, suffix: str = "") -> Element:
    """A host port leads to a container's port. host_ip: packed, b"" for any local address."""
    service = bytes([PROTOCOLS[protocol], 0, 0, 0]) + _port(host_port)
    name = f"{'hostip_' if host_ip else ''}hostports{TAGS[len(container)]}{suffix}"
    where = f"{address.text(host_ip)} . " if host_ip else ""
    text = f"{where}{protocol} . {host_port} : {address.text(container)} . {container_port}"
    return Element(INET, name, host_ip + service, container + _port(container_port), "", owner, text)


def _port(port: int) -> bytes:
    return port.to_bytes(2, "big") + b"\0\0"
