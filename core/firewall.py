"""Our nft tables, chains and elements as a kernel's records.

Every function takes the Kernel first; core.kernel calls them by the record's type.
"""

from __future__ import annotations

from core.plan import Element, Elements
from core.record import replace as changed
from core.ruleset import BRIDGE, Chain, Table

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from core.kernel import Kernel
    from core.message import Message

RACES = 5  # how often another process may delete one of our elements while we are about to


def _find_container(kernel: Kernel, want: Table) -> Table | None:
    return want if kernel.firewall.exists(want) else None


def _find_chain(kernel: Kernel, want: Chain) -> Chain | None:
    if not kernel.firewall.exists(want):
        return None
    count = kernel.firewall.rule_count(want.family, want.name)
    return want if count >= want.size else changed(want, body=want.rules[:count], net=None)


def _find_element(kernel: Kernel, want: Element) -> Element | None:
    found = kernel.firewall.find(want)
    return found and changed(found, text=want.text if (found.data, found.chain) == (want.data, want.chain) else "something else")


def _messages(records: tuple[Any, ...]) -> list[Message]:
    """Tables and chains first, as elements jump to them."""
    from core import nftables  # late: loaded with the first netfilter socket

    made: list[Message] = []
    if any([isinstance(item, (Table, Chain)) for item in records]):
        from core import skeleton  # late: nearly always it is there

        made += [message for item in records if isinstance(item, Table) for message in skeleton.table(item)]
        made += [message for item in records if isinstance(item, Chain) for message in skeleton.chain(item)]
    return made + nftables.create_elements([item for item in records if isinstance(item, Element)])


def _create(kernel: Kernel, *records: Any) -> None:
    kernel.firewall.commit(_messages(records))


def replace(kernel: Kernel, stale: list[Any], batch: list[Any]) -> None:
    """Delete what is stale and create the batch, in one transaction. Raises OSError."""
    kernel.firewall.commit(_removal(stale) + _messages(tuple(batch)))


def _removal(records: list[Any]) -> list[Message]:
    """Elements first, then the chains that they jumped to."""
    from core import nftables  # late: loaded with the first netfilter socket

    gone = nftables.delete_elements([item for item in records if isinstance(item, Element)])
    return gone + [nftables.delete_chain(item.family, item.name) for item in records if isinstance(item, Chain)]


def _delete(kernel: Kernel, want: Any) -> list[Any]:
    """Delete an element or chain of ours, but not an element that somebody else has under the same key."""
    if isinstance(want, Element):
        found = kernel.firewall.find(want)
        if found is None or found.owner != want.owner:
            return []
    elif not (kernel.firewall.has_table(want.family) and kernel.firewall.exists(want)):
        return []  # a transaction that fails would wait for an RCU grace period
    try:
        kernel.firewall.commit(_removal([want]))
    except FileNotFoundError:
        return []
    return [want]


def elements_of(kernel: Kernel, want: Elements) -> list[Element]:
    """The elements that carry an owner (any owner, if *want* names none), in whatever map of ours they are.

    A witness behind the owner is no difference.
    """
    maps = [(want.family, name) for name in kernel.firewall.maps(want.family, want.maps)]
    found = [item for family, name in maps for item in kernel.firewall.list(family, name, want.owner.encode())]
    return [item for item in found if want.owner in ("", item.owner.partition(" ")[0])]


def _find_elements(kernel: Kernel, want: Elements) -> Elements | None:
    return want if elements_of(kernel, want) else None


def _delete_elements(kernel: Kernel, want: Elements) -> list[Element]:
    """In one transaction; again if somebody deleted one of them in between."""
    if not kernel.firewall.has_table(want.family):
        return []
    for attempt in range(RACES):
        found = elements_of(kernel, want)
        try:
            if found:
                kernel.firewall.commit(_removal(list(found)))
            return found
        except FileNotFoundError:
            if attempt == RACES - 1:
                raise
    return []


def owned(kernel: Kernel, family: str, maps: tuple[str, ...], prefix: str) -> list[tuple[str, Any]]:
    """(owner, record) of every element of ours whose owner starts with *prefix*, and of the chains that are theirs alone.

    Raises OSError.
    """
    found: list[tuple[str, Any]] = []
    for name in kernel.firewall.maps(family, maps):
        for item in kernel.firewall.list(family, name, prefix.encode()):
            owner = item.owner.partition(" ")[0]
            if owner.startswith(prefix):
                found.append((owner, item))
    if family == BRIDGE:  # listed by themselves: whoever was killed between the two left a chain that no element leads to
        found += [(item.owner, item) for item in kernel.firewall.chains(family) if item.owner.startswith(prefix)]
    return found


FIND: dict[type, Any] = {Table: _find_container, Chain: _find_chain, Element: _find_element, Elements: _find_elements}
CREATE: dict[type, Any] = {Table: _create, Chain: _create, Element: _create}
DELETE: dict[type, Any] = {Element: _delete, Chain: _delete, Elements: _delete_elements}
