"""A container's addresses, and the way of its packets: what prevResult does not tell is a difference.

CHECK only. A later plugin of the chain may add addresses and routes, move ours to a table of their own (sbr)
or put the link into a VRF; it tells the first two in its result, and none of these leads elsewhere. What
leaves by another interface's route in the main table is another network's affair.
"""

from __future__ import annotations

from core import address
from core.address import FAMILIES, V4, V6
from core.netlink import route
from core.netlink.route import IFA_F_PERMANENT, RT_SCOPE_SITE, RT_SCOPE_UNIVERSE, RT_TABLE_MAIN, RTPROT_RA
from core.plan import from_ipam
from core.plan.records import CONTAINER

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from core.address import Cidr, Family
    from core.cni.result import Result
    from core.netlink.link import Link
    from core.netlink.route import Path

GLOBAL = (RT_SCOPE_UNIVERSE, RT_SCOPE_SITE)
# Nothing is sent there; the kernel is asked for the way. In either half of the address space, as two routes
# of /1 together outdo a default route.
FAR = {
    V4: ("1.0.0.1", "65.0.0.1", "192.0.2.1", "198.51.100.1"),
    V6: ("2001:db8::1", "2600::1", "8000::1", "c000::1"),
}


def differences(kernel: Any, ifname: str, result: Result, ours: list[Cidr]) -> list[str]:
    """What the container's side has that *result* does not know. Raises OSError.

    ours: the addresses of this interface in the result.
    """
    link = kernel.link(CONTAINER, ifname)
    if link is None:
        return []  # which CHECK has told already
    present = kernel.addresses(CONTAINER, ifname)
    known = from_ipam.cidrs(result)
    told = [] if ours else [f"want an address of {ifname} in prevResult, found none"]
    told += [
        f"{ifname} has no address {cidr}: want {cidr}, found nothing"
        for cidr in ours
        if cidr not in [each for each, _, _ in present]
    ]
    for cidr, scope, flags in present:
        if cidr not in known and scope in GLOBAL and flags & IFA_F_PERMANENT:
            told.append(f"want on {ifname} only the addresses of prevResult, found {cidr} as well")
    if told or link.master:
        return told
    for family in FAMILIES:
        wanted = [
            path
            for path in from_ipam.routes(ifname, result)
            if not path.dst.prefix_len and path.dst.family is family
        ]
        gateways = {path.gateway for path in wanted if path.table in (None, 0, RT_TABLE_MAIN)}
        sources = [cidr.address for cidr in ours if cidr.family is family]
        if gateways and sources:
            told += _detours(kernel, link, gateways, sources[0], _covered(result, family))
    return told


def _covered(result: Result, family: Family) -> list[Cidr]:
    """The destinations to which the container is told a way of its own."""
    listed = [*[item["address"] for item in result["ips"]], *[item["dst"] for item in result["routes"]]]
    return [
        cidr
        for cidr in [address.parse_cidr(text) for text in listed]
        if cidr.prefix_len and cidr.family is family
    ]


def _detours(kernel: Any, link: Link, gateways: set[bytes], source: bytes, covered: list[Cidr]) -> list[str]:
    """Default routes that nobody told, and where packets from *source* really go. Raises OSError."""
    socket = kernel.at(CONTAINER)
    replies = [
        payload
        for _, payload in socket.ask(route.list_routes(address.family(source)))
        if payload[1:2] == b"\0"
    ]
    paths = [
        (path, payload[5])
        for payload in replies
        for index, path in route.read_route(payload)
        if index == link.index
    ]
    in_main = [(path.gateway, protocol) for path, protocol in paths if path.table == RT_TABLE_MAIN]
    if not paths:
        return []  # which CHECK has told already
    through = " or ".join([_shown(each) for each in sorted(gateways)])
    want = f"want packets from {address.text(source)} to leave by {link.name} through {through}"
    right = gateways | {gateway for gateway, protocol in in_main if protocol == RTPROT_RA}
    told = [
        f"{want}, found another default route through {_shown(gateway)}"
        for gateway, _ in in_main
        if gateway not in right
    ]
    far = [
        each
        for each in [address.parse(text) for text in FAR[address.family(source)]]
        if not any([address.contains(cidr, each) for cidr in covered])
    ]
    if told or not far:
        return told
    answers = socket.ask_all(tuple([route.get_route(destination, source) for destination in far]))
    ways = [_detour(link, right, replies, failure) for replies, failure in answers]
    return [
        f"{want}, found that those to {address.text(destination)} {way}"
        for destination, way in zip(far, ways)
        if way
    ][:1]


def _detour(
    link: Link, gateways: set[bytes], replies: list[tuple[int, bytes]], failure: OSError | None
) -> str:
    """Where a packet goes instead, as the kernel answered; "" for the right way."""
    if failure:
        return f"cannot leave ({failure.strerror})"
    index, path = route.read_route(replies[0][1])[0]
    if index != link.index:
        return "" if path.table == RT_TABLE_MAIN else f"leave by another interface, by table {path.table}"
    return "" if path.gateway in gateways else f"go through {_shown(path.gateway)}{_by(path)}"


def _by(path: Path) -> str:
    return "" if path.table == RT_TABLE_MAIN else f", by table {path.table}"


def _shown(gateway: bytes) -> str:
    return address.text(gateway) if gateway else "no gateway"
