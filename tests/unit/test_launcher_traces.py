"""What the host tells of attachments beside every cache, and what it proves of their lives."""

import json
import os
import time
from pathlib import Path
from typing import Any

import pytest

from core.attachment import digest, host_ifname, owner_text
from launcher import life, netns, surroundings, target
from launcher.cache import Cached
from launcher.conflist import Network, parse_list
from launcher.life import GONE, LIVES, UNKNOWN, Attachment, Host, Verdict, judge
from launcher.request import Request
from launcher.traces import Link, Reservation, Trace, traces

OWN = "/proc/self/ns/net"


def network(name: str = "demo", plugin_type: str = "bridge", **plugin: Any) -> Network:
    return parse_list(json.dumps({"name": name, "plugins": [{"type": plugin_type, **plugin}]}).encode())


def port(name: str, alias: str = "", master: str = "cni0", *, apart: bool = True) -> Link:
    return Link(name, "veth", alias, "02:00:00:00:00:01", master, apart)


def test_everything_that_carries_an_owner_is_found_by_owner(tmp_path: Path) -> None:
    """Interfaces by their alias, elements by their comment, addresses by their file.

    Those of other networks are not ours.
    """
    (tmp_path / "demo").mkdir()
    (tmp_path / "demo" / "10.0.0.2").write_text("web\r\neth0")
    links = [
        port("veth1", "demo/web/eth0"),
        port("veth2", "demonstration/web/eth0"),
        port("veth3", "demo/"),
        port("veth4"),
    ]
    comments = ["demo/web/eth0 veth1", "demo/old/eth0", "other/web/eth0", ""]
    found = traces(network(ipam={"type": "host-local", "dataDir": str(tmp_path)}), links, comments)
    assert sorted(found) == ["demo/old/eth0", "demo/web/eth0"]
    assert found["demo/web/eth0"].things == "interface veth1, address 10.0.0.2, 1 nft element"
    assert found["demo/old/eth0"].things == "1 nft element"


def test_files_of_every_age_tell_their_owner(tmp_path: Path) -> None:
    """Bookkeeping, folders, FIFOs, links and what names nobody on purpose are no reservations."""
    folder = tmp_path / "demo"
    folder.mkdir()
    files = {
        "10.0.0.2": "web\r\neth0",
        "10.0.0.4": "web",
        "10.0.0.5": "old\n",
        "10.0.0.6": "",
        "fd00::2": "x\r\neth0",
        "10.0.0.7": "\0\0",
    }
    odd = {
        "lock": "",
        "last_reserved_ip.0": "10.0.0.6",
        ".new": "web\r\neth0",
        "10.0.0.8": "kept for the printer!",
        "10.0.0": "web\r\neth0",
    }
    for name, content in {**files, **odd}.items():
        (folder / name).write_text(content)
    (folder / "10.0.0.9").mkdir()
    (folder / "10.0.0.10").symlink_to("10.0.0.2")
    os.mkfifo(folder / "10.0.0.11")
    found = traces(network(ipam={"type": "host-local", "dataDir": str(tmp_path)}), [])
    assert {owner: [each.address for each in trace.reservations] for owner, trace in found.items()} == {
        "demo/web/eth0": ["10.0.0.2"],
        "demo/web/": ["10.0.0.4"],
        "demo/old/": ["10.0.0.5"],
        "demo//": ["10.0.0.6", "10.0.0.7"],
        "demo/x/eth0": ["fd00::2"],
    }
    assert traces(network(ipam={"type": "other"}), []) == {}
    assert traces(network("elsewhere", ipam={"type": "host-local", "dataDir": str(tmp_path)}), []) == {}
    assert traces(network(ipam={"type": "host-local", "dataDir": "/\0"}), []) == {}


def test_a_long_container_id_is_told_whole_by_its_reservation(tmp_path: Path) -> None:
    """The interface knows its hash alone."""
    long = "c" * 200
    (tmp_path / "demo").mkdir()
    (tmp_path / "demo" / "10.0.0.2").write_text(f"{long}\r\neth0")
    found = traces(
        network(ipam={"type": "host-local", "dataDir": str(tmp_path)}),
        [port("veth1", owner_text("demo", long, "eth0"))],
    )
    (trace,) = found.values()
    assert (trace.container_id, trace.things) == (long, "interface veth1, address 10.0.0.2")


