"""bridge's CHECK: what prevResult says of an attachment, and what the kernel has of it. Spec: section 2 "CHECK"."""

from __future__ import annotations

from core.attachment import Attachment, host_ifnames
from core.errors import CHECK_FAILED, CNIError
from core.kernel import egress, go_suite
from core.plan import difference, from_ipam
from core.plan.records import HOST, mac_parse, mac_text
from core.record import replace
from plugins.bridge.plan import Options, plan

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from core.cni.result import Result


def differences(kernel: Any, wanted: Options, attachment: Attachment, prev_result: Result) -> list[str]:
    """Every difference, `...: want ..., found ...`. Raises CNIError where prevResult does not tell of the attachment, or the kernel cannot."""
    inside = from_ipam.container_interface(prev_result, attachment.ifname, attachment.netns)
    names = [str(item.get("name")) for item in prev_result["interfaces"] if "sandbox" not in item]
    attachment = replace(attachment, port=next((name for name in host_ifnames(attachment.owner) if name in names), ""))
    own = from_ipam.of_interface(prev_result, attachment.ifname, attachment.netns)
    made = plan(replace(wanted, mtu=0), attachment, wanted.given(own), _mac(inside))  # a later plugin may have changed the MTU
    if not attachment.port:
        made = go_suite.plan(made, names[1] if len(names) > 1 else "")
    found = _of_bridge(kernel, wanted, prev_result) + difference.check(kernel, made)
    if wanted.layer3:
        found += egress.differences(kernel, attachment.ifname, prev_result, from_ipam.cidrs(own))
    return found


def _mac(interface: dict[str, Any]) -> bytes:
    try:
        return mac_parse(interface.get("mac", ""))
    except ValueError as error:
        raise CNIError(CHECK_FAILED, f"prevResult: interface {interface.get('name')}: {error}") from None


def _of_bridge(kernel: Any, wanted: Options, prev_result: Result) -> list[str]:
    """The bridge has to be listed with the MAC that it has."""
    listed = [item for item in prev_result["interfaces"] if item.get("name") == wanted.bridge and "sandbox" not in item]
    link = kernel.link(HOST, wanted.bridge)
    if not listed:
        return [f"want the bridge {wanted.bridge} in prevResult, found none"]
    if link and not any(link.mac):
        return [f"the bridge {wanted.bridge} has no MAC: want the bridge {wanted.bridge} with a MAC of its own, found none ({mac_text(link.mac)})"]
    if link and mac_text(link.mac) != str(listed[0].get("mac", "")).lower():
        found = mac_text(link.mac)
        return [f"the bridge {wanted.bridge} has MAC {found}: want {listed[0].get('mac')}, found {found}"]
    return []
