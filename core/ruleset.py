"""Our nft tables: `inet cniwire` for address translation and `bridge cniwire` for the spoof check.

Maps with elements do the work, so that a packet and an ADD cost the same with one container as with a thousand:

    prerouting, output   fib daddr type local: hostports -> dnat to what the maps say
    postrouting          ct status dnat: hairpin4 says whose answers must come back through the host
                         masquerade4 says which sources leave under the host's address, unless they stay in their network

Chains named after a network are shared by its attachments. Above each expression list stands the rule as nft prints it,
in the Rule itself; a test compares the two. Pure.
"""

from __future__ import annotations

from core import address
from core.address import Cidr
from core.expression import (
    DROP,
    IIFNAME,
    JUMP,
    L4PROTO,
    LINK_HEADER,
    RETURN,
    TRANSPORT_HEADER,
    WORD,
    Rule,
    address_field,
    compare,
    decide,
    dnat,
    in_network,
    local_destination,
    lookup,
    masquerade,
    meta,
    network_text,
    of_family,
    payload,
    translated,
)
from core.plan import Element, mac_text
from core.record import record

TABLE = "cniwire"
INET, BRIDGE = "inet", "bridge"
PORT_MAPS = ("hostports", "hostip_", "hairpin")  # what portmap's maps begin with
MASQUERADE_MAPS = ("masquerade",)
SPOOF_MAPS = ("spoof",)
PROTOCOLS = {"tcp": 6, "udp": 17, "sctp": 132, "udplite": 136, "dccp": 33}
LOCALHOST = Cidr(b"\x7f\0\0\1", 32)
MULTICAST = {4: Cidr(b"\xe0\0\0\0", 4), 16: Cidr(b"\xff" + bytes(15), 8)}
TAGS = {4: "4", 16: "6"}  # bytes of an address -> suffix of a map's name
ADDRESS_TYPES = {4: "ipv4_addr", 16: "ipv6_addr"}


@record
class Map:
    """A map of ours: the nft types that its key and its data are concatenated of ("verdict" for a verdict)."""

    name: str
    key: tuple[str, ...]
    data: tuple[str, ...]


@record
class Hook:
    """Where a base chain is entered: nft chain type, hook and priority."""

    type: str
    hook: str
    priority: int


@record
class Chain:
    """A chain with its rules; *maps* and *entries* (rules of the chain named in front) are made with it, in one batch.

    owner: whose it is, "" for a shared one.
    """

    family: str
    name: str
    rules: tuple[Rule, ...] = ()
    hook: Hook | None = None
    owner: str = ""
    maps: tuple[Map, ...] = ()
    entries: tuple[tuple[str, Rule], ...] = ()


@record
class Table:
    """One of our tables with everything that is always in it, which is worked out only when it has to be made."""

    family: str

    @property
    def maps(self) -> tuple[Map, ...]:
        return _inet_maps() if self.family == INET else (Map("spoof", ("ifname",), ("verdict",)),)

    @property
    def chains(self) -> tuple[Chain, ...]:
        return _inet_chains() if self.family == INET else _bridge_chains()


def kin(name: str) -> tuple[str, ...]:
    """The beginnings of the names of all maps that the same plugin fills as the map *name*."""
    return next(group for group in (PORT_MAPS, MASQUERADE_MAPS, SPOOF_MAPS) if name.startswith(group))


def port_maps(suffix: str = "") -> tuple[Map, ...]:
    """The maps from host port to container: for any local address, and for one."""
    maps = []
    for size, tag in TAGS.items():
        target = (ADDRESS_TYPES[size], "inet_service")
        maps.append(Map(f"hostports{tag}{suffix}", ("inet_proto", "inet_service"), target))
        maps.append(Map(f"hostip_hostports{tag}{suffix}", (ADDRESS_TYPES[size], "inet_proto", "inet_service"), target))
    return tuple(maps)


