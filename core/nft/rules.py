"""What stands in our nft tables, and the messages that make it: the maps and chains of each, the rules of chains that attachments share.

Above each expression list stands the rule as nft prints it, in the Rule itself; a test compares the two. Loaded only where something
has to be made or compared. Pure.
"""

from __future__ import annotations

from core.address import Cidr
from core.address import text as address_text
from core.netlink.message import APPEND, CREATE, Message, attribute, nest, pack, string
from core.nft.expression import (
    DROP,
    IIFNAME,
    JUMP,
    L4PROTO,
    LINK_HEADER,
    NEQ,
    RETURN,
    TRANSPORT_HEADER,
    WORD,
    Rule,
    address_field,
    bitwise,
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
from core.nft.names import ANYBODY, BRIDGE, FURTHER, INET, MARK, OUTSIDE, TABLE, TAGS, Chain, Hook, Map, Table
from core.nft.values import DELCHAIN, DELRULE, DELSET, NEWCHAIN, NEWRULE, NEWSET, NEWTABLE, comment, head, u32

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from typing import Any

TYPES = {  # number, padded bytes
    "ipv4_addr": (7, 4), "ipv6_addr": (8, 16), "ether_addr": (9, 8),
    "inet_proto": (12, 4), "inet_service": (13, 4), "ifname": (41, 16),
}
VERDICT_TYPE, VERDICT_BYTES = 0xFFFFFF00, 16
HOOKS = {"prerouting": 0, "input": 1, "forward": 2, "output": 3, "postrouting": 4}
MAP_FLAG = 8
LOOPBACK, LOCALHOST = Cidr(b"\x7f\0\0\0", 8), Cidr(b"\x7f\0\0\1", 32)
LOCALHOST6 = Cidr(bytes(15) + b"\1", 128)
MULTICAST = {4: Cidr(b"\xe0\0\0\0", 4), 16: Cidr(b"\xff" + bytes(15), 8)}
ADDRESS_TYPES = {4: "ipv4_addr", 16: "ipv6_addr"}


def port_maps(suffix: str = "") -> tuple[Map, ...]:
    """The maps from host port to container: for any local address, and for one."""
    maps = []
    for size, tag in TAGS.items():
        target = (ADDRESS_TYPES[size], "inet_service")
        maps.append(Map(INET, f"hostports{tag}{suffix}", ("inet_proto", "inet_service"), target))
        maps.append(Map(INET, f"hostip_hostports{tag}{suffix}", (ADDRESS_TYPES[size], "inet_proto", "inet_service"), target))
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
    jumps = [Map(INET, f"{name}{TAGS[size]}", (ADDRESS_TYPES[size],), ("verdict",)) for name in ("hairpin", "masquerade") for size in (4, 16)]
    networks = [Map(INET, f"{name}{TAGS[size]}", (ADDRESS_TYPES[size],) * 2) for name in ("near", "inside") for size in (4, 16)]
    return (*port_maps(), *jumps, *networks)


def _inet_chains() -> tuple[Chain, ...]:
    local = (Rule("fib daddr type local jump hostports", local_destination() + decide(JUMP, "hostports")),)
    further = Rule(f"jump {FURTHER}", decide(JUMP, FURTHER))
    own = Rule("ip6 daddr ::1 return", in_network(LOCALHOST6, False) + decide(RETURN))  # the kernel lets no answer back to ::1
    martian = meta(IIFNAME) + compare(b"lo".ljust(16, b"\0"), NEQ) + in_network(LOOPBACK, source=False) + decide(DROP)
    return (
        Chain(INET, "loopback", (Rule('iifname != "lo" ip daddr 127.0.0.0/8 drop', martian),), Hook("filter", "prerouting", -300)),
        Chain(INET, FURTHER),
        Chain(INET, "hostports", (*port_rules(), further)),
        Chain(INET, "prerouting", local, Hook("nat", "prerouting", -100)),
        Chain(INET, "output", (own, *local), Hook("nat", "output", -100)),
        Chain(INET, "postrouting", _by_address("hairpin", False) + _by_address("masquerade", True), Hook("nat", "postrouting", 100)),
    )


def _bridge_maps() -> tuple[Map, ...]:
    return Map(BRIDGE, "spoof_macs", ("ifname", "ether_addr")), Map(BRIDGE, "spoof", ("ifname",))


def _bridge_chains() -> tuple[Chain, ...]:
    """input sees what the bridge takes for itself and would learn from all the same: frames to link-local groups."""
    pair = meta(IIFNAME) + payload(LINK_HEADER, 6, 6, WORD + 4) + lookup("spoof_macs", inverted=True)
    checked = (Rule("iifname @spoof iifname . ether saddr != @spoof_macs drop", meta(IIFNAME) + lookup("spoof") + pair + decide(DROP)),)
    return tuple([Chain(BRIDGE, name, checked, Hook("filter", name, -300)) for name in ("prerouting", "input")])


def members(shared: Any) -> tuple[Any, ...]:
    """What is made, compared and healed one by one: a table with all that is always in it, in the order in which it can be made; or a chain."""
    return (shared, *MAPS[shared.family](), *CHAINS[shared.family]()) if isinstance(shared, Table) else (shared,)


def rules_of(chain: Chain) -> tuple[Rule, ...]:
    """All rules of a chain, in order."""
    if not chain.kind:
        return chain.body
    return anybody() if chain.kind == ANYBODY else _outside(chain.mask) if chain.kind == OUTSIDE else _hairpin(chain.mask)


def _outside(mask: bytes) -> tuple[Rule, ...]:
    group = MULTICAST[len(mask)]
    stays = Rule(f"{network_text(group, False)} return", in_network(group, False) + decide(RETURN))
    return (_same_network("inside", mask, True, "return", decide(RETURN)), stays, *anybody())


def _hairpin(mask: bytes) -> tuple[Rule, ...]:
    near = _same_network("near", mask, False, "masquerade", masquerade())
    if len(mask) == 16:
        return (near,)
    return near, Rule(f"{network_text(LOCALHOST, True)} masquerade", in_network(LOCALHOST, True) + masquerade())


def _same_network(name: str, mask: bytes, is_source: bool, verdict: str, expressions: bytes) -> Rule:
    """Where the container (the source, or the destination) and the other side are in one network, known by the set *name*."""
    size = len(mask)
    word, other = "ip" if size == 4 else "ip6", WORD + size // 4
    masked = b"" if mask == b"\xff" * size else bitwise(size, mask, other)
    sides = address_field(size, is_source) + address_field(size, not is_source, other) + masked
    behind = f" & {address_text(mask)}" if masked else ""
    fields = [f"{word} {'saddr' if source else 'daddr'}" for source in (is_source, not is_source)]
    text = f"{fields[0]} . {fields[1]}{behind} @{name}{TAGS[size]} {verdict}"
    return Rule(text, of_family(size) + sides + lookup(name + TAGS[size]) + expressions)


def anybody() -> tuple[Rule, ...]:
    """Whoever comes here is masqueraded."""
    return (Rule("masquerade", masquerade()),)


MAPS: dict[str, Callable[[], tuple[Map, ...]]] = {INET: _inet_maps, BRIDGE: _bridge_maps}
CHAINS: dict[str, Callable[[], tuple[Chain, ...]]] = {INET: _inet_chains, BRIDGE: _bridge_chains}


def table(item: Table) -> Message:
    """Create one of our tables, unless it is there."""
    return Message(NEWTABLE, CREATE, head(item.family) + string(1, TABLE) + comment(6, f"cniwire {MARK}: CNI plugins"))


def chain(item: Chain, entered: Collection[str] = ()) -> list[Message]:
    """Create a chain with its maps and rules, or write it anew where it is there. entered: chains from which a rule leads to it already."""
    made = [_chain(item), *[new_map(each) for each in item.maps]]
    if item.name != FURTHER:  # its rules are others' entries
        made += [flush(item.family, item.name), *[_rule(item.family, item.name, rule.expressions, MARK) for rule in rules_of(item)]]
    entries = [(where, rule) for where, rule in item.entries if where not in entered]
    return made + [_rule(item.family, where, rule.expressions, f"{MARK} {item.name}") for where, rule in entries]


def delete_map(family: str, name: str) -> Message:
    """Delete a map of ours; EBUSY while a rule looks it up."""
    return Message(DELSET, 0, head(family) + string(1, TABLE) + string(2, name))


def flush(family: str, name: str) -> Message:
    """Delete the rules of a chain of ours; ENOENT when there is no such chain."""
    return Message(DELRULE, 0, head(family) + string(1, TABLE) + string(2, name))


def delete_chain(family: str, name: str) -> Message:
    """Delete a chain of ours with its rules; EBUSY while something jumps to it."""
    return Message(DELCHAIN, 0, head(family) + string(1, TABLE) + string(3, name))


def delete_rule(family: str, chain: str, handle: bytes) -> Message:
    """Delete one rule."""
    return Message(DELRULE, 0, head(family) + string(1, TABLE) + string(2, chain) + attribute(3, handle))


def _chain(item: Chain) -> Message:
    attrs = string(1, TABLE) + string(3, item.name)
    if item.hook:
        attrs += nest(4, u32(1, HOOKS[item.hook.hook]), u32(2, item.hook.priority)) + u32(5, 1) + string(7, item.hook.type)
    return Message(NEWCHAIN, CREATE, head(item.family) + attrs)


def _rule(family: str, where: str, expressions: bytes, mark: str) -> Message:
    place = string(1, TABLE) + string(2, where)
    return Message(NEWRULE, CREATE | APPEND, head(family) + place + nest(4, expressions) + comment(7, mark))


def new_map(item: Map) -> Message:
    """Create a map, unless it is there; EEXIST where it is of other types."""
    flags, key, key_bytes, data, data_bytes = types(item)
    attrs = string(1, TABLE) + string(2, item.name) + u32(3, flags) + u32(4, key) + u32(5, key_bytes)
    attrs += u32(6, data) + u32(7, data_bytes) if item.data else b""
    return Message(NEWSET, CREATE, head(item.family) + attrs + u32(10, 1) + _byte_order(item.key))


def types(item: Map) -> tuple[int, int, int, int, int]:
    """The flags of a map, then type and bytes of its key and of its data (0 for a set)."""
    data = (VERDICT_TYPE, VERDICT_BYTES) if item.data == ("verdict",) else _concatenated(item.data)
    return MAP_FLAG if item.data else 0, *_concatenated(item.key), *data


def _byte_order(key: tuple[str, ...]) -> bytes:
    """User data that lets nft print the one key of ours that is in host byte order (NFTNL_UDATA_SET_KEYBYTEORDER)."""
    return attribute(13, b"\0\4" + pack("=I", 1)) if key == ("ifname",) else b""


def _concatenated(types: tuple[str, ...]) -> tuple[int, int]:
    number = 0
    for name in types:
        number = number << 6 | TYPES[name][0]
    return number, sum([TYPES[name][1] for name in types])
