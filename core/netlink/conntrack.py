"""Forgetting tracked UDP flows, which would go on to the old container when a port changes hands.

linux/netfilter/nfnetlink_conntrack.h. Flows are listed by the kernel's own filter and deleted by their full
tuple.
"""

from __future__ import annotations

from core.deadline import check as check_deadline
from core.netlink.message import DUMP, Message, attribute, attributes, nest, pack
from core.netlink.socket import NETFILTER, Socket

TYPE_CHECKING = False
if TYPE_CHECKING:
    from core.address import Family

NFNL_SUBSYS_CTNETLINK = 1 << 8
IPCTNL_MSG_CT_GET, IPCTNL_MSG_CT_DELETE = NFNL_SUBSYS_CTNETLINK | 1, NFNL_SUBSYS_CTNETLINK | 2
CTA_TUPLE_ORIG, CTA_ID, CTA_ZONE, CTA_FILTER = 1, 12, 18, 25
CTA_TUPLE_PROTO, CTA_PROTO_NUM, CTA_PROTO_DST_PORT = 2, 1, 3
CTA_FILTER_ORIG_FLAGS, CTA_FILTER_REPLY_FLAGS = 1, 2
CTA_FILTER_F_CTA_PROTO_NUM, CTA_FILTER_F_CTA_PROTO_DST_PORT = 1 << 3, 1 << 5
IPPROTO_UDP = 17
NFGENMSG_BYTES, NLA_F_NESTED = 4, 0x8000


def forget(family: Family, ports: set[int]) -> int:
    """Delete the UDP flows of a family that were sent to one of *ports*; returns how many.

    Raises OSError where the kernel has no connection tracking.
    """
    if not ports:
        return 0
    netlink = Socket(NETFILTER)
    try:
        head = pack(">BBH", family.af, 0, 0)
        forgotten = 0
        for _, payload in netlink.ask(Message(IPCTNL_MSG_CT_GET, DUMP, head + _filter(ports))):
            check_deadline()  # a busy host has a million flows
            flow = attributes(payload, NFGENMSG_BYTES)
            protocol, port = _target(flow)
            if protocol == IPPROTO_UDP and port in ports:
                deletion = Message(IPCTNL_MSG_CT_DELETE, 0, head + _identity(flow))
                forgotten += netlink.exchange((deletion,))[0][1] is None
        return forgotten
    finally:
        netlink.close()


def _filter(ports: set[int]) -> bytes:
    """The kernel's filter: UDP, and the port if there is one only."""
    port = attribute(CTA_PROTO_DST_PORT, pack(">H", min(ports))) if len(ports) == 1 else b""
    proto = nest(CTA_TUPLE_PROTO, attribute(CTA_PROTO_NUM, bytes([IPPROTO_UDP])), port)
    compared = CTA_FILTER_F_CTA_PROTO_NUM | (CTA_FILTER_F_CTA_PROTO_DST_PORT if port else 0)
    flags = (
        attribute(CTA_FILTER_ORIG_FLAGS, pack("=I", compared)),
        attribute(CTA_FILTER_REPLY_FLAGS, bytes(4)),
    )
    return nest(CTA_TUPLE_ORIG, proto) + nest(CTA_FILTER, *flags)


def _target(flow: dict[int, bytes]) -> tuple[int, int]:
    """(protocol, destination port) of a flow's original direction."""
    proto = attributes(attributes(flow.get(CTA_TUPLE_ORIG, b"")).get(CTA_TUPLE_PROTO, b""))
    number, port = proto.get(CTA_PROTO_NUM, b""), proto.get(CTA_PROTO_DST_PORT, b"")
    return int.from_bytes(number, "big"), int.from_bytes(port, "big")


def _identity(flow: dict[int, bytes]) -> bytes:
    zone = attribute(CTA_ZONE, flow[CTA_ZONE]) if CTA_ZONE in flow else b""
    identifier = attribute(CTA_ID, flow[CTA_ID]) if CTA_ID in flow else b""
    return attribute(CTA_TUPLE_ORIG | NLA_F_NESTED, flow[CTA_TUPLE_ORIG]) + zone + identifier
