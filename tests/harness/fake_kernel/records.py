"""The records of a fake kernel: kept by their identity, and found again as the real one would tell them."""

from collections.abc import Iterable
from typing import Any

from core.attachment import network_prefix
from core.nft.names import Element, Elements
from core.plan.records import CONTAINER, HOST, Link
from core.record import replace as changed
from tests.harness.fake_kernel.homes import HOMES, Home
from tests.harness.fake_kernel.limits import LIMITS
from tests.harness.fake_kernel.links import Links
from tests.harness.fake_kernel.world import Key

PLAIN, ALL = Home(), HOMES | LIMITS


def home(record: Any) -> Home:
    """What a fake kernel does with a record."""
    return ALL.get(type(record), PLAIN)


class Records(Links):
    """What one fake kernel knows of records, and what the real one would tell of them."""

    def key(self, record: Any) -> Key:
        """What can be there once only."""
        return home(record).key(self, record)

    def find(self, record: Any) -> Any:
        """As the real one: the record with the kernel's own values."""
        if self.netns is None and getattr(record, "place", HOST) == CONTAINER:
            return None
        return home(record).find(self, record, self.world.records.get(self.key(record)))

    def owned(self, network: str, kinds: Iterable[Any]) -> list[tuple[str, Any]]:
        """(owner, record) of what a network's attachments own."""
        prefix = network_prefix(network)
        found: list[tuple[str, Any]] = []
        for kind in kinds:
            if kind in LIMITS:
                mine = [each for each in self.world.of(kind) if each.owner.startswith(prefix)]
                found += [(each.owner, each) for each in mine]
                continue
            if kind is Link:
                mine = [each for each in self.world.of(Link) if each.owner.startswith(prefix)]
                found += [(each.owner, Link(HOST, each.name, each.kind, each.owner)) for each in mine]
                continue
            elements = self.elements_of(getattr(kind, "claims", kind))
            held = [(each.holder, each) for each in elements if each.holder.startswith(prefix)]
            owners = dict.fromkeys([owner for owner, _ in held])
            found += (
                [(each, changed(kind, owner=each)) for each in owners] if hasattr(kind, "claims") else held
            )
        return found

    def standing(self, wanted: list[Element]) -> list[Element | None]:
        """What stands under the key of each element."""
        return [self.find(each) for each in wanted]

    def elements_of(self, kind: Elements) -> list[Element]:
        """The elements that carry an owner, or any."""
        elements = [each for each in self.world.of(Element) if each.table == kind.table]
        mine = [each for each in elements if each.map.startswith(kind.prefixes)]
        return [changed(each, text="") for each in mine if kind.owner in ("", each.holder)]
