"""What the Go reference suite made: recognised and cleaned, never written.

Its host veths have random names, its masquerade and port mappings stand in iptables chains named by a hash or in nft
tables of its own; iptables-nft keeps the chains where the netfilter socket reaches them.
"""

from __future__ import annotations

from core.attachment import Attachment, hashed, host_ifnames
from core.errors import KERNEL_REFUSED, CNIError
from core.netlink.message import DUMP, Message, attribute, attribute_list, attributes, string, text
from core.netlink.socket import NOTHING_THERE
from core.plan.records import CONTAINER, HOST, Address, Plan, Port, Route, Up, Veth
from core.record import Record, replace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


class ContainerLink(Record):
    """CNI_IFNAME inside the container, whoever made it; its deletion takes the host's end along.

    owner: the attachment whose DEL this is; what another attachment of ours has under this name stays. "" for whoever.
    """

    ifname: str
    owner: str = ""


def plan(made: Plan, host_ifname: str) -> Plan:
    """What of our plan can be expected of an attachment that the Go suite made: links, addresses and routes."""
    owned: list[object] = []
    for item in made.owned:
        if isinstance(item, Veth):
            owned.append(replace(item, name=host_ifname, owner=""))
        elif isinstance(item, Port):
            owned.append(replace(item, link=host_ifname))
        elif isinstance(item, (Address, Route, Up)):
            owned.append(item)
    return Plan(tuple([item for item in made.shared if not hasattr(item, "family")]), tuple(owned))


def footprint(kernel: Any, attachment: Attachment) -> tuple[ContainerLink, ...]:
    """The container's link, where there is a namespace to look in."""
    return (ContainerLink(attachment.ifname, attachment.owner),) if kernel.netns is not None else ()


def delete_masquerade(kernel: Any, attachment: Attachment) -> list[CNIError]:
    """Remove the masquerade rules of an attachment: chain CNI-<hash> in nat, rules in cni_plugins_masquerade."""
    network, container, ifname = attachment.network, attachment.container_id, attachment.ifname
    comment = f"{hashed(16, '', network)}-{hashed(16, '', f'{ifname}:{container}')}"
    chain = hashed(28, "CNI-", network + container)
    return _each(
        lambda: _delete_chain(kernel, "ip", chain, "POSTROUTING"),
        lambda: _delete_chain(kernel, "ip6", chain, "POSTROUTING"),
        lambda: _delete_rules(kernel, "inet", "cni_plugins_masquerade", "masq_checks", lambda found: found.startswith(comment)),
    )


def delete_mappings(kernel: Any, attachment: Attachment) -> list[CNIError]:
    """Remove the port mappings of an attachment: chain CNI-DN-<hash> in nat, rules in cni_hostport."""
    container = attachment.container_id
    chains = [hashed(28, prefix, attachment.network + container) for prefix in ("CNI-DN-", "CNI-SN-")]
    failures = []
    for family in ("ip", "ip6"):
        for name, entry in zip(chains, ("CNI-HOSTPORT-DNAT", "CNI-HOSTPORT-SNAT")):
            failures += _each(lambda family=family, name=name, entry=entry: _delete_chain(kernel, family, name, entry))  # type: ignore[misc]
        for name in ("hostports", "hostip_hostports", "masquerading"):
            failures += _each(
                lambda family=family, name=name: _delete_rules(kernel, family, "cni_hostport", name, lambda found: found == container)  # type: ignore[misc]
            )
    return failures


def has_mappings(kernel: Any, attachment: Attachment) -> bool:
    """Whether port mappings of an attachment stand that the Go suite made. What they say is not compared. Raises OSError."""
    from core.nft import values  # late: loaded with the first netfilter socket

    container = attachment.container_id
    places = [(family, "nat", hashed(28, "CNI-DN-", attachment.network + container), False) for family in ("ip", "ip6")]
    places += [(family, "cni_hostport", name, True) for family in ("ip", "ip6") for name in ("hostports", "hostip_hostports")]
    for family, table, chain, shared in places:
        if not kernel.firewall.has_table(family, table):
            continue
        try:
            kernel.firewall.socket.ask(Message(values.GETCHAIN, 0, values.head(family) + string(1, table) + string(3, chain)))
            asked = Message(values.GETRULE, DUMP, values.head(family) + string(1, table) + string(2, chain))
            rules = [attributes(payload, 4) for _, payload in kernel.firewall.socket.ask(asked)]
        except FileNotFoundError:
            continue
        if any([not shared or values.comment_text(rule.get(7, b"")) == container for rule in rules]):
            return True
    return False


