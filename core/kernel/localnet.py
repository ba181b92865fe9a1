"""Whether 127.0.0.1 of the host reaches a container, as a kernel's record.

The setting is route_localnet of the interface in between.
"""

from __future__ import annotations

from errno import EACCES, EHOSTUNREACH, EINVAL, ENETUNREACH, ENODEV, ENOENT, ENXIO

from core.address import text as address_text
from core.kernel import sysctl
from core.netlink import route
from core.netlink.socket import if_indextoname
from core.plan.localnet import LocalnetRouting
from core.plan.records import HOST

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from core.kernel.state import State

# How the kernel says that there is no way: EACCES is a prohibit route, EINVAL a blackhole, EHOSTUNREACH an
# unreachable one.
NO_WAY = (ENOENT, ENXIO, EACCES, ENODEV, EINVAL, ENETUNREACH, EHOSTUNREACH)


def _way(kernel: State, want: LocalnetRouting) -> tuple[str, str]:
    """The sysctl that lets 127.0.0.1 reach the destination, or else why there is none. Raises OSError.

    Returns (key, "") or ("", reason).
    """
    try:
        index, path = route.read_route(kernel.at(HOST).ask(route.get_route(want.destination))[0][1])[0]
        name = if_indextoname(index)
    except OSError as error:
        if error.errno in NO_WAY:
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


FIND: dict[type, Any] = {LocalnetRouting: _find_localnet}
CREATE: dict[type, Any] = {LocalnetRouting: _create_localnet}
