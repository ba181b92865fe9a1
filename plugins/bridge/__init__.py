"""bridge: a veth pair between a container and a bridge of the host, with addresses from IPAM.

ADD makes what `plan` says, CHECK compares it, DEL deletes its footprint, GC the footprints that nobody claims.
"""

from __future__ import annotations

from core import system
from core.attachment import Attachment, host_ifnames, owner_text
from core.cni import delegate, result
from core.cni.config import valid_attachments
from core.cni.version import ALL
from core.errors import (
    DELEGATE_FAILED,
    INTERFACE_EXISTS,
    INVALID_CONFIG,
    INVALID_ENVIRONMENT,
    INVALID_NETNS,
    KERNEL_REFUSED,
    NOT_AVAILABLE,
    CNIError,
)
from core.kernel import filter as packet_filter
from core.kernel import go_suite
from core.nft.names import BRIDGE, INET, MASQUERADE_MAPS, PORT_MAPS, SPOOF_MAPS, Elements
from core.plan import apply, from_ipam
from core.plan.records import CONTAINER, HOST, Veth, mac_text
from core.record import replace
from plugins.bridge import plan
from plugins.bridge.plan import Options, gateway_link, options

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from core.cni.protocol import Request
    from core.cni.result import Result

NAME = "bridge"
VERSIONS = ALL
# In the order of deletion, here and below: whoever is checked may send until the link is gone, so the check goes behind it.
KINDS = (Elements(INET, MASQUERADE_MAPS, ""), Veth, Elements(BRIDGE, SPOOF_MAPS, ""))


def footprint(attachment: Attachment) -> tuple[object, ...]:
    """The identities of all that plan().owned makes, for DEL: known without prevResult or namespace."""
    return (
        Elements(INET, MASQUERADE_MAPS, attachment.owner),
        Veth(attachment.host_ifname, attachment.ifname, attachment.owner),
        Elements(BRIDGE, SPOOF_MAPS, attachment.owner),
    )


def add(request: Request) -> Result:
    """Wire the container; after a failure everything is as it was, but for a bridge that others may use by now."""
    wanted = options(request.config, request.args)
    if not wanted.layer3:
        result.convertible([], request.version)
    attachment = request.attachment
    with _kernel(request) as kernel:
        attachment = _placed(kernel, attachment)
        asking = replace(request, there=lambda: _is_there(kernel, attachment))
        ipam = delegate.call(asking, "ADD") if wanted.layer3 else result.parse(None, request.version)
        try:
            if ipam is None or (wanted.layer3 and not ipam["ips"]):
                raise CNIError(DELEGATE_FAILED, f"ipam.type: {wanted.ipam} returned no IP address")
            answer = wanted.complete(ipam)
            mac = wanted.mac or system.drawn_mac()
            made = plan.plan(wanted, attachment, answer, mac)
            finished = apply.add(kernel, made, lambda: _finish(kernel, replace(request, attachment=attachment), wanted, answer, mac))
            for note in dict.fromkeys(kernel.notes):
                system.tell(NAME, note)
            return finished
        except BaseException:
            if wanted.layer3:
                delegate.release(request)
            raise


def _kernel(request: Request) -> Any:
    """The kernel with the container's namespace open. Raises CNIError(INVALID_NETNS)."""
    from core.kernel.kernel import Kernel  # late: a test may hand in another one

    try:
        return (request.kernel or Kernel)(request.attachment.netns)
    except FileNotFoundError as error:
        raise CNIError(INVALID_NETNS, str(error.strerror)) from None


def _placed(kernel: Any, attachment: Attachment) -> Attachment:
    """The attachment with a name for its host veth. One that is there is refused before IPAM is asked, whose DEL would take its address."""
    if "%" in attachment.ifname:
        raise CNIError(INVALID_ENVIRONMENT, f"invalid CNI_IFNAME {attachment.ifname!r}: the kernel would take it as a pattern for a name")
    if kernel.link(CONTAINER, attachment.ifname):
        raise CNIError(INTERFACE_EXISTS, f"CNI_IFNAME: {attachment.ifname} already exists in {attachment.netns}")
    there, free = kernel.port_of(attachment.owner)
    if there:
        raise CNIError(INTERFACE_EXISTS, f"{attachment.owner} is attached already ({there} exists)", "call DEL first")
    if not free:
        taken = ", ".join(host_ifnames(attachment.owner))
        raise CNIError(INTERFACE_EXISTS, f"the names that the host veth of {attachment.owner} may have are taken: {taken}", "rename or remove one")
    return replace(attachment, port=free)


def _is_there(kernel: Any, attachment: Attachment) -> bool:
    """Whether the attachment has come to be meanwhile. If not, what a killed ADD has left of its rules goes with its address."""
    if kernel.link(CONTAINER, attachment.ifname) or kernel.port_of(attachment.owner)[0]:
        return True
    gone: list[object] = []
    apply.raise_all(apply.delete(kernel, (Elements(INET, PORT_MAPS, attachment.owner), *footprint(attachment)), gone))
    packet_filter.forget_flows(kernel, NAME, gone)
    return False


