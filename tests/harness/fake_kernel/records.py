"""The records of a fake kernel: which one is which, what each needs, and how it is found again."""

from collections.abc import Iterable
from typing import Any

from core.address import V4, contains
from core.attachment import network_prefix
from core.errors import GATEWAY_CONFLICT, INVALID_CONFIG, CNIError
from core.netlink.route import RT_TABLE_MAIN
from core.nft.names import Chain, Element, Elements, Map
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
from core.record import replace as changed
from tests.harness.fake_kernel.links import Links
from tests.harness.fake_kernel.world import ENODEV, ENOENT, Key, refuse


class Records(Links):
    """What one fake kernel knows of records, and what the real one would tell of them."""

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
