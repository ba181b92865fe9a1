"""Records of what makes a bridge more than a hub: VLANs, stations that are told, frames for everybody.

Law and place are those of core.plan.records. Pure.
"""

from __future__ import annotations

from core.plan.records import HOST
from core.record import SETTING, SHARED, KernelRecord

SWITCHING = "core.kernel.switching"


class VlanGateway(KernelRecord):
    """A veth pair in the host: *name* has the VLAN's gateway, its peer is an access port of the bridge."""

    home, lifecycle, identity = SWITCHING, SHARED, ("place", "name")
    absent = "{name}, the gateway of VLAN {vlan}, is gone"
    name: str
    bridge: str
    vlan: int
    mtu: int = 0
    place: str = HOST


class Promiscuous(KernelRecord):
    """A link that takes every frame; never switched off."""

    home, lifecycle, identity = SWITCHING, SETTING, ("place", "link")
    absent = "{link} is not promiscuous"
    link: str
    place: str = HOST


class Station(KernelRecord):
    """A MAC behind a bridge port that does not learn."""

    home, lifecycle, identity, dies_with_link = SWITCHING, SETTING, ("place", "port", "mac"), True
    absent = "{port} does not know who is behind it"
    port: str
    mac: bytes
    place: str = HOST


class PortVlans(KernelRecord):
    """The VLANs of a bridge port: (id, pvid and untagged?) pairs.

    Keep_default: leave the port's own PVID 1 alone.
    """

    home, lifecycle, identity, dies_with_link = SWITCHING, SETTING, ("place", "link"), True
    absent = "{link} has lost its VLANs"
    link: str
    vlans: tuple[tuple[int, bool], ...]
    keep_default: bool = False
    place: str = HOST
