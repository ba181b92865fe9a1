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
    """Free (address, content) of *dead* holders, and say so on standard error; whether it was possible."""
    if not dead or store.release(dead):
        return False
    names = ", ".join([_who(packed, content) for packed, content in sorted(dead)[:SHOWN]])
    more = f" and {len(dead) - SHOWN} more" if len(dead) > SHOWN else ""
    where = f"reclaimed in {store.directory.path}, as their holders cannot be alive"
    system.tell("host-local", f"{where}: {names}{more}")
    return True


def searched(store: Store, one: RangeSet, number: int) -> Choice | None:
    """An address of a range set that seems full, found by looking at every file: free, or a dead holder's.

    If there is none, the index remembers that until somebody else changes the directory.
    So the next refusals are about as quick as an ADD that succeeds, and do not keep the lock from a DEL that
    would free an address.
    """
    if store.index.searched(ranges.text(one)):
        return None
    store.refresh()
    reclaim(store, dead(store, one))
    found = store.first_free(one, number)
    if found is None:
        _note_searched(store, one)
    return found


def dead(view: View, one: RangeSet) -> list[tuple[bytes, bytes]]:
    """(address, content) of the dead holders in a range set."""
    return [
        (packed, content)
        for packed, content in view.everybody()
        if ranges.find(one, packed) and view.is_dead(packed, content)
    ]


def _note_searched(store: Store, one: RangeSet) -> None:
    """All files were looked at: the next ADD that finds the range set full need not look again."""
    try:
        if not store.unreadable:
            store.index.note_searched(ranges.text(one))
            store.declare_in_step()
    except OSError:
        pass  # the next one looks again


def _who(packed: bytes, content: bytes | None) -> str:
    owner = reservation.owner(content or b"")
    return f"{address.text(packed)} ({' '.join(owner).strip() if owner else 'nobody'})"


def exhausted(view: View, one: RangeSet, number: int) -> CNIError:
    """The error that a range set is full, with counts and the holders of the addresses that are next in turn.

    These have mostly been held for longest.
    """
    from time import gmtime, strftime  # late: only to tell of a failure

    held = []
    for packed in _next_in_turn(view, one, number):
        since = strftime("%Y-%m-%d %H:%M:%S UTC", gmtime(view.directory.mtime(address.text(packed))))
        held.append(f"{_who(packed, view.directory.try_read(address.text(packed))[0])} since {since}")
    msg = f"failed to allocate for range {number}: no IP addresses available in range set: {ranges.text(one)}"
    details = f"{counts(view, one)} are reserved in {view.directory.path}"
    details += f"; next in turn: {', '.join(held)}" if held else ""
    return CNIError(errors.ADDRESSES_EXHAUSTED, msg, details)


def _next_in_turn(view: View, one: RangeSet, number: int) -> list[bytes]:
    """The first SHOWN addresses in the order in which range set *number* gives them away, taken or not."""
    found: list[bytes] = []
    for member, low, high in ranges.spans(one, view.last_reserved(number)):
        numbers = range(low, min(high + 1, low + SHOWN - len(found)))
        found += [each.to_bytes(len(member.start), "big") for each in numbers]
    return found


def counts(view: View, one: RangeSet) -> str:
    """How many addresses of a range set are taken, in words."""
    return f"{taken(view, one)} of {ranges.size(one)} addresses"


def taken(view: View, one: RangeSet) -> int:
    """How many addresses of a range set are taken."""
    spans = ranges.spans(one, None)
    return sum([view.index.count(low, high, len(member.start)) for member, low, high in spans])
