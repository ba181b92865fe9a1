"""The interfaces of a network namespace with their addresses, read through the plugins' own netlink codec.

pyroute2 says the same, and takes longer to import than everything else that `ls` does; the tests compare the two.
"""

import os
import struct
from typing import Any

from core.address import text
from core.netlink import route
from core.netlink.message import attributes
from core.netlink.socket import ROUTE, Socket
from launcher import netns

OPERSTATE_UP, SCOPE_LINK = 6, 253
LINK_NETNSID = 37  # the attribute that tells of another end in another namespace


def interfaces(path: str = "") -> dict[str, dict[str, Any]]:
    """The interfaces of a namespace by name ("" is our own), each with addresses; empty when it cannot be read."""
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
            for question in (route.list_links(), route.list_addresses(0))
        ]
    finally:
        reader.close()
    by_index = {link["index"]: link for link in map(interface, links)}
    for payload in addresses:
        cidr, scope, _ = route.address(payload)
        (index,) = struct.unpack_from("=I", payload, 4)
        if index in by_index and scope != SCOPE_LINK:  # the kernel's own, nobody configured it
            by_index[index]["addresses"].append(f"{text(cidr.address)}/{cidr.prefix_len}")
    for link in by_index.values():
        link["master"] = by_index.get(link["master"], {}).get("name", "")
    return {link["name"]: link for link in by_index.values()}


def interface(payload: bytes) -> dict[str, Any]:
    """One link as plain values. Raises ValueError."""
    link, found = route.link(payload), attributes(payload, 16)
    return {
        "index": link.index,
        "name": os.fsdecode(found.get(3, b"").rstrip(b"\0")),
        "kind": link.kind,
        "up": link.operstate == OPERSTATE_UP,
        "mtu": link.mtu,
        "mac": link.mac.hex(":"),
        "master": link.master,
        "alias": os.fsdecode(found.get(20, b"").rstrip(b"\0")),
        "apart": LINK_NETNSID in found,
        "addresses": [],
    }
