"""IP addresses and prefixes as packed bytes: 4 bytes are IPv4, 16 are IPv6.

The text forms are those of the reference: IPv6 is compressed as in RFC 5952, an IPv4-mapped IPv6 address is
the IPv4 one, and no other IPv6 address is written with dots. Pure.
"""

from __future__ import annotations

from core.record import Record

try:
    from _socket import AF_INET, AF_INET6, inet_ntop, inet_pton
except ImportError:  # another Python: the public module has the same names
    from socket import AF_INET, AF_INET6, inet_ntop, inet_pton

MAPPED = bytes(10) + b"\xff\xff"


def parse(text: str) -> bytes:
    """The packed address of *text*; a zone or a prefix is refused. Raises ValueError."""
    try:
        packed = inet_pton(AF_INET6 if ":" in text else AF_INET, text)
    except (OSError, ValueError):
        raise ValueError(f"invalid IP address {text!r}") from None
    return packed[12:] if packed[:12] == MAPPED else packed


def text(address: bytes) -> str:
    """The canonical text of a packed address."""
    shown = inet_ntop(AF_INET if len(address) == 4 else AF_INET6, address)
    if shown[:2] == "::" and "." in shown and address[:12] != MAPPED:  # the C library writes ::/96 with dots
        return f"::{int.from_bytes(address[12:14], 'big'):x}:{int.from_bytes(address[14:], 'big'):x}"
    return shown


def family(address: bytes) -> int:
    """4 or 6."""
    return 4 if len(address) == 4 else 6


class Cidr(Record):
    """An address with its prefix length; the host part is kept."""

    address: bytes
    prefix_len: int

    def __str__(self) -> str:
        return f"{text(self.address)}/{self.prefix_len}"


def parse_cidr(value: str) -> Cidr:
    """The Cidr of "address/prefix". Raises ValueError."""
    host, _, length = value.partition("/")
    try:
        address = parse(host)
    except ValueError:
        raise ValueError(f"invalid CIDR address {value!r}") from None
    if not length.isascii() or not length.isdigit() or len(length) > 3:
        raise ValueError(f"invalid CIDR address {value!r}")
    prefix_len = int(length) - (96 if ":" in host and len(address) == 4 else 0)  # an IPv4-mapped one
    if not 0 <= prefix_len <= len(address) * 8:
        raise ValueError(f"invalid CIDR address {value!r}")
    return Cidr(address, prefix_len)


def host_prefix(address: bytes) -> Cidr:
    """The /32 or /128 of one address."""
    return Cidr(address, len(address) * 8)


def mask(cidr: Cidr) -> int:
    """The netmask as an integer of the family's width."""
    bits = len(cidr.address) * 8
    return (1 << bits) - (1 << (bits - cidr.prefix_len))


def network(cidr: Cidr) -> Cidr:
    """The network that *cidr* lies in: host bits zero."""
    size = len(cidr.address)
    return Cidr((int.from_bytes(cidr.address, "big") & mask(cidr)).to_bytes(size, "big"), cidr.prefix_len)


def contains(net: Cidr, address: bytes) -> bool:
    """Whether *address* is of the family of *net* and inside it."""
    return len(net.address) == len(address) and network(Cidr(address, net.prefix_len)) == network(net)


def overlap(one: Cidr, other: Cidr) -> bool:
    """Whether two networks share an address."""
    shorter, longer = sorted((one, other), key=lambda cidr: cidr.prefix_len)
    return contains(shorter, longer.address)


def first_host(cidr: Cidr) -> bytes:
    """Network address + 1, the usual gateway; where there is no such address, the network address itself."""
    net = network(cidr).address
    return min(int.from_bytes(net, "big") + 1, (1 << 8 * len(net)) - 1).to_bytes(len(net), "big")
