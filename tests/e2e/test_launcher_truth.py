"""The launcher claims nothing that it did not do, and tells what a person would want to know before."""

import json
import re
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from launcher import foresight
from tests.harness.cniwire import Cniwire
from tests.harness.host import Host

KEYS = Path(__file__).resolve().parents[2] / "docs" / "compatibility.md"


@pytest.fixture
def cniwire(host: Host) -> Iterator[Cniwire]:
    """The launcher with a network `demo`: bridge, host-local and portmap."""
    made = Cniwire(host, host.plugins)
    made.network("demo", *plugins_of(host), version="1.1.0")
    yield made
    made.close()


def plugins_of(host: Host, **keys: Any) -> list[dict[str, Any]]:
    ipam = {"type": "host-local", "dataDir": str(host.data), "ranges": [[{"subnet": "10.9.0.0/24"}]]}
    bridge = {"type": "bridge", "bridge": "br0", "isDefaultGateway": True, "ipam": ipam, **keys}
    return [bridge, {"type": "portmap", "capabilities": {"portMappings": True}}]


def warned(cniwire: Cniwire, *arguments: str) -> list[str]:
    """The warnings of a command that succeeds."""
    with cniwire.popen(*arguments) as process:
        stdout, stderr = process.communicate(timeout=60)
    assert process.returncode == 0, stdout + stderr
    return [line.removeprefix("! ") for line in stderr.splitlines() if line.startswith("! ")]


def test_detach_of_nothing_is_no_success(cniwire: Cniwire) -> None:
    web, lone = cniwire.name("web"), cniwire.name("lone")
    cniwire("up", "demo", web)
    before = cniwire.host.state()
    assert "nosuch is not attached to demo" in cniwire("detach", "demo", "nosuch", status=1)
    assert "nosuch is not attached" in cniwire("detach", "all", "nosuch", status=1)
    message = cniwire("detach", "demo", web, "--ifname", "eth7", status=1)
    assert f"{web}/eth7 is not attached to demo" in message
    assert "it has eth0" in message
    cniwire.host.run(f"ip netns add {lone}")
    cniwire("detach", "demo", lone, "--ifname", "eth7", status=1)
    assert (cniwire.host.state(), len(cniwire.cached)) == (before, 1)
    with cniwire.popen("detach", "demo", lone) as process:
        _, stderr = process.communicate(timeout=60)
    assert process.returncode == 0
    assert f"no cache knows of {lone}/eth0 on demo: DEL all the same" in stderr
    cniwire("down", web)


def test_check_of_a_network_that_is_none_is_no_success(cniwire: Cniwire) -> None:
    assert "no network 'nosuch'" in cniwire("check", "--network", "nosuch", status=3)
    assert "nothing is attached to demo" in cniwire("check", "--network", "demo")


def test_a_key_that_no_plugin_knows_is_named_with_its_neighbour(cniwire: Cniwire) -> None:
    """By status, up and run; the plugins go on ignoring it.

    What looks like no key of ours is somebody's note.
    """
    plugins = plugins_of(cniwire.host, isGatway=True, Documentation="x", ISDEFAULTGATEWAY=True)
    plugins[0]["ipam"]["datadirr"] = "/x"
    plugins[1]["snatt"] = True
    cniwire.network("demo", *plugins, version="1.1.0")
    expected = [
        f"network demo, plugin {kind}: nobody knows the key {key}, so it does nothing; did you mean {near}?"
        for kind, key, near in (
            ("bridge", "isGatway", "isGateway"),
            ("host-local", "datadirr", "dataDir"),
            ("portmap", "snatt", "snat"),
        )
    ]
    assert warned(cniwire, "status") == expected
    assert warned(cniwire, "up", "demo", cniwire.name("web")) == expected
    assert cniwire.json("status")["networks"][0]["warnings"] == expected
    assert warned(cniwire, "down", cniwire.names[0]) == []


def test_every_key_that_readme_lists_is_known() -> None:
    """Or a right configuration would be called misspelt."""
    for kind, known in foresight.KEYS.items():
        row = next(line for line in KEYS.read_text().splitlines() if line.startswith(f"| {kind} |"))
        listed = set(re.sub(r"\(.*?\)", "", row.split("`")[1]).split())
        assert listed - set(f"{foresight.ALL} {known}".split()) == set()


def test_two_files_of_one_name_are_told(cniwire: Cniwire) -> None:
    text = (cniwire.conf / "demo.conflist").read_text()
    (cniwire.conf / "50-other.conflist").write_text(text)
    expected = ["network demo is in several files: 50-other.conflist counts, and not demo.conflist"]
    assert warned(cniwire, "status") == expected
    assert warned(cniwire, "up", "demo", cniwire.name("web")) == expected


def test_a_host_port_that_a_process_has_is_told(cniwire: Cniwire) -> None:
    """What portmap does about it is in DECISIONS: nothing, as runtimes hold the port themselves."""
    with (
        socket.create_server(("0.0.0.0", 8080)),
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagrams,
    ):
        datagrams.bind(("127.0.0.1", 5353))
        web, db = cniwire.name("web"), cniwire.name("db")
        (told,) = warned(cniwire, "up", "demo", web, "-p", "8080:80", "-p", "8081:81")
        assert (
            told
            == "a process of this host has 8080/tcp: what comes for 8080→80/tcp goes to the container instead"
        )
        (told,) = warned(cniwire, "up", "demo", db, "-p", "5350-5359:50-59/udp")
        assert told.startswith("a process of this host has 5353/udp: ")


@pytest.mark.parametrize(
    "content", ["{", "[]", '{"name": "demo"}', "", '{"name": "x", "plugins": [{"type": 3}]}']
)
def test_a_file_that_cannot_be_read_stops_no_other(cniwire: Cniwire, content: str) -> None:
    """It is named, as nobody knows what it holds; where nothing else has the name, it is the error."""
    (cniwire.conf / "00-bad.conflist").write_text(content)
    web = cniwire.name("web")
    (told,) = warned(cniwire, "up", "demo", web)
    assert told.startswith(f"{cniwire.conf}/00-bad.conflist: ")
    assert told.endswith("; passed over")
    assert warned(cniwire, "detach", "demo", web) == []
    assert "00-bad.conflist" in cniwire("up", "other", web + "2", status=3)


def test_an_incompatible_version_names_the_executable(cniwire: Cniwire) -> None:
    """Also where a plugin says it itself."""
    cniwire.network("old", {"type": "bridge", "bridge": "br1"}, version="9.9.9")
    message = cniwire("up", "old", cniwire.name("web"), status=1)
    assert f"{cniwire.options[-1]}/bridge" in message
    assert json.dumps("9.9.9")[1:-1] in message
