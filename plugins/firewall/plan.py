"""The plan of all that admits one container. Pure."""

from __future__ import annotations

from core import address
from core.attachment import Attachment
from core.cni.result import host_links
from core.errors import INVALID_CONFIG, CNIError
from core.intent import ISOLATED, OPEN, Ingress
from core.plan import filter as intents
from core.plan import zones
from core.plan.opening import Barrier, opening
from core.plan.records import Plan
from core.record import Record
from plugins.firewall.options import Options

TYPE_CHECKING = False
if TYPE_CHECKING:
    from core.cni.result import Result

IFNAME_BYTES = 15


class Facts(Record):
    """What the kernel was asked before.

    barriers: who drops what is forwarded.
    port: the container's own port of its bridge, where it is to be isolated.
    legacy: somebody uses iptables-legacy, which is not seen.
    witness: what proves that the attachment is gone; to CHECK it is no difference.
    """

    barriers: tuple[Barrier, ...] = ()
    port: str = ""
    witness: str = ""
    legacy: bool = False


def container_addresses(prev_result: Result) -> list[bytes]:
    """All addresses of prevResult, packed, each once, whichever interface they are of."""
    return list(dict.fromkeys([address.parse_cidr(item["address"]).address for item in prev_result["ips"]]))


def families(addresses: list[bytes]) -> tuple[str, ...]:
    """nft's words for the families of tables that see packets of *addresses*."""
    found = dict.fromkeys([address.family(each).word for each in addresses])
    return ("inet", *found) if found else ()


def bridge(policy: str, attachment: Attachment, prev_result: Result) -> str:
    """The host's interface to the container's network, "" where nobody asks. Raises CNIError."""
    if policy == OPEN:
        return ""
    links = host_links(prev_result, attachment.ifname)
    if not links:
        told = f"ingressPolicy: {policy} needs a bridge, and prevResult names no interface of the host"
        raise CNIError(INVALID_CONFIG, told, "list firewall behind the bridge plugin")
    if len(links[0].encode("utf-8", "surrogateescape")) > IFNAME_BYTES:
        raise CNIError(INVALID_CONFIG, f"prevResult: want the name of an interface, found {links[0]!r}")
    return links[0]


def plan(wanted: Options, attachment: Attachment, prev_result: Result, facts: Facts) -> Plan:
    """The openings in others' chains, what stands in our tables, and then what others were asked for.

    In our tables stands whose an address is, which nobody else keeps.
    """
    behind = bridge(wanted.policy, attachment, prev_result)
    ingress = Ingress(wanted.policy, behind, facts.port if wanted.policy == ISOLATED else "")
    openings = [opening(each, wanted.admin) for each in facts.barriers]
    owner = f"{attachment.owner} {facts.witness}".strip()
    addresses = container_addresses(prev_result)
    made = intents.admit(intents.NFT, addresses, ingress, owner)
    if wanted.iptables:
        made += intents.admit(intents.iptables(admin_chain=wanted.admin), addresses, ingress, owner)
    if wanted.zone:
        made += zones.admit(addresses, wanted.zone, owner)
    return Plan(tuple([each for each in openings if each])) + made
