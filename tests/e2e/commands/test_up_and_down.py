"""`cniwire up` and `down`."""

import pytest

from tests.e2e.commands.plugins import foreign, stable
from tests.harness.cniwire import Cniwire


def test_up_makes_namespaces_that_ip_netns_knows(cniwire: Cniwire) -> None:
    """up, exec, ls, down."""
    cniwire("run", "demo", "--", "true")
    before = stable(cniwire)
    web, db = cniwire.name("web"), cniwire.name("db")
    attached = cniwire.json("up", "demo", web, db)["attachments"]
    assert [item["containerID"] for item in attached] == [web, db]
    address = attached[1]["result"]["ips"][0]["address"].split("/")[0]
    assert web in cniwire.host.run("ip netns list")
    assert "lo UNKNOWN" in " ".join(cniwire.host.run(f"ip netns exec {web} ip -brief link").split())
    cniwire("exec", web, "busybox", "ping", "-c", "1", "-W", "2", address)
    cniwire("exec", db, "sh", "-c", "exit 5", status=5)
    picture = cniwire.json("ls")
    (network,) = picture["networks"]
    assert [bridge["name"] for bridge in network["bridges"]] == ["br0"]
    assert network["bridges"][0]["addresses"] == ["10.9.0.1/24", "fd00:9::1/64"]
    rows = {item["containerID"]: item for item in network["attachments"]}
    assert {row["state"] for row in rows.values()} == {"up"}
    assert rows[db]["addresses"] == [item["address"] for item in attached[1]["result"]["ips"]]
    assert rows[db]["port"].startswith("veth")
    drawing = cniwire("ls")
    assert f"── {web}/eth0  {rows[web]['addresses'][0]}" in drawing
    assert "bridge br0  10.9.0.1/24" in drawing
    cniwire("down", web, db)
    assert stable(cniwire) == before


def test_up_of_a_name_that_exists_is_refused_and_changes_nothing(cniwire: Cniwire) -> None:
    web = cniwire.name("web")
    cniwire("up", "demo", web)
    before = stable(cniwire)
    assert f"namespace {web} exists already" in cniwire("up", "demo", web, status=1)
    assert stable(cniwire) == before


def test_down_of_nothing_is_an_error(cniwire: Cniwire) -> None:
    assert "no namespace and no attachment is called 'nobody'" in cniwire("down", "nobody", status=1)


def test_up_again_after_a_reboot(cniwire: Cniwire) -> None:
    """The namespace is gone, cache and reservation are not: the leftovers are deleted first."""
    if foreign(cniwire):
        pytest.skip("the Go bridge forgets its masquerade rules when the namespace is gone")
    web = cniwire.name("web")
    cniwire("up", "demo", web, "-p", "8080:80")
    cniwire.host.run(f"ip netns delete {web}")
    cniwire("up", "demo", web, "-p", "8080:80")
    assert sorted(file.name for file in (cniwire.host.data / "demo").glob("10.9.0.*")) == ["10.9.0.3"]
    cniwire("down", web)
