"""The iptables backends through all verbs. Packets: test_portmap_traffic; rules: test_iptables_shapes."""

import json
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.harness.configs import mapping
from tests.harness.host import Host
from tests.harness.plugin import PluginError
from tests.harness.traffic import Server, ask
from tests.kernel.iptables import VARIANTS, chain, of_attachments, saved, use

PORTS = [mapping(8080), mapping(53, 53, "udp")]


@pytest.fixture
def nft(host: Host, monkeypatch: pytest.MonkeyPatch) -> str:
    use(host, monkeypatch, "nft")
    return "nft"


@pytest.mark.parametrize("variant", VARIANTS)
def test_nothing_of_an_attachment_is_left(host: Host, monkeypatch: pytest.MonkeyPatch, variant: str) -> None:
    """P-21 P-43 P-45: DEL twice, GC; whatever backend the configuration names by then; others keep theirs."""
    use(host, monkeypatch, variant)
    net, now = chain(host, version="1.1.0"), chain(host, version="1.1.0")
    now.plugins = [{**now.plugins[0], "ipMasqBackend": "nftables"}, {**now.plugins[1], "backend": "nftables"}]
    other = chain(host, name="other")
    kept, first, second = host.container("c0"), host.container("c1"), host.container("c2")
    net.add(kept, portMappings=[mapping(1)])
    other.add(first, "eth1", portMappings=PORTS)
    before, links = saved(host, variant), host.links()
    net.add(first, portMappings=PORTS)
    net.add(second, portMappings=[mapping(81)])
    for _ in range(2):
        now.delete("c1")
    now.gc(kept)
    assert (saved(host, variant), host.links()) == (before, links)
    net.check(kept, portMappings=[mapping(1)])
    other.delete(first, "eth1", portMappings=PORTS)
    net.delete(kept, portMappings=[mapping(1)])
    assert of_attachments(saved(host, variant)) == []
    assert host.run("nft list ruleset").count("cniwire") == 0


def test_two_interfaces_on_one_network_do_not_share_their_rules(host: Host, nft: str) -> None:
    """P-43: nor does the DEL of one, repeated, take the other's away."""
    net, container = chain(host), host.container()
    net.add(container, portMappings=[mapping(1)])
    first = of_attachments(saved(host))
    net.add(container, "net1", portMappings=[mapping(2)])
    both = of_attachments(saved(host))
    assert len(both) == 2 * len(first)
    for _ in range(2):
        net.delete(container, "net1", portMappings=[mapping(2)])
        assert of_attachments(saved(host)) == first
    net.delete(container, portMappings=[mapping(1)])
    assert of_attachments(saved(host)) == []


MARK = "-s 10.1.0.0/24 -p tcp -m tcp --dport 8080 -j CNI-HOSTPORT-SETMARK"
EDITS = {
    "-F CNI-HOSTPORT-DNAT": "CNI-HOSTPORT-DNAT has lost",
    "-D PREROUTING 1": "PREROUTING has lost",
    "-D POSTROUTING 1": "POSTROUTING has lost",
    "-F CNI-HOSTPORT-MASQ": "CNI-HOSTPORT-MASQ has lost",
    "-F {dn}": "{dn} has other rules",
    "-D {dn} 2": "{dn} has other rules",
    "-I {dn} 1 -j ACCEPT": "{dn} has other rules",
    f"-D {{dn}} 1; iptables -t nat -A {{dn}} {MARK}": "{dn} has other rules",
    "-D PREROUTING 1; iptables -t raw -F": "PREROUTING has lost ! -i lo",
}


def test_check_tells_each_rule_that_is_not_as_made(host: Host, nft: str) -> None:
    """P-29: rules, their order, and what all share; the next ADD mends it."""
    net, container = chain(host), host.container()
    result = net.add(container, portMappings=PORTS)
    config = net.derived(net.plugins[1], result, {"portMappings": PORTS})
    chains = [each[1:].partition(" ")[0] for each in of_attachments(saved(host)) if each.startswith(":")]
    names = {"masq": chains[0], "dn": chains[1]}
    for edit, words in EDITS.items():
        net.call("CHECK", config, container, "eth0")
        host.run(f"iptables -t nat {edit.format(**names)}")
        with pytest.raises(PluginError) as told:
            net.call("CHECK", config, container, "eth0")
        assert words.format(**names) in told.value.msg + told.value.details
        net.call("ADD", config, container, "eth0")
    net.check(container, portMappings=PORTS)
    host.run("iptables -t nat -D {masq} 2".format(**names))
    with pytest.raises(PluginError, match=f"{names['masq']} has other rules"):
        net.check(container, portMappings=PORTS)


def test_a_port_that_is_taken(host: Host, nft: str) -> None:
    """P-47: the error tells who has it, and nothing is changed; its own container on another network may."""
    net, first, second = chain(host), host.container("c1"), host.container("c2")
    net.add(first, portMappings=PORTS)
    bridged = host.network(net.plugins[0])
    result = bridged.add(second)
    before = host.state(second)
    for mappings in ([mapping(8080)], [mapping(9), mapping(8080, hostIP="10.1.0.1")]):
        with pytest.raises(PluginError, match=r"8080/tcp is already taken by dnat name.*c1") as refused:
            net.call("ADD", net.derived(net.plugins[1], result, {"portMappings": mappings}), second, "eth0")
        assert (refused.value.code, host.state(second)) == (105, before)
    config = net.derived(net.plugins[1], result, {"portMappings": [mapping(8080, 80, "udp")]})
    net.call("ADD", config, second, "eth0")
    chain(host, name="other").add(first, "eth1", portMappings=PORTS)


