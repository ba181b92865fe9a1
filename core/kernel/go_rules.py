"""The packet filter of the Go reference suite: recognised and cleaned, never written.

Its masquerade and port mappings stand in iptables chains named by a hash, or in nft tables of its own.
iptables-nft keeps the chains where the netfilter socket reaches them.
"""

from __future__ import annotations

from core.attachment import Attachment, hashed
from core.errors import KERNEL_REFUSED, CNIError
from core.netlink.message import DUMP, Message, attribute, attribute_list, attributes, string, text
from core.netlink.socket import NOTHING_THERE
from core.nft import values
from core.nft.values import NFGENMSG_BYTES, comment_text, head

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

NAT, HOSTPORT, MASQUERADE = "nat", "cni_hostport", "cni_plugins_masquerade"  # tables
IPTABLES_FAMILIES = ("ip", "ip6")


def delete_masquerade(kernel: Any, attachment: Attachment) -> list[CNIError]:
    """Remove masquerade rules of an attachment: chain CNI-<hash> in nat, rules in cni_plugins_masquerade."""
    network, container, ifname = attachment.network, attachment.container_id, attachment.ifname
    comment = f"{hashed(16, '', network)}-{hashed(16, '', f'{ifname}:{container}')}"
    chain = hashed(28, "CNI-", network + container)
    return _each(
        (_delete_chain, kernel, "ip", chain, "POSTROUTING"),
        (_delete_chain, kernel, "ip6", chain, "POSTROUTING"),
        (_delete_rules, kernel, "inet", MASQUERADE, "masq_checks", lambda found: found.startswith(comment)),
    )


def delete_mappings(kernel: Any, attachment: Attachment) -> list[CNIError]:
    """Remove the port mappings of an attachment: chain CNI-DN-<hash> in nat, rules in cni_hostport."""
    container = attachment.container_id
    named = attachment.network + container
    tasks: list[tuple[Any, ...]] = []
    for family in IPTABLES_FAMILIES:
        for kind in ("DN", "SN"):
            chain, entry = hashed(28, f"CNI-{kind}-", named), f"CNI-HOSTPORT-{kind}AT"
            tasks.append((_delete_chain, kernel, family, chain, entry))
        for chain in ("hostports", "hostip_hostports", "masquerading"):
            tasks.append((_delete_rules, kernel, family, HOSTPORT, chain, container.__eq__))  # noqa: PERF401
    return _each(*tasks)


def has_mappings(kernel: Any, attachment: Attachment) -> bool:
    """Whether port mappings of an attachment stand that the Go suite made; what they say is not compared.

    Raises OSError.
    """
    container = attachment.container_id
    own_chain = hashed(28, "CNI-DN-", attachment.network + container)
    for family in IPTABLES_FAMILIES:
        for table, chain in ((NAT, own_chain), (HOSTPORT, "hostports"), (HOSTPORT, "hostip_hostports")):
            if not kernel.netfilter.has_table(family, table):
                continue
            try:
                rules = _rules(kernel, family, table, chain)
            except FileNotFoundError:
                continue
            if any([table == NAT or _comment(rule) == container for rule in rules]):
                return True
    return False


def _each(*tasks: tuple[Any, ...]) -> list[CNIError]:
    """Call each function with its arguments; returns the failures."""
    failures = []
    for task, *arguments in tasks:
        try:
            task(*arguments)
        except OSError as error:
            if error.errno in NOTHING_THERE:
                continue
            failures.append(
                CNIError(KERNEL_REFUSED, f"cannot remove what the Go plugins made: {error.strerror}")
            )
    return failures


def _rules(kernel: Any, family: str, table: str, chain: str) -> list[dict[int, bytes]]:
    """The rules of a chain; one that is missing is FileNotFoundError. Raises OSError."""
    _need_chain(kernel, family, table, chain)
    question = Message(values.NFT_MSG_GETRULE, DUMP, _rules_of(family, table, chain))
    return [attributes(payload, NFGENMSG_BYTES) for _, payload in kernel.netfilter.socket.ask(question)]


def _need_chain(kernel: Any, family: str, table: str, chain: str) -> None:
    kernel.netfilter.socket.ask(Message(values.NFT_MSG_GETCHAIN, 0, _chain_of(family, table, chain)))


def _chain_of(family: str, table: str, chain: str) -> bytes:
    return head(family) + string(values.NFTA_CHAIN_TABLE, table) + string(values.NFTA_CHAIN_NAME, chain)


def _rules_of(family: str, table: str, chain: str) -> bytes:
    return head(family) + string(values.NFTA_RULE_TABLE, table) + string(values.NFTA_RULE_CHAIN, chain)


def _comment(rule: dict[int, bytes]) -> str:
    return comment_text(rule.get(values.NFTA_RULE_USERDATA, b""))


def _deletion(family: str, table: str, chain: str, rule: dict[int, bytes]) -> Message:
    handle = attribute(values.NFTA_RULE_HANDLE, rule.get(values.NFTA_RULE_HANDLE, b""))
    return Message(values.NFT_MSG_DELRULE, 0, _rules_of(family, table, chain) + handle)


def _delete_chain(kernel: Any, family: str, name: str, entry: str) -> None:
    """Delete an iptables-nft chain of table nat and the rules of *entry* that jump to it.

    A chain that is absent is FileNotFoundError.
    """
    if not kernel.netfilter.has_table(family, NAT):
        return
    _need_chain(kernel, family, NAT, name)
    try:
        rules = _rules(kernel, family, NAT, entry)
    except FileNotFoundError:
        rules = []
    jumps = [_deletion(family, NAT, entry, rule) for rule in rules if _jumps_to(rule, name)]
    kernel.netfilter.commit([*jumps, Message(values.NFT_MSG_DELCHAIN, 0, _chain_of(family, NAT, name))])


def _jumps_to(rule: dict[int, bytes], chain: str) -> bool:
    """Whether a rule's immediate verdict names *chain*."""
    expressions = rule.get(values.NFTA_RULE_EXPRESSIONS, b"")
    if string(values.NFTA_VERDICT_CHAIN, chain) not in expressions:
        return False  # as nearly all, which need not be decoded
    for _, member in attribute_list(expressions):
        found = attributes(member)
        data = attributes(found.get(values.NFTA_EXPR_DATA, b""))
        decision = attributes(data.get(values.NFTA_IMMEDIATE_DATA, b""))
        to = attributes(decision.get(values.NFTA_DATA_VERDICT, b"")).get(values.NFTA_VERDICT_CHAIN, b"")
        if text(found.get(values.NFTA_EXPR_NAME, b"")) == "immediate" and text(to) == chain:
            return True
    return False


def _delete_rules(kernel: Any, family: str, table: str, chain: str, mine: Callable[[str], bool]) -> None:
    """Delete the rules of a chain whose comment is *mine*; a missing chain is FileNotFoundError."""
    if not kernel.netfilter.has_table(family, table):
        return
    doomed = [rule for rule in _rules(kernel, family, table, chain) if mine(_comment(rule))]
    if doomed:
        kernel.netfilter.commit([_deletion(family, table, chain, rule) for rule in doomed])
