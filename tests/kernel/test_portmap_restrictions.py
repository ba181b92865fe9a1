"""What keeps callers from a published port: host addresses, conditions, and ports that are taken."""

from typing import Any

import pytest

from tests.harness.configs import mapping
from tests.harness.host import Host
from tests.harness.plugin import PluginError
from tests.harness.traffic import Server, ask
from tests.kernel.published import published, unreachable


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


@pytest.mark.parametrize(
    ("keys", "allowed", "refused"),
    [
        ({"conditionsV4": ["ip", "saddr", "192.0.2.2"]}, "192.0.2.2", "192.0.2.3"),
        ({"conditionsV4": ["ip", "saddr", "!=", "192.0.2.3"]}, "192.0.2.2", "192.0.2.3"),
        ({"conditionsV4": ["ip", "saddr", "192.0.2.2/32"], "backend": "nftables"}, "192.0.2.2", "192.0.2.3"),
        ({"conditionsV4": ["ip", "saddr", "{ 192.0.2.2,", "10.0.0.0/8 }"]}, "192.0.2.2", "192.0.2.3"),
        ({"conditionsV4": ["ip saddr != { 192.0.2.3, 10.0.0.0/8 }"]}, "192.0.2.2", "192.0.2.3"),
        ({"conditionsV4": ["-s", "192.0.2.2,10.0.0.0/8"]}, "192.0.2.2", "192.0.2.3"),
        ({"conditionsV4": ["!", "-s", "192.0.2.3/32"], "markMasqBit": 7}, "192.0.2.2", "192.0.2.3"),
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
