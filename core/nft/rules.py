"""What stands in our nft tables: the maps and chains of each, and the rules of chains that attachments share.

Above each expression list stands the rule as nft prints it, in the Rule itself; a test compares the two.
Loaded only where something has to be made or compared. Pure.
"""

from __future__ import annotations

from core.address import FAMILIES, V4, V6, Cidr, family
from core.address import text as address_text
from core.nft.expression import (
    IIFNAME,
    L4PROTO,
    LINK_HEADER,
    NEQ,
    NFT_REG_1,
    NFT_REG_VERDICT,
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
from core.nft.names import (
    ANYBODY,
    BRIDGE,
    FURTHER,
    HAIRPIN,
    INET,
    OUTSIDE,
    SPECIFIC,
    Chain,
    Hook,
    Map,
    Table,
    suffix,
)
from core.nft.values import NF_DROP, NFT_JUMP, NFT_RETURN

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from core.address import Family

LOOPBACK, LOCALHOST = Cidr(b"\x7f\0\0\0", 8), Cidr(b"\x7f\0\0\1", 32)
LOCALHOST6 = Cidr(bytes(15) + b"\1", 128)
MULTICAST = {V4: Cidr(b"\xe0\0\0\0", 4), V6: Cidr(b"\xff" + bytes(15), 8)}
ADDRESS_TYPES = {V4: "ipv4_addr", V6: "ipv6_addr"}


def port_maps(of: Family, behind: str = "") -> tuple[Map, ...]:
    """The maps from host port to container: for any local address, and for one.

    Behind: what their names end in.
    """
    target = (ADDRESS_TYPES[of], "inet_service")
    anywhere = Map(INET, f"hostports{of.tag}{behind}", ("inet_proto", "inet_service"), target)
    specific = ADDRESS_TYPES[of], *anywhere.key
    return anywhere, Map(INET, f"{SPECIFIC}hostports{of.tag}{behind}", specific, target)


def port_rules(of: Family, behind: str = "") -> tuple[Rule, ...]:
    """The rules that look a host port up in those maps, the more specific one first."""
    words = of.size // 4
    anywhere, specific = [each.name for each in port_maps(of, behind)]
    service = meta(L4PROTO, WORD + words) + payload(TRANSPORT_HEADER, 2, 2, WORD + words + 1)
    address = of_family(of) + address_field(of, source=False)
    alone = meta(L4PROTO) + payload(TRANSPORT_HEADER, 2, 2, WORD + 1)
    to = dnat(of, WORD + words)
    return (
        Rule(
            f"dnat {of.word} to {of.word} daddr . meta l4proto . th dport map @{specific}",
            address + service + lookup(specific, NFT_REG_1) + to,
        ),
        Rule(
            f"dnat {of.word} to meta l4proto . th dport map @{anywhere}",
            alone + lookup(anywhere, NFT_REG_1) + to,
        ),
    )


def conditional(of: Family, condition: Rule | None, tag: str, level: int) -> Chain:
    """The chain and maps of all mappings with the same condition and level.

    tag: of the condition, "" where there is none.
    """
    behind = suffix(tag, level)
    rules = port_rules(of, behind)
    if condition:
        ways = getattr(condition, "alternatives", (condition,))
        rules = tuple(
            [
                Rule(f"{way.text} {rule.text}", way.expressions + rule.expressions)
                for way in ways
                for rule in rules
            ]
        )
    chain = f"hostports{behind}" if condition else f"hostports-{of.tag}{behind}"
    entry = (FURTHER, Rule(f"jump {chain}", decide(NFT_JUMP, chain)))
    return Chain(INET, chain, rules, maps=port_maps(of, behind), entries=(entry,))


def _by_address(name: str, source: bool) -> tuple[Rule, ...]:
    """ip saddr vmap @name4, ip6 saddr vmap @name6; or daddr of translated connections."""
    side = "saddr" if source else "daddr"
    rules = []
    for each in FAMILIES:
        match = of_family(each) + address_field(each, source) + lookup(name + each.tag, NFT_REG_VERDICT)
        text = f"{each.word} {side} vmap @{name}{each.tag}"
        rules.append(Rule(text, match) if source else Rule(f"ct status dnat {text}", translated() + match))
    return tuple(rules)


def _inet_maps() -> tuple[Map, ...]:
    ports = [each for family in FAMILIES for each in port_maps(family)]
    jumps, networks = [
        [
            Map(INET, name + each.tag, (ADDRESS_TYPES[each],) * count, data)
            for name in names
            for each in FAMILIES
        ]
        for names, count, data in ((("hairpin", "masquerade"), 1, ("verdict",)), (("near", "inside"), 2, ()))
    ]
    return (*ports, *jumps, *networks)


def _inet_chains() -> tuple[Chain, ...]:
    local = (
        Rule("fib daddr type local jump hostports", local_destination() + decide(NFT_JUMP, "hostports")),
    )
    further = Rule(f"jump {FURTHER}", decide(NFT_JUMP, FURTHER))
    own = Rule(
        "ip6 daddr ::1 return", in_network(LOCALHOST6, False) + decide(NFT_RETURN)
    )  # no answer gets back to ::1
    from_outside = meta(IIFNAME) + compare(b"lo".ljust(16, b"\0"), NEQ)
    martian = Rule(
        'iifname != "lo" ip daddr 127.0.0.0/8 drop',
        from_outside + in_network(LOOPBACK, source=False) + decide(NF_DROP),
    )
    translations = _by_address("hairpin", source=False) + _by_address("masquerade", source=True)
    return (
        Chain(INET, "loopback", (martian,), Hook("filter", "prerouting", -300)),
        Chain(INET, FURTHER),
        Chain(INET, "hostports", (*port_rules(V4), *port_rules(V6), further)),
        Chain(INET, "prerouting", local, Hook("nat", "prerouting", -100)),
        Chain(INET, "output", (own, *local), Hook("nat", "output", -100)),
        Chain(INET, "postrouting", translations, Hook("nat", "postrouting", 100)),
    )


def _bridge_maps() -> tuple[Map, ...]:
    return Map(BRIDGE, "spoof_macs", ("ifname", "ether_addr")), Map(BRIDGE, "spoof", ("ifname",))


def _bridge_chains() -> tuple[Chain, ...]:
    """The chains of the spoof check.

    prerouting sees what is forwarded, input what the bridge takes for itself: it would learn from those
    frames, too.
    """
    pair = meta(IIFNAME) + payload(LINK_HEADER, 6, 6, WORD + 4) + lookup("spoof_macs", inverted=True)
    checked = Rule(
        "iifname @spoof iifname . ether saddr != @spoof_macs drop",
        meta(IIFNAME) + lookup("spoof") + pair + decide(NF_DROP),
    )
    return tuple(
        [Chain(BRIDGE, name, (checked,), Hook("filter", name, -300)) for name in ("prerouting", "input")]
    )


def members(shared: Any) -> tuple[Any, ...]:
    """What is made, compared and healed one by one, in the order in which it can be made.

    Of a table, that is itself with all that is always in it; of a chain, the chain.
    """
    if shared.rank == Table.rank:
        return shared, *MAPS[shared.table](), *CHAINS[shared.table]()
    return (shared,)


def rules_of(chain: Chain) -> tuple[Rule, ...]:
    """All rules of a chain, in order."""
    return RULES[chain.kind](chain.mask) if chain.kind else chain.body


def _outside(mask: bytes) -> tuple[Rule, ...]:
    group = MULTICAST[family(mask)]
    stays = Rule(f"{network_text(group, False)} return", in_network(group, False) + decide(NFT_RETURN))
    return (_same_network("inside", mask, True, "return", decide(NFT_RETURN)), stays, *anybody())


def _hairpin(mask: bytes) -> tuple[Rule, ...]:
    near = _same_network("near", mask, False, "masquerade", masquerade())
    if family(mask) is V6:
        return (near,)
    return near, Rule(
        f"{network_text(LOCALHOST, True)} masquerade", in_network(LOCALHOST, True) + masquerade()
    )


def _same_network(name: str, mask: bytes, is_source: bool, verdict: str, expressions: bytes) -> Rule:
    """Where the container and the other side are in one network, known by the set *name*.

    is_source: the container is the source of the packet, and not its destination.
    """
    of = family(mask)
    other = WORD + of.size // 4
    masked = b"" if mask == b"\xff" * of.size else bitwise(of.size, mask, other)
    sides = address_field(of, is_source) + address_field(of, not is_source, other) + masked
    behind = f" & {address_text(mask)}" if masked else ""
    fields = [f"{of.word} {'saddr' if source else 'daddr'}" for source in (is_source, not is_source)]
    text = f"{fields[0]} . {fields[1]}{behind} @{name}{of.tag} {verdict}"
    return Rule(text, of_family(of) + sides + lookup(name + of.tag) + expressions)


def anybody(_mask: bytes = b"") -> tuple[Rule, ...]:
    """Whoever comes here is masqueraded."""
    return (Rule("masquerade", masquerade()),)


MAPS: dict[str, Callable[[], tuple[Map, ...]]] = {INET: _inet_maps, BRIDGE: _bridge_maps}
CHAINS: dict[str, Callable[[], tuple[Chain, ...]]] = {INET: _inet_chains, BRIDGE: _bridge_chains}
RULES: dict[str, Callable[[bytes], tuple[Rule, ...]]] = {
    OUTSIDE: _outside,
    HAIRPIN: _hairpin,
    ANYBODY: anybody,
}
