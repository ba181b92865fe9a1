"""What stands in our nft tables: the maps and chains that each is born with, and the rules of chains that attachments share.

Above each expression list stands the rule as nft prints it, in the Rule itself; a test compares the two. Loaded only where something
has to be made or compared. Pure.
"""

from __future__ import annotations

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
from core.plan import mac_text
from core.record import Record
from core.ruleset import BRIDGE, INET, TAGS, Chain

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

LOCALHOST = Cidr(b"\x7f\0\0\1", 32)
MULTICAST = {4: Cidr(b"\xe0\0\0\0", 4), 16: Cidr(b"\xff" + bytes(15), 8)}
ADDRESS_TYPES = {4: "ipv4_addr", 16: "ipv6_addr"}


class Map(Record):
    """A map of ours: the nft types that its key and its data are concatenated of ("verdict" for a verdict)."""

    name: str
    key: tuple[str, ...]
    data: tuple[str, ...]


class Hook(Record):
    """Where a base chain is entered: nft chain type, hook and priority."""

    type: str
    hook: str
    priority: int


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


def of_network(name: str, net: Cidr) -> tuple[Rule, ...]:
    """The rules of the chain *name* of a network: outside-... or hairpin-..."""
    return _outside(net) if name.startswith("outside-") else _hairpin(net)


def _outside(net: Cidr) -> tuple[Rule, ...]:
    rules = [Rule(f"{network_text(area, False)} return", in_network(area, False) + decide(RETURN)) for area in (net, MULTICAST[len(net.address)])]
    return (*rules, *anybody())


def _hairpin(net: Cidr) -> tuple[Rule, ...]:
    sources = (net, LOCALHOST) if len(net.address) == 4 else (net,)
    return tuple([Rule(f"{network_text(area, True)} masquerade", in_network(area, True) + masquerade()) for area in sources])


def anybody() -> tuple[Rule, ...]:
    """Whoever comes here is masqueraded."""
    return (Rule("masquerade", masquerade()),)


def spoof_rules(mac: bytes) -> tuple[Rule, ...]:
    """Frames carry *mac* or are dropped."""
    return (
        Rule(f"ether saddr {mac_text(mac)} return", payload(LINK_HEADER, 6, 6) + compare(mac) + decide(RETURN)),
        Rule("drop", decide(DROP)),
    )


MAPS: dict[str, Callable[[], tuple[Map, ...]]] = {INET: _inet_maps, BRIDGE: lambda: (Map("spoof", ("ifname",), ("verdict",)),)}
CHAINS: dict[str, Callable[[], tuple[Chain, ...]]] = {INET: _inet_chains, BRIDGE: _bridge_chains}