@pytest.mark.parametrize("missing", ["ip6tables-save", "ip6tables-restore", "iptables-restore"])
def test_where_a_tool_is_missing_add_leaves_nothing(
    host: Host, monkeypatch: pytest.MonkeyPatch, missing: str
) -> None:
    """P-45 U-11: IPv4's rules go again where IPv6's cannot be made; DEL succeeds; STATUS tells."""
    use(host, monkeypatch, "nft")
    net, container = chain(host, version="1.1.0"), host.container()
    net.add(container, portMappings=PORTS)
    net.status()
    net.delete(container, portMappings=PORTS)
    result = host.network(net.plugins[0]).add(container)
    before = host.state(container)
    use(host, monkeypatch, "nft", missing)
    config = net.derived(net.plugins[1], result, {"portMappings": PORTS})
    with pytest.raises(PluginError, match=missing) as refused:
        net.call("ADD", config, container, "eth0")
    assert (refused.value.code, host.state(container)) == (100, before)
    net.delete(container, portMappings=PORTS)
    assert of_attachments(saved(host)) == []
    if not missing.startswith("ip6"):
        with pytest.raises(PluginError, match=missing) as told:
            net.status()
        assert told.value.code == 50


def test_a_lock_that_is_held_is_waited_for_and_then_tried_again(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No longer than the verb may last; code 11, and nothing is left. iptables-nft has no lock."""
    use(host, monkeypatch, "legacy")
    net, container = chain(host), host.container()
    net.plugins = [{**each, "timeoutSeconds": 3} for each in net.plugins]
    before = host.state(container)
    with subprocess.Popen(["flock", "--no-fork", "/run/xtables.lock", "sleep", "30"]) as holder:
        time.sleep(0.2)
        began = time.monotonic()
        with pytest.raises(PluginError, match="xtables lock") as refused:
            net.add(container, portMappings=PORTS)
        assert (refused.value.code, time.monotonic() - began < 6) == (11, True)
        holder.terminate()
    left = {each for each in host.state(container) if "eth0" in each or each.startswith("file")}
    assert left <= {each for each in before if "eth0" in each}
    assert of_attachments(saved(host, "legacy")) == []
    net.add(container, portMappings=PORTS)


@pytest.mark.parametrize("variant", VARIANTS)
def test_many_at_once(host: Host, monkeypatch: pytest.MonkeyPatch, variant: str) -> None:
    """P-25 U-10: the first ADDs of a node make what is shared once; DELs of one attachment all succeed."""
    use(host, monkeypatch, variant)
    net = chain(host)
    containers = [host.container(f"c{number}") for number in range(5)]
    result = host.network(net.plugins[0]).add(containers[0])
    bare = of_attachments(saved(host, variant))

    def call(command: str, number: int) -> int:
        config = net.derived(net.plugins[1], result, {"portMappings": [mapping(8080 + number)]})
        answer = host.call(command, config, containers[number])
        assert answer.exit_code == 0, answer
        return answer.exit_code

    with ThreadPoolExecutor(5) as pool:
        assert list(pool.map(lambda number: call("ADD", number), range(5))) == [0] * 5
        shared = [each for each in saved(host, variant) if each not in of_attachments(saved(host, variant))]
        assert len(shared) == 2 * len(set(shared))  # once in each family
        assert list(pool.map(lambda number: call("DEL", number % 2), range(6))) == [0] * 6
        assert list(pool.map(lambda number: call("DEL", number), range(5))) == [0] * 5
    assert of_attachments(saved(host, variant)) == bare


def test_udp_goes_to_the_new_container_at_once(host: Host, nft: str) -> None:
    """P-36 P-49: the flows of a port are forgotten by DEL and GC, which know it from its rules alone."""
    outside, net = host.outside(), chain(host, version="1.1.0")
    for name in ("c1", "c2", "c3"):
        container = host.container(name)
        net.add(container, portMappings=PORTS)
        with Server(container, 53, "udp"):
            assert ask(outside, "192.0.2.1", 53, "udp", source=("192.0.2.2", 40000)).server == name
            assert ask(outside, "2001:db8:ff::1", 53, "udp").server == name
        assert host.run("conntrack -L -p udp 2>/dev/null").count("dport=53 ") > 0
        net.delete(name) if name == "c1" else net.gc()
        assert (
            host.run(
                "(conntrack -L -p udp; conntrack -L -f ipv6 -p udp) 2>/dev/null | grep -c 'dport=53 '; :"
            )
            == "0"
        )


def test_an_add_that_fails_later_leaves_no_rules(host: Host, nft: str) -> None:
    """B-35: the container's link cannot get its address, when the rules are there."""
    net, container = chain(host), host.container()
    route = {"dst": "10.9.0.0/16", "gw": "10.77.0.1"}  # through nowhere
    answer = {"cniVersion": "1.0.0", "ips": [{"address": "10.1.0.2/24"}], "routes": [route]}
    ipam = host.ipam(f"""[ "$CNI_COMMAND" != ADD ] || echo '{json.dumps(answer)}'""")
    (ipam / "bridge").symlink_to(host.plugins / "bridge")
    config = {**net.derived(net.plugins[0]), "isDefaultGateway": False, "ipam": {"type": "fake"}}
    assert host.call("ADD", config, container, CNI_PATH=str(ipam)).exit_code == 1
    assert of_attachments(saved(host)) == []
