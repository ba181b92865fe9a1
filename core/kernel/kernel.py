"""The real kernel: how each record of a plan is found, created, deleted and listed by owner.

A record names the module that knows its kind (its home), which is imported at first use: a plugin loads what
its own records need. A home has tables by type of record: FIND, CREATE and, where DEL or rollback deletes it,
DELETE; and owned(), where GC lists it.
"""

from __future__ import annotations

import sys

from core import system
from core.errors import NOT_AVAILABLE, CNIError
from core.kernel.state import State

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import ModuleType
    from typing import Any

    from core.netlink.link import Link
    from core.nft.names import Element, Elements
    from core.publication import Mapping


def home(kind: Any) -> ModuleType:
    """The module that knows a record, or all records of a class."""
    return sys.modules.get(kind.home) or __import__(kind.home, None, None, ("FIND",))


class Kernel(State):
    """What core.plan.apply asks of a kernel."""

    def find(self, record: Any) -> Any:
        """The kernel's counterpart of *record* with the kernel's values; None for none. Raises OSError."""
        return home(record).FIND[type(record)](self, record)

    def create(self, *records: Any) -> None:
        """Create the records of one batch exclusively, or write one setting.

        Raises OSError; its attribute record names the one refused, its attribute made what was made all the
        same.
        """
        home(records[0]).CREATE[type(records[0])](self, *records)

    def delete(self, *records: Any) -> list[Any]:
        """Delete by identity, of elements many at once; absent is success. Returns what was there.

        Raises OSError.
        """
        gone: list[Any] = home(records[0]).DELETE[type(records[0])](self, *records)
        return gone

    def restore(self, before: Any) -> None:
        """Write back what was there before a record was written. Raises OSError.

        before: a core.plan.changed.Before.
        """
        if before.found is not None:
            self.create(before.found)
        elif type(before.record) in home(before.record).DELETE:  # else it is a setting of what is not there
            self.delete(before.record)

    def owned(self, network: str, kinds: Iterable[Any]) -> list[tuple[str, Any]]:
        """(owner, record) of all that attachments of *network* own.

        kinds: classes of records, or Elements of an intent.
        """
        found: list[tuple[str, Any]] = []
        for kind in kinds:
            found += home(kind).owned(self, kind, network)
        return found

    # -- the packet filter -----------------------------------------------------------------------------

    def replace(self, stale: list[Any], batch: list[Any]) -> None:
        """Replace nft elements in one transaction. Raises OSError."""
        self.filter.replace(self, stale, batch)

    def stands(self, shared: list[Any]) -> bool:
        """Whether shared tables and chains carried their marks when elements were last created."""
        return all([each.is_marked(self.netfilter.marks.get(each.table, {})) for each in shared])

    def is_as_made(self, shared: Any) -> bool:
        """Whether a shared table or chain is surely as we make it, with all that belongs to it.

        Raises OSError.
        """
        return bool(self.filter.is_as_made(self, shared))

    def sweep(self) -> None:
        """Delete the shared chains that nothing needs any more. Raises OSError."""
        self.filter.sweep(self)

    def standing(self, wanted: list[Element]) -> list[Element | None]:
        """What stands under the key of each element. Raises OSError."""
        found: list[Element | None] = self.filter.standing(self, wanted)
        return found

    def elements_of(self, kind: Elements) -> list[Element]:
        """The nft elements of an owner, or of every owner where *kind* names none. Raises OSError."""
        found: list[Element] = self.filter.elements_of(self, kind)
        return found

    def probe_filter(self) -> None:
        """Raise CNIError(NOT_AVAILABLE) when nftables cannot be reached."""
        try:
            self.netfilter.generation()
        except OSError as error:
            raise CNIError(NOT_AVAILABLE, f"nftables cannot be used: {error.strerror}") from None

    def runs_firewalld(self) -> bool:
        """Whether firewalld owns its name on the system bus. Raises CNIError where the bus does not say."""
        from core.kernel import bus  # late: who was told another backend does not ask

        return bus.running(self)

    def is_gone(self, comment: str) -> bool:
        """Whether the owner in an element's *comment* is provably gone. Raises OSError."""
        from core.kernel.witness import is_gone  # late: nearly always nothing stands in the way

        return is_gone(self, comment)

    # -- interfaces of containers ----------------------------------------------------------------------

    def port_of(self, owner: str) -> tuple[str, str]:
        """The name of an owner's host veth, and the first free one that it may have; "" for none.

        Raises OSError.
        """
        from core.kernel import links  # late: chained plugins make no link

        return links.port_of(self, owner)

    def host_end(self, ifname: str) -> Link | None:
        """The host's end of the veth pair whose other end is the container's *ifname*. Raises OSError."""
        from core.kernel import queueing  # late: few plugins work on another's link

        return queueing.host_end(self, ifname)

    def teaches_routes(self, name: str) -> bool:
        """Whether router advertisements by a link taught the host its IPv6 default route. Raises OSError."""
        from core.kernel import addressing  # late: as above

        return addressing.teaches_routes(self, name)

    def announce(self, ifname: str, mac: bytes, addresses: list[bytes], bridge: str) -> None:
        """Make the host and everybody on the wire forget who had *addresses* before. Raises OSError."""
        from core.kernel import addressing  # late: as above

        addressing.announce(self, ifname, mac, addresses, bridge)

    @property
    def filter(self) -> ModuleType:
        """core.kernel.filter"""
        from core.kernel import filter as packet_filter  # late: not every plugin and verb needs it

        return packet_filter

    # -- iptables --------------------------------------------------------------------------------------

    def legacy_families(self, table: str) -> list[str]:
        """The families ("ip", "ip6") in which iptables-legacy has made a table.

        Until somebody has asked it for one, nothing of it can be there.
        """
        names = [("ip", "ip_tables_names"), ("ip6", "ip6_tables_names")]
        return [family for family, name in names if table in _told(f"/proc/net/{name}").split()]

    def gc_iptables(
        self, intent: str, network: str, valid: set[tuple[str, str]], udp: list[tuple[str, int]]
    ) -> list[CNIError]:
        """Delete what iptables or the Go suite has of a network for an intent and nobody valid claims.

        Returns the failures. udp: gets (family, port) of each UDP port that was published.
        """
        if not self.filter.has_others_nat(self) and not self.legacy_families("nat"):
            return []
        from core.kernel import unclaimed  # late: only where others translate addresses

        return unclaimed.gc(self, intent, network, valid, udp)

    def need_room(self, records: Iterable[Any], wanted: list[Mapping], backend: Any) -> None:
        """Raise CNIError where iptables has no room for ports: one is taken, or a chain is missing.

        records: those that *backend* makes for *wanted*. Raises OSError.
        """
        from core.kernel import xtables  # late: where a configuration asks for it

        xtables.need_room(self, records, wanted, backend)

    def probe_iptables(self) -> None:
        """Raise CNIError(NOT_AVAILABLE) when iptables cannot be used."""
        from core.kernel import xtables  # late: where a configuration asks for it

        obstacle = xtables.probe(self)
        if obstacle:
            raise CNIError(NOT_AVAILABLE, f"iptables cannot be used: {obstacle}")


def _told(path: str) -> str:
    """What a short file of the kernel says, "" where there is none."""
    try:
        descriptor = system.open(path, system.O_RDONLY | system.O_CLOEXEC)
    except OSError:
        return ""
    try:
        return system.read(descriptor, 4096).decode()
    except OSError:
        return ""
    finally:
        system.close(descriptor)
