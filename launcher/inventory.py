"""What a network namespace and the CNI directories hold, as sets of lines, to compare before and after.

For the demo alone, so that the bundle's `cniwire` carries no pyroute2: links, addresses and routes come from
that, nft objects through the plugins' own codec.
"""

import os
from collections.abc import Iterator

from core.netlink.message import text
from core.nft import values as nft
from ipam.host_local.reservation import LAST
from launcher.packet_filter import dump, elements, netfilter

Inventory = dict[str, set[str]]

# linux/rtnetlink.h
RT_TABLE_LOCAL, RT_SCOPE_LINK = 255, 253


def inventory(netns_dir: str, cni_dir: str) -> Inventory:
    """All that plugins and runtime may leave behind, by kind.

    netns_dir: where named namespaces are. cni_dir: holds `networks` (reservations) and `results`
    (the runtime's cache).
    """
    found = {
        "namespaces": files(netns_dir),
        "reservations": reservations(f"{cni_dir}/networks"),
        "cached results": files(f"{cni_dir}/results"),
    }
    return found | dict(routing()) | dict(rules())


def files(folder: str) -> set[str]:
    """The names of the files below *folder*."""
    return {os.path.join(path, name) for path, _, names in os.walk(folder) for name in names}


def reservations(folder: str) -> set[str]:
    """The files that hold an address; not the lock, the index and the note of the last address."""
    others = (".", "lock", LAST)
    return {path for path in files(folder) if not os.path.basename(path).startswith(others)}


def routing() -> Iterator[tuple[str, set[str]]]:
    """Links, addresses and routes, without those that the kernel makes by itself."""
    from pyroute2 import IPRoute  # 0.15 s

    with IPRoute() as ip:
        links = {link["index"]: link.get("ifname") for link in ip.get_links()}
        yield "links", set(links.values()) - {"lo"}
        wide = [it for it in ip.get_addr() if it["scope"] < RT_SCOPE_LINK]  # not of a link or the host alone
        addresses = {f"{it.get('address')}/{it['prefixlen']} on {links[it['index']]}" for it in wide}
        yield "addresses", addresses
        routes = set()
        for it in ip.get_routes():
            destination = it.get("dst") or ""
            if it.get("table") != RT_TABLE_LOCAL and not destination.startswith(("fe80:", "ff00:")):
                where = links.get(it.get("oif"))
                routes.add(f"{destination or 'default'}/{it['dst_len']} on {where}")
        yield "routes", routes


def rules() -> Iterator[tuple[str, set[str]]]:
    """nft chains and rules, and the elements of maps and sets, each with its comment."""
    with netfilter() as reader:
        chains = set()
        for family, found in dump(reader, nft.NFT_MSG_GETCHAIN):
            chains.add(f"{family} {text(found[nft.NFTA_CHAIN_TABLE])} {text(found[nft.NFTA_CHAIN_NAME])}")
        yield "nft chains", chains
        listed = set()
        for number, (family, found) in enumerate(dump(reader, nft.NFT_MSG_GETRULE)):
            listed.add(
                f"{family} {text(found[nft.NFTA_RULE_TABLE])} {text(found[nft.NFTA_RULE_CHAIN])} {number}"
            )
        yield "nft rules", listed
        found_elements = set()
        for family, table, name, key, comment in elements(reader):
            found_elements.add(f"{family} {table} {name} {key.hex()} {comment}")
        yield "nft elements", found_elements
