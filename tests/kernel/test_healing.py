"""What others do to our shared rules: CHECK names it, the next ADD mends it, and packets are translated."""

import json

import pytest

from tests.harness.configs import PORTMAP, bridge, mapping
from tests.harness.host import Host
from tests.harness.network import Network
from tests.harness.plugin import PluginError
from tests.harness.traffic import Server, ask

INET, BRIDGE = "inet cniwire", "bridge cniwire"
RETURNS = "nft flush chain {0} {1}; nft add rule {0} {1} return"
INSERTED = "nft insert rule {0} {1} accept"
MARKED = "nft flush chain {0} {1}; for each in 1 2 3 4 5; do nft add rule {0} {1} counter comment v2; done"
# Base chains, what they jump to, and the chains of prefixes: flushed, replaced, and with something in front.
CHAINS = [
    *[
        (INET, name)
        for name in (
            "loopback",
            "hostports",
            "prerouting",
            "output",
            "postrouting",
            "outside4-24",
            "hairpin4-24",
            "outside6-64",
        )
    ],
    *[(BRIDGE, name) for name in ("prerouting", "input")],
]
EDITS = [
    *[f"nft flush chain {table} {name}" for table, name in CHAINS],
    *[edit.format(table, name) for edit in (RETURNS, INSERTED) for table, name in CHAINS],
    f"nft flush table {INET}",
    f"nft 'delete chain {INET} prerouting; delete chain {INET} postrouting'",
    f"nft 'flush chain {INET} prerouting; delete chain {INET} prerouting; add chain {INET} prerouting'",
    (
        f"nft 'flush chain {INET} prerouting; flush chain {INET} output;"
        f" delete chain {INET} output; delete chain {INET} prerouting'"
    ),
    (
        f"nft 'flush chain {INET} output; delete chain {INET} output;"
        f" add chain {INET} output {{ type nat hook output priority -90; }}'"
    ),
    f"nft 'flush chain {INET} hairpin6-64; delete set {INET} near6'",
]
SUBNETS = ("10.1.0.0/24", "fd01::/64")


def chain(host: Host) -> Network:
    return host.network(bridge(host.data, *SUBNETS, ipMasq=True, macspoofchk=True), PORTMAP)


def shared(host: Host) -> list[str]:
    """What nft lists of our tables, without the elements."""
    listed = json.loads(host.run("nft --json --stateless list ruleset"))["nftables"]
    found = [
        {key: value for key, value in what.items() if key not in ("handle", "elem")}
        for item in listed
        for what in item.values()
    ]
    return sorted(json.dumps(each) for each in found)


def wired(host: Host) -> Network:
    net = chain(host)
    net.add(host.container("c1"), portMappings=[mapping(8080)])
    return net


@pytest.mark.parametrize("edit", EDITS)
def test_check_tells_of_an_edit_and_the_next_add_mends_it(host: Host, edit: str) -> None:
    net = wired(host)
    first, before = host.children[0], shared(host)
    net.check(first, portMappings=[mapping(8080)])  # type: ignore[arg-type]
    host.run(edit)
    assert shared(host) != before
    with pytest.raises(PluginError) as failed:
        net.check(first, portMappings=[mapping(8080)])  # type: ignore[arg-type]
    assert failed.value.code == 101
    second = host.container("c2")
    net.add(second, portMappings=[mapping(8081)])
    assert shared(host) == before
    net.check(second, portMappings=[mapping(8081)])


def test_check_tells_of_rules_that_carry_our_mark_and_say_something_else(host: Host) -> None:
    """As they are after somebody lists, edits and loads them.

    ADD looks at marks only, CHECK at every expression.
    """
    net = wired(host)
    text = (
        host.run("nft list ruleset")
        .replace("127.0.0.0/8 drop", "127.0.0.0/8 accept")
        .replace("type local jump", "type unicast jump")
    )
    host.run("nft flush ruleset; nft -f -", stdin=text)
    with pytest.raises(PluginError) as failed:
        net.check(host.children[0], portMappings=[mapping(8080)])  # type: ignore[arg-type]
    told = failed.value.msg + failed.value.details
    assert [name for name in ("loopback", "prerouting", "output") if f"Chain(inet, {name}" not in told] == []


def test_a_ruleset_that_was_saved_and_loaded_again_is_no_difference(host: Host) -> None:
    """What a distribution's nftables service does at boot and firewalld's users by hand."""
    net = wired(host)
    text = host.run("nft list ruleset")
    host.run("nft flush ruleset; nft -f -", stdin=text)
    net.check(host.children[0], portMappings=[mapping(8080)])  # type: ignore[arg-type]


PORTS = "type inet_proto . inet_service : ipv4_addr . inet_service;"
HALF = f"add table {INET}; add map {INET} hostports4 {{ {PORTS} }}"


