"""Whether rules stand in the shapes of the Go reference suite, whoever made them: what CHECK wants to know.

What they say is not compared.
"""

from __future__ import annotations

from core.kernel import go_rules
from core.kernel.go_rules import HOSTPORT, IPTABLES_FAMILIES, MASQUERADE, NAT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from core.attachment import Attachment


def has_masquerade(kernel: Any, attachment: Attachment) -> bool:
    """Whether an attachment is masqueraded. Raises OSError."""
    chains = go_rules.chains_of(kernel, attachment, "CNI-")
    own = go_rules.instance(attachment)
    return (
        any([_standing(kernel, family, NAT, each) for family in IPTABLES_FAMILIES for each in chains])
        or any([rule.startswith(own) for rule in _standing(kernel, "inet", MASQUERADE, "masq_checks")])
        or _in_legacy(kernel, chains)
    )


def has_mappings(kernel: Any, attachment: Attachment) -> bool:
    """Whether ports of an attachment are published. Raises OSError."""
    chains = go_rules.chains_of(kernel, attachment, "CNI-DN-")
    tables = [(family, each) for family in IPTABLES_FAMILIES for each in ("hostports", "hostip_hostports")]
    return (
        any([_standing(kernel, family, NAT, each) for family in IPTABLES_FAMILIES for each in chains])
        or any(
            [attachment.container_id in _standing(kernel, family, HOSTPORT, each) for family, each in tables]
        )
        or _in_legacy(kernel, chains)
    )


def _standing(kernel: Any, family: str, table: str, chain: str) -> list[str]:
    """The comment of each rule of a chain, "" for none; nothing where there is no such chain."""
    if not kernel.netfilter.has_table(family, table):
        return []
    try:
        return [go_rules.comment(rule) for rule in go_rules.rules_of(kernel, family, table, chain)]
    except FileNotFoundError:
        return []


def _in_legacy(kernel: Any, chains: list[str]) -> bool:
    """Whether one of these chains of table nat has a rule."""
    families = kernel.legacy_families(NAT)
    if not families:
        return False
    from core.kernel import legacy  # late: hardly a host has its tables

    return any([legacy.has_rules(family, chains) for family in families])
