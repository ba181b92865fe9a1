"""firewall's verbs: what stands in nft for a container, and that nothing is left of it."""

import json
from typing import Any

import pytest

from tests.harness.configs import bridge
from tests.harness.host import Host
from tests.harness.traffic import Server
from tests.kernel.forwarding import (
    BARRIERS,
    BOTH,
    FIREWALL,
    GO,
    HOST,
    LAN,
    PORT,
    answers,
    chain,
    elements,
    needs_go,
    neighbourhood,
    reaches,
)


def firewall(host: Host, version: str = "1.1.0", **keys: Any) -> dict[str, Any]:
    """A request behind a bridge that was not run."""
    result = {
        "cniVersion": version,
        "interfaces": [{"name": "br0"}, {"name": "veth1"}, {"name": "eth0", "sandbox": "/run/netns/c1"}],
        "ips": [{"version": "4", "address": "10.1.0.2/24", "interface": 2, "gateway": "10.1.0.1"}],
        "dns": {"nameservers": ["10.1.0.1"]},
        "somebody's": [1, {"x": None}],
    }
    return {**FIREWALL, "name": "net", "cniVersion": version, "prevResult": result, **keys}


def test_add_echoes_prev_result_and_del_needs_none(host: Host) -> None:
    """F-1 F-4: elements with their owner, for both families; DEL without prevResult, twice."""
    net, container = chain(host, ingressPolicy="isolated"), host.container("c1")
    other = host.container("c2")
    net.add(other)
    before = host.state()
    result = net.add(container)
    behind = net.derived(net.plugins[2], result)
    assert host.call("ADD", behind, container).output == result
    assert elements(host, "admitted4") == {"10.1.0.3": "net/c1/eth0", "10.1.0.2": "net/c2/eth0"}
    assert len(elements(host, "fenced6-bridges")) == len(elements(host, "alone", "bridge")) == 2
    for _ in range(2):
        answer = host.call("DEL", net.derived(net.plugins[2]), "c1")
        assert (answer.exit_code, answer.output, answer.stderr) == (0, None, "")
    net.delete(container)
    assert host.state() == before


@pytest.mark.parametrize("version", ["0.4.0", "1.0.0", "1.1.0"])
def test_every_version_gets_its_result_back(host: Host, version: str) -> None:
    """F-1: whatever else stands in it."""
    config = firewall(host, version)
    answer = host.call("ADD", config, host.container("c1"))
    assert answer.exit_code == 0, answer
    expected = dict(config["prevResult"])
    if version != "0.4.0":
        expected["ips"] = [{key: value for key, value in expected["ips"][0].items() if key != "version"}]
    assert answer.output == expected


def test_gc_keeps_who_is_valid(host: Host) -> None:
    """F-4: in both tables."""
    net = chain(host, ingressPolicy="isolated")
    keeps, goes = host.container("c1"), host.container("c2")
    net.add(keeps)
    net.add(goes)
    net.gc(keeps)
    for name, family in (("admitted4", "inet"), ("fenced6-bridges", "inet"), ("alone", "bridge")):
        assert list(elements(host, name, family).values()) == ["net/c1/eth0"]
    net.check(keeps)


def test_status_says_that_all_is_well(host: Host) -> None:
    answer = host.call("STATUS", {**FIREWALL, "name": "net", "cniVersion": "1.1.0"})
    assert (answer.exit_code, answer.output, answer.stderr) == (0, None, "")


def test_a_result_without_addresses_needs_nothing(host: Host) -> None:
    """A switch, as Podman has it with --ipam-driver none."""
    net, container = host.network(bridge(), FIREWALL), host.container("c1")
    before = {line for line in host.state() if " nft " in line}
    net.add(container)
    net.check(container)
    assert {line for line in host.state() if " nft " in line} == before


def test_isolated_without_addresses_is_isolated(host: Host) -> None:
    """F-7: frames need none."""
    net = host.network(bridge(), {**FIREWALL, "ingressPolicy": "isolated"})
    containers = [host.container(each) for each in ("c1", "c2")]
    for number, each in enumerate(containers, 1):
        net.add(each)
        each.run(f"ip address add 198.51.100.{number}/24 dev eth0")
    assert not reaches(containers[0], "198.51.100.2", 0.4)
    for each in containers:
        net.check(each)
        net.delete(each)
    assert elements(host, "alone", "bridge") == {}


NAME_OF_A_CHAIN = "iptablesAdminChainName: want a chain's name of at most 28 bytes, found "
LONG_NAME = {"interfaces": [{"name": "x" * 16}]}
WRONG = (
    ({"ingressPolicy": "x"}, 7, 'ingressPolicy: want "open" or "same-bridge" or "isolated", found "x"'),
    ({"ingressPolicy": 1}, 7, "ingressPolicy: want a string, found 1"),
    ({"backend": ["nftables"]}, 7, 'backend: want a string, found ["nftables"]'),
    ({"backend": "firewalld"}, 11, 'backend: "firewalld" does not run'),
    ({"iptablesAdminChainName": "-x"}, 7, f'{NAME_OF_A_CHAIN}"-x"'),
    ({"iptablesAdminChainName": "x" * 29}, 7, NAME_OF_A_CHAIN),
    ({"iptablesAdminChainName": "a b"}, 7, f'{NAME_OF_A_CHAIN}"a b"'),
    ({"firewalldZone": 5}, 7, "firewalldZone: want a string, found 5"),
    ({"firewalldZone": "a\nb"}, 7, "firewalldZone: want the name of a zone of firewalld, found"),
    ({"prevResult": None}, 7, "prevResult: firewall must be called as a chained plugin"),
    ({"prevResult": {"ips": [{"address": "x"}]}}, 6, "cannot decode prevResult: ips[0].address"),
    ({"prevResult": LONG_NAME, "ingressPolicy": "isolated"}, 7, "prevResult: want the name"),
)


