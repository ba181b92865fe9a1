"""nft rules as the kernel takes them: expression lists, each below the rule as `nft list ruleset` prints it.

linux/netfilter/nf_tables.h; numbers in attributes are big-endian. Pure.
"""

from __future__ import annotations

from core.address import Cidr, mask
from core.address import text as address_text
from core.message import nest, pack, string
from core.nft import JUMP as JUMP
from core.nft import u32, value, verdict
from core.record import Record

REG_VERDICT, REG_1 = 0, 1
WORD = 8  # NFT_REG32_00: the first of the 4-byte registers that overlay REG_1
EQ, NEQ, LT, LTE, GT, GTE = range(6)
LINK_HEADER, NETWORK_HEADER, TRANSPORT_HEADER = range(3)
NFPROTO, L4PROTO, IIFNAME, OIFNAME, MARK = 15, 16, 6, 7, 3  # NFT_META_*
IPV4, IPV6 = 2, 10
RTN_LOCAL = 2
IPS_DST_NAT = 0x20
ACCEPT, DROP, GOTO, RETURN = 1, 0, -4, -5


class Rule(Record):
    """A rule: its text as nft prints it, and its expressions on the wire."""

    text: str
    expressions: bytes


def expression(name: str, *data: bytes) -> bytes:
    """One member of an expression list."""
    return nest(1, string(1, name), nest(2, *data))


def meta(key: int, register: int = REG_1) -> bytes:
    return expression("meta", u32(1, register), u32(2, key))


def payload(base: int, offset: int, size: int, register: int = REG_1) -> bytes:
    return expression("payload", u32(1, register), u32(2, base), u32(3, offset), u32(4, size))


def compare(data: bytes, operator: int = EQ) -> bytes:
    return expression("cmp", u32(1, REG_1), u32(2, operator), value(3, data))


def bitwise(size: int, bits: bytes) -> bytes:
    return expression("bitwise", u32(1, REG_1), u32(2, REG_1), u32(3, size), value(4, bits), value(5, bytes(size)))


def between(low: bytes, high: bytes, operator: int = EQ) -> bytes:
    return expression("range", u32(1, REG_1), u32(2, operator), value(3, low), value(4, high))


def lookup(name: str, register: int | None = None) -> bytes:
    """Look REG_1 up in a map; its data goes to *register*."""
    return expression("lookup", string(1, name), u32(2, REG_1), u32(3, register or 0) if register is not None else b"")


def decide(code: int, chain: str = "") -> bytes:
    return expression("immediate", u32(1, REG_VERDICT), verdict(2, code, chain))


def masquerade() -> bytes:
    return expression("masq")


def dnat(address_family: int, port_register: int) -> bytes:
    """Rewrite the destination to the address in REG_1 and the port in *port_register*."""
    return expression("nat", u32(1, 1), u32(2, address_family), u32(3, REG_1), u32(5, port_register))


def local_destination() -> bytes:
    """fib daddr type local"""
    return expression("fib", u32(1, REG_1), u32(2, 3), u32(3, 1 << 1)) + compare(pack("=I", RTN_LOCAL))


def translated() -> bytes:
    """ct status dnat"""
    return expression("ct", u32(1, REG_1), u32(2, 2)) + bitwise(4, pack("=I", IPS_DST_NAT)) + compare(bytes(4), NEQ)


def of_family(size: int) -> bytes:
    """meta nfproto ipv4 (addresses of 4 bytes) or ipv6 (16)."""
    return meta(NFPROTO) + compare(bytes([IPV4 if size == 4 else IPV6]))


def address_field(size: int, source: bool, register: int = REG_1) -> bytes:
    """Load ip/ip6 saddr or daddr."""
    offset = {(4, True): 12, (4, False): 16, (16, True): 8, (16, False): 24}[size, source]
    return payload(NETWORK_HEADER, offset, size, register)


def in_network(net: Cidr, source: bool, operator: int = EQ) -> bytes:
    """ip saddr NET, ip6 daddr != NET, and so on."""
    size = len(net.address)
    masked = bitwise(size, mask(net).to_bytes(size, "big")) if net.prefix_len < size * 8 else b""
    return of_family(size) + address_field(size, source) + masked + compare(net.address, operator)


def network_text(net: Cidr, source: bool) -> str:
    """How nft prints in_network."""
    shown = address_text(net.address) if net.prefix_len == len(net.address) * 8 else str(net)
    return f"{'ip' if len(net.address) == 4 else 'ip6'} {'saddr' if source else 'daddr'} {shown}"
