"""pyroute2 as an independent reader and writer of netlink messages."""

from typing import Any

from pyroute2.netlink.rtnl.ifaddrmsg import ifaddrmsg
from pyroute2.netlink.rtnl.ifinfmsg import ifinfmsg
from pyroute2.netlink.rtnl.ndmsg import ndmsg
from pyroute2.netlink.rtnl.rtmsg import rtmsg

from core.netlink.message import Message, pack

HEADER_BYTES = 16
UNINTERESTING = ("header", "__align", "__pad", "state", "attrs")
CLASSES: dict[int, Any] = {
    16: ifinfmsg,
    17: ifinfmsg,
    18: ifinfmsg,
    19: ifinfmsg,
    20: ifaddrmsg,
    21: ifaddrmsg,
    22: ifaddrmsg,
    58: ifaddrmsg,
}
CLASSES |= {24: rtmsg, 25: rtmsg, 26: rtmsg, 28: ndmsg, 29: ndmsg}


def read(message: Message, reader: Any = None) -> dict[str, Any]:
    """What pyroute2 understands of one of our messages: fields of its header, attributes by name.

    Fields of the header that are 0 are left out.
    """
    data = (
        pack("=IHHII", len(message.payload) + HEADER_BYTES, message.type, message.flags, 0, 0)
        + message.payload
    )
    decoded = (reader or CLASSES[message.type])(data)
    decoded.decode()
    assert decoded["header"]["length"] == len(data)
    found: dict[str, Any] = plain(decoded)
    return found


def plain(value: Any) -> Any:
    """Attribute lists as dictionaries, of a repeated attribute the list; without header fields that are 0."""
    if isinstance(value, (list, tuple)):
        return [plain(each) for each in value]
    if not isinstance(value, dict):
        return value
    found: dict[str, Any] = {key: field for key, field in value.items() if key not in UNINTERESTING and field}
    for name, member, *_ in value.get("attrs", []):
        found[name] = (
            [*found[name], plain(member)]
            if isinstance(found.get(name), list)
            else plain(member)
            if name not in found
            else [found[name], plain(member)]
        )
    return found


def written(kind: Any, **fields: Any) -> bytes:
    """The payload of a message that pyroute2 writes. attrs: list of pairs."""
    message = kind()
    message.update(fields)
    message.encode()
    return bytes(message.data)[HEADER_BYTES:]
