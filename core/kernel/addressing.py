"""Addresses, routes and link state as a kernel's records."""

from __future__ import annotations

from errno import EADDRNOTAVAIL, ENODEV, ESRCH, ETIMEDOUT

from core import system
from core.address import V4, V6, overlap
from core.errors import GATEWAY_CONFLICT, CNIError
from core.kernel import sysctl
from core.netlink import route
from core.netlink.link import IFF_UP, set_flags, set_mac
from core.netlink.message import head
from core.netlink.route import Path
from core.plan.records import CONTAINER, HOST, Address, Gateway, NoAdvertisements, Route, Up
from core.record import replace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from core.address import Cidr
    from core.kernel.state import State
    from core.netlink.message import Message

GONE = (EADDRNOTAVAIL, ENODEV, ESRCH)  # of an address; of its link; of a route
ACCEPT_RA = "net/ipv6/conf/{}/accept_ra"


def teaches_routes(kernel: State, name: str) -> bool:
    """Whether the host has its IPv6 default route from router advertisements that came in by a link.

    Raises OSError.
    """
    link = kernel.link(HOST, name)
    if link is None:
        return False
    replies = kernel.at(HOST).ask(route.list_routes(V6))
    learnt = [payload for _, payload in replies if head("=BBBBBB", payload)[1::4] == (0, route.RTPROT_RA)]
    return any([index == link.index for payload in learnt for index, _ in route.read_route(payload)])


def _find_no_advertisements(kernel: State, want: NoAdvertisements) -> NoAdvertisements | None:
    """Where it cannot be, nothing is missing; *kernel.notes* says so."""
    if kernel.link(want.place, want.link) is None:
        return None
    key = ACCEPT_RA.format(want.link)
    if sysctl.value(key) in ("0", ""):  # there may be no IPv6 at all
        return want
    if not sysctl.may_write(key):
        kernel.notes.append(
            f"{key} cannot be written: the host may believe the router advertisements of containers"
        )
        return want
    return want if teaches_routes(kernel, want.link) else None


def _create_no_advertisements(kernel: State, want: NoAdvertisements) -> None:
    kernel.need(want.place, want.link)
    try:
        sysctl.write(ACCEPT_RA.format(want.link), "0")
    except OSError as error:
        if error.errno not in sysctl.OUT_OF_REACH:
            raise


def _find_up(kernel: State, want: Up) -> Up | None:
    found = kernel.link(want.place, want.link)
    return want if found and found.up else None


def _gateways(kernel: State, want: Gateway) -> list[Cidr]:
    """The addresses of the link that could be a gateway's."""
    present = kernel.addresses(want.place, want.link)
    return [cidr for cidr, scope, _ in present if scope != route.RT_SCOPE_LINK]


def _find_gateway(kernel: State, want: Gateway) -> Gateway | None:
    """None also where the link has no MAC: nobody could answer from there.

    A bridge has none when its last port is gone and nothing pinned the MAC.
    """
    found = kernel.link(want.place, want.link)
    return want if found and any(found.mac) and want.cidr in _gateways(kernel, want) else None


def _create_gateway(kernel: State, want: Gateway) -> None:
    """Replace or refuse a conflicting address, add ours, and pin the link's MAC by writing it.

    A link that has no MAC gets one.
    """
    found, present = kernel.need(want.place, want.link), _gateways(kernel, want)
    other = [cidr for cidr in present if cidr != want.cidr and _conflict(cidr, want.cidr)]
    if other and not want.force:
        shown = ", ".join([str(cidr) for cidr in other])
        raise CNIError(
            GATEWAY_CONFLICT,
            f"{want.link} already has an IP address different from {want.cidr}: {shown}",
            f"remove it (ip address del {other[0]} dev {want.link}) once no container uses its network, "
            "or set forceAddress",
        )
    changes = [route.del_address(found.index, cidr) for cidr in other]
    if any(found.mac) or want.cidr not in present:
        changes.append(route.new_address(found.index, want.cidr, nodad=True))
    mac = found.mac if any(found.mac) else system.drawn_mac()
    try:
        kernel.at(want.place).do(*changes, set_mac(want.link, mac))
    except PermissionError as error:
        disabled = f"net/ipv6/conf/{want.link}/disable_ipv6"
        if want.cidr.family is V6 and sysctl.value(disabled) == "1":
            error.strerror = f"{error.strerror}; write 0 to {disabled}, which is done for new bridges alone"
        raise
    kernel.forget_link(want.place, want.link)
    if not kernel.has_joined_groups(want.place, want.link, [want.cidr.address]):
        raise TimeoutError(ETIMEDOUT, f"{want.link} has not joined the solicited-node group of {want.cidr}")