def mark(path: str, boot: bytes = b"", machine: bytes = b"") -> bytes:
    """What host-local notes on a reservation: of this machine and boot, unless told otherwise."""
    return b"1" + (machine or target.here()[0]) + (boot or target.here()[1]) + path.encode()


def reserved(note: bytes = b"", age: float = 60) -> Trace:
    return Trace("c1", "eth0", reservations=[Reservation("10.0.0.2", "/x", note, age)])


def verdict(
    trace: Trace | None = None, cached: Cached | None = None, *links: Link, of: Network | None = None
) -> tuple[str, str]:
    """What is found of c1/eth0."""
    host = Host({link.name: link for link in links})
    found = judge(
        Attachment("c1", "eth0", cached, trace or Trace("c1", "eth0")), of or network("demo", "macvlan"), host
    )
    return found.state, found.reason


@pytest.fixture(autouse=True)
def machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine with an identity, whose processes began long ago."""
    monkeypatch.setattr(target, "here", lambda: (digest(b"machine")[:4], b"boot"))
    monkeypatch.setattr(surroundings, "pids_began", lambda: 0.0)


def test_a_host_interface_with_the_owner_proves_life_whatever_else_is_gone() -> None:
    trace = Trace(
        "c1", "eth0", ["veth1"], ["demo/c1/eth0"], [Reservation("10.0.0.2", "/x", mark("/nowhere"))]
    )
    gone = Cached("demo", Request("c1", "eth0", "/nowhere"), b"", {})
    assert verdict(trace, gone, port("veth1", "demo/c1/eth0")) == (
        LIVES,
        "interface veth1 ends in its namespace",
    )
    host = Host({"veth1": port("veth1", "demo/c1/eth0")})
    assert judge(Attachment("c1", "eth0", gone, trace), network(), host).passing, (
        "the kernel may be about to remove it"
    )


def test_so_does_the_interface_that_a_result_or_a_witness_names() -> None:
    """Of the Go suite, Calico or AWS; a bridge or a pair within the host outlives its containers."""
    cached = Cached(
        "demo", Request("c1", "eth0", "/nowhere"), b"", {"interfaces": [{"name": "cali1"}, {"name": "cni0"}]}
    )
    assert verdict(None, cached, port("cali1")) == (LIVES, "interface cali1 ends in its namespace")
    assert (
        verdict(None, cached, Link("cni0", "bridge", "", "", "", False), port("cali1", apart=False))[0]
        == GONE
    )
    assert (
        verdict(Trace("c1", "eth0", comments=["demo/c1/eth0 cali1 netns:1:2:/x"]), None, port("cali1"))[0]
        == LIVES
    )


def test_a_namespace_at_its_path_proves_life() -> None:
    assert verdict(None, Cached("demo", Request("c1", "eth0", OWN), b"", {})) == (
        LIVES,
        f"its namespace {OWN} is there",
    )
    assert verdict(reserved(mark(OWN))) == (LIVES, f"its namespace {OWN} is there")


def test_death_is_proven_by_path_boot_witness_or_bridge() -> None:
    assert verdict(None, Cached("demo", Request("c1", "eth0", "/nowhere"), b"", {})) == (
        GONE,
        "/nowhere is no namespace any more",
    )
    assert verdict(reserved(mark("/nowhere"))) == (GONE, "/nowhere is no namespace any more")
    assert verdict(reserved(mark(OWN, boot=b"late"))) == (GONE, "it was made before this boot")
    assert verdict(Trace("c1", "eth0", comments=["demo/c1/eth0 cali1"])) == (
        GONE,
        "its interface or namespace is no more",
    )
    assert verdict(reserved(), of=network()) == (GONE, "no port of cni0 is its")


def test_witnesses_in_nft_deny_a_life_when_one_of_them_is_gone(tmp_path: Path) -> None:
    """As the plugins judge: an interface that is missing or another's, a path gone from its folder."""
    folder, veth = os.stat(tmp_path), host_ifname("demo/c1/eth0")
    here = f"netns:{folder.st_dev}:{folder.st_ino}:{tmp_path}/c1"
    links = {"lxc1": port("lxc1"), veth: port(veth, "demo/c1/eth0")}
    for comment in (
        "demo/c1/eth0 gone",
        f"demo/c1/eth0 lxc1 {here}",
        f"demo/c1/eth0 {here}",
        "demo/c2/eth0",
        f"demo/c2/eth0 {veth}",
    ):
        assert life.denies(comment, links) == (veth not in comment), comment
    assert life.denies("demo/c1/eth0", {veth: port(veth, "demo/c2/eth0")})
    assert not life.denies("demo/c1/eth0", {veth: port(veth)}), "it has no alias yet"
    for words in ("", " -", " lxc1", f" netns:1:2:{tmp_path}/c1", " netns:x", " netns::"):
        assert not life.denies(f"demo/c1/eth0{words}", links), words
    (tmp_path / "c1").touch()
    assert not life.denies(f"demo/c1/eth0 lxc1 {here}", links)


