"""Ports, addresses and MACs that a person asks for, or leaves to us."""

import itertools
import re
from collections.abc import Iterator

import pytest

from launcher.traffic import Server
from tests.harness.cniwire import Cniwire
from tests.harness.configs import bridge
from tests.harness.host import Host
from tests.harness.traffic import ask

PORTMAP = {"type": "portmap", "capabilities": {"portMappings": True}}


@pytest.fixture
def cniwire(host: Host) -> Iterator[Cniwire]:
    made = Cniwire(host, host.plugins)
    made.network(
        "demo", bridge(host.data, "10.9.0.0/24", "fd00:9::/64", ipMasq=True), PORTMAP, version="1.1.0"
    )
    yield made
    made.close()


def published(cniwire: Cniwire, *arguments: str) -> list[int]:
    """The host ports that `up` chose, as --json and the message have them."""
    attached = cniwire.json("up", "demo", *arguments)["attachments"]
    return [mapping["hostPort"] for item in attached for mapping in item["portMappings"]]


@pytest.mark.parametrize("option", ["80", "127.0.0.1::80", ":80"])
def test_a_free_host_port_is_chosen_and_told(cniwire: Cniwire, option: str) -> None:
    """By the message, by --json and by ls; and it leads to the container."""
    web = cniwire.name("web")
    with cniwire.popen("up", "demo", web, "-p", option) as process:
        _, stderr = process.communicate(timeout=60)
    (told,) = re.findall(r"published (?:127\.0\.0\.1:)?(\d+)→80/tcp", stderr)
    assert 1024 < int(told) <= 65535
    (item,) = cniwire.json("ls")["networks"][0]["attachments"]
    assert [mapping["hostPort"] for mapping in item["portMappings"]] == [int(told)]
    with Server(f"/run/netns/{web}", "web", 80, "tcp"):
        assert ask(cniwire.host, "127.0.0.1", int(told)).server == "web"
    assert "is as it was made" in cniwire("check")
    cniwire("down", web)
    assert cniwire.cached == []


def test_each_container_gets_ports_of_its_own(cniwire: Cniwire) -> None:
    names = [cniwire.name(text) for text in ("a", "b", "c")]
    found = published(cniwire, *names, "-p", "80", "-p", "90-99/udp")
    assert len(found) == 6
    assert len(set(found[::2])) == 3  # of TCP; a number may be taken once of each protocol
    ranges = sorted(found[1::2])
    assert all(first + 10 <= following for first, following in itertools.pairwise(ranges))
    cniwire("down", *names)


def test_a_port_that_another_runtime_has_is_not_insisted_on(cniwire: Cniwire) -> None:
    """Its attachments are not in our cache: the plugin refuses, and another port is taken.

    What the tries made is undone.
    """
    cniwire.host.run("echo 40000 40003 > /proc/sys/net/ipv4/ip_local_port_range")
    other = cniwire.host.network(
        bridge(cniwire.host.data, "10.8.0.0/24", bridge="br8"), PORTMAP, name="other"
    )
    taken = [{"hostPort": port, "containerPort": 80, "protocol": "tcp"} for port in (40000, 40001, 40003)]
    other.add(cniwire.host.container("c9"), portMappings=taken)
    web = cniwire.name("web")
    assert published(cniwire, web, "-p", "80") == [40002]
    assert "40002" in cniwire.host.run("nft list map inet cniwire hostports4")
    db = cniwire.name("db")
    assert "no 1 free host port(s) for 80/tcp" in cniwire("up", "demo", db, "-p", "80", status=1)
    cniwire("down", web)
    assert cniwire.cached == []
    assert list((cniwire.host.data / "demo").glob("10.9.0.*")) == []


def test_no_free_port_is_an_error_that_undoes_everything(cniwire: Cniwire) -> None:
    cniwire.host.run("echo 40000 40001 > /proc/sys/net/ipv4/ip_local_port_range")
    before = cniwire.host.state()
    assert "free host port" in cniwire("up", "demo", cniwire.name("a"), "-p", "80-90", status=1)
    assert (cniwire.cached, cniwire.host.state()) == ([], before)


@pytest.mark.parametrize("capabilities", [{}, {"ips": True, "mac": True}])
@pytest.mark.parametrize("command", ["run", "up", "attach"])
def test_address_and_mac_are_as_asked_for(
    cniwire: Cniwire, command: str, capabilities: dict[str, bool]
) -> None:
    """Through CNI_ARGS where the network declares no capability, whatever else is in the chain."""
    cniwire.network(
        "demo",
        {**bridge(cniwire.host.data, "10.9.0.0/24", "fd00:9::/64"), "capabilities": capabilities},
        PORTMAP,
        version="1.1.0",
    )
    name, options = (
        cniwire.name("web"),
        ["--ip", "10.9.0.77", "--mac", "02:00:00:00:0A:01", "--arg", "K8S_POD_NAME=x"],
    )
    if capabilities:
        options += ["--ip", "fd00:9::77/64"]
    if command == "attach":
        cniwire.host.run(f"ip netns add {name}")
    shown = cniwire(
        *(
            ["run", "demo", *options, "--", "ip", "address"]
            if command == "run"
            else [command, "demo", name, *options]
        )
    )
    if command != "run":
        shown = cniwire.host.run(f"ip netns exec {name} ip address")
        assert "is as it was made" in cniwire("check")
        cniwire("detach", "demo", name)
    assert [text in shown for text in ("inet 10.9.0.77/24", "link/ether 02:00:00:00:0a:01")] == [True, True]
    assert ("inet6 fd00:9::77/64" in shown) == bool(capabilities)


@pytest.mark.parametrize(
    ("options", "status", "complaint"),
    [
        (["--ip", "10.9.0.77", "--ip", "fd00:9::77"], 2, "takes a single --ip"),
        (["--ip", "10.8.0.1"], 1, "10.8.0.1"),
        (["--ip", "10.9.0.1"], 1, "10.9.0.1"),
        (["OTHER", "--ip", "10.9.0.77"], 2, "--ip and --mac are for a single container"),
    ],
)
def test_what_cannot_be_had_is_refused_and_nothing_left(
    cniwire: Cniwire, options: list[str], status: int, complaint: str
) -> None:
    cniwire("run", "demo", "--", "true")
    before = cniwire.host.state()
    options = [cniwire.name("other") if option == "OTHER" else option for option in options]
    assert complaint in cniwire("up", "demo", cniwire.name("web"), *options, status=status)
    assert (cniwire.cached, cniwire.host.state()) == ([], before)


def test_an_address_that_no_plugin_gives_is_an_error(cniwire: Cniwire) -> None:
    """A layer-2 bridge knows none: it must not look as if it had been given."""
    cniwire.network("flat", {"type": "bridge", "bridge": "br7"}, version="1.1.0")
    web = cniwire.name("web")
    assert "--ip 10.9.0.77: no plugin gave it; eth0 got no address" in cniwire(
        "up", "flat", web, "--ip", "10.9.0.77", status=1
    )
    assert cniwire.cached == []