def _finish(kernel: Any, request: Request, wanted: Options, answer: Result, mac: bytes) -> Result:
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
        if not kernel.can_be_asked_for(CONTAINER, attachment.ifname, addresses):
            raise CNIError(KERNEL_REFUSED, f"{attachment.ifname} does not hear who looks for its IPv6 addresses")
        if addresses:
            kernel.announce(attachment.ifname, mac, addresses, gateway_link(wanted))
    places = [(HOST, name) for name in on_host]
    places.insert(2, (CONTAINER, attachment.ifname))
    return {**answer, "interfaces": [_interface(kernel, place, name, request) for place, name in places]}


def _interface(kernel: Any, place: str, name: str, request: Request) -> dict[str, object]:
    link = kernel.need(place, name)
    size = {"mtu": link.mtu} if request.version == "1.1.0" else {}
    sandbox = {"sandbox": request.attachment.netns} if place == CONTAINER else {}
    return {"name": name, "mac": mac_text(link.mac), **size, **sandbox}


def check(request: Request) -> None:
    """Compare all that ADD made with prevResult and the kernel; report every difference."""
    from core.plan import difference  # late: CHECK only
    from plugins.bridge.compare import differences  # late: CHECK only

    wanted = options(request.config, request.args)
    with _kernel(request) as kernel:
        if wanted.layer3:
            delegate.call(request, "CHECK")
        prev_result = result.parse_prev(request.config, request.version)
        if prev_result is None:
            raise CNIError(INVALID_CONFIG, "prevResult: CHECK needs it")
        difference.report(differences(kernel, wanted, request.attachment, prev_result))


def delete(request: Request) -> None:
    """Delete everything of this attachment, whoever made it; go on after failures and report them together."""
    attachment = request.attachment
    with _kernel_if_any(request) as kernel:
        failures = go_suite.delete_masquerade(kernel, attachment)
        failures += apply.delete(kernel, (*footprint(attachment), *go_suite.footprint(kernel, attachment)))
        if _ipam_type(request):
            try:
                delegate.call(request, "DEL")
            except CNIError as error:
                failures.append(error)
    apply.raise_all(failures, again=True)


def _kernel_if_any(request: Request) -> Any:
    """As _kernel, but a namespace that is gone, or was never one, is no obstacle."""
    from core.kernel.kernel import Kernel  # late: as in _kernel

    try:
        return (request.kernel or Kernel)(request.attachment.netns)
    except (FileNotFoundError, CNIError):
        return (request.kernel or Kernel)("")


def _ipam_type(request: Request) -> str:
    """ipam.type where DEL and GC can make sense of it; "" where ADD cannot have called any plugin."""
    try:
        found = delegate.ipam_type(request)
    except CNIError:
        return ""
    return "" if "/" in found else found


def gc(request: Request) -> None:
    """Delete what this network owns and no valid attachment claims, here and in IPAM."""
    valid = valid_attachments(request.config)
    if valid is None:
        return
    network = request.attachment.network
    with _kernel_if_any(request) as kernel:
        failures = apply.gc(kernel, network, KINDS, {owner_text(network, *attachment) for attachment in valid})
        if _ipam_type(request):
            try:
                delegate.call(request, "GC")
            except CNIError as error:
                failures.append(error)
    apply.raise_all(failures)


def status(request: Request) -> None:
    """Whether an ADD could be served now: configuration, bridge name, IPAM. Raises CNIError."""
    wanted = options(request.config, "")
    with _kernel_if_any(request) as kernel:
        link = kernel.link(HOST, wanted.bridge)
        if link and link.kind != "bridge":
            raise CNIError(NOT_AVAILABLE, f"bridge: {wanted.bridge} exists and is not a bridge but a {link.kind or 'physical'} link")
        if wanted.masquerade or wanted.spoof_check:
            kernel.probe_firewall()
        if link and kernel.teaches_routes(wanted.bridge):
            told = f"the host has its IPv6 default route from {wanted.bridge}, and so believes the router advertisements of containers, too"
            system.tell(NAME, f"{told}; give it a static route and set accept_ra to 0")
    if wanted.layer3:
        _ipam_status(request)


def _ipam_status(request: Request) -> None:
    """The IPAM plugin's own word; one that is missing, dead or dumb is not available."""
    try:
        delegate.call(request, "STATUS")
    except CNIError as error:
        if error.code != DELEGATE_FAILED:
            raise
        raise CNIError(NOT_AVAILABLE, error.msg, error.details) from None


COMMANDS = {"ADD": add, "CHECK": check, "DEL": delete, "GC": gc, "STATUS": status}
