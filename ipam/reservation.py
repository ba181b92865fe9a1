"""What a reservation file says: `containerID CR LF ifname`, or the container ID alone as old releases wrote it. Pure.

The file is named by the address. Readers trim white space around the whole content.
"""

from __future__ import annotations

import os

from core import address

LAST = "last_reserved_ip."  # followed by the index of the range set: the address reserved last
SEPARATOR = b"\r\n"
PART_BYTES = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-")


def content(container_id: str, ifname: str) -> bytes:
    """The bytes of a file that *container_id* and *ifname* own."""
    return container_id.strip().encode() + SEPARATOR + os.fsencode(ifname)


def legacy_content(container_id: str) -> bytes:
    """What releases before 0.7 wrote: any interface of the container."""
    return container_id.strip().encode()


def owner(data: bytes) -> tuple[str, str] | None:
    """(container ID, ifname) of a file's content, ifname "" where it is legacy; None when nobody is named."""
    container_id, _, ifname = data.strip().partition(SEPARATOR)
    if not container_id or not PART_BYTES.issuperset(container_id):
        return None
    return container_id.decode(), os.fsdecode(ifname)


def is_torn(data: bytes) -> bool:
    """Whether this is what a crash leaves of a file: nothing at all, or zeros."""
    return not data.strip(b"\0 \t\r\n")


def packed(name: str) -> bytes | None:
    """The address that a file is named by; None where the name is not an address's canonical text."""
    try:
        found = address.parse(name)
    except ValueError:
        return None
    return found if address.text(found) == name else None
