"""firewall on hosts that drop what is forwarded: real packets, and the rule that lets them through."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from core.kernel.kernel import Kernel
from core.plan.opening import Opening
from tests.harness.configs import mapping
from tests.harness.host import Container, Host
from tests.harness.plugin import Answer, PluginError
from tests.harness.traffic import Server
from tests.kernel.forwarding import (
    BARRIERS,
    BOTH,
    CHAIN,
    CONTAINER,
    DOCKER,
    HOST,
    IPTABLES,
    LAN,
    PORT,
    answers,
    chain,
    neighbourhood,
    out_and_in,
    reaches,
    without,
)

COMMENT = '--comment "cniwire: containers that firewall admits"'
ACCEPT = f"-m mark --mark 0x8000000/0x8000000 -m comment {COMMENT} -j ACCEPT"


@pytest.mark.parametrize("barrier", BARRIERS)
def test_a_container_is_forwarded_whoever_drops_the_rest(host: Host, barrier: str) -> None:
    """F-2: out and in, IPv4 and IPv6; a neighbour of the same network that is not admitted is not."""
    lan = neighbourhood(host)
    host.run(BARRIERS[barrier])
    net = chain(host)
    admitted, other = host.container("c1"), host.container("c2")
    net.add(admitted, portMappings=PORT)
    without(net).add(other, portMappings=[mapping(8081, 81)])
    assert out_and_in(admitted, lan) == [True] * 4
    assert not any(reaches(other, there, 0.2) for there in LAN)
    with Server(other, 81):
        assert not answers(lan, HOST[0], 8081)
    net.check(admitted, portMappings=PORT)


@pytest.mark.parametrize("barrier", ["iptables policy", "nft policy"])
def test_who_was_not_asked_for_stays_out(host: Host, barrier: str) -> None:
    """What is not published is not reached from the LAN, as with the reference."""
    lan = neighbourhood(host)
    host.run(BARRIERS[barrier])
    container = host.container("c1")
    chain(host).add(container, portMappings=PORT)
    with Server(container, 80), Server(container, 81):
        assert [answers(lan, each, port) for each in CONTAINER for port in (80, 81)] == [False] * 4


def test_nobody_is_written_into_where_nobody_drops(host: Host) -> None:
    """A chain that accepts, one that accepts at its end whatever its policy, and one on another hook."""
    host.run(
        f"iptables-nft -N CNI-X; nft 'table inet filter {{ chain forward {{ {CHAIN} policy drop; accept; }};"
        " chain in { type filter hook input priority 0; policy drop; }; }'"
    )
    before = host.state()
    chain(host).add(host.container("c1"))
    assert [line for line in host.state() ^ before if " nft " in line and " cniwire" not in line] == []


@pytest.mark.parametrize(
    ("barrier", "rule"),
    [
        ("nft policy", "nft add rule inet filter forward meta mark and 0x08000000 == 0x08000000 accept"),
        ("iptables policy", "iptables-nft -A FORWARD -m mark --mark 0x8000000/0x8000000 -j ACCEPT"),
    ],
)
def test_an_administrator_may_write_the_rule_himself(host: Host, barrier: str, rule: str) -> None:
    """Once and for all, in the file that is loaded at boot; then nothing is added."""
    host.outside()
    host.run(f"{BARRIERS[barrier]}; {rule}")
    foreign = "nft list ruleset ip; nft list table inet filter || true"
    before, container = host.run(foreign), host.container("c1")
    chain(host).add(container)
    assert host.run(foreign).count(" accept") == before.count(" accept")
    assert "CNI-FORWARD" not in host.run("nft list ruleset ip")
    assert reaches(container, LAN[0])


@pytest.mark.parametrize("tool", BOTH)
def test_iptables_is_shown_the_rule_in_its_own_words(host: Host, tool: str) -> None:
    """F-2 F-3: where Docker has no place for it, in the reference's chains; once, however many containers."""
    host.run(IPTABLES.format(tool))
    net = chain(host, iptablesAdminChainName="NOMAD-ADMIN")
    for name in ("c1", "c2"):
        net.add(host.container(name))
    saved = [line for line in host.run(f"{tool}-save").splitlines() if line.startswith("-A")]
    assert saved == [
        '-A FORWARD -m comment --comment "CNI firewall plugin rules" -j CNI-FORWARD',
        '-A CNI-FORWARD -m comment --comment "CNI firewall plugin admin overrides" -j NOMAD-ADMIN',
        f"-A CNI-FORWARD {ACCEPT}",
    ]
    host.run(f'{tool} -C FORWARD -m comment --comment "CNI firewall plugin rules" -j CNI-FORWARD')
    host.run(f"{tool} -C CNI-FORWARD {ACCEPT}")