@pytest.mark.parametrize(("keys", "code", "said"), WRONG)
def test_bad_input_is_named_and_changes_nothing(
    host: Host, keys: dict[str, Any], code: int, said: str
) -> None:
    before, container = host.state(), host.container("c1")
    answer = host.call("ADD", firewall(host, **keys), container)
    assert (answer.exit_code, answer.output["code"]) == (1, code)
    assert answer.output["msg"].startswith(said), answer.output
    assert host.state() == before
    assert host.call("DEL", firewall(host, **keys), container).exit_code == 0
    assert host.state() == before


def test_an_unknown_backend_is_as_good_as_none_and_told(host: Host) -> None:
    """As with the reference, which says nothing."""
    answer = host.call("ADD", firewall(host, backend="pf"), host.container("c1"))
    assert answer.exit_code == 0
    assert answer.stderr.startswith(
        'firewall: backend: want "nftables", "iptables" or "firewalld", found "pf"'
    )
    assert list(elements(host, "admitted4")) == ["10.1.0.2"]


def test_an_address_of_somebody_alive_is_refused_and_of_somebody_dead_taken_over(host: Host) -> None:
    """The host veth of the first tells which; nothing of the second is left."""
    net, first, second = chain(host), host.container("c1"), host.container("c2")
    result = net.add(first)
    before = host.state()
    answer = host.call("ADD", net.derived(net.plugins[2], result), second)
    assert (answer.exit_code, answer.output["code"]) == (1, 100)
    assert "admitted4 element 10.1.0.2 is already taken by net/c1/eth0" in answer.output["msg"]
    assert host.state() == before
    host.run(f"ip link delete {host.veth('net/c1/eth0')}")
    answer = host.call("ADD", net.derived(net.plugins[2], result), second)
    assert answer.exit_code == 0, answer
    assert [each.partition(" ")[0] for each in elements(host, "admitted4").values()] == ["net/c2/eth0"]


@needs_go
@pytest.mark.parametrize("tool", BOTH)
def test_what_the_go_plugin_made_is_content_and_deleted(host: Host, tool: str) -> None:
    """F-4: a node that switches: CHECK is content, DEL with prevResult leaves the chains and no rule of it.

    A neighbour's stay.
    """
    theirs, ours = chain(host), chain(host)
    theirs.suites = {"firewall": GO}
    theirs.version = ours.version = "1.0.0"
    first, second = host.container("c1"), host.container("c2")
    for each in (first, second):
        theirs.add(each)
    ours.results = dict(theirs.results)
    ours.check(first)
    count = host.run(f"{tool}-save").count("-j ACCEPT")
    ours.delete(first)
    saved = host.run(f"{tool}-save")
    assert (count, saved.count("-j ACCEPT")) == (4, 2)
    assert ("10.1.0.2" in saved or "fd01::2/" in saved, "CNI-ADMIN" in saved) == (False, True)
    ours.check(second)


@needs_go
def test_the_go_plugin_s_chain_takes_our_rule_and_its_own(host: Host) -> None:
    """Containers of both suites on a host that drops; theirs is content with the chains as we make them."""
    host.outside()
    host.run(BARRIERS["iptables policy"])
    ours, theirs = chain(host), chain(host)
    theirs.suites = {"firewall": GO}
    ours.version = theirs.version = "1.0.0"
    first, second = host.container("c1"), host.container("c2")
    ours.add(first)
    theirs.add(second)
    theirs.check(second)
    ours.check(first)
    assert host.run("iptables-nft-save").count("-A FORWARD") == 1
    assert reaches(first, LAN[0])
    assert reaches(second, LAN[0])


@pytest.mark.parametrize("suite", ["ours", pytest.param("Go", marks=needs_go)])
def test_podman_s_default_chain(host: Host, suite: str) -> None:
    """bridge, portmap, firewall and tuning, ours or the Go suite's, in the shape that Podman writes it."""
    lan = neighbourhood(host)
    host.run(BARRIERS["docker"])
    net = chain(host, {"type": "tuning"}, backend="")
    net.version, net.suites = "0.4.0", {"tuning": GO} if suite == "Go" else {}
    container = host.container("c1")
    before = host.state()
    net.add(container, portMappings=PORT)
    net.check(container, portMappings=PORT)
    with Server(container, 80):
        assert [answers(lan, each, 8080) for each in HOST] == [True, True]
    net.delete(container, portMappings=PORT)
    net.delete("c1")
    left = [line for line in host.state() - before if "10.1.0.2" in line or "/c1/" in line]
    assert left == []


def test_the_rule_set_is_read_again_by_nft(host: Host) -> None:
    """Saved, flushed and loaded: no difference to CHECK."""
    net, container = chain(host, ingressPolicy="isolated"), host.container("c1")
    host.run(BARRIERS["all of them"])
    net.add(container)
    text = host.run("nft list ruleset")
    host.run("nft flush ruleset; nft -f -", stdin=text)
    net.check(container)
    assert json.loads(host.run("nft --json list table bridge cniwire"))["nftables"]