def test_nothing_else_proves_anything() -> None:
    """Another machine's mark, a folder that is not here, a bridge port without owner, an old cache."""
    nothing = (UNKNOWN, "nothing tells whether its namespace is still there")
    assert verdict(reserved()) == nothing
    assert verdict(reserved(mark("/nowhere", machine=b"copy"))) == nothing
    assert verdict(reserved(mark("/no/folder"))) == nothing
    assert verdict(reserved(b"2" + bytes(8) + b"/nowhere")) == nothing
    assert verdict(reserved(), None, port("veth9"), of=network()) == nothing
    assert verdict(Trace("c1", "eth0", comments=["demo/c1/eth0 -"])) == nothing
    assert verdict(None, Cached("demo", Request("c1", "eth0", ""), b"", {})) == nothing
    assert verdict(None, Cached("demo", Request("c1", "eth0", "/no/folder"), b"", {})) == nothing


def test_ports_of_others_prove_nothing_for_anybody() -> None:
    """With another owner, on another bridge, named by another's result, or a gateway of the bridge's own."""
    links = [port("a", "demo/c2/eth0"), port("b", master="br1"), port("c"), port("d", apart=False)]
    host = Host({link.name: link for link in links}, frozenset({"c"}))
    assert judge(Attachment("c1", "eth0", None, reserved()), network(), host) == Verdict(
        GONE, "no port of cni0 is its"
    )


def test_an_add_that_may_be_under_way_is_waited_for() -> None:
    """A fresh reservation without a note: the interface may come in a moment."""
    host = Host({})
    assert judge(Attachment("c1", "eth0", None, reserved(age=0.1)), network(), host) == Verdict(
        GONE, "no port of cni0 is its", passing=True
    )


def test_paths_and_pids_from_before_this_pid_namespace_prove_no_death(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(surroundings, "pids_began", time.time)
    old = Cached("demo", Request("c1", "eth0", "/nowhere"), b"", {}, written=time.time() - 60)
    assert verdict(None, old)[0] == UNKNOWN
    assert verdict(reserved(mark("/nowhere"), age=60))[0] == UNKNOWN
    assert verdict(reserved(mark(OWN, boot=b"late"), age=60))[0] == GONE, "a boot is a boot"


def test_the_namespace_of_an_ended_run_is_alive_while_anybody_is_in_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(netns, "path_of", lambda name: OWN)
    monkeypatch.setattr(target, "is_older_than_pids", lambda name: False)
    status = os.stat(OWN)
    assert not life.is_abandoned("run-999999999-1", frozenset({(status.st_dev, status.st_ino)}))
    assert not life.is_abandoned("run-999999999-1", None), "we may not look"
    assert life.is_abandoned("run-999999999-1", frozenset())
    assert not life.is_abandoned("web", frozenset())
    assert not life.is_abandoned(target.own_id(), frozenset())
