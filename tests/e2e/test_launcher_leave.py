"""`cniwire leave`: what ours made goes on working, and the DEL of the Go plugins leaves nothing."""

from pathlib import Path
from typing import Any

import pytest

from core.attachment import hashed
from tests.harness import cniwire as cniwire_of_tests
from tests.harness import plugin
from tests.harness.cniwire import Cniwire
from tests.harness.configs import PORTMAP, bridge, mapping
from tests.harness.host import Host
from tests.harness.traffic import Server, ask, ping
from tests.kernel.iptables import GO, VARIANTS, use
from tests.kernel.test_go_attached import PORTS, all_of, suites

SUBNETS = ("10.1.0.0/24", "fd01::/64")
# Their CHECK fails for what they have made themselves: for a sysctl of IFNAME, for ports in any family.
UNCHECKED = ("tuning", "portmap")

pytestmark = pytest.mark.skipif(not (GO / "bridge").exists(), reason=f"there are no Go plugins in {GO}")


def left(cniwire: Cniwire) -> Any:
    """Whose elements stay, as `leave` says when it ends with 1."""
    return cniwire.json("leave", status=1)["left"]


def works(host: Host, container: Any, outside: Any, families: int) -> None:
    """Assert that the published port answers host, LAN and the container itself, and that it gets out."""
    with Server(container, 80):
        for space, address in (
            (host, "127.0.0.1"),
            (container, "192.0.2.1"),
            *[(outside, each) for each in ("192.0.2.1", "2001:db8:ff::1")[:families]],
        ):
            assert (address, ask(space, address, 8080).server) == (address, container.name)
    for address in ("192.0.2.2", "2001:db8:ff::2")[:families]:
        assert (address, ping(container, address, timeout_s=4) is not None) == (address, True)


def wrapped(host: Host, command: str, behind: str = "") -> Path:
    """Return a folder with iptables-restore and ip6tables-restore, as the end of a shell *command*."""
    folder = host.folder / "tools"
    folder.mkdir()
    for name in ("iptables-restore", "ip6tables-restore"):
        (folder / name).write_text(f'#!/bin/sh\n{command} /usr/sbin/{name} "$@"\n{behind}\n')
        (folder / name).chmod(0o755)
    return folder


@pytest.mark.parametrize(("policy", "families"), [("ACCEPT", 1), ("DROP", 2)])
@pytest.mark.parametrize("variant", VARIANTS)
def test_the_go_plugins_check_and_delete_what_ours_made(
    host: Host, monkeypatch: pytest.MonkeyPatch, variant: str, policy: str, families: int
) -> None:
    """H-61: with every plugin that both suites have.

    Where FORWARD drops, published ports need our marks, as the Go plugins do not admit them.
    """
    use(host, monkeypatch, variant)
    monkeypatch.setattr(cniwire_of_tests, "PATH", plugin.PATH)
    outside = host.outside()
    theirs, ours = suites(host, *SUBNETS[:families])
    cniwire = Cniwire(host, host.plugins)
    cniwire.network("net", *ours.plugins)
    for tool in ("iptables", "ip6tables"):
        host.run(f"{tool}-{variant} -P FORWARD {policy}")
    first, container = host.container("c0"), host.container("c1")
    theirs.add(first, portMappings=[mapping(1)])
    theirs.delete(first, portMappings=[mapping(1)])
    before = all_of(host, variant, container)
    ours.add(container, portMappings=PORTS)
    marked = (variant, policy) == ("nft", "DROP")
    said = cniwire.json("leave", status=int(marked))
    assert (said["handedOver"], said["left"]) == (["c1"], ["net/c1/eth0"] * marked)
    assert marked or not [each for each in host.state() if "cniwire" in each]
    if variant == "nft" or policy == "ACCEPT":
        works(host, container, outside, families)
    for config in theirs.plugins:
        if config["type"] not in UNCHECKED:
            derived = theirs.derived(config, ours.results["c1", "eth0"], {"portMappings": PORTS})
            theirs.call("CHECK", derived, container, "eth0")
    theirs.delete(container, portMappings=PORTS)
    cniwire("leave")
    assert all_of(host, variant, container) == before


