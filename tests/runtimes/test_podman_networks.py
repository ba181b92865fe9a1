"""Networks that Podman writes itself, with all that it writes; and one of one's own."""

import pytest

from tests.harness.namespace import Namespace
from tests.harness.traffic import Server, ask, ping
from tests.runtimes import reach
from tests.runtimes.containers import Podman
from tests.runtimes.documents import place
from tests.runtimes.images import GREETING
from tests.runtimes.node import CONF_DIR, Node

OWN = "/etc/cni/net.d/30-own.conflist"


def settled(node: Node) -> set[str]:
    """Return what may not stay when containers have gone: all but what networks share."""
    words = (" element ", "host link veth", "namespace ", "file ")
    return {line for line in node.remains() if any(word in f" {line}" for word in words)}


def test_a_network_of_ones_own(node: Node, podman: Podman) -> None:
    """Both families, an address and a MAC that were asked for."""
    place("podman", OWN)
    outside = node.host.outside()
    asked = ("--network", "own", "--ip", "10.66.0.77", "--mac-address", "02:00:00:00:00:77")
    podman.run("first", "--network", "own", "--publish", "7999:80")
    podman.remove("first")
    before = node.remains()
    web = podman.run("web", *asked, "--publish", "8080:80")
    podman.run("peer", "--network", "own")
    site = podman.site("web", 8080, "peer")
    assert site.addresses == ("10.66.0.77", "2001:db8:66::3")
    assert web.link("eth0")["address"] == "02:00:00:00:00:77"
    assert reach.troubles(node.host, outside, site) == []
    podman.remove("web", "peer")
    assert node.remains() == before


def test_a_network_that_podman_makes_itself(node: Node, podman: Podman) -> None:
    """With a subnet, a range in it and a gateway; IPv6 besides, and an MTU."""
    outside = node.host.outside()
    chosen = ("--subnet", "10.77.0.0/24", "--ip-range", "10.77.0.128/25", "--gateway", "10.77.0.5")
    more = ("--ipv6", "--subnet", "fd00:77::/64", "--opt", "mtu=1400")
    podman("network", "create", *chosen, *more, "made")
    web = podman.run("web", "--network", "made", "--publish", "8080:80")
    podman.run("peer", "--network", "made")
    site = podman.site("web", 8080, "peer")
    assert site.addresses == ("10.77.0.129", "fd00:77::2")
    assert web.link("eth0")["mtu"] == 1400
    assert "10.77.0.5" in web.run("ip route show default")
    assert reach.troubles(node.host, outside, site) == []
    podman.remove("web", "peer")
    assert settled(node) == set()
    podman("network", "rm", "made")
    assert list(CONF_DIR.glob("*.conflist")) == []


def test_an_internal_network_reaches_only_itself(node: Node, podman: Podman) -> None:
    outside = node.host.outside()
    podman("network", "create", "--internal", "inner")
    web, peer = podman.run("web", "--network", "inner"), podman.run("peer", "--network", "inner")
    address = podman.site("web").addresses[0]
    assert reach.fetched(peer, address, 80) == GREETING
    assert web.run("ip route show default") == ""
    with Server(outside, 9000), pytest.raises(OSError):
        ask(web, "192.0.2.2", 9000)
    podman.remove("web", "peer")
    assert settled(node) == set()


def test_isolated_networks_do_not_reach_each_other(node: Node, podman: Podman) -> None:
    """--opt isolate=1 is ingressPolicy same-bridge of firewall; ports go on answering."""
    outside = node.host.outside()
    for name in ("one", "two"):
        podman("network", "create", "--opt", "isolate=1", name)
    web = podman.run("web", "--network", "one", "--publish", "8080:80")
    near, far = podman.run("near", "--network", "one"), podman.run("far", "--network", "two")
    address = podman.site("web").addresses[0]
    assert reach.fetched(near, address, 80) == GREETING
    assert ping(far, address, timeout_s=1) is None
    assert reach.fetched(outside, "192.0.2.1", 8080) == GREETING
    with Server(outside, 9000):
        assert ask(web, "192.0.2.2", 9000).caller == "192.0.2.1"
    podman.remove("web", "near", "far")
    assert settled(node) == set()


def test_a_network_without_addresses_is_a_cable(node: Node, podman: Podman) -> None:
    podman("network", "create", "--ipam-driver", "none", "cable")
    web, peer = podman.run("web", "--network", "cable"), podman.run("peer", "--network", "cable")
    assert (web.addresses("eth0"), peer.addresses("eth0")) == ([], [])
    for number, inside in enumerate((web, peer), 1):
        inside.run(f"ip address add 192.168.5.{number}/24 dev eth0")
    assert ping(peer, "192.168.5.1") is not None
    podman.remove("web", "peer")
    assert settled(node) == set()


def test_a_container_on_two_networks_publishes_its_port_on_both(node: Node, podman: Podman) -> None:
    """Podman hands the same ports to every network; the port answers until the last one is left."""
    place("podman", OWN)
    podman.run("web", "--network", "podman,own", "--publish", "8080:80")

    def fetched(asker: Namespace = node.host) -> str:
        return reach.fetched(asker, "127.0.0.1", 8080)

    assert fetched() == GREETING
    podman("network", "disconnect", "podman", "web")
    assert fetched() == GREETING
    podman("network", "connect", "podman", "web")
    podman("network", "disconnect", "own", "web")
    assert fetched() == GREETING
    podman.remove("web")
    assert settled(node) == set()
    assert "8080" not in node.host.run("nft list ruleset")
