"""The configuration of a usual network: of the built-in `demo`, those that `network create` writes, pods.

Pure.
"""

import ipaddress
from collections.abc import Sequence
from typing import Any

Subnet = ipaddress.IPv4Network | ipaddress.IPv6Network


def document(name: str, bridge: str, subnets: Sequence[str], internal: bool = False) -> dict[str, Any]:
    """A configuration list. internal: containers reach each other and the host, and nothing else."""
    ranges = [[{"subnet": subnet}] for subnet in subnets]
    everywhere = [{"dst": "::/0" if ":" in subnet else "0.0.0.0/0"} for subnet in subnets]
    plugin = {
        "type": "bridge",
        "bridge": bridge,
        "isGateway": True,
        **({} if internal else {"ipMasq": True, "ipMasqBackend": "nftables"}),
        "hairpinMode": True,
        "ipam": {"type": "host-local", "ranges": ranges, **({} if internal else {"routes": everywhere})},
    }
    publishing = {"type": "portmap", "backend": "nftables", "capabilities": {"portMappings": True}}
    return {"cniVersion": "1.1.0", "name": name, "plugins": [plugin, publishing]}


def pods(subnets: Sequence[str]) -> dict[str, Any]:
    """The network of a Kubernetes node's pods: addresses of its podCIDRs, ports, limited bandwidth.

    cniVersion: the newest that containerd 1.6 knows.
    """
    found = document("pod-cidr", "cni0", subnets)
    bandwidth = {"type": "bandwidth", "capabilities": {"bandwidth": True}}
    return {**found, "cniVersion": "1.0.0", "plugins": [*found["plugins"], bandwidth]}


DEMO = document("demo", "demo0", ("10.77.0.0/24", "fd00:77::/64"))
NUMBERS = range(78, 256)  # of the subnets to choose from: 10.78.0.0/24 and fd00:78::/64 and so on


def free_subnets(taken: Sequence[Subnet]) -> tuple[str, ...]:
    """The first pair of an IPv4 and an IPv6 subnet that overlaps none of *taken*; () without one."""
    for number in NUMBERS:
        pair = ipaddress.IPv4Network(f"10.{number}.0.0/24"), ipaddress.IPv6Network(f"fd00:{number}::/64")
        if not any(one.version == other.version and one.overlaps(other) for one in pair for other in taken):
            return tuple(map(str, pair))
    return ()


def subnets_of(plugins: Sequence[Any]) -> list[str]:
    """The subnets in the ipam sections of plugin configurations, as written, without malformed ones."""
    found: list[Any] = []
    for ipam in [plugin.get("ipam") for plugin in plugins if isinstance(plugin, dict)]:
        if isinstance(ipam, dict):
            sets = ipam["ranges"] if isinstance(ipam.get("ranges"), list) else []
            members = [each for one in sets if isinstance(one, list) for each in one]
            found += [each.get("subnet") for each in [ipam, *members] if isinstance(each, dict)]
    return [subnet for subnet in found if isinstance(subnet, str)]
