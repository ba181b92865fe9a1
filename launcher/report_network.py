"""The network of a report: the packet filter, links, addresses, routes, and the settings that matter."""

import os
from collections.abc import Iterator

from core.netlink.message import attributes, text
from core.nft import values
from core.nft.names import TABLE
from core.nft.values import comment_text
from launcher import report_tools
from launcher import routes as routing
from launcher.interfaces import interfaces
from launcher.packet_filter import dump, netfilter
from launcher.packet_filter import elements as listed_elements
from launcher.redaction import Redaction
from launcher.report_part import attempt, indented, line_of
from launcher.session import Session

GO_TABLES = ("cni_hostport", "cni_plugins_masquerade")
HOOKS = ("prerouting", "input", "forward", "output", "postrouting", "ingress")  # of linux/netfilter.h
OURS = ("cniwire", "CNI firewall plugin")  # begin the comments of rules in tables of others
OF_PLUGINS = ("CNI-", "CNI_", "cniwire", "ip_masq")  # in a line of iptables-save
EVERYWHERE = (
    *("net/ipv4/ip_forward", "net/ipv4/conf/all/forwarding", "net/ipv6/conf/all/forwarding"),
    *("net/ipv6/conf/all/disable_ipv6", "net/ipv4/conf/all/rp_filter", "net/ipv4/conf/default/rp_filter"),
    *("net/ipv4/conf/all/route_localnet", "net/bridge/bridge-nf-call-iptables", "net/core/default_qdisc"),
    *("net/bridge/bridge-nf-call-ip6tables", "net/bridge/bridge-nf-call-arptables"),
    *("net/netfilter/nf_conntrack_max", "net/netfilter/nf_conntrack_count"),
    *("net/ipv4/neigh/default/gc_thresh3", "net/ipv6/neigh/default/gc_thresh3"),
    *("net/ipv4/ip_local_port_range", "net/ipv4/ip_unprivileged_port_start", "user/max_user_namespaces"),
)
OF_A_LINK = (
    *("net/ipv4/conf/{}/forwarding", "net/ipv4/conf/{}/rp_filter", "net/ipv4/conf/{}/route_localnet"),
    *("net/ipv6/conf/{}/forwarding", "net/ipv6/conf/{}/accept_ra", "net/ipv6/conf/{}/disable_ipv6"),
)
PORTS = 20  # of a bridge, whose settings would be the same again and again: veths have none here
MODULES = (
    *("bridge", "veth", "br_netfilter", "nf_", "nft_", "ip_tables", "ip6_tables", "ipt", "xt_", "x_tables"),
    *("iptable_", "ip_set", "sch_", "cls_", "act_mirred", "ifb", "8021q"),
)


def packet_filter(session: Session, redaction: Redaction) -> Iterator[str]:
    """Hooks of everybody; our tables and the Go suite's whole; of others the rules that are ours."""
    yield from attempt("hooks", hooks)
    yield from attempt("rules of ours in tables of others", openings)
    if not report_tools.found("nft"):
        yield from attempt("elements of ours", elements)
    for table in (TABLE, *GO_TABLES):
        for family in ("inet", "bridge", "ip", "ip6"):
            if (family, table) in tables():
                yield from attempt(f"nft list table {family} {table}", listing(family, table))
    for name in ("iptables-save", "ip6tables-save"):
        if report_tools.found(name):
            yield from attempt(name, lines_of(name))


def tables() -> set[tuple[str, str]]:
    """(family, name) of the nft tables; none where there is no nftables."""
    try:
        with netfilter() as reader:
            listed = dump(reader, values.NFT_MSG_GETTABLE)
            return {(family, text(each[values.NFTA_TABLE_NAME])) for family, each in listed}
    except OSError:
        return set()


