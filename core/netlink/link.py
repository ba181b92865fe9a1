"""Links as rtnetlink messages, and the replies read back.

Nothing is sent here: functions return Messages, or decode a payload. rtnetlink(7), linux/if_link.h. Pure.
"""

from __future__ import annotations

from core.netlink.message import (
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
    string,
    text,
    unsigned,
)
from core.record import Record

RTM_NEWLINK, RTM_DELLINK, RTM_GETLINK, RTM_SETLINK = 16, 17, 18, 19
IFLA_ADDRESS, IFLA_IFNAME, IFLA_MTU, IFLA_LINK, IFLA_MASTER, IFLA_OPERSTATE = 1, 3, 4, 5, 10, 16
IFLA_LINKINFO, IFLA_IFALIAS, IFLA_GROUP, IFLA_NET_NS_FD, IFLA_EXT_MASK, IFLA_PROMISCUITY = (
    18,
    20,
    27,
    28,
    29,
    30,
)
IFLA_INFO_KIND, IFLA_INFO_DATA, IFLA_INFO_SLAVE_KIND, IFLA_INFO_SLAVE_DATA = 1, 2, 4, 5
IFLA_BR_VLAN_FILTERING, VETH_INFO_PEER = 7, 1
IFLA_BRPORT_MODE, IFLA_BRPORT_LEARNING, IFLA_BRPORT_ISOLATED = 4, 8, 33  # mode: hairpin
RTEXT_FILTER_SKIP_STATS = 1 << 3
IFF_UP, IFF_PROMISC = 0x1, 0x100
IF_OPER_UP = 6
IFINFO_BYTES = 16

NEWBORN_BRIDGE = 0x0C41B41D  # the link group of our bridges that have not been up yet


class Link(Record):
    """A network interface as the kernel describes it.

    mac is packed; master and peer are indexes, 0 for none.
    """

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


def ifinfo(index: int = 0, flags: int = 0, change: int = 0, address_family: int = 0) -> bytes:
    """struct ifinfomsg"""
    return pack("=BxHiII", address_family, 0, index, flags, change)


def get_link(name: str) -> Message:
    """Ask for one link by name."""
    return Message(RTM_GETLINK, 0, ifinfo() + string(IFLA_IFNAME, name) + _WITHOUT_STATS)


def get_link_at(index: int) -> Message:
    """Ask for one link by index."""
    return Message(RTM_GETLINK, 0, ifinfo(index) + _WITHOUT_STATS)


def list_links() -> Message:
    """Ask for all links."""
    return Message(RTM_GETLINK, DUMP, ifinfo() + _WITHOUT_STATS)


_WITHOUT_STATS = number(IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS)


def read_link(payload: bytes) -> Link:
    """Decode the payload of an RTM_NEWLINK message. Raises ValueError."""
    _, _, index, flags, _ = head("=BxHiII", payload)
    found = attributes(payload, IFINFO_BYTES)
    info = attributes(found.get(IFLA_LINKINFO, b""))
    return Link(
        index=index,
        name=text(found.get(IFLA_IFNAME, b"")),
        flags=flags,
        mac=found.get(IFLA_ADDRESS, b""),
        mtu=unsigned(found.get(IFLA_MTU, b"")),
        master=ifindex(found.get(IFLA_MASTER, b"")),
        peer=ifindex(found.get(IFLA_LINK, b"")),
        operstate=unsigned(found.get(IFLA_OPERSTATE, b"")),
        alias=text(found.get(IFLA_IFALIAS, b"")),
        kind=text(info.get(IFLA_INFO_KIND, b"")),
        promiscuity=unsigned(found.get(IFLA_PROMISCUITY, b"")),
        data=attributes(info.get(IFLA_INFO_DATA, b"")),
        port=attributes(info.get(IFLA_INFO_SLAVE_DATA, b"")),
        group=unsigned(found.get(IFLA_GROUP, b"")),
    )


