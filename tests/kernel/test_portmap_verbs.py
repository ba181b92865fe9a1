"""portmap on a real kernel, nftables backend: echo, DEL, CHECK, GC, STATUS, and what it refuses."""

from typing import Any

import pytest

from tests.harness.configs import PORTMAP, bridge, mapping
from tests.harness.host import Host
from tests.harness.network import Network
from tests.harness.plugin import PluginError
from tests.harness.traffic import Server, ask

SUBNETS = ("10.1.0.0/24", "fd01::/64")
UNSUPPORTED_FIELD, INVALID_CONFIG = 2, 7


def published(
    host: Host,
    name: str = "net",
    bridge_name: str = "br0",
    subnets: tuple[str, ...] = SUBNETS,
    **keys: object,
) -> Network:
    """Return the usual chain: bridge, host-local, portmap with *keys*."""
    switch = bridge(host.data, *subnets, hairpinMode=True, ipMasq=True, bridge=bridge_name)
    return host.network(switch, {**PORTMAP, **keys}, name=name)


def test_the_previous_result_is_echoed_whole(host: Host) -> None:
    """P-48: with keys that nobody knows."""
    net, container = published(host), host.container()
    result = net.add(container) | {"x-unknown": {"kept": True}}
    result["interfaces"][0]["x-unknown"] = 1
    config = {**net.derived(net.plugins[1], result), "runtimeConfig": {"portMappings": [mapping(8080)]}}
    assert net.call("ADD", config, container, "eth0") == result


@pytest.mark.parametrize(
    "runtime_config", [{}, {"runtimeConfig": {}}, {"runtimeConfig": {"portMappings": []}}]
)
def test_no_mappings_no_work(host: Host, runtime_config: dict[str, Any]) -> None:
    """P-41: echo, and neither table nor sysctl."""
    container = host.container()
    result = host.network(bridge(host.data, *SUBNETS)).add(container)
    before = host.state(container)
    net = published(host)
    assert net.call("ADD", net.derived(PORTMAP, result) | runtime_config, container, "eth0") == result
    assert host.state(container) == before


def test_add_needs_a_previous_result(host: Host) -> None:
    """P-40"""
    net, container = published(host), host.container()
    before = host.state(container)
    with pytest.raises(PluginError, match="prevResult"):
        net.call(
            "ADD",
            net.derived(PORTMAP) | {"runtimeConfig": {"portMappings": [mapping(8080)]}},
            container,
            "eth0",
        )
    assert host.state(container) == before


@pytest.mark.parametrize(
    ("keys", "mappings", "words"),
    [
        ({}, [mapping(0)], ["hostPort", "0"]),  # P-3
        ({}, [mapping(-1)], ["hostPort", "-1"]),
        ({}, [mapping(65536)], ["hostPort", "65536"]),
        ({}, [mapping(8080, 0)], ["containerPort", "0"]),  # P-4
        ({}, [mapping(8080, -1)], ["containerPort", "-1"]),  # P-4
        ({}, [mapping(8080, 65536)], ["containerPort", "65536"]),  # P-4
        ({}, [mapping(65530, 80, range=10)], ["65530", "10"]),
        ({}, [mapping(80, 65530, range=10)], ["65530", "10"]),
        ({}, [mapping(8080, protocol="icmp")], ["protocol", "icmp"]),
        ({}, [mapping(8080, hostIP="horse")], ["hostIP", "horse"]),
        ({}, [mapping(8080), mapping(8080, 81)], ["8080"]),
        ({}, {"hostPort": 80}, ["portMappings"]),
        ({}, [{"hostPort": "80", "containerPort": 80}], ["hostPort"]),
        ({"backend": "ebtables"}, [mapping(8080)], ["backend", "ebtables"]),
        (
            {"backend": "iptables", "conditionsV6": ["mark 1"]},
            [mapping(8080)],
            ["conditionsV6", "mark"],
        ),  # P-8
        (
            {"backend": "iptables", "externalSetMarkChain": "A -j B"},
            [mapping(8080)],
            ["externalSetMarkChain"],
        ),
        ({"conditionsV4": ["-s", "192.0.2.1\n-F"]}, [mapping(8080)], ["conditionsV4", "-F"]),
        ({"backend": "nftables", "conditionsV4": ["-m", "set"]}, [mapping(8080)], ["conditionsV4"]),  # P-9
        # P-9
        ({"backend": "nftables", "conditionsV6": ["!", "-i", "eth0"]}, [mapping(8080)], ["conditionsV6"]),
        # P-11
        (
            {"externalSetMarkChain": "KUBE", "markMasqBit": 5},
            [mapping(8080)],
            ["externalSetMarkChain", "markMasqBit"],
        ),
        ({"markMasqBit": 32}, [mapping(8080)], ["markMasqBit", "32"]),  # P-11
        ({"markMasqBit": -1}, [mapping(8080)], ["markMasqBit", "-1"]),  # P-11
    ],
    ids=str,
)
def test_add_refuses(host: Host, keys: dict[str, Any], mappings: object, words: list[str]) -> None:
    """P-3 P-4 P-9 P-11: the error names key and value, and nothing is changed."""
    container = host.container()
    result = host.network(bridge(host.data, *SUBNETS)).add(container)
    before = host.state(container)
    net = published(host, **keys)
    config = net.derived(net.plugins[1], result) | {"runtimeConfig": {"portMappings": mappings}}
    with pytest.raises(PluginError) as refused:
        net.call("ADD", config, container, "eth0")
    assert [word for word in words if word not in refused.value.msg + refused.value.details] == []
    assert refused.value.code in (UNSUPPORTED_FIELD, INVALID_CONFIG)
    assert host.state(container) == before


