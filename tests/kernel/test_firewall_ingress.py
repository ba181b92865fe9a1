"""firewall's ingressPolicy: who does not reach whom, in IPv4 and IPv6, with and without br_netfilter."""

import socket
import time
from pathlib import Path

import pytest

from tests.harness.host import Container, Host
from tests.harness.namespace import Namespace
from tests.harness.network import Network
from tests.harness.traffic import Server
from tests.kernel.forwarding import (
    BARRIERS,
    HOST,
    LAN,
    PORT,
    answers,
    chain,
    elements,
    neighbourhood,
    reaches,
)

POLICIES = ("open", "same-bridge", "isolated")
NETFILTER = Path("/proc/sys/net/bridge")
GATEWAYS = ("10.1.0.1", "fd01::1")
BEHIND = [  # addresses of a second network on the same bridge
    [{"subnet": "10.1.0.0/24", "rangeStart": "10.1.0.100"}],
    [{"subnet": "fd01::/64", "rangeStart": "fd01::100"}],
]


@pytest.fixture(params=["0", "1"], ids=["bridge-nf off", "bridge-nf on"])
def bridged(request: pytest.FixtureRequest, host: Host) -> Host:
    """A host whose bridges hand frames to iptables, or not; one that cannot is as one that does not."""
    if not NETFILTER.exists() and request.param == "1":
        pytest.skip("this kernel has no br_netfilter")
    for name in ("iptables", "ip6tables"):
        if NETFILTER.exists():
            host.sysctl(f"net/bridge/bridge-nf-call-{name}", request.param)
    return host


def two_of_one_and_one_of_another(host: Host, policy: str) -> tuple[Network, list[Container]]:
    """Containers a and b on br0, and c on br1; c's port is published."""
    first = chain(host, ingressPolicy=policy)
    other = chain(host, name="other", link="br1", net=2, ingressPolicy=policy)
    a, b, c = [host.container(each) for each in "abc"]
    first.add(a)
    first.add(b)
    other.add(c, portMappings=PORT)
    return first, [a, b, c]


def settled(space: Namespace, command: str, wanted: str) -> str:
    """What *command* says once *wanted* is in it, or after half a second."""
    said = ""
    for _ in range(10):
        said = space.run(command)
        if wanted in said and "packets 0 " not in wanted:
            break
        time.sleep(0.05)
    return said


def addresses(*containers: Container) -> list[str]:
    return [text.partition("/")[0] for each in containers for text in each.addresses("eth0")]


@pytest.mark.parametrize("policy", POLICIES)
def test_within_a_bridge_and_across(bridged: Host, policy: str) -> None:
    """F-6 F-7: same-bridge lets neighbours in, isolated nobody; everybody reaches host and LAN.

    The LAN reaches what is published.
    """
    lan = neighbourhood(bridged)
    net, (a, b, c) = two_of_one_and_one_of_another(bridged, policy)
    within = [reaches(a, each, 0.2) for each in addresses(b)]
    across = [reaches(one, each, 0.2) for one, other in ((a, c), (c, a)) for each in addresses(other)]
    assert (within, across) == ([policy != "isolated"] * 2, [policy == "open"] * 4)
    assert all(reaches(a, each) for each in (*GATEWAYS, *LAN))
    assert all(reaches(bridged, each) for each in addresses(a, b, c))
    with Server(c, 80):
        assert [answers(lan, each, 8080) for each in HOST] == [True, True]
        assert answers(a, HOST[0], 8080) == (policy == "open")
    net.check(a)


def test_a_host_that_drops_lets_neighbours_talk_and_strangers_not(bridged: Host) -> None:
    """F-6: with iptables in the way of bridged frames, too."""
    bridged.run(BARRIERS["iptables policy"])
    _, (a, b, c) = two_of_one_and_one_of_another(bridged, "same-bridge")
    assert [reaches(a, each, 0.2) for each in addresses(b, c)] == [True, True, False, False]


@pytest.mark.parametrize(("policy", "count"), [("open", 2), ("same-bridge", 0)])
def test_a_forged_source_does_not_get_across(host: Host, policy: str, count: int) -> None:
    """The interface that a packet comes in through decides, which no container chooses."""
    host.run(
        "nft 'table ip spy { chain f { type filter hook postrouting priority 0; udp dport 7 counter; }; }'"
    )
    _, (a, _, c) = two_of_one_and_one_of_another(host, policy)
    a.run("ip address add 192.0.2.77/32 dev eth0")
    host.sysctl("net/ipv4/conf/all/rp_filter", 0)
    host.sysctl("net/ipv4/conf/br0/rp_filter", 0)
    with a.entered():
        sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    with sender:
        sender.bind(("192.0.2.77", 0))
        sender.sendto(b"x", (addresses(c)[0], 7))
        sender.sendto(b"x", (addresses(c)[0], 7))
    assert f"packets {count} " in settled(host, "nft list table ip spy", f"packets {count} ")


