"""Snapshots of all that a plugin may change, so that tests compare whole states before and after."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from pyroute2 import IPRoute

from tests.harness.namespace import Namespace

State = dict[str, dict[str, Any]]

SYSCTLS = ("net/ipv4/ip_forward", "net/ipv6/conf/all/forwarding", "net/ipv6/conf/default/forwarding")
OF_LINK = {
    "ipv4": ("route_localnet", "arp_notify"),
    "ipv6": ("accept_ra", "accept_dad", "enhanced_dad", "disable_ipv6", "keep_addr_on_down", "ndisc_notify"),
}
PORT_FLAGS = {"mode": "hairpin", "isolated": "isolated"}  # IFLA_BRPORT_*
LOCAL_TABLE = 255
FLAGS = {1: "UP", 0x100: "PROMISC", 0x200: "ALLMULTI"}


def state_of(namespaces: Iterable[Namespace], data: Path) -> State:
    """Return the state of *namespaces*, by name, and of the files below *data*. Neighbours, counters and handles are left out."""
    state: State = {"files": files(data)}
    for namespace in namespaces:
        with namespace.entered():
            state[namespace.name] = {**routing(), "sysctls": sysctls(), "nft": ruleset(namespace)}
    return state


def routing() -> dict[str, Any]:
    """Return links, addresses, routes and rules of the namespace that this thread is in."""
    with IPRoute() as ip:
        raw = list(ip.get_links())
        names = {link["index"]: link.get("ifname") for link in raw}
        links = {link.get("ifname"): link_facts(link, names) for link in raw}
        addresses = sorted(f"{names[it['index']]} {it.get('address')}/{it['prefixlen']}" for it in ip.get_addr())
        routes = sorted(route_text(it, names) for it in ip.get_routes() if is_made(it))
        rules = sorted(f"{it.get('priority', 0)} {it['family']} {it.get('src', '')} {it.get('table')}" for it in ip.get_rules())
    return {"links": links, "addresses": addresses, "routes": routes, "rules": rules}


def link_facts(link: Any, names: dict[int, str]) -> dict[str, Any]:
    """Return what a person would compare of one link message."""
    is_port = link.get(("linkinfo", "slave_kind")) == "bridge"
    port = {name: bool(link.get(("linkinfo", "slave_data", key))) for key, name in PORT_FLAGS.items()} if is_port else {}
    return {
        "kind": link.get(("linkinfo", "kind")),
        "mac": link.get("address"),
        "mtu": link.get("mtu"),
        "flags": [name for bit, name in FLAGS.items() if link["flags"] & bit],
        "alias": link.get("ifalias"),
        "master": names.get(link.get("master")),
        **port,
    }


def is_made(route: Any) -> bool:
    """Tell whether a route was asked for: not one that the kernel keeps for local addresses and multicast."""
    return route.get("table") != LOCAL_TABLE and not (route.get("dst") or "").startswith("ff00::")


def route_text(route: Any, names: dict[int, str]) -> str:
    """Return one route as a line; multipath as the list of its gateways."""
    hops = route.get("multipath") or []
    gateways = [route.get("gateway")] if not hops else [hop.get("gateway") for hop in hops]
    metrics = route.get("metrics")
    extra = [f"{key} {metrics.get(key)}" for key in ("mtu", "advmss") if metrics and metrics.get(key)]
    target = f"{route.get('dst') or 'default'}/{route['dst_len']}"
    parts = [target, "via", *map(str, gateways), "dev", str(names.get(route.get("oif"))), "table", str(route.get("table"))]
    return " ".join([*parts, "priority", str(route.get("priority")), "scope", str(route["scope"]), *extra])


def sysctls() -> dict[str, str]:
    """Return the settings that a plugin may write, of the whole namespace and of each link."""
    found = {name: Path("/proc/sys", name) for name in SYSCTLS}
    for family, keys in OF_LINK.items():
        for folder in Path("/proc/sys/net", family, "conf").iterdir():
            found |= {f"{family}/{folder.name}/{key}": folder / key for key in keys}
    return {name: file.read_text().strip() for name, file in sorted(found.items()) if file.exists()}


def ruleset(namespace: Namespace) -> list[str]:
    """Return what `nft -j list ruleset` says, one text an object, without handles and counters, elements in order."""
    listed = json.loads(namespace.run("nft --json --stateless list ruleset"))["nftables"]
    return [json.dumps(plain(item)) for item in listed if "metainfo" not in item]


def plain(value: Any) -> Any:
    """Return *value* without handles; elements of a set come in no order, so they are sorted."""
    if isinstance(value, list):
        return [plain(item) for item in value]
    if not isinstance(value, dict):
        return value
    kept = {key: plain(item) for key, item in value.items() if key != "handle"}
    if isinstance(kept.get("elem"), list):
        kept["elem"] = sorted(kept["elem"], key=json.dumps)
    return kept


def files(folder: Path) -> dict[str, str]:
    """Return the content of every file below *folder* by its relative name."""
    return {str(file.relative_to(folder)): file.read_bytes().decode() for file in sorted(folder.rglob("*")) if file.is_file()}