@pytest.mark.parametrize(
    "left", [f"nft add table {INET}", f"nft add table {INET}; nft add table {BRIDGE}", f"nft '{HALF}'"]
)
def test_an_incomplete_table_is_completed(host: Host, left: str) -> None:
    """However it came about: somebody's `nft add table`, an older release that had fewer maps."""
    host.run(left)
    net = wired(host)
    net.check(host.children[0], portMappings=[mapping(8080)])  # type: ignore[arg-type]


def test_a_map_of_other_types_is_replaced(host: Host) -> None:
    """By one of ours; whatever was in it was not ours."""
    host.run(
        f"nft 'add table {INET}; add map {INET} masquerade4 {{ type ipv4_addr : mark; }};"
        f" add set {INET} near4 {{ type ipv4_addr; }}'"
    )
    net = wired(host)
    net.check(host.children[0], portMappings=[mapping(8080)])  # type: ignore[arg-type]


def test_what_a_release_without_marks_left_is_brought_up_to_date(host: Host) -> None:
    """Its containers keep what they have: elements are not touched."""
    net = wired(host)
    host.run(
        f"nft 'flush chain {INET} prerouting; add rule {INET} prerouting fib daddr type local jump hostports'"
    )
    elements = [line for line in host.state() if " element " in line]
    net.add(host.container("c2"))
    assert [line for line in elements if line not in host.state()] == []
    net.check(host.children[0], portMappings=[mapping(8080)])  # type: ignore[arg-type]


def test_packets_are_translated_again(host: Host) -> None:
    """Flushed while a container runs: the port does not answer, until anybody's next ADD on this node."""
    net = wired(host)
    with Server(host.children[0], 80):
        assert ask(host, "127.0.0.1", 8080)[0] == "c1"
        host.run(f"nft flush chain {INET} output")
        with pytest.raises(OSError, match=r"."):
            ask(host, "127.0.0.1", 8080, timeout_s=0.4)
        net.add(host.container("c2"))
        assert ask(host, "127.0.0.1", 8080)[0] == "c1"


@pytest.mark.parametrize("verb", ["DEL", "GC"])
def test_mappings_that_had_chains_of_their_own_leave_none(host: Host, verb: str) -> None:
    """Each distinct condition has a chain, two maps and a jump that every packet walks."""
    net = host.network(bridge(host.data, "10.1.0.0/24", ipMasq=True), PORTMAP)
    for number in range(3):
        net.plugins = [net.plugins[0], {**PORTMAP, "conditionsV4": ["ip", "saddr", f"10.0.{number}.0/24"]}]
        net.add(host.container(f"c{number}"), portMappings=[mapping(8080 + number)])
    assert host.run(f"nft list table {INET}").count("chain hostports-") == 3
    if verb == "DEL":
        for container in host.children:
            net.delete(container)  # type: ignore[arg-type]
    else:
        net.gc()
    assert [
        line
        for line in host.run(f"nft list table {INET}").splitlines()
        if "hostports-" in line or "hostports4-" in line
    ] == []


def test_nothing_names_the_subnet_once_its_last_container_is_gone(host: Host) -> None:
    """The tests of runtimes look for it."""
    net = wired(host)
    net.delete(host.children[0])  # type: ignore[arg-type]
    assert [
        line for line in host.run("nft list ruleset").splitlines() if "10.1.0" in line or "fd01:" in line
    ] == []


def test_addresses_that_are_networks_of_their_own_share_their_chains(host: Host) -> None:
    """A /32 or /128, as Calico and AWS give them, has no chain of its own."""
    host.run(
        "ip link add cali1 type veth peer name cali2 && ip link set cali1 up"
        " && ip route add 10.14.0.0/24 dev cali1"
    )
    ports = host.network({**PORTMAP})
    before: list[str] = []
    for number in range(2, 6):
        ips = [{"address": f"10.14.0.{number}/32"}, {"address": f"fd14::{number}/128"}]
        previous = {"cniVersion": "1.1.0", "interfaces": [{"name": "cali1"}], "ips": ips}
        config = {
            **ports.derived(PORTMAP),
            "prevResult": previous,
            "runtimeConfig": {"portMappings": [mapping(8000 + number)]},
        }
        answer = host.call("ADD", config, host.container(f"c{number}"))
        assert answer.exit_code == 0, answer
        before = before or shared(host)
    assert shared(host) == before
    for container in host.children:
        assert host.call("DEL", ports.derived(PORTMAP), container).exit_code == 0  # type: ignore[arg-type]
    assert host.call("GC", {**ports.derived(PORTMAP), "cni.dev/valid-attachments": []}).exit_code == 0
    assert "hairpin4-" not in host.run("nft list ruleset")
