"""What a cluster does to its agents: servers that go, forget and lie; nodes that contradict each other."""

import json

from tests.harness.cluster import Cluster, until
from tests.harness.traffic import ping


def test_the_server_goes_away_and_comes_back(cluster: Cluster) -> None:
    """Routes stay, and are repaired meanwhile; what happened meanwhile is made up for."""
    first, second = cluster.node(), cluster.node()
    first.has_routes(second)
    cluster.api.stop()
    first.says("the API server cannot be followed, everything stays as it is")
    first.host.run("ip route flush proto 67; ip -6 route flush proto 67")
    first.has_routes(second)
    first.host.run("ip link set uplink down; ip link set uplink up")
    first.host.run(f"ip address add {first.addresses[1]}/64 dev uplink nodad")  # which the kernel took
    first.has_routes(second)
    third = cluster.node(starts=False)
    cluster.api.remove("node2")
    cluster.api.start()
    first.has_routes(third)
    first.says("no longer: the API server cannot be followed")
    assert first.said().count("cannot be followed") == 2, first.said()


def test_an_agent_that_starts_without_a_server_leaves_all_as_it_is(cluster: Cluster) -> None:
    first, second = cluster.node(), cluster.node()
    first.has_routes(second)
    pod, _ = first.pod("a")
    first.stop()
    cluster.api.stop()
    first.start()
    first.says("the API server cannot be followed")
    first.has_routes(second)
    assert ping(pod, second.pod("b")[1][0]) is not None


def test_a_watch_that_has_expired_is_begun_anew(cluster: Cluster) -> None:
    """410 Gone: the list is read again, and nodes that left without a word go."""
    first, second, third = cluster.node(), cluster.node(starts=False), cluster.node(starts=False)
    first.has_routes(second, third)
    api = cluster.api
    api.stop()
    api.remove("node2")
    api.forget()
    first.has_routes(third)
    assert "410" not in first.said()
    api.bookmark()
    api.put("node9", [], [])
    until(lambda: sum("watch" not in query for query, _ in api.asked) > 1, "no second list")


def test_the_token_is_rotated(cluster: Cluster) -> None:
    """The old one is refused; the new one is read from the file without a restart."""
    first = cluster.node()
    first.has_routes()
    until(first.conflist.exists, first.said())
    cluster.api.tokens = {"second"}
    cluster.api.stop()
    cluster.api.start()
    first.says("it answers 401 Unauthorized")
    first.token("second")
    second = cluster.node(starts=False)
    first.has_routes(second)


def test_nonsense_changes_nothing(cluster: Cluster) -> None:
    """Of the server as a whole; of one node; and a list without this very node."""
    first, second = cluster.node(), cluster.node(starts=False)
    first.has_routes(second)
    api, wanted = cluster.api, first.routes()
    api.garbage = b"<html>"
    api.stop()
    api.start()
    first.says("the answer is no JSON object: b'<html>'")
    api.garbage = b'{"kind": "NodeList", "metadata": {"resourceVersion": "1"}, "items": []}'
    first.says("the cluster has no node node1: nothing is changed")
    assert first.routes() == wanted
    api.garbage = None
    api.stop()
    api.start()
    first.says("no longer: the cluster has no node node1")
    api.put("node2", second.networks, second.addresses, spec={"podCIDRs": ["10.244.2.0/24", "0.0.0.0/0"]})
    first.says("node node2: podCIDRs: 0.0.0.0/0 can be nobody's")
    api.put("node3", ["10.244.300.0/24"], ["192.0.2.3"])
    first.says("node node3: podCIDRs: want a network, found '10.244.300.0/24'")
    assert first.routes() == wanted


def test_two_nodes_with_one_podcidr(cluster: Cluster) -> None:
    """The older one has it, and one's own is never given away; it is said which, and that it is over."""
    first, second, third = cluster.node(), cluster.node(starts=False), cluster.node(joins=False, starts=False)
    first.has_routes(second)
    third.networks = second.networks
    third.join()
    first.says("no route to 10.244.2.0/24 of node node3: 10.244.2.0/24 is node node2's")
    first.has_routes(second)
    cluster.api.put("node4", ["10.244.0.0/20"], ["192.0.2.4"])
    first.says("no route to 10.244.0.0/20 of node node4: it overlaps 10.244.1.0/24, which is node node1's")
    cluster.api.remove("node2")
    first.has_routes(third)
    first.says("no longer: no route to 10.244.2.0/24 of node node3")


def test_a_node_behind_a_router_gets_no_route(cluster: Cluster) -> None:
    """Nor does one without an address, and none replaces a route of somebody else's. All of it is said."""
    first = cluster.node()
    first.host.run("ip route add default via 192.0.2.250")
    first.host.run("ip route add 10.244.5.0/24 via 192.0.2.250")
    put = cluster.api.put
    put("node2", ["10.244.2.0/24"], ["198.51.100.7"])
    put("node3", ["10.244.3.0/24", "fd00:10:244:3::/64"], ["192.0.2.3"])
    put("node5", ["10.244.5.0/24"], ["192.0.2.5"])
    put("node6", ["10.244.6.0/24"], ["198.51.100.8", "192.0.2.6"])
    put("node7", ["10.244.7.0/24"], ["192.0.2.1"])
    first.says("node2: 198.51.100.7 is not on a network of this node, but behind 192.0.2.250")
    first.says("no route to fd00:10:244:3::/64 of node node3: the node has no IPv6 InternalIP")
    first.says(
        "10.244.5.0/24 of node node5 by 192.0.2.5 on uplink: somebody else's route is there, and stays"
    )
    first.says("of node node7: 192.0.2.1 is an address of this node, too")
    assert first.routes() == {"10.244.3.0/24": "192.0.2.3", "10.244.6.0/24": "192.0.2.6"}


def test_a_podcidr_changes_under_living_pods(cluster: Cluster) -> None:
    """They keep their addresses and the configuration is kept, and said; with the last of them it follows."""
    first, second = cluster.node(), cluster.node()
    pod, _ = first.pod("a")
    before = first.conflist.read_text()
    first.networks = ["10.244.101.0/24", "fd00:10:244:101::/64"]
    first.join()
    second.has_routes(first)
    first.says(
        "because 2 addresses are in use by it: it has pods 10.244.1.0/24 fd00:10:244:1::/64, and would"
    )
    assert first.conflist.read_text() == before
    assert ping(first.host, "10.244.1.2") is not None
    first.end(pod)
    first.host.run("ip link add touched type bridge")  # a look comes by itself, too, but not at once
    first.says("wrote", times=2)
    other, addresses = first.pod("b")
    assert addresses == ["10.244.101.2", "fd00:10:244:101::2"]
    assert ping(other, second.pod("c")[1][0]) is not None


def test_somebody_elses_file_is_left_alone(cluster: Cluster) -> None:
    """Ours is written once that is gone; a template that is wrong changes nothing and is said."""
    first = cluster.node(starts=False)
    first.conflist.parent.mkdir(parents=True)
    first.conflist.write_text("{}")
    first.start()
    first.says("10-cniwire.conflist is somebody else's, and stays as it is")
    assert first.conflist.read_text() == "{}"
    first.conflist.unlink()
    first.host.run("ip link add touched type bridge")
    first.says("wrote /host/etc/cni/net.d/10-cniwire.conflist")
    before = first.conflist.read_text()
    (cluster.config / "10-cniwire.conflist").write_text('{"name": "pods"')
    first.host.run("ip link delete touched")
    first.says("10-cniwire.conflist: the template is no JSON")
    assert first.conflist.read_text() == before
    assert json.loads(before)["cniwire.node"] == "node1"
