"""The interfaces of a network namespace with their addresses, read through the plugins' own netlink codec.

pyroute2 would read the same, but its import takes longer than all the rest of `ls`. The tests compare
the two.
"""

import struct
from typing import Any

from core.address import text
from core.netlink import link as codec
from core.netlink import route
from core.netlink.message import attributes
from core.netlink.socket import ROUTE, Socket
from launcher import netns

IFLA_LINK_NETNSID = 37  # there is a peer in another network namespace (linux/if_link.h)
IFADDRMSG_INDEX = 4  # offset of the interface index in an address's payload (linux/if_addr.h)


def interfaces(path: str = "") -> dict[str, dict[str, Any]]:
    """The interfaces of a namespace by name, with addresses; none when it cannot be read.

    path: "" is our own namespace.
    """
    try:
        if not path:
            return dump(Socket(ROUTE))
        with netns.inside(path):
            reader = Socket(ROUTE)  # stays in the namespace in which it was made
        return dump(reader)
    except (OSError, ValueError):
        return {}


def dump(reader: Socket) -> dict[str, dict[str, Any]]:
    """Links and addresses through one netlink socket, which is closed. Raises OSError, ValueError."""
    try:
        links, addresses = [
            [payload for _, payload in reader.ask(question)]
            for question in (codec.list_links(), route.list_addresses(0))
        ]
    finally:
        reader.close()
    by_index = {link["index"]: link for link in map(interface, links)}
    for payload in addresses:
        cidr, scope, _ = route.read_address(payload)
        (index,) = struct.unpack_from("=I", payload, IFADDRMSG_INDEX)
        if index in by_index and scope != route.RT_SCOPE_LINK:  # fe80:: addresses are the kernel's own
            by_index[index]["addresses"].append(f"{text(cidr.address)}/{cidr.prefix_len}")
    for link in by_index.values():
        link["master"] = by_index.get(link["master"], {}).get("name", "")
    return {link["name"]: link for link in by_index.values()}


def interface(payload: bytes) -> dict[str, Any]:
    """One link as plain values. apart: its peer is in another namespace. Raises ValueError."""
    link = codec.read_link(payload)
    return {
        "index": link.index,
        "name": link.name,
        "kind": link.kind,
        "up": link.operstate == codec.IF_OPER_UP,
        "mtu": link.mtu,
        "mac": link.mac.hex(":"),
        "master": link.master,
        "alias": link.alias,
        "apart": IFLA_LINK_NETNSID in attributes(payload, codec.IFINFO_BYTES),
        "addresses": [],
    }