def test_docker_s_place_is_used_where_there_is_one(host: Host) -> None:
    """Behind what its user wrote there and before the return."""
    host.run(DOCKER.format("iptables-nft"))
    host.run("iptables-nft -I DOCKER-USER -s 10.9.9.9 -j DROP")
    chain(host).add(host.container("c1"))
    saved = [line for line in host.run("iptables-nft-save").splitlines() if line.startswith("-A DOCKER-USER")]
    assert [line.partition(" -j ")[2] for line in saved] == ["DROP", "ACCEPT", "RETURN"]
    assert "CNI-FORWARD" not in host.run("iptables-nft-save")


@pytest.mark.parametrize("by", ["iptables", "nft"])
@pytest.mark.parametrize("barrier", ["iptables policy", "docker"])
def test_a_rule_that_was_saved_and_restored_is_known_again(host: Host, barrier: str, by: str) -> None:
    """By iptables, which writes it otherwise than we do, and by nft; else each boot would add one."""
    host.run(BARRIERS[barrier])
    net = chain(host)
    net.add(host.container("c1"))
    if by == "iptables":
        for tool in BOTH:
            host.run(f"{tool}-save > {host.folder}/saved; {tool}-restore {host.folder}/saved")
    else:
        text = f"flush ruleset\n{host.run('nft list ruleset')}"
        if host.run("nft --check --file - >/dev/null 2>&1; echo $?", stdin=text) != "0":
            pytest.skip("this nft does not read what it prints of rules that have iptables' comments")
        host.run("nft --file -", stdin=text)
    net.add(host.container("c2"))
    for tool in BOTH:
        assert host.run(f"{tool}-save").count("-m mark --mark 0x8000000/0x8000000 ") == 1
        assert host.run(f"{tool}-save").count("-A FORWARD") == 1


def test_many_at_once_open_a_chain_once(host: Host) -> None:
    """The first containers of a host, all of which find it closed."""
    host.run(BARRIERS["all of them"])
    containers = [host.container(f"c{number}") for number in range(8)]
    net = chain(host)
    config = net.derived(net.plugins[2], {"cniVersion": "1.1.0", "interfaces": [{"name": "br0"}]})

    def attach(container: Container) -> Answer:
        ips = [
            {"address": f"10.1.0.{2 + int(container.name[1:])}/24"},
            {"address": f"fd01::{container.name}/64"},
        ]
        with host.entered():
            return host.call("ADD", {**config, "prevResult": {**config["prevResult"], "ips": ips}}, container)

    with ThreadPoolExecutor(8) as pool:
        outcome = list(pool.map(attach, containers))
    assert [each.exit_code for each in outcome] == [0] * 8, outcome
    listed = host.run("nft list ruleset")
    assert listed.count("accept comment") == 3  # DOCKER-USER twice, inet filter


def test_whoever_comes_second_writes_nothing(host: Host) -> None:
    """Somebody else opens the chain between our look and our writing, which the kernel then refuses."""
    host.run(BARRIERS["nft policy"])
    want = Opening("inet", "filter", "forward")
    with Kernel("") as first, Kernel("") as second:
        commit = second.netfilter.commit

        def late(*arguments: Any, **named: Any) -> None:
            second.netfilter.commit = commit  # type: ignore[method-assign]
            first.create(want)
            commit(*arguments, **named)

        second.netfilter.commit = late  # type: ignore[method-assign]
        with pytest.raises(FileExistsError):
            second.create(want)
        assert second.find(want) == want
    assert host.run("nft list ruleset").count("accept comment") == 1


@pytest.mark.parametrize(
    ("barrier", "refusal"),
    [
        ("iptables policy", "iptables-nft -A CNI-ADMIN -s 10.1.0.2 -j DROP"),
        ("docker", "iptables-nft -I DOCKER-USER -s 10.1.0.2 -j DROP"),
        ("nft policy", "nft insert rule inet filter forward ip saddr 10.1.0.2 drop"),
        ("nft rule", "nft insert rule inet filter forward ip saddr 10.1.0.2 drop"),
    ],
)
def test_what_the_administrator_says_comes_first(host: Host, barrier: str, refusal: str) -> None:
    """F-3: and a second ADD changes nothing about it."""
    host.outside()
    host.run(BARRIERS[barrier])
    net, container = chain(host), host.container("c1")
    net.add(container)
    assert reaches(container, LAN[0], 0.5)
    host.run(refusal)
    net.add(host.container("c2"))
    assert not reaches(container, LAN[0], 0.5)


