"""portmap: ports of the host lead to ports of the container, through maps of the kernel's packet filter.

A chained plugin: it needs the result of the plugin that made the interface, and answers with it unchanged.
"""

from __future__ import annotations

from core import deadline, system
from core.attachment import Attachment
from core.cni.version import ALL
from core.errors import CNIError
from core.kernel import filter as packet_filter
from core.kernel import go_suite
from core.nft.names import INET, PORT_MAPS, Element, Elements
from core.plan import apply
from core.record import replace
from core.verbs import chained
from plugins.portmap.plan import HASH_DIGITS, SPECIFIC, Options, host_links, level_of
from plugins.portmap.plan import options as options
from plugins.portmap.plan import plan as plan

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from core.cni.protocol import Request
    from core.cni.result import Result

NAME = "portmap"
VERSIONS = ALL
MOST_LEVELS = 64  # networks of one container with the same port
SERVICE_BYTES = 8  # protocol and port, at the end of every key
KINDS = (Elements(INET, PORT_MAPS, ""),)


def footprint(attachment: Attachment) -> tuple[object, ...]:
    """The identities of all that plan().owned makes, for DEL: known without runtimeConfig or prevResult."""
    return (Elements(INET, PORT_MAPS, attachment.owner),)


def carry_out(kernel: Any, request: Request, wanted: Options, prev_result: Result) -> Result:
    """Publish the ports and answer with prevResult as it came."""
    if wanted.without_loopback6:
        system.tell(NAME, "hostIP ::1 is left out: the kernel lets no answer back to it; 127.0.0.1 works")
    if wanted.mappings:
        _publish(kernel, wanted, request.attachment, prev_result)
    return prev_result


def _publish(kernel: Any, wanted: Options, attachment: Attachment, prev_result: Result) -> None:
    """On the first level of maps, or behind what another network of the same container has there; the kernel's refusal tells which is free."""
    witness = _witness(kernel, attachment, prev_result)
    made = plan(wanted, attachment, prev_result, witness)
    first = [item for item in made.owned if isinstance(item, Element) and "hostports" in item.map]
    level = _free_level(kernel, first, whole=False)
    while True:
        if level > 1:
            level = max(level, _free_level(kernel, first, whole=True))
            made = plan(wanted, attachment, prev_result, witness, level)
        try:
            apply.add(kernel, made, lambda elements=made.owned: packet_filter.forget_flows(kernel, NAME, elements))  # type: ignore[misc]
            break
        except CNIError as error:
            if level == MOST_LEVELS or not getattr(error, "same_container", False):
                raise
        level += 1


def _witness(kernel: Any, attachment: Attachment, prev_result: Result) -> str:
    """What will prove that the attachment is gone, besides the host veth that our bridge names after it."""
    links = host_links(attachment, prev_result)
    if attachment.host_ifname in links:
        return ""
    from core.kernel import witness  # late: behind another suite's plugin

    return witness.words(kernel, attachment.owner, links, attachment.netns)


def _free_level(kernel: Any, wanted: list[Element], whole: bool) -> int:
    """The level on which the *wanted* elements of the first can stand: behind what their own container has on other networks.

    A port on every address and the same port on one address are different keys to the kernel, but one port to people; so are those of two levels.
    What a gone attachment left there would catch our packets, so it is deleted. Raises CNIError(PORT_TAKEN).
    whole: look at what has the same key on the first level, too; else the kernel will tell.
    """
    found = _overlapping(kernel, wanted, whole)
    if not found:
        return 1
    from core.plan import taken  # late: nearly always there is none

    may_replace = taken.judge(kernel)
    dead: list[object] = []
    level = 1
    for item, other in found:
        deadline.check()
        if not may_replace(item, other):
            if not taken.is_same_container(item, other):
                raise taken.error(item, other)
            level = max(level, level_of(other.map, item.map.removeprefix(SPECIFIC)) + 1)
        elif taken.name(other) != taken.name(item):
            dead.append(other)
    apply.raise_all(apply.delete(kernel, dict.fromkeys(dead)))
    return level


def _overlapping(kernel: Any, wanted: list[Element], whole: bool) -> list[tuple[Element, Element]]:
    """(element, another one for the same port), for each that stands."""
    exact = {(item.map.removeprefix(SPECIFIC), item.key): item for item in wanted}
    narrow = {(base, key[-SERVICE_BYTES:]): item for (base, key), item in exact.items() if len(key) > SERVICE_BYTES}
    twins = [replace(item, map=item.map.removeprefix(SPECIFIC), key=item.key[-SERVICE_BYTES:]) for item in narrow.values()]
    found = [(item, other) for item, other in zip(narrow.values(), kernel.standing(twins)) if other]
    for base in dict.fromkeys([base for base, _ in exact]):
        for other in kernel.elements_of(Elements(INET, (SPECIFIC + base, base if whole else f"{base}-"), "")):
            service = other.key[-SERVICE_BYTES:]
            item = exact.get((base, other.key)) or (exact if len(other.key) > SERVICE_BYTES else narrow).get((base, service))
            if item and level_of(other.map, base):
                found.append((item, other))
    return found


def differences(kernel: Any, request: Request, wanted: Options, prev_result: Result) -> list[str]:
    """Every rule and element that ADD made and that is not as it made it."""
    from core.plan import difference  # late: CHECK only

    attachment = request.attachment
    found = difference.check(kernel, plan(wanted, attachment, prev_result))
    level = _level_found(kernel, attachment) if found else 1
    if level > 1:
        found = difference.check(kernel, plan(wanted, attachment, prev_result, level=level))
    return [] if found and _made_by_go(kernel, attachment) else found


def _made_by_go(kernel: Any, attachment: Attachment) -> bool:
    """Whether the attachment is of the time before a node switched to us: nothing of ours stands for it, but the Go suite's mappings do."""
    return not kernel.elements_of(Elements(INET, PORT_MAPS, attachment.owner)) and go_suite.has_mappings(kernel, attachment)


def _level_found(kernel: Any, attachment: Attachment) -> int:
    """The level on which the attachment's ports stand; 1 where there are none."""
    names = [item.map for item in kernel.elements_of(Elements(INET, PORT_MAPS, attachment.owner)) if "hostports" in item.map]
    ends = [name.rpartition("-")[2] for name in names]
    return max([int(end) for end in ends if end.isdigit() and len(end) < HASH_DIGITS], default=1)


def inherited(kernel: Any, attachment: Attachment) -> list[CNIError]:
    """Delete the Go suite's mappings of the attachment; returns the failures."""
    return go_suite.delete_mappings(kernel, attachment)


def forget(kernel: Any, gone: list[object]) -> None:
    """The UDP flows of ports that are published no more would go on to whoever gets their address."""
    packet_filter.forget_flows(kernel, NAME, gone)


def available(kernel: Any, _: Options) -> None:
    """Raises CNIError where nftables cannot be used."""
    kernel.probe_firewall()


COMMANDS = chained.COMMANDS
