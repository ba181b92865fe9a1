"""Published ports carry packets from everywhere they should, on a real kernel, with either backend."""

from itertools import product
from typing import Any

import pytest

from tests.harness.configs import mapping
from tests.harness.host import Host
from tests.harness.traffic import Reply, Server, ask
from tests.kernel.published import BACKENDS, PROTOCOLS, SUBNETS, published, unreachable


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_published_port_answers_from_everywhere(host: Host, protocol: str, backend: str) -> None:
    """P-35 P-36 P-38: outside, the host by its address and 127.0.0.1, the container itself; until DEL."""
    outside = host.outside()
    net, container, first = published(host, backend=backend), host.container(), host.container("c0")
    net.add(first, portMappings=[mapping(1)])
    before = host.state(container)
    net.add(container, portMappings=[mapping(8080, 80, protocol)])
    with Server(container, 80, protocol):
        for space, address, caller in (
            (outside, "192.0.2.1", "192.0.2.2"),
            (outside, "2001:db8:ff::1", "2001:db8:ff::2"),
            (host, "192.0.2.1", None),
            (host, "2001:db8:ff::1", None),
            (host, "10.1.0.1", None),
            (host, "127.0.0.1", "10.1.0.1"),
            (container, "192.0.2.1", "10.1.0.1"),
            (container, "10.1.0.1", "10.1.0.1"),
            (container, "2001:db8:ff::1", "fd01::1"),
        ):
            reply = ask(space, address, 8080, protocol)
            assert (space.name, address, *reply) == (space.name, address, "c1", caller or reply.caller)
        assert ask(host, "10.1.0.3", 80, protocol) == Reply("c1", "10.1.0.1")
        net.check(container, portMappings=[mapping(8080, 80, protocol)])
        net.delete(container, portMappings=[mapping(8080, 80, protocol)])
    assert unreachable(outside, "192.0.2.1", 8080, protocol)
    assert unreachable(host, "127.0.0.1", 8080, protocol)
    assert host.state(container) == before


@pytest.mark.parametrize(
    ("backend", "hairpin", "protocol", "bridge_nf"),
    [
        *product(("nftables",), (False, True), PROTOCOLS, (0, 1)),
        *product(("iptables",), (False,), ("tcp",), (0, 1)),
    ],
)
def test_neighbours_reach_a_published_port(
    host: Host, backend: str, hairpin: bool, protocol: str, bridge_nf: int
) -> None:
    """P-37: another container on the bridge, by any address of the host, whatever the port's hairpin flag."""
    host.outside()
    net = published(host, hairpin=hairpin, backend=backend)
    container, neighbour = host.container("c1"), host.container("c2")
    net.add(neighbour)
    net.add(container, portMappings=[mapping(8080, 80, protocol)])
    for name in ("iptables", "ip6tables"):
        host.sysctl(f"net/bridge/bridge-nf-call-{name}", bridge_nf)
    with Server(container, 80, protocol):
        for address in ("192.0.2.1", "10.1.0.1", "2001:db8:ff::1", "fd01::1"):
            assert (address, ask(neighbour, address, 8080, protocol).server) == (address, "c1")


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("bridge_nf", [0, 1])
def test_a_container_reaches_its_own_published_port(host: Host, bridge_nf: int, backend: str) -> None:
    """P-35: hairpin, with the port's flag on, for both values of bridge-nf."""
    host.outside()
    net, container = published(host, backend=backend), host.container()
    net.add(container, portMappings=[mapping(8080)])
    for name in ("iptables", "ip6tables"):
        host.sysctl(f"net/bridge/bridge-nf-call-{name}", bridge_nf)
    with Server(container, 80):
        for address in ("192.0.2.1", "2001:db8:ff::1"):
            assert (address, ask(container, address, 8080).server) == (address, "c1")


def test_udp_goes_to_the_new_container_at_once(host: Host) -> None:
    """P-36 P-49: same caller, same source port; the old one's connections are flushed on DEL and on ADD."""
    outside = host.outside()
    net, ports = published(host), [mapping(5353, 53, "udp")]
    old, new = host.container("old"), host.container("new")
    net.add(old, portMappings=ports)
    with Server(old, 53, "udp"):
        assert ask(outside, "192.0.2.1", 5353, "udp", source=("192.0.2.2", 40000)).server == "old"
    assert "dport=5353" in host.run("conntrack -L -p udp 2>/dev/null")
    net.delete(old, portMappings=ports)
    assert "dport=5353" not in host.run("conntrack -L -p udp 2>/dev/null")
    assert unreachable(outside, "192.0.2.1", 5353, "udp")
    net.add(new, portMappings=ports)
    with Server(new, 53, "udp"):
        assert ask(outside, "192.0.2.1", 5353, "udp", source=("192.0.2.2", 40000)).server == "new"


