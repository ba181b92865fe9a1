"""IP addresses, prefixes and MACs as packed bytes: 4 bytes are IPv4, 16 are IPv6, 6 are a MAC.

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
    shown = inet_ntop(family(address).af, address)
    if shown[:2] == "::" and "." in shown and address[:12] != MAPPED:  # the C library writes ::/96 with dots
        return f"::{int.from_bytes(address[12:14], 'big'):x}:{int.from_bytes(address[14:], 'big'):x}"
    return shown


class Family(Record):
    """IPv4 or IPv6, and all that differs between them by name or number alone.

    size: bytes of an address.
    af: AF_INET or AF_INET6, which are NFPROTO_IPV4 and NFPROTO_IPV6, too.
    word: what nft calls it.
    tag: behind the names of our nft maps.
    sysctl: its folder below net/.
    """

    __eq__ = object.__eq__
    __hash__ = object.__hash__  # there are two of them, and many dicts with both as keys
    size: int
    af: int
    word: str
    tag: str
    sysctl: str

    @property
    def default(self) -> Cidr:
        """The destination of a default route."""
        return Cidr(bytes(self.size), 0)


V4 = Family(4, AF_INET, "ip", "4", "ipv4")
V6 = Family(16, AF_INET6, "ip6", "6", "ipv6")
FAMILIES = (V4, V6)


def family(address: bytes) -> Family:
    """The family of a packed address."""
    return V4 if len(address) == V4.size else V6


class Cidr(Record):
    """An address with its prefix length; the host part is kept."""

    address: bytes
    prefix_len: int

    @property
    def family(self) -> Family:
        """V4 or V6."""
        return family(self.address)

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


def mac_text(mac: bytes) -> str:
    """02:00:00:00:00:01"""
    return mac.hex(":")


def mac_parse(text: str) -> bytes:
    """The 6 bytes of a unicast MAC, separated by : or -, or in three groups with dots. Raises ValueError."""
    parts = text.replace("-", ":").split(":")
    if len(groups := text.split(".")) == 3 and all([len(group) == 4 for group in groups]):
        parts = [group[at : at + 2] for group in groups for at in (0, 2)]
    if len(parts) != 6 or not all([len(part) == 2 for part in parts]):
        raise ValueError(f"invalid MAC {text!r}")
    mac = bytes.fromhex("".join(parts))
    if len(mac) != 6 or mac[0] & 1 or not any(mac):
        raise ValueError(f"invalid MAC {text!r}: not the address of one interface")
    return mac
