"""What stands in our nft tables as the kernel lists it, and whether it is what this release makes.

The second is told by digests, so a CHECK that finds all in order works out no rule and loads none of the
modules that know them. A digest that differs says nothing by itself: kernels before 5.6 tell rules in other
words. Then core.nft.readback compares.
"""

from __future__ import annotations

from core.attachment import digest
from core.intent import ADMIT, ISOLATE
from core.netlink.message import DUMP, Message, attribute_list, attributes, string, text
from core.netlink.socket import NOTHING_THERE
from core.nft import values
from core.nft.names import DASH, FURTHER, INET, MAPS_OF, SIZES, TABLE, Table
from core.nft.values import NFGENMSG_BYTES, comment_text, head
from core.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from core.nft.client import Netfilter
    from core.nft.names import Chain

# Of a table's own chains, rules and maps; of a chain by kind, bytes of its mask, and whether all of them are
# ones. A test works them out.
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
    """A rule of whomever: its handle, its comment, and its expressions as the kernel tells them."""

    handle: bytes
    comment: str
    expressions: bytes


class Standing(Record):
    """One of our tables.

    there: whether it exists.
    maps: by name, with their types.
    hooks: of chains, by name, None for none.
    rules: by chain.

    uses: chain -> how many rules it has, and how many rules and elements jump to it, together.
    """

    there: bool
    maps: dict[str, tuple[int, ...]]
    hooks: dict[str, tuple[int, int, str, int] | None]
    uses: dict[str, int]
    rules: dict[str, list[Found]]


def standing(netfilter: Netfilter, table: str) -> Standing:
    """Everything in our table but the elements; it is asked for once, until we change something.

    Raises OSError.
    """
    if table not in netfilter.standing:
        netfilter.standing[table] = _look(netfilter, table)
    found: Standing = netfilter.standing[table]
    return found


def _look(netfilter: Netfilter, table: str) -> Standing:
    listed = _listed(netfilter, values.NFT_MSG_GETCHAIN, table)
    chains = {text(each.get(values.NFTA_CHAIN_NAME, b"")): each for each in listed}
    there = bool(chains) or bool(_listed(netfilter, values.NFT_MSG_GETTABLE, table))
    rules: dict[str, list[Found]] = {}
    for each in _listed(netfilter, values.NFT_MSG_GETRULE, table):
        found = Found(
            each.get(values.NFTA_RULE_HANDLE, b""),
            comment_text(each.get(values.NFTA_RULE_USERDATA, b"")),
            each.get(values.NFTA_RULE_EXPRESSIONS, b""),
        )
        rules.setdefault(text(each.get(values.NFTA_RULE_CHAIN, b"")), []).append(found)
    maps = {
        text(each.get(values.NFTA_SET_NAME, b"")): each
        for each in _listed(netfilter, values.NFT_MSG_GETSET, table)
    }
    return Standing(
        there,
        {
            name: tuple([_number(each.get(kind, b"")) for kind in TYPES_OF_A_MAP])
            for name, each in maps.items()
        },
        {name: _hook(each) for name, each in chains.items()},
        {name: _number(each.get(values.NFTA_CHAIN_USE, b"")) for name, each in chains.items()},
        rules,
    )


TYPES_OF_A_MAP = (
    values.NFTA_SET_FLAGS,
    values.NFTA_SET_KEY_TYPE,
    values.NFTA_SET_KEY_LEN,
    values.NFTA_SET_DATA_TYPE,
    values.NFTA_SET_DATA_LEN,
)


def _listed(netfilter: Netfilter, kind: int, table: str) -> list[dict[int, bytes]]:
    """The attributes of all objects of a kind in our table; none without nftables. Raises OSError."""
    flags = 0 if kind == values.NFT_MSG_GETTABLE else DUMP
    try:
        replies = netfilter.socket.ask(
            Message(kind, flags, head(table) + string(values.NFTA_TABLE_NAME, TABLE))
        )
    except OSError as error:
        if error.errno not in NOTHING_THERE:
            raise
        return []
    family = bytes([values.NFPROTO[table]])  # before 5.7, kernels list all tables' objects
    found = [attributes(payload, NFGENMSG_BYTES) for _, payload in replies if payload[:1] == family]
    return [each for each in found if text(each.get(values.NFTA_TABLE_NAME, b"")) == TABLE]


