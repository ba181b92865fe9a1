"""A kernel that is a dictionary: it passes the same suite as the real one and fails when a test wants it to.

Law: what a record needs has to be there (its link, its bridge, its table, the chain it jumps to).
Packets are not simulated.
"""

from typing import Any, Self

from core.address import Family
from core.kernel import witness
from core.nft.names import Chain, Element, is_on_demand
from core.nft.rules import members
from core.plan.records import HOST
from core.record import CHANGED, HEALED, SETTING
from tests.harness.fake_kernel.records import Records, home
from tests.harness.fake_kernel.sockets import NoForeignRules, Ways
from tests.harness.fake_kernel.world import EEXIST, ENOENT, World, refuse

REWRITTEN = (SETTING, HEALED, CHANGED)  # lifecycles of what is written as often as one likes


class FakeKernel(Records):
    """The interface of core.kernel.kernel.Kernel as plugins and apply use it."""

    def __init__(self, world: World, netns: str = "") -> None:
        super().__init__(world, netns)
        self.netfilter = NoForeignRules()
        self.notes: list[str] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return

    def create(self, *records: Any) -> None:
        """Create a batch; an nft batch as a whole or not at all, of any other what was not refused."""
        before = dict(self.world.records)
        refusal: OSError | None = None
        made = list[Any]()
        for record in records:
            try:
                self.create_one(record)
                made.append(record)
            except OSError as error:
                error.record = record  # type: ignore[attr-defined]
                refusal = refusal or error
        if refusal:
            if records[0].atomic:
                self.world.records = before
            else:
                refusal.made = made  # type: ignore[attr-defined]
            raise refusal

    def create_one(self, record: Any) -> None:
        world = self.world
        world.created += 1
        if world.created == world.fail_at:
            refuse(world.fail_with)
        world.calls.append(("create", record))
        key = self.key(record)
        if key in world.records and record.lifecycle not in REWRITTEN:
            refuse(EEXIST)
        home(record).need(self, record)
        home(record).make(self, record)
        kept = home(record).keep(self, record, world.records.get(key))
        if kept is None:
            world.records.pop(key, None)
        else:
            world.records[key] = kept

    def delete(self, *records: Any) -> list[Any]:
        """As the real one: absent is success, and a link takes along what stands on it."""
        return [gone for record in records for gone in self.delete_one(record)]

    def delete_one(self, record: Any) -> list[Any]:
        self.world.calls.append(("delete", record))
        return home(record).delete(self, record)

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

    def at(self, place: str) -> Ways:
        return Ways(self)

    def is_gone(self, comment: str) -> bool:
        return witness.is_gone(self, comment)

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

    def runs_firewalld(self) -> bool:
        return self.world.runs_firewalld

    def probe_filter(self) -> None:
        self.finish("probe_filter", None)

    def probe_iptables(self) -> None:
        self.finish("probe_iptables", None)

    def need_room(self, *_: object) -> None:
        self.finish("need_room", None)

    def legacy_families(self, table: str) -> list[str]:
        return []

    def gc_iptables(self, *_: object) -> list[Any]:
        return []

    def finish(self, method: str, usual: Any, *arguments: Any) -> Any:
        self.world.calls.append((method, *arguments))
        wanted = self.world.fail_finish.get(method, usual)
        if isinstance(wanted, BaseException):
            raise wanted
        return wanted
