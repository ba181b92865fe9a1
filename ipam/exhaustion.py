"""When a range set is full: what can be taken back, and what to tell the operator."""

from __future__ import annotations

from core import address, errors, system
from core.errors import CNIError
from ipam import ranges, reservation

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ipam.ranges import RangeSet
    from ipam.store import Store, View

SHOWN = 3  # owners, in the details of an error
KEPT = 1000  # candidates for being shown, until they are sorted out


def reclaim(store: Store, dead: list[tuple[bytes, bytes]]) -> bool:
    """Free (address, content) whose holders cannot be alive, and say so on standard error; whether it was possible."""
    if not dead or store.release(dead):
        return False
    names = ", ".join([_who(packed, content) for packed, content in sorted(dead)[:SHOWN]])
    more = f" and {len(dead) - SHOWN} more" if len(dead) > SHOWN else ""
    system.tell("host-local", f"reclaimed in {store.directory.path}, as their holders cannot be alive: {names}{more}")
    return True


def _who(packed: bytes, content: bytes | None) -> str:
    owner = reservation.owner(content or b"")
    return f"{address.text(packed)} ({' '.join(owner).strip() if owner else 'nobody'})"


def exhausted(view: View, one: RangeSet, number: int) -> CNIError:
    """The error that a range set is full: with counts, and who has held an address for longest."""
    held: list[tuple[int, bytes, bytes | None]] = []  # of the oldest: time, address, content
    nobody = 0
    for packed, content in view.directory.scan([]):
        if ranges.find(one, packed):
            nobody += not reservation.owner(content or b"")
            held.append((view.directory.mtime(address.text(packed)), packed, content))
            if len(held) > KEPT:
                held = sorted(held)[:SHOWN]
    from time import gmtime, strftime  # late: only to tell of a failure

    oldest = [f"{_who(packed, content)} since {strftime('%Y-%m-%d %H:%M:%S UTC', gmtime(age))}" for age, packed, content in sorted(held)[:SHOWN]]
    msg = f"failed to allocate for range {number}: no IP addresses available in range set: {ranges.text(one)}"
    details = f"{counts(view, one)} are reserved in {view.directory.path}, {nobody} of them for nobody known"
    return CNIError(errors.ADDRESSES_EXHAUSTED, msg, f"{details}; oldest: {', '.join(oldest)}" if oldest else details)


def counts(view: View, one: RangeSet) -> str:
    """How many addresses of a range set are taken."""
    return f"{view.taken(one)} of {ranges.size(one)} addresses"
