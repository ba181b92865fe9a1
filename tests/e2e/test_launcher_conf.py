"""Every example configuration in conf/, wired by the launcher with the plugins under test."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from launcher.conflist import load_file
from tests.harness.checkout import interpreter, reachable
from tests.harness.cniwire import ROOT, Cniwire
from tests.harness.host import Host
from tests.harness.namespace import Namespace
from tests.harness.traffic import Server, ask, ping

CONF = ROOT / "conf"
PATIENCE_S = (
    6  # a new bridge cannot ask for IPv6 neighbours until its own address has passed duplicate detection
)
# What the first two containers get. The second one's address comes after the first's.
ADDRESSES = {
    "10-bridge.conflist": (["10.77.0.2/24", "fd00:77::2/64"], ["10.77.0.3/24", "fd00:77::3/64"]),
    "20-switch.conflist": ([], []),
    "30-ipv6.conflist": (["fd00:78::2/64"], ["fd00:78::3/64"]),
    "40-ranges.conflist": (["10.79.0.20/24", "fd00:79::1000/64"], ["10.79.0.100/24", "fd00:79::1001/64"]),
    "50-guests.conflist": (["10.80.0.2/24"], ["10.80.0.3/24"]),
    "60-strict.conflist": (["10.81.0.2/24", "fd00:81::2/64"], ["10.81.0.3/24", "fd00:81::3/64"]),
    "70-transparent.conflist": (["10.82.0.2/24", "fd00:82::2/64"], ["10.82.0.3/24", "fd00:82::3/64"]),
    "80-inside.conflist": (["10.83.0.2/24", "fd00:83::2/64"], ["10.83.0.3/24", "fd00:83::3/64"]),
    "90-old.conf": (["10.84.0.2/24"], ["10.84.0.3/24"]),
}


@pytest.fixture
def cniwire(host: Host) -> Iterator[Cniwire]:
    """The launcher with copies of the examples, whose reservations belong to this test."""
    made = Cniwire(host, host.plugins)
    for path in CONF.glob("*.conf*"):
        document = json.loads(path.read_text())
        for plugin in document.get("plugins", [document]):
            if "ipam" in plugin:
                plugin["ipam"]["dataDir"] = str(host.data)
        (made.conf / path.name).write_text(json.dumps(document))
    yield made
    made.close()


class Named(Namespace):
    """A namespace in /run/netns that the launcher made."""

    def __init__(self, name: str) -> None:
        self.path = Path("/run/netns", name)


def up(cniwire: Cniwire, network: str, *options: str) -> tuple[Named, dict[str, Any]]:
    name = cniwire.name(f"c{len(cniwire.names)}")
    return Named(name), cniwire.json("up", network, name, *options)["attachments"][0]["result"]


def addresses(result: dict[str, Any]) -> list[str]:
    return [item["address"] for item in result.get("ips", [])]


def test_every_example_is_in_this_test_and_in_its_readme() -> None:
    names = sorted(path.name for path in CONF.glob("*.conf*"))
    assert names == sorted(ADDRESSES)
    text = (CONF / "README.md").read_text()
    assert [f"| {name} | {load_file(str(CONF / name)).name} |" in text for name in names] == [True] * len(
        names
    )


@pytest.mark.parametrize("name", sorted(ADDRESSES))
def test_an_example_is_wired_checked_and_taken_down(cniwire: Cniwire, name: str) -> None:
    """ADD twice, CHECK, STATUS, GC with both alive, ls, DEL.

    The host's state is then as after the first container.
    """
    network = load_file(str(cniwire.conf / name)).name
    cniwire("run", network, "--", "true")
    for file in cniwire.host.data.rglob("last_reserved_ip.*"):
        file.unlink()
    before = cniwire.host.state()
    first, first_result = up(cniwire, network)
    second, second_result = up(cniwire, network)
    assert (addresses(first_result), addresses(second_result)) == ADDRESSES[name]
    report = cniwire.json("check")
    assert [row["check"] for row in report["attachments"]] == ["ok", "ok"]
    assert cniwire.json("status", network)["networks"][0]["ready"] is True
    wired = cniwire.host.state()
    cniwire("gc", network)
    assert cniwire.host.state() == wired
    (picture,) = cniwire.json("ls", network)["networks"]
    assert [(item["state"], item["addresses"]) for item in picture["attachments"]] == [
        ("up", own) for own in ADDRESSES[name]
    ]
    cniwire("down", first.name, second.name)
    assert cniwire.host.state() == before


def test_demo_containers_talk_and_their_ports_answer(cniwire: Cniwire) -> None:
    """10-bridge: both families, TCP and UDP, a range, asked from host, outside, neighbour and itself."""
    outside = cniwire.host.outside()
    web, _ = up(cniwire, "demo", "-p", "8080:80", "-p", "5353:53/udp", "-p", "8000-8009:9000-9009")
    other, _ = up(cniwire, "demo")
    for address in ("10.77.0.3", "fd00:77::3"):
        assert ping(web, address)
    with Server(web, 80), Server(web, 53, "udp"), Server(web, 9009):
        for caller in (outside, other, web):
            assert ask(caller, "192.0.2.1", 8080).server == web.name if caller is outside else True
        assert ask(cniwire.host, "127.0.0.1", 8080).server == web.name
        assert ask(cniwire.host, "10.77.0.1", 5353, "udp").server == web.name
        assert ask(outside, "192.0.2.1", 8009).server == web.name
        assert ask(outside, "2001:db8:ff::1", 8080, timeout_s=PATIENCE_S).server == web.name
        assert ask(other, "10.77.0.1", 8080).server == web.name
        assert ask(web, "10.77.0.1", 8080).server == web.name
    with Server(outside, 80):
        assert ask(other, "192.0.2.2", 80).caller == "192.0.2.1", "masqueraded"


def test_a_taken_port_is_refused_and_named(cniwire: Cniwire) -> None:
    """10-bridge: the second container that wants the port."""
    web, _ = up(cniwire, "demo", "-p", "8080:80")
    message = cniwire("up", "demo", cniwire.name("late"), "-p", "8080:81", status=1)
    assert web.name in message


def test_switch_containers_see_each_other_on_layer_two(cniwire: Cniwire) -> None:
    """20-switch: addresses are the containers' own affair."""
    first, _ = up(cniwire, "switch")
    second, _ = up(cniwire, "switch")
    for number, container in enumerate((first, second), 1):
        container.run(f"ip address add 10.1.1.{number}/24 dev eth0")
        assert container.link("eth0")["mtu"] == 9000
    assert ping(first, "10.1.1.2", size=8000)


