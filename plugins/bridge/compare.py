"""bridge's CHECK: the bridge and its MAC, beyond what every plugin that makes an interface compares."""

from __future__ import annotations

from core.address import mac_text
from core.intent import MASQUERADE
from core.nft.names import Elements
from core.plan import filter as intents
from core.plan.records import HOST
from core.record import replace
from core.verbs import compare

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from core.attachment import Attachment
    from core.cni.protocol import Request
    from core.cni.result import Result
    from plugins.bridge.options import Options


def differences(kernel: Any, request: Request, wanted: Options, prev_result: Result) -> list[str]:
    """Every difference, `...: want ..., found ...`, the bridge's first.

    Raises CNIError as core.verbs.compare.
    """
    found = _of_bridge(kernel, wanted, prev_result)
    other = compare.differences(kernel, request, wanted, prev_result)
    if other and wanted.masquerade and _is_masqueraded_otherwise(kernel, wanted, request.attachment):
        other = compare.differences(kernel, request, replace(wanted, masquerade=False), prev_result)
    return found + other


def _is_masqueraded_otherwise(kernel: Any, wanted: Options, attachment: Attachment) -> bool:
    """Whether the other backend has it: configured otherwise since ADD, or moved by `cniwire leave`."""
    from core.kernel import go_standing  # late: nearly always all of ours stands

    ours = kernel.elements_of(Elements(MASQUERADE, attachment.owner))
    return bool(ours if wanted.backend is not intents.NFT else go_standing.has_masquerade(kernel, attachment))


def _of_bridge(kernel: Any, wanted: Options, prev_result: Result) -> list[str]:
    """The bridge has to be listed with the MAC that it has."""
    listed = [
        item
        for item in prev_result["interfaces"]
        if item.get("name") == wanted.bridge and "sandbox" not in item
    ]
    link = kernel.link(HOST, wanted.bridge)
    if not listed:
        return [f"want the bridge {wanted.bridge} in prevResult, found none"]
    if link and not any(link.mac):
        want = f"want the bridge {wanted.bridge} with a MAC of its own"
        return [f"the bridge {wanted.bridge} has no MAC: {want}, found none ({mac_text(link.mac)})"]
    if link and mac_text(link.mac) != str(listed[0].get("mac", "")).lower():
        found = mac_text(link.mac)
        return [f"the bridge {wanted.bridge} has MAC {found}: want {listed[0].get('mac')}, found {found}"]
    return []
