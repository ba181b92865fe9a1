"""Routes to the pods of other nodes, in the kernel.

Law: a route is ours by its protocol number (`proto 67` in `ip route`); no other is changed or removed. What
the kernel has is looked up each time, nothing is remembered.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from errno import EEXIST, ENETUNREACH, ESRCH
from typing import Any

from core.address import FAMILIES, Cidr, text
from core.netlink import route as codec
from core.netlink.message import EXCL
from core.netlink.route import Path
from core.netlink.socket import ROUTE, Socket, if_indextoname
from launcher.node.plan import Way

RTPROT_CNIWIRE = 67  # free in iproute2's rt_protos
# RTNLGRP_*: links, addresses and routes, linux/rtnetlink.h
GROUPS = (1, 5, 7, 9, 11)
SOL_NETLINK, NETLINK_ADD_MEMBERSHIP = 270, 1
SOL_SOCKET, SO_RCVBUF, RECEIVE_BUFFER_BYTES = 1, 8, 1 << 20


@dataclass
class Outcome:
    """done: what was changed, a line for each. wrong: what could not be. routes: all that are ours now."""

    done: list[str]
    wrong: list[str]
    routes: dict[str, str]


class Routes:
    """The routes of this network namespace."""

    def __init__(self) -> None:
        """Raises OSError."""
        self.socket = Socket(ROUTE)

    def close(self) -> None:
        self.socket.close()

    def ours(self) -> dict[Cidr, list[tuple[int, Path]]]:
        """Ours in the main table by destination: (interface index, Path). Raises OSError, ValueError."""
        found: dict[Cidr, list[tuple[int, Path]]] = {}
        for family in FAMILIES:
            for _, payload in self.socket.ask(codec.list_routes(family)):
                if codec.protocol_and_type(payload)[0] == RTPROT_CNIWIRE:
                    for index, path in codec.read_route(payload):
                        found.setdefault(path.dst, []).append((index, path))
        return found

    def make(self, wanted: Mapping[Cidr, Way]) -> Outcome:
        """Add what is wanted and missing, remove what is ours and not wanted. Raises OSError, ValueError."""
        outcome = Outcome([], [], {})
        have = self.ours()
        for network, way in wanted.items():
            gateway, index, why = self._neighbour(way, have.get(network, []))
            if why:
                outcome.wrong.append(f"no route to {network} of node {way.node}: {why}")
            if why and not gateway:  # surely none: what stands leads nowhere
                continue
            self._stand(network, way, (index, gateway), have.pop(network, []), outcome)
        for network, standing in have.items():
            self._remove(standing)
            outcome.done.append(f"removed the route to {network}")
        return outcome

    def _neighbour(self, way: Way, standing: list[tuple[int, Path]]) -> tuple[bytes, int, str]:
        """The first gateway on one of our own networks, and its interface; else why there is none.

        Where nothing is known of it at this moment, as while a link is down, what stands is the answer, too.
        """
        why = ""
        for gateway in way.gateways:
            try:
                ((_, payload),) = self.socket.ask(codec.get_route(gateway))
            except OSError as error:
                if error.errno not in (ENETUNREACH, ESRCH):
                    raise
                why = f"this node has no way to {text(gateway)}"
                if any(path.gateway == gateway for _, path in standing):
                    return gateway, standing[0][0], why
                continue
            ((index, path),) = codec.read_route(payload)
            if codec.protocol_and_type(payload)[1] != codec.RTN_UNICAST:
                why = f"{text(gateway)} is an address of this node, too"
            elif path.gateway:
                why = f"{text(gateway)} is not on a network of this node, but behind {text(path.gateway)}"
            else:
                return gateway, index, ""
        return b"", 0, why

    def _stand(
        self,
        network: Cidr,
        way: Way,
        hop: tuple[int, bytes],
        standing: list[tuple[int, Path]],
        outcome: Outcome,
    ) -> None:
        """Have one route, through *hop*: interface index and gateway."""
        index, gateway = hop
        shown = f"{network} of node {way.node} by {text(gateway)} on {name(index)}"
        if [(at, path.gateway) for at, path in standing] == [hop]:
            outcome.routes[str(network)] = text(gateway)
            return
        self._remove(standing)
        try:
            self.socket.do(codec.new_route(index, Path(network, gateway), RTPROT_CNIWIRE, EXCL))
        except OSError as error:
            why = "somebody else's route is there, and stays" if error.errno == EEXIST else error.strerror
            outcome.wrong.append(f"no route to {shown}: {why}")
            return
        outcome.routes[str(network)] = text(gateway)
        outcome.done.append(f"{'changed' if standing else 'added'} the route to {shown}")

    def _remove(self, standing: list[tuple[int, Path]]) -> None:
        for index, path in standing:
            try:
                self.socket.do(codec.del_route(index, path, RTPROT_CNIWIRE))
            except OSError as error:
                if error.errno != ESRCH:  # it is gone already, with its link
                    raise

    def clear(self) -> list[str]:
        """Remove all that are ours; says which. Raises OSError, ValueError."""
        return self.make({}).done


def name(index: int) -> str:
    """The name of an interface, its number where it is just gone."""
    try:
        return if_indextoname(index)
    except OSError:
        return f"interface {index}"


def news() -> Any:
    """A socket that can be read when links, addresses or routes have changed. Raises OSError."""
    made = Socket(ROUTE).socket
    made.bind((0, 0))
    made.setsockopt(SOL_SOCKET, SO_RCVBUF, RECEIVE_BUFFER_BYTES)
    for group in GROUPS:
        made.setsockopt(SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, group)
    made.setblocking(False)
    return made
