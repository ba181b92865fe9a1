"""Bridges, veth pairs and bridge ports as a kernel's records: how each is found, created and deleted.

Every function takes the State first; core.kernel.kernel calls them by the record's type.
"""

from __future__ import annotations

from core import system
from core.attachment import OWNER_BITS, hashed, host_ifnames, network_prefix, newborn_group
from core.errors import INVALID_CONFIG, CNIError
from core.kernel.state import ABSENT
from core.netlink import route
from core.netlink.message import head
from core.netlink.route import IFF_PROMISC, IFF_UP
from core.plan.records import CONTAINER, HOST, Bridge, Port, PortVlans, Promiscuous, Station, Up, Veth, VlanGateway
from core.record import replace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from core.kernel.state import State
    from core.netlink.route import Link


def _find_bridge(kernel: State, want: Bridge) -> Bridge | None:
    found = kernel.link(HOST, want.name)
    if found is None:
        return None
    if found.kind != "bridge":
        raise CNIError(INVALID_CONFIG, f"bridge: {want.name} exists and is not a bridge but a {found.kind or 'physical'} link")
    return Bridge(want.name, want.mtu, found.data.get(7) == b"\1" if want.vlan_filtering else False)


def _create_bridge(kernel: State, want: Bridge) -> None:
    mac = system.drawn_mac()
    kernel.at(HOST).do(route.new_bridge(want.name, want.mtu, mac, want.vlan_filtering))


def _find_up(kernel: State, want: Up) -> Up | None:
    found = kernel.link(want.place, want.link)
    return want if found and found.up else None


def _find_promiscuous(kernel: State, want: Promiscuous) -> Promiscuous | None:
    found = kernel.link(HOST, want.link)
    return want if found and found.flags & IFF_PROMISC else None


def _create_promiscuous(kernel: State, want: Promiscuous) -> None:
    kernel.at(HOST).do(route.set_flags(want.link, IFF_PROMISC, IFF_PROMISC))
    kernel.forget_link(HOST, want.link)


def _find_veth(kernel: State, want: Veth) -> Veth | None:
    host, inside = kernel.link(HOST, want.name), kernel.link(CONTAINER, want.ifname)
    if host is None or inside is None or host.kind != "veth" or host.peer != inside.index or inside.peer != host.index:
        return None
    up = host.up or (want.held and not host.master)  # it has not come up yet
    return Veth(host.name, inside.name, host.alias, inside.mtu if want.mtu else 0, inside.mac if want.mac else b"", up, want.held)


def _find_port(kernel: State, want: Port) -> Port | None:
    found = kernel.link(HOST, want.link)
    if found is None or not found.master:
        return None
    hairpin, learning, isolated = [found.port.get(kind) == b"\1" for kind in (4, 8, 33)]
    return Port(want.link, _master(kernel, found.master, want.bridge), hairpin, isolated, learning)


def _master(kernel: State, index: int, likely: str) -> str:
    """The name of the bridge with *index*; the *likely* one is known already, as a rule."""
    bridge = kernel.link(HOST, likely)
    if bridge and bridge.index == index:
        return likely
    return route.link(kernel.at(HOST).ask(route.get_link_at(index))[0][1]).name


def _create_veth(kernel: State, want: Veth) -> None:
    group = newborn_group(want.owner)
    flags = 0 if want.held else IFF_UP
    kernel.at(HOST).do(route.new_veth(want.name, want.ifname, kernel.netns, 0, want.mtu, want.mac, group, flags))
    kernel.forget_link(HOST, want.name)
    kernel.forget_link(CONTAINER, want.ifname)
    try:  # not in one send: the first may be refused because of another's link of that name, which is not ours to change
        kernel.at(HOST).do(route.set_alias(want.name, want.owner))
    except OSError:  # one record, all or nothing
        delete_veth(kernel, want)
        raise


def is_of(link: Link, owner: str) -> bool:
    """Whether a host veth carries the mark of *owner*: its alias, or its group while it has none. "net/" stands for all of the network."""
    group = newborn_group(owner)
    born = link.group >> OWNER_BITS == group >> OWNER_BITS if owner.endswith("/") else link.group == group
    return link.alias == owner or (born and not link.alias and link.kind == "veth")


def port_of(kernel: State, owner: str) -> tuple[str, str]:
    """The name of an owner's host veth, "" for none; and the first of the names that it may have which is free, "" for none. Raises OSError."""
    names = host_ifnames(owner)
    kernel.look(HOST, *names)
    found = {name: kernel.links.get((HOST, name)) for name in names}
    mine = [name for name, link in found.items() if link and is_of(link, owner)]
    return (mine or [""])[0], ([name for name in names if not found[name]] or [""])[0]


def delete_veth(kernel: State, want: Veth) -> list[str]:
    """Delete the host veth that is the owner's, by its index: under a name that it may have there can be somebody else's. Raises OSError."""
    names = tuple(dict.fromkeys([want.name, *host_ifnames(want.owner)]))
    kernel.look(HOST, *names)
    gone = []
    for link in [link for name in names if (link := kernel.links.get((HOST, name))) and is_of(link, want.owner)]:
        try:
            kernel.at(HOST).do(route.del_link(index=link.index))
            gone.append(link.name)
        except OSError as error:
            if error.errno not in ABSENT:
                raise
        kernel.forget_link(HOST, link.name)
    return gone


