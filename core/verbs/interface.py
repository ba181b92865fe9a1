"""What ADD, CHECK, DEL, GC and STATUS do alike in every plugin that makes an interface of the container.

A plugin of this kind is a module with

    NAME, VERSIONS
    KINDS                                               what GC lists, in the order of deletion
    options(config, args) -> wanted                     every key read and checked
    plan(wanted, attachment, answer, mac) -> Plan       pure; mac: of the container's end
    footprint(attachment) -> records                    what DEL deletes, in this order
    finish(kernel, request, wanted, answer, mac)        wait for what was made, and return the result

and, where it needs them,

    differences(kernel, request, wanted, prev_result)   the lines that CHECK tells; else core.verbs.compare
    available(kernel, wanted)                           raises CNIError where an ADD could not be served

Its *wanted* has ipam (the type of the IPAM plugin), layer3 (whether it is asked), mac (b"" for a drawn one),
mtu, complete(answer of IPAM) and given(prevResult's own part): what plan gets as answer in ADD and in CHECK.
The request names the module.
"""

from __future__ import annotations

from core import system
from core.address import mac_text
from core.attachment import CANDIDATES, Attachment, host_ifnames, owner_text
from core.cni import delegate, result
from core.cni.config import valid_attachments
from core.errors import (
    DELEGATE_FAILED,
    INTERFACE_EXISTS,
    INVALID_CONFIG,
    INVALID_ENVIRONMENT,
    INVALID_NETNS,
    NOT_AVAILABLE,
    CNIError,
)
from core.intent import MASQUERADE, PUBLISH
from core.plan import apply
from core.plan import filter as intents
from core.plan.records import CONTAINER, HOST
from core.record import replace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from core.cni.protocol import Request
    from core.cni.result import Result


def add(request: Request) -> Result:
    """Wire the container.

    After a failure everything is as it was, but for what is shared, which others may use by now.
    """
    plugin: Any = request.plugin
    wanted = plugin.options(request.config, request.args)
    if not wanted.layer3:
        result.convertible([], request.version)
    with opened(request) as kernel:
        attachment = _placed(kernel, request.attachment)
        asking = replace(request, there=lambda: _is_there(kernel, plugin, attachment))
        ipam = delegate.call(asking, "ADD") if wanted.layer3 else result.parse(None, request.version)
        try:
            if ipam is None or (wanted.layer3 and not ipam["ips"]):
                raise CNIError(DELEGATE_FAILED, f"ipam.type: {wanted.ipam} returned no IP address")
            answer, mac = wanted.complete(ipam), wanted.mac or system.drawn_mac()
            finished: Result = _made(kernel, replace(request, attachment=attachment), wanted, answer, mac)
            for note in dict.fromkeys(kernel.notes):
                system.tell(plugin.NAME, note)
            return finished
        except BaseException:
            if wanted.layer3:
                delegate.release(request)
            raise


def opened(request: Request) -> Any:
    """The kernel with the container's namespace open. Raises CNIError(INVALID_NETNS)."""
    from core.kernel.kernel import Kernel  # late: a test may hand in another one

    try:
        return (request.kernel or Kernel)(request.attachment.netns)
    except FileNotFoundError as error:
        raise CNIError(INVALID_NETNS, str(error.strerror)) from None


def opened_if_any(request: Request) -> Any:
    """As opened, but a namespace that is gone, or was never one, is no obstacle."""
    from core.kernel.kernel import Kernel  # late: as in opened

    try:
        return (request.kernel or Kernel)(request.attachment.netns)
    except (FileNotFoundError, CNIError):
        return (request.kernel or Kernel)("")


def _made(kernel: Any, request: Any, wanted: Any, answer: Result, mac: bytes, left: int = CANDIDATES) -> Any:
    """Carry the plan out; returns the plugin's result. Raises CNIError; nothing of it is left then.

    Of two ADDs that chose the same host name at once, the later takes the next, as often as is *left*.
    """
    plugin, attachment = request.plugin, request.attachment
    made = plugin.plan(wanted, attachment, answer, mac)
    try:
        return apply.add(kernel, made, lambda: plugin.finish(kernel, request, wanted, answer, mac))
    except CNIError as error:
        free = kernel.port_of(attachment.owner)[1] if left and error.code == INTERFACE_EXISTS else ""
        if not free or not kernel.link(HOST, attachment.host_ifname):
            raise
    again = replace(request, attachment=_placed(kernel, attachment))
    return _made(kernel, again, wanted, answer, mac, left - 1)


