"""The real kernel: how each record of a plan is found, created, deleted and listed by owner."""

from __future__ import annotations

from core.attachment import network_prefix
from core.errors import NOT_AVAILABLE, CNIError
from core.kernel import addressing, go_suite, links
from core.kernel import filter as packet_filter
from core.kernel.state import State
from core.netlink import route
from core.nft.names import Element, Elements
from core.plan.records import CONTAINER, HOST, Veth

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any


class Kernel(State):
    """What core.plan.apply asks of a kernel: each record goes to the module that knows its kind."""

    def find(self, record: Any) -> Any:
        """The kernel's counterpart of *record*, with its own values; None when there is none. Raises OSError."""
        return FIND.get(type(record), packet_filter.find_shared)(self, record)

    def create(self, *records: Any) -> None:
        """Create the records of one batch exclusively. Raises OSError; its attribute record names the one refused."""
        CREATE.get(type(records[0]), packet_filter.create_shared)(self, *records)  # type: ignore[no-untyped-call]

    def delete(self, *records: Any) -> list[Any]:
        """Delete by identity, of elements many at once; absent is success. Returns what was there. Raises OSError."""
        return DELETE[type(records[0])](self, *records)

    def replace(self, stale: list[Any], batch: list[Any]) -> None:
        """Replace nft elements in one transaction. Raises OSError."""
        packet_filter.replace(self, stale, batch)

    def stands(self, shared: list[Any]) -> bool:
        """Whether shared tables and chains carried their marks when elements were last created."""
        return all([each.is_marked(self.firewall.marks.get(each.family, {})) for each in shared])

    def is_as_made(self, shared: Any) -> bool:
        """Whether a shared table or chain is surely as we make it, with all that belongs to it. Raises OSError."""
        return packet_filter.is_as_made(self, shared)

    def sweep(self) -> None:
        """Delete the shared chains that nothing needs any more. Raises OSError."""
        packet_filter.sweep(self)

    def owned(self, network: str, kinds: Iterable[Any]) -> list[tuple[str, Any]]:
        """(owner, record) of all that attachments of *network* own, of *kinds*: Veth, or Elements naming families and maps."""
        found: list[tuple[str, Any]] = []
        for kind in kinds:
            if kind is Veth:
                found += links.owned(self, network)
            else:
                found += packet_filter.owned(self, kind.family, kind.maps, network_prefix(network))
        return found

    def standing(self, wanted: list[Element]) -> list[Element | None]:
        """What stands under the key of each element. Raises OSError."""
        return packet_filter.standing(self, wanted)

    def elements_of(self, kind: Elements) -> list[Element]:
        """The nft elements that carry an owner; those of every owner where *kind* names none. Raises OSError."""
        return packet_filter.elements_of(self, kind)

    def probe_firewall(self) -> None:
        """Raise CNIError(NOT_AVAILABLE) when nftables cannot be reached."""
        try:
            self.firewall.generation()
        except OSError as error:
            raise CNIError(NOT_AVAILABLE, f"nftables cannot be used: {error.strerror}") from None

    def is_gone(self, comment: str) -> bool:
        """Whether the owner in an element's *comment* is provably gone. Raises OSError."""
        from core.kernel.witness import is_gone  # late: nearly always nothing stands in the way

        return is_gone(self, comment)

    def port_of(self, owner: str) -> tuple[str, str]:
        return links.port_of(self, owner)

    def teaches_routes(self, name: str) -> bool:
        return addressing.teaches_routes(self, name)

    def announce(self, ifname: str, mac: bytes, addresses: list[bytes], bridge: str) -> None:
        """Make the neighbours forget who had *addresses* before: the host's own table, and everybody on the wire.

        Writing the MAC that the container's end has already makes the kernel announce it (arp_notify, ndisc_notify), now that the port
        forwards. A packet socket would do as well, but its close waits for an RCU grace period.
        """
        index = self.need(HOST, bridge).index
        self.at(HOST).exchange(tuple([route.del_neighbour(index, address) for address in addresses]))
        self.at(CONTAINER).do(route.set_mac(ifname, mac))


FIND: dict[type, Callable[[Kernel, Any], Any]] = {**links.FIND, **addressing.FIND, **packet_filter.FIND}
CREATE: dict[type, Callable[..., None]] = {**links.CREATE, **addressing.CREATE, **packet_filter.CREATE}
DELETE: dict[type, Callable[..., list[Any]]] = {**links.DELETE, **packet_filter.DELETE, go_suite.ContainerLink: go_suite.delete_container_link}
