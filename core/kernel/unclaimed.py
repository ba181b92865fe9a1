"""GC of rules in the shapes of the reference suite: whose network they are, their comments tell.

Law: a chain of iptables goes if the rule that leads to it names our network, and no valid attachment can have
a chain of its name. A chain that nothing leads to names nobody, and stays. Of the nft tables that the
reference's newer releases make, masquerade rules begin with a hash of the network; port mappings
(cni_hostport) tell the container alone, whose other networks may be alive, so they are left to DEL.
"""

from __future__ import annotations

from core.attachment import FIRST_IFNAME, Attachment
from core.errors import CNIError, of_kernel
from core.intent import MASQUERADE, PUBLISH
from core.kernel import go_rules
from core.netlink.socket import NOTHING_THERE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

# intent -> what names of chains begin with, the chain that leads to them, what comments begin with
SHAPES = {MASQUERADE: ("CNI-", "POSTROUTING", ""), PUBLISH: ("CNI-DN-", "CNI-HOSTPORT-DNAT", "dnat ")}


def gc(
    kernel: Any, intent: str, network: str, valid: set[tuple[str, str]], udp: list[tuple[str, int]]
) -> list[CNIError]:
    """Delete what a network has for an intent, and no *valid* (container ID, ifname) claims.

    Returns the failures. udp: as core.kernel.go_rules.
    """
    prefix, entry, before = SHAPES[intent]
    claimed = {
        Attachment(network, container, name).chain(prefix)
        for container, ifname in valid
        for name in (ifname, FIRST_IFNAME)  # the latter is what the Go suite calls the chains of all
    }
    mine = f'{before}name: "{network}" id: "'
    failures: list[CNIError] = []

    def doomed(found: list[tuple[str, str]]) -> list[str]:
        named = [chain for chain, comment in found if chain.startswith(prefix) and comment.startswith(mine)]
        return [chain for chain in dict.fromkeys(named) if chain not in claimed]

    def tried(work: Any, *arguments: Any) -> None:
        try:
            work(*arguments)
        except OSError as error:
            if error.errno not in NOTHING_THERE:
                told = f"cannot remove rules of network {network}: {error.strerror}"
                failures.append(CNIError(of_kernel(error.errno), told))

    def of_nft(family: str) -> None:
        if kernel.filter.speaks_nft(kernel) and kernel.netfilter.has_table(family, go_rules.NAT):
            rules = go_rules.rules_of(kernel, family, go_rules.NAT, entry)
            for chain in doomed([(go_rules.target(rule), go_rules.comment(rule)) for rule in rules]):
                tried(go_rules.delete_chain, kernel, family, chain, entry, udp)

    def of_legacy(family: str) -> None:
        from core.kernel import legacy  # late: hardly a host has its tables

        legacy.delete_chains(kernel, family, doomed(legacy.jumps(family, entry)), udp)

    tried(_of_its_own_table, kernel, intent, network, valid)
    for family in go_rules.IPTABLES_FAMILIES:
        tried(of_nft, family)
    for family in kernel.legacy_families(go_rules.NAT):
        tried(of_legacy, family)
    return failures


def _of_its_own_table(kernel: Any, intent: str, network: str, valid: set[tuple[str, str]]) -> None:
    """Delete the masquerade rules of a network that none of *valid* has. Raises OSError."""
    if intent != MASQUERADE or not kernel.filter.speaks_nft(kernel):
        return
    alive = tuple([go_rules.instance(Attachment(network, *each)) for each in valid])
    own = go_rules.instance(Attachment(network, "", "")).partition("-")[0] + "-"
    go_rules.delete_masquerade_rules(kernel, lambda it: it.startswith(own) and not it.startswith(alive))
