"""The messages that make and delete what attachments share in our nft tables: tables, maps, chains, rules.

Pure.
"""

from __future__ import annotations

from core.netlink.message import APPEND, CREATE, Message, attribute, nest, pack, string
from core.nft import values
from core.nft.names import MARK, TABLE, Chain, Map, Table
from core.nft.rules import rules_of
from core.nft.values import comment, head, u32

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection

TYPES = {  # number, padded bytes
    "ipv4_addr": (7, 4), "ipv6_addr": (8, 16), "ether_addr": (9, 8),
    "inet_proto": (12, 4), "inet_service": (13, 4), "ifname": (41, 16),
}  # fmt: skip
TYPE_BITS = 6  # of each type in the number of a concatenation
VERDICT_TYPE, VERDICT_BYTES = 0xFFFFFF00, 16
NFT_SET_MAP = 8
HOOKS = {"prerouting": 0, "input": 1, "forward": 2, "output": 3, "postrouting": 4}  # NF_INET_*, NF_BR_*
UDATA_SET_KEYBYTEORDER, BYTEORDER_HOST = 0, 1


def new_table(item: Table) -> Message:
    """Create one of our tables, unless it is there."""
    named = string(values.NFTA_TABLE_NAME, TABLE) + comment(
        values.NFTA_TABLE_USERDATA, f"cniwire {MARK}: CNI plugins"
    )
    return Message(values.NFT_MSG_NEWTABLE, CREATE, head(item.table) + named)


def new_chain(item: Chain, entered: Collection[str] = ()) -> list[Message]:
    """Create a chain with its maps and rules, or write it anew where it is there.

    entered: chains from which a rule leads to it already.
    """
    made = [_chain(item), *[new_map(each) for each in item.maps]]
    if item.size:  # else its rules are others' entries
        rules = [_rule(item.table, item.name, rule.expressions, MARK) for rule in rules_of(item)]
        made += [flush(item.table, item.name), *rules]
    entries = [(where, rule) for where, rule in item.entries if where not in entered]
    return made + [
        _rule(item.table, where, rule.expressions, f"{MARK} {item.name}") for where, rule in entries
    ]


def _chain(item: Chain) -> Message:
    attrs = string(values.NFTA_CHAIN_TABLE, TABLE) + string(values.NFTA_CHAIN_NAME, item.name)
    if item.hook:
        number, priority = HOOKS[item.hook.hook], item.hook.priority
        where = u32(values.NFTA_HOOK_HOOKNUM, number), u32(values.NFTA_HOOK_PRIORITY, priority)
        attrs += nest(values.NFTA_CHAIN_HOOK, *where) + u32(values.NFTA_CHAIN_POLICY, values.NF_ACCEPT)
        attrs += string(values.NFTA_CHAIN_TYPE, item.hook.type)
    return Message(values.NFT_MSG_NEWCHAIN, CREATE, head(item.table) + attrs)


def _rule(table: str, where: str, expressions: bytes, mark: str) -> Message:
    content = nest(values.NFTA_RULE_EXPRESSIONS, expressions) + comment(values.NFTA_RULE_USERDATA, mark)
    return Message(values.NFT_MSG_NEWRULE, CREATE | APPEND, _rule_place(table, where) + content)


def _rule_place(table: str, chain: str) -> bytes:
    return head(table) + string(values.NFTA_RULE_TABLE, TABLE) + string(values.NFTA_RULE_CHAIN, chain)


def flush(table: str, chain: str) -> Message:
    """Delete the rules of a chain of ours; ENOENT when there is no such chain."""
    return Message(values.NFT_MSG_DELRULE, 0, _rule_place(table, chain))


def delete_rule(table: str, chain: str, handle: bytes) -> Message:
    """Delete one rule."""
    return Message(
        values.NFT_MSG_DELRULE, 0, _rule_place(table, chain) + attribute(values.NFTA_RULE_HANDLE, handle)
    )


def delete_chain(table: str, name: str) -> Message:
    """Delete a chain of ours with its rules; EBUSY while something jumps to it."""
    named = string(values.NFTA_CHAIN_TABLE, TABLE) + string(values.NFTA_CHAIN_NAME, name)
    return Message(values.NFT_MSG_DELCHAIN, 0, head(table) + named)


def delete_map(table: str, name: str) -> Message:
    """Delete a map of ours; EBUSY while a rule looks it up."""
    return Message(values.NFT_MSG_DELSET, 0, _map_place(table, name))


def _map_place(table: str, name: str) -> bytes:
    return head(table) + string(values.NFTA_SET_TABLE, TABLE) + string(values.NFTA_SET_NAME, name)


def new_map(item: Map) -> Message:
    """Create a map, unless it is there; EEXIST where it is of other types."""
    flags, key, key_bytes, data, data_bytes = types(item)
    attrs = u32(values.NFTA_SET_FLAGS, flags)
    attrs += u32(values.NFTA_SET_KEY_TYPE, key) + u32(values.NFTA_SET_KEY_LEN, key_bytes)
    if item.data:
        attrs += u32(values.NFTA_SET_DATA_TYPE, data) + u32(values.NFTA_SET_DATA_LEN, data_bytes)
    attrs += u32(values.NFTA_SET_ID, 1) + _byte_order(item.key)
    return Message(values.NFT_MSG_NEWSET, CREATE, _map_place(item.table, item.name) + attrs)


def types(item: Map) -> tuple[int, int, int, int, int]:
    """The flags of a map, then type and bytes of its key and of its data (0 for a set)."""
    data = (VERDICT_TYPE, VERDICT_BYTES) if item.data == ("verdict",) else _concatenated(item.data)
    return NFT_SET_MAP if item.data else 0, *_concatenated(item.key), *data


def _byte_order(key: tuple[str, ...]) -> bytes:
    """User data that lets nft print the one key of ours that is in host byte order."""
    if key != ("ifname",):
        return b""
    return attribute(
        values.NFTA_SET_USERDATA, bytes([UDATA_SET_KEYBYTEORDER, 4]) + pack("=I", BYTEORDER_HOST)
    )


def _concatenated(types: tuple[str, ...]) -> tuple[int, int]:
    number = 0
    for name in types:
        number = number << TYPE_BITS | TYPES[name][0]
    return number, sum([TYPES[name][1] for name in types])
