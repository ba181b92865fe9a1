"""Addresses, routes and sysctls as a kernel's records.

Every function takes the State first; core.kernel.kernel calls them by the record's type.
"""

from __future__ import annotations

from core import system
from core.address import overlap
from core.address import text as address_text
from core.errors import GATEWAY_CONFLICT, CNIError
from core.kernel import sysctl
from core.netlink import route
from core.netlink.message import head
from core.netlink.route import IFF_UP, Path
from core.netlink.socket import if_indextoname
from core.plan.records import CONTAINER, HOST, Address, Gateway, LocalnetRouting, NoAdvertisements, Route, Sysctl, Up
from core.record import replace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from core.address import Cidr
    from core.kernel.state import State
    from core.netlink.message import Message

LINK_LOCAL = 253  # scope
ACCEPT_RA = "net/ipv6/conf/{}/accept_ra"
RTPROT_RA = 9
EROFS = 30
UNREACHABLE = (2, 6, 13, 19, 22, 101, 113)  # ENOENT, ENXIO, EACCES (prohibit), ENODEV, EINVAL (blackhole), ENETUNREACH, EHOSTUNREACH (unreachable)


def teaches_routes(kernel: State, name: str) -> bool:
    """Whether the host has its IPv6 default route from router advertisements that came in by a link. Raises OSError."""
    link = kernel.link(HOST, name)
    replies = kernel.at(HOST).ask(route.list_routes(route.AF_INET6)) if link else []
    learnt = [payload for _, payload in replies if head("=BBBBBB", payload)[1::4] == (0, RTPROT_RA)]
    return any([index == link.index for payload in learnt for index, _ in route.route(payload)]) if link else False


def _find_no_advertisements(kernel: State, want: NoAdvertisements) -> NoAdvertisements | None:
    """Where it cannot be, nothing is missing; *kernel.notes* says so."""
    if kernel.link(HOST, want.link) is None:
        return None
    key = ACCEPT_RA.format(want.link)
    if sysctl.value(key) in ("0", ""):  # there may be no IPv6 at all
        return want
    if not sysctl.may_write(key):
        kernel.notes.append(f"{key} cannot be written: the host may believe the router advertisements of containers")
        return want
    return want if teaches_routes(kernel, want.link) else None


def _create_no_advertisements(kernel: State, want: NoAdvertisements) -> None:
    kernel.need(HOST, want.link)
    try:
        sysctl.write(ACCEPT_RA.format(want.link), "0")
    except OSError as error:
        if error.errno not in sysctl.OUT_OF_REACH:
            raise


def _gateways(kernel: State, link: str) -> list[Cidr]:
    return [cidr for cidr, scope, _ in kernel.addresses(HOST, link) if scope != LINK_LOCAL]


def _find_gateway(kernel: State, want: Gateway) -> Gateway | None:
    """None also on a link without a MAC of its own, as a bridge is that has lost its last port: nobody could answer from there."""
    found = kernel.link(HOST, want.link)
    return want if found and any(found.mac) and want.cidr in _gateways(kernel, want.link) else None


def _create_gateway(kernel: State, want: Gateway) -> None:
    """Replace or refuse a conflicting address, add ours, and write the link's MAC to itself so that it stays; one that has none gets one."""
    found, present = kernel.need(HOST, want.link), _gateways(kernel, want.link)
    other = [cidr for cidr in present if cidr != want.cidr and _conflict(cidr, want.cidr)]
    if other and not want.force:
        raise CNIError(
            GATEWAY_CONFLICT,
            f"{want.link} already has an IP address different from {want.cidr}: {', '.join([str(cidr) for cidr in other])}",
            f"remove it (ip address del {other[0]} dev {want.link}) once no container uses its network, or set forceAddress",
        )
    changes = [route.del_address(found.index, cidr) for cidr in other]
    if any(found.mac) or want.cidr not in present:
        changes.append(route.new_address(found.index, want.cidr, nodad=True))
    try:
        kernel.at(HOST).do(*changes, route.set_mac(want.link, found.mac if any(found.mac) else system.drawn_mac()))
    except PermissionError as error:
        if len(want.cidr.address) == 16 and sysctl.value(f"net/ipv6/conf/{want.link}/disable_ipv6") == "1":
            error.strerror = f"{error.strerror}; write 0 to net/ipv6/conf/{want.link}/disable_ipv6, which is done for new bridges alone"
        raise
    kernel.forget_link(HOST, want.link)
    if not kernel.can_be_asked_for(HOST, want.link, [want.cidr.address]):
        raise TimeoutError(110, f"{want.link} does not hear who looks for {want.cidr}")


def _conflict(present: Cidr, wanted: Cidr) -> bool:
    """One IPv4 address a bridge; IPv6 networks may stand side by side."""
    same_family = len(present.address) == len(wanted.address)
    return same_family and (len(wanted.address) == 4 or overlap(present, wanted))


def _find_address(kernel: State, want: Address) -> Address | None:
    there = kernel.link(CONTAINER, want.link)
    return want if there and want.cidr in [cidr for cidr, _, _ in kernel.addresses(CONTAINER, want.link)] else None


