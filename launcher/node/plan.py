"""Which routes the nodes of a cluster call for, and which they cannot have.

Law: all nodes come to the same answer about two that claim one network, as they look at the same Nodes.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from core import address
from core.address import Cidr, text
from launcher.node.nodes import Node

FAMILIES = {4: "IPv4", 16: "IPv6"}  # by bytes of an address


@dataclass(frozen=True)
class Way:
    """To the pods of a node: the addresses of its family by one of which they may be reached, packed."""

    node: str
    gateways: tuple[bytes, ...]


def ways(own: Node, nodes: Mapping[str, Node]) -> tuple[dict[Cidr, Way], list[str]]:
    """The way to each network of the other nodes; and what is wrong, a line for each.

    Of two nodes whose networks overlap, this one comes first, then the older one.
    """
    found: dict[Cidr, Way] = {}
    wrong: list[str] = []
    others = [node for node in nodes.values() if node.name != own.name]
    taken = [(own, network) for network in own.networks]
    for node in sorted(others, key=lambda each: (each.created, each.name)):
        for network in node.networks:
            why = _obstacle(node, network, taken, nodes)
            if why:
                wrong.append(f"no route to {network} of node {node.name}: {why}")
                continue
            taken.append((node, network))
            same = [each for each in node.addresses if len(each) == len(network.address)]
            found[network] = Way(node.name, tuple(same))
    return found, wrong


def _obstacle(
    node: Node, network: Cidr, taken: list[tuple[Node, Cidr]], nodes: Mapping[str, Node]
) -> str | None:
    for holder, other in taken:
        if address.overlap(network, other):
            whose = f"{other} is" if other == network else f"it overlaps {other}, which is"
            return f"{whose} node {holder.name}'s"
    for each in nodes.values():
        for packed in each.addresses:
            if address.contains(network, packed):
                return f"it contains {text(packed)}, the address of node {each.name}"
    if not any(len(each) == len(network.address) for each in node.addresses):
        return f"the node has no {FAMILIES[len(network.address)]} InternalIP"
    return None
