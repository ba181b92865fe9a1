"""Our nft tables, maps and chains as the messages that create them: needed once on a node, or for an attachment with rules of its own.

linux/netfilter/nf_tables.h. Nothing is sent here.
"""

from __future__ import annotations

from core.message import APPEND, CREATE, EXCL, Message, attribute, nest, pack, string
from core.nft import u32
from core.nftables import NEWCHAIN, NEWRULE, NEWSET, NEWTABLE, comment, head
from core.ruleset import TABLE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from core.rules import Map
    from core.ruleset import Chain, Table

TYPES = {"ipv4_addr": (7, 4), "ipv6_addr": (8, 16), "inet_proto": (12, 4), "inet_service": (13, 4), "ifname": (41, 16)}  # number, padded bytes
VERDICT_TYPE, VERDICT_BYTES = 0xFFFFFF00, 16
HOOKS = {"prerouting": 0, "input": 1, "forward": 2, "output": 3, "postrouting": 4}
MAP_FLAG = 8


def table(skeleton: Table) -> list[Message]:
    """Create a table with its maps and chains; EEXIST when somebody was faster."""
    made = [Message(NEWTABLE, CREATE | EXCL, head(skeleton.family) + string(1, TABLE) + comment(6, "cniwire: CNI plugins"))]
    made += [_map(skeleton.family, item) for item in skeleton.maps]
    made += [_chain(item) for item in skeleton.chains]
    return made + [message for item in skeleton.chains for message in _rules(item)]


def chain(item: Chain) -> list[Message]:
    """Create one chain with its rules, maps and entries; EEXIST when it is there."""
    made = [_chain(item), *[_map(item.family, each) for each in item.maps], *_rules(item)]
    return made + [_rule(item.family, where, rule.expressions) for where, rule in item.entries]


def _chain(item: Chain) -> Message:
    attrs = string(1, TABLE) + string(3, item.name)
    if item.hook:
        attrs += nest(4, u32(1, HOOKS[item.hook.hook]), u32(2, item.hook.priority)) + u32(5, 1) + string(7, item.hook.type)
    return Message(NEWCHAIN, CREATE | EXCL, head(item.family) + attrs + comment(12, item.owner))


def _rules(item: Chain) -> list[Message]:
    return [_rule(item.family, item.name, rule.expressions) for rule in item.rules]


def _rule(family: str, where: str, expressions: bytes) -> Message:
    return Message(NEWRULE, CREATE | APPEND, head(family) + string(1, TABLE) + string(2, where) + nest(4, expressions))


def _map(family: str, item: Map) -> Message:
    key, key_bytes = _concatenated(item.key)
    data, data_bytes = (VERDICT_TYPE, VERDICT_BYTES) if item.data == ("verdict",) else _concatenated(item.data)
    attrs = string(1, TABLE) + string(2, item.name) + u32(3, MAP_FLAG) + u32(4, key) + u32(5, key_bytes)
    return Message(NEWSET, CREATE | EXCL, head(family) + attrs + u32(6, data) + u32(7, data_bytes) + u32(10, 1) + _byte_order(item.key))


def _byte_order(key: tuple[str, ...]) -> bytes:
    """User data that lets nft print the one key of ours that is in host byte order (NFTNL_UDATA_SET_KEYBYTEORDER)."""
    return attribute(13, b"\0\4" + pack("=I", 1)) if key == ("ifname",) else b""


def _concatenated(types: tuple[str, ...]) -> tuple[int, int]:
    number = 0
    for name in types:
        number = number << 6 | TYPES[name][0]
    return number, sum([TYPES[name][1] for name in types])
