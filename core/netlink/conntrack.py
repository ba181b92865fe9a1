"""Forgetting tracked UDP flows, which would go on to the old container when a port changes hands.

linux/netfilter/nfnetlink_conntrack.h. Flows are listed by the kernel's own filter and deleted by their full tuple.
"""

from __future__ import annotations

from core.deadline import check as check_deadline
from core.netlink.message import DUMP, Message, attribute, attributes, nest, pack
from core.netlink.socket import NETFILTER, Socket

SUBSYSTEM = 1 << 8
GET, DELETE = SUBSYSTEM | 1, SUBSYSTEM | 2
TUPLE_ORIG, ID, FILTER, ZONE = 1, 12, 25, 18
TUPLE_PROTO, PROTO_NUMBER, PROTO_DST_PORT = 2, 1, 3
BY_PROTOCOL, BY_PORT = 1 << 3, 1 << 5  # CTA_FILTER_F_CTA_PROTO_NUM and _DST_PORT
UDP = 17
FAMILIES = {4: 2, 6: 10}


def forget(family: int, ports: set[int]) -> int:
    """Delete the UDP flows of IPv4 (4) or IPv6 (6) that were sent to one of *ports*; returns how many.

    Raises OSError where the kernel has no connection tracking.
    """
    if not ports:
        return 0
    netlink = Socket(NETFILTER)
    try:
        head = pack(">BBH", FAMILIES[family], 0, 0)
        forgotten = 0
        for _, payload in netlink.ask(Message(GET, DUMP, head + _filter(ports))):
            check_deadline()  # a busy host has a million flows
            flow = attributes(payload, 4)
            protocol, port = _target(flow)
            if protocol == UDP and port in ports:
                forgotten += netlink.exchange((Message(DELETE, 0, head + _identity(flow)),))[0][1] is None
        return forgotten
    finally:
        netlink.close()


def _filter(ports: set[int]) -> bytes:
    """The kernel's filter: UDP, and the port if there is one only."""
    port = attribute(PROTO_DST_PORT, pack(">H", min(ports))) if len(ports) == 1 else b""
    proto = nest(TUPLE_PROTO, attribute(PROTO_NUMBER, bytes([UDP])), port)
    bits = BY_PROTOCOL | (BY_PORT if port else 0)
    return nest(TUPLE_ORIG, proto) + nest(FILTER, attribute(1, pack("=I", bits)), attribute(2, bytes(4)))


def _target(flow: dict[int, bytes]) -> tuple[int, int]:
    """(protocol, destination port) of a flow's original direction."""
    proto = attributes(attributes(flow.get(TUPLE_ORIG, b"")).get(TUPLE_PROTO, b""))
    return int.from_bytes(proto.get(PROTO_NUMBER, b""), "big"), int.from_bytes(proto.get(PROTO_DST_PORT, b""), "big")


def _identity(flow: dict[int, bytes]) -> bytes:
    zone = attribute(ZONE, flow[ZONE]) if ZONE in flow else b""
    return attribute(TUPLE_ORIG | 0x8000, flow[TUPLE_ORIG]) + zone + (attribute(ID, flow[ID]) if ID in flow else b"")