@pytest.mark.parametrize(("variant", "keys"), [("nft", {}), ("legacy", {"snat": False})])
def test_the_rules_are_those_that_the_go_plugins_make(
    host: Host, monkeypatch: pytest.MonkeyPatch, variant: str, keys: dict[str, Any]
) -> None:
    """P-25: comments and all, with a host address and without the way back by the host, too."""
    use(host, monkeypatch, variant)
    monkeypatch.setattr(cniwire_of_tests, "PATH", plugin.PATH)
    theirs, ours = suites(host, *SUBNETS)
    ours.plugins = theirs.plugins = [ours.plugins[0], {**PORTMAP, **keys}, *ours.plugins[2:]]
    cniwire, container = Cniwire(host, host.plugins), host.container("c1")
    cniwire.network("net", *ours.plugins)
    ports = [*PORTS, mapping(8081, 81, hostIP="192.0.2.1"), mapping(9000, hostIP="2001:db8:ff::1")]
    ours.add(container, portMappings=ports)
    cniwire("leave")
    made = {each for each in all_of(host, variant) if each.startswith(("nat -A", "filter -A"))}
    theirs.delete(container, portMappings=ports)
    for path in host.data.glob("net/last_reserved_ip.*"):
        path.unlink()
    theirs.add(container, portMappings=ports)
    assert {each for each in all_of(host, variant) if each.startswith(("nat -A", "filter -A"))} == made


def test_our_check_is_content_with_what_was_handed_over(host: Host) -> None:
    """The node comes back to ours while the container runs; what is missing is told, as ever."""
    _, ours = suites(host, SUBNETS[0])
    cniwire, container = Cniwire(host, host.plugins), host.container("c1")
    cniwire.network("net", *ours.plugins)
    ours.add(container, portMappings=PORTS)
    cniwire("leave")
    ours.check(container, portMappings=PORTS)
    host.run(f"iptables -t nat -F {hashed(28, 'CNI-', 'netc1')}")
    with pytest.raises(plugin.PluginError, match="masquerade4 has lost"):
        ours.check(container, portMappings=PORTS)
    ours.delete(container, portMappings=PORTS)
    assert not [each for each in host.state(container) if "10.1.0.2" in each or "eth0" in each]


def test_a_container_of_the_go_plugins_that_no_cache_knows_is_no_obstacle(host: Host) -> None:
    """Whether it lives is a question for gc."""
    theirs, ours = suites(host, SUBNETS[0])
    cniwire = Cniwire(host, host.plugins)
    cniwire.network("net", *ours.plugins)
    first, second = host.container("c1"), host.container("c2")
    theirs.add(first)
    ours.plugins = ours.plugins[:2]
    ours.add(second, portMappings=PORTS)
    before = host.state(first)
    cniwire("gc", status=1)
    assert cniwire.json("leave")["handedOver"] == ["c2"]
    assert {each for each in before if "10.1.0.2" in each} <= host.state(first)


