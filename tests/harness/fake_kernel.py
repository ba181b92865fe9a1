"""A kernel that is a dictionary: it passes the same suite as the real one and fails when a test wants it to.

Law: what a record needs is looked at (its link, its bridge, its table, the chain it jumps to), packets are not.
"""

import errno
import os
from collections.abc import Iterable
from typing import Any, NoReturn, Self

from core.address import FAMILIES, V4, Cidr, Family, contains
from core.attachment import host_ifnames, network_prefix
from core.errors import GATEWAY_CONFLICT, INVALID_CONFIG, CNIError
from core.kernel import witness
from core.kernel.go_suite import ContainerLink
from core.kernel.switching import vlan_port
from core.netlink import link as codec
from core.netlink import route
from core.netlink.link import IF_OPER_UP, IFF_PROMISC, IFF_UP
from core.netlink.message import Message
from core.netlink.route import IFA_F_PERMANENT, RT_TABLE_MAIN
from core.nft.names import Chain, Element, Elements, Map, is_on_demand
from core.nft.rules import members
from core.plan.localnet import LocalnetRouting
from core.plan.records import (
    CONTAINER,
    HOST,
    Address,
    Bridge,
    Gateway,
    Link,
    NoAdvertisements,
    Peer,
    Port,
    Route,
    Sysctl,
    Up,
)
from core.plan.switching import PortVlans, Promiscuous, Station, VlanGateway
from core.record import HEALED, SETTING
from core.record import replace as changed

ENOENT, EEXIST, ENODEV, ENETUNREACH = errno.ENOENT, errno.EEXIST, errno.ENODEV, errno.ENETUNREACH
Key = tuple[Any, ...]
REWRITTEN = (SETTING, HEALED)  # lifecycles of what is written as often as one likes


def refuse(number: int) -> NoReturn:
    raise OSError(number, os.strerror(number))


class World:
    """What several fake kernels share: every record by its identity, and every link by namespace and name.

    fail_at: which create of all fails, counted from 1 and record by record, 0 for none; fail_with: its errno.
    fail_finish: what the kernel does once everything is made, by method: an exception to raise or a value to return.
    """

    def __init__(self) -> None:
        self.records: dict[Key, Any] = {}
        self.links: dict[tuple[str, str], codec.Link] = {}
        self.pairs: dict[tuple[str, str], tuple[str, str]] = {}
        self.calls: list[tuple[Any, ...]] = []
        self.created = 0
        self.fail_at = 0
        self.fail_with = 5
        self.fail_finish: dict[str, Any] = {}
        self.indexes = 1

    def kernel(self, netns: str = "") -> "FakeKernel":
        """What a Request's kernel is: opens a kernel for one namespace. A namespace "/gone..." is not there."""
        if netns.startswith("/gone"):
            raise FileNotFoundError(ENOENT, f"CNI_NETNS: no network namespace at {netns}")
        return FakeKernel(self, netns)

    def state(self) -> dict[Key, Any]:
        """All records, with the links' names: equal states are equal worlds but for MACs and indexes."""
        return {**self.records, "links": sorted(self.links)}  # type: ignore[dict-item]

    def of(self, *types: type) -> list[Any]:
        """The records of some types, in the order of their creation."""
        return [record for record in self.records.values() if isinstance(record, types)]


