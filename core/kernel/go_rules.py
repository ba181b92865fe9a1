"""Rules in the shapes of the Go reference suite, whoever made them: recognised and deleted.

Its masquerade and port mappings stand in iptables chains named by a hash, or in nft tables of its own. Our
own iptables backend makes the same chains. iptables-nft keeps them where the netfilter socket reaches them,
so no program is needed; iptables-legacy is asked only where it has made a table (core.kernel.legacy).
"""

from __future__ import annotations

from errno import EBUSY, ENOENT

from core.attachment import FIRST_IFNAME, Attachment, hashed
from core.errors import CNIError, of_kernel
from core.netlink.message import (
    DUMP,
    Message,
    attribute,
    attribute_list,
    attributes,
    string,
    text,
    unpack_from,
)
from core.netlink.socket import NOTHING_THERE
from core.nft import values
from core.nft.values import NFGENMSG_BYTES, comment_text, head
from core.plan.records import HOST
from core.record import replace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

NAT, HOSTPORT, MASQUERADE = "nat", "cni_hostport", "cni_plugins_masquerade"  # tables
IPTABLES_FAMILIES = ("ip", "ip6")
NFTA_MATCH_NAME, NFTA_MATCH_INFO, NFTA_CMP_DATA = 1, 3, 3
IPPROTO_UDP, PORT_BYTES = b"\x11", 2
RACES = 5  # how often others may delete a part of what we are about to


def delete_masquerade(kernel: Any, attachment: Attachment) -> list[CNIError]:
    """Remove masquerade rules of an attachment: chain CNI-<hash> in nat, rules in cni_plugins_masquerade."""
    chains = chains_of(kernel, attachment, "CNI-")
    tasks: list[tuple[Any, ...]] = [
        (delete_chain, kernel, family, chain, "POSTROUTING", None)
        for family in IPTABLES_FAMILIES
        for chain in chains
    ]
    own = instance(attachment)
    tasks.append((delete_masquerade_rules, kernel, lambda it: it.startswith(own)))
    return _each(*tasks) + _of_legacy(kernel, chains, None)


def instance(attachment: Attachment) -> str:
    """What the comments of its rules in cni_plugins_masquerade begin with; up to the dash, the network's."""
    of_container = hashed(16, "", f"{attachment.ifname}:{attachment.container_id}")
    return f"{hashed(16, '', attachment.network)}-{of_container}"


def delete_masquerade_rules(kernel: Any, mine: Callable[[str], bool]) -> None:
    """Delete the rules of cni_plugins_masquerade whose comment is *mine*. Raises OSError."""
    _delete_rules(kernel, "inet", MASQUERADE, "masq_checks", mine)


def delete_mappings(kernel: Any, attachment: Attachment, udp: list[tuple[str, int]]) -> list[CNIError]:
    """Remove the port mappings of an attachment: chain CNI-DN-<hash> in nat, rules in cni_hostport.

    udp: gets (family, host port) of each that was UDP, from the chains.
    """
    own = attachment.container_id.__eq__
    old = hashed(28, "CNI-SN-", attachment.network + attachment.container_id)
    chains = chains_of(kernel, attachment, "CNI-DN-")
    tasks: list[tuple[Any, ...]] = []
    for family in IPTABLES_FAMILIES:
        tasks += [(delete_chain, kernel, family, chain, "CNI-HOSTPORT-DNAT", udp) for chain in chains]
        tasks.append((delete_chain, kernel, family, old, "CNI-HOSTPORT-SNAT", None))
        for chain in ("hostports", "hostip_hostports", "masquerading"):
            tasks.append((_delete_rules, kernel, family, HOSTPORT, chain, own))
    return _each(*tasks) + _of_legacy(kernel, [*chains, old], udp)


def chains_of(kernel: Any, attachment: Attachment, prefix: str) -> list[str]:
    """The names of the chains that an attachment may have.

    The reference's name tells no ifname. For another interface than the first it may be one that the Go suite
    made for it, or ours for the first one, which is alive as long as its host veth is.
    """
    first = replace(attachment, ifname=FIRST_IFNAME, port="")
    if attachment.ifname == FIRST_IFNAME:
        return [first.chain(prefix)]
    of_another = [] if kernel.link(HOST, first.host_ifname) else [first.chain(prefix)]
    return [attachment.chain(prefix), *of_another]


def _of_legacy(kernel: Any, chains: list[str], udp: list[tuple[str, int]] | None) -> list[CNIError]:
    """Delete chains of iptables-legacy; returns the failures."""
    families = kernel.legacy_families(NAT)
    if not families:
        return []
    from core.kernel import legacy  # late: hardly a host has its tables

    return _each(*[(legacy.delete_chains, kernel, family, chains, udp) for family in families])


def _each(*tasks: tuple[Any, ...]) -> list[CNIError]:
    """Call each function with its arguments; returns the failures."""
    failures = []
    for task, *arguments in tasks:
        try:
            task(*arguments)
        except OSError as error:
            if error.errno in NOTHING_THERE:
                continue
            code, what = of_kernel(error.errno), "cannot remove rules in the shapes of the Go plugins"
            failures.append(CNIError(code, f"{what}: {error.strerror}"))
    return failures


