"""nft rules as the kernel takes them: expression lists, each below the rule as `nft list ruleset` prints it.

linux/netfilter/nf_tables.h; numbers in attributes are big-endian. Pure.
"""

from __future__ import annotations

from core.address import FAMILIES, V4, V6, Cidr, mask
from core.address import text as address_text
from core.netlink.message import attribute, pack, string
from core.nft.values import (
    NFTA_BITWISE_MASK,
    NFTA_EXPR_DATA,
    NFTA_EXPR_NAME,
    NFTA_IMMEDIATE_DATA,
    NFTA_LIST_ELEM,
    NFTA_LOOKUP_SET,
    u32,
    value,
    verdict,
)
from core.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from core.address import Family

NFT_REG_VERDICT, NFT_REG_1 = 0, 1
WORD = 8  # NFT_REG32_00: the first of the 4-byte registers that overlay NFT_REG_1
EQ, NEQ, LT, LTE, GT, GTE = range(6)  # NFT_CMP_*, NFT_RANGE_*
LINK_HEADER, NETWORK_HEADER, TRANSPORT_HEADER = range(3)  # NFT_PAYLOAD_*
MARK, IIFNAME, OIFNAME, META_NFPROTO, L4PROTO = 3, 6, 7, 15, 16  # NFT_META_*
NFT_BITWISE_BOOL, NFT_NAT_DNAT, NFT_BYTEORDER_HTON = 0, 1, 1
NFT_CT_STATE, NFT_CT_STATUS, NFT_CT_MARK, IPS_DST_NAT = 0, 2, 3, 0x20
NFT_FIB_RESULT_ADDRTYPE, NFTA_FIB_F_SADDR, NFTA_FIB_F_DADDR, RTN_LOCAL = 3, 1 << 0, 1 << 1, 2
NF_NAT_RANGE_MAP_IPS, NF_NAT_RANGE_PROTO_SPECIFIED = 1, 2

NFTA_META_DREG, NFTA_META_KEY = 1, 2
NFTA_PAYLOAD_DREG, NFTA_PAYLOAD_BASE, NFTA_PAYLOAD_OFFSET, NFTA_PAYLOAD_LEN = 1, 2, 3, 4
NFTA_CMP_SREG, NFTA_CMP_OP, NFTA_CMP_DATA = 1, 2, 3
NFTA_RANGE_SREG, NFTA_RANGE_OP, NFTA_RANGE_FROM_DATA, NFTA_RANGE_TO_DATA = 1, 2, 3, 4
NFTA_BITWISE_SREG, NFTA_BITWISE_DREG, NFTA_BITWISE_LEN, NFTA_BITWISE_XOR, NFTA_BITWISE_OP = 1, 2, 3, 5, 6
NFTA_LOOKUP_SREG, NFTA_LOOKUP_DREG, NFTA_LOOKUP_FLAGS = 2, 3, 5
NFTA_IMMEDIATE_DREG = 1
NFTA_NAT_TYPE, NFTA_NAT_FAMILY, NFTA_NAT_FLAGS = 1, 2, 7
NFTA_NAT_REG_ADDR_MIN, NFTA_NAT_REG_ADDR_MAX, NFTA_NAT_REG_PROTO_MIN, NFTA_NAT_REG_PROTO_MAX = 3, 4, 5, 6
NFTA_FIB_DREG, NFTA_FIB_RESULT, NFTA_FIB_FLAGS = 1, 2, 3
NFTA_CT_DREG, NFTA_CT_KEY = 1, 2
NFTA_BYTEORDER_SREG, NFTA_BYTEORDER_DREG, NFTA_BYTEORDER_OP = 1, 2, 3
NFTA_BYTEORDER_LEN, NFTA_BYTEORDER_SIZE = 4, 5


class Rule(Record):
    """A rule: its text as nft prints it, and its expressions on the wire."""

    text: str
    expressions: bytes


def expression(name: str, *data: bytes) -> bytes:
    """One member of an expression list.

    data: the attributes as kernels since 5.6 tell them, and in their order: a rule that stands as it should
    is then told in the bytes that made it.
    """
    return attribute(NFTA_LIST_ELEM, string(NFTA_EXPR_NAME, name) + attribute(NFTA_EXPR_DATA, b"".join(data)))


