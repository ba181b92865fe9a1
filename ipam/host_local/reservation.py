"""The format of reservations: where the files are, what they are named, and what they say.

A file says `containerID CR LF ifname`, or the container ID alone, which is the form of old releases of the Go
plugin. It is named by the address. Readers trim white space around the whole content. Pure.
"""

from __future__ import annotations

from core import address
from core.system import decoded, encoded

DATA_DIR = "/var/lib/cni/networks"  # with a directory for each network
CONTENT_LIMIT = 4096  # bytes that are read of a file; an owner has far fewer
ATTRIBUTE = "user.cniwire"  # the extended attribute that says for which machine, boot and namespace a file is
LAST = "last_reserved_ip."  # followed by the number of the range set: the address that it gave away last
SEPARATOR = b"\r\n"
PART_BYTES = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-")


def contents(container_id: str, ifname: str) -> tuple[bytes, bytes]:
    """What a file of the attachment says: in the usual form, and in the legacy one, without an interface."""
    legacy = container_id.strip().encode()
    return legacy + SEPARATOR + encoded(ifname), legacy


def owner(content: bytes) -> tuple[str, str] | None:
    """(container ID, ifname) of a file's trimmed content, None if it names none; a legacy ifname is ""."""
    container_id, _, ifname = content.partition(SEPARATOR)
    if not container_id or not PART_BYTES.issuperset(container_id):
        return None
    return container_id.decode(), decoded(ifname)


def is_torn(content: bytes) -> bool:
    """Whether this is what a crash leaves of a file: nothing at all, or zeros."""
    return not content.strip(b"\0 \t\r\n")


def packed(name: str) -> bytes | None:
    """The address that a file is named by; None where the name is not an address's canonical text."""
    if name[:1] not in "0123456789abcdef:":
        return None
    try:
        found = address.parse(name)
    except ValueError:
        return None
    return found if address.text(found) == name else None
