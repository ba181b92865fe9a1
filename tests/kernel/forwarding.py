"""Hosts whose own packet filter drops what is forwarded, and who reaches whom there."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.harness.configs import PORTMAP, bridge, mapping
from tests.harness.host import Host
from tests.harness.namespace import Namespace
from tests.harness.network import Network
from tests.harness.traffic import Server, ask, ping

GO = Path("/usr/lib/cni")
needs_go = pytest.mark.skipif(
    not (GO / "firewall").exists(),
    reason=f"no Go plugins in {GO}: apt-get install containernetworking-plugins",
)
SUBNETS = ("10.1.0.0/24", "fd01::/64")
CONTAINER = ("10.1.0.2", "fd01::2")
LAN = ("192.0.2.2", "2001:db8:ff::2")
HOST = ("192.0.2.1", "2001:db8:ff::1")
FIREWALL = {"type": "firewall"}
CHAIN = "type filter hook forward priority 0;"
IPTABLES = "{0} -P FORWARD DROP"  # as ufw has it, too
DOCKER = (
    "{0} -P FORWARD DROP; {0} -N DOCKER-USER; {0} -A FORWARD -j DOCKER-USER; {0} -A DOCKER-USER -j RETURN"
)
REDHAT = "{0} -A FORWARD -j REJECT"
BOTH = ("iptables-nft", "ip6tables-nft")
# Who drops, as commands of the host's administrator.
BARRIERS: Mapping[str, str] = {
    "iptables policy": "; ".join(IPTABLES.format(each) for each in BOTH),
    "docker": "; ".join(DOCKER.format(each) for each in BOTH),
    "iptables reject": "; ".join(REDHAT.format(each) for each in BOTH),
    "nft policy": f"nft 'table inet filter {{ chain forward {{ {CHAIN} policy drop; }}; }}'",
    "nft rule": f"nft 'table inet filter {{ chain forward {{ {CHAIN}"
    " ct state invalid drop; counter reject; }; }'",
    "nft ip and ip6": f"nft 'table ip a {{ chain f {{ {CHAIN} policy drop; }}; }};"
    f" table ip6 b {{ chain f {{ {CHAIN} drop; }}; }}'",
    "nft late": "nft 'table inet late { chain f { type filter hook forward priority 200; policy drop; }; }'",
    "all of them": "; ".join(DOCKER.format(each) for each in BOTH)
    + f"; nft 'table inet filter {{ chain forward {{ {CHAIN} policy drop; }}; }}'",
}


def chain(
    host: Host,
    *more: Mapping[str, Any],
    name: str = "net",
    link: str = "br0",
    net: int = 1,
    ranges: list[Any] | None = None,
    **keys: Any,
) -> Network:
    """Return the usual chain with firewall and *more* behind it; *keys* are firewall's.

    net: a number that is in the subnets; ranges: those of host-local, where they are not the whole of them.
    """
    switch = bridge(host.data, f"10.{net}.0.0/24", f"fd0{net}::/64", ipMasq=True, bridge=link)
    if ranges:
        switch["ipam"]["ranges"] = ranges
    return host.network(switch, PORTMAP, {**FIREWALL, **keys}, *more, name=name)


def without(net: Network, kind: str = "firewall") -> Network:
    """The same network without one plugin of its list."""
    plugins = [each for each in net.plugins if each["type"] != kind]
    return net.host.network(*plugins, name=net.name, version=net.version)


def neighbourhood(host: Host) -> Namespace:
    """A machine behind a cable that knows the way to the containers' own addresses."""
    lan = host.outside()
    for subnet, via in zip(SUBNETS, HOST, strict=True):
        lan.run(f"ip route add {subnet} via {via}")
    return lan


def reaches(space: Namespace, address: str, timeout_s: float = 2) -> bool:
    return ping(space, address, timeout_s) is not None


def answers(space: Namespace, address: str, port: int) -> bool:
    """Whether somebody answers at a TCP port."""
    try:
        return bool(ask(space, address, port, timeout_s=0.2))
    except OSError:
        return False


def out_and_in(container: Namespace, lan: Namespace) -> list[bool]:
    """Whether, in each family, the container reaches the LAN, and the LAN the container's published port."""
    with Server(container, 80):
        return [
            outcome
            for there, here in zip(LAN, HOST, strict=True)
            for outcome in (reaches(container, there, 0.25), answers(lan, here, 8080))
        ]


def elements(host: Host, name: str, family: str = "inet") -> dict[str, str]:
    """The elements of a set or map of ours, with their comments, as nft tells them."""
    listed = json.loads(host.run("nft --json list ruleset"))["nftables"]
    sets = [item for each in listed for kind, item in each.items() if kind in ("set", "map")]
    found = [item for item in sets if (item["family"], item["name"]) == (family, name)]
    return {
        key["elem"]["val"]: key["elem"]["comment"]
        for item in found
        for member in item.get("elem", [])
        for key in (member if isinstance(member, list) else [member])[:1]
    }


PORT = [mapping(8080)]
