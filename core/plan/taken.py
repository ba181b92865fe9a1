"""Who holds the key of an element that somebody else wants, and whether he is gone.

Loaded when the kernel has refused an element, or where a port is looked at from its other side.
Law: what cannot be proven gone counts as alive. Pure but for the clock of the verb.
"""

from __future__ import annotations

from core.address import Cidr
from core.address import network as network_of
from core.deadline import check as check_deadline
from core.errors import KERNEL_REFUSED, PORT_TAKEN, CNIError
from core.nft.names import SPOOF_MAPS, Element, Elements, kin

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


def stale(kernel: Any, batch: list[Element]) -> list[Element]:
    """What stands in the way of a batch and may be replaced: our own remains, or those of an attachment that is gone.

    Raises CNIError naming the owner of anything else; with the attribute same_container, if it is all our container's on other networks.
    """
    may_replace = judge(kernel)
    behind: CNIError | None = None
    found: dict[tuple[str, str, bytes], Element] = {}
    remains: dict[tuple[str, str], Elements] = {}
    for record, taken in zip(batch, kernel.standing(batch)):
        check_deadline()
        if taken is None:
            continue
        if not may_replace(record, taken):
            if not is_same_container(record, taken):
                raise error(record, taken)
            behind = behind or error(record, taken)
            behind.same_container = True  # type: ignore[attr-defined]
        found[_place(taken)] = taken
        if name(taken) == name(record) or record.map in SPOOF_MAPS:  # under the name of a link, somebody else's MACs would pass
            remains[record.map, name(taken)] = Elements(record.family, kin(record.map), name(taken))
    if behind:
        raise behind
    for kind in dict.fromkeys(remains.values()):
        for item in kernel.elements_of(kind):
            found.setdefault(_place(item), item)
    return list(found.values())


def _place(item: Element) -> tuple[str, str, bytes]:
    return item.family, item.map, item.key


def name(item: Element) -> str:
    """The owner without the witness that may stand behind it."""
    return item.owner.partition(" ")[0]


def is_same_container(one: Element, other: Element) -> bool:
    """Whether both are ports of one container, on whatever networks."""
    return "hostport" in one.map and one.owner.split("/")[1:2] == other.owner.split("/")[1:2]


def judge(kernel: Any) -> Callable[[Element, Element], bool]:
    """A function that tells whether its second element is the first one's own, or its owner is gone; each owner is looked for once."""
    gone: dict[str, bool] = {}

    def may_replace(record: Element, taken: Element) -> bool:
        if name(taken) == name(record):
            return True
        if taken.owner not in gone:
            gone[taken.owner] = kernel.is_gone(taken.owner)
        return gone[taken.owner]

    return may_replace


def error(record: Element, taken: Element) -> CNIError:
    """The error for a key that another attachment holds."""
    key, holder = record.text.partition(" : ")[0], name(taken) or "somebody else"
    if "hostport" in record.map:
        from core.plan.words import port  # late: only where a port is taken

        return CNIError(PORT_TAKEN, f"host port {port(key)} is already taken by {holder}", "choose another port, or delete that attachment first")
    network, ours = holder.partition("/")[0], record.owner.partition("/")[0]
    remedy = "its reservation was lost; delete that attachment first"
    if network != ours and taken.owner:
        remedy = f"networks {ours} and {network} have the same addresses{_subnet(taken)}, and nothing was lost; give one of them another subnet"
    return CNIError(KERNEL_REFUSED, f"{record.map} element {key} is already taken by {holder}", remedy)


def _subnet(taken: Element) -> str:
    """The network of a container's address, as the name of the chain for its prefix tells it."""
    length = taken.chain.rpartition("-")[2]
    return f" ({network_of(Cidr(taken.key, int(length)))})" if length.isdigit() and len(taken.key) in (4, 16) else ""