def test_isolated_keeps_everybody_else_of_its_bridge_away_and_harms_none_of_them(host: Host) -> None:
    """F-7: a container of an open network on the same bridge, which talks to its likes."""
    alone = chain(host, name="alone", ingressPolicy="isolated")
    free = chain(host, name="free", ingressPolicy="open", ranges=BEHIND)
    a, b, c = [host.container(each) for each in "abc"]
    alone.add(a)
    free.add(b)
    free.add(c)
    assert [reaches(b, each, 0.2) for each in addresses(a, c)] == [False, False, True, True]
    assert [reaches(a, each, 0.2) for each in addresses(b)] == [False, False]


@pytest.mark.parametrize(("policy", "count"), [("open", 2), ("isolated", 0)])
def test_no_frame_gets_to_whoever_is_isolated(bridged: Host, policy: str, count: int) -> None:
    """F-7: from a container of an open network; ping would only tell that no answer comes back."""
    alone, free = (
        chain(bridged, name="alone", ingressPolicy=policy),
        chain(bridged, name="free", ranges=BEHIND),
    )
    a, b = bridged.container("a"), bridged.container("b")
    alone.add(a)
    free.add(b)
    a.run("nft 'table ip spy { chain in { type filter hook input priority 0; udp dport 7 counter; }; }'")
    mac = a.link("eth0")["address"]
    b.run(f"ip neighbour add {addresses(a)[0]} lladdr {mac} dev eth0")  # no answer is needed
    with b.entered():
        sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    with sender:
        for _ in range(2):
            sender.sendto(b"x", (addresses(a)[0], 7))
    assert f"packets {count} " in settled(a, "nft list table ip spy", f"packets {count} ")


@pytest.mark.parametrize("policy", ["same-bridge", "isolated"])
@pytest.mark.parametrize("verb", ["DEL", "GC"])
def test_no_chain_names_a_bridge_whose_last_container_is_gone(host: Host, policy: str, verb: str) -> None:
    """F-4: and the other network's stays."""
    net, (a, b, _) = two_of_one_and_one_of_another(host, policy)
    assert host.run("nft list table inet cniwire").count('iifname "br0" drop') == 1
    if verb == "DEL":
        net.delete(a)
        assert f"fence-{policy}-br0" in host.run("nft list table inet cniwire")
        net.delete(b)
    else:
        net.gc()
    left = host.run("nft list ruleset")
    assert ("br0" in left, f"fence-{policy}-br1" in left) == (False, True)
    assert list(elements(host, "fenced4-bridges").values()) == ["other/c/eth0"]


@pytest.mark.parametrize("policy", ["same-bridge", "isolated"])
def test_a_policy_needs_an_interface_of_the_host(host: Host, policy: str) -> None:
    """As with the reference; nothing is changed."""
    net, container = chain(host, ingressPolicy=policy), host.container("c1")
    result = {
        "cniVersion": "1.1.0",
        "interfaces": [{"name": "eth0", "sandbox": "/x"}],
        "ips": [{"address": "10.1.0.2/24"}],
    }
    before = host.state()
    answer = host.call("ADD", net.derived(net.plugins[2], result), container)
    assert (answer.exit_code, answer.output["code"]) == (1, 7)
    assert f"ingressPolicy: {policy} needs a bridge" in answer.output["msg"]
    assert host.state() == before


def test_check_tells_of_a_fence_that_is_gone_and_the_next_add_mends_it(host: Host) -> None:
    """F-2: each chain that makes it up."""
    net, (a, b, _) = two_of_one_and_one_of_another(host, "isolated")
    harms = (
        "nft flush chain inet cniwire strangers",
        "nft flush chain inet cniwire fence",
        "nft flush chain inet cniwire fence-isolated-br0",
        "nft flush chain bridge cniwire forward",
    )
    for number, harm in enumerate(harms):
        host.run(harm)
        config = net.derived(net.plugins[2], net.results["a", "eth0"])
        assert host.call("CHECK", config, a).output["code"] == 101, harm
        net.add(host.container(f"more{number}"))
        assert host.call("CHECK", config, a).exit_code == 0, harm
    assert [reaches(a, each, 0.2) for each in addresses(b)] == [False, False]
