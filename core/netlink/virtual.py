"""Virtual links besides bridges and veth pairs, and links that are changed or moved, as rtnetlink messages.

Nothing is sent here. linux/if_link.h. Pure.
"""

from __future__ import annotations

from core.netlink.link import (
    IFLA_ADDRESS,
    IFLA_GROUP,
    IFLA_IFNAME,
    IFLA_INFO_DATA,
    IFLA_INFO_KIND,
    IFLA_LINK,
    IFLA_LINKINFO,
    IFLA_MTU,
    IFLA_NET_NS_FD,
    RTM_NEWLINK,
    RTM_SETLINK,
    Link,
    ifinfo,
)
from core.netlink.message import CREATE, EXCL, Message, attribute, nest, number, string, unsigned

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

IFLA_TXQLEN, IFF_ALLMULTI = 13, 0x200
# Of kinds of links: what they need besides, by a word of ours; the attribute of IFLA_INFO_DATA and its bytes.
INFO_DATA = {
    "macvlan": {"mode": (1, 4)},  # IFLA_MACVLAN_MODE
    "ipvlan": {"mode": (1, 2), "flags": (2, 2)},  # IFLA_IPVLAN_MODE, _FLAGS
    "vlan": {"id": (1, 2)},  # IFLA_VLAN_ID
    "vrf": {"table": (1, 4)},  # IFLA_VRF_TABLE
}


def write_data(kind: str, data: Iterable[tuple[str, int]]) -> bytes:
    """What a kind of link needs besides, from pairs of a key of INFO_DATA and a number."""
    known = INFO_DATA.get(kind, {})
    return b"".join([number(known[key][0], value, size=known[key][1]) for key, value in data])


def read_data(link: Link, key: str) -> int:
    """The number that a link has for a key of INFO_DATA."""
    return unsigned(link.data.get(INFO_DATA[link.kind][key][0], b""))


def new_link(
    name: str,
    kind: str,
    data: bytes,
    parent: int,
    netns: int | None,
    mtu: int,
    mac: bytes,
    group: int,
) -> Message:
    """Create a virtual link, down, in the namespace of descriptor *netns*.

    parent: the index of the link below, 0 for none.
    """
    attrs = string(IFLA_IFNAME, name) + number(IFLA_GROUP, group)
    attrs += number(IFLA_LINK, parent) if parent else b""
    attrs += number(IFLA_MTU, mtu) if mtu else b""
    attrs += attribute(IFLA_ADDRESS, mac) if mac else b""
    attrs += number(IFLA_NET_NS_FD, netns) if netns is not None else b""
    info = nest(IFLA_LINKINFO, string(IFLA_INFO_KIND, kind), *([nest(IFLA_INFO_DATA, data)] if data else []))
    return Message(RTM_NEWLINK, CREATE | EXCL, ifinfo() + attrs + info)


def move(index: int, netns: int, name: str) -> Message:
    """Move a link to the namespace of descriptor *netns* under a new name.

    Where the name is taken there, the kernel answers EEXIST, and may have moved the link all the same.
    """
    return Message(RTM_SETLINK, 0, ifinfo(index) + number(IFLA_NET_NS_FD, netns) + string(IFLA_IFNAME, name))


def write_settings(
    name: str, mac: bytes, mtu: int, tx_queue_len: int | None, flags: int, change: int
) -> Message:
    """Write several settings of a link; b"", 0, None leave one alone, and so do flags outside of *change*."""
    attrs = attribute(IFLA_ADDRESS, mac) if mac else b""
    attrs += number(IFLA_MTU, mtu) if mtu else b""
    attrs += number(IFLA_TXQLEN, tx_queue_len) if tx_queue_len is not None else b""
    return Message(RTM_SETLINK, 0, ifinfo(0, flags, change) + string(IFLA_IFNAME, name) + attrs)
