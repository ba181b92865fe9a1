"""The first minutes with `cniwire`: help, the built-in network, a new one, and what is typed wrongly."""

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harness.cniwire import Cniwire
from tests.harness.configs import bridge
from tests.harness.host import Host


@pytest.fixture
def cniwire(host: Host) -> Iterator[Cniwire]:
    made = Cniwire(host, host.plugins)
    yield made
    made.close()


@pytest.mark.parametrize("columns", [20, 80, 200])
@pytest.mark.parametrize("arguments", [(), ("help", "run"), ("network", "--help")])
def test_help_fits_the_terminal(cniwire: Cniwire, columns: int, arguments: tuple[str, ...]) -> None:
    """Within its width, but never wider than one can read; titles are bold."""
    seen = cniwire.at_terminal(columns, *arguments, bare=True)
    assert seen.code == 0
    assert seen.width <= min(columns, 100)
    assert "\x1b[1musage:\x1b[0m" in seen.stdout
    assert "\x1b" not in cniwire.at_terminal(columns, *arguments, bare=True, NO_COLOR="1").stdout
    assert "\x1b" not in cniwire(*arguments)


def test_ps_shows_the_table_and_where_it_does_not_fit_a_line_for_each_value(cniwire: Cniwire) -> None:
    cniwire.network(
        "net",
        bridge(cniwire.host.data, "10.9.0.0/24"),
        {"type": "portmap", "capabilities": {"portMappings": True}},
        version="1.1.0",
    )
    web = cniwire.name("web")
    cniwire("up", "net", web, "-p", "8080:80")
    rows = cniwire("ps").splitlines()
    assert [row.split() for row in rows] == [
        ["CONTAINER", "IFNAME", "NETWORK", "ADDRESSES", "PUBLISHED", "STATE"],
        [web, "eth0", "net", "10.9.0.2/24", "8080→80/tcp", "up"],
    ]
    assert cniwire.at_terminal(200, "ps").lines == rows
    narrow = cniwire.at_terminal(24, "ps").lines
    assert narrow == [
        web,
        "  ifname eth0",
        "  network net",
        "  addresses 10.9.0.2/24",
        "  published 8080→80/tcp",
        "  state up",
    ]
    cniwire("down", web)
    assert [row.split() for row in cniwire("ps").splitlines()] == [rows[0].split()]


def test_demo_needs_no_file(cniwire: Cniwire) -> None:
    """Not even a configuration directory."""
    cniwire.conf.rmdir()
    shown = cniwire("run", "demo", "-p", "8080:80", "--", "ip", "-brief", "address", "show", "dev", "eth0")
    assert "10.77.0.2/24 fd00:77::2/64" in shown
    web = cniwire.name("web")
    cniwire("up", "demo", web)
    assert "is as it was made" in cniwire("check", web)
    assert "✔ demo is ready" in cniwire("status", "demo")
    cniwire("down", web)
    cniwire("gc", "demo")
    assert cniwire.cached == []
    shutil.rmtree("/var/lib/cni/networks/demo")


def test_a_file_called_demo_comes_before_the_built_in_network(cniwire: Cniwire) -> None:
    cniwire.network("demo", bridge(cniwire.host.data, "10.9.0.0/24"), version="1.1.0")
    assert "10.9.0.2/24" in cniwire("run", "demo", "--", "ip", "address")


def test_network_lists_what_there_is(cniwire: Cniwire) -> None:
    """Files that cannot be read beside those that can."""
    cniwire.network("net", bridge(cniwire.host.data, "10.9.0.0/24", "fd00:9::/64"), version="1.1.0")
    (cniwire.conf / "20-torn.conflist").write_text("{")
    os.mkfifo(cniwire.conf / "30-fifo.conflist")
    (cniwire.conf / "40-folder.conflist").mkdir()
    (cniwire.conf / "50-lost.conflist").symlink_to("/nowhere")
    lines = cniwire("network").splitlines()
    assert cniwire("network", "ls").splitlines() == lines
    assert [line.split() for line in lines[:3]] == [
        ["NETWORK", "PLUGINS", "SUBNETS", "ATTACHED", "FROM"],
        ["net", "bridge", "10.9.0.0/24", "0", "net.conflist"],
        ["fd00:9::/64"],
    ]
    assert lines[3].split() == ["demo", "bridge", "10.77.0.0/24", "0", "built", "in"]
    assert [
        line[:1] + line.rpartition("/")[2].partition(":")[0] for line in lines if line.startswith("✘")
    ] == ["✘20-torn.conflist", "✘50-lost.conflist"]
    listed = cniwire.json("network")
    assert [row["name"] for row in listed["networks"]] == ["net", "demo"]
    assert [Path(row["file"]).name for row in listed["unreadable"]] == [
        "20-torn.conflist",
        "50-lost.conflist",
    ]
    narrow = cniwire.at_terminal(20, "network")
    assert (narrow.width <= 20, "10.77.0.0/24" in narrow.running) == (True, True)


