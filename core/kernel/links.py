"""Bridges, virtual links and bridge ports as a kernel's records.

How each is found, created, deleted, and listed by owner.
"""

from __future__ import annotations

from core import system
from core.attachment import OWNER_BITS, host_ifnames, network_prefix, newborn_group
from core.errors import INVALID_CONFIG, CNIError
from core.kernel.state import ABSENT
from core.netlink import link as codec
from core.netlink.link import (
    IFF_UP,
    IFLA_BR_VLAN_FILTERING,
    IFLA_BRPORT_ISOLATED,
    IFLA_BRPORT_LEARNING,
    IFLA_BRPORT_MODE,
)
from core.plan.records import HOST, Bridge, Link, Peer, Port
from core.record import replace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from core.kernel.state import State


def _find_bridge(kernel: State, want: Bridge) -> Bridge | None:
    found = kernel.link(want.place, want.name)
    if found is None:
        return None
    if found.kind != "bridge":
        it_is = f"not a bridge but a {found.kind or 'physical'} link"
        raise CNIError(INVALID_CONFIG, f"bridge: {want.name} exists and is {it_is}")
    filtering = found.data.get(IFLA_BR_VLAN_FILTERING) == b"\1" if want.vlan_filtering else False
    return replace(want, vlan_filtering=filtering)


def _create_bridge(kernel: State, want: Bridge) -> None:
    mac = system.drawn_mac()
    kernel.at(want.place).do(codec.new_bridge(want.name, want.mtu, mac, want.vlan_filtering))


def _find_link(kernel: State, want: Link) -> Link | None:
    found = kernel.link(want.place, want.name)
    if found is None or found.kind != want.kind:
        return None
    up = found.up or (want.held and not found.master)  # it has not come up yet
    seen = replace(want, owner=found.alias, mac=found.mac if want.mac else b"", up=up == want.up)
    if want.kind != "veth":
        parent = kernel.link(want.parent_place, want.parent) if want.parent else None
        if want.parent and (parent is None or parent.index != found.peer):
            return None
        from core.netlink import virtual  # late: the usual link is a veth

        data = tuple([(key, virtual.read_data(found, key)) for key, _ in want.data])
        return replace(seen, mtu=found.mtu if want.mtu else 0, data=data)
    peer = kernel.link(want.data.place, want.data.name)
    if peer is None or found.peer != peer.index or peer.peer != found.index:
        return None
    end = Peer(want.data.place, peer.name, peer.mac if want.data.mac else b"")
    return replace(seen, mtu=peer.mtu if want.mtu else 0, data=end)


def _create_link(kernel: State, want: Link) -> None:
    """One record is made whole or not at all, though no kernel takes an alias at creation."""
    flags = IFF_UP if want.up and not want.held else 0
    group = newborn_group(want.owner)
    if want.kind == "veth":
        end = want.data
        netns = kernel.netns if end.place != want.place else None
        made = codec.new_veth(want.name, end.name, netns, 0, want.mtu, end.mac, group, flags)
        kernel.at(want.place).do(made)
        kernel.forget_link(end.place, end.name)
    else:
        from core.netlink import virtual  # late: as above

        parent = kernel.need(want.parent_place, want.parent).index if want.parent else 0
        start = want.parent_place if want.parent else want.place
        netns = kernel.netns if start != want.place else None
        options = virtual.write_data(want.kind, want.data)
        made = virtual.new_link(want.name, want.kind, options, parent, netns, want.mtu, want.mac, group)
        kernel.at(start).do(made)
    kernel.forget_link(want.place, want.name)
    # Not in one send: where the first is refused, a link of that name is another's, and not ours to change.
    try:
        alias = codec.set_alias(want.name, want.owner)
        brought_up = () if want.kind == "veth" or not flags else (codec.set_flags(want.name, flags, flags),)
        kernel.at(want.place).do(alias, *brought_up)
    except OSError:
        _delete_owned(kernel, want)
        raise


def _find_port(kernel: State, want: Port) -> Port | None:
    found = kernel.link(want.place, want.link)
    if found is None or not found.master:
        return None
    switches = (IFLA_BRPORT_MODE, IFLA_BRPORT_LEARNING, IFLA_BRPORT_ISOLATED)
    hairpin, learning, isolated = [found.port.get(kind) == b"\1" for kind in switches]
    bridge = _master(kernel, want, found.master)
    return replace(want, bridge=bridge, hairpin=hairpin, isolated=isolated, learning=learning)


