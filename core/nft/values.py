"""What nft messages are made of: numbers, heads, comments, big-endian integers, data and verdicts.

linux/netfilter/nf_tables.h, nfnetlink.h; libnftnl/udata.h for comments. Pure.
"""

from __future__ import annotations

from core.netlink.message import attribute, pack, string, text

NFPROTO_UNSPEC = 0
NFPROTO = {"inet": 1, "ip": 2, "bridge": 7, "ip6": 10}  # by nft's word for the family of a table
NFNL_SUBSYS_NFTABLES = 10
NFNL_MSG_BATCH_BEGIN, NFNL_MSG_BATCH_END, NFNL_BATCH_GENID = 0x10, 0x11, 1
(
    NFT_MSG_NEWTABLE, NFT_MSG_GETTABLE, NFT_MSG_DELTABLE,
    NFT_MSG_NEWCHAIN, NFT_MSG_GETCHAIN, NFT_MSG_DELCHAIN,
    NFT_MSG_NEWRULE, NFT_MSG_GETRULE, NFT_MSG_DELRULE,
    NFT_MSG_NEWSET, NFT_MSG_GETSET, NFT_MSG_DELSET,
    NFT_MSG_NEWSETELEM, NFT_MSG_GETSETELEM, NFT_MSG_DELSETELEM,
    NFT_MSG_NEWGEN, NFT_MSG_GETGEN,
) = range(NFNL_SUBSYS_NFTABLES << 8, (NFNL_SUBSYS_NFTABLES << 8) + 17)  # fmt: skip

NFTA_GEN_ID, NFTA_LIST_ELEM = 1, 1
NFTA_TABLE_NAME, NFTA_TABLE_USERDATA = 1, 6
NFTA_CHAIN_TABLE, NFTA_CHAIN_NAME, NFTA_CHAIN_HOOK, NFTA_CHAIN_POLICY, NFTA_CHAIN_USE, NFTA_CHAIN_TYPE = (
    1,
    3,
    4,
    5,
    6,
    7,
)
NFTA_HOOK_HOOKNUM, NFTA_HOOK_PRIORITY = 1, 2
NFTA_RULE_TABLE, NFTA_RULE_CHAIN, NFTA_RULE_HANDLE, NFTA_RULE_EXPRESSIONS, NFTA_RULE_USERDATA = 1, 2, 3, 4, 7
NFTA_SET_TABLE, NFTA_SET_NAME, NFTA_SET_FLAGS, NFTA_SET_ID, NFTA_SET_USERDATA = 1, 2, 3, 10, 13
NFTA_SET_KEY_TYPE, NFTA_SET_KEY_LEN, NFTA_SET_DATA_TYPE, NFTA_SET_DATA_LEN = 4, 5, 6, 7
NFTA_SET_ELEM_LIST_TABLE, NFTA_SET_ELEM_LIST_SET, NFTA_SET_ELEM_LIST_ELEMENTS = 1, 2, 3
NFTA_SET_ELEM_KEY, NFTA_SET_ELEM_DATA, NFTA_SET_ELEM_USERDATA = 1, 2, 6
NFTA_EXPR_NAME, NFTA_EXPR_DATA = 1, 2
NFTA_DATA_VALUE, NFTA_DATA_VERDICT = 1, 2
NFTA_VERDICT_CODE, NFTA_VERDICT_CHAIN = 1, 2
NFTA_BITWISE_MASK, NFTA_LOOKUP_SET, NFTA_IMMEDIATE_DATA = 4, 1, 2

NF_DROP, NF_ACCEPT, NFT_JUMP, NFT_GOTO, NFT_RETURN = 0, 1, -3, -4, -5
UDATA_COMMENT = 0  # NFTNL_UDATA_RULE_COMMENT, and of tables and elements
NFGENMSG_BYTES = 4


def head(table: str = "") -> bytes:
    """struct nfgenmsg, with the family of a table: "inet", "bridge", "ip", "ip6", "" for any."""
    return pack(">BBH", NFPROTO[table] if table else NFPROTO_UNSPEC, 0, 0)


def comment(kind: int, words: str) -> bytes:
    """A user data attribute that nft shows as comment; b"" for none."""
    data = words.encode() + b"\0"
    return attribute(kind, bytes([UDATA_COMMENT, len(data)]) + data) if words else b""


def comment_text(data: bytes) -> str:
    """The comment in user data, "" when there is none."""
    if len(data) < 2 or data[0] != UDATA_COMMENT:
        return ""
    return text(data[2 : 2 + data[1]])


def u32(kind: int, value: int) -> bytes:
    """An attribute with a big-endian integer."""
    return pack("=HH", 8, kind) + pack(">I", value & 0xFFFFFFFF)


def value(kind: int, data: bytes) -> bytes:
    """A data attribute holding a plain value."""
    return attribute(kind, attribute(NFTA_DATA_VALUE, data))


def verdict(kind: int, code: int, chain: str = "") -> bytes:
    """A data attribute holding a verdict."""
    to = string(NFTA_VERDICT_CHAIN, chain) if chain else b""
    return attribute(kind, attribute(NFTA_DATA_VERDICT, u32(NFTA_VERDICT_CODE, code) + to))
