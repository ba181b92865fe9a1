"""portmap on a real kernel, nftables backend: published ports carry packets from everywhere they should, and from nowhere else."""

from typing import Any

import pytest

from tests.harness.configs import PORTMAP, bridge, mapping
from tests.harness.host import Host
from tests.harness.namespace import Namespace
from tests.harness.network import Network
from tests.harness.plugin import PluginError
from tests.harness.traffic import Reply, Server, ask

SUBNETS = ("10.1.0.0/24", "fd01::/64")
PROTOCOLS = ("tcp", "udp")


def published(
    host: Host, *, subnets: tuple[str, ...] = SUBNETS, name: str = "net", hairpin: bool = True, **keys: object
) -> Network:
    """Return the usual chain: bridge, host-local, portmap with *keys*."""
    return host.network(
        bridge(host.data, *subnets, hairpinMode=hairpin, ipMasq=True), {**PORTMAP, **keys}, name=name
    )


def unreachable(space: Namespace, address: str, port: int, protocol: str = "tcp") -> bool:
    """Tell that nobody answers."""
    try:
        ask(space, address, port, protocol, timeout_s=0.4)
    except OSError:
        return True
    return False


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_published_port_answers_from_everywhere(host: Host, protocol: str) -> None:
    """P-35 P-36 P-38: outside, the host by its address and by 127.0.0.1, the container itself; gone after DEL."""
    outside = host.outside()
    net, container, first = published(host), host.container(), host.container("c0")
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


@pytest.mark.parametrize("bridge_nf", [0, 1])
@pytest.mark.parametrize("hairpin", [False, True])
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_neighbours_reach_a_published_port(host: Host, bridge_nf: int, hairpin: bool, protocol: str) -> None:
    """P-37: another container on the same bridge, by any address of the host, whatever the port's hairpin flag."""
    host.outside()
    net, container, neighbour = published(host, hairpin=hairpin), host.container("c1"), host.container("c2")
    net.add(neighbour)
    net.add(container, portMappings=[mapping(8080, 80, protocol)])
    for name in ("iptables", "ip6tables"):
        host.sysctl(f"net/bridge/bridge-nf-call-{name}", bridge_nf)
    with Server(container, 80, protocol):
        for address in ("192.0.2.1", "10.1.0.1", "2001:db8:ff::1", "fd01::1"):
            assert (address, ask(neighbour, address, 8080, protocol).server) == (address, "c1")


@pytest.mark.parametrize("bridge_nf", [0, 1])
def test_a_container_reaches_its_own_published_port(host: Host, bridge_nf: int) -> None:
    """P-35: hairpin, with the port's flag on, for both values of bridge-nf."""
    host.outside()
    net, container = published(host), host.container()
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


@pytest.mark.parametrize(
    ("host_ip", "reached"),
    [
        ("192.0.2.1", ["192.0.2.1"]),
        ("198.51.100.1", ["198.51.100.1"]),
        ("2001:db8:ff::1", ["2001:db8:ff::1"]),
        ("127.0.0.1", ["127.0.0.1"]),
        ("0.0.0.0", ["192.0.2.1", "198.51.100.1", "127.0.0.1"]),
        ("::", ["2001:db8:ff::1"]),
        ("", ["192.0.2.1", "198.51.100.1", "127.0.0.1", "2001:db8:ff::1"]),
    ],
)
def test_host_ip_restricts(host: Host, host_ip: str, reached: list[str]) -> None:
    """P-39: to one address, to one family, or not at all."""
    host.outside()
    host.run("ip address add 198.51.100.1/24 dev uplink")
    net, container = published(host), host.container()
    net.add(container, portMappings=[mapping(8080, hostIP=host_ip)])
    with Server(container, 80):
        addresses = ["192.0.2.1", "198.51.100.1", "127.0.0.1", "2001:db8:ff::1"]
        assert [address for address in addresses if not unreachable(host, address, 8080)] == reached


def test_the_same_port_on_two_host_addresses(host: Host) -> None:
    """P-39: each leads to its own container."""
    host.outside()
    host.run("ip address add 198.51.100.1/24 dev uplink")
    net, containers = published(host), (host.container("c1"), host.container("c2"))
    for container, address in zip(containers, ("192.0.2.1", "198.51.100.1")):
        net.add(container, portMappings=[mapping(8080, hostIP=address)])
    with Server(containers[0], 80), Server(containers[1], 80):
        assert (ask(host, "192.0.2.1", 8080).server, ask(host, "198.51.100.1", 8080).server) == ("c1", "c2")


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
    """P-27 P-42: no masquerade, so neither localhost nor the container itself gets an answer; no route_localnet."""
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