def _path(want: Route) -> Path:
    return Path(want.dst, want.gateway, want.table, want.scope, want.priority, want.mtu, want.advmss)


def _find_route(kernel: State, want: Route) -> Route | None:
    """A route with the destination, and the gateway where one is wanted and it is no default route (spec: section 2 "CHECK").

    A later plugin of the chain may have moved it to another table, so only a wanted table is compared.
    """
    link = kernel.link(CONTAINER, want.link)
    if link is None:
        return None
    replies = kernel.at(CONTAINER).ask(route.list_routes(route.family(want.dst.address)))
    likely = [payload for _, payload in replies if payload[1:2] == bytes([want.dst.prefix_len])]
    candidates = [path for payload in likely for oif, path in route.route(payload) if oif == link.index and path.dst == want.dst]
    for path in candidates:
        if want.table in (None, 0, path.table) and (not want.gateway or not want.dst.prefix_len or path.gateway == want.gateway):
            metrics = (path.mtu if want.mtu else 0, path.advmss if want.advmss else 0)
            return replace(want, mtu=metrics[0], advmss=metrics[1])
    return None


def _message(kernel: State, want: Any) -> Message:
    if isinstance(want, Up):
        return route.set_flags(want.link, IFF_UP, IFF_UP, grown=want.place == HOST)
    index = kernel.need(CONTAINER, want.link).index
    return route.new_address(index, want.cidr, not want.detect) if isinstance(want, Address) else route.new_route(index, _path(want))


def _create(kernel: State, *batch: Any) -> None:
    """Addresses, link state and routes of the container travel together; the first refusal is the one reported."""
    place = batch[0].place if isinstance(batch[0], Up) else CONTAINER
    if place == HOST:
        from core.kernel.newborn import prepare  # late: nearly always the bridge is up

        prepare(kernel, batch[0])
    outcome = kernel.at(place).exchange(tuple([_message(kernel, want) for want in batch]))
    for want, (_, failure) in zip(batch, outcome):
        if failure:
            failure.record = want  # type: ignore[attr-defined]
            raise failure
    for want in batch:
        if isinstance(want, Up):
            kernel.remember_up(place, want.link)


def _find_sysctl(kernel: State, want: Sysctl) -> Sysctl | None:
    try:
        value = kernel.visit(want.place, lambda: sysctl.read(want.key))
        beyond = want.if_writable and value != want.value and not kernel.visit(want.place, lambda: sysctl.may_write(want.key))
    except OSError:
        return None if want.required else want
    return want if beyond else replace(want, value=value)


def _create_sysctl(kernel: State, *batch: Sysctl) -> None:
    """Write settings of one place; *kernel.notes* says which one that should be is not, as /proc/sys is read-only."""

    def write_all() -> None:
        for want in batch:
            try:
                sysctl.write(want.key, want.value)
            except OSError as error:
                if sysctl.value(want.key) == want.value:  # /proc/sys may be read-only
                    continue
                if want.if_writable and error.errno == EROFS:
                    kernel.notes.append(f"/proc/sys is read-only: {want.key} stays as it is")
                elif want.required:
                    error.record = want  # type: ignore[attr-defined]
                    raise

    kernel.visit(batch[0].place, write_all)


def _way(kernel: State, want: LocalnetRouting) -> tuple[str, str]:
    """(the sysctl that lets 127.0.0.1 reach the destination, "") or ("", why there is none). Raises OSError."""
    try:
        index, path = route.route(kernel.at(HOST).ask(route.get_route(want.destination))[0][1])[0]
        name = if_indextoname(index)
    except OSError as error:
        if error.errno in UNREACHABLE:
            return "", f"the host has no route to it ({error.strerror})"
        raise
    if path.gateway:
        return "", f"it is behind the gateway {address_text(path.gateway)}"
    if name not in want.links and kernel.need(HOST, name).kind not in ("veth", *["bridge"] * want.bridges):
        return "", f"the host reaches it through {name}, which is none of its interfaces"
    return f"net/ipv4/conf/{name}/route_localnet", ""


def _find_localnet(kernel: State, want: LocalnetRouting) -> LocalnetRouting | None:
    """Where it cannot be, nothing is missing; *kernel.notes* says so."""
    key, obstacle = _way(kernel, want)
    if key and sysctl.read(key) != "1":
        if sysctl.may_write(key):
            return None
        obstacle = f"{key} cannot be written"
    if obstacle:
        kernel.notes.append(f"{address_text(want.destination)} cannot be reached from 127.0.0.1: {obstacle}")
    return want


def _create_localnet(kernel: State, want: LocalnetRouting) -> None:
    key, _ = _way(kernel, want)
    if key:
        sysctl.write(key, "1")


FIND: dict[type, Any] = {
    NoAdvertisements: _find_no_advertisements,
    Gateway: _find_gateway,
    Address: _find_address,
    Route: _find_route,
    Sysctl: _find_sysctl,
    LocalnetRouting: _find_localnet,
}
CREATE: dict[type, Any] = {
    NoAdvertisements: _create_no_advertisements,
    Gateway: _create_gateway,
    Up: _create,
    Address: _create,
    Route: _create,
    Sysctl: _create_sysctl,
    LocalnetRouting: _create_localnet,
}
