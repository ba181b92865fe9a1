"""The chain bridge + host-local + portmap on a node, verb by verb."""

from typing import NamedTuple

from tests.bench.node import Attachment, Json, Node, Sample

SUBNETS = {"IPv4": ("10.60.0.0/16",), "dual stack": ("10.60.0.0/16", "fd60::/64")}
FIRST_PORT = 20_000


def loopback(_node: Node) -> Json:
    """loopback, which has no keys."""
    return {"type": "loopback"}


def host_local(node: Node, families: str = "IPv4") -> Json:
    """host-local by itself, as a plugin of its own."""
    ranges = [[{"subnet": subnet}] for subnet in SUBNETS[families]]
    routes = [{"dst": "::/0" if ":" in subnet else "0.0.0.0/0"} for subnet in SUBNETS[families]]
    return {
        "type": "host-local",
        "ipam": {"type": "host-local", "dataDir": str(node.data), "ranges": ranges, "routes": routes},
    }


class Chain(NamedTuple):
    """A configuration list.

    families: key of SUBNETS. ports: TCP ports published for each container. iptables: ours has its iptables
    backends, as the peer always has.
    """

    families: str = "IPv4"
    masquerade: bool = True
    ports: int = 1
    iptables: bool = False

    def __str__(self) -> str:
        masquerade, plural = ", ipMasq" if self.masquerade else "", "s" if self.ports > 1 else ""
        backend = ", iptables" if self.iptables else ""
        return f"chain {self.families}{masquerade}{backend}, {self.ports} port{plural}"

    def bridge(self, node: Node) -> Json:
        """bridge with host-local, as most people write it."""
        keys = node.suite.bridge_keys if self.masquerade else {}
        ipam = host_local(node, self.families)["ipam"]
        return {
            "type": "bridge",
            "bridge": "bench0",
            "isGateway": True,
            "ipMasq": self.masquerade,
            "ipam": ipam,
            **({"ipMasqBackend": "iptables"} if self.iptables else {}),
            **keys,
        }

    def portmap(self, node: Node, slot: int = 0) -> Json:
        """portmap with the ports of the container in *slot*: no two slots share one."""
        first = FIRST_PORT + slot * self.ports
        mappings = [
            {"hostPort": first + n, "containerPort": 80 + n, "protocol": "tcp"} for n in range(self.ports)
        ]
        backend = {"backend": "iptables"} if self.iptables else {}
        keys = {**backend, **node.suite.portmap_keys}
        return {"type": "portmap", "runtimeConfig": {"portMappings": mappings}, **keys}


class Costs(NamedTuple):
    """What each plugin of a chain took."""

    bridge: Sample
    portmap: Sample

    @property
    def both(self) -> Sample:
        return self.bridge + self.portmap


def add(node: Node, chain: Chain, attachment: Attachment, slot: int = 0) -> tuple[Costs, Json]:
    bridge, result = node.call("ADD", chain.bridge(node), attachment)
    portmap, result = node.call("ADD", chain.portmap(node, slot), attachment, result)
    return Costs(bridge, portmap), result


def delete(node: Node, chain: Chain, attachment: Attachment, result: Json, slot: int = 0) -> Costs:
    portmap, _ = node.call("DEL", chain.portmap(node, slot), attachment, result)
    bridge, _ = node.call("DEL", chain.bridge(node), attachment, result)
    return Costs(bridge, portmap)


def check_bridge(node: Node, chain: Chain, attachment: Attachment, result: Json) -> Sample:
    return node.call("CHECK", chain.bridge(node), attachment, result)[0]


def check_portmap(node: Node, chain: Chain, attachment: Attachment, result: Json, slot: int = 0) -> Sample:
    return node.call("CHECK", chain.portmap(node, slot), attachment, result)[0]