def _master(kernel: State, want: Port, index: int) -> str:
    """The name of the bridge with *index*; the wanted one is known already, as a rule."""
    bridge = kernel.link(want.place, want.bridge)
    if bridge and bridge.index == index:
        return want.bridge
    return codec.read_link(kernel.at(want.place).ask(codec.get_link_at(index))[0][1]).name


def _create_port(kernel: State, want: Port) -> None:
    master = kernel.need(want.place, want.bridge).index
    flags = codec.set_port(want.link, want.hairpin, want.isolated, want.learning)
    up = codec.set_flags(want.link, IFF_UP, IFF_UP)
    kernel.at(want.place).do(codec.set_master(want.link, master), flags, up)
    kernel.forget_link(want.place, want.link)


def is_of(link: codec.Link, owner: str) -> bool:
    """Whether a virtual link carries the mark of *owner*: its alias, or its group while it has none.

    "net/" stands for all of the network. A physical link that was moved into a container has an alias, too,
    and is never ours to delete.
    """
    if not link.kind:
        return False
    group = newborn_group(owner)
    born = link.group >> OWNER_BITS == group >> OWNER_BITS if owner.endswith("/") else link.group == group
    return link.alias == owner or (born and not link.alias)


def port_of(kernel: State, owner: str) -> tuple[str, str]:
    """The name of an owner's host veth, and the first free one that it may have; "" for none.

    Raises OSError.
    """
    names = host_ifnames(owner)
    kernel.look(HOST, *names)
    found = {name: kernel.links.get((HOST, name)) for name in names}
    mine = [name for name, link in found.items() if link and is_of(link, owner)]
    return (mine or [""])[0], ([name for name in names if not found[name]] or [""])[0]


def _delete_owned(kernel: State, want: Link) -> list[str]:
    """Delete the owner's link by its index.

    Under one of the names that it may have there can be somebody else's link.

    Raises OSError.
    """
    others = host_ifnames(want.owner) if want.place == HOST and want.kind == "veth" else ()
    names = tuple(dict.fromkeys([want.name, *others]))
    kernel.look(want.place, *names)
    gone = []
    for name in names:
        link = kernel.links.get((want.place, name))
        if link and is_of(link, want.owner):
            if _delete_at(kernel, want.place, link.index):
                gone.append(name)
            kernel.forget_link(want.place, name)
    return gone


def _delete_at(kernel: State, place: str, index: int) -> bool:
    """Delete a link by its index; whether it was there. Raises OSError."""
    try:
        kernel.at(place).do(codec.del_link(index=index))
    except OSError as error:
        if error.errno not in ABSENT:
            raise
        return False
    return True


def delete_link(kernel: State, name: str, place: str = HOST) -> list[str]:
    """Delete a link by name; absent is success. Returns its name if it was there. Raises OSError."""
    try:
        kernel.at(place).do(codec.del_link(name))
    except OSError as error:
        if error.errno not in ABSENT:
            raise
        return []
    kernel.forget_link(place, name)
    return [name]


def owned(kernel: State, _kind: type, network: str) -> list[tuple[str, Link]]:
    """(owner, Link) of every virtual link of a network in the host, by its alias. Raises OSError.

    One that was never finished has no alias: its owner is "", and its Link names the network alone.
    """
    prefix = network_prefix(network)
    found = [codec.read_link(payload) for _, payload in kernel.at(HOST).ask(codec.list_links())]
    finished = [link for link in found if link.kind and link.alias.startswith(prefix)]
    mine = finished + [
        link for link in found if link.name.startswith("veth") and not link.alias and is_of(link, prefix)
    ]
    return [(link.alias, Link(HOST, link.name, link.kind, link.alias or prefix)) for link in mine]


FIND: dict[type, Any] = {Bridge: _find_bridge, Port: _find_port, Link: _find_link}
CREATE: dict[type, Any] = {Bridge: _create_bridge, Port: _create_port, Link: _create_link}
DELETE: dict[type, Any] = {
    Bridge: lambda kernel, want: delete_link(kernel, want.name, want.place),
    Link: _delete_owned,
}
