"""Ports published on 127.0.0.1 are reached from the host itself and from nowhere else.

And where the host cannot reach the container from there, the mapping works without.
"""

import time
from typing import Any

import pytest

from tests.harness.configs import PORTMAP, bridge, mapping
from tests.harness.host import Container, Host
from tests.harness.namespace import Namespace
from tests.harness.network import Network
from tests.harness.plugin import Answer
from tests.harness.traffic import Server, ask

ADDRESS = "10.9.0.2"


def unreachable(space: Namespace, address: str, port: int) -> bool:
    """Tell that nobody answers."""
    try:
        ask(space, address, port, timeout_s=0.4)
    except OSError:
        return True
    return False


def send_loopback_to(space: Namespace, gateway: str) -> None:
    """As an attacker does: what the machine sends to 127.0.0.0/8 leaves by its cable."""
    for name in ("all", "eth0"):
        space.sysctl(f"net/ipv4/conf/{name}/route_localnet", 1)
    for route in ("local 127.0.0.0/8 dev lo", "local 127.0.0.1 dev lo"):
        space.run(f"ip route delete table local {route}")
    space.run(f"ip route add 127.0.0.1 via {gateway} dev eth0")


@pytest.mark.parametrize(
    ("host_ip", "keys"), [("127.0.0.1", {}), ("", {}), ("", {"backend": "iptables"})], ids=str
)
def test_only_the_host_reaches_its_127_0_0_1(host: Host, host_ip: str, keys: dict[str, str]) -> None:
    """CVE-2020-8558: neither a machine of the LAN nor a neighbour reaches the port there.

    Nor do they reach a service of the host itself.
    """
    outside, container, neighbour = host.outside(), host.container("c1"), host.container("c2")
    switch = bridge(host.data, "10.1.0.0/24", hairpinMode=True, ipMasq=not keys)
    net = host.network(switch, {**PORTMAP, **keys})
    net.add(neighbour)
    net.add(container, portMappings=[mapping(8080, hostIP=host_ip)])
    assert host.sysctl("net/ipv4/conf/br0/route_localnet") == "1"
    send_loopback_to(outside, "192.0.2.1")
    send_loopback_to(neighbour, "10.1.0.1")
    with Server(container, 80), Server(host, 9999):
        assert ask(host, "127.0.0.1", 8080).server == "c1"
        assert ask(host, "127.0.0.1", 9999).server == "host"
        for space in (outside, neighbour):
            assert [port for port in (8080, 9999) if not unreachable(space, "127.0.0.1", port)] == []


WATCH = """table ip watch {
    chain before { type filter hook prerouting priority -310; iif != lo ip daddr 127.0.0.0/8 counter; }
    chain behind { type filter hook prerouting priority -290; iif != lo ip daddr 127.0.0.0/8 counter; }
}"""


def seen(host: Host) -> list[bool]:
    """Whether packets to 127.0.0.0/8 have come in, and whether they came by the chain that drops them."""
    rules = [
        item["rule"] for item in host.run_json("nft --json list table ip watch")["nftables"] if "rule" in item
    ]
    return [
        bool(expression["counter"]["packets"])
        for rule in rules
        for expression in rule["expr"]
        if "counter" in expression
    ]


def test_it_is_our_chain_that_drops_them(host: Host) -> None:
    """Control of the test before: the attackers' packets come in.

    None passes the chain, and without its rule all do.
    """
    outside, container, neighbour = host.outside(), host.container("c1"), host.container("c2")
    net = host.network(bridge(host.data, "10.1.0.0/24"), PORTMAP)
    net.add(neighbour)
    net.add(container, portMappings=[mapping(8080)])
    for space, gateway in ((outside, "192.0.2.1"), (neighbour, "10.1.0.1")):
        send_loopback_to(space, gateway)
        for edit, expected in (("", [True, False]), ("flush chain inet cniwire loopback", [True, True])):
            host.run(f"nft '{edit}'; nft -f -", stdin=WATCH)
            unreachable(space, "127.0.0.1", 8080)
            assert (gateway, seen(host)) == (gateway, expected)
            host.run("nft delete table ip watch")
        net.delete(container)
        net.add(container, portMappings=[mapping(8080)])  # which mends the chain


def test_with_iptables_it_is_a_rule_that_drops_them(host: Host) -> None:
    """The same control: the rule has counted the attackers' packets, and the port has seen none."""
    outside, container, neighbour = host.outside(), host.container("c1"), host.container("c2")
    net = host.network(bridge(host.data, "10.1.0.0/24"), {**PORTMAP, "backend": "iptables"})
    net.add(neighbour)
    net.add(container, portMappings=[mapping(8080)])
    for space, gateway in ((outside, "192.0.2.1"), (neighbour, "10.1.0.1")):
        send_loopback_to(space, gateway)
        host.run("iptables -t raw -Z && iptables -t nat -Z")
        unreachable(space, "127.0.0.1", 8080)
        counted = [
            host.run(f"iptables -t {table} -v -S {chain} | sed -n 's/.*-A.* -c \\([0-9]*\\) .*/\\1/p'")
            for table, chain in (("raw", "PREROUTING"), ("nat", "CNI-HOSTPORT-DNAT"))
        ]
        assert (gateway, counted[0] != "0", counted[1]) == (gateway, True, "0")