def _create_port(kernel: State, want: Port) -> None:
    master = kernel.need(HOST, want.bridge).index
    flags = route.set_port(want.link, want.hairpin, want.isolated, want.learning)
    kernel.at(HOST).do(route.set_master(want.link, master), flags, route.set_flags(want.link, IFF_UP, IFF_UP))
    kernel.forget_link(HOST, want.link)


def _find_station(kernel: State, want: Station) -> Station | None:
    port = kernel.link(HOST, want.port)
    if port is None or not port.master:
        return None
    from core.netlink import vlan  # late: only CHECK of a port that does not learn

    return want if (port.index, want.mac) in [vlan.station(payload) for _, payload in kernel.at(HOST).ask(vlan.stations(port.master))] else None


def _create_station(kernel: State, want: Station) -> None:
    from core.netlink import vlan  # late: only for a port that does not learn

    kernel.at(HOST).do(vlan.new_station(kernel.need(HOST, want.port).index, want.mac))


def _find_vlan_gateway(kernel: State, want: VlanGateway) -> VlanGateway | None:
    return want if kernel.link(HOST, want.name) else None


def _create_vlan_gateway(kernel: State, want: VlanGateway) -> None:
    """The bridge's end is the peer, which the kernel makes first: its index is one less, as with the reference."""
    bridge, port = kernel.need(HOST, want.bridge), vlan_port(want)
    kernel.at(HOST).do(route.new_veth(want.name, port, None, 0, want.mtu or bridge.mtu, b"", flags=0))
    try:  # not in one send, as with every pair
        kernel.at(HOST).do(route.set_master(port, bridge.index), route.set_flags(port, IFF_UP, IFF_UP))
    except OSError:
        delete_link(kernel, want.name)
        raise


def vlan_port(gateway: VlanGateway) -> str:
    """The name of the bridge's end of a VLAN gateway."""
    return hashed(15, "veth", gateway.name)


def delete_link(kernel: State, name: str, place: str = HOST) -> list[str]:
    """Delete a link by name; absent is success. Returns its name if it was there. Raises OSError."""
    try:
        kernel.at(place).do(route.del_link(name))
    except OSError as error:
        if error.errno not in ABSENT:
            raise
        return []
    kernel.forget_link(place, name)
    return [name]


def _port_vlans(kernel: State, name: str) -> list[tuple[int, int]]:
    from core.netlink import vlan  # late: only where VLANs are used

    index = kernel.need(HOST, name).index
    replies = kernel.at(HOST).ask(vlan.get())
    return [entry for _, payload in replies if head("=i", payload, 4)[0] == index for entry in vlan.entries(payload)]


def _find_port_vlans(kernel: State, want: PortVlans) -> PortVlans | None:
    if not kernel.link(HOST, want.link):
        return None
    from core.netlink.vlan import PVID  # late: as in _port_vlans

    found = {each: bool(flags & PVID) for flags, each in _port_vlans(kernel, want.link)}
    wanted = dict(want.vlans)
    extra = tuple([(each, pvid) for each, pvid in found.items() if each not in wanted and not (want.keep_default and each == 1)])
    return replace(want, vlans=tuple([(each, found[each]) for each, _ in want.vlans if each in found]) + extra)


def _create_port_vlans(kernel: State, want: PortVlans) -> None:
    from core.netlink import vlan  # loaded already, with what was there before

    index = kernel.need(HOST, want.link).index
    present = [] if want.keep_default else _port_vlans(kernel, want.link)
    added = [(vlan.PVID | vlan.UNTAGGED if pvid else 0, each) for each, pvid in want.vlans]
    if present:
        kernel.at(HOST).do(vlan.change(index, [(0, each) for _, each in present], delete=True))
    kernel.at(HOST).do(vlan.change(index, added))


def owned(kernel: State, network: str) -> list[tuple[str, Veth]]:
    """(owner, Veth) of every host veth of a network; owner "" of one that was never finished, whose Veth names the network alone. Raises OSError."""
    prefix = network_prefix(network)
    found = [route.link(payload) for _, payload in kernel.at(HOST).ask(route.list_links())]
    veths = [link for link in found if link.kind == "veth"]
    mine = [link for link in veths if link.alias.startswith(prefix) or (link.name.startswith("veth") and is_of(link, prefix))]
    return [(link.alias, Veth(link.name, "", link.alias or prefix)) for link in mine]


FIND: dict[type, Any] = {
    Bridge: _find_bridge,
    Up: _find_up,
    Promiscuous: _find_promiscuous,
    Veth: _find_veth,
    Port: _find_port,
    Station: _find_station,
    VlanGateway: _find_vlan_gateway,
    PortVlans: _find_port_vlans,
}
CREATE: dict[type, Any] = {
    Bridge: _create_bridge,
    Promiscuous: _create_promiscuous,
    Veth: _create_veth,
    Port: _create_port,
    Station: _create_station,
    VlanGateway: _create_vlan_gateway,
    PortVlans: _create_port_vlans,
}
DELETE: dict[type, Any] = {
    Veth: delete_veth,
    Bridge: lambda kernel, want: delete_link(kernel, want.name),
    VlanGateway: lambda kernel, want: delete_link(kernel, want.name),
}
