"""Addresses, routes and neighbours as rtnetlink messages, and the replies read back.

Nothing is sent here: functions return Messages, or decode a payload. rtnetlink(7), linux/rtnetlink.h,
linux/if_addr.h. Pure.
"""

from __future__ import annotations

from core.address import FAMILIES, V4, V6, Cidr, family
from core.netlink.message import (
    APPEND,
    CREATE,
    DUMP,
    EXCL,
    Message,
    attribute,
    attributes,
    head,
    ifindex,
    nest,
    number,
    pack,
    unsigned,
)
from core.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from core.address import Family

RTM_NEWADDR, RTM_DELADDR, RTM_GETADDR, RTM_GETMULTICAST = 20, 21, 22, 58
RTM_NEWROUTE, RTM_DELROUTE, RTM_GETROUTE, RTM_DELNEIGH = 24, 25, 26, 29
IFA_ADDRESS, IFA_LOCAL, IFA_BROADCAST, IFA_MULTICAST, IFA_FLAGS = 1, 2, 4, 7, 8
IFA_F_NODAD, IFA_F_DADFAILED, IFA_F_TENTATIVE, IFA_F_PERMANENT = 0x02, 0x08, 0x40, 0x80
RTA_DST, RTA_SRC, RTA_OIF, RTA_GATEWAY, RTA_PRIORITY, RTA_METRICS, RTA_MULTIPATH, RTA_TABLE = (
    1,
    2,
    4,
    5,
    6,
    8,
    9,
    15,
)
RTAX_MTU, RTAX_ADVMSS = 2, 8
RT_TABLE_COMPAT, RT_TABLE_MAIN, RTPROT_BOOT, RTPROT_RA, RTN_UNICAST = 252, 254, 3, 9, 1
RT_SCOPE_UNIVERSE, RT_SCOPE_SITE, RT_SCOPE_LINK = 0, 200, 253
RTM_F_LOOKUP_TABLE, AF_UNSPEC = 0x1000, 0
NDA_DST = 1
IFADDRMSG, RTMSG, NDMSG = "=BBBBI", "=BBBBBBBBI", "=BxxxiHBB"  # struct layouts
IFADDR_BYTES, RTMSG_BYTES, RTNEXTHOP_BYTES = 8, 12, 8


def new_address(index: int, cidr: Cidr, nodad: bool) -> Message:
    """Add an address; *nodad* spares IPv6 duplicate address detection."""
    flags = IFA_F_PERMANENT | (IFA_F_NODAD if nodad else 0)
    attrs = attribute(IFA_LOCAL, cidr.address) + attribute(IFA_ADDRESS, cidr.address)
    if cidr.family is V4 and cidr.prefix_len < 31:
        attrs += attribute(IFA_BROADCAST, _broadcast(cidr))
    return Message(RTM_NEWADDR, CREATE | EXCL, _ifaddr(cidr, flags, index) + attrs)


def _ifaddr(cidr: Cidr, flags: int, index: int) -> bytes:
    return pack(IFADDRMSG, cidr.family.af, cidr.prefix_len, flags, RT_SCOPE_UNIVERSE, index)


def _broadcast(cidr: Cidr) -> bytes:
    host = (1 << (32 - cidr.prefix_len)) - 1
    return (int.from_bytes(cidr.address, "big") | host).to_bytes(4, "big")


def del_address(index: int, cidr: Cidr) -> Message:
    """Remove an address."""
    return Message(RTM_DELADDR, 0, _ifaddr(cidr, 0, index) + attribute(IFA_LOCAL, cidr.address))


def list_addresses(index: int) -> Message:
    """Ask for the addresses of one link."""
    return Message(RTM_GETADDR, DUMP, pack(IFADDRMSG, AF_UNSPEC, 0, 0, 0, index))


def list_groups(index: int) -> Message:
    """Ask for the IPv6 multicast groups that one link has joined."""
    return Message(RTM_GETMULTICAST, DUMP, pack(IFADDRMSG, V6.af, 0, 0, 0, index))


def read_address(payload: bytes) -> tuple[Cidr, int, int]:
    """Decode a reply to list_addresses or list_groups: address or group, its scope and its flags.

    Raises ValueError.
    """
    af, prefix_len, flags, scope, _ = head(IFADDRMSG, payload)
    found = attributes(payload, IFADDR_BYTES)
    packed = found.get(IFA_LOCAL) or found.get(IFA_ADDRESS) or found.get(IFA_MULTICAST, b"")
    return _cidr(af, packed, prefix_len), scope, unsigned(found.get(IFA_FLAGS, bytes([flags])))


def _cidr(af: int, packed: bytes, prefix_len: int) -> Cidr:
    if (af, len(packed)) not in SIZES or prefix_len > 8 * len(packed):
        found = f"{len(packed)} bytes and prefix length {prefix_len}"
        raise ValueError(f"want an address of family {af}, found {found}")
    return Cidr(packed, prefix_len)


SIZES = [(each.af, each.size) for each in FAMILIES]