def test_udp_that_came_too_early_is_let_in(host: Host) -> None:
    """P-36: a connection to the host itself, known before ADD, does not shadow the mapping."""
    outside = host.outside()
    net, container = published(host), host.container()
    with Server(host, 5353, "udp"):
        assert ask(outside, "192.0.2.1", 5353, "udp", source=("192.0.2.2", 40000)).server == "host"
    net.add(container, portMappings=[mapping(5353, 53, "udp")])
    with Server(container, 53, "udp"):
        assert ask(outside, "192.0.2.1", 5353, "udp", source=("192.0.2.2", 40000)).server == "c1"


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_range_of_ports(host: Host, protocol: str) -> None:
    """P-35: "range": 10 publishes ten ports, each to its counterpart, and not the eleventh."""
    net, container = published(host), host.container()
    net.add(container, portMappings=[mapping(8000, 80, protocol, range=10)])
    for number in (0, 3, 9):
        with Server(container, 80 + number, protocol):
            assert ask(host, "127.0.0.1", 8000 + number, protocol).server == "c1"
    with Server(container, 90, protocol), Server(container, 79, protocol):
        assert unreachable(host, "127.0.0.1", 8010, protocol)
        assert unreachable(host, "127.0.0.1", 7999, protocol)


def test_tcp_and_udp_on_one_port(host: Host) -> None:
    """P-35 P-36: two mappings, two containers."""
    net, first, second = published(host), host.container("c1"), host.container("c2")
    net.add(first, portMappings=[mapping(53, 53, "tcp")])
    net.add(second, portMappings=[mapping(53, 53, "udp")])
    with Server(first, 53, "tcp"), Server(second, 53, "udp"):
        assert (ask(host, "127.0.0.1", 53, "tcp").server, ask(host, "127.0.0.1", 53, "udp").server) == (
            "c1",
            "c2",
        )


@pytest.mark.parametrize("family", ["v4", "v6"])
@pytest.mark.parametrize(
    ("keys", "masked"), [({}, False), ({"masqAll": True}, True), ({"masqAll": False}, False)]
)
def test_masq_all_hides_every_caller(host: Host, family: str, keys: dict[str, Any], masked: bool) -> None:
    """P-30 P-31 P-32 P-33: with it the container sees the gateway, without it the caller."""
    outside = host.outside()
    net, container = published(host, **keys), host.container()
    net.add(container, portMappings=[mapping(8080)])
    address, caller, gateway = {
        "v4": ("192.0.2.1", "192.0.2.2", "10.1.0.1"),
        "v6": ("2001:db8:ff::1", "2001:db8:ff::2", "fd01::1"),
    }[family]
    with Server(container, 80):
        assert ask(outside, address, 8080).caller == (gateway if masked else caller)


def test_without_snat_the_caller_is_never_changed(host: Host) -> None:
    """P-27 P-42: no masquerade: neither localhost nor the container itself is answered; no route_localnet."""
    outside = host.outside()
    net, container = published(host, snat=False), host.container()
    net.add(container, portMappings=[mapping(8080)])
    with Server(container, 80):
        assert ask(outside, "192.0.2.1", 8080).caller == "192.0.2.2"
        assert unreachable(host, "127.0.0.1", 8080)
    assert host.sysctl("net/ipv4/conf/br0/route_localnet") == "0"
    net.check(container, portMappings=[mapping(8080)])


@pytest.mark.parametrize(
    ("subnets", "expected"), [(SUBNETS, "1"), (("10.1.0.0/24",), "1"), (("fd01::/64",), "0")]
)
def test_route_localnet_is_for_ipv4_with_snat(host: Host, subnets: tuple[str, ...], expected: str) -> None:
    """P-42: on the bridge alone."""
    host.outside()
    net = published(host, subnets=subnets)
    net.add(host.container(), portMappings=[mapping(8080)])
    assert host.sysctl("net/ipv4/conf/br0/route_localnet") == expected
    assert (
        host.sysctl("net/ipv4/conf/all/route_localnet"),
        host.sysctl("net/ipv4/conf/uplink/route_localnet"),
    ) == ("0", "0")


def test_a_port_elsewhere_is_not_ours(host: Host) -> None:
    """P-46: what is forwarded to another machine keeps its destination, though the port is published here."""
    outside = host.outside()
    net, container, other = published(host), host.container("c1"), host.container("c2")
    net.add(container, portMappings=[mapping(8080)])
    net.add(other)
    with Server(container, 80), Server(outside, 8080):
        assert ask(other, "192.0.2.2", 8080).server == "outside"
        assert ask(other, "192.0.2.1", 8080).server == "c1"
        assert ask(host, "192.0.2.2", 8080).server == "outside"
