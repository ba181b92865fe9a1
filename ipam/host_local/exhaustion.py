"""When a range set is full: what can be taken back, and what to tell the operator."""

from __future__ import annotations

from core import address, errors, system
from core.errors import CNIError
from ipam.host_local import ranges, reservation

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ipam.host_local.ranges import RangeSet
    from ipam.host_local.store import Store, View

    Choice = tuple[bytes, ranges.Range]

SHOWN = 3  # owners, in the details of an error


def reclaim(store: Store, dead: list[tuple[bytes, bytes]]) -> bool:
    """Free (address, content) whose holders cannot be alive, and say so on standard error; whether it was possible."""
    if not dead or store.release(dead):
        return False
    names = ", ".join([_who(packed, content) for packed, content in sorted(dead)[:SHOWN]])
    more = f" and {len(dead) - SHOWN} more" if len(dead) > SHOWN else ""
    system.tell(
        "host-local", f"reclaimed in {store.directory.path}, as their holders cannot be alive: {names}{more}"
    )
    return True


def searched(store: Store, one: RangeSet, number: int) -> Choice | None:
    """An address of a range set that seems full, when looking at every file finds one, or a dead holder.

    Once is enough: until somebody else changes the directory, the index remembers that there was none. So refusing
    costs about what granting does, and does not keep the lock from the DEL that would free an address.
    """
    if store.index.searched(ranges.text(one)):
        return None
    store.refresh()
    reclaim(store, store.dead(one))
    found = store.first_free(one, number)
    if found is None:
        store.note_searched(one)
    return found


def _who(packed: bytes, content: bytes | None) -> str:
    owner = reservation.owner(content or b"")
    return f"{address.text(packed)} ({' '.join(owner).strip() if owner else 'nobody'})"


def exhausted(view: View, one: RangeSet, number: int) -> CNIError:
    """The error that a range set is full: with counts, and who holds the addresses that are next in turn, mostly for longest."""
    from time import gmtime, strftime  # late: only to tell of a failure

    held = []
    for packed in view.next_in_turn(one, number, SHOWN):
        since = strftime("%Y-%m-%d %H:%M:%S UTC", gmtime(view.directory.mtime(address.text(packed))))
        held.append(f"{_who(packed, view.directory.try_read(address.text(packed))[0])} since {since}")
    msg = f"failed to allocate for range {number}: no IP addresses available in range set: {ranges.text(one)}"
    details = f"{counts(view, one)} are reserved in {view.directory.path}"
    return CNIError(
        errors.ADDRESSES_EXHAUSTED, msg, f"{details}; next in turn: {', '.join(held)}" if held else details
    )


def counts(view: View, one: RangeSet) -> str:
    """How many addresses of a range set are taken."""
    return f"{view.taken(one)} of {ranges.size(one)} addresses"