class Path(Record):
    """A route on an interface: dst, gateway (packed, b"" for none) and attributes; None and 0 mean unset."""

    dst: Cidr
    gateway: bytes = b""
    table: int | None = None
    scope: int | None = None
    priority: int = 0
    mtu: int = 0
    advmss: int = 0


def new_route(index: int, path: Path, protocol: int = RTPROT_BOOT, flags: int = APPEND) -> Message:
    """Add a route; a second gateway for the same destination makes it multipath, unless *flags* are EXCL."""
    return Message(RTM_NEWROUTE, CREATE | flags, _route(index, path, protocol))


def del_route(index: int, path: Path, protocol: int = RTPROT_BOOT) -> Message:
    """Remove a route of a link, as new_route made it."""
    return Message(RTM_DELROUTE, 0, _route(index, path, protocol))


def _route(index: int, path: Path, protocol: int) -> bytes:
    family = path.dst.family
    table = RT_TABLE_MAIN if path.table is None else path.table
    default_scope = RT_SCOPE_UNIVERSE if path.gateway or family is V6 else RT_SCOPE_LINK
    scope = default_scope if path.scope is None else path.scope
    small = table if table < 256 else RT_TABLE_COMPAT
    metrics = [
        number(kind, value) for kind, value in ((RTAX_MTU, path.mtu), (RTAX_ADVMSS, path.advmss)) if value
    ]
    attrs = [
        attribute(RTA_DST, path.dst.address) if path.dst.prefix_len else b"",
        attribute(RTA_GATEWAY, path.gateway) if path.gateway else b"",
        number(RTA_OIF, index),
        number(RTA_TABLE, table),
        number(RTA_PRIORITY, path.priority) if path.priority else b"",
        nest(RTA_METRICS, *metrics) if metrics else b"",
    ]
    head = pack(RTMSG, family.af, path.dst.prefix_len, 0, 0, small, protocol, scope, RTN_UNICAST, 0)
    return head + b"".join(attrs)


def list_routes(family: Family) -> Message:
    """Ask for all routes of a family."""
    return Message(RTM_GETROUTE, DUMP, pack(RTMSG, family.af, 0, 0, 0, 0, 0, 0, 0, 0))


def get_route(destination: bytes, source: bytes = b"") -> Message:
    """Ask how a packet to *destination* would leave, and by which table, which IPv6 tells unasked."""
    to = family(destination)
    flags = RTM_F_LOOKUP_TABLE if to is V4 else 0
    asked = pack(RTMSG, to.af, len(destination) * 8, len(source) * 8, 0, 0, 0, 0, 0, flags)
    attrs = attribute(RTA_DST, destination) + (attribute(RTA_SRC, source) if source else b"")
    return Message(RTM_GETROUTE, 0, asked + attrs)


def read_route(payload: bytes) -> list[tuple[int, Path]]:
    """Decode an RTM_NEWROUTE payload: (interface index, Path) of each of its next hops. Raises ValueError."""
    af, prefix_len, _, _, table, _, scope, _, _ = head(RTMSG, payload)
    found = attributes(payload, RTMSG_BYTES)
    metrics = attributes(found.get(RTA_METRICS, b""))
    dst = _cidr(af, found.get(RTA_DST, bytes(V4.size if af == V4.af else V6.size)), prefix_len)
    if RTA_MULTIPATH in found:
        hops = _hops(found[RTA_MULTIPATH])
    else:
        hops = [(ifindex(found.get(RTA_OIF, b"")), found.get(RTA_GATEWAY, b""))]
    table = unsigned(found[RTA_TABLE]) if RTA_TABLE in found else table
    priority = unsigned(found.get(RTA_PRIORITY, b""))
    sizes = unsigned(metrics.get(RTAX_MTU, b"")), unsigned(metrics.get(RTAX_ADVMSS, b""))
    return [(index, Path(dst, gateway, table, scope, priority, *sizes)) for index, gateway in hops]


def protocol_and_type(payload: bytes) -> tuple[int, int]:
    """Who made a route (RTPROT_*), and of which type it is (RTN_*). Raises ValueError."""
    _, _, _, _, _, protocol, _, kind, _ = head(RTMSG, payload)
    return protocol, kind


def _hops(data: bytes) -> list[tuple[int, bytes]]:
    """The (interface index, gateway) of RTA_MULTIPATH."""
    hops, offset = [], 0
    while offset + RTNEXTHOP_BYTES <= len(data):
        size, _, _, index = head("=HBBi", data, offset)
        if size < RTNEXTHOP_BYTES:
            break
        hops.append((index, attributes(data[offset : offset + size], RTNEXTHOP_BYTES).get(RTA_GATEWAY, b"")))
        offset += size + (-size % 4)
    return hops


def del_neighbour(index: int, neighbour: bytes) -> Message:
    """Forget the link-layer address of a neighbour."""
    asked = pack(NDMSG, family(neighbour).af, index, 0, 0, 0)
    return Message(RTM_DELNEIGH, 0, asked + attribute(NDA_DST, neighbour))
