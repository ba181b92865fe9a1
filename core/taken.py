"""Who holds the key of an element that somebody else wants, and whether he is gone.

Loaded when the kernel has refused an element, or where a port is looked at from its other side.
Law: what cannot be proven gone counts as alive.
"""

from __future__ import annotations

from core.deadline import check as check_deadline
from core.errors import KERNEL_REFUSED, PORT_TAKEN, CNIError
from core.plan import Element, Elements
from core.ruleset import kin

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
    remains: dict[str, Elements] = {}
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
        if name(taken) == name(record):
            remains[record.map] = Elements(record.family, kin(record.map), name(record))
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
    is_port = "hostport" in record.map
    what = "host port" if is_port else f"{record.map} element"
    return CNIError(
        PORT_TAKEN if is_port else KERNEL_REFUSED,
        f"{what} {record.text.partition(' : ')[0]} is already taken by {name(taken) or 'somebody else'}",
        "choose another port, or delete that attachment first" if is_port else "its reservation was lost; delete that attachment first",
    )
