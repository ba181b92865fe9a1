"""loopback: the interface lo of a container, up as long as the container is attached.

The cheapest plugin there is: no configuration, no IPAM, nothing in the host. CNI_IFNAME is not looked at.
containerd calls it for every pod, at the same time as the plugins of the pod's networks.
"""

from __future__ import annotations

from core import address
from core.cni import result
from core.cni.version import ALL
from core.errors import CHECK_FAILED, INVALID_CONFIG, INVALID_NETNS, KERNEL_REFUSED, CNIError, of_kernel
from core.kernel.state import State
from core.netlink.link import IFF_UP, get_link, read_link, set_flags
from core.netlink.route import list_addresses, read_address
from core.plan.records import CONTAINER

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from core.address import Cidr
    from core.cni.protocol import Request
    from core.cni.result import Result
    from core.netlink.message import Message

NAME = "loopback"
VERSIONS = ALL
LO, NO_MAC = "lo", "00:00:00:00:00:00"
LOOPBACK_IFINDEX = 1  # in every network namespace
LOOPBACK = {address.V4: address.Cidr(b"\x7f\0\0\0", 8), address.V6: address.Cidr(bytes(15) + b"\1", 128)}


def add(request: Request) -> Result:
    """Switch lo on; answer with prevResult, or else with its addresses. A failure leaves lo as it was.

    Raises CNIError(INVALID_CONFIG) where lo has an address that is none of loopback's.
    """
    previous = result.parse_prev(request.config, request.version)
    with _opened(request) as kernel:
        links, present = _ask(kernel, get_link(LO), list_addresses(LOOPBACK_IFINDEX))
        if not read_link(links[0]).up:
            _of_loopback(present)
            try:
                _, present = _ask(kernel, set_flags(LO, IFF_UP, IFF_UP), list_addresses(LOOPBACK_IFINDEX))
            except BaseException:
                _ask(kernel, set_flags(LO, 0, IFF_UP))
                raise
        addresses = _of_loopback(present)
        return previous if previous is not None else _answer(addresses, request.attachment.netns)


def _opened(request: Request) -> Any:
    try:
        return (request.kernel or State)(request.attachment.netns)
    except FileNotFoundError as error:
        raise CNIError(INVALID_NETNS, str(error.strerror)) from None


def _ask(kernel: Any, *messages: Message) -> list[list[bytes]]:
    """The payloads that the kernel answers to each of some requests, sent together. Raises CNIError."""
    try:
        answers = kernel.at(CONTAINER).do(*messages)
    except OSError as error:
        code = of_kernel(error.errno) if error.errno else KERNEL_REFUSED
        raise CNIError(code, f"lo: {error.strerror}") from error
    return [[payload for _, payload in answer] for answer in answers]


def _of_loopback(payloads: list[bytes]) -> list[Cidr]:
    """The addresses of lo. Raises CNIError when one is no loopback address."""
    present = [read_address(payload)[0] for payload in payloads]
    for cidr in present:
        if not address.contains(LOOPBACK[cidr.family], cidr.address):
            remedy = f"remove it (ip address del {cidr} dev lo), or leave loopback out"
            raise CNIError(INVALID_CONFIG, f"lo has the address {cidr}, which is none of loopback's", remedy)
    return present


def _answer(present: list[Cidr], netns: str) -> Result:
    """The first address of each family."""
    first = {cidr.family: cidr for cidr in reversed(present)}
    ips = [{"interface": 0, "address": str(first[family])} for family in address.FAMILIES if family in first]
    return {
        "interfaces": [{"name": LO, "mac": NO_MAC, "sandbox": netns}],
        "ips": ips,
        "routes": [],
        "dns": {},
    }


def check(request: Request) -> None:
    """Raises CNIError(CHECK_FAILED) when lo is down."""
    with _opened(request) as kernel:
        (links,) = _ask(kernel, get_link(LO))
        if not read_link(links[0]).up:
            raise CNIError(CHECK_FAILED, "lo is down: want it up")


def delete(request: Request) -> None:
    """Switch lo off. A namespace that is gone, or was never given, is success."""
    if not request.attachment.netns:
        return
    try:
        kernel = (request.kernel or State)(request.attachment.netns)
    except (FileNotFoundError, CNIError):
        return
    with kernel:
        _ask(kernel, set_flags(LO, 0, IFF_UP))


COMMANDS = {"ADD": add, "CHECK": check, "DEL": delete}