def test_a_connection_to_the_host_s_loopback6_is_refused_at_once(host: Host) -> None:
    """Whoever asks for localhost falls back to 127.0.0.1, and hostIP ::1 does not stop a container."""
    container = host.container()
    net = host.network(bridge(host.data, "10.1.0.0/24", "fd01::/64", ipMasq=True), PORTMAP)
    result = host.network(net.plugins[0]).add(container)
    config = net.derived(PORTMAP, result, {"portMappings": [mapping(8080), mapping(8081, hostIP="::1")]})
    answer = host.call("ADD", config, container)
    assert (answer.exit_code, "::1" in answer.stderr, len(answer.stderr.splitlines())) == (0, True, 1)
    assert host.call("CHECK", config, container).exit_code == 0
    with Server(container, 80):
        for port in (8080, 8081):
            began = time.monotonic()
            with pytest.raises(ConnectionRefusedError):
                ask(host, "::1", port)
            assert time.monotonic() - began < 0.5
        assert ask(host, "127.0.0.1", 8080).server == "c1"
        assert ask(host, "fd01::1", 8080).server == "c1"


def test_only_the_mappings_of_loopback6_is_nothing_to_do(host: Host) -> None:
    container = host.container()
    net = host.network(PORTMAP)
    result = {"cniVersion": "1.1.0", "interfaces": [], "ips": [{"address": "fd01::2/64"}]}
    config = net.derived(PORTMAP, result, {"portMappings": [mapping(8080, hostIP="::1")]})
    assert [host.call(command, config, container).exit_code for command in ("ADD", "CHECK", "DEL")] == [
        0,
        0,
        0,
    ]


def chained(
    host: Host, container: Container, command: str = "ADD", **previous: Any
) -> tuple[Network, Answer]:
    """Call portmap behind a plugin that gave *container* ADDRESS and said *previous*."""
    net = host.network(PORTMAP)
    ips = [{"address": f"{ADDRESS}/24", "interface": 0}]
    result = {
        "cniVersion": "1.1.0",
        "interfaces": [{"name": "eth0", "sandbox": str(container.path)}],
        "ips": ips,
        **previous,
    }
    return net, host.call(command, net.derived(PORTMAP, result, {"portMappings": [mapping(8080)]}), container)


@pytest.mark.parametrize(
    "route", ["", "blackhole", "unreachable", "prohibit", "throw", "link", "gateway", "lo"]
)
def test_without_a_way_of_its_own_the_mapping_works_without_loopback(host: Host, route: str) -> None:
    """No route, or one to a gateway or to an interface that is not the attachment's.

    ADD says so, CHECK does not mind.
    """
    container = host.container()
    host.run("ip link add cable up type bridge && ip address add 192.0.2.1/24 dev cable")
    ways = {
        "link": "10.9.0.0/24 dev cable",
        "gateway": "10.9.0.0/24 via 192.0.2.9",
        "lo": "local 10.9.0.2/32 dev lo",
        "": "",
    }
    way = ways.get(route, f"{route} 10.9.0.0/24")
    if way:
        host.run(f"ip route add {way}")
    _, answer = chained(host, container)
    assert answer.exit_code == 0, answer
    assert len(answer.stderr.splitlines()) == 1
    assert f"{ADDRESS} cannot be reached from 127.0.0.1" in answer.stderr
    assert host.run("nft list ruleset").count("net/c1/eth0") == 3
    assert [
        host.sysctl(f"net/ipv4/conf/{name}/route_localnet") for name in ("all", "default", "cable", "lo")
    ] == ["0"] * 4
    _, answer = chained(host, container, "CHECK")
    assert (answer.exit_code, answer.stderr) == (0, "")


def test_a_result_that_names_no_interfaces_leaves_bridges_to_be_its_own(host: Host) -> None:
    """Before 0.3.0. The other way round, a bridge that a result does not name beside others is not."""
    container = host.container()
    host.run("ip link add br0 up type bridge && ip address add 10.9.0.1/24 dev br0")
    cases: list[tuple[dict[str, Any], str]] = [({}, "0"), ({"interfaces": []}, "1")]
    for previous, expected in cases:
        assert chained(host, container, "ADD", **previous)[1].exit_code == 0
        assert host.sysctl("net/ipv4/conf/br0/route_localnet") == expected


@pytest.mark.parametrize("previous", [{}, {"interfaces": [{"name": "eth0"}]}, {"interfaces": []}])
def test_a_veth_is_the_attachment_s_own_whoever_names_it(host: Host, previous: dict[str, Any]) -> None:
    """As behind Calico or Cilium: a route to the host's end, which no prevResult names."""
    container = host.container()
    host.run(
        f"ip link add lxc1 up type veth peer name eth0 netns {container.path}"
        f" && ip route add {ADDRESS} dev lxc1"
    )
    container.run(
        f"ip address add {ADDRESS}/32 dev eth0 && ip link set eth0 up && ip route add default dev eth0"
    )
    host.run("ip link add cable up type bridge && ip address add 10.8.0.1/24 dev cable")
    _, answer = chained(host, container, **previous, ips=[{"address": f"{ADDRESS}/32"}])
    assert (answer.exit_code, answer.stderr) == (0, "")
    assert host.sysctl("net/ipv4/conf/lxc1/route_localnet") == "1"
    with Server(container, 80):
        assert ask(host, "127.0.0.1", 8080).server == "c1"
