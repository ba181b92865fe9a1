"""bridge CHECK on a real kernel: silent when all is as ADD left it, and exact about what is not."""

import pytest

from tests.harness.configs import bridge
from tests.harness.host import Host
from tests.harness.plugin import PluginError

KEYS = {"ipMasq": True, "hairpinMode": True, "macspoofchk": True, "portIsolation": True}


@pytest.mark.parametrize(
    ("where", "sabotage"),
    [
        ("container", "ip link set eth0 down"),
        ("container", "ip link delete eth0"),
        ("container", "ip link set eth0 address 02:00:00:00:00:99"),
        ("container", "ip address delete 10.1.0.2/24 dev eth0"),
        ("container", "ip address delete fd01::2/64 dev eth0"),
        ("container", "ip route delete default"),
        ("container", "ip -6 route delete default"),
        ("host", "ip link delete br0"),
        ("host", "ip link set br0 address 02:00:00:00:00:99"),
        ("host", "ip address delete 10.1.0.1/24 dev br0"),
        ("host", "ip address delete fd01::1/64 dev br0"),
        ("host", "ip link set VETH nomaster"),
        ("host", "ip link set VETH down"),
        ("host", "ip link set VETH type bridge_slave hairpin off"),
        ("host", "ip link set VETH type bridge_slave isolated off"),
        ("host", "nft delete table inet cniwire"),
        ("host", "nft delete table bridge cniwire"),
        ("host", "echo 0 > /proc/sys/net/ipv4/ip_forward"),
    ],
)
def test_check_fails_after(host: Host, where: str, sabotage: str) -> None:
    """B-43: and after ADD it had passed."""
    net = host.network(bridge(host.data, "10.1.0.0/24", "fd01::/64", **KEYS))
    container = host.container()
    net.add(container)
    net.check(container)
    space = container if where == "container" else host
    space.run(sabotage.replace("VETH", host.veth("net/c1/eth0")))
    before = host.state(container)
    with pytest.raises(PluginError):
        net.check(container)
    assert host.state(container) == before


def test_check_names_all_that_is_wrong(host: Host) -> None:
    """B-43: one error for two differences, each with what is wanted."""
    net = host.network(bridge(host.data, "10.1.0.0/24"))
    container = host.container()
    net.add(container)
    container.run("ip route delete default && ip address add 10.1.0.9/24 dev eth0 && ip address delete 10.1.0.2/24 dev eth0")
    host.run("ip address delete 10.1.0.1/24 dev br0")
    with pytest.raises(PluginError) as failed:
        net.check(container)
    text = failed.value.msg + failed.value.details
    assert [part for part in ("10.1.0.2/24", "10.1.0.1/24", "want") if part not in text] == []


def test_check_needs_the_result_of_add(host: Host) -> None:
    """B-43: without prevResult there is nothing to compare with."""
    net = host.network(bridge(host.data, "10.1.0.0/24"))
    container = host.container()
    net.add(container)
    answer = host.call("CHECK", net.derived(net.plugins[0]), container)
    assert answer.exit_code == 1
    assert "prevResult" in answer.output["msg"]


def test_check_fails_when_the_reservation_is_gone(host: Host) -> None:
    """B-43: IPAM's CHECK is part of it."""
    net = host.network(bridge(host.data, "10.1.0.0/24"))
    container = host.container()
    net.add(container)
    (host.data / "net" / "10.1.0.2").unlink()
    with pytest.raises(PluginError):
        net.check(container)


def test_check_tolerates_what_others_add_and_change(host: Host) -> None:
    """B-43: more addresses, routes and links are nobody's mistake, and the MTU is for later plugins to change."""
    net = host.network(bridge(host.data, "10.1.0.0/24", mtu=1450))
    container = host.container()
    net.add(container)
    container.run("ip address add 10.7.7.7/32 dev eth0 && ip route add 10.8.0.0/16 via 10.1.0.1 && ip link add x type bridge")
    container.run("ip link set eth0 mtu 1400")
    host.run("ip address add 10.9.0.1/24 dev br0")
    net.check(container)


def test_status_is_that_of_ipam(host: Host) -> None:
    """B-65: fine with free addresses; 50 when a range is full; fine without IPAM."""
    host.network(bridge()).status()
    net = host.network(bridge(host.data, "10.1.0.0/30"))
    net.status()
    net.add(host.container())
    with pytest.raises(PluginError) as failed:
        net.status()
    assert failed.value.code == 50
