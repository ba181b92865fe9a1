"""Pods on different nodes reach one another; nodes join and leave."""

from pathlib import Path

from tests.harness.cluster import Cluster, state, until
from tests.harness.host import Container
from tests.harness.traffic import Server, ask, ping


def reach(one: tuple[Container, list[str]], other: tuple[Container, list[str]]) -> None:
    """Both ask each other over both families, and see each other's own addresses."""
    for (asking, own), (asked, addresses) in ((one, other), (other, one)):
        with Server(asked, 80):
            for source, address in zip(own, addresses):
                assert ask(asking, address, 80) == (asked.name, source)


def test_pods_of_two_nodes_reach_one_another_under_their_own_addresses(cluster: Cluster) -> None:
    """Over IPv4 and IPv6, with nothing else on the machines; hosts reach pods. The world sees the node."""
    first, second = cluster.node(), cluster.node()
    first.has_routes(second)
    second.has_routes(first)
    one, other = first.pod("a"), second.pod("b")
    assert [one[1], other[1]] == [
        ["10.244.1.2", "fd00:10:244:1::2"],
        ["10.244.2.2", "fd00:10:244:2::2"],
    ]
    reach(one, other)
    for address in other[1]:
        assert ping(first.host, address) is not None
    with Server(cluster.master, 80):
        assert ask(one[0], cluster.api.address, 80).caller == first.addresses[0]
    assert first.probe() == 0
    assert state(first) == {
        "ready": True,
        "node": "node1",
        "routes": dict(zip(second.networks, second.addresses)),
        "wrong": [],
    }


def test_the_agent_has_one_capability_and_a_root_that_it_cannot_write(cluster: Cluster) -> None:
    """As the manifest says, with which all these tests run."""
    first = cluster.node()
    until(first.conflist.exists, first.said())
    (process,) = first.processes()
    text = Path(f"/proc/{process}/status").read_text()
    status = dict(line.split(":\t", 1) for line in text.splitlines())
    held = {status[key].strip() for key in ("CapPrm", "CapEff", "CapBnd")}
    assert (held, status["NoNewPrivs"].strip()) == ({f"{1 << 12:016x}"}, "1")  # CAP_NET_ADMIN
    mounts = [line.split() for line in Path(f"/proc/{process}/mountinfo").read_text().splitlines()]
    assert [each[5].split(",")[0] for each in mounts if each[4] == "/"][-1] == "ro"


def test_a_node_joins_and_a_node_leaves(cluster: Cluster) -> None:
    """Its routes come with it and go with it; nobody else's do."""
    first, second = cluster.node(), cluster.node()
    first.has_routes(second)
    third = cluster.node()
    first.has_routes(second, third)
    third.has_routes(first, second)
    reach(first.pod("a"), third.pod("c"))
    cluster.api.remove("node2")
    first.has_routes(third)
    third.has_routes(first)
    first.says("removed the route to 10.244.2.0/24")


def test_a_node_of_one_family_gets_a_configuration_of_that_family(cluster: Cluster) -> None:
    first, second = cluster.node(), cluster.node(joins=False, starts=False)
    second.networks, second.addresses = second.networks[1:], second.addresses[1:]
    second.join()
    second.start()
    first.has_routes(second)
    pod, addresses = second.pod("b")
    assert addresses == ["fd00:10:244:2::2"]
    assert ping(pod, first.pod("a")[1][1]) is not None


def test_the_agent_ends_and_all_stays_until_it_is_taken_away(cluster: Cluster) -> None:
    """SIGTERM, as in an upgrade: pods go on talking. What remove.yaml runs leaves nothing of ours."""
    first, second = cluster.node(), cluster.node()
    one, other = first.pod("a"), second.pod("b")
    first.has_routes(second)
    assert first.stop() == 0
    reach(one, other)
    written = first.conflist.stat().st_ino
    first.start()
    first.says("wrote", times=1)
    first.says("ends; routes and configuration stay")
    assert state(first)["ready"]
    assert first.conflist.stat().st_ino == written
    first.stop()
    foreign = first.conflist.with_name("99-foreign.conflist")
    foreign.write_text('{"name": "foreign"}')
    first.host.run("ip route add 10.244.77.0/24 via 192.0.2.2")
    first.start("remove.yaml")
    first.has_routes()
    first.says("removed /host/etc/cni/net.d/10-cniwire.conflist")
    assert first.stop() == 0
    assert [path.name for path in first.conflist.parent.iterdir()] == [foreign.name]
    assert first.host.ip("route show 10.244.77.0/24")
    first.end(one[0])