class FakeKernel:
    """The interface of core.kernel.kernel.Kernel as plugins and apply use it."""

    def __init__(self, world: World, netns: str = "") -> None:
        self.world = world
        self.netns = netns or None
        self.firewall = NoForeignRules()
        self.notes: list[str] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return

    # -- records ------------------------------------------------------------------------------------------------------

    def key(self, record: Any) -> Key:
        """The identity of a record, as its class tells it: what can be there once only."""
        name = type(record).__name__
        if isinstance(record, LocalnetRouting):
            return name, self.way(record.destination)
        values = {field: getattr(record, field) for field in record.identity}
        if "place" in values:
            values["place"] = self.place(values["place"])
        if "table" in values and isinstance(record, Route):
            values["table"] = values["table"] or RT_TABLE_MAIN
        return name, *values.values()

    def place(self, place: str) -> str:
        if place == HOST:
            return HOST
        return self.netns or refuse(ENOENT)

    def way(self, destination: bytes) -> str:
        """The link behind which *destination* is: the one with a gateway of its network, "" for none."""
        return next((each.link for each in self.world.of(Gateway) if contains(each.cidr, destination)), "")

    def find(self, record: Any) -> Any:
        """As the real one: the record with the kernel's own values."""
        if isinstance(record, LocalnetRouting):
            return (
                record
                if self.way(record.destination) not in record.links or self.key(record) in self.world.records
                else None
            )
        if isinstance(record, Elements):
            return record if self.elements_of(record) else None
        if self.netns is None and getattr(record, "place", HOST) == CONTAINER:
            return None
        found = self.world.records.get(self.key(record))
        if isinstance(record, (Bridge, Link, VlanGateway)):
            return self.find_link(record, found)
        if isinstance(record, Route):
            ways = [
                each
                for key, each in self.world.records.items()
                if key[:2] == ("Route", self.place(record.place))
            ]
            return next((self.seen(record, each) for each in ways if self.same_way(record, each)), None)
        if isinstance(record, Element):
            if not found:
                return None
            same = (found.data, found.chain) == (record.data, record.chain)
            owner = record.owner if found.holder == record.holder else found.owner
            return changed(found, owner=owner, text=record.text if same else "something else")
        if isinstance(record, PortVlans) and not found and self.link(HOST, record.link):
            return changed(record, vlans=((1, True),))
        if isinstance(record, Address):
            return found and record
        return found

    def find_link(self, record: Any, found: Any) -> Any:
        link = self.link(HOST, record.name)
        if isinstance(record, Bridge):
            if link and link.kind != "bridge":
                raise CNIError(
                    INVALID_CONFIG,
                    f"bridge: {record.name} exists and is not a bridge but a {link.kind or 'physical'} link",
                )
            return found and changed(
                found, mtu=record.mtu, vlan_filtering=found.vlan_filtering and record.vlan_filtering
            )
        if isinstance(record, Link):
            inside = self.link(CONTAINER, record.ifname)
            if not link or not inside or not isinstance(found, Link):
                return None
            if self.world.pairs[HOST, record.name] != (self.netns, record.ifname):
                return None
            end = Peer(CONTAINER, record.ifname, inside.mac if record.data.mac else b"")
            seen = changed(found, mtu=inside.mtu if record.mtu else 0, data=end)
            return changed(seen, up=link.up, held=record.held)
        return record if link else None

    def same_way(self, want: Route, found: Route) -> bool:
        same = (want.link, want.dst) == (found.link, found.dst)
        same = same and want.table in (None, 0, found.table or RT_TABLE_MAIN)
        return same and (not want.gateway or not want.dst.prefix_len or want.gateway == found.gateway)

    def seen(self, want: Route, found: Route) -> Route:
        return changed(want, mtu=found.mtu if want.mtu else 0, advmss=found.advmss if want.advmss else 0)

    def create(self, *records: Any) -> None:
        """Create a batch; an nft batch as a whole or not at all, of any other what was not refused."""
        before = dict(self.world.records)
        refusal: OSError | None = None
        for record in records:
            try:
                self.create_one(record)
            except OSError as error:
                error.record = record  # type: ignore[attr-defined]
                refusal = refusal or error
        if refusal:
            if records[0].atomic:
                self.world.records = before
            raise refusal

    def create_one(self, record: Any) -> None:
        world = self.world
        world.created += 1
        if world.created == world.fail_at:
            refuse(world.fail_with)
        world.calls.append(("create", record))
        key = self.key(record)
        if isinstance(record, Gateway):
            self.clear_gateway(record)
        if key in world.records and record.lifecycle not in REWRITTEN:
            refuse(EEXIST)
        self.need_what_it_needs(record)
        self.make_links(record)
        world.records[key] = record
        if isinstance(record, Chain):
            world.records.update({self.key(each): each for each in record.maps})

    def clear_gateway(self, record: Gateway) -> None:
        others = [
            each for each in self.world.of(Gateway) if each.link == record.link and each.cidr.family is V4
        ]
        others = [each for each in others if record.cidr.family is V4 and each.cidr != record.cidr]
        if others and not record.force:
            raise CNIError(
                GATEWAY_CONFLICT, f"{record.link} already has an IP address different from {record.cidr}"
            )
        for each in others:
            del self.world.records[self.key(each)]

    def need_what_it_needs(self, record: Any) -> None:
        match record:
            case VlanGateway():
                self.need(HOST, record.bridge)
            case Port():
                self.need(HOST, record.bridge)
                self.need(HOST, record.link)
            case Up():
                self.need(record.place, record.link)
            case Promiscuous() | PortVlans() | Gateway() | NoAdvertisements():
                self.need(HOST, record.link)
            case Station():
                self.key(Port(record.port, "")) in self.world.records or refuse(ENODEV)
            case Address() | Route():
                self.need(CONTAINER, record.link)
            case Sysctl():
                parts = record.key.split("/")
                if "conf" in parts and parts[3] not in ("all", "default", "lo") and record.required:
                    self.link(record.place, parts[3]) or refuse(ENOENT)
            case Chain() | Map():
                ("Table", record.table) in self.world.records or refuse(ENOENT)
            case Element():
                ("Map", record.table, record.map) in self.world.records or refuse(ENOENT)
                not record.chain or ("Chain", record.table, record.chain) in self.world.records or refuse(
                    ENOENT
                )

    def make_links(self, record: Any) -> None:
        match record:
            case Bridge():
                self.make_link(HOST, record.name, "bridge", record.mtu)
            case VlanGateway():
                self.make_link(HOST, record.name, "veth", record.mtu)
                self.make_link(HOST, vlan_port(record), "veth", record.mtu)
                self.pair((HOST, record.name), (HOST, vlan_port(record)))
            case Link():
                if self.link(HOST, record.name) or self.link(CONTAINER, record.ifname):
                    refuse(EEXIST)
                self.make_link(HOST, record.name, "veth", record.mtu, flags=IFF_UP, alias=record.owner)
                self.make_link(CONTAINER, record.ifname, "veth", record.mtu, record.data.mac)
                self.pair((HOST, record.name), (self.place(CONTAINER), record.ifname))
            case Up():
                self.flag(self.place(record.place), record.link, IFF_UP)
            case Promiscuous():
                self.flag(HOST, record.link, IFF_PROMISC)

    def pair(self, one: tuple[str, str], other: tuple[str, str]) -> None:
        self.world.pairs |= {one: other, other: one}

    def make_link(
        self, place: str, name: str, kind: str, mtu: int, mac: bytes = b"", flags: int = 0, alias: str = ""
    ) -> None:
        if self.link(place, name):
            refuse(EEXIST)
        self.world.indexes += 1
        mac = mac or b"\x02\0\0\0" + self.world.indexes.to_bytes(2, "big")
        index, size = self.world.indexes, mtu or 1500
        self.world.links[self.place(place), name] = codec.Link(
            index, name, flags, mac, size, 0, 0, IF_OPER_UP, alias, kind, 0, {}, {}
        )

    def flag(self, place: str, name: str, bit: int) -> None:
        link = self.world.links[place, name]
        self.world.links[place, name] = changed(link, flags=link.flags | bit)

    def delete(self, *records: Any) -> list[Any]:
        """As the real one: absent is success, and a link takes along what stands on it."""
        return [gone for record in records for gone in self.delete_one(record)]

    def delete_one(self, record: Any) -> list[Any]:
        self.world.calls.append(("delete", record))
        match record:
            case Elements():
                return [gone for each in self.elements_of(record) for gone in self.delete(each)]
            case ContainerLink():
                return self.delete_link(CONTAINER, record.ifname)
            case Link():
                names = [
                    name
                    for place, name in self.world.links
                    if place == HOST and name in (record.name, *host_ifnames(record.owner))
                ]
                mine = [name for name in names if self.world.links[HOST, name].alias in (record.owner, "")]
                return [gone for name in mine for gone in self.delete_link(HOST, name)]
            case Bridge() | VlanGateway():
                return self.delete_link(HOST, record.name)
            case Element():
                found = self.world.records.get(self.key(record))
                if not found or found.owner != record.owner:
                    return []
                gone = [self.world.records.pop(self.key(record))]
                if record.is_on_demand:
                    self.sweep()
                return gone
        found = self.world.records.pop(self.key(record), None)
        return [record] if found else []

    def delete_link(self, place: str, name: str) -> list[Any]:
        """A link with its other end and all that stands on them."""
        if not self.link(place, name):
            return []
        world, at = self.world, (self.place(place), name)
        gone = {at, world.pairs.get(at, at)}
        world.links = {where: link for where, link in world.links.items() if where not in gone}
        world.pairs = {where: peer for where, peer in world.pairs.items() if where not in gone}
        world.records = {key: each for key, each in world.records.items() if not self.stands_on(key, gone)}
        return [name]

    def stands_on(self, key: Key, gone: set[tuple[str, str]]) -> bool:
        """Whether a record is gone with its link: nearly all have the link's place and name behind their kind."""
        if key[0] == "Sysctl":
            return any((key[1], part) in gone for part in key[2].split("/"))
        return key[1:3] in gone

    def restore(self, before: Any) -> None:
        """As the real one."""
        self.delete(before.record) if before.found is None else self.create(before.found)

    def replace(self, stale: list[Any], batch: list[Any]) -> None:
        """As the real one: all of it or nothing."""
        before = dict(self.world.records)
        try:
            for record in stale:
                self.world.records.pop(self.key(record), None) or refuse(ENOENT)
            self.create(*batch)
        except OSError:
            self.world.records = before
            raise

    def stands(self, shared: list[Any]) -> bool:
        """As the real one: whether all that is shared is as it is meant."""
        return all(self.find(member) == member for each in shared for member in members(each))

    def is_as_made(self, shared: Any) -> bool:
        """As the real one."""
        return self.stands([shared])

    def sweep(self) -> None:
        """As the real one: chains that only some need, and nobody any more, go with their maps."""
        for chain in [each for each in self.world.of(Chain) if is_on_demand(each.name)]:
            maps = [each.name for each in chain.maps]
            if not any(each.chain == chain.name or each.map in maps for each in self.world.of(Element)):
                for record in (chain, *chain.maps):
                    self.world.records.pop(self.key(record), None)

    def owned(self, network: str, kinds: Iterable[Any]) -> list[tuple[str, Any]]:
        """(owner, record) of what a network's attachments own."""
        prefix = network_prefix(network)
        found: list[tuple[str, Any]] = []
        for kind in kinds:
            if kind is Link:
                mine = [each for each in self.world.of(Link) if each.owner.startswith(prefix)]
                found += [(each.owner, Link(HOST, each.name, each.kind, each.owner)) for each in mine]
                continue
            found += [
                (each.holder, each) for each in self.elements_of(kind) if each.holder.startswith(prefix)
            ]
        return found

    def standing(self, wanted: list[Element]) -> list[Element | None]:
        """What stands under the key of each element."""
        return [self.find(each) for each in wanted]

    def elements_of(self, kind: Elements) -> list[Element]:
        """The elements that carry an owner, or any."""
        elements = [each for each in self.world.of(Element) if each.table == kind.table]
        mine = [each for each in elements if each.map.startswith(kind.prefixes)]
        return [changed(each, text="") for each in mine if kind.owner in ("", each.holder)]

    # -- links --------------------------------------------------------------------------------------------------------

    def link(self, place: str, name: str) -> codec.Link | None:
        if place == CONTAINER and self.netns is None:
            return None
        return self.world.links.get((self.place(place), name))

    def need(self, place: str, name: str) -> codec.Link:
        return self.link(place, name) or refuse(ENODEV)

    def port_of(self, owner: str) -> tuple[str, str]:
        found = {name: self.link(HOST, name) for name in host_ifnames(owner)}
        mine = [name for name, link in found.items() if link and link.alias == owner]
        return (mine or [""])[0], ([name for name, link in found.items() if not link] or [""])[0]

    def teaches_routes(self, name: str) -> bool:
        return False

    def addresses(self, place: str, name: str) -> list[tuple[Cidr, int, int]]:
        self.need(place, name)
        where = self.place(place), name
        present = [
            key for key in self.world.records if key[0] in ("Address", "Gateway") and key[1:3] == where
        ]
        return [(key[3], 0, IFA_F_PERMANENT) for key in present]

    def at(self, place: str) -> "Ways":
        return Ways(self)

    def forget_link(self, place: str, name: str) -> None:
        return

    def look(self, place: str, *names: str) -> None:
        return

    def is_gone(self, comment: str) -> bool:
        return witness.is_gone(self, comment)

    # -- once everything is made --------------------------------------------------------------------------------------

    def port_is_up(self, name: str) -> bool:
        return bool(self.finish("port_is_up", True, name))

    def addresses_settle(self, name: str) -> bool:
        return bool(self.finish("addresses_settle", True, name))

    def has_joined_groups(self, place: str, name: str, addresses: list[bytes]) -> bool:
        return bool(self.finish("has_joined_groups", True, place, name, tuple(addresses)))

    def announce(self, ifname: str, mac: bytes, addresses: list[bytes], bridge: str) -> None:
        self.need(HOST, bridge)
        self.finish("announce", None, ifname, mac, tuple(addresses), bridge)

    def forget_flows(self, family: Family, ports: set[int]) -> int:
        return int(self.finish("forget_flows", 0, family, frozenset(ports)))

    def probe_firewall(self) -> None:
        self.finish("probe_firewall", None)

    def finish(self, method: str, usual: Any, *arguments: Any) -> Any:
        self.world.calls.append((method, *arguments))
        wanted = self.world.fail_finish.get(method, usual)
        if isinstance(wanted, BaseException):
            raise wanted
        return wanted


