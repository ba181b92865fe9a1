"""Our nft tables, maps and chains as the messages that create and delete them: needed where something is missing, changed or left over.

linux/netfilter/nf_tables.h. Nothing is sent here.
"""

from __future__ import annotations

from core.netlink.message import APPEND, CREATE, Message, attribute, nest, pack, string
from core.nft.client import DELCHAIN, DELRULE, DELSET, NEWCHAIN, NEWRULE, NEWSET, NEWTABLE, comment, head
from core.nft.names import FURTHER, MARK, TABLE
from core.nft.values import u32

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection

    from core.nft.names import Chain, Table
    from core.nft.rules import Map

TYPES = {  # number, padded bytes
    "ipv4_addr": (7, 4), "ipv6_addr": (8, 16), "ether_addr": (9, 8),
    "inet_proto": (12, 4), "inet_service": (13, 4), "ifname": (41, 16),
}
VERDICT_TYPE, VERDICT_BYTES = 0xFFFFFF00, 16
HOOKS = {"prerouting": 0, "input": 1, "forward": 2, "output": 3, "postrouting": 4}
MAP_FLAG = 8


def table(item: Table) -> Message:
    """Create one of our tables, unless it is there."""
    return Message(NEWTABLE, CREATE, head(item.family) + string(1, TABLE) + comment(6, f"cniwire {MARK}: CNI plugins"))


def chain(item: Chain, entered: Collection[str] = ()) -> list[Message]:
    """Create a chain with its maps and rules, or write it anew where it is there. entered: chains from which a rule leads to it already."""
    made = [_chain(item), *[new_map(each) for each in item.maps]]
    if item.name != FURTHER:  # its rules are others' entries
        made += [flush(item.family, item.name), *[_rule(item.family, item.name, rule.expressions, MARK) for rule in item.rules]]
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
