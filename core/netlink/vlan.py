"""VLANs of bridge ports, and who is behind them, as rtnetlink messages. Nothing is sent here. linux/if_bridge.h, linux/neighbour.h. Pure."""

from __future__ import annotations

from core.netlink.message import CREATE, DUMP, REPLACE, Message, attribute, attribute_list, attributes, head, nest, number, pack
from core.netlink.route import DELLINK, GETLINK, NEWNEIGH, SETLINK, ifinfo

AF_BRIDGE = 7
GETNEIGH, NUD_NOARP, NTF_MASTER = 30, 0x40, 0x4
PVID, UNTAGGED = 0x2, 0x4  # BRIDGE_VLAN_INFO_*
AF_SPEC, VLAN_INFO, EXT_MASK = 26, 2, 29
WITH_VLANS = 1 << 1  # RTEXT_FILTER_BRVLAN


def get() -> Message:
    """Ask for the VLANs of all bridge ports."""
    return Message(GETLINK, DUMP, ifinfo(address_family=AF_BRIDGE) + number(EXT_MASK, WITH_VLANS))


def entries(payload: bytes) -> list[tuple[int, int]]:
    """(flags, id) of the VLANs in a bridge port's NEWLINK, ranges not compressed. Raises ValueError."""
    spec = attributes(payload, 16).get(AF_SPEC, b"")
    return [(flags, vlan) for flags, vlan in [head("=HH", data) for kind, data in attribute_list(spec) if kind == VLAN_INFO]]


def change(index: int, wanted: list[tuple[int, int]], delete: bool = False) -> Message:
    """Add (flags, id) VLANs to a bridge port, or delete them."""
    spec = nest(AF_SPEC, *[attribute(VLAN_INFO, pack("=HH", flags, vlan)) for flags, vlan in wanted])
    return Message(DELLINK if delete else SETLINK, 0, ifinfo(index, address_family=AF_BRIDGE) + spec)


def new_station(index: int, mac: bytes) -> Message:
    """Tell a bridge that *mac* is behind the port with *index*, and stays there."""
    head_ = pack("=BxxxiHBB", AF_BRIDGE, index, NUD_NOARP, NTF_MASTER, 0)
    return Message(NEWNEIGH, CREATE | REPLACE, head_ + attribute(2, mac))


def stations(bridge: int) -> Message:
    """Ask for all that a bridge knows of who is where."""
    return Message(GETNEIGH, DUMP, pack("=BxxxiHBB", AF_BRIDGE, 0, 0, 0, 0) + number(9, bridge))


def station(payload: bytes) -> tuple[int, bytes]:
    """(index of the port, MAC) of a reply. Raises ValueError."""
    return head("=Bxxxi", payload)[1], attributes(payload, 12).get(2, b"")