def hooks() -> Iterator[str]:
    """A line for each chain that packets enter by themselves. Raises OSError."""
    yield "hooks:"
    with netfilter() as reader:
        for family, each in dump(reader, values.NFT_MSG_GETCHAIN):
            if values.NFTA_CHAIN_HOOK not in each:
                continue
            hook = attributes(each[values.NFTA_CHAIN_HOOK])
            number = int.from_bytes(hook.get(values.NFTA_HOOK_HOOKNUM, b""), "big")
            priority = int.from_bytes(hook.get(values.NFTA_HOOK_PRIORITY, b""), "big", signed=True)
            policy = int.from_bytes(each.get(values.NFTA_CHAIN_POLICY, b"\1"), "big")
            kind, where = text(each.get(values.NFTA_CHAIN_TYPE, b"")), ["?", *HOOKS][number + 1 : number + 2]
            name = f"{text(each[values.NFTA_CHAIN_TABLE])} {text(each[values.NFTA_CHAIN_NAME])}"
            words = f"{kind} hook {''.join(where) or number} priority {priority}"
            yield f"    {family} {name}: {words} policy {'accept' if policy else 'drop'}"


def openings() -> Iterator[str]:
    """Rules in tables of others whose comment says that they are ours. Raises OSError."""
    yield "rules of ours in tables of others, if any:"
    with netfilter() as reader:
        for family, each in dump(reader, values.NFT_MSG_GETRULE):
            said = comment_text(each.get(values.NFTA_RULE_USERDATA, b""))
            table = text(each[values.NFTA_RULE_TABLE])
            if table != TABLE and said.startswith(OURS):
                yield f"    {family} {table} {text(each[values.NFTA_RULE_CHAIN])}: {said}"


def elements() -> Iterator[str]:
    """Each element of our tables, with its comment. Raises OSError."""
    yield "elements of ours:"
    with netfilter() as reader:
        for family, _, name, key, comment in listed_elements(reader, TABLE):
            yield f"    {family} {name} {key.hex() or '-'} {comment}"


def listing(family: str, table: str) -> report_tools.Told:
    """What to call for a table as nft prints it."""

    def told() -> Iterator[str]:
        yield f"nft list table {family} {table}:"
        yield indented(report_tools.asked("nft", "list", "table", family, table))

    return told


def lines_of(name: str) -> report_tools.Told:
    """What to call for the lines of iptables-save that are of plugins."""

    def told() -> Iterator[str]:
        printed = report_tools.asked(name).splitlines()
        chosen = [line for line in printed if any(word in line for word in OF_PLUGINS)]
        yield f"{name}: {len(printed)} lines, {len(chosen)} of plugins"
        yield from (f"    {line}" for line in chosen)

    return told


def links(session: Session, redaction: Redaction) -> Iterator[str]:
    """A line for each interface of the host. Raises OSError where none can be read."""
    found = interfaces()
    if not found:
        raise OSError(None, "the interfaces cannot be read")
    for link in found.values():
        words = [link["kind"] or "without kind", "up" if link["up"] else "down", f"mtu {link['mtu']}"]
        words += [f"on {link['master']}"] if link["master"] else []
        words += ["its other end elsewhere"] if link["apart"] else []
        words += [link["mac"], *link["addresses"]]
        words += [f"alias {link['alias']}"] if link["alias"] else []
        yield f"    {link['name']:<16} {'  '.join(words)}"


def routes(session: Session, redaction: Redaction) -> Iterator[str]:
    """The host's routes, those of veths' own link-local networks left out."""
    for each in routing.routes():
        if not each.destination.startswith(("fe80:", "ff00:")):
            yield f"    {each}"


def settings(session: Session, redaction: Redaction) -> Iterator[str]:
    """Sysctls that decide whether packets are forwarded, and the modules that are loaded."""
    found = interfaces()
    bridges = [name for name, link in found.items() if link["kind"] == "bridge"]
    uplinks = dict.fromkeys(each.link for each in routing.routes() if each.destination.endswith("/0"))
    for key in EVERYWHERE:
        yield f"    {key:<44} {line_of(f'/proc/sys/{key}') or '-'}"
    for name in dict.fromkeys([*bridges[:PORTS], *filter(None, uplinks)]):
        for key in (each.format(name) for each in OF_A_LINK):
            yield f"    {key:<44} {line_of(f'/proc/sys/{key}') or '-'}"
    if os.path.exists("/proc/modules"):
        with open("/proc/modules", encoding="ascii", errors="replace") as file:
            loaded = sorted(line.split()[0] for line in file if line.startswith(MODULES))
        yield f"modules: {' '.join(loaded) or 'none of these'}"
