"""D-Bus messages as bytes: calls with strings as arguments, and what comes back. D-Bus Specification 0.43.

Law: whatever is read may be rubbish; a ValueError says what was wanted and what was found. No length is
believed before it was compared with the bytes that are there, and no message is longer than LARGEST. Pure.
"""

from __future__ import annotations

from core.record import Record

try:
    from _struct import Struct, unpack_from
    from _struct import pack as pack
except ImportError:  # another Python: the public module has the same names
    from struct import Struct, unpack_from
    from struct import pack as pack

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

METHOD_CALL, METHOD_RETURN, ERROR = 1, 2, 3  # types of messages
NO_AUTO_START = 0x2  # nobody is started for the sake of a call
VERSION = 1  # of the protocol
PATH, INTERFACE, MEMBER, ERROR_NAME, REPLY_SERIAL, DESTINATION, SIGNATURE = (
    1,
    2,
    3,
    4,
    5,
    6,
    8,
)  # header fields
FIXED_BYTES = (
    16  # of a header: byte order, type, flags, version; bytes of the body, serial, bytes of the fields
)
HEADER_ALIGNMENT = 8
LARGEST = 1 << 17  # bytes of a message; the protocol allows 128 MiB, and answers to us have some hundred
ORDERS = {ord("l"): "<", ord("B"): ">"}
NUMBERS = {  # of basic types by their code: layout and size, which is their alignment, too
    "y": ("B", 1),
    "b": ("I", 4),
    "n": ("h", 2),
    "q": ("H", 2),
    "i": ("i", 4),
    "u": ("I", 4),
    "x": ("q", 8),
    "t": ("Q", 8),
    "d": ("d", 8),
}
SIGNATURE_TYPE, STRINGS = "g", ("s", "o")

_head = Struct("<BBBBIII").pack


class Reply(Record):
    """A message that came in.

    type: METHOD_RETURN, ERROR, or another, which is no answer.
    to: the serial number of the call that it answers, 0 for none.
    error: the name of the error, "" for none.
    values: of an answer, its arguments in order.
    """

    type: int
    to: int = 0
    error: str = ""
    values: tuple[Any, ...] = ()


def call(serial: int, destination: str, path: str, interface: str, member: str, *arguments: str) -> bytes:
    """The bytes of a method call. Raises ValueError for what the protocol has no place for."""
    named = (
        (PATH, "o", path),
        (INTERFACE, "s", interface),
        (MEMBER, "s", member),
        (DESTINATION, "s", destination),
    )
    fields = b""
    for code, kind, value in named:
        fields = _padded(fields, 8) + bytes([code]) + _signature(kind) + string(value)
    body = b""
    for each in arguments:
        body = _padded(body, 4) + string(each)
    if arguments:
        fields = _padded(fields, 8) + bytes([SIGNATURE]) + _signature("g") + _signature("s" * len(arguments))
    head = _head(ord("l"), METHOD_CALL, NO_AUTO_START, VERSION, len(body), serial, len(fields))
    whole = _padded(head + fields, HEADER_ALIGNMENT) + body
    if len(whole) > LARGEST:
        raise ValueError(f"want a message of at most {LARGEST} bytes, found one of {len(whole)}")
    return whole


def string(value: str) -> bytes:
    """A string with its length before it. Raises ValueError for a NUL in it, or what is no UTF-8."""
    encoded = value.encode()
    if b"\0" in encoded:
        raise ValueError(f"invalid string {value!r}: it has a NUL")
    return pack("<I", len(encoded)) + encoded + b"\0"


def _signature(types: str) -> bytes:
    return bytes([len(types)]) + types.encode() + b"\0"


def _padded(data: bytes, alignment: int) -> bytes:
    return data + bytes(-len(data) % alignment)


def size(data: bytes) -> int:
    """How many bytes the message has that *data* begins with; FIXED_BYTES while less is there.

    Raises ValueError for what is no message, or one longer than LARGEST.
    """
    if len(data) < FIXED_BYTES:
        return FIXED_BYTES
    order = ORDERS.get(data[0])
    if order is None or not data[1] or data[3] != VERSION:
        raise ValueError(f"want a D-Bus message, found {data[:4]!r}")
    body, _, fields = unpack_from(f"{order}III", data, 4)
    whole = _aligned(FIXED_BYTES + int(fields), HEADER_ALIGNMENT) + int(body)
    if whole > LARGEST:
        raise ValueError(f"want a message of at most {LARGEST} bytes, found one of {whole}")
    return whole


