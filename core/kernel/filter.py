"""Our nft tables, chains and elements as a kernel's records.

What attachments share is known to core.nft.readback and core.nft.changes, which are loaded where something of
it has to be made, compared or cleared away.
"""

from __future__ import annotations

from errno import EAFNOSUPPORT, EPROTONOSUPPORT

from core.attachment import network_prefix
from core.nft.names import INET, Chain, Element, Elements, Map, Table
from core.record import replace as changed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from core.kernel.state import State
    from core.netlink.message import Message

MOST_SINGLE = 200  # elements that are cheaper to ask for one by one than to list a map that may be large
NO_NETFILTER = (EPROTONOSUPPORT, EAFNOSUPPORT)  # of a kernel that has no such socket
OTHERS_NAT = ("ip", "nat"), ("ip6", "nat"), ("inet", "cni_plugins_masquerade")
RACES = 5  # how often another process may delete one of our elements while we are about to


def _find_table(kernel: State, want: Table) -> Table | None:
    from core.nft import readback  # late: to create or delete elements, no rules need be known

    return readback.find_table(kernel.netfilter, want)


def _find_map(kernel: State, want: Map) -> Map | None:
    from core.nft import readback  # late: as above

    return readback.find_map(kernel.netfilter, want)


def _find_chain(kernel: State, want: Chain) -> Chain | None:
    from core.nft import readback  # late: as above

    return readback.find_chain(kernel.netfilter, want)


def is_as_made(kernel: State, record: Any) -> bool:
    """Whether a table or chain is surely as we make it, with all that belongs to it. Raises OSError."""
    from core.nft import standing  # late: CHECK only

    return standing.is_as_made(kernel.netfilter, record)


def _create_shared(kernel: State, *records: Any) -> None:
    """Create tables, maps and chains, or write them anew where they are others, in one transaction.

    Raises OSError.
    """
    from core.nft import changes, readback  # late: nearly always all of it is there
    from core.nft.standing import standing

    now = {each.table: standing(kernel.netfilter, each.table) for each in records}
    tables, maps, chains = [
        [each for each in records if each.rank == kind.rank] for kind in (Table, Map, Chain)
    ]
    made: list[Message] = [changes.new_table(each) for each in tables]
    others = [each for each in maps if readback.is_another(now[each.table], each)]
    if others:  # they can go once no rule looks them up
        looking = [each for each in chains if each.size and now[each.table].rules.get(each.name)]
        made += [changes.flush(each.table, each.name) for each in looking]
        made += [changes.delete_map(each.table, each.name) for each in others]
    made += [changes.new_map(each) for each in maps]
    for each in chains:
        if readback.is_elsewhere(now[each.table], each):  # a chain's hook cannot be changed
            made += [changes.flush(each.table, each.name), changes.delete_chain(each.table, each.name)]
    for each in chains:
        entered = [where for where, _ in each.entries if readback.is_entered(now[each.table], each, where)]
        made += changes.new_chain(each, entered)
    kernel.netfilter.commit(made)


def _find_element(kernel: State, want: Element) -> Element | None:
    """A witness behind the owner is no difference."""
    found = kernel.netfilter.find(want)
    if found is None:
        return None
    owner = want.owner if found.holder == want.holder else found.owner
    if (found.data, found.chain) != (want.data, want.chain):
        return changed(found, owner=owner, text="something else")
    return changed(found, owner=owner, text=want.text, about=want.about)


def _create_elements(kernel: State, *records: Any) -> None:
    from core.nft import client  # late: loaded with the first netfilter socket

    kernel.netfilter.commit(client.create_elements(records), look=True)


def understood(elements: list[Any]) -> list[Any]:
    """Elements that were just read, with what each of them is for."""
    from core.nft import meaning  # late: who creates elements knows

    meaning.understand(elements)
    return elements


def replace(kernel: State, stale: list[Any], batch: list[Any]) -> None:
    """Delete what is stale and create the batch, in one transaction. Raises OSError."""
    from core.nft import client  # late: loaded with the first netfilter socket

    kernel.netfilter.commit(client.delete_elements(stale) + client.create_elements(batch))
    _follow(kernel, stale)


