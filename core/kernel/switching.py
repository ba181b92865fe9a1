"""VLANs of bridge ports and their gateways, stations, and promiscuous links, as a kernel's records."""

from __future__ import annotations

from core.attachment import hashed
from core.kernel.state import ABSENT
from core.netlink import link as codec
from core.netlink.link import IFF_PROMISC, IFF_UP
from core.netlink.message import head
from core.plan.switching import PortVlans, Promiscuous, Station, VlanGateway
from core.record import replace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from core.kernel.state import State


def _find_promiscuous(kernel: State, want: Promiscuous) -> Promiscuous | None:
    found = kernel.link(want.place, want.link)
    return want if found and found.flags & IFF_PROMISC else None


def _create_promiscuous(kernel: State, want: Promiscuous) -> None:
    kernel.at(want.place).do(codec.set_flags(want.link, IFF_PROMISC, IFF_PROMISC))
    kernel.forget_link(want.place, want.link)


def _find_station(kernel: State, want: Station) -> Station | None:
    port = kernel.link(want.place, want.port)
    if port is None or not port.master:
        return None
    from core.netlink import vlan  # late: only CHECK of a port that does not learn

    replies = kernel.at(want.place).ask(vlan.list_stations(port.master))
    return want if (port.index, want.mac) in [vlan.read_station(payload) for _, payload in replies] else None


def _create_station(kernel: State, want: Station) -> None:
    from core.netlink import vlan  # late: only for a port that does not learn

    kernel.at(want.place).do(vlan.new_station(kernel.need(want.place, want.port).index, want.mac))


def _find_vlan_gateway(kernel: State, want: VlanGateway) -> VlanGateway | None:
    return want if kernel.link(want.place, want.name) else None


def _create_vlan_gateway(kernel: State, want: VlanGateway) -> None:
    """Create the pair. The bridge's end is the peer, whose index is one less, as with the reference."""
    bridge, port = kernel.need(want.place, want.bridge), vlan_port(want)
    kernel.at(want.place).do(codec.new_veth(want.name, port, None, 0, want.mtu or bridge.mtu, b"", flags=0))
    try:  # not in one send, as with every pair
        up = codec.set_flags(port, IFF_UP, IFF_UP)
        kernel.at(want.place).do(codec.set_master(port, bridge.index), up)
    except OSError:
        _delete_vlan_gateway(kernel, want)
        raise


def _delete_vlan_gateway(kernel: State, want: VlanGateway) -> list[str]:
    try:
        kernel.at(want.place).do(codec.del_link(want.name))
    except OSError as error:
        if error.errno not in ABSENT:
            raise
        return []
    kernel.forget_link(want.place, want.name)
    return [want.name]


def vlan_port(gateway: VlanGateway) -> str:
    """The name of the bridge's end of a VLAN gateway."""
    return hashed(15, "veth", gateway.name)


def _port_vlans(kernel: State, want: PortVlans) -> list[tuple[int, int]]:
    """(flags, id) of the VLANs that a port has."""
    from core.netlink import vlan  # late: only where VLANs are used

    index = kernel.need(want.place, want.link).index
    replies = kernel.at(want.place).ask(vlan.list_vlans())
    own = [payload for _, payload in replies if head("=i", payload, 4)[0] == index]
    return [entry for payload in own for entry in vlan.read_vlans(payload)]


def _find_port_vlans(kernel: State, want: PortVlans) -> PortVlans | None:
    if not kernel.link(want.place, want.link):
        return None
    from core.netlink import vlan  # late: as in _port_vlans

    found = {each: bool(flags & vlan.BRIDGE_VLAN_INFO_PVID) for flags, each in _port_vlans(kernel, want)}
    wanted = dict(want.vlans)
    own_default = {1} if want.keep_default else set[int]()
    extra = tuple(
        [(each, pvid) for each, pvid in found.items() if each not in wanted and each not in own_default]
    )
    return replace(
        want, vlans=tuple([(each, found[each]) for each, _ in want.vlans if each in found]) + extra
    )


def _create_port_vlans(kernel: State, want: PortVlans) -> None:
    from core.netlink import vlan  # late: as in _port_vlans

    index = kernel.need(want.place, want.link).index
    present = [] if want.keep_default else _port_vlans(kernel, want)
    native = vlan.BRIDGE_VLAN_INFO_PVID | vlan.BRIDGE_VLAN_INFO_UNTAGGED
    if present:
        kernel.at(want.place).do(vlan.change(index, [(0, each) for _, each in present], delete=True))
    kernel.at(want.place).do(vlan.change(index, [(native if pvid else 0, each) for each, pvid in want.vlans]))


FIND: dict[type, Any] = {
    Promiscuous: _find_promiscuous,
    Station: _find_station,
    VlanGateway: _find_vlan_gateway,
    PortVlans: _find_port_vlans,
}
CREATE: dict[type, Any] = {
    Promiscuous: _create_promiscuous,
    Station: _create_station,
    VlanGateway: _create_vlan_gateway,
    PortVlans: _create_port_vlans,
}
DELETE: dict[type, Any] = {VlanGateway: _delete_vlan_gateway}
