"""ipMasq and macspoofchk of bridge on a real kernel."""

import pytest

from tests.harness.configs import bridge
from tests.harness.host import Host
from tests.harness.plugin import PluginError
from tests.harness.traffic import Server, ask, ping


@pytest.mark.parametrize("backend", [{}, {"ipMasqBackend": "nftables"}, {"ipMasqBackend": "iptables"}])
def test_leaving_traffic_is_masqueraded(host: Host, backend: dict[str, str]) -> None:
    """B-36 B-37 B-38: the outside sees the host; neighbours and the host see the container."""
    outside = host.outside()
    net = host.network(bridge(host.data, "10.1.0.0/24", "fd01::/64", ipMasq=True, **backend))
    container, neighbour = host.container("c1"), host.container("c2")
    net.add(container)
    net.add(neighbour)
    with Server(outside, 99), Server(neighbour, 99), Server(host, 99):
        assert ask(container, "192.0.2.2", 99).caller == "192.0.2.1"
        assert ask(container, "2001:db8:ff::2", 99).caller == "2001:db8:ff::1"
        assert ask(container, "10.1.0.3", 99).caller == "10.1.0.2"
        assert ask(container, "fd01::3", 99).caller == "fd01::2"
        assert ask(container, "10.1.0.1", 99).caller == "10.1.0.2"


@pytest.mark.parametrize("backend", ["nftables", "iptables"])
def test_what_stays_in_a_wider_network_keeps_its_address(host: Host, backend: str) -> None:
    """ipMasqOutside: another part of it sees the container, the rest of the world the host. CHECK agrees."""
    outside = host.outside()
    outside.run("ip address add 10.1.9.1/24 dev eth0; ip address add fd01:0:0:9::1/64 dev eth0 nodad")
    outside.run("ip route add 10.1.0.0/24 via 192.0.2.1; ip route add fd01::/64 via 2001:db8:ff::1")
    host.run("ip route add 10.1.9.0/24 via 192.0.2.2; ip route add fd01:0:0:9::/64 via 2001:db8:ff::2")
    wider = ["10.1.0.0/16", "fd01::/48"]
    config = bridge(host.data, "10.1.0.0/24", "fd01::/64", ipMasq=True, ipMasqBackend=backend)
    net = host.network({**config, "ipMasqOutside": wider})
    container = host.container()
    net.add(container)
    net.check(container)
    with Server(outside, 99):
        assert ask(container, "10.1.9.1", 99).caller == "10.1.0.2"
        assert ask(container, "fd01:0:0:9::1", 99).caller == "fd01::2"
        assert ask(container, "192.0.2.2", 99).caller == "192.0.2.1"
        assert ask(container, "2001:db8:ff::2", 99).caller == "2001:db8:ff::1"
    net.delete(container)
    assert not [line for line in host.state() if "/c1/" in line]


def test_without_ip_masq_the_outside_cannot_answer(host: Host) -> None:
    """The counter-proof: the outside has no route back to the container."""
    host.outside()
    container = host.container()
    host.network(bridge(host.data, "10.1.0.0/24")).add(container)
    assert ping(container, "192.0.2.2", timeout_s=0.5) is None
    assert "masquerade" not in host.run("nft list ruleset")


def test_multicast_is_not_masqueraded(host: Host) -> None:
    """As the Go suite has it; the rule set says so."""
    host.network(bridge(host.data, "10.1.0.0/24", "fd01::/64", ipMasq=True)).add(host.container())
    rules = host.run("nft list ruleset")
    assert "224.0.0.0/4" in rules
    assert "ff00::/8" in rules


def test_the_elements_carry_their_owner(host: Host) -> None:
    """B-38: for each address the jump and its network, commented with network, container and interface."""
    container = host.container()
    host.network(bridge(host.data, "10.1.0.0/24", "fd01::/64", ipMasq=True)).add(container)
    elements = [
        line
        for line in host.state()
        if line.startswith("host nft element inet cniwire") and "net/c1/eth0" in line
    ]
    assert sorted(line.split()[5] for line in elements) == [
        "inside4",
        "inside6",
        "masquerade4",
        "masquerade6",
    ]
    assert [sum(address in line for line in elements) for address in ("10.1.0.2", "fd01::2")] == [2, 2]


def test_an_unknown_backend_is_refused(host: Host) -> None:
    """B-40: the error names key and value, and nothing is made."""
    container = host.container()
    before = host.state(container)
    with pytest.raises(PluginError, match=r"ipMasqBackend.*ebtables"):
        host.network(bridge(host.data, "10.1.0.0/24", ipMasq=True, ipMasqBackend="ebtables")).add(container)
    assert host.state(container) == before


def test_a_container_with_the_spoof_check_cannot_change_its_mac(host: Host) -> None:
    """B-45: frames from another source address go nowhere; DEL removes the check."""
    net = host.network(bridge(host.data, "10.1.0.0/24", macspoofchk=True))
    honest, container = host.container("c0"), host.container()
    net.add(honest)
    before = host.state()
    mac = net.add(container)["interfaces"][2]["mac"]
    assert ping(container, "10.1.0.1") is not None
    assert ping(container, "10.1.0.2") is not None
    container.run("ip link set eth0 address 02:00:00:00:00:66")
    assert ping(container, "10.1.0.1", timeout_s=0.5) is None
    assert ping(container, "10.1.0.2", timeout_s=0.5) is None
    container.run(f"ip link set eth0 address {mac}")
    assert ping(container, "10.1.0.1") is not None
    net.delete(container)
    assert host.state() == before


def test_the_spoof_check_leaves_others_alone(host: Host) -> None:
    """B-45: a port without it may send from any address."""
    checked = host.network(bridge(host.data, "10.1.0.0/24", macspoofchk=True))
    free = host.network(bridge(host.data, "10.1.0.0/24"), name="free")
    container = host.container("c2")
    checked.add(host.container("c1"))
    ranges = {"ips": ["10.1.0.20"]}
    free.plugins = [bridge(host.data, "10.1.0.0/24", args={"cni": ranges})]
    free.add(container)
    container.run("ip link set eth0 address 02:00:00:00:00:66")
    assert ping(container, "10.1.0.1") is not None