def _each(*tasks: Callable[[], None]) -> list[CNIError]:
    failures = []
    for task in tasks:
        try:
            task()
        except OSError as error:
            if error.errno in NOTHING_THERE:
                continue
            failures.append(CNIError(KERNEL_REFUSED, f"cannot remove what the Go plugins made: {error.strerror}"))
    return failures


def _delete_chain(kernel: Any, family: str, name: str, entry: str) -> None:
    """Delete an iptables-nft chain of table nat and the rules of *entry* that jump to it; absent is FileNotFoundError."""
    if not kernel.firewall.has_table(family, "nat"):
        return
    from core.nft import values  # late: loaded with the first netfilter socket

    nat = values.head(family) + string(1, "nat")
    kernel.firewall.socket.ask(Message(values.GETCHAIN, 0, nat + string(3, name)))
    try:
        replies = kernel.firewall.socket.ask(Message(values.GETRULE, DUMP, nat + string(2, entry)))
    except FileNotFoundError:
        replies = []
    jumps = [attributes(payload, 4) for _, payload in replies if name.encode() + b"\0" in payload]
    messages = [Message(values.DELRULE, 0, nat + string(2, entry) + attribute(3, rule.get(3, b""))) for rule in jumps if _jumps_to(rule, name)]
    kernel.firewall.commit([*messages, Message(values.DELCHAIN, 0, nat + string(3, name))])


def _jumps_to(rule: dict[int, bytes], chain: str) -> bool:
    """Whether a rule's immediate verdict names *chain*."""
    for _, member in attribute_list(rule.get(4, b"")):
        found = attributes(member)
        verdict = attributes(attributes(attributes(found.get(2, b"")).get(2, b"")).get(2, b""))
        if text(found.get(1, b"")) == "immediate" and text(verdict.get(2, b"")) == chain:
            return True
    return False


def _delete_rules(kernel: Any, family: str, table: str, chain: str, mine: Callable[[str], bool]) -> None:
    """Delete the rules of a chain whose comment is *mine*; a missing chain is FileNotFoundError."""
    if not kernel.firewall.has_table(family, table):
        return
    from core.nft import values  # late: loaded with the first netfilter socket

    place = values.head(family) + string(1, table)
    kernel.firewall.socket.ask(Message(values.GETCHAIN, 0, place + string(3, chain)))
    rules = [attributes(payload, 4) for _, payload in kernel.firewall.socket.ask(Message(values.GETRULE, DUMP, place + string(2, chain)))]
    doomed = [rule for rule in rules if mine(values.comment_text(rule.get(7, b"")))]
    if doomed:
        kernel.firewall.commit([Message(values.DELRULE, 0, place + string(2, chain) + attribute(3, rule.get(3, b""))) for rule in doomed])


def delete_container_link(kernel: Any, link: ContainerLink) -> list[str]:
    """Delete CNI_IFNAME in the container; a refused ADD is followed by DEL, too, which must not take what made it fail. Raises OSError."""
    from core.kernel.links import delete_link  # loaded already, with the kernel

    there = kernel.link(CONTAINER, link.ifname)
    if there is None or (link.owner and _owner(kernel, there) not in ("", link.owner)):
        return []
    return delete_link(kernel, link.ifname, CONTAINER)


def _owner(kernel: Any, there: Any) -> str:
    """The owner of a container's link as the host's end tells it, "" where that is none of ours."""
    from core.kernel.state import ABSENT  # loaded already, with the kernel
    from core.netlink import route

    if there.kind != "veth" or not there.peer:
        return ""
    try:
        replies = kernel.at(HOST).ask(route.get_link_at(there.peer))
    except OSError as error:
        if error.errno not in ABSENT:
            raise
        return ""  # it is in another namespace
    other = route.link(replies[0][1])
    return other.alias if other.peer == there.index and other.name in host_ifnames(other.alias) else ""
