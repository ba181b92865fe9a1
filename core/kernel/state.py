"""Two namespaces and what is known of them for the length of one call: sockets, and links by name.

Law: two sockets, no moods. One rtnetlink socket in the host namespace, one in the container's, opened at
first use; only sysctls and packet sockets need a short visit inside. Nothing is cached but links, by name,
for the length of one call.
"""

from __future__ import annotations

from errno import EADDRINUSE, EADDRNOTAVAIL, ENODEV, ENOENT

from core import address, system
from core.address import V6
from core.netlink import route
from core.netlink.link import IF_OPER_UP, IFF_UP, Link, get_link, read_link
from core.netlink.socket import ROUTE, Socket
from core.plan.records import CONTAINER, HOST
from core.record import replace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, Self

    from core.address import Family
    from core.nft.client import Netfilter

ABSENT = (ENOENT, ENODEV, EADDRNOTAVAIL)
SETTLE_TIMEOUT_S = 5
RTNLGRP_LINK, RTNLGRP_IPV6_IFADDR = 1, 9
SOLICITED_NODE = b"\xff\x02" + bytes(9) + b"\x01\xff"  # ff02::1:ff00:0/104


def _opened(path: str) -> int:
    from core.kernel import netns  # late: chained plugins open no namespace

    return netns.open_path(path)


class State:
    """The host's kernel state and that of one container namespace, as it is looked at."""

    def __init__(self, netns_path: str = "") -> None:
        """*netns_path*: the container's, "" for none.

        Raises FileNotFoundError when it is gone, CNIError(INVALID_NETNS) when it is none.
        """
        self.netns = _opened(netns_path) if netns_path else None
        self.sockets: dict[str, Socket] = {}
        self.links: dict[tuple[str, str], Link] = {}
        self.netfilter_socket: Netfilter | None = None
        self.xtables: Any = None  # core.kernel.xtables.Tables, where iptables was looked at
        self.bus: Any = None  # core.kernel.bus
        self.notes: list[str] = []  # what could not be had, and is no error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close everything, the netfilter socket last: it waits for the kernel."""
        for socket in self.sockets.values():
            socket.close()
        if self.netns is not None:
            system.close(self.netns)
        if self.bus:
            self.bus.close()
        if self.netfilter_socket:
            self.netfilter_socket.close()

    def at(self, place: str) -> Socket:
        """The rtnetlink socket of HOST or CONTAINER."""
        if place not in self.sockets:
            self.sockets[place] = self.visit(place, lambda: Socket(ROUTE))
        return self.sockets[place]

    def visit(self, place: str, errand: Callable[[], Any]) -> Any:
        """Run *errand* in the namespace of *place*. Raises OSError."""
        if place == HOST:
            return errand()
        if self.netns is None:
            raise FileNotFoundError(ENOENT, "there is no container namespace")
        from core.kernel import netns  # late: chained plugins visit no namespace

        return netns.visit(self.netns, errand)

    @property
    def netfilter(self) -> Netfilter:
        """The netfilter socket of the host namespace."""
        if self.netfilter_socket is None:
            from core.nft.client import Netfilter  # late: not every plugin and verb needs nft

            self.netfilter_socket = Netfilter()
        return self.netfilter_socket

    def link(self, place: str, name: str) -> Link | None:
        """A link by name, None when there is none. Raises OSError."""
        if (place, name) not in self.links:
            try:
                reply = self.at(place).ask(get_link(name))
            except OSError as error:
                if error.errno in ABSENT:
                    return None
                raise
            self.links[place, name] = read_link(reply[0][1])
        return self.links[place, name]

    def need(self, place: str, name: str) -> Link:
        """As link, but its absence is an OSError (ENODEV)."""
        if (found := self.link(place, name)) is None:
            raise OSError(ENODEV, f"{system.strerror(ENODEV)}: {name}")
        return found

    def forget_link(self, place: str, name: str) -> None:
        """Look again next time."""
        self.links.pop((place, name), None)

    def remember_up(self, place: str, name: str) -> None:
        """Note that a link was switched on.

        In the container nothing else of it has changed; in the host it may begin to forward, so it is
        forgotten.
        """
        if (known := self.links.pop((place, name), None)) and place == CONTAINER:
            self.links[place, name] = replace(known, flags=known.flags | IFF_UP)

    def look_again(self, place: str, name: str) -> Link:
        """As need, but past what is remembered."""
        self.forget_link(place, name)
        return self.need(place, name)

    def look(self, place: str, *names: str) -> None:
        """Look at several links in one go, past what is remembered; what is there is remembered.

        Raises OSError.
        """
        self.links = {
            where: link for where, link in self.links.items() if where[0] != place or where[1] not in names
        }
        answers = self.at(place).ask_each(tuple([get_link(name) for name in names]), ABSENT)
        self.links.update(
            {(place, name): read_link(replies[0][1]) for name, replies in zip(names, answers) if replies}
        )

    def await_link(self, place: str, name: str, ready: Callable[[Link], bool]) -> bool:
        """Wait until the kernel says that a link is *ready*; False when it does not in time."""
        return ready(self.need(place, name)) or self._await(
            RTNLGRP_LINK, place, lambda: ready(self.look_again(place, name))
        )

    def _await(self, group: int, place: str, done: Callable[[], bool]) -> bool:
        if done():
            return True
        from core.netlink.events import wait  # late: nearly always it is done already

        return wait(self.visit(place, lambda: Socket(ROUTE)), group, done, SETTLE_TIMEOUT_S)

    def port_is_up(self, name: str) -> bool:
        """Wait until a host link forwards; False when it does not in time."""
        return self.await_link(HOST, name, lambda link: link.operstate == IF_OPER_UP)

    def addresses_settle(self, name: str) -> bool:
        """Wait until duplicate address detection is over in the container; False on timeout.

        Raises OSError on a duplicate.
        """

        def settled() -> bool:
            flags = [flags for _, _, flags in self.addresses(CONTAINER, name)]
            if any([bit & route.IFA_F_DADFAILED for bit in flags]):
                raise OSError(EADDRINUSE, f"duplicate address detection failed on {name}")
            return not any([bit & route.IFA_F_TENTATIVE for bit in flags])

        return self._await(RTNLGRP_IPV6_IFADDR, CONTAINER, settled)

    def has_joined_groups(self, place: str, name: str, addresses: list[bytes]) -> bool:
        """Wait until a link has joined the solicited-node groups of its IPv6 *addresses*; False on timeout.

        The kernel takes an address before it has joined the group (RFC 4291 section 2.7.1), and a neighbour
        who solicits too early tries again only after a second. Raises OSError.
        """
        wanted = {SOLICITED_NODE + packed[13:] for packed in addresses if address.family(packed) is V6}
        if not wanted:
            return True
        question = route.list_groups(self.need(place, name).index)

        def joined() -> bool:
            return wanted <= {
                route.read_address(payload)[0].address for _, payload in self.at(place).ask(question)
            }

        return self._await(RTNLGRP_IPV6_IFADDR, place, joined)

    def addresses(self, place: str, name: str) -> list[tuple[Any, int, int]]:
        """(Cidr, scope, flags) of a link's addresses. Raises OSError."""
        index = self.need(place, name).index
        return [route.read_address(payload) for _, payload in self.at(place).ask(route.list_addresses(index))]

    def forget_flows(self, family: Family, ports: set[int]) -> int:
        """Delete the tracked UDP flows of a family to *ports*; returns how many. Raises OSError."""
        from core.netlink import conntrack  # late: portmap only

        return conntrack.forget(family, ports)
