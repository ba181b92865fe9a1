"""bridge: a veth pair between a container and a bridge of the host, with addresses from IPAM.

ADD makes what `plan` says, CHECK compares it, DEL deletes its footprint, GC the footprints that nobody
claims: core.verbs.interface.
"""

from __future__ import annotations

from core import system
from core.attachment import Attachment
from core.cni.version import ALL
from core.errors import KERNEL_REFUSED, NOT_AVAILABLE, CNIError
from core.intent import MASQUERADE, NO_SPOOF
from core.plan import filter as intents
from core.plan import from_ipam
from core.plan.records import CONTAINER, HOST, Link, veth
from core.verbs import interface
from plugins.bridge.options import Options
from plugins.bridge.options import options as options
from plugins.bridge.plan import gateway_link
from plugins.bridge.plan import plan as plan

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from core.cni.protocol import Request
    from core.cni.result import Result

NAME = "bridge"
VERSIONS = ALL
# In the order of deletion, here and below: whoever is checked may send until the link is gone, so the check
# goes behind it.
KINDS = (*intents.footprint(MASQUERADE), Link, *intents.footprint(NO_SPOOF))


def footprint(attachment: Attachment) -> tuple[object, ...]:
    """The identities of all that plan().owned makes, for DEL: known without prevResult or namespace."""
    return (
        *intents.footprint(MASQUERADE, attachment.owner),
        veth(attachment.host_ifname, attachment.ifname, attachment.owner),
        *intents.footprint(NO_SPOOF, attachment.owner),
    )


def finish(kernel: Any, request: Request, wanted: Options, answer: Result, mac: bytes) -> Result:
    """Wait for the port, tell the neighbours, and describe what was made."""
    attachment = request.attachment
    on_host = list(dict.fromkeys([wanted.bridge, attachment.host_ifname, gateway_link(wanted)]))
    kernel.look(HOST, *on_host)
    if not wanted.disabled:
        if wanted.detect and not kernel.addresses_settle(attachment.ifname):
            raise CNIError(KERNEL_REFUSED, f"IPv6 addresses of {attachment.ifname} are still tentative")
        if not kernel.port_is_up(attachment.host_ifname):
            raise CNIError(KERNEL_REFUSED, f"bridge port {attachment.host_ifname} does not come up")
        addresses = [cidr.address for cidr in from_ipam.cidrs(answer)]
        if not kernel.has_joined_groups(CONTAINER, attachment.ifname, addresses):
            raise CNIError(
                KERNEL_REFUSED,
                f"{attachment.ifname} has not joined the solicited-node groups of its addresses",
            )
        if addresses:
            kernel.announce(attachment.ifname, mac, addresses, gateway_link(wanted))
    places = [(HOST, name) for name in on_host]
    places.insert(2, (CONTAINER, attachment.ifname))
    return {
        **answer,
        "interfaces": [interface.described(kernel, place, name, request) for place, name in places],
    }


def differences(kernel: Any, request: Request, wanted: Options, prev_result: Result) -> list[str]:
    """What CHECK tells."""
    from plugins.bridge import compare  # late: CHECK only

    return compare.differences(kernel, request, wanted, prev_result)


def available(kernel: Any, wanted: Options) -> None:
    """Raise CNIError where the bridge's name is another link's, or the packet filter cannot be used."""
    link = kernel.link(HOST, wanted.bridge)
    if link and link.kind != "bridge":
        raise CNIError(
            NOT_AVAILABLE,
            f"bridge: {wanted.bridge} exists and is not a bridge but a {link.kind or 'physical'} link",
        )
    if wanted.masquerade:
        wanted.backend.probe(kernel)
    if wanted.spoof_check:
        intents.NFT.probe(kernel)
    if link and kernel.teaches_routes(wanted.bridge):
        learnt = f"the host has its IPv6 default route from {wanted.bridge}"
        told = f"{learnt}, and so believes the router advertisements of containers, too"
        system.tell(NAME, f"{told}; give it a static route and set accept_ra to 0")


COMMANDS = interface.COMMANDS
