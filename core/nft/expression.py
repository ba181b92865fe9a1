"""nft rules as the kernel takes them: expression lists, each below the rule as `nft list ruleset` prints it.

linux/netfilter/nf_tables.h; numbers in attributes are big-endian. Pure.
"""

from __future__ import annotations

from core.address import Cidr, mask
from core.address import text as address_text
from core.netlink.message import attribute, pack, string
from core.nft.values import JUMP as JUMP
from core.nft.values import u32, value, verdict
from core.record import Record

REG_VERDICT, REG_1 = 0, 1
WORD = 8  # NFT_REG32_00: the first of the 4-byte registers that overlay REG_1
EQ, NEQ, LT, LTE, GT, GTE = range(6)
LINK_HEADER, NETWORK_HEADER, TRANSPORT_HEADER = range(3)
NFPROTO, L4PROTO, IIFNAME, OIFNAME, MARK = 15, 16, 6, 7, 3  # NFT_META_*
IPV4, IPV6 = 2, 10
RTN_LOCAL = 2
IPS_DST_NAT = 0x20
BOOL = 0  # NFT_BITWISE_BOOL
MAP_IPS, PROTO_SPECIFIED = 1, 2  # NF_NAT_RANGE_*
ACCEPT, DROP, GOTO, RETURN = 1, 0, -4, -5


class Rule(Record):
    """A rule: its text as nft prints it, and its expressions on the wire."""

    text: str
    expressions: bytes


def expression(name: str, *data: bytes) -> bytes:
    """One member of an expression list; *data* as kernels tell it since 5.6, in their order: what stands as it should is then the same bytes."""
    return attribute(1, string(1, name) + attribute(2, b"".join(data)))


def _register(kind: int, number: int) -> bytes:
    """A register by the number that the kernel tells: the first of four 4-byte ones is known as the 16-byte one that it begins."""
    return u32(kind, REG_1 + (number - WORD) // 4 if number >= WORD and number % 4 == 0 else number)


def meta(key: int, register: int = REG_1) -> bytes:
    return expression("meta", u32(2, key), _register(1, register))


def payload(base: int, offset: int, size: int, register: int = REG_1) -> bytes:
    return expression("payload", _register(1, register), u32(2, base), u32(3, offset), u32(4, size))


def compare(data: bytes, operator: int = EQ) -> bytes:
    return expression("cmp", u32(1, REG_1), u32(2, operator), value(3, data))


def bitwise(size: int, bits: bytes, register: int = REG_1) -> bytes:
    registers = _register(1, register), _register(2, register)
    return expression("bitwise", *registers, u32(3, size), u32(6, BOOL), value(4, bits), value(5, bytes(size)))


def between(low: bytes, high: bytes, operator: int = EQ) -> bytes:
    return expression("range", u32(1, REG_1), u32(2, operator), value(3, low), value(4, high))


def lookup(name: str, register: int | None = None, inverted: bool = False) -> bytes:
    """Look REG_1 up in a set, or what is *not* in it; or in a map, whose data goes to *register*."""
    target = u32(3, register) if register is not None else b""
    return expression("lookup", string(1, name), u32(2, REG_1), target, u32(5, int(inverted)))


def decide(code: int, chain: str = "") -> bytes:
    return expression("immediate", u32(1, REG_VERDICT), verdict(2, code, chain))


def masquerade() -> bytes:
    return expression("masq")


def dnat(address_family: int, port_register: int) -> bytes:
    """Rewrite the destination to the address in REG_1 and the port in *port_register*."""
    address, port = [u32(kind, REG_1) for kind in (3, 4)], [_register(kind, port_register) for kind in (5, 6)]  # each from and to
    return expression("nat", u32(1, 1), u32(2, address_family), *address, *port, u32(7, MAP_IPS | PROTO_SPECIFIED))


def local_destination() -> bytes:
    """fib daddr type local"""
    return expression("fib", u32(1, REG_1), u32(2, 3), u32(3, 1 << 1)) + compare(pack("=I", RTN_LOCAL))


def translated() -> bytes:
    """ct status dnat"""
    return expression("ct", u32(1, REG_1), u32(2, 2)) + bitwise(4, pack("=I", IPS_DST_NAT)) + compare(bytes(4), NEQ)


def of_family(size: int) -> bytes:
    """meta nfproto ipv4 (addresses of 4 bytes) or ipv6 (16)."""
    return OF_FAMILY[size]


OF_FAMILY = {size: meta(NFPROTO) + compare(bytes([number])) for size, number in ((4, IPV4), (16, IPV6))}  # half of all rules begin so


def address_field(size: int, source: bool, register: int = REG_1, count: int = 0) -> bytes:
    """Load ip/ip6 saddr or daddr, or its first *count* bytes."""
    offset = {(4, True): 12, (4, False): 16, (16, True): 8, (16, False): 24}[size, source]
    return payload(NETWORK_HEADER, offset, count or size, register)


def in_network(net: Cidr, source: bool, operator: int = EQ) -> bytes:
    """ip saddr NET, ip6 daddr != NET, and so on; as nft does it, whole bytes are compared without a mask."""
    size = len(net.address)
    count, rest = divmod(net.prefix_len, 8)
    if rest or not count:
        masked = bitwise(size, mask(net).to_bytes(size, "big"))
        return of_family(size) + address_field(size, source) + masked + compare(net.address, operator)
    return of_family(size) + address_field(size, source, count=count) + compare(net.address[:count], operator)


def network_text(net: Cidr, source: bool) -> str:
    """How nft prints in_network."""
    shown = address_text(net.address) if net.prefix_len == len(net.address) * 8 else str(net)
    return f"{'ip' if len(net.address) == 4 else 'ip6'} {'saddr' if source else 'daddr'} {shown}"