def test_network_create_writes_one_that_works(cniwire: Cniwire) -> None:
    """Subnets that no network and no route has; what show prints is what was written."""
    cniwire.host.run(
        "ip link add other0 type bridge; ip link set other0 up; ip route add 10.78.0.0/16 dev other0"
    )
    cniwire.host.run("ip link add front0 type bridge")
    assert "10.79.0.0/24  fd00:79::/64" in made(cniwire, "front")
    assert "10.80.0.0/24  fd00:80::/64" in made(cniwire, "back", "--internal")
    assert "10.99.0.0/24\n" in made(cniwire, "wide", "--subnet", "10.99.0.0/24")
    (front, back) = (json.loads(cniwire("network", "show", name)) for name in ("front", "back"))
    assert front == json.loads((cniwire.conf / "cniwire-front.conflist").read_text())
    assert front["plugins"][0]["bridge"].startswith("cni"), "front0 is an interface already"
    assert back["plugins"][0]["bridge"] == "back0"
    assert (cniwire.conf / "cniwire-front.conflist").stat().st_mode & 0o777 == 0o644
    shown = cniwire("run", "back", "--", "sh", "-c", "ip -brief address show dev eth0; ip route")
    assert ("10.80.0.2/24" in shown, "default" in shown) == (True, False)
    shown = cniwire("run", "front", "-p", "8080:80", "--", "ip", "route")
    assert "default via 10.79.0.1" in shown
    for name in ("front", "back"):
        shutil.rmtree(f"/var/lib/cni/networks/{name}")


def made(cniwire: Cniwire, name: str, *options: str) -> str:
    """What `network create` says."""
    return cniwire("network", "create", name, *options)


@pytest.mark.parametrize(
    ("arguments", "status", "complaint"),
    [
        (("create", "net"), 1, "network net exists already, in "),
        (("create", "a b"), 2, "network name: want letters"),
        (("create", "all"), 2, "network name: want letters"),
        (("create", "x" * 300), 2, "network name: want letters"),
        (("create", "../x"), 2, "network name: want letters"),
        (("create",), 2, "the name of the network is missing"),
        (("show",), 2, "the name of the network is missing"),
        (("show", "nte"), 3, "did you mean net?"),
        (("ls", "net"), 2, "`cniwire network show net` shows one"),
        (("shw", "net"), 2, "want one of ls, show, create, found shw"),
        (("create", "x", "--subnet", "10.9.0.0/16"), 1, "--subnet 10.9.0.0/16: overlaps 10.9.0.0/24"),
        (("create", "x", "--subnet", "10.99.0.1/24"), 2, "has host bits set"),
        (("create", "x", "--subnet", "10.99.0.0/31"), 2, "want at least four addresses"),
        (("create", "x", "--subnet", "9" * 5000), 2, "--subnet: "),
        (("create", "torn"), 1, "cniwire-torn.conflist exists already"),
    ],
)
def test_network_refuses_and_writes_nothing(
    cniwire: Cniwire, arguments: tuple[str, ...], status: int, complaint: str
) -> None:
    cniwire.network("net", bridge(cniwire.host.data, "10.9.0.0/24"), version="1.1.0")
    (cniwire.conf / "cniwire-torn.conflist").write_text(
        "{" if arguments == ("create", "torn") else '{"name": "torn", "plugins": [{"type": "x"}]}'
    )
    before = sorted(cniwire.conf.iterdir())
    assert complaint in cniwire("network", *arguments, status=status)
    assert sorted(cniwire.conf.iterdir()) == before


def test_network_create_where_nothing_can_be_written(cniwire: Cniwire, tmp_path: Path) -> None:
    """A file where the directory should be."""
    (tmp_path / "file").write_text("")
    assert "cannot write" in cniwire("--conf-dir", str(tmp_path / "file"), "network", "create", "x", status=1)


def test_a_name_that_is_nearly_right_is_recognised(cniwire: Cniwire) -> None:
    """Of networks and containers."""
    cniwire.network("backend", bridge(cniwire.host.data, "10.9.0.0/24"), version="1.1.0")
    web = cniwire.name("webserver")
    cniwire("up", "backend", web)
    wrong = web.replace("webs", "wbes")
    assert "did you mean backend?" in cniwire("run", "bakend", "--", "true", status=125)
    assert "did you mean demo?" in cniwire("status", "dmeo", status=3) + cniwire("up", "dmeo", web, status=3)
    for command in (("check", wrong), ("down", wrong), ("exec", wrong, "true")):
        assert f"did you mean {web}?" in cniwire(*command, status=125 if command[0] == "exec" else 1), command
    cniwire("down", web)
