"""CHECK of a plugin that makes an interface: prevResult, the plan that follows from it, and the kernel.

Spec: section 2 "CHECK".
"""

from __future__ import annotations

from core.address import mac_parse
from core.attachment import host_ifnames
from core.errors import CHECK_FAILED, CNIError
from core.kernel import egress
from core.plan import difference, from_ipam
from core.record import replace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from core.cni.protocol import Request
    from core.cni.result import Result


def differences(kernel: Any, request: Request, wanted: Any, prev_result: Result) -> list[str]:
    """Every difference, `...: want ..., found ...`.

    Raises CNIError where prevResult does not tell of the attachment, or the kernel cannot.

    A later plugin of the chain may have changed the MTU, and merged its own interfaces, addresses and routes
    into the result.
    """
    plugin: Any = request.plugin
    attachment = request.attachment
    inside = from_ipam.container_interface(prev_result, attachment.ifname, attachment.netns)
    listed = [str(item.get("name")) for item in prev_result["interfaces"] if "sandbox" not in item]
    attachment = replace(
        attachment, port=next((name for name in host_ifnames(attachment.owner) if name in listed), "")
    )
    own = from_ipam.of_interface(prev_result, attachment.ifname, attachment.netns)
    made = plugin.plan(replace(wanted, mtu=0), attachment, wanted.given(own), _mac(inside))
    if not attachment.port:
        from core.kernel import go_suite  # late: attachments of another suite

        made = go_suite.plan(made, attachment.host_ifname, listed[1] if len(listed) > 1 else "")
    found = difference.check(kernel, made)
    return found + (
        egress.differences(kernel, attachment.ifname, prev_result, from_ipam.cidrs(own))
        if wanted.layer3
        else []
    )


def _mac(interface: dict[str, Any]) -> bytes:
    try:
        return mac_parse(interface.get("mac", ""))
    except ValueError as error:
        raise CNIError(CHECK_FAILED, f"prevResult: interface {interface.get('name')}: {error}") from None