@pytest.mark.parametrize(
    ("keys", "allowed", "refused"),
    [
        ({"conditionsV4": ["ip", "saddr", "192.0.2.2"]}, "192.0.2.2", "192.0.2.3"),
        ({"conditionsV4": ["ip", "saddr", "!=", "192.0.2.3"]}, "192.0.2.2", "192.0.2.3"),
        ({"conditionsV4": ["ip", "saddr", "192.0.2.2/32"], "backend": "nftables"}, "192.0.2.2", "192.0.2.3"),
        ({"conditionsV4": ["ip", "saddr", "{ 192.0.2.2,", "10.0.0.0/8 }"]}, "192.0.2.2", "192.0.2.3"),
        ({"conditionsV4": ["ip saddr != { 192.0.2.3, 10.0.0.0/8 }"]}, "192.0.2.2", "192.0.2.3"),
        ({"conditionsV4": ["-s", "192.0.2.2,10.0.0.0/8"]}, "192.0.2.2", "192.0.2.3"),
        (
            {"conditionsV4": ["!", "-s", "192.0.2.3/32"], "externalSetMarkChain": "KUBE-MARK-MASQ"},
            "192.0.2.2",
            "192.0.2.3",
        ),
    ],
    ids=str,
)
def test_conditions_are_those_of_one_container(
    host: Host, keys: dict[str, Any], allowed: str, refused: str
) -> None:
    """P-7: only callers that meet them get in; a container without conditions is open to all."""
    outside = host.outside()
    outside.run("ip address add 192.0.2.3/24 dev eth0")
    bound, free = host.container("c1"), host.container("c2")
    published(host, **keys).add(bound, portMappings=[mapping(8080)])
    published(host).add(free, portMappings=[mapping(8081)])
    with Server(bound, 80), Server(free, 80):
        assert ask(outside, "192.0.2.1", 8080, source=(allowed, 0)).server == "c1"
        assert ask(outside, "192.0.2.1", 8081, source=(refused, 0)).server == "c2"
        with pytest.raises(OSError, match=r"refused|timed out"):
            ask(outside, "192.0.2.1", 8080, source=(refused, 0), timeout_s=0.5)


def test_a_port_that_is_taken_is_refused_by_the_owners_name(host: Host) -> None:
    """P-47: nothing is changed, and the first keeps it."""
    net, first, second = published(host), host.container("c1"), host.container("c2")
    net.add(first, portMappings=[mapping(8080)])
    bridged = host.network(*net.plugins[:1])
    result = bridged.add(second)
    before = host.state(second)
    config = {
        **net.derived(net.plugins[1], result),
        "runtimeConfig": {"portMappings": [mapping(8079), mapping(8080)]},
    }
    with pytest.raises(PluginError) as refused:
        net.call("ADD", config, second, "eth0")
    text = refused.value.msg + refused.value.details
    assert [word for word in ("8080", "net/c1/eth0") if word not in text] == []
    assert host.state(second) == before
    with Server(first, 80):
        assert ask(host, "127.0.0.1", 8080).server == "c1"


@pytest.mark.parametrize(
    ("taken", "wanted", "clash"),
    [
        (mapping(8000, range=10), mapping(8009), True),
        (mapping(8000, range=10), mapping(8010), False),
        (mapping(8009), mapping(8000, range=10), True),
        (mapping(8000, range=10), mapping(8005, range=10), True),
        (mapping(8000, range=10), mapping(8009, 80, "udp"), False),
        (mapping(8080), mapping(8080, hostIP="127.0.0.1"), True),
        (mapping(8080, hostIP="127.0.0.1"), mapping(8080), True),
        (mapping(8080, hostIP="127.0.0.1"), mapping(8080, hostIP="127.0.0.2"), False),
        (mapping(8080, hostIP="::"), mapping(8080, hostIP="0.0.0.0"), False),
    ],
    ids=str,
)
def test_ranges_and_wildcards_clash_with_what_they_cover(
    host: Host, taken: dict[str, Any], wanted: dict[str, Any], clash: bool
) -> None:
    """P-47: overlapping ranges, and a wildcard beside a single address."""
    net, first, second = published(host), host.container("c1"), host.container("c2")
    net.add(first, portMappings=[taken])
    if clash:
        with pytest.raises(PluginError, match="net/c1/eth0"):
            net.add(second, portMappings=[wanted])
    else:
        net.add(second, portMappings=[wanted])


def test_a_port_of_a_container_that_is_gone_is_taken_over(host: Host) -> None:
    """P-47: its owner was never deleted, but its host veth no longer exists."""
    net, gone, new = published(host), host.container("gone"), host.container("new")
    net.add(gone, portMappings=[mapping(8080)])
    host.run(f"ip link delete {host.veth('net/gone/eth0')}")
    net.add(new, portMappings=[mapping(8080)])
    with Server(new, 80):
        assert ask(host, "127.0.0.1", 8080).server == "new"
    net.delete("gone", portMappings=[mapping(8080)])
    with Server(new, 80):
        assert ask(host, "127.0.0.1", 8080).server == "new"
    net.check(new, portMappings=[mapping(8080)])
