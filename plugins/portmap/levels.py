"""Levels of port maps: several networks of one container may publish the same ports.

The first network has them; what the second one asks for stands on the second level, whose maps are looked up
behind those of the first, and takes over when the first network's are deleted.
"""

from __future__ import annotations

from core import deadline
from core.intent import PUBLISH
from core.nft.names import Elements
from core.nft.ports import port_element, port_maps_beginning
from core.plan import apply
from core.record import replace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from core.nft.names import Element
    from core.publication import Mapping

    Overlap = tuple[Mapping, Element]


def free(kernel: Any, wanted: list[Mapping], owner: str, whole: bool) -> int:
    """The level on which the *wanted* mappings, those of the first, can stand: behind their own container's.

    A port on every address and the same port on one address are different keys to the kernel, but one port to
    people; so are those of two levels. What a gone attachment left there would catch our packets, so it is
    deleted. Raises CNIError(PORT_TAKEN).
    whole: look at what has the same key on the first level, too; else the kernel will tell.
    """
    found = _overlapping(kernel, wanted, whole)
    if not found:
        return 1
    from core.plan import taken  # late: nearly always there is none

    may_replace = taken.judge(kernel)
    dead: list[Any] = []
    level = 1
    for mapping, other in found:
        deadline.check()
        ours = port_element(mapping, owner)
        if not may_replace(ours, other):
            if not taken.is_same_container(ours, other):
                raise taken.error(ours, other)
            level = max(level, other.about.level + 1)
        elif other.holder != ours.holder:
            dead.append(other)
    apply.raise_all(apply.delete(kernel, dict.fromkeys(dead)))
    return level


def _overlapping(kernel: Any, wanted: list[Mapping], whole: bool) -> list[Overlap]:
    """(mapping, the element of another one for the same port), for each that stands."""
    exact = {_port(each, each.host_address): each for each in wanted}
    specific = {_port(each, b""): each for each in wanted if each.host_address}
    anywhere = [port_element(replace(each, host_address=b""), "") for each in specific.values()]
    found: list[Overlap] = [
        (each, other)
        for each, other in zip(specific.values(), kernel.standing(anywhere))
        if other and other.about
    ]
    for family, condition in dict.fromkeys([(each.family, each.condition) for each in wanted]):
        maps = port_maps_beginning(family, condition, whole)
        for other in kernel.elements_of(Elements(PUBLISH, "", maps)):
            theirs = other.about
            if theirs is None or theirs.condition != condition:
                continue
            mapping = exact.get(_port(theirs, theirs.host_address))
            mapping = mapping or (exact if theirs.host_address else specific).get(_port(theirs, b""))
            if mapping:
                found.append((mapping, other))
    return found


def _port(mapping: Mapping, host_address: bytes) -> tuple[object, ...]:
    return mapping.family, mapping.condition, mapping.protocol, mapping.host_port, host_address