def _placed(kernel: Any, attachment: Attachment) -> Attachment:
    """The attachment with a name for its host link.

    One that is there is refused before IPAM is asked, whose DEL would take its address.
    """
    if "%" in attachment.ifname:
        raise CNIError(
            INVALID_ENVIRONMENT,
            f"invalid CNI_IFNAME {attachment.ifname!r}: the kernel would take it as a pattern for a name",
        )
    if kernel.link(CONTAINER, attachment.ifname):
        where = f"{attachment.ifname} already exists in {attachment.netns}"
        raise CNIError(INTERFACE_EXISTS, f"CNI_IFNAME: {where}")
    there, free = kernel.port_of(attachment.owner)
    if there:
        raise CNIError(
            INTERFACE_EXISTS, f"{attachment.owner} is attached already ({there} exists)", "call DEL first"
        )
    if not free:
        taken = ", ".join(host_ifnames(attachment.owner))
        raise CNIError(
            INTERFACE_EXISTS,
            f"the names that the host veth of {attachment.owner} may have are taken: {taken}",
            "rename or remove one",
        )
    return replace(attachment, port=free)


def _is_there(kernel: Any, plugin: Any, attachment: Attachment) -> bool:
    """Whether the attachment has come to be meanwhile.

    If not, what a killed ADD has left of its rules goes with its address.
    """
    if kernel.link(CONTAINER, attachment.ifname) or kernel.port_of(attachment.owner)[0]:
        return True
    from core.kernel import flows  # late: nearly always no killed ADD has left anything

    gone: list[Any] = []
    ports = intents.footprint(PUBLISH, attachment.owner)
    apply.raise_all(apply.delete(kernel, (*ports, *plugin.footprint(attachment)), gone))
    flows.forget(kernel, plugin.NAME, gone)
    return False


def described(kernel: Any, place: str, name: str, request: Request) -> dict[str, object]:
    """A link as the result lists it. Spec: section 5 "Result Types", interfaces. Raises OSError."""
    link = kernel.need(place, name)
    size = {"mtu": link.mtu} if request.version == "1.1.0" else {}
    sandbox = {"sandbox": request.attachment.netns} if place == CONTAINER else {}
    return {"name": name, "mac": mac_text(link.mac), **size, **sandbox}


def check(request: Request) -> None:
    """Compare all that ADD made with prevResult and the kernel; report every difference."""
    from core.plan import difference  # late: CHECK only
    from core.verbs import compare

    plugin: Any = request.plugin
    wanted = plugin.options(request.config, request.args)
    with opened(request) as kernel:
        if wanted.layer3:
            delegate.call(request, "CHECK")
        prev_result = result.parse_prev(request.config, request.version)
        if prev_result is None:
            raise CNIError(INVALID_CONFIG, "prevResult: CHECK needs it")
        found = getattr(plugin, "differences", None) or compare.differences
        difference.report(found(kernel, request, wanted, prev_result))


def delete(request: Request) -> None:
    """Delete all of this attachment, whichever suite made it; go on after failures and report them all."""
    from core.kernel import go_rules, go_suite  # late: DEL only

    plugin: Any = request.plugin
    attachment = request.attachment
    with opened_if_any(request) as kernel:
        failures = go_rules.delete_masquerade(kernel, attachment)
        failures += apply.delete(
            kernel, (*plugin.footprint(attachment), *go_suite.footprint(kernel, attachment))
        )
        failures += _delegated(request, "DEL")
    apply.raise_all(failures, again=True)


def gc(request: Request) -> None:
    """Delete what this network owns and no valid attachment claims, here and in IPAM."""
    plugin: Any = request.plugin
    valid = valid_attachments(request.config)
    if valid is None:
        return
    network = request.attachment.network
    with opened_if_any(request) as kernel:
        failures = apply.gc(
            kernel, network, plugin.KINDS, {owner_text(network, *attachment) for attachment in valid}
        )
        failures += kernel.gc_iptables(MASQUERADE, network, valid, [])
        failures += _delegated(request, "GC")
    apply.raise_all(failures)


def _delegated(request: Request, command: str) -> list[CNIError]:
    """Have IPAM do its part, where ADD can have called one; returns its failure."""
    try:
        if "/" in (delegate.ipam_type(request) or "/"):
            return []
    except CNIError:  # a type that makes no sense
        return []
    try:
        delegate.call(request, command)
    except CNIError as error:
        return [error]
    return []


def status(request: Request) -> None:
    """Whether an ADD could be served now: the configuration, what the plugin itself needs, IPAM.

    Raises CNIError.
    """
    plugin: Any = request.plugin
    wanted = plugin.options(request.config, "")
    if hasattr(plugin, "available"):
        with opened_if_any(request) as kernel:
            plugin.available(kernel, wanted)
    if wanted.layer3:
        try:
            delegate.call(request, "STATUS")
        except CNIError as error:  # a plugin that is missing, dead or dumb is not available
            if error.code != DELEGATE_FAILED:
                raise
            raise CNIError(NOT_AVAILABLE, error.msg, error.details) from None


COMMANDS = {"ADD": add, "CHECK": check, "DEL": delete, "GC": gc, "STATUS": status}
