"""Who is forwarded: the sets and chains of admission in our nft tables, made where a container is admitted.

An accept of ours does not overrule a drop in somebody else's base chain. So what is admitted gets a mark
before anybody else looks at it, and loses it when all have; where somebody drops, one rule accepts the mark
(core.plan.opening). It is the same for every container, and the sets tell who they are:

    admit        forward, first: what comes from an admitted address, what answers it, and what is published
    unmark       forward, last
    fence        forward: what goes to a fenced address jumps to the chain of its bridge, which drops what
                 comes from behind another fenced bridge (its name stands in `strangers`)
    forward      of the bridge family: no frame goes from or to a port that is alone

A packet is known by the interface that it came in through, which its sender cannot choose, and by where it
goes; never by its source address, but where it is admitted. Pure.
"""

from __future__ import annotations

from core import address
from core.address import FAMILIES
from core.attachment import hashed
from core.intent import ISOLATED, OPEN, SAME_BRIDGE, Admitted, Fenced, Isolated
from core.netlink.message import pack
from core.nft.expression import (
    IIFNAME,
    MARK,
    NEQ,
    NFT_BITWISE_BOOL,
    NFT_CT_STATE,
    NFT_REG_1,
    NFT_REG_VERDICT,
    NFTA_BITWISE_DREG,
    NFTA_BITWISE_LEN,
    NFTA_BITWISE_OP,
    NFTA_BITWISE_SREG,
    NFTA_BITWISE_XOR,
    NFTA_META_KEY,
    OIFNAME,
    Rule,
    address_field,
    bitwise,
    compare,
    conntrack,
    decide,
    expression,
    lookup,
    meta,
    of_family,
    translated,
)
from core.nft.names import BRIDGE, DASH, INET, TABLES, Chain, Element, Hook, Map
from core.nft.values import NF_DROP, NFT_JUMP, NFT_RETURN, NFTA_BITWISE_MASK, u32, value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from core.address import Family
    from core.intent import Ingress
    from core.nft.backend import Records

BIT = 1 << 27  # of a packet's mark, while it is forwarded; others' registered ones are elsewhere
OTHERS = 0xFFFFFFFF ^ BIT
NFTA_META_SREG = 3
ESTABLISHED_RELATED = 1 << 1 | 1 << 2  # of a connection's state
FIRST, USUAL, LAST = -350, 0, 350  # priorities: before and behind those that have names, and NF_IP_PRI_FILTER
BRIDGE_FILTER = -200  # NF_BR_PRI_FILTER_BRIDGED
ADMITTED, FENCED, ALONE = "admitted", "fenced", "alone"
BEHIND_BRIDGES = f"{DASH}bridges"  # of maps that are there for fenced attachments only
STRANGERS = "strangers"
TYPES = {4: "ipv4_addr", 16: "ipv6_addr"}
PLAIN = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-")


def admit(addresses: list[bytes], ingress: Ingress, owner: str) -> Records:
    """What a container sends and is answered is forwarded; *ingress* says who does not reach it."""
    shared: tuple[Any, ...] = (TABLES[INET], *admission()) if addresses else ()
    owned = [admitted_element(each, owner) for each in addresses]
    if ingress.policy == OPEN:
        return shared, tuple(owned)
    if addresses:
        shared += (Chain(INET, STRANGERS), fences(), fence(ingress.policy, ingress.bridge))
        owned += [fenced_element(each, ingress, owner) for each in addresses]
    if ingress.policy == ISOLATED and ingress.port:
        shared += (TABLES[BRIDGE], bridged())
        owned.append(alone_element(ingress.port, owner))
    return shared, tuple(owned)


def marked() -> Rule:
    """The match on what is admitted; it is what an accept in somebody else's chain needs, too."""
    bit = pack("=I", BIT)
    return Rule(f"meta mark & {BIT:#010x} == {BIT:#010x}", meta(MARK) + bitwise(4, bit) + compare(bit))


def _unmarked() -> Rule:
    text = f"{marked().text} meta mark set meta mark & {OTHERS:#010x}"
    return Rule(text, marked().expressions + _set_mark(0))


def _set_mark(bit: int) -> bytes:
    """Write our bit into the mark and leave the others alone."""
    registers = u32(NFTA_BITWISE_SREG, NFT_REG_1), u32(NFTA_BITWISE_DREG, NFT_REG_1)
    kind = u32(NFTA_BITWISE_LEN, 4), u32(NFTA_BITWISE_OP, NFT_BITWISE_BOOL)
    bits = value(NFTA_BITWISE_MASK, pack("=I", OTHERS)), value(NFTA_BITWISE_XOR, pack("=I", bit))
    written = u32(NFTA_META_KEY, MARK), u32(NFTA_META_SREG, NFT_REG_1)
    return meta(MARK) + expression("bitwise", *registers, *kind, *bits) + expression("meta", *written)


