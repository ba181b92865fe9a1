"""portmap: ports of the host lead to ports of the container, through maps of the kernel's packet filter.

A chained plugin: it needs the result of the plugin that made the interface, and answers with it unchanged.
"""

from __future__ import annotations

from core import system
from core.attachment import Attachment
from core.cni.version import ALL
from core.errors import CNIError
from core.intent import PUBLISH
from core.kernel import flows
from core.nft.names import Elements
from core.plan import apply
from core.plan import filter as intents
from core.verbs import chained
from plugins.portmap import levels
from plugins.portmap.options import Options
from plugins.portmap.options import options as options
from plugins.portmap.plan import mappings_of
from plugins.portmap.plan import plan as plan

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from core.cni.protocol import Request
    from core.cni.result import Result

NAME = "portmap"
VERSIONS = ALL
MOST_LEVELS = 64  # networks of one container with the same port
KINDS = intents.footprint(PUBLISH)


def footprint(attachment: Attachment) -> tuple[object, ...]:
    """The identities of all that plan().owned makes, for DEL: known without runtimeConfig or prevResult."""
    return intents.footprint(PUBLISH, attachment.owner)


def carry_out(kernel: Any, request: Request, wanted: Options, prev_result: Result) -> Result:
    """Publish the ports and answer with prevResult as it came."""
    if wanted.without_loopback6:
        system.tell(NAME, "hostIP ::1 is left out: the kernel lets no answer back to it; 127.0.0.1 works")
    if wanted.mappings:
        _publish(kernel, wanted, request.attachment, prev_result)
    return prev_result


def _publish(kernel: Any, wanted: Options, attachment: Attachment, prev_result: Result) -> None:
    """On the first level of maps, or behind what another network of the same container has there.

    The kernel's refusal tells which level is free.
    """
    if wanted.backend is not intents.NFT:
        _publish_in_iptables(kernel, wanted, attachment, prev_result)
        return
    witness = chained.witness(kernel, attachment, prev_result)
    made = plan(wanted, attachment, prev_result, witness)
    first = mappings_of(wanted, attachment, prev_result)
    level = levels.free(kernel, first, attachment.owner, whole=False)
    while True:
        if level > 1:
            level = max(level, levels.free(kernel, first, attachment.owner, whole=True))
            made = plan(wanted, attachment, prev_result, witness, level)
        try:
            apply.add(kernel, made, lambda owned=made.owned: flows.forget(kernel, NAME, owned))  # type: ignore[misc]
            break
        except CNIError as error:
            if level == MOST_LEVELS or not getattr(error, "same_container", False):
                raise
        level += 1


def _publish_in_iptables(kernel: Any, wanted: Options, attachment: Attachment, prev_result: Result) -> None:
    """iptables refuses no port twice, so whoever has one is looked for first."""
    made, ports = plan(wanted, attachment, prev_result), mappings_of(wanted, attachment, prev_result)
    backend = wanted.backend.of(attachment)
    for chain in made.owned[:1]:
        apply.attempt("look for", chain, kernel.need_room, made.owned, ports, backend)
    apply.add(kernel, made, lambda: flows.forget(kernel, NAME, ports))


def differences(kernel: Any, request: Request, wanted: Options, prev_result: Result) -> list[str]:
    """Every rule and element that ADD made and that is not as it made it."""
    from core.plan import difference  # late: CHECK only

    attachment = request.attachment
    found = difference.check(kernel, plan(wanted, attachment, prev_result))
    if wanted.backend is not intents.NFT:
        return found
    level = _level_found(kernel, attachment) if found else 1
    if level > 1:
        found = difference.check(kernel, plan(wanted, attachment, prev_result, level=level))
    return [] if found and _made_by_go(kernel, attachment) else found


def _made_by_go(kernel: Any, attachment: Attachment) -> bool:
    """Whether the attachment is of the time before a node switched to us, or to another backend.

    Then nothing of ours stands for it in nft, but mappings in the Go suite's shapes do.
    """
    from core.kernel import go_standing  # late: nearly always all of ours stands

    ours = kernel.elements_of(Elements(PUBLISH, attachment.owner))
    return not ours and go_standing.has_mappings(kernel, attachment)


def _level_found(kernel: Any, attachment: Attachment) -> int:
    """The level on which the attachment's ports stand; 1 where there are none."""
    found = kernel.elements_of(Elements(PUBLISH, attachment.owner))
    return max([getattr(item.about, "level", 1) for item in found], default=1)


def inherited(kernel: Any, attachment: Attachment) -> list[CNIError]:
    """Delete the attachment's mappings in the Go suite's shapes, whoever made them; returns the failures."""
    from core.kernel import go_rules  # late: DEL only

    udp: list[tuple[str, int]] = []
    failures = go_rules.delete_mappings(kernel, attachment, udp)
    flows.forget_ports(kernel, NAME, udp)
    return failures


def unclaimed(kernel: Any, network: str, valid: set[tuple[str, str]]) -> list[CNIError]:
    """The same for what no valid attachment of the network claims."""
    udp: list[tuple[str, int]] = []
    failures: list[CNIError] = kernel.gc_iptables(PUBLISH, network, valid, udp)
    flows.forget_ports(kernel, NAME, udp)
    return failures


def forget(kernel: Any, gone: list[object]) -> None:
    """The UDP flows of ports that are published no more would go on to whoever gets their address."""
    flows.forget(kernel, NAME, gone)


def available(kernel: Any, wanted: Options) -> None:
    """Raises CNIError where the packet filter cannot be used."""
    wanted.backend.probe(kernel)


COMMANDS = chained.COMMANDS
