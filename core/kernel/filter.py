"""Our nft tables, chains and elements as a kernel's records.

Every function takes the State first; core.kernel.kernel calls them by the record's type. What is shared is known to core.nft.readback and
core.nft.rules, which are loaded where something has to be made, compared or cleared away.
"""

from __future__ import annotations

from core import system
from core.deadline import check as check_deadline
from core.nft.names import FURTHER, INET, PROTOCOLS, Chain, Element, Elements, Table
from core.record import replace as changed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

    from core.kernel.state import State
    from core.netlink.message import Message

MOST_SINGLE = 200  # elements that are cheaper to ask for one by one than to list a map that may be large
NO_NETFILTER = (93, 97)  # EPROTONOSUPPORT, EAFNOSUPPORT: of a kernel that has no such socket
RACES = 5  # how often another process may delete one of our elements while we are about to


def find_shared(kernel: State, want: Any) -> Any:
    """A table, map or chain as it stands; None when it is not there. Raises OSError."""
    from core.nft import readback  # late: whoever only creates or deletes elements need not know what rules there are

    by_type: dict[type, Any] = {Table: readback.find_table, Chain: readback.find_chain}
    return by_type.get(type(want), readback.find_map)(kernel.firewall, want)


def is_as_made(kernel: State, record: Any) -> bool:
    """Whether a table or chain is surely as we make it, with all that belongs to it. Raises OSError."""
    from core.nft import standing  # late: CHECK only

    return standing.is_as_made(kernel.firewall, record)


def create_shared(kernel: State, *records: Any) -> None:
    """Create tables, maps and chains, or write them anew where they are others, in one transaction. Raises OSError."""
    from core.nft import readback, rules, standing  # late: nearly always all of it is there

    now = {each.family: standing.standing(kernel.firewall, each.family) for each in records}
    tables, chains = [each for each in records if isinstance(each, Table)], [each for each in records if isinstance(each, Chain)]
    maps = [each for each in records if each not in tables and each not in chains]
    made: list[Message] = [rules.table(each) for each in tables]
    others = [each for each in maps if readback.is_another(now[each.family], each)]  # they can go once no rule looks them up
    looking = [each for each in chains if others and each.name != FURTHER and now[each.family].rules.get(each.name)]
    made += [rules.flush(each.family, each.name) for each in looking] + [rules.delete_map(each.family, each.name) for each in others]
    made += [rules.new_map(each) for each in maps]
    for each in [each for each in chains if readback.is_elsewhere(now[each.family], each)]:  # a chain's hook cannot be changed
        made += [rules.flush(each.family, each.name), rules.delete_chain(each.family, each.name)]
    for each in chains:
        made += rules.chain(each, [where for where, _ in each.entries if readback.is_entered(now[each.family], each, where)])
    kernel.firewall.commit(made)


def _find_element(kernel: State, want: Element) -> Element | None:
    """A witness behind the owner is no difference."""
    found = kernel.firewall.find(want)
    if found is None:
        return None
    owner = want.owner if found.owner.partition(" ")[0] == want.owner.partition(" ")[0] else found.owner
    return changed(found, owner=owner, text=want.text if (found.data, found.chain) == (want.data, want.chain) else "something else")


def _create_elements(kernel: State, *records: Any) -> None:
    from core.nft import client  # late: loaded with the first netfilter socket

    kernel.firewall.commit(client.create_elements(records), look=True)


def replace(kernel: State, stale: list[Any], batch: list[Any]) -> None:
    """Delete what is stale and create the batch, in one transaction. Raises OSError."""
    from core.nft import client  # late: loaded with the first netfilter socket

    kernel.firewall.commit(client.delete_elements(stale) + client.create_elements(batch))
    _follow(kernel, stale)


def standing(kernel: State, wanted: list[Element]) -> list[Element | None]:
    """What stands under the key of each element, whoever owns it. Many are looked up in a list of their map. Raises OSError."""
    if len(wanted) <= MOST_SINGLE:
        return [kernel.firewall.find(item) for item in wanted]
    maps = dict.fromkeys([(item.family, item.map) for item in wanted])
    there = {(family, name, item.key): item for family, name in maps for item in kernel.firewall.list(family, name)}
    return [there.get((item.family, item.map, item.key)) for item in wanted]


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
        kernel.firewall.commit(client.delete_elements(elements))
        _follow(kernel, elements)
    return elements


def _follow(kernel: State, gone: list[Element]) -> None:
    """Sweep, if elements are gone whose maps and chain only some mappings need: every packet to a local address walks those."""
    if any(["-" in each.map for each in gone]):
        sweep(kernel)


def elements_of(kernel: State, want: Elements) -> list[Element]:
    """The elements that carry an owner (any owner, if *want* names none), in whatever map of ours they are.

    A witness behind the owner is no difference.
    """
    maps = [(want.family, name) for name in kernel.firewall.maps(want.family, want.maps)]
    found = [item for family, name in maps for item in kernel.firewall.list(family, name, want.owner.encode())]
    return [item for item in found if want.owner in ("", item.owner.partition(" ")[0])]


def _find_elements(kernel: State, want: Elements) -> Elements | None:
    return want if elements_of(kernel, want) else None


def _delete_elements(kernel: State, want: Elements) -> list[Element]:
    return _delete_found(kernel, lambda: elements_of(kernel, want)) if kernel.firewall.has_table(want.family) else []


def owned(kernel: State, family: str, maps: tuple[str, ...], prefix: str) -> list[tuple[str, Element]]:
    """(owner, element) of every element of ours whose owner starts with *prefix*. Raises OSError."""
    if not _is_there(kernel):
        return []
    listed = [item for name in kernel.firewall.maps(family, maps) for item in kernel.firewall.list(family, name, prefix.encode())]
    found = [(item.owner.partition(" ")[0], item) for item in listed]
    return [(owner, item) for owner, item in found if owner.startswith(prefix)]


def sweep(kernel: State) -> None:
    """Delete every chain that only some attachments needed, and nothing needs any more. Raises OSError."""
    from core.nft.sweep import sweep as sweep_family  # late: GC, and DEL of mappings that have chains of their own

    if _is_there(kernel) and kernel.firewall.has_table(INET):
        sweep_family(kernel.firewall, INET)


def forget_flows(kernel: State, plugin: str, elements: Iterable[object]) -> None:
    """Flush the UDP flows of published ports, which would go on to whoever had them before. A failure is only told, by *plugin*."""
    ports: dict[int, set[int]] = {4: set(), 6: set()}
    for item in elements:
        check_deadline()
        if isinstance(item, Element) and "hostports" in item.map and item.key[-8] == PROTOCOLS["udp"]:
            ports[4 if "hostports4" in item.map else 6].add(int.from_bytes(item.key[-4:-2], "big"))
    for family, wanted in ports.items():
        if not wanted:
            continue
        try:
            kernel.forget_flows(family, wanted)
        except OSError as error:
            system.tell(plugin, f"cannot flush UDP flows: {error.strerror}")


def _is_there(kernel: State) -> bool:
    """Whether the kernel speaks nftables at all: where it does not, GC has nothing to look for. Raises OSError."""
    try:
        return bool(kernel.firewall)
    except OSError as error:
        if error.errno in NO_NETFILTER:
            return False
        raise


FIND: dict[type, Any] = {Element: _find_element, Elements: _find_elements}
CREATE: dict[type, Any] = {Element: _create_elements}
DELETE: dict[type, Any] = {Element: _delete, Elements: _delete_elements}