def port_rules(suffix: str = "") -> tuple[Rule, ...]:
    """The rules that look a host port up, the more specific map first."""
    rules = []
    for size, name in ((4, "ip"), (16, "ip6")):
        kind = 2 if size == 4 else 10
        words = size // 4
        service = meta(L4PROTO, WORD + words) + payload(TRANSPORT_HEADER, 2, 2, WORD + words + 1)
        specific, anywhere = f"hostip_hostports{TAGS[size]}{suffix}", f"hostports{TAGS[size]}{suffix}"
        rules.append(
            Rule(
                f"dnat {name} to {name} daddr . meta l4proto . th dport map @{specific}",
                of_family(size) + address_field(size, source=False) + service + lookup(specific, 1) + dnat(kind, WORD + words),
            )
        )
        rules.append(
            Rule(
                f"dnat {name} to meta l4proto . th dport map @{anywhere}",
                meta(L4PROTO) + payload(TRANSPORT_HEADER, 2, 2, WORD + 1) + lookup(anywhere, 1) + dnat(kind, WORD + words),
            )
        )
    return tuple(rules)


def _by_address(name: str, source: bool) -> tuple[Rule, ...]:
    """ip saddr vmap @name4, ip6 saddr vmap @name6; or daddr of translated connections."""
    side = "saddr" if source else "daddr"
    rules = []
    for size, word in ((4, "ip"), (16, "ip6")):
        match = of_family(size) + address_field(size, source) + lookup(name + TAGS[size], 0)
        text = f"{word} {side} vmap @{name}{TAGS[size]}"
        rules.append(Rule(text, match) if source else Rule(f"ct status dnat {text}", translated() + match))
    return tuple(rules)


def _inet_maps() -> tuple[Map, ...]:
    jumps = [Map(f"{name}{TAGS[size]}", (ADDRESS_TYPES[size],), ("verdict",)) for name in ("hairpin", "masquerade") for size in (4, 16)]
    return (*port_maps(), *jumps)


def _inet_chains() -> tuple[Chain, ...]:
    local = (Rule("fib daddr type local jump hostports", local_destination() + decide(JUMP, "hostports")),)
    return (
        Chain(INET, "hostports", port_rules()),
        Chain(INET, "prerouting", local, Hook("nat", "prerouting", -100)),
        Chain(INET, "output", local, Hook("nat", "output", -100)),
        Chain(INET, "postrouting", _by_address("hairpin", False) + _by_address("masquerade", True), Hook("nat", "postrouting", 100)),
    )


def _bridge_chains() -> tuple[Chain, ...]:
    checked = Rule("iifname vmap @spoof", meta(IIFNAME) + lookup("spoof", 0))
    return (Chain(BRIDGE, "prerouting", (checked,), Hook("filter", "prerouting", -300)),)


TABLES = {INET: Table(INET), BRIDGE: Table(BRIDGE)}


def _named(kind: str, net: Cidr) -> str:
    """A chain's name for a network; nft's grammar has no colon in names."""
    return f"{kind}-{str(net).replace(':', '_')}"


def outside(net: Cidr) -> Chain:
    """What a source in *net* sends to another unicast address is masqueraded."""
    rules = [Rule(f"{network_text(area, False)} return", in_network(area, False) + decide(RETURN)) for area in (net, MULTICAST[len(net.address)])]
    return Chain(INET, _named("outside", net), (*rules, Rule("masquerade", masquerade())))


def hairpin(net: Cidr) -> Chain:
    """Neighbours in *net* and the host's loopback are masqueraded on their way to a published port."""
    sources = (net, LOCALHOST) if len(net.address) == 4 else (net,)
    rules = [Rule(f"{network_text(area, True)} masquerade", in_network(area, True) + masquerade()) for area in sources]
    return Chain(INET, _named("hairpin", net), tuple(rules))


def hairpin_any() -> Chain:
    """Everybody is masqueraded on the way to a published port (masqAll)."""
    return Chain(INET, "hairpin-any", (Rule("masquerade", masquerade()),))


def spoof_chain(link: str, mac: bytes, owner: str) -> Chain:
    """Frames that enter through *link* carry *mac* or are dropped."""
    rules = (
        Rule(f"ether saddr {mac_text(mac)} return", payload(LINK_HEADER, 6, 6) + compare(mac) + decide(RETURN)),
        Rule("drop", decide(DROP)),
    )
    return Chain(BRIDGE, f"mac-{link}", rules, owner=owner)


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