def _register(kind: int, number: int) -> bytes:
    """A register by the number that the kernel tells.

    The first of four 4-byte registers is known as the 16-byte one that it begins.
    """
    whole = number >= WORD and number % 4 == 0
    return u32(kind, NFT_REG_1 + (number - WORD) // 4 if whole else number)


def meta(key: int, register: int = NFT_REG_1) -> bytes:
    return expression("meta", u32(NFTA_META_KEY, key), _register(NFTA_META_DREG, register))


def payload(base: int, offset: int, size: int, register: int = NFT_REG_1) -> bytes:
    where = u32(NFTA_PAYLOAD_BASE, base), u32(NFTA_PAYLOAD_OFFSET, offset), u32(NFTA_PAYLOAD_LEN, size)
    return expression("payload", _register(NFTA_PAYLOAD_DREG, register), *where)


def compare(data: bytes, operator: int = EQ) -> bytes:
    return expression(
        "cmp", u32(NFTA_CMP_SREG, NFT_REG_1), u32(NFTA_CMP_OP, operator), value(NFTA_CMP_DATA, data)
    )


def bitwise(size: int, bits: bytes, register: int = NFT_REG_1) -> bytes:
    registers = _register(NFTA_BITWISE_SREG, register), _register(NFTA_BITWISE_DREG, register)
    kind = u32(NFTA_BITWISE_LEN, size), u32(NFTA_BITWISE_OP, NFT_BITWISE_BOOL)
    return expression(
        "bitwise", *registers, *kind, value(NFTA_BITWISE_MASK, bits), value(NFTA_BITWISE_XOR, bytes(size))
    )


def between(low: bytes, high: bytes, operator: int = EQ) -> bytes:
    bounds = value(NFTA_RANGE_FROM_DATA, low), value(NFTA_RANGE_TO_DATA, high)
    return expression("range", u32(NFTA_RANGE_SREG, NFT_REG_1), u32(NFTA_RANGE_OP, operator), *bounds)


def lookup(name: str, register: int | None = None, inverted: bool = False) -> bytes:
    """Look NFT_REG_1 up in a set, or in a map, whose data goes to *register*.

    inverted: it must not be in the set.
    """
    target = u32(NFTA_LOOKUP_DREG, register) if register is not None else b""
    source = u32(NFTA_LOOKUP_SREG, NFT_REG_1)
    return expression(
        "lookup", string(NFTA_LOOKUP_SET, name), source, target, u32(NFTA_LOOKUP_FLAGS, int(inverted))
    )


def decide(code: int, chain: str = "") -> bytes:
    to_verdict = u32(NFTA_IMMEDIATE_DREG, NFT_REG_VERDICT)
    return expression("immediate", to_verdict, verdict(NFTA_IMMEDIATE_DATA, code, chain))


def masquerade() -> bytes:
    return expression("masq")


def dnat(family: Family, port_register: int) -> bytes:
    """Rewrite the destination to the address in NFT_REG_1 and the port in *port_register*."""
    address = [u32(kind, NFT_REG_1) for kind in (NFTA_NAT_REG_ADDR_MIN, NFTA_NAT_REG_ADDR_MAX)]
    port = [_register(kind, port_register) for kind in (NFTA_NAT_REG_PROTO_MIN, NFTA_NAT_REG_PROTO_MAX)]
    flags = u32(NFTA_NAT_FLAGS, NF_NAT_RANGE_MAP_IPS | NF_NAT_RANGE_PROTO_SPECIFIED)
    return expression(
        "nat", u32(NFTA_NAT_TYPE, NFT_NAT_DNAT), u32(NFTA_NAT_FAMILY, family.af), *address, *port, flags
    )


def address_type(side: int) -> bytes:
    """Load the type (RTN_*) that the routing tables give to an address; side: NFTA_FIB_F_*."""
    question = u32(NFTA_FIB_RESULT, NFT_FIB_RESULT_ADDRTYPE), u32(NFTA_FIB_FLAGS, side)
    return expression("fib", u32(NFTA_FIB_DREG, NFT_REG_1), *question)


def local_destination() -> bytes:
    """fib daddr type local"""
    return address_type(NFTA_FIB_F_DADDR) + compare(pack("=I", RTN_LOCAL))


def conntrack(key: int) -> bytes:
    """Load what the kernel knows of the packet's connection."""
    return expression("ct", u32(NFTA_CT_DREG, NFT_REG_1), u32(NFTA_CT_KEY, key))


def to_network_order(size: int) -> bytes:
    """Turn the number of *size* bytes in NFT_REG_1, so that it can be compared by size."""
    registers = u32(NFTA_BYTEORDER_SREG, NFT_REG_1), u32(NFTA_BYTEORDER_DREG, NFT_REG_1)
    kind = u32(NFTA_BYTEORDER_OP, NFT_BYTEORDER_HTON), u32(NFTA_BYTEORDER_LEN, size)
    return expression("byteorder", *registers, *kind, u32(NFTA_BYTEORDER_SIZE, size))


def translated() -> bytes:
    """ct status dnat"""
    return conntrack(NFT_CT_STATUS) + bitwise(4, pack("=I", IPS_DST_NAT)) + compare(bytes(4), NEQ)


def of_family(family: Family) -> bytes:
    """meta nfproto ipv4 or ipv6"""
    return OF_FAMILY[family]


OF_FAMILY = {
    each: meta(META_NFPROTO) + compare(bytes([each.af])) for each in FAMILIES
}  # half of all rules begin so
SOURCE_OFFSET = {V4: 12, V6: 8}  # in the network header; the destination is behind the source


def address_field(family: Family, source: bool, register: int = NFT_REG_1, count: int = 0) -> bytes:
    """Load ip/ip6 saddr or daddr, or its first *count* bytes."""
    offset = SOURCE_OFFSET[family] + (0 if source else family.size)
    return payload(NETWORK_HEADER, offset, count or family.size, register)


def in_network(net: Cidr, source: bool, operator: int = EQ) -> bytes:
    """ip saddr NET, ip6 daddr != NET, and so on; as nft does it, whole bytes are compared without a mask."""
    family = net.family
    count, rest = divmod(net.prefix_len, 8)
    if rest or not count:
        masked = bitwise(family.size, mask(net).to_bytes(family.size, "big"))
        return of_family(family) + address_field(family, source) + masked + compare(net.address, operator)
    return (
        of_family(family)
        + address_field(family, source, count=count)
        + compare(net.address[:count], operator)
    )


def network_text(net: Cidr, source: bool) -> str:
    """How nft prints in_network."""
    shown = address_text(net.address) if net.prefix_len == net.family.size * 8 else str(net)
    return f"{net.family.word} {'saddr' if source else 'daddr'} {shown}"