def standing(kernel: State, wanted: list[Element]) -> list[Element | None]:
    """What stands under the key of each element, whoever owns it. Raises OSError.

    Many are looked up in a list of their map.
    """
    if len(wanted) <= MOST_SINGLE:
        found = [kernel.netfilter.find(item) for item in wanted]
        understood([each for each in found if each])
        return found
    maps = dict.fromkeys([(item.table, item.map) for item in wanted])
    listed = [item for table, name in maps for item in kernel.netfilter.list(table, name)]
    there = {(item.table, item.map, item.key): item for item in understood(listed)}
    return [there.get((item.table, item.map, item.key)) for item in wanted]


def _delete(kernel: State, *wanted: Element) -> list[Element]:
    """Delete elements of ours, but none that somebody else has under the same key."""

    def look() -> list[Element]:
        found = standing(kernel, list(wanted))
        return [there for item, there in zip(wanted, found) if there and there.owner == item.owner]

    return _delete_found(kernel, look)


def _delete_found(kernel: State, look: Callable[[], list[Element]]) -> list[Element]:
    """Delete what *look* finds, in one transaction; look again if somebody deleted some of it in between."""
    for attempt in range(RACES):
        try:
            return _gone(kernel, look())
        except FileNotFoundError:
            if attempt == RACES - 1:
                raise
    return []


def _gone(kernel: State, elements: list[Element]) -> list[Element]:
    """Delete elements. Raises OSError; FileNotFoundError when one of them is gone already."""
    from core.nft import client  # late: loaded with the first netfilter socket

    if elements:
        kernel.netfilter.commit(client.delete_elements(elements))
        _follow(kernel, elements)
    return elements


def _follow(kernel: State, gone: list[Element]) -> None:
    """Sweep, if elements are gone whose map only some mappings need.

    Every packet to a local address would look such a map up.
    """
    if any([each.is_on_demand for each in gone]):
        sweep(kernel)


def elements_of(kernel: State, want: Elements) -> list[Element]:
    """The elements that carry an owner (any owner, if *want* names none), in whatever map of ours they are.

    A witness behind the owner is no difference.
    """
    names = kernel.netfilter.maps(want.table, want.prefixes)
    found = [item for name in names for item in kernel.netfilter.list(want.table, name, want.owner.encode())]
    return understood([item for item in found if want.owner in ("", item.holder)])


def _find_elements(kernel: State, want: Elements) -> Elements | None:
    return want if elements_of(kernel, want) else None


def _delete_elements(kernel: State, want: Elements) -> list[Element]:
    return (
        _delete_found(kernel, lambda: elements_of(kernel, want))
        if kernel.netfilter.has_table(want.table)
        else []
    )


def owned(kernel: State, kind: Elements, network: str) -> list[tuple[str, Element]]:
    """(owner, element) of every element for the intent of *kind* that a network owns. Raises OSError."""
    if not speaks_nft(kernel):
        return []
    prefix = network_prefix(network)
    names = kernel.netfilter.maps(kind.table, kind.prefixes)
    listed = [item for name in names for item in kernel.netfilter.list(kind.table, name, prefix.encode())]
    return [(item.holder, item) for item in understood(listed) if item.holder.startswith(prefix)]


def sweep(kernel: State) -> None:
    """Delete every chain that only some attachments needed, and nothing needs any more. Raises OSError."""
    from core.nft import sweep as sweeping  # late: GC, and DEL of what has chains of its own

    if speaks_nft(kernel) and kernel.netfilter.has_table(INET):
        sweeping.sweep(kernel.netfilter, INET)


def has_others_nat(kernel: State) -> bool:
    """Whether there is a table in which iptables-nft or the Go suite translates addresses. Raises OSError."""
    return speaks_nft(kernel) and any([kernel.netfilter.has_table(*each) for each in OTHERS_NAT])


def speaks_nft(kernel: State) -> bool:
    """Whether the kernel speaks nftables at all: where it does not, GC has nothing to look for.

    Raises OSError.
    """
    try:
        return bool(kernel.netfilter)
    except OSError as error:
        if error.errno in NO_NETFILTER:
            return False
        raise


FIND: dict[type, Any] = {
    Element: _find_element,
    Elements: _find_elements,
    Table: _find_table,
    Map: _find_map,
    Chain: _find_chain,
}
CREATE: dict[type, Any] = {
    Element: _create_elements,
    Table: _create_shared,
    Map: _create_shared,
    Chain: _create_shared,
}
DELETE: dict[type, Any] = {Element: _delete, Elements: _delete_elements}