def _conflict(present: Cidr, wanted: Cidr) -> bool:
    """One IPv4 address a bridge; IPv6 networks may stand side by side."""
    return present.family is wanted.family and (wanted.family is V4 or overlap(present, wanted))


def _find_address(kernel: State, want: Address) -> Address | None:
    there = kernel.link(want.place, want.link)
    present = kernel.addresses(want.place, want.link) if there else []
    return want if want.cidr in [cidr for cidr, _, _ in present] else None


def _path(want: Route) -> Path:
    return Path(want.dst, want.gateway, want.table, want.scope, want.priority, want.mtu, want.advmss)


def _find_route(kernel: State, want: Route) -> Route | None:
    """A route with the destination, and the gateway where one is wanted and it is no default route.

    A later plugin of the chain may have moved it to another table, so only a wanted table is compared. Spec:
    section 2 "CHECK".
    """
    link = kernel.link(want.place, want.link)
    if link is None:
        return None
    replies = kernel.at(want.place).ask(route.list_routes(want.dst.family))
    likely = [payload for _, payload in replies if payload[1:2] == bytes([want.dst.prefix_len])]
    ways = [path for payload in likely for oif, path in route.read_route(payload) if oif == link.index]
    for path in [path for path in ways if path.dst == want.dst]:
        in_table = want.table in (None, 0, path.table)
        if in_table and (not want.gateway or not want.dst.prefix_len or path.gateway == want.gateway):
            return replace(want, mtu=path.mtu if want.mtu else 0, advmss=path.advmss if want.advmss else 0)
    return None


def _up(kernel: State, want: Up) -> Message:
    if want.place == HOST:
        from core.kernel.newborn import prepare  # late: nearly always the bridge is up

        prepare(kernel, want)
    return set_flags(want.link, IFF_UP, IFF_UP, grown=want.place == HOST)


def _address(kernel: State, want: Address) -> Message:
    return route.new_address(kernel.need(want.place, want.link).index, want.cidr, not want.detect)


def _route(kernel: State, want: Route) -> Message:
    return route.new_route(kernel.need(want.place, want.link).index, _path(want))


def _create(kernel: State, *batch: Any) -> None:
    """Send addresses, link state and routes of one place together; the first refusal is raised."""
    place = batch[0].place
    outcome = kernel.at(place).exchange(tuple([MESSAGES[type(want)](kernel, want) for want in batch]))
    refused = [(want, failure) for want, (_, failure) in zip(batch, outcome) if failure]
    for want, failure in refused[:1]:
        failure.record = want  # type: ignore[attr-defined]
        failure.made = [each for each in batch if each not in [other for other, _ in refused]]  # type: ignore[attr-defined]
        raise failure
    for want in batch:
        if type(want) in LEARNT:
            LEARNT[type(want)](kernel, want)


def _delete(kernel: State, *batch: Any) -> list[Any]:
    """Delete addresses and routes; absent is success. Returns what was there. Raises OSError."""
    gone = []
    for want in batch:
        link = kernel.link(want.place, want.link)
        try:
            if link:
                kernel.at(want.place).do(REMOVALS[type(want)](link.index, want))
                gone.append(want)
        except OSError as error:
            if error.errno not in GONE:
                raise
    return gone


def announce(kernel: State, ifname: str, mac: bytes, addresses: list[bytes], bridge: str) -> None:
    """Make the neighbours forget who had *addresses* before: the host's own table, and everybody on the wire.

    Writing the MAC that the container's end has already makes the kernel announce it (arp_notify,
    ndisc_notify), now that the port forwards. A packet socket would do as well, but its close waits for an
    RCU grace period.
    """
    index = kernel.need(HOST, bridge).index
    kernel.at(HOST).exchange(tuple([route.del_neighbour(index, address) for address in addresses]))
    kernel.at(CONTAINER).do(set_mac(ifname, mac))


MESSAGES: dict[type, Any] = {Up: _up, Address: _address, Route: _route}
LEARNT: dict[type, Any] = {Up: lambda kernel, want: kernel.remember_up(want.place, want.link)}
REMOVALS: dict[type, Any] = {
    Address: lambda index, want: route.del_address(index, want.cidr),
    Route: lambda index, want: route.del_route(index, _path(want)),
}
FIND: dict[type, Any] = {
    Up: _find_up,
    NoAdvertisements: _find_no_advertisements,
    Gateway: _find_gateway,
    Address: _find_address,
    Route: _find_route,
}
CREATE: dict[type, Any] = {
    Up: _create,
    NoAdvertisements: _create_no_advertisements,
    Gateway: _create_gateway,
    Address: _create,
    Route: _create,
}
DELETE: dict[type, Any] = {Address: _delete, Route: _delete}
