"""What a plugin that was killed or failed half way may leave, and who clears it up: each found by torture."""

from tests.harness.configs import bridge
from tests.harness.host import Host


def test_gc_finds_a_spoof_chain_whose_element_a_killed_del_took_away(host: Host) -> None:
    network, container = host.network(bridge(macspoofchk=True)), host.container()
    network.add(host.container("c0"))
    network.delete("c0")
    before = host.state(container)
    network.add(container)
    port = host.veth("net/c1/eth0")
    host.run(f"nft delete element bridge cniwire spoof '{{ \"{port}\" }}'")
    network.gc()
    assert host.state(container) == before


def test_a_bridge_that_a_killed_add_left_without_its_settings_gets_them(host: Host) -> None:
    host.run("ip link add br0 type bridge")
    host.network(bridge(host.data, "10.1.0.0/24")).add(host.container())
    assert host.sysctl("net/ipv6/conf/br0/accept_ra") == "0"
    assert host.sysctl("net/ipv6/conf/br0/accept_dad") == "0"
