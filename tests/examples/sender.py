"""sender: frames that come out of the container's host link carry the container's MAC.

The smallest plugin that is chained behind another.
"""

from __future__ import annotations

from core.address import mac_parse
from core.cni.version import ALL
from core.errors import INVALID_CONFIG, CNIError
from core.intent import NO_SPOOF
from core.plan import apply, difference
from core.plan import filter as intents
from core.plan.records import Plan
from core.verbs import chained

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from core.attachment import Attachment
    from core.cni.config import Section
    from core.cni.protocol import Request
    from core.cni.result import Result

NAME = "sender"
VERSIONS = ALL
KINDS = intents.footprint(NO_SPOOF)


def options(config: Section, _args: str) -> bool:
    return config.boolean("checked", True)


def plan(attachment: Attachment, prev_result: Result) -> Plan:
    interfaces = prev_result["interfaces"]
    links = [item["name"] for item in interfaces if "sandbox" not in item]
    macs = [item["mac"] for item in interfaces if item["name"] == attachment.ifname and "sandbox" in item]
    if not links or not macs:
        raise CNIError(INVALID_CONFIG, f"prevResult: want the two ends of {attachment.ifname} in interfaces")
    return intents.no_spoof(intents.NFT, links[-1], mac_parse(macs[0]), attachment.owner)


def footprint(attachment: Attachment) -> tuple[object, ...]:
    return intents.footprint(NO_SPOOF, attachment.owner)


def carry_out(kernel: Any, request: Request, _wanted: bool, prev_result: Result) -> Result:
    return apply.add(kernel, plan(request.attachment, prev_result), lambda: prev_result)


def differences(kernel: Any, request: Request, _wanted: bool, prev_result: Result) -> list[str]:
    return difference.check(kernel, plan(request.attachment, prev_result))


def available(kernel: Any, _wanted: bool) -> None:
    kernel.probe_filter()


COMMANDS = chained.COMMANDS
