"""What nft messages are made of: their types and heads, comments, big-endian numbers, plain data and verdicts.

linux/netfilter/nf_tables.h, nfnetlink.h. Pure.
"""

from __future__ import annotations

from core.netlink.message import attribute, pack, string, text

FAMILIES = {"inet": 1, "ip": 2, "ip6": 10, "bridge": 7}
BATCH_BEGIN, BATCH_END = 0x10, 0x11
SUBSYSTEM = 10 << 8
NEWTABLE, GETTABLE, DELTABLE, NEWCHAIN, GETCHAIN, DELCHAIN, NEWRULE, GETRULE, DELRULE = range(SUBSYSTEM, SUBSYSTEM + 9)
NEWSET, GETSET, DELSET, NEWSETELEM, GETSETELEM, DELSETELEM, NEWGEN, GETGEN = range(SUBSYSTEM + 9, SUBSYSTEM + 17)
COMMENT = 0  # type of a comment in an element's, chain's and table's user data
JUMP = -3  # NFT_JUMP


def head(family: str) -> bytes:
    """nfgenmsg"""
    return pack(">BBH", FAMILIES[family], 0, 0)


def comment(kind: int, words: str) -> bytes:
    """A user data attribute that nft shows as comment; b"" for none."""
    data = words.encode() + b"\0"
    return attribute(kind, bytes([COMMENT, len(data)]) + data) if words else b""


def comment_text(data: bytes) -> str:
    """The comment in user data, "" when there is none."""
    if len(data) < 2 or data[0] != COMMENT:
        return ""
    return text(data[2 : 2 + data[1]])


def u32(kind: int, value: int) -> bytes:
    """An attribute with a big-endian integer."""
    return pack("=HH", 8, kind) + pack(">I", value & 0xFFFFFFFF)


def value(kind: int, data: bytes) -> bytes:
    """A data attribute holding a plain value."""
    return attribute(kind, attribute(1, data))


def verdict(kind: int, code: int, chain: str = "") -> bytes:
    """A data attribute holding a verdict."""
    return attribute(kind, attribute(2, u32(1, code) + (string(2, chain) if chain else b"")))
