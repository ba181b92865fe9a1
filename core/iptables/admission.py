"""Who is forwarded, in table filter: the chains and rules of the reference's firewall plugin. Pure.

    FORWARD                -j CNI-ISOLATION-STAGE-1, where a policy fences a bridge; -j CNI-FORWARD
    CNI-FORWARD            -j CNI-ADMIN; then two rules for each address
    CNI-ISOLATION-STAGE-1  -i BRIDGE -o BRIDGE -j DROP (isolated); -i BRIDGE ! -o BRIDGE -j ...-STAGE-2
    CNI-ISOLATION-STAGE-2  -o BRIDGE -j DROP

The rules of an address are its attachment's own, but nothing in them tells whose: that stands in our nft sets
(core.plan.opening.Admissions).
"""

from __future__ import annotations

from core import address
from core.intent import ISOLATED, OPEN, SAME_BRIDGE
from core.iptables.records import ChainRule, SharedChain, SharedRule
from core.iptables.text import line

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from core.intent import Ingress
    from core.iptables.backend import Records

FILTER, FORWARD, ADMIN = "filter", "CNI-FORWARD", "CNI-ADMIN"
STAGE_1, STAGE_2 = "CNI-ISOLATION-STAGE-1", "CNI-ISOLATION-STAGE-2"
# A policy -> how the comments of what its bridges share name it; the first release knew one policy only.
POLICIES = {SAME_BRIDGE: SAME_BRIDGE, ISOLATED: f"{SAME_BRIDGE}|{ISOLATED}"}


def admit(addresses: list[bytes], ingress: Ingress, admin: str) -> Records:
    """What a container sends and is answered is forwarded; *ingress* says who does not reach its bridge.

    admin: the chain in which an administrator overrules that.
    """
    shared: list[Any] = []
    for family in dict.fromkeys([address.family(each).word for each in addresses]):
        shared += [
            SharedChain(family, FILTER, FORWARD),
            SharedChain(family, FILTER, admin),
            SharedRule(family, FILTER, "FORWARD", _commented("rules", "-j", FORWARD), first=True),
            SharedRule(family, FILTER, FORWARD, _commented("admin overrides", "-j", admin), first=True),
        ]
        if ingress.policy != OPEN:
            shared += _fence(family, ingress.policy, ingress.bridge)
    return tuple(shared), tuple([rule for each in addresses for rule in rules(each)])


def rules(packed: bytes) -> tuple[ChainRule, ChainRule]:
    """Answers come back to an address, and what it sends goes out."""
    family, whole = address.family(packed).word, address.host_prefix(packed)
    answers = f"-d {whole} -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT"
    sends = ChainRule(family, FILTER, FORWARD, f"-s {whole} -j ACCEPT")
    return ChainRule(family, FILTER, FORWARD, answers), sends


def _fence(family: str, policy: str, bridge: str) -> list[Any]:
    """What enters by *bridge* leaves by no other bridge that is fenced; with ISOLATED not by itself either.

    What is put in front comes in reverse: the last one stands first.
    """
    all_, own = f"rules (ingressPolicy: {POLICIES[policy]})", f"rules (ingressPolicy: {policy})"
    crossing = _commented(own, "-i", bridge, "!", "-o", bridge, "-j", STAGE_2)
    within = _commented(own, "-i", bridge, "-o", bridge, "-j", "DROP")
    made: list[Any] = [SharedChain(family, FILTER, each) for each in (STAGE_1, STAGE_2)]
    made.append(SharedRule(family, FILTER, "FORWARD", _commented(all_, "-j", STAGE_1), first=True))
    made.append(SharedRule(family, FILTER, STAGE_1, crossing, first=True))
    if policy == ISOLATED:
        made.append(SharedRule(family, FILTER, STAGE_1, within, first=True))
    made.append(SharedRule(family, FILTER, STAGE_1, _commented(all_, "-j", "RETURN")))
    arriving = _commented(all_, "-o", bridge, "-j", "DROP")
    made.append(SharedRule(family, FILTER, STAGE_2, arriving, first=True))
    made.append(SharedRule(family, FILTER, STAGE_2, _commented(all_, "-j", "RETURN")))
    return made


def _commented(what: str, *words: str) -> str:
    """A rule with the comment of the reference."""
    return line([*words[:-2], "-m", "comment", "--comment", f"CNI firewall plugin {what}", *words[-2:]])