def _aligned(at: int, alignment: int) -> int:
    return at + -at % alignment


def parse(data: bytes) -> Reply:
    """The message of which *data* is all. Raises ValueError."""
    if len(data) < FIXED_BYTES or size(data) != len(data):
        raise ValueError(f"want a whole D-Bus message, found {len(data)} bytes")
    kind = data[1]
    if kind not in (METHOD_RETURN, ERROR):
        return Reply(kind)
    body, _, length = unpack_from(f"{ORDERS[data[0]]}III", data, 4)
    fields = _Reader(data, FIXED_BYTES, FIXED_BYTES + length)
    found: dict[int, Any] = {}
    while fields.at < fields.end:
        fields.align(8)
        code = fields.value("y")
        found[code] = fields.value(fields.value("g"))
    to, error = found.get(REPLY_SERIAL, 0), found.get(ERROR_NAME, "")
    if type(to) is not int or type(error) is not str or bool(error) != (kind == ERROR) or to <= 0:
        raise ValueError(f"want an answer to a call, found one to {to!r} with the error {error!r}")
    return Reply(kind, to, error, _arguments(data, len(data) - body, found.get(SIGNATURE, "")))


def _arguments(data: bytes, at: int, signature: object) -> tuple[Any, ...]:
    """The values of the body that begins at *at*."""
    reader = _Reader(data, at, len(data))
    values = tuple([reader.value(kind) for kind in str(signature)])
    if reader.at != reader.end:
        raise ValueError(f"want a body of signature {signature!r}, found {len(data) - at} bytes")
    return values


class _Reader:
    """Values of basic types between two places of a message. Every method raises ValueError."""

    def __init__(self, data: bytes, at: int, end: int) -> None:
        self.data, self.at, self.end = data, at, end
        self.order = ORDERS[data[0]]

    def take(self, count: int) -> bytes:
        """The next *count* bytes."""
        first, self.at = self.at, self.at + count
        if self.at > self.end:
            raise ValueError(f"want {count} bytes more, found {self.end - first}")
        return self.data[first : self.at]

    def align(self, alignment: int) -> None:
        if any(self.take(-self.at % alignment)):
            raise ValueError("want zeros between values, found something else")

    def value(self, kind: str) -> Any:
        """The next value, of the type that *kind* is the signature of."""
        if kind in STRINGS:
            self.align(4)
            return self.text(self.value("u"))
        if kind == SIGNATURE_TYPE:
            return self.text(self.take(1)[0])
        if kind not in NUMBERS:
            raise ValueError(f"want a number or a string, found a value of signature {kind!r}")
        layout, length = NUMBERS[kind]
        self.align(length)
        found = unpack_from(self.order + layout, self.take(length))[0]
        if kind == "b" and found > 1:
            raise ValueError(f"want true or false, found {found}")
        return bool(found) if kind == "b" else found

    def text(self, length: int) -> str:
        """A string of so many bytes, and the NUL behind it."""
        found = self.take(length + 1)
        if found[-1] or b"\0" in found[:-1]:
            raise ValueError("want a string that ends with its only NUL, found another")
        return found[:-1].decode()


def socket_addresses(addresses: str) -> list[bytes]:
    """The Unix sockets of a list of server addresses, in their order, as connect takes them.

    `unix:path=/run/dbus/system_bus_socket;unix:abstract=/tmp/bus,guid=0123`; others are left out. An abstract
    one begins with a NUL. D-Bus Specification, "Server Addresses".
    """
    found = []
    for address in addresses.split(";"):
        transport, _, rest = address.partition(":")
        pairs = dict([each.partition("=")[::2] for each in rest.split(",")])
        for key, before in (("path", b""), ("abstract", b"\0")):
            name = _unescaped(pairs.get(key, ""))
            if transport.strip() == "unix" and name:
                found.append(before + name)
    return found


def _unescaped(value: str) -> bytes:
    """The bytes of a value in which %2f stands for a slash; b"" for what is no value at all."""
    first, *parts = value.split("%")
    try:
        rest = [bytes.fromhex(part[:2]) + part[2:].encode() for part in parts]
        whole = b"".join([first.encode(), *rest])
    except ValueError:
        return b""
    return b"" if b"\0" in whole or any([len(part) < 2 for part in parts]) else whole
