"""Our plugins and the distribution's Go plugins: in one chain, on one data directory, one after the other."""

from itertools import product
from pathlib import Path
from typing import Any

import pytest

from tests.harness.configs import PORTMAP, bridge, mapping
from tests.harness.host import Host
from tests.harness.network import Network
from tests.harness.plugin import PluginError
from tests.harness.traffic import Server, ask, ping

GO = Path("/usr/lib/cni")
VERSION = "1.0.0"  # the newest that the distribution's plugins speak
SUBNETS = ("10.1.0.0/24", "fd01::/64")
PORTS = [mapping(8080, 80), mapping(8080, 80, "udp")]

pytestmark = pytest.mark.skipif(not (GO / "bridge").exists(), reason=f"there are no Go plugins in {GO}")


def chain(host: Host, switch: Path, ipam: Path, portmap: Path) -> Network:
    """Return the usual chain, each plugin's executable from its folder."""
    config = bridge(host.data, *SUBNETS, ipMasq=True, hairpinMode=True)
    suites = {"bridge": switch, "host-local": ipam, "portmap": portmap}
    return host.network(config, PORTMAP, version=VERSION, suites=suites)


def works(host: Host, container: Any, peer: Any) -> None:
    """Assert that a published port of *container* answers host and neighbour, and that it gets outside."""
    for protocol in ("tcp", "udp"):
        with Server(container, 80, protocol):
            for space, address in ((host, "127.0.0.1"), (host, "192.0.2.1"), (peer, "192.0.2.1")):
                assert (address, ask(space, address, 8080, protocol).server) == (address, container.name)
    for space, address in ((container, "192.0.2.2"), (container, "2001:db8:ff::2"), (peer, "10.1.0.3")):
        assert (address, ping(space, address, timeout_s=4) is not None) == (address, True)


@pytest.mark.parametrize(
    "suites", [suites for suites in product(("ours", "go"), repeat=3) if "ours" in suites], ids="-".join
)
def test_a_chain_of_both_suites(host: Host, suites: tuple[str, str, str]) -> None:
    """H-61: any mix of bridge, host-local and portmap wires a container, passes our CHECK, leaves nothing."""
    net = chain(host, *(host.plugins if suite == "ours" else GO for suite in suites))
    host.outside()
    peer, container = host.container("c1"), host.container("c2")
    net.add(peer, portMappings=[mapping(1)])
    before = host.state(container)
    result = net.add(container, portMappings=PORTS)
    assert [ip["address"] for ip in result["ips"]] == ["10.1.0.3/24", "fd01::3/64"]
    works(host, container, peer)
    for config, suite in zip(net.plugins, (suites[0], suites[2])):
        if suite == "ours":
            net.call("CHECK", net.derived(config, result, {"portMappings": PORTS}), container, "eth0")
    net.delete(container, portMappings=PORTS)
    assert host.state(container) == before


@pytest.mark.parametrize("netns", ["there", "gone"])
def test_our_del_cleans_what_go_added(host: Host, netns: str) -> None:
    """B-41 P-28 H-61: links, reservations and the iptables-nft chains of masquerade and portmap."""
    theirs, ours = chain(host, GO, GO, GO), chain(host, *[host.plugins] * 3)
    host.outside()
    peer, container = host.container("c1"), host.container("c2")
    theirs.add(peer, portMappings=[mapping(1)])
    before = host.state()
    ours.results["c2", "eth0"] = theirs.add(container, portMappings=PORTS)
    if netns == "gone":
        host.lose(container)
        ours.delete("c2", portMappings=PORTS)
    else:
        ours.delete(container, portMappings=PORTS)
    assert host.state() == before
    with Server(peer, 80):
        assert ask(host, "192.0.2.1", 1).server == "c1"


def test_our_check_is_content_with_what_go_made_as_long_as_it_stands(host: Host) -> None:
    """A node that switches suites under Nomad, which calls CHECK and restarts what fails.

    Links, addresses and routes are compared as ever.
    """
    theirs, ours = chain(host, GO, GO, GO), chain(host, *[host.plugins] * 3)
    container = host.container("c2")
    ours.results["c2", "eth0"] = theirs.add(container, portMappings=PORTS)
    ours.check(container, portMappings=PORTS)
    container.run("ip route delete default")
    with pytest.raises(PluginError, match="default route"):
        ours.check(container, portMappings=PORTS)
    container.run("ip route add default via 10.1.0.1")
    ours.check(container, portMappings=PORTS)
    for tool in ("iptables", "ip6tables"):
        chains = [
            line.split()[1]
            for line in host.run(f"{tool} -t nat -S").splitlines()
            if line.startswith("-N CNI-")
        ]
        host.run("; ".join(f"{tool} -t nat -F {chain}" for chain in chains))
    with pytest.raises(PluginError, match="not published"):
        ours.check(container, portMappings=PORTS)


def test_go_del_cleans_what_concerns_it_and_our_gc_the_rest(host: Host) -> None:
    """H-61: Go's DEL takes links and reservations; our elements, which it does not know, go with our GC.

    Go's DEL is configured without ipMasq: with it, it insists on the iptables chain that only its own
    ADD makes.
    """
    ours = chain(host, *[host.plugins] * 3)
    ours.version = "1.1.0"  # has GC
    theirs = chain(host, GO, GO, GO)
    theirs.plugins = [{**theirs.plugins[0], "ipMasq": False}, PORTMAP]
    first, container = host.container("c1"), host.container("c2")
    ours.add(first, portMappings=[mapping(1)])
    before = host.state(container)
    result = ours.add(container, portMappings=PORTS)
    theirs.results["c2", "eth0"] = {**result, "cniVersion": VERSION}
    theirs.delete(container, portMappings=PORTS)
    left = {line for line in host.state(container) - before if " nft " not in line or "net/c2/eth0" in line}
    assert {line.split()[1] for line in left} <= {"nft"}
    ours.gc(first)
    assert {line for line in host.state(container) if "net/c2/eth0" in line} == set()
    ours.check(first, portMappings=[mapping(1)])


def test_both_suites_share_one_directory_of_reservations(host: Host) -> None:
    """H-61: allocating in turns, both give each address once, in one sequence, and free each other's."""
    given = []
    for number in range(6):
        folder = GO if number % 2 else host.plugins
        answer = reserve(host, folder, "ADD", f"c{number}")
        given.append(answer["ips"][0]["address"])
    assert given == [f"10.1.0.{number}/24" for number in range(2, 8)]
    for number in range(6):
        reserve(host, host.plugins if number % 2 else GO, "DEL", f"c{number}")
    assert [line for line in host.state() if line.startswith("file")] == []


def reserve(host: Host, folder: Path, command: str, container_id: str) -> Any:
    """Call host-local of one suite; return its result."""
    config = {
        "cniVersion": VERSION,
        "name": "net",
        "type": "host-local",
        "ipam": bridge(host.data, *SUBNETS)["ipam"],
    }
    answer = host.call(command, config, container_id, folder=folder, CNI_NETNS="/run/netns/none")
    assert answer.exit_code == 0, answer
    return answer.output
