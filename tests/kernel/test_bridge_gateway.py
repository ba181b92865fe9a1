"""The gateway address on the bridge: conflicts, forceAddress, and a new container behind an old address."""

import pytest

from tests.harness.configs import bridge, host_local
from tests.harness.host import Host
from tests.harness.plugin import PluginError
from tests.harness.traffic import ping


@pytest.mark.parametrize(("first", "second"), [("10.1.0.0/24", "10.2.0.0/24"), ("fd01::/64", "fd01::/48")])
def test_a_second_gateway_is_refused(host: Host, first: str, second: str) -> None:
    """B-26 B-27 B-71: another IPv4 net, an overlapping IPv6 net; the message names both, nothing changes."""
    host.network(bridge(host.data, first)).add(host.container("c1"))
    container = host.container("c2")
    before = host.state(container)
    with pytest.raises(PluginError) as refused:
        host.network(bridge(host.data, second), name="net2").add(container)
    texts = refused.value.msg + refused.value.details
    assert [gateway(net) for net in (first, second) if gateway(net) not in texts] == []
    assert host.state(container) == before


@pytest.mark.parametrize(("first", "second"), [("10.1.0.0/24", "10.2.0.0/24"), ("fd01::/64", "fd01::/48")])
def test_a_second_gateway_replaces_the_first_by_force(host: Host, first: str, second: str) -> None:
    """B-26 B-27"""
    host.network(bridge(host.data, first)).add(host.container("c1"))
    host.network(bridge(host.data, second, forceAddress=True), name="net2").add(host.container("c2"))
    assert host.addresses("br0") == [gateway(second)]


def test_gateways_of_other_ipv6_nets_live_side_by_side(host: Host) -> None:
    """B-28"""
    host.network(bridge(host.data, "fd01::/64")).add(host.container("c1"))
    host.network(bridge(host.data, "fd02::/64"), name="net2").add(host.container("c2"))
    assert host.addresses("br0") == ["fd01::1/64", "fd02::1/64"]


def gateway(subnet: str) -> str:
    """Return the gateway that *subnet* gets by default, with prefix."""
    address, _, prefix_len = subnet.partition("/")
    return (address.removesuffix("0") + "1" if "." in address else address + "1") + "/" + prefix_len


@pytest.mark.parametrize(("subnet", "address"), [("10.1.0.0/24", "10.1.0.77"), ("fd01::/64", "fd01::77")])
def test_a_new_container_behind_an_old_address_is_reached_at_once(
    host: Host, subnet: str, address: str
) -> None:
    """B-70: by the host, whose neighbour entry is REACHABLE, and by neighbours on the bridge."""
    net = host.network(bridge(host.data, subnet))
    other = host.container("other")
    net.add(other)
    ipam = host_local(host.data, ranges=[[{"subnet": subnet, "rangeStart": address, "rangeEnd": address}]])
    single = host.network(bridge(isDefaultGateway=True, ipam=ipam), name="single")
    old, new = host.container("old"), host.container("new")
    single.add(old)
    assert ping(host, address, timeout_s=4) is not None
    assert ping(other, address) is not None
    assert any(
        entry["dst"] == address and "REACHABLE" in entry["state"]
        for entry in host.ip("neighbour show dev br0")
    )
    single.delete(old)
    single.add(new)
    assert ping(host, address, timeout_s=1) is not None
    assert ping(other, address, timeout_s=1) is not None


def test_a_fresh_bridge_forwards_ipv6_at_once(host: Host) -> None:
    """B-17: the kernel asks for neighbours from the bridge's link-local address.

    While that is tentative, for a second by default, nothing would be forwarded.
    """
    outside = host.outside()
    outside.run("ip -6 route add fd01::/64 via 2001:db8:ff::1")
    host.sysctl("net/ipv6/conf/default/accept_dad", 1)
    host.network(bridge(host.data, "fd01::/64")).add(host.container())
    assert ping(outside, "fd01::2", timeout_s=0.9) is not None


@pytest.mark.parametrize("force", [False, True])
def test_a_failure_after_force_puts_the_old_gateway_back(host: Host, force: bool) -> None:
    """B-35: the address that forceAddress took away is there again when a later step fails."""
    host.network(bridge(host.data, "10.1.0.0/24")).add(host.container("c1"))
    container = host.container("c2")
    container.run("ip link add eth0 type bridge")  # CNI_IFNAME in use
    before = host.state(container)
    with pytest.raises(PluginError):
        host.network(bridge(host.data, "10.2.0.0/24", forceAddress=force), name="net2").add(container)
    assert host.state(container) == before


WITHOUT_MAC = (
    "ip link add br0 type bridge && ip link set br0 up && ip link add x0 type veth peer name x1"
    " && ip link set x0 master br0 up && ip link delete x0"
)
NO_MAC = "ip link set br0 address 00:00:00:00:00:00"


@pytest.mark.parametrize("left", ["", NO_MAC, f"ip address add 10.1.0.1/24 dev br0 && {NO_MAC}"])
def test_a_bridge_that_has_lost_its_mac_gets_one(host: Host, left: str) -> None:
    """A bridge loses its MAC with its last port.

    If all zeros were pinned as its MAC, by us or by somebody else, the gateway would never answer.
    """
    host.run(WITHOUT_MAC)
    if left:
        host.run(left)
    assert host.ip("link show br0")[0]["address"] == "00:00:00:00:00:00"
    net, container = host.network(bridge(host.data, "10.1.0.0/24")), host.container()
    result = net.add(container)
    mac = host.ip("link show br0")[0]["address"]
    assert mac != "00:00:00:00:00:00"
    assert result["interfaces"][0]["mac"] == mac
    assert ping(container, "10.1.0.1") is not None
    net.check(container)


def test_check_tells_of_a_bridge_without_a_mac(host: Host) -> None:
    net, container = host.network(bridge(host.data, "10.1.0.0/24")), host.container()
    result = net.add(container)
    result["interfaces"][0]["mac"] = "00:00:00:00:00:00"
    host.run(f"ip link delete br0 && {WITHOUT_MAC}")
    answer = host.call("CHECK", {**net.derived(net.plugins[0]), "prevResult": result}, container)
    assert answer.exit_code == 1
    assert "want the bridge br0 with a MAC of its own" in answer.output["msg"] + answer.output.get(
        "details", ""
    )