def rules_of(kernel: Any, family: str, table: str, chain: str) -> list[dict[int, bytes]]:
    """The rules of a chain, "" for all of the table; a chain that is missing is FileNotFoundError.

    Raises OSError.
    """
    if chain:
        kernel.netfilter.socket.ask(Message(values.NFT_MSG_GETCHAIN, 0, _chain_of(family, table, chain)))
    question = Message(values.NFT_MSG_GETRULE, DUMP, _rules_of(family, table, chain))
    return [attributes(payload, NFGENMSG_BYTES) for _, payload in kernel.netfilter.socket.ask(question)]


def _chain_of(family: str, table: str, chain: str) -> bytes:
    return head(family) + string(values.NFTA_CHAIN_TABLE, table) + string(values.NFTA_CHAIN_NAME, chain)


def _rules_of(family: str, table: str, chain: str) -> bytes:
    named = string(values.NFTA_RULE_CHAIN, chain) if chain else b""
    return head(family) + string(values.NFTA_RULE_TABLE, table) + named


def comment(rule: dict[int, bytes]) -> str:
    """The comment of a rule: nft's, or that of iptables' match."""
    for name, data in _expressions(rule):
        if name == "match" and text(data.get(NFTA_MATCH_NAME, b"")) == "comment":
            return text(data.get(NFTA_MATCH_INFO, b"").partition(b"\0")[0])
    return comment_text(rule.get(values.NFTA_RULE_USERDATA, b""))


def _expressions(rule: dict[int, bytes]) -> list[tuple[str, dict[int, bytes]]]:
    """(name, attributes) of what a rule matches and does."""
    listed = attribute_list(rule.get(values.NFTA_RULE_EXPRESSIONS, b""))
    found = [attributes(member) for _, member in listed]
    return [
        (text(each.get(values.NFTA_EXPR_NAME, b"")), attributes(each.get(values.NFTA_EXPR_DATA, b"")))
        for each in found
    ]


def _deletion(family: str, table: str, rule: dict[int, bytes]) -> Message:
    chain, handle = [
        attribute(kind, rule.get(kind, b"")) for kind in (values.NFTA_RULE_CHAIN, values.NFTA_RULE_HANDLE)
    ]
    return Message(values.NFT_MSG_DELRULE, 0, _rules_of(family, table, "") + chain + handle)


def delete_chain(
    kernel: Any, family: str, name: str, entry: str, udp: list[tuple[str, int]] | None = None
) -> None:
    """Delete an iptables-nft chain of table nat and the rules of *entry* that jump to it.

    A chain that is absent is FileNotFoundError. Others may delete some of it meanwhile: then we look again.
    """
    if not kernel.netfilter.has_table(family, NAT):
        return
    own: list[dict[int, bytes]] = []
    where = entry
    for last in [False] * RACES + [True]:
        own = rules_of(kernel, family, NAT, name)
        try:
            rules = rules_of(kernel, family, NAT, where)
        except FileNotFoundError:
            rules = []
        jumps = [_deletion(family, NAT, rule) for rule in rules if target(rule) == name]
        removal = Message(values.NFT_MSG_DELCHAIN, 0, _chain_of(family, NAT, name))
        try:
            kernel.netfilter.commit([*jumps, removal])
            break
        except OSError as error:
            if last or error.errno not in (ENOENT, EBUSY):
                raise
            where = ""  # somebody else's rule may jump there, too
    if udp is not None:
        udp += [(family, port) for port in dict.fromkeys([_udp_port(rule) for rule in own]) if port]


def target(rule: dict[int, bytes]) -> str:
    """The chain that a rule's immediate verdict names, "" for none."""
    if b"immediate" not in rule.get(values.NFTA_RULE_EXPRESSIONS, b""):
        return ""
    for name, found in _expressions(rule):
        decision = attributes(found.get(values.NFTA_IMMEDIATE_DATA, b""))
        to = attributes(decision.get(values.NFTA_DATA_VERDICT, b"")).get(values.NFTA_VERDICT_CHAIN, b"")
        if name == "immediate" and to:
            return text(to)
    return ""


def _udp_port(rule: dict[int, bytes]) -> int:
    """The one UDP destination port that a rule matches, natively or by iptables' own match; 0 for none."""
    compared: list[bytes] = []
    for name, data in _expressions(rule):
        if name == "match" and text(data.get(NFTA_MATCH_NAME, b"")) == "udp":
            return int(unpack_from("=H", data.get(NFTA_MATCH_INFO, b""), 4)[0])
        if name == "cmp":
            compared.append(attributes(data.get(NFTA_CMP_DATA, b"")).get(values.NFTA_DATA_VALUE, b""))
    ports = [each for each in compared if len(each) == PORT_BYTES]
    return int.from_bytes(ports[0], "big") if IPPROTO_UDP in compared and ports else 0


def _delete_rules(kernel: Any, family: str, table: str, chain: str, mine: Callable[[str], bool]) -> None:
    """Delete the rules of a chain whose comment is *mine*; a missing chain is FileNotFoundError."""
    if not kernel.netfilter.has_table(family, table):
        return
    for last in [False] * RACES + [True]:
        doomed = [rule for rule in rules_of(kernel, family, table, chain) if mine(comment(rule))]
        try:
            if doomed:
                kernel.netfilter.commit([_deletion(family, table, rule) for rule in doomed])
            return
        except FileNotFoundError:  # others have deleted some of them meanwhile, and all of them are left
            if last:
                raise
