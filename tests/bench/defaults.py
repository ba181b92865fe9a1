"""The whole default networks of Podman and of Kubernetes, plugin by plugin, as their runtimes call them."""

from tests.bench.chain import Chain, loopback
from tests.bench.node import Attachment, Json, Node, Sample

MBIT = 1_000_000
POD_ONLY = "cni-loopback"  # the network that containerd adds to every pod


def firewall(_node: Node) -> Json:
    return {"type": "firewall"}


def tuning(node: Node) -> Json:
    """tuning without keys, as Podman lists it for whoever asks for a MAC."""
    return {"type": "tuning", "dataDir": str(node.folder / "tuning")}


def bandwidth(_node: Node) -> Json:
    """bandwidth with what kubelet makes of a pod's two annotations."""
    limits = {"ingressRate": 16 * MBIT, "ingressBurst": 16 * MBIT}
    limits |= {"egressRate": 16 * MBIT, "egressBurst": 16 * MBIT}
    return {"type": "bandwidth", "runtimeConfig": {"bandwidth": limits}}


def podman(node: Node) -> list[Json]:
    """What `podman run -p` goes through: 87-podman.conflist."""
    chain = Chain()
    return [{**chain.bridge(node), "hairpinMode": True}, chain.portmap(node), firewall(node), tuning(node)]


def kubernetes(node: Node) -> list[Json]:
    """What a pod with a host port and limits goes through under containerd."""
    chain = Chain()
    return [
        {**loopback(node), "name": POD_ONLY},
        {**chain.bridge(node), "hairpinMode": True},
        chain.portmap(node),
        bandwidth(node),
    ]


NETWORKS = {
    "Podman's default network": podman,
    "Kubernetes, a pod with limits": kubernetes,
}


def add(node: Node, plugins: list[Json], attachment: Attachment) -> tuple[dict[str, Sample], list[Json]]:
    """What each plugin took, and the result that each has to be deleted with."""
    costs, results, previous = {}, [], None
    for each in plugins:
        alone = "name" in each
        sample, result = node.call("ADD", each, _of(each, attachment), None if alone else previous)
        costs[each["type"]] = sample
        results.append(result)
        previous = None if alone else result
    last = results[-1]
    return costs, [result if "name" in each else last for each, result in zip(plugins, results, strict=True)]


def delete(node: Node, plugins: list[Json], attachment: Attachment, results: list[Json]) -> dict[str, Sample]:
    """The same for DEL, the last plugin first."""
    return {
        each["type"]: node.call("DEL", each, _of(each, attachment), result)[0]
        for each, result in reversed(list(zip(plugins, results, strict=True)))
    }


def _of(plugin: Json, attachment: Attachment) -> Attachment:
    """The attachment for one plugin: loopback has an interface of its own name."""
    return attachment._replace(ifname="lo") if plugin["type"] == "loopback" else attachment