def new_bridge(name: str, mtu: int, mac: bytes, vlan_filtering: bool) -> Message:
    """Create a bridge. A MAC given at creation stays, whatever ports come and go."""
    attrs = string(IFLA_IFNAME, name) + (number(IFLA_MTU, mtu) if mtu else b"")
    attrs += attribute(IFLA_ADDRESS, mac) + number(IFLA_GROUP, NEWBORN_BRIDGE)
    data = [nest(IFLA_INFO_DATA, number(IFLA_BR_VLAN_FILTERING, 1, size=1))] if vlan_filtering else []
    return Message(
        RTM_NEWLINK,
        CREATE | EXCL,
        ifinfo() + attrs + nest(IFLA_LINKINFO, string(IFLA_INFO_KIND, "bridge"), *data),
    )


def new_veth(
    name: str,
    peer: str,
    netns: int | None,
    master: int,
    mtu: int,
    mac: bytes,
    group: int = 0,
    flags: int = IFF_UP,
) -> Message:
    """Create a pair.

    *name* stays here, with *flags*, in link group *group* and as a port of *master*. *peer*, with *mac*, goes
    to the namespace of the descriptor *netns*.
    """
    size = number(IFLA_MTU, mtu) if mtu else b""
    there = ifinfo() + string(IFLA_IFNAME, peer) + size + (attribute(IFLA_ADDRESS, mac) if mac else b"")
    there += number(IFLA_NET_NS_FD, netns) if netns is not None else b""
    data = nest(IFLA_INFO_DATA, attribute(VETH_INFO_PEER, there))
    here = ifinfo(0, flags, flags) + string(IFLA_IFNAME, name) + size
    here += (number(IFLA_MASTER, master) if master else b"") + (number(IFLA_GROUP, group) if group else b"")
    return Message(
        RTM_NEWLINK, CREATE | EXCL, here + nest(IFLA_LINKINFO, string(IFLA_INFO_KIND, "veth"), data)
    )


def set_alias(name: str, alias: str) -> Message:
    """Write a link's alias, and take it out of the group that it was created in."""
    return _set(name, attribute(IFLA_IFALIAS, alias.encode()) + number(IFLA_GROUP, 0))


def set_master(name: str, master: int) -> Message:
    """Make a link a port of the bridge with index *master*."""
    return _set(name, number(IFLA_MASTER, master))


def set_mac(name: str, mac: bytes) -> Message:
    """Write a link's MAC."""
    return _set(name, attribute(IFLA_ADDRESS, mac))


def _set(name: str, attrs: bytes) -> Message:
    return Message(RTM_SETLINK, 0, ifinfo() + string(IFLA_IFNAME, name) + attrs)


def set_port(name: str, hairpin: bool, isolated: bool, learning: bool) -> Message:
    """Write hairpin, isolation and learning of a bridge port."""
    switches = (IFLA_BRPORT_MODE, hairpin), (IFLA_BRPORT_LEARNING, learning), (IFLA_BRPORT_ISOLATED, isolated)
    port = nest(IFLA_INFO_SLAVE_DATA, *[number(kind, int(value), size=1) for kind, value in switches])
    info = nest(IFLA_LINKINFO, string(IFLA_INFO_SLAVE_KIND, "bridge"), port)
    return Message(RTM_NEWLINK, 0, ifinfo() + string(IFLA_IFNAME, name) + info)


def set_flags(name: str, flags: int, change: int, grown: bool = False) -> Message:
    """Switch interface flags such as IFF_UP. grown: the link leaves the group that it was created in."""
    ungrouped = number(IFLA_GROUP, 0) if grown else b""
    return Message(RTM_SETLINK, 0, ifinfo(0, flags, change) + string(IFLA_IFNAME, name) + ungrouped)


def del_link(name: str = "", index: int = 0) -> Message:
    """Delete a link by name or by index."""
    return Message(RTM_DELLINK, 0, ifinfo(index) + (string(IFLA_IFNAME, name) if name else b""))
