"""`cniwire attach` and `detach`, and several networks."""

import json

import pytest

from tests.e2e.commands.plugins import bridge, foreign, process_in_a_namespace, stable
from tests.harness.cniwire import Cniwire


@pytest.mark.parametrize("kind", ["pid", "path", "name"])
def test_attach_wires_what_somebody_else_made(cniwire: Cniwire, kind: str) -> None:
    """A process of `unshare` (as of Docker or LXC), a path, a name of `ip netns`.

    A second attach takes the next free name.
    """
    cniwire("run", "demo", "--", "true")
    before = stable(cniwire)
    name = cniwire.name("box")
    with process_in_a_namespace() as process:
        cniwire.host.run(f"ip netns add {name}")
        container = cniwire.host.container("c1")
        subject = {"pid": str(process.pid), "path": str(container.path), "name": name}[kind]
        enter = {
            "pid": f"nsenter --target {process.pid} --net",
            "path": f"nsenter --net={container.path}",
            "name": f"ip netns exec {name}",
        }[kind]
        # the Go bridge names its chains after network and container alone, so a second interface makes DEL
        # of the first fail
        for ifname in ("eth0",) if foreign(cniwire) else ("eth0", "eth1"):
            again = ["--again"] if ifname == "eth1" else []
            (made,) = cniwire.json("attach", "demo", subject, *again)["attachments"]
            assert made["ifname"] == ifname
            assert made["result"]["ips"][0]["address"] in cniwire.host.run(
                f"{enter} ip address show dev {ifname}"
            )
        cniwire("attach", "demo", subject, "--ifname", "eth0", status=1)
        if not foreign(cniwire):
            cniwire("detach", "demo", subject, "--ifname", "eth1")
        assert "eth1" not in cniwire.host.run(f"{enter} ip -brief link")
        cniwire("detach", "all", subject)
    cniwire.host.run(f"ip netns delete {name}")
    assert stable(cniwire) == before


def test_detach_works_when_the_process_has_ended(cniwire: Cniwire) -> None:
    """By the pid that it had."""
    with process_in_a_namespace() as process:
        cniwire("attach", "demo", str(process.pid))
    assert len(cniwire.cached) == 1
    cniwire("detach", "demo", str(process.pid))
    assert cniwire.cached == []
    assert list((cniwire.host.data / "demo").glob("10.9.0.*")) == []


def test_detach_of_what_is_not_attached_is_fine(cniwire: Cniwire) -> None:
    """R-12: a DEL without an ADD."""
    container = cniwire.host.container("c1")
    cniwire("detach", "demo", str(container.path))


def test_two_networks_give_two_interfaces(cniwire: Cniwire) -> None:
    """eth0 on the first, eth1 on the second; ports go to the network that can publish them."""
    version = json.loads((cniwire.conf / "demo.conflist").read_text())["cniVersion"]
    second = bridge(cniwire.host, "br1", "10.19.0.0/24")
    second.pop("isDefaultGateway")
    cniwire.network("second", second, version=version)
    web = cniwire.name("web")
    attached = cniwire.json("up", "second,demo", web, "-p", "8080:80")["attachments"]
    assert [(item["network"], item["ifname"], "portMappings" in item) for item in attached] == [
        ("second", "eth0", False),
        ("demo", "eth1", True),
    ]
    assert "8080→80/tcp" in cniwire("ls", "demo")
    cniwire("down", web)
    assert cniwire.cached == []
