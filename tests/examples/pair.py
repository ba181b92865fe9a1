"""pair: a veth pair with addresses from IPAM. The smallest plugin that makes an interface."""

from __future__ import annotations

from core.cni.version import ALL
from core.plan import from_ipam
from core.plan.records import CONTAINER, HOST, Link, Plan, veth
from core.record import Record
from core.verbs import interface

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from core.attachment import Attachment
    from core.cni.config import Section
    from core.cni.protocol import Request
    from core.cni.result import Result

NAME = "pair"
VERSIONS = ALL
KINDS = (Link,)


class Options(Record):
    ipam: str
    mtu: int
    mac: bytes = b""

    @property
    def layer3(self) -> bool:
        return bool(self.ipam)

    def complete(self, ipam: Result) -> Result:
        return {**ipam, "ips": [{**item, "interface": 1} for item in ipam["ips"]]}

    def given(self, own: Result) -> Result:
        return own


def options(config: Section, _args: str) -> Options:
    return Options(config.section("ipam").text("type"), config.integer("mtu", 0, 65535))


def plan(wanted: Options, attachment: Attachment, answer: Result, mac: bytes) -> Plan:
    pair = Plan((), (veth(attachment.host_ifname, attachment.ifname, attachment.owner, wanted.mtu, mac),))
    return pair + from_ipam.addressing(attachment.ifname, answer)


def footprint(attachment: Attachment) -> tuple[object, ...]:
    return (veth(attachment.host_ifname, attachment.ifname, attachment.owner),)


def finish(kernel: Any, request: Request, _wanted: Options, answer: Result, _mac: bytes) -> Result:
    ends = ((HOST, request.attachment.host_ifname), (CONTAINER, request.attachment.ifname))
    told = [interface.described(kernel, place, name, request) for place, name in ends]
    return {**answer, "interfaces": told}


COMMANDS = interface.COMMANDS
