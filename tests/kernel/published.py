"""Published ports in a fake host, and whether anybody answers at one."""

from tests.harness.configs import PORTMAP, bridge
from tests.harness.host import Host
from tests.harness.namespace import Namespace
from tests.harness.network import Network
from tests.harness.traffic import ask

SUBNETS = ("10.1.0.0/24", "fd01::/64")
PROTOCOLS = ("tcp", "udp")
BACKENDS = ("nftables", "iptables")


def published(
    host: Host, *, subnets: tuple[str, ...] = SUBNETS, name: str = "net", hairpin: bool = True, **keys: object
) -> Network:
    """Return the usual chain: bridge, host-local, portmap with *keys*; their backends are the same."""
    switch = bridge(host.data, *subnets, hairpinMode=hairpin, ipMasq=True)
    if keys.get("backend"):
        switch["ipMasqBackend"] = keys["backend"]
    return host.network(switch, {**PORTMAP, **keys}, name=name)


def unreachable(space: Namespace, address: str, port: int, protocol: str = "tcp") -> bool:
    """Tell that nobody answers."""
    try:
        ask(space, address, port, protocol, timeout_s=0.4)
    except OSError:
        return True
    return False
