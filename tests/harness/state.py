"""Snapshots of all that a plugin may change, as sets of lines: tests compare whole states.

Left out is what changes by itself or is meant to stay: neighbours, counters, handles, indexes, the lock,
the index and the last address of host-local. Equal lines (two equal nft rules) are numbered.
"""

import json
import socket
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from pyroute2 import IPRoute

from tests.harness.namespace import Namespace

State = frozenset[str]

SYSCTLS = ("net/ipv4/ip_forward", "net/ipv6/conf/all/forwarding")
OF_LINK = {
    "ipv4": ("route_localnet", "arp_notify"),
    "ipv6": ("accept_ra", "accept_dad", "enhanced_dad", "disable_ipv6", "keep_addr_on_down", "ndisc_notify"),
}
FLAGS = {1: "up", 0x100: "promisc", 0x200: "allmulti"}
PORT_FLAGS = {"mode": "hairpin", "isolated": "isolated"}  # IFLA_BRPORT_*
LOCAL_TABLE, MAIN_TABLE = 255, 254
INGRESS_HANDLE = 0xFFFF0000
NO_RESERVATIONS = (".", "lock", "last_reserved_ip.")  # other files of host-local
KERNEL_MADE = ("fe80::", "ff00::")  # destinations of routes that come and go with a link


def state_of(namespaces: Iterable[Namespace], data: Path) -> State:
    """Return the state of *namespaces*, each line led by its name, and of the reservations below *data*."""
    lines = [f"file {line}" for line in files(data)]
    for namespace in namespaces:
        with namespace.entered():
            lines += [f"{namespace.name} {line}" for line in (*routing(), *sysctls(), *ruleset(namespace))]
    return frozenset(numbered(lines))


def numbered(lines: Iterable[str]) -> Iterator[str]:
    """Yield *lines*, a repeated one with its number behind it."""
    seen: dict[str, int] = {}
    for line in lines:
        seen[line] = seen.get(line, 0) + 1
        yield line if seen[line] == 1 else f"{line} #{seen[line]}"


def routing() -> Iterator[str]:
    """Yield links, addresses, routes and rules of the namespace that this thread is in."""
    with IPRoute() as ip:
        links = list(ip.get_links())
        names = {link["index"]: link.get("ifname") for link in links}
        yield from (link_line(link, names) for link in links)
        for it in ip.get_addr():
            if not it.get("address").startswith("fe80::"):
                yield f"address {names[it['index']]} {it.get('address')}/{it['prefixlen']}"
        yield from (route_line(it, names) for it in ip.get_routes() if is_made(it))
        for it in ip.get_qdiscs():
            if it["handle"]:
                yield from qdisc_lines(ip, it, names[it["index"]])
        for it in ip.get_rules():
            route = f"from {it.get('src', 'all')} table {it.get('table')}"
            yield f"rule {it.get('priority', 0)} family {it['family']} {route}"


def link_line(link: Any, names: dict[int, str]) -> str:
    """Return what a person would compare of one link message."""
    parts = [
        f"link {link.get('ifname')}",
        link.get(("linkinfo", "kind")) or "",
        link.get("address"),
        f"mtu {link.get('mtu')}",
    ]
    parts += [name for bit, name in FLAGS.items() if link["flags"] & bit]
    if link.get("master"):
        parts.append(f"master {names.get(link.get('master'))}")
    if link.get(("linkinfo", "slave_kind")) == "bridge":
        parts += [name for key, name in PORT_FLAGS.items() if link.get(("linkinfo", "slave_data", key))]
    if link.get("ifalias"):
        parts.append(f"alias {link.get('ifalias')}")
    return " ".join(filter(None, parts))


def qdisc_lines(ip: IPRoute, qdisc: Any, link: str) -> Iterator[str]:
    """Yield one queue discipline that somebody put on a link, and the filters in it."""
    kind, handle, options = qdisc.get("kind"), qdisc["handle"], qdisc.get("options")
    parms = options.get("TCA_TBF_PARMS") if kind == "tbf" else {}
    parms = {key: parms.get(key) for key in ("rate", "limit", "buffer")} if parms else ""
    yield f"qdisc {link} {kind} {handle:x} at {qdisc['parent']:x} {parms}"
    for it in ip.get_filters(index=qdisc["index"], parent=handle) if handle == INGRESS_HANDLE else ():
        yield f"filter {link} {it.get('kind')} {it['handle']:x} {it['info']:x}"


def is_made(route: Any) -> bool:
    """Tell whether a route was asked for, and is not the kernel's own for addresses, links and multicast."""
    return route.get("table") != LOCAL_TABLE and not (route.get("dst") or "").startswith(KERNEL_MADE)


def route_line(route: Any, names: dict[int, str]) -> str:
    """Return one route as `ip route` would; multipath as the list of its gateways."""
    parts = [f"route {route.get('dst') or 'default'}/{route['dst_len']}"]
    parts += [f"via {hop.get('gateway')}" for hop in route.get("multipath") or [route] if hop.get("gateway")]
    parts += [f"dev {names.get(route.get('oif'))}"]
    parts += [f"table {route.get('table')}"] if route.get("table") != MAIN_TABLE else []
    parts += [f"metric {route.get('priority')}"] if route.get("priority") else []
    parts += [f"scope {route['scope']}"] if route["scope"] else []
    metrics = route.get("metrics")
    parts += [f"{key} {metrics.get(key)}" for key in ("mtu", "advmss") if metrics and metrics.get(key)]
    return " ".join(parts)


def sysctls() -> Iterator[str]:
    """Yield the settings that a plugin may write: the namespace's, and those of links that are no default."""
    for name in SYSCTLS:
        yield f"sysctl {name} = {read(Path('/proc/sys', name))}"
    for family, keys in OF_LINK.items():
        conf = Path("/proc/sys/net", family, "conf")
        default = {key: read(conf / "default" / key) for key in keys}
        found = {
            folder.name: {key: read(folder / key) for key in keys}
            for folder in conf.iterdir()
            if folder.name != "lo"
        }
        # The names are read last: a link that still exists then was read as a whole.
        there = {"all", *[name for _, name in socket.if_nameindex()]}
        for name in found.keys() & there:
            yield from (
                f"sysctl net/{family}/conf/{name}/{key} = {it}"
                for key, it in found[name].items()
                if it != default[key]
            )


def read(file: Path) -> str:
    """Return the text of a setting, nothing where there is none, or none any more."""
    try:
        return file.read_text().strip()
    except FileNotFoundError:
        return ""


def ruleset(namespace: Namespace) -> Iterator[str]:
    """Yield what `nft -j list ruleset` says, one line a table, chain, rule, set, map and element."""
    for item in json.loads(namespace.run("nft --json --stateless list ruleset"))["nftables"]:
        for kind, value in item.items():
            if kind == "metainfo":
                continue
            value.pop("handle", None)
            elements = value.pop("elem", [])
            where = " ".join(value.pop(key) for key in ("family", "table", "chain", "name") if key in value)
            yield f"nft {kind} {where} {json.dumps(value)}"
            yield from (f"nft element {where} {json.dumps(element)}" for element in elements)


def files(folder: Path) -> Iterator[str]:
    """Yield name and content of every reservation below *folder*."""
    for file in sorted(folder.rglob("*")):
        if file.is_file() and not file.name.startswith(NO_RESERVATIONS):
            yield f"{file.relative_to(folder)} {file.read_bytes().decode()!r}"
