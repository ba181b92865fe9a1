"""Netlink messages as bytes: requests, and the attributes that they are made of. RFC 3549; linux/netlink.h.

Pure.
"""

from __future__ import annotations

from core.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

try:
    from _struct import Struct, calcsize
    from _struct import pack as pack
    from _struct import unpack_from as unpack_from
except ImportError:  # another Python: the public module has the same names
    from struct import Struct, calcsize
    from struct import pack as pack
    from struct import unpack_from as unpack_from

REQUEST, ACK, ECHO, DUMP = 0x1, 0x4, 0x8, 0x300
REPLACE, EXCL, CREATE, APPEND = 0x100, 0x200, 0x400, 0x800
NESTED = 0x8000
PADDING = (b"", b"\0\0\0", b"\0\0", b"\0")  # behind so many bytes more than full words
length_and_type = Struct("=HH").unpack_from
LITTLE = pack("=H", 1) == b"\1\0"


class Message(Record):
    """One request: type and flags of its header, and what follows the header."""

    type: int
    flags: int
    payload: bytes


def attribute(kind: int, data: bytes) -> bytes:
    """One type-length-value, padded to 4 bytes."""
    return pack("=HH", len(data) + 4, kind) + data + PADDING[len(data) & 3]


def nest(kind: int, *members: bytes) -> bytes:
    """An attribute made of attributes."""
    return attribute(kind | NESTED, b"".join(members))


def number(kind: int, value: int, size: int = 4) -> bytes:
    """An attribute with an integer in host byte order."""
    return attribute(kind, value.to_bytes(size, "little" if LITTLE else "big"))


def string(kind: int, value: str) -> bytes:
    """An attribute with a NUL-terminated string."""
    return attribute(kind, value.encode("utf-8", "surrogateescape") + b"\0")


def attributes(data: bytes, offset: int = 0) -> dict[int, bytes]:
    """Type -> value of the attributes that begin at *offset*; of a repeated type the last."""
    return dict(attribute_list(data, offset))


def attribute_list(data: bytes, offset: int = 0) -> list[tuple[int, bytes]]:
    """As attributes, in order and with repetitions; *offset* is a multiple of 4.

    A torn attribute ends the list.
    """
    found = list[tuple[int, bytes]]()
    add, end = found.append, len(data)
    last = end - 4
    while offset <= last:
        size, kind = length_and_type(data, offset)
        behind = offset + size
        if size < 4 or behind > end:
            break
        add((kind & 0x3FFF, data[offset + 4 : behind]))
        offset = behind + 3 & -4
    return found


def unsigned(data: bytes) -> int:
    """The integer of an attribute in host byte order."""
    return int.from_bytes(data, "little" if LITTLE else "big")


def ifindex(data: bytes) -> int:
    """The interface index of an attribute, 0 for none. Raises ValueError for what can be none."""
    found = unsigned(data)
    if found >= 1 << 31:
        raise ValueError(f"want the index of an interface, found {found}")
    return found


def text(data: bytes) -> str:
    """The string of an attribute."""
    return data.rstrip(b"\0").decode("utf-8", "surrogateescape")


def head(layout: str, data: bytes, offset: int = 0) -> tuple[Any, ...]:
    """The fixed fields that a message begins with. Raises ValueError when it is too short."""
    if offset + calcsize(layout) > len(data):
        raise ValueError(
            f"want {offset + calcsize(layout)} bytes or more, found a netlink message of {len(data)}"
        )
    return unpack_from(layout, data, offset)
