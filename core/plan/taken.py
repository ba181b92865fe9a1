"""Who holds the key of an element that somebody else wants, and whether he is gone.

Loaded when the kernel has refused an element, or where a port is looked at from its other side.
Law: what cannot be proven gone counts as alive. Pure but for the clock of the verb.
"""

from __future__ import annotations

from core.deadline import check as check_deadline
from core.errors import KERNEL_REFUSED, PORT_TAKEN, CNIError
from core.intent import NO_SPOOF
from core.nft.names import Element, Elements

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


def stale(kernel: Any, batch: list[Element]) -> list[Element]:
    """What stands in the way of a batch and may be replaced: remains of our own, or of who is gone.

    Raises CNIError naming the owner of anything else; with the attribute same_container, if it is all our
    container's on other networks.
    """
    may_replace = judge(kernel)
    behind: CNIError | None = None
    found: dict[tuple[str, str, bytes], Element] = {}
    remains: dict[tuple[str, str], Elements] = {}
    for record, there in zip(batch, kernel.standing(batch)):
        check_deadline()
        if there is None:
            continue
        if not may_replace(record, there):
            if not is_same_container(record, there):
                raise error(record, there)
            behind = behind or error(record, there)
            behind.same_container = True  # type: ignore[attr-defined]
        found[_place(there)] = there
        intent = record.about.intent
        # Whoever gets the name of another attachment's link must not inherit the MACs that may pass there.
        if there.holder == record.holder or intent == NO_SPOOF:
            remains[intent, there.holder] = Elements(intent, there.holder)
    if behind:
        raise behind
    links = {getattr(record.about, "link", "") for record in batch}
    for kind in remains.values():
        for item in kernel.elements_of(kind):
            # Its holder may live, under another name by now: what stands under that one is his.
            if item.holder == batch[0].holder or item.about.link in links:
                found.setdefault(_place(item), item)
    return list(found.values())


def _place(item: Element) -> tuple[str, str, bytes]:
    return item.table, item.map, item.key


def is_same_container(one: Element, other: Element) -> bool:
    """Whether both are ports of one container, on whatever networks."""
    return is_port(one) and one.owner.split("/")[1:2] == other.owner.split("/")[1:2]


def is_port(item: Element) -> bool:
    """Whether an element is a published port."""
    return bool(getattr(item.about, "published", ""))


def judge(kernel: Any) -> Callable[[Element, Element], bool]:
    """A function that tells whether its second element is the first one's own, or its owner is gone.

    Each owner is looked for once.
    """
    gone: dict[str, bool] = {}

    def may_replace(record: Element, taken: Element) -> bool:
        if taken.holder == record.holder or record.about.intent == NO_SPOOF:
            return True  # the key of the latter is the name of a link that we have made just now
        if taken.owner not in gone:
            gone[taken.owner] = kernel.is_gone(taken.owner)
        return gone[taken.owner]

    return may_replace


def error(record: Element, taken: Element) -> CNIError:
    """The error for a key that another attachment holds."""
    holder = taken.holder or "somebody else"
    if is_port(record):
        told = f"host port {record.about.published} is already taken by {holder}"
        return CNIError(PORT_TAKEN, told, "choose another port, or delete that attachment first")
    network, ours = holder.partition("/")[0], record.owner.partition("/")[0]
    remedy = "its reservation was lost; delete that attachment first"
    if network != ours and taken.owner:
        net = getattr(taken.about, "network", None)
        same = f"networks {ours} and {network} have the same addresses{f' ({net})' if net else ''}"
        remedy = f"{same}, and nothing was lost; give one of them another subnet"
    key = record.text.partition(" : ")[0]
    return CNIError(KERNEL_REFUSED, f"{record.map} element {key} is already taken by {holder}", remedy)
