"""What a fake kernel does with the records of one class, where that is more than to keep them.

HOMES is the one table of it, as each home of the real kernel has its own.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

from core.address import V4, contains, host_prefix
from core.attachment import host_ifnames
from core.errors import GATEWAY_CONFLICT, INVALID_CONFIG, CNIError
from core.kernel.go_suite import ContainerLink
from core.kernel.switching import vlan_port
from core.netlink.link import IFF_PROMISC, IFF_UP
from core.netlink.route import RT_TABLE_MAIN
from core.nft.names import Chain, Element, Elements, Map
from core.plan import records as plain
from core.plan.changed import LinkSettings, TunedSysctl
from core.plan.localnet import LocalnetRouting
from core.plan.opening import Admissions
from core.plan.records import CONTAINER, HOST, Address, Bridge, Gateway, Link, Peer, Port, Route, Sysctl, Up
from core.plan.switching import PortVlans, Promiscuous, Station, VlanGateway
from core.plan.zones import ZoneSource, ZoneSources
from core.record import replace as changed
from tests.harness.fake_kernel.changes import find_settings, find_tuned, keep_settings, keep_tuned
from tests.harness.fake_kernel.world import EEXIST, ENODEV, ENOENT, Key, refuse

Kernel = Any  # tests.harness.fake_kernel.records.Records, which is made with this module


def nothing(_kernel: Kernel, _record: Any) -> None:
    """It needs nothing, and nothing follows from it."""


def identity(kernel: Kernel, record: Any) -> Key:
    """The identity of a record, as its class tells it: what can be there once only."""
    values = {field: getattr(record, field) for field in record.identity}
    if "place" in values:
        values["place"] = kernel.place(values["place"])
    return type(record).__name__, *values.values()


def as_kept(_kernel: Kernel, _record: Any, found: Any) -> Any:
    """What was created is what is found."""
    return found


def itself(_kernel: Kernel, record: Any, _found: Any) -> Any:
    """What is created is what is kept."""
    return record


def forget(kernel: Kernel, record: Any) -> list[Any]:
    """Delete by identity."""
    return [record] if kernel.world.records.pop(kernel.key(record), None) else []


class Home(NamedTuple):
    """key: what can be there once only.
    find: what the real kernel would tell of what is kept, None for nothing.
    need: refuses a record without what has to be there.
    make: what else happens when it is created.
    keep: what is kept then, None for nothing, as where the kernel would have that by itself.
    delete: returns what was there.
    """

    key: Callable[[Kernel, Any], Key] = identity
    find: Callable[[Kernel, Any, Any], Any] = as_kept
    need: Callable[[Kernel, Any], None] = nothing
    make: Callable[[Kernel, Any], None] = nothing
    keep: Callable[[Kernel, Any, Any], Any] = itself
    delete: Callable[[Kernel, Any], list[Any]] = forget


# -- links ---------------------------------------------------------------------------------------------


def make_bridge(kernel: Kernel, record: Bridge) -> None:
    kernel.make_link(HOST, record.name, "bridge", record.mtu)


def find_bridge(kernel: Kernel, record: Bridge, found: Bridge | None) -> Bridge | None:
    link = kernel.link(HOST, record.name)
    if link and link.kind != "bridge":
        what = f"not a bridge but a {link.kind or 'physical'} link"
        raise CNIError(INVALID_CONFIG, f"bridge: {record.name} exists and is {what}")
    filtering = bool(found and found.vlan_filtering and record.vlan_filtering)
    return found and changed(found, mtu=record.mtu, vlan_filtering=filtering)


def make_veth(kernel: Kernel, record: Link) -> None:
    if kernel.link(HOST, record.name) or kernel.link(CONTAINER, record.ifname):
        refuse(EEXIST)
    kernel.make_link(HOST, record.name, "veth", record.mtu, flags=IFF_UP, alias=record.owner)
    kernel.make_link(CONTAINER, record.ifname, "veth", record.mtu, record.data.mac)
    kernel.pair((HOST, record.name), (kernel.place(CONTAINER), record.ifname))


def find_veth(kernel: Kernel, record: Link, found: Link | None) -> Link | None:
    link, inside = kernel.link(HOST, record.name), kernel.link(CONTAINER, record.ifname)
    if not (link and inside and found):
        return None
    if kernel.world.pairs[HOST, record.name] != (kernel.netns, record.ifname):
        return None
    end = Peer(CONTAINER, record.ifname, inside.mac if record.data.mac else b"")
    seen = changed(found, mtu=inside.mtu if record.mtu else 0, data=end)
    return changed(seen, up=link.up, held=record.held)


def delete_veth(kernel: Kernel, record: Link) -> list[Any]:
    may_be = (record.name, *host_ifnames(record.owner))
    links = {name: link for (place, name), link in kernel.world.links.items() if place == HOST}
    mine = [name for name in links if name in may_be and links[name].alias in (record.owner, "")]
    return [gone for name in mine for gone in kernel.delete_link(HOST, name)]


def make_vlan_gateway(kernel: Kernel, record: VlanGateway) -> None:
    kernel.make_link(HOST, record.name, "veth", record.mtu)
    kernel.make_link(HOST, vlan_port(record), "veth", record.mtu)
    kernel.pair((HOST, record.name), (HOST, vlan_port(record)))


def needs_its_bridge(kernel: Kernel, record: Any) -> None:
    kernel.need(HOST, record.bridge)


def delete_named(kernel: Kernel, record: Any) -> list[Any]:
    gone: list[Any] = kernel.delete_link(HOST, record.name)
    return gone


# -- settings of links, and what stands on them --------------------------------------------------------


def needs_its_link(kernel: Kernel, record: Any) -> None:
    kernel.need(record.place, record.link)


def needs_both(kernel: Kernel, record: Port) -> None:
    kernel.need(HOST, record.bridge)
    kernel.need(HOST, record.link)


def needs_its_port(kernel: Kernel, record: Station) -> None:
    kernel.key(Port(record.port, "")) in kernel.world.records or refuse(ENODEV)


def needs_its_folder(kernel: Kernel, record: Sysctl) -> None:
    parts = record.key.split("/")
    if "conf" in parts and parts[3] not in ("all", "default", "lo") and record.required:
        kernel.link(record.place, parts[3]) or refuse(ENOENT)


def make_gateway(kernel: Kernel, record: Gateway) -> None:
    """Only one IPv4 gateway is kept; needs_its_link comes first."""
    mine = [each for each in kernel.world.of(Gateway) if each.link == record.link and each.cidr.family is V4]
    others = [each for each in mine if record.cidr.family is V4 and each.cidr != record.cidr]
    if others and not record.force:
        other = f"{record.link} already has an IP address different from {record.cidr}"
        raise CNIError(GATEWAY_CONFLICT, other)
    for each in others:
        del kernel.world.records[kernel.key(each)]


def find_vlans(kernel: Kernel, record: PortVlans, found: PortVlans | None) -> PortVlans | None:
    """A port begins with VLAN 1."""
    return found or (changed(record, vlans=((1, True),)) if kernel.link(HOST, record.link) else None)


def find_address(_kernel: Kernel, record: Address, found: Address | None) -> Address | None:
    return found and record


def key_of_route(kernel: Kernel, record: Route) -> Key:
    return identity(kernel, changed(record, table=record.table or RT_TABLE_MAIN))


def find_route(kernel: Kernel, record: Route, _found: Route | None) -> Route | None:
    ways = [key[:2] == ("Route", kernel.place(record.place)) for key in kernel.world.records]
    for each in [each for each, is_one in zip(kernel.world.records.values(), ways) if is_one]:
        in_table = record.table in (None, 0, each.table or RT_TABLE_MAIN)
        same_gateway = not record.gateway or not record.dst.prefix_len or record.gateway == each.gateway
        if (record.link, record.dst) == (each.link, each.dst) and in_table and same_gateway:
            return changed(
                record, mtu=each.mtu if record.mtu else 0, advmss=each.advmss if record.advmss else 0
            )
    return None


def way(kernel: Kernel, destination: bytes) -> str:
    """The link behind which *destination* is: the one with a gateway of its network, "" for none."""
    ways = [each.link for each in kernel.world.of(Gateway) if contains(each.cidr, destination)]
    return next(iter(ways), "")


def find_localnet(kernel: Kernel, record: LocalnetRouting, found: Any) -> LocalnetRouting | None:
    return record if found or way(kernel, record.destination) not in record.links else None


# -- the packet filter ---------------------------------------------------------------------------------


def needs_its_table(kernel: Kernel, record: Any) -> None:
    ("Table", record.table) in kernel.world.records or refuse(ENOENT)


def make_maps(kernel: Kernel, record: Chain) -> None:
    kernel.world.records.update({kernel.key(each): each for each in record.maps})


def needs_its_map(kernel: Kernel, record: Element) -> None:
    needed = [("Map", record.table, record.map)]
    needed += [("Chain", record.table, record.chain)] if record.chain else []
    set(needed) <= set(kernel.world.records) or refuse(ENOENT)


def find_element(_kernel: Kernel, record: Element, found: Element | None) -> Element | None:
    if not found:
        return None
    same = (found.data, found.chain) == (record.data, record.chain)
    owner = record.owner if found.holder == record.holder else found.owner
    return changed(found, owner=owner, text=record.text if same else "something else")


def delete_element(kernel: Kernel, record: Element) -> list[Any]:
    found = kernel.world.records.get(kernel.key(record))
    if not found or found.owner != record.owner:
        return []
    gone = [kernel.world.records.pop(kernel.key(record))]
    if record.is_on_demand:
        kernel.sweep()
    return gone


def delete_sources(kernel: Kernel, record: ZoneSources) -> list[Any]:
    """From whatever zone, and then the claims."""
    claims = kernel.elements_of(record.claims)
    kernel.delete(*[ZoneSource("", host_prefix(each.about.address)) for each in claims])
    gone: list[Any] = kernel.delete(*claims)
    return gone


HOMES: dict[type, Home] = {
    Bridge: Home(find=find_bridge, make=make_bridge, delete=delete_named),
    Link: Home(find=find_veth, make=make_veth, delete=delete_veth),
    VlanGateway: Home(
        find=lambda kernel, record, _: record if kernel.link(HOST, record.name) else None,
        need=needs_its_bridge,
        make=make_vlan_gateway,
        delete=delete_named,
    ),
    ContainerLink: Home(delete=lambda kernel, record: kernel.delete_link(CONTAINER, record.ifname)),
    Port: Home(need=needs_both),
    Up: Home(
        need=needs_its_link,
        make=lambda kernel, record: kernel.flag(kernel.place(record.place), record.link, IFF_UP),
    ),
    Promiscuous: Home(
        need=needs_its_link, make=lambda kernel, record: kernel.flag(HOST, record.link, IFF_PROMISC)
    ),
    PortVlans: Home(find=find_vlans, need=needs_its_link),
    Station: Home(need=needs_its_port),
    plain.NoAdvertisements: Home(need=needs_its_link),
    Sysctl: Home(need=needs_its_folder),
    Gateway: Home(need=needs_its_link, make=make_gateway),
    Address: Home(find=find_address, need=needs_its_link),
    Route: Home(key=key_of_route, find=find_route, need=needs_its_link),
    LocalnetRouting: Home(
        key=lambda kernel, record: ("LocalnetRouting", way(kernel, record.destination)), find=find_localnet
    ),
    LinkSettings: Home(find=find_settings, need=needs_its_link, keep=keep_settings),
    TunedSysctl: Home(find=find_tuned, keep=keep_tuned),
    Chain: Home(need=needs_its_table, make=make_maps),
    Map: Home(need=needs_its_table),
    Element: Home(find=find_element, need=needs_its_map, delete=delete_element),
    Admissions: Home(
        find=lambda kernel, record, _: record if kernel.elements_of(record.claims) else None,
        delete=lambda kernel, record: kernel.delete(record.claims),
    ),
    ZoneSources: Home(
        find=lambda kernel, record, _: record if kernel.elements_of(record.claims) else None,
        delete=delete_sources,
    ),
    Elements: Home(
        find=lambda kernel, record, _: record if kernel.elements_of(record) else None,
        delete=lambda kernel, record: [
            gone for each in kernel.elements_of(record) for gone in kernel.delete(each)
        ],
    ),
}