def _map(name: str, family: Family, *data: str) -> Map:
    return Map(INET, name, (TYPES[family.size],), data)


def _by_address(source: bool, chain: str) -> tuple[Rule, ...]:
    """ip saddr @admitted4 jump CHAIN, and so on."""
    side = "saddr" if source else "daddr"
    return tuple(
        [
            Rule(
                f"{each.word} {side} @{ADMITTED}{each.tag} jump {chain}",
                of_family(each)
                + address_field(each, source)
                + lookup(ADMITTED + each.tag)
                + decide(NFT_JUMP, chain),
            )
            for each in FAMILIES
        ]
    )


def admission() -> tuple[Chain, ...]:
    """The chains that mark what is admitted, each behind those that it jumps to, and the one that unmarks."""
    arriving = decide(NFT_JUMP, "arriving")
    answers = conntrack(NFT_CT_STATE) + bitwise(4, pack("=I", ESTABLISHED_RELATED)) + compare(bytes(4), NEQ)
    rules = (
        _unmarked(),
        *_by_address(True, "admitted"),
        Rule("ct state established,related jump arriving", answers + arriving),
        Rule("ct status dnat jump arriving", translated() + arriving),
    )
    sets = tuple([_map(ADMITTED + each.tag, each) for each in FAMILIES])
    return (
        Chain(INET, "admitted", (Rule(f"meta mark set meta mark | {BIT:#010x}", _set_mark(BIT)),)),
        Chain(INET, "arriving", _by_address(False, "admitted"), maps=sets),
        Chain(INET, "admit", rules, Hook("filter", "forward", FIRST)),
        Chain(INET, "unmark", (_unmarked(),), Hook("filter", "forward", LAST)),
    )


def fences() -> Chain:
    """What is forwarded to a fenced address jumps to the chain of its bridge and policy."""
    names = {each: f"{FENCED}{each.tag}{BEHIND_BRIDGES}" for each in FAMILIES}
    rules = [
        Rule(
            f"{each.word} daddr vmap @{name}",
            of_family(each) + address_field(each, source=False) + lookup(name, NFT_REG_VERDICT),
        )
        for each, name in names.items()
    ]
    maps = [_map(name, each, "verdict") for each, name in names.items()]
    return Chain(INET, "fence", tuple(rules), Hook("filter", "forward", USUAL), tuple(maps))


def fence(policy: str, bridge: str) -> Chain:
    """Who comes from behind another fenced bridge is dropped; with ISOLATED, from behind this one, too."""
    own = Rule(f'iifname "{bridge}" return', _from(bridge) + decide(NFT_RETURN))
    rest = Rule(f"jump {STRANGERS}", decide(NFT_JUMP, STRANGERS))
    entry = Rule(f'iifname "{bridge}" drop', _from(bridge) + decide(NF_DROP))
    rules = (own, rest) if policy == SAME_BRIDGE else (rest,)
    return Chain(INET, fence_name(policy, bridge), rules, entries=((STRANGERS, entry),))


def fence_name(policy: str, bridge: str) -> str:
    """`fence-same-bridge-br0`; a hash for a bridge whose name nft would not read again."""
    known = bridge if PLAIN.issuperset(bridge) else hashed(15, "", bridge)
    return f"fence{DASH}{policy}{DASH}{known}"


def _from(link: str) -> bytes:
    return meta(IIFNAME) + compare(_padded(link))


def _padded(link: str) -> bytes:
    return link.encode("utf-8", "surrogateescape").ljust(16, b"\0")


def bridged() -> Chain:
    """The bridge's own chain: whoever is alone reaches the host, and what is behind it."""
    rules = [
        Rule(f"{word} @{ALONE} drop", meta(key) + lookup(ALONE) + decide(NF_DROP))
        for word, key in (("iifname", IIFNAME), ("oifname", OIFNAME))
    ]
    maps = (Map(BRIDGE, ALONE, ("ifname",)),)
    return Chain(BRIDGE, "forward", tuple(rules), Hook("filter", "forward", BRIDGE_FILTER), maps)


def admitted_element(packed: bytes, owner: str) -> Element:
    name = ADMITTED + address.family(packed).tag
    return Element(INET, name, packed, b"", "", owner, address.text(packed), Admitted(packed))


def fenced_element(packed: bytes, ingress: Ingress, owner: str) -> Element:
    chain = fence_name(ingress.policy, ingress.bridge)
    name = f"{FENCED}{address.family(packed).tag}{BEHIND_BRIDGES}"
    text = f"{address.text(packed)} : jump {chain}"
    return Element(INET, name, packed, b"", chain, owner, text, Fenced(packed))


def alone_element(port: str, owner: str) -> Element:
    return Element(BRIDGE, ALONE, _padded(port), b"", "", owner, f'"{port}"', Isolated(port))
