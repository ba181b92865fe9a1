"""What a plugin that was killed or failed half way may leave, and who clears it up: each found by torture."""

import json

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


def test_an_add_whose_answer_nobody_takes_is_undone(host: Host) -> None:
    """S-46: a full disk behind stdout, or a runtime that is gone. Exit 1, and as nobody knows of the attachment it is not there."""
    config = {**bridge(host.data, "10.1.0.0/24", ipMasq=True, macspoofchk=True), "name": "net", "cniVersion": "1.1.0"}
    network, container = host.network(bridge(host.data, "10.1.0.0/24", ipMasq=True, macspoofchk=True)), host.container()
    network.add(container)
    network.delete(container)
    before = host.state(container)
    environ = f"CNI_COMMAND=ADD CNI_CONTAINERID=c1 CNI_NETNS={container.path} CNI_IFNAME=eth0 CNI_PATH={host.plugins}"
    status = host.run(f"{environ} {host.plugins}/bridge >/dev/full; echo $?", stdin=json.dumps(config))
    assert (status, host.state(container)) == ("1", before)
