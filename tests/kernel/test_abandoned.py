"""Reservations that nobody will release: of a killed ADD, edited in place, many in a full range."""

import fcntl
import json
import os
from pathlib import Path

import pytest

from core.cni.protocol import respond
from ipam.host_local import boot
from plugins import bridge as bridge_plugin
from tests.harness.configs import PORTMAP, bridge, mapping
from tests.harness.host import Container, Host
from tests.harness.ipam import Ipam
from tests.harness.network import Network
from tests.harness.plugin import PluginError
from tests.harness.traffic import Server, ask

EXHAUSTED, UNAVAILABLE = 103, 104


@pytest.fixture
def small(plugins: Path, tmp_path: Path) -> Ipam:
    """Five addresses: .2 to .6."""
    return Ipam(plugins / "host-local", tmp_path, "10.7.0.0/29")


def killed_behind_its_reservation(host: Host, container: Container) -> Network:
    """What an ADD leaves that was killed before it made the pair of links."""
    net = host.network(bridge(host.data, "10.1.0.0/24", "fd01::/64"))
    net.add(container)
    host.run(f"ip link delete {host.veth('net/c1/eth0')}")
    if "user.cniwire" not in os.listxattr(host.data / "net" / "10.1.0.2"):
        pytest.skip("no extended attributes here, or no machine ID")
    return net


def reservations(host: Host) -> dict[str, bytes]:
    return {
        file.name: file.read_bytes()
        for file in (host.data / "net").iterdir()
        if file.name[:2] in ("10", "fd")
    }


@pytest.mark.parametrize("restarted", [False, True])
def test_an_add_takes_over_what_a_killed_one_has_reserved(host: Host, restarted: bool) -> None:
    """Without a DEL in between, in the same namespace or in a new one; nothing stays of the first."""
    container = host.container()
    net = killed_behind_its_reservation(host, container)
    if restarted:
        container.close()
        container = host.container()
    answer = net.add(container)
    assert sorted(reservations(host)) == sorted(each["address"].partition("/")[0] for each in answer["ips"])
    net.check(container)
    net.delete(container)
    assert reservations(host) == {}


def test_its_rules_go_with_its_address(host: Host) -> None:
    """A port that is not asked for again is not published again."""
    net = host.network(bridge(host.data, "10.1.0.0/24", ipMasq=True, macspoofchk=True), PORTMAP)
    container, ports = host.container(), [mapping(8080), mapping(8053, 53, "udp")]
    net.add(container, portMappings=ports)
    net.delete(container)
    before = host.state(container)
    net.add(container, portMappings=ports)
    assert any(" element " in line and "8080" in line and "10.1.0.3" in line for line in host.state())
    host.run(f"ip link delete {host.veth('net/c1/eth0')}")
    net.add(container)
    assert [
        line
        for line in host.state()
        if " element " in line and ("8080" in line or "10.1.0.2" in line or "10.1.0.3" in line)
    ] == []
    net.check(container)
    net.delete(container)
    assert host.state(container) == before


def test_nobody_gets_the_udp_of_a_killed_one(host: Host) -> None:
    """conntrack would go on leading its flow to whoever has its address next."""
    outside = host.outside()
    net = host.network(bridge(host.data, "10.1.0.0/24", ipMasq=True), PORTMAP)
    container = host.container()
    net.add(container, portMappings=[mapping(8053, 53, "udp")])
    with Server(container, 53, "udp"):
        assert ask(outside, "192.0.2.1", 8053, "udp").server == "c1"
    assert "dport=8053" in host.run("conntrack -L -p udp 2>/dev/null")
    host.run(f"ip link delete {host.veth('net/c1/eth0')}")
    net.add(container)
    assert "dport=8053" not in host.run("conntrack -L -p udp 2>/dev/null")


def test_an_add_that_is_under_way_keeps_its_address(host: Host) -> None:
    """It has its reservation locked until the interface is there."""
    container = host.container()
    net = killed_behind_its_reservation(host, container)
    before = reservations(host)
    with open(host.data / "net" / "10.1.0.2", "rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        with pytest.raises(PluginError) as failed:
            net.add(container)
        assert failed.value.code == UNAVAILABLE
        assert reservations(host) == before
    net.add(container)


def test_an_add_that_ends_just_then_keeps_its_address(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second one had seen no interface when it began; it looks again before it takes anything."""
    container = host.container()
    net = killed_behind_its_reservation(host, container)
    before, really = reservations(host), boot.is_abandoned

    def abandoned(descriptor: int) -> bool:
        if not container.links():
            container.run("ip link add eth0 type bridge")
        return really(descriptor)

    monkeypatch.setattr(boot, "is_abandoned", abandoned)
    environ = {
        "CNI_COMMAND": "ADD",
        "CNI_CONTAINERID": "c1",
        "CNI_NETNS": str(container.path),
        "CNI_IFNAME": "eth0",
    }
    path = str(Path(bridge_plugin.__file__).parents[2] / "bin")
    stdin = json.dumps(net.derived(net.plugins[0])).encode()
    code, output = respond(
        bridge_plugin, {**environ, "CNI_PATH": path}, lambda: stdin, {"host-local": "ipam.host_local"}
    )
    assert (code, json.loads(output)["code"]) == (1, UNAVAILABLE)
    assert reservations(host) == before


def test_a_reservation_that_somebody_elses_main_plugin_asked_for_is_not_taken(host: Host) -> None:
    """Its ADD may be under way, for all that can be told."""
    ipam = Ipam(host.plugins / "host-local", host.data, "10.1.0.0/24", version="1.1.0")
    ipam.folder.parent.mkdir(parents=True, exist_ok=True)
    ipam.add("c1")
    net = host.network(bridge(host.data, "10.1.0.0/24"), name=ipam.folder.name)
    with pytest.raises(PluginError) as failed:
        net.add(host.container())
    assert failed.value.code == UNAVAILABLE


@pytest.mark.parametrize("told", ["prevResult", "another address in prevResult", "nothing"])
def test_del_frees_what_was_edited_in_place(small: Ipam, told: str) -> None:
    """The index says that the new owner has nothing, as no file has come or gone."""
    small.add("c1")
    small.add("c2")
    (small.folder / "10.7.0.2").write_text("c9\r\neth0")
    previous = {
        "cniVersion": "1.0.0",
        "ips": [{"address": "10.7.0.2/29" if told == "prevResult" else "10.7.0.6/29"}],
    }
    small.delete("c9", prevResult=None if told == "nothing" else previous)
    assert list(small.reserved()) == (
        ["10.7.0.2", "10.7.0.3"] if told.startswith("another") else ["10.7.0.3"]
    )
    small.delete("c1")
    small.delete("c2")
    assert "10.7.0.3" not in small.reserved()
    small.collect()
    assert small.reserved() == {}


def test_what_is_told_of_a_directory_does_nothing_to_a_terminal(plugins: Path, tmp_path: Path) -> None:
    """A line on standard error may be read by a person; the name of a directory is somebody's choice."""
    ipam = Ipam(plugins / "host-local", tmp_path / "a\x1b[2J\nb\u202e", "10.7.0.0/30")
    ipam.put("10.7.0.2")
    answer = ipam.call("ADD", "c1")
    assert (answer.exit_code, answer.stderr.count("\n")) == (0, 1)
    assert r"a\x1b[2J\nb\u202e" in answer.stderr
    assert answer.stderr.rstrip("\n").isprintable()
