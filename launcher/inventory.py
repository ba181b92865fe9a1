"""What a network namespace and the CNI directories hold, as sets of lines, to compare before and after.

Links, addresses and routes come from pyroute2; nft objects through the plugins' own codec, because `nft`
may not be installed.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager

from core.netlink.message import DUMP, Message, attribute, attribute_list, attributes, text
from core.netlink.socket import NETFILTER, Socket
from core.nft import values as nft
from core.nft.values import NFGENMSG_BYTES, comment_text
from ipam.host_local.reservation import LAST

Inventory = dict[str, set[str]]

FAMILY_NAMES = {number: name for name, number in nft.NFPROTO.items()}
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


def elements(reader: Socket, table: str = "") -> Iterator[tuple[str, str, str, bytes, str]]:
    """Family, table, map or set, key and comment of each element. Raises OSError.

    table: its name, to read the elements of one table; "" for all.
    """
    for family, found in dump(reader, nft.NFT_MSG_GETSET):
        own, name = found[nft.NFTA_SET_TABLE], found[nft.NFTA_SET_NAME]
        if table not in ("", text(own)):
            continue
        chosen = attribute(nft.NFTA_SET_ELEM_LIST_TABLE, own) + attribute(nft.NFTA_SET_ELEM_LIST_SET, name)
        for _, part in dump(reader, nft.NFT_MSG_GETSETELEM, family, chosen):
            for _, element in attribute_list(part.get(nft.NFTA_SET_ELEM_LIST_ELEMENTS, b"")):
                values = attributes(element)
                comment = comment_text(values.get(nft.NFTA_SET_ELEM_USERDATA, b""))
                yield family, text(own), text(name), values.get(nft.NFTA_SET_ELEM_KEY, b""), comment


def comments(table: str) -> Iterator[str]:
    """The comments of the elements in a *table*, in every family. Raises OSError."""
    with netfilter() as reader:
        yield from (comment for *_, comment in elements(reader, table) if comment)


def dump(
    reader: Socket, kind: int, family: str = "", body: bytes = b""
) -> list[tuple[str, dict[int, bytes]]]:
    """Family and attributes of every object that the kernel lists for one request. Raises OSError.

    kind: a type of message, such as nft.NFT_MSG_GETRULE. family: "" for all.
    """
    replies = [payload for _, payload in reader.ask(Message(kind, DUMP, nft.head(family) + body))]
    return [(FAMILY_NAMES.get(payload[0], "?"), attributes(payload, NFGENMSG_BYTES)) for payload in replies]


@contextmanager
def netfilter() -> Iterator[Socket]:
    """A netfilter socket, closed in the end. Raises OSError."""
    reader = Socket(NETFILTER)
    try:
        yield reader
    finally:
        reader.close()
