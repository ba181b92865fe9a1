"""Links, addresses, routes and neighbours as rtnetlink messages, and the replies read back.

Nothing is sent here: functions return Messages, or decode a payload. rtnetlink(7), linux/if_link.h, linux/rtnetlink.h. Pure.
"""

from __future__ import annotations

from core.address import Cidr
from core.netlink.message import APPEND, CREATE, DUMP, EXCL, Message, attribute, attributes, head, ifindex, nest, number, pack, string, text, unsigned
from core.record import Record

NEWLINK, DELLINK, GETLINK, SETLINK = 16, 17, 18, 19
NEWADDR, DELADDR, GETADDR, NEWROUTE, DELROUTE, GETROUTE, NEWNEIGH, DELNEIGH, GETMULTICAST = 20, 21, 22, 24, 25, 26, 28, 29, 58
IFF_UP, IFF_PROMISC = 0x1, 0x100
AF_INET, AF_INET6 = 2, 10
SKIP_STATS = 1 << 3  # RTEXT_FILTER_SKIP_STATS
OPERSTATE_UP = 6
VETH_INFO_PEER, NEWBORN_BRIDGE = 1, 0x0C41B41D  # the latter is a link group: of bridges of ours that have not been up yet
PERMANENT, NODAD = 0x80, 0x02  # IFA_F_*
TENTATIVE, DADFAILED = 0x40, 0x08
TABLE_MAIN, PROTOCOL_BOOT, SCOPE_GLOBAL, SCOPE_LINK, UNICAST, LOOKUP_TABLE = 254, 3, 0, 253, 1, 0x1000


class Link(Record):
    """A network interface as the kernel describes it. mac is packed; master and peer are indexes, 0 for none."""

    index: int
    name: str
    flags: int
    mac: bytes
    mtu: int
    master: int
    peer: int
    operstate: int
    alias: str
    kind: str
    promiscuity: int
    data: dict[int, bytes]
    port: dict[int, bytes]
    group: int = 0

    @property
    def up(self) -> bool:
        return bool(self.flags & IFF_UP)


def family(packed: bytes) -> int:
    """AF_INET or AF_INET6."""
    return AF_INET if len(packed) == 4 else AF_INET6


def ifinfo(index: int = 0, flags: int = 0, change: int = 0, address_family: int = 0) -> bytes:
    return pack("=BxHiII", address_family, 0, index, flags, change)


def get_link(name: str) -> Message:
    """Ask for one link by name."""
    return Message(GETLINK, 0, ifinfo() + string(3, name) + number(29, SKIP_STATS))


def get_link_at(index: int) -> Message:
    """Ask for one link by index."""
    return Message(GETLINK, 0, ifinfo(index) + number(29, SKIP_STATS))


def list_links() -> Message:
    """Ask for all links."""
    return Message(GETLINK, DUMP, ifinfo() + number(29, SKIP_STATS))


def link(payload: bytes) -> Link:
    """Decode the payload of a NEWLINK message. Raises ValueError."""
    _, _, index, flags, _ = head("=BxHiII", payload)
    found = attributes(payload, 16)
    info = attributes(found.get(18, b""))
    return Link(
        index=index,
        name=text(found.get(3, b"")),
        flags=flags,
        mac=found.get(1, b""),
        mtu=unsigned(found.get(4, b"")),
        master=ifindex(found.get(10, b"")),
        peer=ifindex(found.get(5, b"")),
        operstate=unsigned(found.get(16, b"")),
        alias=text(found.get(20, b"")),
        kind=text(info.get(1, b"")),
        promiscuity=unsigned(found.get(30, b"")),
        data=attributes(info.get(2, b"")),
        port=attributes(info.get(5, b"")),
        group=unsigned(found.get(27, b"")),
    )


def new_bridge(name: str, mtu: int, mac: bytes, vlan_filtering: bool) -> Message:
    """Create a bridge; a MAC given at birth stays, whatever ports come and go."""
    data = [nest(2, number(7, 1, size=1))] if vlan_filtering else []
    attrs = string(3, name) + (number(4, mtu) if mtu else b"") + attribute(1, mac) + number(27, NEWBORN_BRIDGE) + nest(18, string(1, "bridge"), *data)
    return Message(NEWLINK, CREATE | EXCL, ifinfo() + attrs)