class Ways:
    """A container's rtnetlink socket that knows of routes, and answers in the kernel's words: a route is told as it is made."""

    def __init__(self, kernel: FakeKernel) -> None:
        self.kernel = kernel

    def ask(self, message: Message) -> list[tuple[int, bytes]]:
        af, prefix_len = message.payload[:2]
        family = next(each for each in FAMILIES if each.af == af)
        wanted = [
            each for key, each in self.kernel.world.records.items() if key[:2] == ("Route", self.kernel.netns)
        ]
        wanted = [
            each for each in wanted if each.dst.family is family and not (prefix_len and each.dst.prefix_len)
        ]
        if prefix_len and not wanted:
            refuse(ENETUNREACH)
        paths = [
            (self.kernel.need(CONTAINER, each.link).index, route.Path(each.dst, each.gateway, each.table))
            for each in wanted
        ]
        return [(route.RTM_NEWROUTE, route.new_route(index, path).payload) for index, path in paths]

    def ask_all(self, messages: tuple[Message, ...]) -> list[tuple[list[tuple[int, bytes]], OSError | None]]:
        return [(self.ask(message), None) for message in messages]


class NoForeignRules:
    """A netfilter socket on which nothing of the Go plugins is to be found."""

    @property
    def socket(self) -> Self:
        return self

    def ask(self, message: object) -> NoReturn:
        refuse(ENOENT)

    def has_table(self, family: str, name: str) -> bool:
        return False
