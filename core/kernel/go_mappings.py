"""Whether port mappings of the Go reference suite stand, in any of its shapes: what CHECK wants to know."""

from __future__ import annotations

from core.kernel import go_rules
from core.kernel.go_rules import HOSTPORT, NAT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from core.attachment import Attachment


def has_mappings(kernel: Any, attachment: Attachment) -> bool:
    """Whether port mappings of an attachment stand that the Go suite made; what they say is not compared.

    Raises OSError.
    """
    container = attachment.container_id
    chains = [(NAT, chain) for chain in go_rules.chains_of(kernel, attachment, "CNI-DN-")]
    for family in go_rules.IPTABLES_FAMILIES:
        for table, chain in (*chains, (HOSTPORT, "hostports"), (HOSTPORT, "hostip_hostports")):
            if not kernel.netfilter.has_table(family, table):
                continue
            try:
                rules = go_rules.rules_of(kernel, family, table, chain)
            except FileNotFoundError:
                continue
            if any([table == NAT or go_rules.comment(rule) == container for rule in rules]):
                return True
    families = kernel.legacy_families(NAT)
    if not families:
        return False
    from core.kernel import legacy  # late: hardly a host has its tables

    return any([legacy.has_rules(family, [chain for _, chain in chains]) for family in families])