def new_veth(name: str, peer: str, netns: int | None, master: int, mtu: int, mac: bytes, group: int = 0, flags: int = IFF_UP) -> Message:
    """Create a pair: *name* here, with *flags*, in *group* and a port of *master*; *peer* in the namespace of descriptor *netns*, with *mac*."""
    size = number(4, mtu) if mtu else b""
    born = ifinfo() + string(3, peer) + size + (attribute(1, mac) if mac else b"")
    born += number(28, netns) if netns is not None else b""
    info = nest(18, string(1, "veth"), nest(2, attribute(VETH_INFO_PEER, born)))
    here = ifinfo(0, flags, flags) + string(3, name) + size + (number(10, master) if master else b"") + (number(27, group) if group else b"")
    return Message(NEWLINK, CREATE | EXCL, here + info)


def set_alias(name: str, alias: str) -> Message:
    """Write a link's alias, and take it out of the group that it was born in."""
    return Message(SETLINK, 0, ifinfo() + string(3, name) + attribute(20, alias.encode()) + number(27, 0))


def set_master(name: str, master: int) -> Message:
    """Make a link a port of the bridge with index *master*."""
    return Message(SETLINK, 0, ifinfo() + string(3, name) + number(10, master))


def set_port(name: str, hairpin: bool, isolated: bool, learning: bool) -> Message:
    """Write hairpin, isolation and learning of a bridge port."""
    port = nest(5, *[number(kind, int(value), size=1) for kind, value in ((4, hairpin), (8, learning), (33, isolated))])
    return Message(NEWLINK, 0, ifinfo() + string(3, name) + nest(18, string(4, "bridge"), port))


def set_flags(name: str, flags: int, change: int, grown: bool = False) -> Message:
    """Switch interface flags such as IFF_UP. grown: the link leaves the group that it was born in."""
    return Message(SETLINK, 0, ifinfo(0, flags, change) + string(3, name) + (number(27, 0) if grown else b""))


def set_mac(name: str, mac: bytes) -> Message:
    """Write a link's MAC."""
    return Message(SETLINK, 0, ifinfo() + string(3, name) + attribute(1, mac))


def del_link(name: str = "", index: int = 0) -> Message:
    """Delete a link by name or by index."""
    return Message(DELLINK, 0, ifinfo(index) + (string(3, name) if name else b""))


def new_address(index: int, cidr: Cidr, nodad: bool) -> Message:
    """Add an address; *nodad* spares IPv6 duplicate address detection."""
    head = pack("=BBBBI", family(cidr.address), cidr.prefix_len, PERMANENT | (NODAD if nodad else 0), 0, index)
    broadcast = attribute(4, _broadcast(cidr)) if len(cidr.address) == 4 and cidr.prefix_len < 31 else b""
    return Message(NEWADDR, CREATE | EXCL, head + attribute(2, cidr.address) + attribute(1, cidr.address) + broadcast)


def _broadcast(cidr: Cidr) -> bytes:
    host = (1 << (32 - cidr.prefix_len)) - 1
    return (int.from_bytes(cidr.address, "big") | host).to_bytes(4, "big")


def del_address(index: int, cidr: Cidr) -> Message:
    """Remove an address."""
    return Message(DELADDR, 0, pack("=BBBBI", family(cidr.address), cidr.prefix_len, 0, 0, index) + attribute(2, cidr.address))


def list_addresses(index: int, groups: bool = False) -> Message:
    """Ask for the addresses of one link, or for the IPv6 multicast groups that it has joined."""
    return Message(GETMULTICAST if groups else GETADDR, DUMP, pack("=BBBBI", AF_INET6 if groups else 0, 0, 0, 0, index))


def address(payload: bytes) -> tuple[Cidr, int, int]:
    """Decode a reply to list_addresses: the address or group, its scope and its flags. Raises ValueError."""
    kind, prefix_len, flags, scope, _ = head("=BBBBI", payload)
    found = attributes(payload, 8)
    return _cidr(kind, found.get(2) or found.get(1) or found.get(7, b""), prefix_len), scope, unsigned(found.get(8, bytes([flags])))