@pytest.mark.parametrize(
    ("barrier", "harm"),
    [
        ("iptables policy", "iptables-nft -F CNI-FORWARD"),
        ("iptables policy", "iptables-nft -I CNI-FORWARD 2 -j RETURN"),
        ("docker", "iptables-nft -F DOCKER-USER"),
        ("nft policy", "nft flush chain inet filter forward"),
        ("nft policy", "nft insert rule inet filter forward counter drop"),
        ("nft policy", "nft flush chain inet cniwire admit"),
        ("nft policy", "nft flush ruleset; " + BARRIERS["nft policy"]),
    ],
)
def test_check_tells_of_harm_and_the_next_add_mends_it(host: Host, barrier: str, harm: str) -> None:
    """An operator's reload, a flushed chain, something in front of our rule."""
    lan = neighbourhood(host)
    host.run(BARRIERS[barrier])
    net, container = chain(host), host.container("c1")
    net.add(container, portMappings=PORT)
    host.run(harm)
    assert out_and_in(container, lan)[1] is False
    with pytest.raises(PluginError) as told:
        net.check(container, portMappings=PORT)
    assert told.value.code == 101
    if "ruleset" in harm:  # our elements went, too: this one is to be attached anew
        net.delete(container, portMappings=PORT)
        net.add(container, portMappings=PORT)
    net.add(host.container("c2"))
    assert out_and_in(container, lan)[:2] == [True, True]
    net.check(container, portMappings=PORT)


def test_a_host_that_begins_to_drop_later_admits_all_once_anybody_is_added(host: Host) -> None:
    """Docker is installed while containers run."""
    host.outside()
    net, first = chain(host), host.container("c1")
    net.add(first)
    host.run(BARRIERS["docker"])
    assert not reaches(first, LAN[0], 0.3)
    net.add(host.container("c2"))
    assert reaches(first, LAN[0])


@pytest.mark.parametrize("verb", ["ADD", "CHECK", "STATUS"])
def test_a_table_that_is_managed_as_a_whole_is_named_and_not_written(host: Host, verb: str) -> None:
    """firewalld writes its own anew whenever it likes. ADD and CHECK succeed, and say who drops."""
    host.run(
        f"nft 'table inet firewalld {{ chain filter_FORWARD {{ {CHAIN} ct state invalid drop; reject; }}; }}'"
    )
    before = host.run("nft -a list table inet firewalld")
    net, container = chain(host), host.container("c1")
    net.add(container)
    config = net.derived(net.plugins[2], net.results["c1", "eth0"])
    again = host.call("DEL", config, container)
    assert again.exit_code == 0
    answers_ = [host.call(each, config, container) for each in dict.fromkeys(("ADD", verb))]
    assert [each.exit_code for each in answers_] == [0] * len(answers_)
    told = "table inet firewalld, chain filter_FORWARD drops what is forwarded (by its rule with handle "
    assert answers_[-1].stderr.startswith(f"firewall: {told}")
    assert answers_[-1].stderr.count("\n") == 1
    assert host.run("nft -a list table inet firewalld") == before


def test_the_mark_is_gone_behind_the_forward_hook(host: Host) -> None:
    """And whoever brings it along is not admitted for it."""
    lan = host.outside()
    lan.run("nft 'table ip spy { chain in { type filter hook input priority 0; counter; }; }'")
    host.run(BARRIERS["nft policy"])
    count = "add rule inet spy {0} meta mark and 0x08000000 == 0x08000000 counter"
    host.run(
        "nft 'table inet spy { chain mid { type filter hook forward priority 10; };"
        " chain end { type filter hook postrouting priority 0; }; chain brought { type filter hook prerouting"
        " priority -200; ip saddr 10.1.0.3 meta mark set mark or 0x08000005; }; };"
        f" {count.format('mid')}; {count.format('end')}'"
    )
    net, admitted, other = chain(host), host.container("c1"), host.container("c2")
    net.add(admitted)
    without(net).add(other)
    assert not reaches(other, LAN[0], 0.3)
    assert "counter packets 0 " in lan.run("nft list table ip spy")
    assert reaches(admitted, LAN[0])
    assert "counter packets 0 " not in host.run("nft list chain inet spy mid")
    assert "counter packets 0 " in host.run("nft list chain inet spy end")