def test_ipv6_containers_reach_each_other_and_the_outside(cniwire: Cniwire) -> None:
    """30-ipv6."""
    outside = cniwire.host.outside()
    first, _ = up(cniwire, "ipv6", "-p", "[2001:db8:ff::1]:8080:80")
    second, _ = up(cniwire, "ipv6")
    assert ping(first, "fd00:78::3")
    assert ping(second, "2001:db8:ff::2"), "masqueraded"
    with Server(first, 80):
        assert ask(outside, "2001:db8:ff::1", 8080, timeout_s=PATIENCE_S).server == first.name


def test_ranges_have_their_gateway_and_route(cniwire: Cniwire) -> None:
    """40-ranges."""
    first, _ = up(cniwire, "ranges")
    routes = {route["dst"]: route for route in first.ip("route show")}
    assert routes["default"]["gateway"] == "10.79.0.254"
    assert routes["192.0.2.0/24"]["gateway"] == "10.79.0.253"
    assert "mtu 1400" in first.run("ip route show 192.0.2.0/24")
    assert ping(first, "10.79.0.254")


def test_guests_reach_the_gateway_but_not_each_other(cniwire: Cniwire) -> None:
    """50-guests: portIsolation."""
    outside = cniwire.host.outside()
    first, _ = up(cniwire, "guests")
    up(cniwire, "guests")
    assert ping(first, "10.80.0.1")
    assert ping(first, "192.0.2.2"), "masqueraded"
    assert ping(first, "10.80.0.3", timeout_s=0.5) is None
    outside.close()


def test_strict_drops_a_foreign_mac_and_gives_the_one_asked_for(cniwire: Cniwire) -> None:
    """60-strict: macspoofchk, and the capabilities mac and ips."""
    mac = "02:00:00:00:00:77"
    wanted = json.dumps({"mac": mac, "ips": ["10.81.0.77", "fd00:81::77"]})
    first, result = up(cniwire, "strict", "--capability", wanted)
    assert addresses(result) == ["10.81.0.77/24", "fd00:81::77/64"]
    assert first.link("eth0")["address"] == mac
    assert ping(first, "10.81.0.1")
    first.run("ip link set eth0 address 02:00:00:00:00:78")
    assert ping(first, "10.81.0.1", timeout_s=0.5) is None


def test_transparent_ports_show_the_callers_address(cniwire: Cniwire) -> None:
    """70-transparent: snat off."""
    outside = cniwire.host.outside()
    web, _ = up(cniwire, "transparent", "-p", "8080:80")
    with Server(web, 80):
        assert ask(outside, "192.0.2.1", 8080) == (web.name, "192.0.2.2")
        assert ask(outside, "2001:db8:ff::1", 8080, timeout_s=PATIENCE_S) == (web.name, "2001:db8:ff::2")


def test_inside_ports_answer_only_callers_that_meet_the_condition(cniwire: Cniwire) -> None:
    """80-inside: conditionsV4 and V6."""
    outside = cniwire.host.outside()
    outside.run("ip address add 198.51.100.2/32 dev lo")
    cniwire.host.run("ip route add 198.51.100.2/32 via 192.0.2.2")
    web, _ = up(cniwire, "inside", "-p", "8080:80")
    with Server(web, 80):
        assert ask(outside, "192.0.2.1", 8080).server == web.name
        assert ask(outside, "2001:db8:ff::1", 8080, timeout_s=PATIENCE_S).server == web.name
        with pytest.raises(OSError):
            ask(outside, "192.0.2.1", 8080, source=("198.51.100.2", 0), timeout_s=0.5)


def test_the_launcher_runs_in_a_lab_without_root() -> None:
    """conf/10-bridge by path, as conf/README.md says, by an unprivileged user."""
    start = [interpreter(), "-m", "launcher"]
    line = [
        *start,
        "lab",
        "--",
        *start,
        "run",
        "conf/10-bridge.conflist",
        "--",
        "ip",
        "-brief",
        "address",
        "show",
        "dev",
        "eth0",
    ]
    nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"] if has_user(65534) else []
    done = subprocess.run([*nobody, *line], cwd=reachable(), capture_output=True, text=True, timeout=60)
    assert "10.77.0.2/24 fd00:77::2/64" in done.stdout, done.stderr


def has_user(uid: int) -> bool:
    """Whether the lab that we are in has more users than root."""
    spans = [list(map(int, line.split())) for line in Path("/proc/self/uid_map").read_text().splitlines()]
    return any(first <= uid < first + count for first, _, count in spans)
