"""VLANs of bridge ports, and the bridge's forwarding database, as rtnetlink messages. Nothing is sent here.

linux/if_bridge.h, linux/neighbour.h. Pure.
"""

from __future__ import annotations

from core.netlink.link import IFINFO_BYTES, IFLA_EXT_MASK, RTM_DELLINK, RTM_GETLINK, RTM_SETLINK, ifinfo
from core.netlink.message import (
    CREATE,
    DUMP,
    REPLACE,
    Message,
    attribute,
    attribute_list,
    attributes,
    head,
    nest,
    number,
    pack,
)

AF_BRIDGE = 7
IFLA_AF_SPEC, IFLA_BRIDGE_VLAN_INFO, RTEXT_FILTER_BRVLAN = 26, 2, 1 << 1
BRIDGE_VLAN_INFO_PVID, BRIDGE_VLAN_INFO_UNTAGGED = 0x2, 0x4
RTM_NEWNEIGH, RTM_GETNEIGH, NUD_NOARP, NTF_MASTER = 28, 30, 0x40, 0x4
NDA_LLADDR, NDA_MASTER = 2, 9
NDMSG, NDMSG_BYTES = "=BxxxiHBB", 12


def list_vlans() -> Message:
    """Ask for the VLANs of all bridge ports."""
    return Message(
        RTM_GETLINK, DUMP, ifinfo(address_family=AF_BRIDGE) + number(IFLA_EXT_MASK, RTEXT_FILTER_BRVLAN)
    )


def read_vlans(payload: bytes) -> list[tuple[int, int]]:
    """(flags, id) of the VLANs in a bridge port's RTM_NEWLINK, ranges not compressed. Raises ValueError."""
    spec = attribute_list(attributes(payload, IFINFO_BYTES).get(IFLA_AF_SPEC, b""))
    return [
        (flags, vlan)
        for flags, vlan in [head("=HH", data) for kind, data in spec if kind == IFLA_BRIDGE_VLAN_INFO]
    ]


def change(index: int, wanted: list[tuple[int, int]], delete: bool = False) -> Message:
    """Add (flags, id) VLANs to a bridge port, or delete them."""
    spec = nest(
        IFLA_AF_SPEC, *[attribute(IFLA_BRIDGE_VLAN_INFO, pack("=HH", flags, vlan)) for flags, vlan in wanted]
    )
    return Message(RTM_DELLINK if delete else RTM_SETLINK, 0, ifinfo(index, address_family=AF_BRIDGE) + spec)


def new_station(index: int, mac: bytes) -> Message:
    """Tell a bridge that *mac* is behind the port with *index*, and stays there."""
    entry = pack(NDMSG, AF_BRIDGE, index, NUD_NOARP, NTF_MASTER, 0)
    return Message(RTM_NEWNEIGH, CREATE | REPLACE, entry + attribute(NDA_LLADDR, mac))


def list_stations(bridge: int) -> Message:
    """Ask for the forwarding database of the bridge with index *bridge*."""
    return Message(RTM_GETNEIGH, DUMP, pack(NDMSG, AF_BRIDGE, 0, 0, 0, 0) + number(NDA_MASTER, bridge))


def read_station(payload: bytes) -> tuple[int, bytes]:
    """(index of the port, MAC) of a reply. Raises ValueError."""
    return head("=Bxxxi", payload)[1], attributes(payload, NDMSG_BYTES).get(NDA_LLADDR, b"")