def test_a_container_that_goes_at_the_very_moment_leaves_nothing(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The Go plugins' DEL has looked for its rules when they are made, and then takes the interface."""
    theirs, ours = suites(host, *SUBNETS)
    cniwire, container = Cniwire(host, host.plugins), host.container("c1")
    cniwire.network("net", *ours.plugins)
    theirs.add(container, portMappings=PORTS)
    theirs.delete(container, portMappings=PORTS)
    before = all_of(host, "nft", container)
    ours.add(container, portMappings=PORTS)
    command = f"ip link delete {host.veth('net/c1/eth0')} 2>&-; exec"
    monkeypatch.setattr(cniwire_of_tests, "PATH", f"{wrapped(host, command)}:{plugin.PATH}")
    cniwire("leave")
    assert all_of(host, "nft", container) == before


def test_killed_in_the_middle_it_is_done_once_more(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rules of one family stand, and all of our elements: everything works, and nothing is made twice."""
    outside = host.outside()
    theirs, ours = suites(host, *SUBNETS)
    cniwire, container = Cniwire(host, host.plugins), host.container("c1")
    cniwire.network("net", *ours.plugins)
    theirs.add(container, portMappings=PORTS)
    theirs.delete(container, portMappings=PORTS)
    before = all_of(host, "nft", container)
    ours.add(container, portMappings=PORTS)
    with monkeypatch.context() as patched:
        patched.setattr(cniwire_of_tests, "PATH", f"{wrapped(host, '', 'kill -9 $PPID')}:{plugin.PATH}")
        with cniwire.popen("leave") as process:
            process.communicate(timeout=60)
        assert process.returncode == -9
    assert [each for each in host.state() if "CNI-DN-" in each and "nft rule ip nat" in each]
    works(host, container, outside, 2)
    cniwire("leave")
    works(host, container, outside, 2)
    theirs.delete(container, portMappings=PORTS)
    assert all_of(host, "nft", container) == before


def test_what_is_gone_is_collected_on_the_way(host: Host) -> None:
    """The Go plugins have deleted it before anybody called leave: they do not know our elements."""
    theirs, ours = suites(host, *SUBNETS)
    cniwire = Cniwire(host, host.plugins)
    cniwire.network("net", *ours.plugins)
    container = host.container("c1")
    theirs.add(container, portMappings=PORTS)
    theirs.delete(container, portMappings=PORTS)
    before = host.state(container)
    ours.add(container, portMappings=PORTS)
    for config in reversed(theirs.plugins):
        derived = theirs.derived(config, ours.results["c1", "eth0"], {"portMappings": PORTS})
        answer = host.call("DEL", derived, container, folder=GO)
        # bridge insists on the chain that leave makes, when all else is done already
        assert answer.exit_code == 0 or "does not exist" in answer.output["msg"]
    assert [each for each in host.state() if "net/c1/eth0" in each]
    cniwire("leave")
    assert host.state(container) == before


def test_what_the_go_plugins_cannot_have_stays_until_its_container_goes(host: Host) -> None:
    """Ports under a condition in nft's words, and the spoof check; the rest is handed over all the same."""
    cniwire = Cniwire(host, host.plugins)
    switch = bridge(host.data, SUBNETS[0], ipMasq=True, macspoofchk=True)
    plugins = [switch, {**PORTMAP, "conditionsV4": ["ip", "saddr", "192.0.2.0/24"]}]
    cniwire.network("net", *plugins)
    net, container, outside = host.network(*plugins), host.container("c1"), host.outside()
    net.add(container, portMappings=[mapping(8080)])
    assert left(cniwire) == ["net/c1/eth0"]
    assert left(cniwire) == ["net/c1/eth0"]
    elements = [each.split()[5] for each in host.state() if "nft element" in each and " cniwire " in each]
    assert [each for each in elements if each.startswith("masquerade")] == []
    assert {each.partition("4")[0] for each in elements} >= {"hostports", "spoof"}
    with Server(container, 80):
        assert ask(outside, "192.0.2.1", 8080).server == "c1"
    assert ping(container, "192.0.2.2", timeout_s=4) is not None
    host.lose(container)
    cniwire("leave")
    assert not [each for each in host.state() if "cniwire" in each or "CNI-" in each.partition("nft rule")[2]]


def test_two_interfaces_of_a_container_share_a_chain(host: Host) -> None:
    """As with the Go plugins, whose chains tell no interface."""
    cniwire = Cniwire(host, host.plugins)
    _, ours = suites(host, SUBNETS[0])
    ours.plugins = ours.plugins[:2]
    cniwire.network("net", *ours.plugins)
    container, outside = host.container("c1"), host.outside()
    ours.add(container, portMappings=[mapping(8080)])
    ours.add(container, "eth1", portMappings=[mapping(8081)])
    cniwire("leave")
    with Server(container, 80):
        assert [ask(outside, "192.0.2.1", port).server for port in (8080, 8081)] == ["c1", "c1"]


def test_where_there_is_no_iptables_all_stays_as_it_is(
    host: Host, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """And it is said why."""
    use(host, monkeypatch, "nft", "iptables-save", "iptables-restore")
    _, ours = suites(host, SUBNETS[0])
    cniwire = Cniwire(host, host.plugins)
    cniwire.network("net", *ours.plugins)
    container = host.container("c1")
    ours.add(container, portMappings=PORTS)
    before = host.state(container)
    with cniwire.popen("leave", env={**cniwire.environ(), "PATH": f"{tmp_path}:/usr/bin"}) as process:
        said = "".join(process.communicate(timeout=60))
    assert (process.returncode, "iptables" in said) == (1, True), said
    assert host.state(container) == before