def _number(data: bytes) -> int:
    return int.from_bytes(data, "big")


def _hook(found: dict[int, bytes]) -> tuple[int, int, str, int] | None:
    """Hook number, priority, type and policy of a base chain."""
    if values.NFTA_CHAIN_HOOK not in found:
        return None
    where = attributes(found[values.NFTA_CHAIN_HOOK])
    priority = int.from_bytes(where.get(values.NFTA_HOOK_PRIORITY, b""), "big", signed=True)
    number, policy = (
        _number(where.get(values.NFTA_HOOK_HOOKNUM, b"")),
        found.get(values.NFTA_CHAIN_POLICY, b""),
    )
    return number, priority, text(found.get(values.NFTA_CHAIN_TYPE, b"")), _number(policy)


def is_as_made(netfilter: Netfilter, record: Any) -> bool:
    """Whether a table with all that is always in it, or a chain, is surely what we make. Raises OSError.

    Of a chain that can be told where its rules follow from its mask.
    """
    now = standing(netfilter, record.table)
    if record.rank == Table.rank:
        return table_digest(now, record.table) == DIGESTS[record.table]
    return bool(record.kind) and chain_digest(now, record) == DIGESTS[kind_of(record)]


def table_digest(now: Standing, table: str) -> str:
    """The digest of what is always in a table.

    That is chains with their hooks and rules, and maps; of maps, neither those with a dash in their names nor
    those that are made where a container is admitted (core.nft.admission).
    """
    not_always = MAPS_OF[ADMIT] + MAPS_OF[ISOLATE]
    chains = [(name, now.hooks.get(name), _rules(now, name)) for name in SIZES[table]]
    maps = [(name, types) for name, types in sorted(now.maps.items())]
    maps = [each for each in maps if DASH not in each[0] and not each[0].startswith(not_always)]
    return _digest(chains, maps, now.hooks.get(FURTHER, "") if table == INET else "")


def chain_digest(now: Standing, chain: Chain) -> str:
    """Of a chain without the mask in its first rule, which has to be its own."""
    mask = values.value(values.NFTA_BITWISE_MASK, chain.mask)
    first = [
        (comment, expressions.replace(mask, b"", 1)) for comment, expressions in _rules(now, chain.name)[:1]
    ]
    return _digest(now.hooks.get(chain.name, ""), first, _rules(now, chain.name)[1:])


def kind_of(chain: Chain) -> object:
    """The key of a chain in DIGESTS: nothing is masked by a mask of ones."""
    return chain.kind, len(chain.mask), chain.mask == b"\xff" * len(chain.mask)


def _rules(now: Standing, chain: str) -> list[tuple[str, bytes]]:
    return [(rule.comment, rule.expressions) for rule in now.rules.get(chain, [])]


def _digest(*told: object) -> str:
    return digest(repr(told).encode()).hex()[:16]


def name_of(expression: bytes) -> str:
    return text(attributes(expression).get(values.NFTA_EXPR_NAME, b""))


def data_of(expression: bytes) -> dict[int, bytes]:
    return attributes(attributes(expression).get(values.NFTA_EXPR_DATA, b""))


def jumps(rule: Found) -> str:
    """The chain that a rule ends by jumping to, "" for none."""
    for name, data in _expressions(rule):
        decision = attributes(data.get(values.NFTA_IMMEDIATE_DATA, b"")).get(values.NFTA_DATA_VERDICT, b"")
        chain = attributes(decision).get(values.NFTA_VERDICT_CHAIN)
        if name == "immediate" and chain:
            return text(chain)
    return ""


def lookups(rule: Found) -> list[str]:
    """The names of the sets and maps that a rule looks up."""
    return [
        text(data.get(values.NFTA_LOOKUP_SET, b"")) for name, data in _expressions(rule) if name == "lookup"
    ]


def _expressions(rule: Found) -> list[tuple[str, dict[int, bytes]]]:
    return [(name_of(member), data_of(member)) for _, member in attribute_list(rule.expressions)]
