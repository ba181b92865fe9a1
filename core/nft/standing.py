"""What stands in our nft tables, as the kernel lists it; and whether it is, to the byte, what this release makes.

The second is told by digests, so a CHECK that finds all in order works out no rule and loads none of the modules that know them. A digest
that differs says nothing by itself: kernels before 5.6 tell rules in other words. Then core.nft.readback compares.
"""

from __future__ import annotations

from core.attachment import digest
from core.netlink.message import DUMP, Message, attribute, attributes, string, text
from core.netlink.socket import NOTHING_THERE
from core.nft.names import FURTHER, INET, SIZES, TABLE, Chain, Table
from core.nft.values import FAMILIES, GETCHAIN, GETRULE, GETSET, GETTABLE, comment_text, head
from core.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from core.nft.client import Firewall

# Of a table's own chains, rules and maps; of a chain by kind, bytes of its mask, and whether all of them are ones. A test works them out.
DIGESTS: dict[object, str] = {
    "inet": "7bb33c38dd4b87b9",
    "bridge": "04d1427e2021773a",
    ("outside", 4, False): "68cc5650e698939f",
    ("hairpin", 4, False): "c06a7926bbe7163a",
    ("outside", 4, True): "5aac3be5889ba49d",
    ("hairpin", 4, True): "73b3053f5c55b265",
    ("outside", 16, False): "614fbfca326e7cf7",
    ("hairpin", 16, False): "133fdef13241ad9e",
    ("outside", 16, True): "74444796bafa1eff",
    ("hairpin", 16, True): "a659599783f6537e",
    ("anybody", 0, True): "1946bed22d806631",
}


class Found(Record):
    """A rule of ours or of somebody else: its handle, its comment, and its expressions as the kernel tells them."""

    handle: bytes
    comment: str
    expressions: bytes


class Standing(Record):
    """One of our tables: whether it is there; maps by name with their types; chains by name with their hooks (None for none); their rules.

    uses: chain -> how many rules it has, and how many rules and elements jump to it, together.
    """

    there: bool
    maps: dict[str, tuple[int, ...]]
    hooks: dict[str, tuple[int, int, str, int] | None]
    uses: dict[str, int]
    rules: dict[str, list[Found]]


def standing(firewall: Firewall, family: str) -> Standing:
    """Everything in our table but the elements; it is asked for once, until we change something. Raises OSError."""
    if family not in firewall.standing:
        chains = {text(each.get(3, b"")): each for each in _listed(firewall, GETCHAIN, family)}
        there = bool(chains) or bool(_listed(firewall, GETTABLE, family))
        rules: dict[str, list[Found]] = {}
        for each in _listed(firewall, GETRULE, family):
            found = Found(each.get(3, b""), comment_text(each.get(7, b"")), each.get(4, b""))
            rules.setdefault(text(each.get(2, b"")), []).append(found)
        firewall.standing[family] = Standing(
            there,
            {text(each.get(2, b"")): tuple([_number(each.get(kind, b"")) for kind in (3, 4, 5, 6, 7)]) for each in _listed(firewall, GETSET, family)},
            {name: _hook(each) for name, each in chains.items()},
            {name: _number(each.get(6, b"")) for name, each in chains.items()},
            rules,
        )
    found_: Standing = firewall.standing[family]
    return found_


def _listed(firewall: Firewall, kind: int, family: str) -> list[dict[int, bytes]]:
    """The attributes of all objects of a kind in our table; none where there is no nftables. Raises OSError."""
    if kind == GETTABLE:
        question = Message(kind, 0, head(family) + string(1, TABLE))
    else:
        question = Message(kind, DUMP, head(family) + string(1, TABLE))
    try:
        replies = firewall.socket.ask(question)
    except OSError as error:
        if error.errno not in NOTHING_THERE:
            raise
        return []
    found = [attributes(payload, 4) for _, payload in replies if payload[:1] == bytes([FAMILIES[family]])]
    return [each for each in found if text(each.get(1, b"")) == TABLE]


def _number(data: bytes) -> int:
    return int.from_bytes(data, "big")


def _hook(found: dict[int, bytes]) -> tuple[int, int, str, int] | None:
    """Hook number, priority, type and policy of a base chain."""
    if 4 not in found:
        return None
    where = attributes(found[4])
    priority = int.from_bytes(where.get(2, b""), "big", signed=True)
    return _number(where.get(1, b"")), priority, text(found.get(7, b"")), _number(found.get(5, b""))


def is_as_made(firewall: Firewall, record: Any) -> bool:
    """Whether a Table with all that is always in it, or a Chain whose rules follow from its mask, is surely what we make. Raises OSError."""
    if isinstance(record, Table):
        return table_digest(standing(firewall, record.family), record.family) == DIGESTS[record.family]
    if isinstance(record, Chain) and record.kind:
        return chain_digest(standing(firewall, record.family), record) == DIGESTS[kind_of(record)]
    return False


def table_digest(now: Standing, family: str) -> str:
    """Of what is always in a table: chains with their hooks and rules, and maps, whose names alone have no dash."""
    chains = [(name, now.hooks.get(name), _rules(now, name)) for name in SIZES[family]]
    maps = [(name, types) for name, types in sorted(now.maps.items()) if "-" not in name]
    return _digest(chains, maps, now.hooks.get(FURTHER, "") if family == INET else "")


def chain_digest(now: Standing, chain: Chain) -> str:
    """Of a chain without the mask in its first rule, which has to be its own."""
    mask = attribute(4, attribute(1, chain.mask))  # NFTA_BITWISE_MASK
    first = [(comment, expressions.replace(mask, b"", 1)) for comment, expressions in _rules(now, chain.name)[:1]]
    return _digest(now.hooks.get(chain.name, ""), first, _rules(now, chain.name)[1:])


def kind_of(chain: Chain) -> object:
    """The key of a chain in DIGESTS: nothing is masked by a mask of ones."""
    return chain.kind, len(chain.mask), chain.mask == b"\xff" * len(chain.mask)


def _rules(now: Standing, chain: str) -> list[tuple[str, bytes]]:
    return [(rule.comment, rule.expressions) for rule in now.rules.get(chain, [])]


def _digest(*told: object) -> str:
    return digest(repr(told).encode()).hex()[:16]