def test_sctp_is_accepted(host: Host) -> None:
    """P-50: ADD, CHECK and DEL; the kernel here has no SCTP sockets to send it with."""
    net, container, ports = published(host), host.container(), [mapping(8080, 80, "sctp")]
    net.add(host.container("c0"), portMappings=[mapping(1)])
    before = host.state(container)
    net.add(container, portMappings=ports)
    assert any("sctp" in line and "net/c1/eth0" in line for line in host.state())
    net.check(container, portMappings=ports)
    net.delete(container, portMappings=ports)
    assert host.state(container) == before


@pytest.mark.parametrize("with_mappings", [True, False])
@pytest.mark.parametrize("with_result", [True, False])
@pytest.mark.parametrize("path", ["/usr/sbin:/usr/bin", "/nowhere"])
def test_del_needs_the_attachment_alone(
    host: Host, with_mappings: bool, with_result: bool, path: str
) -> None:
    """P-2 P-28 P-45: no mappings, no prevResult, no netns, no tools on PATH: all goes but what is others'."""
    net, container = published(host), host.container()
    net.add(host.container("c0"), portMappings=[mapping(1, range=5), mapping(1, 80, "udp")])
    result = host.network(*net.plugins[:1]).add(container)
    before = host.state()
    ports = [
        mapping(8080),
        mapping(8081, 81, "udp"),
        mapping(9000, range=20),
        mapping(8082, hostIP="127.0.0.1"),
    ]
    added = net.derived(net.plugins[1], result) | {"runtimeConfig": {"portMappings": ports}}
    net.call("ADD", added, container, "eth0")
    assert host.state() != before
    config = net.derived(
        net.plugins[1], result if with_result else None, {"portMappings": ports} if with_mappings else None
    )
    for _ in range(2):
        answer = host.call(
            "DEL", config, "c1", PATH=path if host.plugins.name != "bin" else f"/usr/bin:{path}"
        )
        assert (answer.exit_code, answer.output) == (0, None)
        assert host.state() == before


def test_two_networks_of_one_container_do_not_disturb_one_another(host: Host) -> None:
    """P-43: DEL of one, with the same container ID, keeps the other's ports."""
    container = host.container()
    first = published(host, "net1")
    second = published(host, "net2", "br1", ("10.2.0.0/24", "fd02::/64"))
    second.plugins = [{**second.plugins[0], "isDefaultGateway": False, "isGateway": True}, second.plugins[1]]
    first.add(container, "eth0", portMappings=[mapping(8080)])
    before = host.state(container)
    second.add(container, "eth1", portMappings=[mapping(8081)])
    with Server(container, 80):
        assert (ask(host, "127.0.0.1", 8080).server, ask(host, "127.0.0.1", 8081).server) == ("c1", "c1")
        second.delete(container, "eth1", portMappings=[mapping(8081)])
        assert ask(host, "127.0.0.1", 8080).server == "c1"
        assert {line for line in before - host.state(container) if "br1" not in line} == set()
    first.check(container, "eth0", portMappings=[mapping(8080)])


def test_add_after_a_partial_failure_leaves_one_set(host: Host) -> None:
    """P-44: ADD, no DEL, and again with the same attachment but another address."""
    net, ports = published(host), [mapping(8080), mapping(9000, range=5)]
    container = host.container()
    net.add(container, portMappings=ports)
    expected = {line.replace("10.1.0.2", "10.1.0.3").replace("fd01::2", "fd01::3") for line in elements(host)}
    switch = host.network(*net.plugins[:1])
    switch.delete(container)
    result = switch.add(container)
    net.call("ADD", net.derived(net.plugins[1], result, {"portMappings": ports}), container, "eth0")
    assert elements(host) == expected
    with Server(container, 80):
        assert ask(host, "127.0.0.1", 8080).server == "c1"


