"""What a network namespace and the CNI directories hold, as sets of lines: look before and after, and compare.

Links, addresses and routes come from pyroute2; nft objects from a small dump of our own, because `nft` may not be installed.
"""

import os
import socket
import struct
from collections.abc import Iterator
from typing import Any

Inventory = dict[str, set[str]]

NETLINK_NETFILTER, SUBSYSTEM = 12, 10 << 8
GET_CHAIN, GET_RULE, GET_SET, GET_ELEMENTS = 4, 7, 10, 13  # enum nf_tables_msg_types
REQUEST, DUMP, ERROR, DONE = 1, 0x300, 2, 3
TABLE, NAME, ELEMENTS, COMMENT = (
    1,
    2,
    3,
    6,
)  # attributes: of a set and of an element list, and userdata of an element
CHAIN_NAME = 3
FAMILIES = {1: "inet", 2: "ip", 7: "bridge", 10: "ip6"}
LOCAL_TABLE = 255


def inventory(netns_dir: str, cni_dir: str) -> Inventory:
    """All that plugins and runtime may leave behind, by kind.

    netns_dir: where named namespaces are. cni_dir: holds `networks` (reservations) and `results` (the runtime's cache).
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
    return {
        path
        for path in files(folder)
        if not os.path.basename(path).startswith((".", "lock", "last_reserved_ip."))
    }


def routing() -> Iterator[tuple[str, set[str]]]:
    """Links, addresses and routes but those that the kernel makes for itself."""
    from pyroute2 import IPRoute  # 0.15 s

    with IPRoute() as ip:
        links = {link["index"]: link.get("ifname") for link in ip.get_links()}
        yield "links", set(links.values()) - {"lo"}
        addresses = [
            it for it in ip.get_addr() if it["scope"] < 253
        ]  # neither of the link nor of the host alone
        yield (
            "addresses",
            {f"{it.get('address')}/{it['prefixlen']} on {links[it['index']]}" for it in addresses},
        )
        routes = [
            it
            for it in ip.get_routes()
            if it.get("table") != LOCAL_TABLE and not (it.get("dst") or "").startswith(("fe80:", "ff00:"))
        ]
        yield (
            "routes",
            {f"{it.get('dst') or 'default'}/{it['dst_len']} on {links.get(it.get('oif'))}" for it in routes},
        )


def rules() -> Iterator[tuple[str, set[str]]]:
    """nft chains and rules, and the elements of maps and sets, each with its comment."""
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_NETFILTER) as handle:
        chains = {
            f"{family} {text(found[TABLE])} {text(found[CHAIN_NAME])}"
            for family, found in dump(handle, GET_CHAIN)
        }
        yield "nft chains", chains
        listed = [
            f"{family} {text(found[TABLE])} {text(found[NAME])} {number}"
            for number, (family, found) in enumerate(dump(handle, GET_RULE))
        ]
        yield "nft rules", set(listed)
        yield (
            "nft elements",
            {
                f"{family} {table} {name} {key.hex()} {comment}"
                for family, table, name, key, comment in elements(handle)
            },
        )


def elements(handle: socket.socket, table: str = "") -> Iterator[tuple[str, str, str, bytes, str]]:
    """Family, table, map or set, key and comment of each element; of one *table*'s, if it is named. Raises OSError."""
    for family, found in list(dump(handle, GET_SET)):
        own, name = text(found[TABLE]), text(found[NAME])
        if table not in ("", own):
            continue
        chosen = attribute(TABLE, found[TABLE]) + attribute(NAME, found[NAME])
        for _, part in dump(handle, GET_ELEMENTS, family, chosen):
            for _, element in attributes(part.get(ELEMENTS, b"")):
                values = dict(attributes(element))
                yield family, own, name, values.get(1, b""), text(values.get(COMMENT, b"")[2:])


def comments(table: str) -> Iterator[str]:
    """The comments of the elements in a *table*, in every family. Raises OSError."""
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_NETFILTER) as handle:
        yield from (comment for *_, comment in elements(handle, table) if comment)


def dump(
    handle: socket.socket, kind: int, family: str = "", body: bytes = b""
) -> Iterator[tuple[str, dict[int, Any]]]:
    """Yield family and attributes of every object that the kernel lists for one request. Raises OSError."""
    number = next((key for key, name in FAMILIES.items() if name == family), 0)
    payload = struct.pack("=BBH", number, 0, 0) + body
    handle.send(struct.pack("=IHHII", 16 + len(payload), SUBSYSTEM | kind, REQUEST | DUMP, 0, 0) + payload)
    while True:
        data, offset = handle.recv(1 << 17), 0
        while offset < len(data):
            length, answer = struct.unpack_from("=IH", data, offset)
            if answer == DONE:
                return
            if answer == ERROR:
                error = -struct.unpack_from("=i", data, offset + 16)[0]
                raise OSError(error, os.strerror(error))
            yield FAMILIES.get(data[offset + 16], "?"), dict(attributes(data[offset + 20 : offset + length]))
            offset += (length + 3) & ~3


def attributes(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Type and value of each netlink attribute."""
    offset = 0
    while offset + 4 <= len(data):
        length, kind = struct.unpack_from("=HH", data, offset)
        yield kind & 0x3FFF, data[offset + 4 : offset + length]
        offset += (length + 3) & ~3


def attribute(kind: int, value: bytes) -> bytes:
    """One netlink attribute."""
    return struct.pack("=HH", 4 + len(value), kind) + value + bytes(-len(value) % 4)


def text(value: bytes) -> str:
    """A string as netlink has it, with a zero byte at its end."""
    return value.rstrip(b"\0").decode(errors="surrogateescape")