def _cidr(kind: int, packed: bytes, prefix_len: int) -> Cidr:
    size = {AF_INET: 4, AF_INET6: 16}.get(kind)
    if len(packed) != size or prefix_len > 8 * size:
        raise ValueError(f"want an address of family {kind}, found {len(packed)} bytes and prefix length {prefix_len}")
    return Cidr(packed, prefix_len)


class Path(Record):
    """A route on an interface: dst, gateway (packed, b"" for none) and attributes; None and 0 mean unset."""

    dst: Cidr
    gateway: bytes = b""
    table: int | None = None
    scope: int | None = None
    priority: int = 0
    mtu: int = 0
    advmss: int = 0


def new_route(index: int, path: Path) -> Message:
    """Add a route; a second gateway for the same destination makes it multipath."""
    return Message(NEWROUTE, CREATE | APPEND, _route(index, path))


def _route(index: int, path: Path) -> bytes:
    table = TABLE_MAIN if path.table is None else path.table
    default_scope = SCOPE_GLOBAL if path.gateway or len(path.dst.address) == 16 else SCOPE_LINK
    scope = default_scope if path.scope is None else path.scope
    small = table if table < 256 else 252  # RT_TABLE_COMPAT: the attribute tells
    head = pack("=BBBBBBBBI", family(path.dst.address), path.dst.prefix_len, 0, 0, small, PROTOCOL_BOOT, scope, UNICAST, 0)
    metrics = [number(kind, value) for kind, value in ((2, path.mtu), (8, path.advmss)) if value]
    attrs = [
        attribute(1, path.dst.address) if path.dst.prefix_len else b"",
        attribute(5, path.gateway) if path.gateway else b"",
        number(4, index),
        number(15, table),
        number(6, path.priority) if path.priority else b"",
        nest(8, *metrics) if metrics else b"",
    ]
    return head + b"".join(attrs)


def list_routes(address_family: int) -> Message:
    """Ask for all routes of a family."""
    return Message(GETROUTE, DUMP, pack("=BBBBBBBBI", address_family, 0, 0, 0, 0, 0, 0, 0, 0))


def get_route(destination: bytes, source: bytes = b"") -> Message:
    """Ask how a packet to *destination* would leave, and by which table, which IPv6 tells unasked."""
    head = pack("=BBBBBBBBI", family(destination), len(destination) * 8, len(source) * 8, 0, 0, 0, 0, 0, LOOKUP_TABLE if len(destination) == 4 else 0)
    return Message(GETROUTE, 0, head + attribute(1, destination) + (attribute(2, source) if source else b""))


def route(payload: bytes) -> list[tuple[int, Path]]:
    """Decode a NEWROUTE payload: (interface index, Path) of each of its next hops. Raises ValueError."""
    kind, prefix_len, _, _, table, _, scope, _, _ = head("=BBBBBBBBI", payload)
    found = attributes(payload, 12)
    metrics = attributes(found.get(8, b""))
    dst = _cidr(kind, found.get(1, bytes(4 if kind == AF_INET else 16)), prefix_len)
    hops = _hops(found[9]) if 9 in found else [(ifindex(found.get(4, b"")), found.get(5, b""))]
    table = unsigned(found[15]) if 15 in found else table
    rest = (table, scope, unsigned(found.get(6, b"")), unsigned(metrics.get(2, b"")), unsigned(metrics.get(8, b"")))
    return [(index, Path(dst, gateway, *rest)) for index, gateway in hops]


def _hops(data: bytes) -> list[tuple[int, bytes]]:
    """The (interface index, gateway) of RTA_MULTIPATH."""
    hops, offset = [], 0
    while offset + 8 <= len(data):
        size, _, _, index = head("=HBBi", data, offset)
        if size < 8:
            break
        hops.append((index, attributes(data[offset : offset + size], 8).get(5, b"")))
        offset += size + (-size % 4)
    return hops


def del_neighbour(index: int, neighbour: bytes) -> Message:
    """Forget the link-layer address of a neighbour."""
    return Message(DELNEIGH, 0, pack("=BxxxiHBB", family(neighbour), index, 0, 0, 0) + attribute(1, neighbour))