def elements(host: Host) -> set[str]:
    """Return the lines of nft elements that carry an owner."""
    return {line for line in host.state() if " nft element " in line and "net/c1/eth0" in line}


@pytest.mark.parametrize("snat", [True, False])
@pytest.mark.parametrize("masq_all", [True, False])
def test_check_knows_what_should_be_there(host: Host, snat: bool, masq_all: bool) -> None:
    """P-29 P-34: fails before ADD, passes after; fails without an element or the table, and after DEL."""
    net, container, ports = (
        published(host, snat=snat, masqAll=masq_all),
        host.container(),
        [mapping(8080), mapping(9000, range=5)],
    )
    switch = host.network(*net.plugins[:1])
    result = switch.add(container)
    config = net.derived(net.plugins[1], result, {"portMappings": ports})
    refused(net, config, container)
    net.call("ADD", config, container, "eth0")
    net.call("CHECK", config, container, "eth0")
    refused(net, net.derived(net.plugins[1], result, {"portMappings": [*ports, mapping(8081)]}), container)
    host.run("nft delete table inet cniwire")
    refused(net, config, container)
    net.call("DEL", config, container, "eth0")
    refused(net, config, container)


def refused(net: Network, config: dict[str, Any], container: object) -> None:
    """CHECK fails and changes nothing."""
    before = net.host.state()
    with pytest.raises(PluginError):
        net.call("CHECK", config, container, "eth0")  # type: ignore[arg-type]
    assert net.host.state() == before


def test_check_notices_a_mapping_that_leads_elsewhere(host: Host) -> None:
    """P-29: same port, another container's address."""
    net, container = published(host), host.container()
    result = net.add(container, portMappings=[mapping(8080)])
    result["ips"][0]["address"] = "10.1.0.77/24"
    refused(net, net.derived(net.plugins[1], result, {"portMappings": [mapping(8080)]}), container)


def test_gc_removes_what_no_valid_attachment_claims(host: Host) -> None:
    """GC: the mappings of an attachment that is not listed; another network's stay."""
    net = published(host)
    other = published(host, "other", "br1", ("10.2.0.0/24",))
    alive, stale, foreign = (host.container(name) for name in ("alive", "stale", "foreign"))
    net.add(alive, portMappings=[mapping(8080)])
    other.add(foreign, portMappings=[mapping(8081)])
    before = host.state()
    net.add(stale, portMappings=[mapping(8082), mapping(9000, range=7)])
    stale.close()
    net.gc(alive)
    assert host.state() == before
    net.check(alive, portMappings=[mapping(8080)])
    other.check(foreign, portMappings=[mapping(8081)])


def test_status_says_that_it_can_work(host: Host) -> None:
    """STATUS: fine, and makes nothing."""
    before = host.state()
    published(host).status()
    assert host.state() == before


def test_an_address_without_interface_index_is_taken(host: Host) -> None:
    """P-10: and P-1: the host's own entries are not."""
    net, container = published(host, subnets=("10.1.0.0/24",)), host.container()
    result = host.network(*net.plugins[:1]).add(container)
    result["ips"] = [{"address": "10.1.0.1/24", "interface": 0}, {"address": "10.1.0.2/24"}]
    net.call("ADD", net.derived(net.plugins[1], result, {"portMappings": [mapping(8080)]}), container, "eth0")
    with Server(container, 80):
        assert ask(host, "127.0.0.1", 8080).server == "c1"


def test_many_ports_at_constant_cost(host: Host) -> None:
    """300 ports in one ADD, all there, all gone, and not a rule more than with one."""
    net, container = published(host), host.container()
    net.add(host.container("c0"), portMappings=[mapping(1)])
    before = host.state(container)
    net.add(container, portMappings=[mapping(10000 + number, 80) for number in range(300)])
    assert {line for line in host.state() - before if " nft rule " in line} == set()
    with Server(container, 80):
        assert ask(host, "127.0.0.1", 10299).server == "c1"
    net.delete(container)
    assert host.state(container) == before


@pytest.mark.parametrize("container_id", ["a" * 64, "x" * 200])
def test_long_container_ids(host: Host, container_id: str) -> None:
    """As runtimes give them, and longer than a comment of an element may be (128 bytes)."""
    net, container = published(host), host.container(container_id)
    net.add(host.container("c0"), portMappings=[mapping(1)])
    before = host.state(container)
    net.add(container, portMappings=[mapping(8080)])
    net.check(container, portMappings=[mapping(8080)])
    with Server(container, 80):
        assert ask(host, "127.0.0.1", 8080).server == container_id
    net.delete(container, portMappings=[mapping(8080)])
    assert host.state(container) == before
