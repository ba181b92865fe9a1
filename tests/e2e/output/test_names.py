"""How containers, pods and ports are named."""

from tests.e2e.output.shown import LONG, POD, TWIN, attach
from tests.harness.cniwire import Cniwire


def test_long_ids_are_shown_as_short_as_they_may_be(cniwire: Cniwire) -> None:
    """Whole with --wide and with --json."""
    attach(cniwire, LONG)
    assert [line.split()[0] for line in cniwire("ls").splitlines()[1:2]] == [LONG[:12]]
    attach(cniwire, TWIN)
    attach(cniwire, "0123456789abcdef")  # not long: somebody may have chosen it
    shown = cniwire("ls")
    assert {line.split()[0] for line in shown.splitlines() if " eth0 " in line} == {
        LONG[:13],
        TWIN[:13],
        "0123456789abcdef",
    }
    assert LONG not in shown
    wide = cniwire("ls", "--wide")
    assert {line.split()[0] for line in wide.splitlines() if " eth0 " in line} == {
        LONG,
        TWIN,
        "0123456789abcdef",
    }
    assert {item["containerID"] for item in cniwire.json("ls")["networks"][0]["attachments"]} == {
        LONG,
        TWIN,
        "0123456789abcdef",
    }
    assert LONG not in cniwire("check")
    assert f"{LONG}/eth0 on demo" in cniwire("--wide", "check")


def test_the_beginning_of_a_long_id_is_enough(cniwire: Cniwire) -> None:
    """Wherever a container is named; an ambiguous one is refused, and a chosen name has no beginning."""
    web = cniwire.name("web")
    cniwire("up", "demo", web)
    attach(cniwire, LONG)
    attach(cniwire, TWIN)
    assert f"✔ {LONG[:13]}/eth0 on demo" in cniwire("check", LONG[:13])
    assert "10.9.0.3/24" in cniwire("exec", LONG[:14], "ip", "address", "show", "dev", "eth0")
    failure = cniwire("check", LONG[:6], status=2)
    assert "2 containers have an ID that begins with 3f2a1b" in failure
    assert [LONG[:13] in failure, TWIN[:13] in failure] == [True, True]
    assert f"nothing is attached to '{web[:-1]}'" in cniwire("check", web[:-1], status=1)
    assert "no namespace and no attachment" in cniwire("down", web[:-1], status=1)
    assert "nothing is attached to '3f2'" in cniwire("check", "3f2", status=1)
    cniwire("detach", "demo", LONG[:13])
    cniwire("detach", "all", "nothing", "--id", TWIN[:4])
    assert cniwire.cached == [f"demo-{web}-eth0"]
    cniwire("down", web)


def test_pods_are_shown_where_there_are_any(cniwire: Cniwire) -> None:
    """From CNI_ARGS in the cache; a name that Kubernetes would not allow is none."""
    attach(cniwire, LONG, *POD)
    attach(
        cniwire,
        TWIN,
        "--arg",
        "K8S_POD_NAMESPACE=x",
        "--arg",
        "K8S_POD_NAME=Evil[red]\x1b[2J",
        "--arg",
        "IgnoreUnknown=1",
    )
    header, first, *_ = cniwire("ls").splitlines()
    assert header.split() == ["CONTAINER", "POD", "IFNAME", "NETWORK", "ADDRESSES", "PUBLISHED", "STATE"]
    assert first.split()[:3] == [LONG[:13], "default/web-0", "eth0"]
    assert f"{LONG[:13]}/eth0  (default/web-0)  10.9.0.2/24" in cniwire("ls")
    assert f"✔ {LONG[:13]}/eth0 (default/web-0) on demo is as it was made" in cniwire("check")
    assert {item.get("pod", "") for item in cniwire.json("ls")["networks"][0]["attachments"]} == {
        "default/web-0",
        "",
    }
    assert "Evil" not in cniwire("ls") + cniwire("check")


def test_a_taken_port_is_written_as_it_was_typed(cniwire: Cniwire) -> None:
    web, db = cniwire.name("web"), cniwire.name("db")
    cniwire("up", "demo", web, "-p", "8080:80")
    assert f"host port 8080/tcp is already taken by demo/{web}/eth0" in cniwire(
        "up", "demo", db, "-p", "8080:80", status=1
    )
    cniwire("down", web)
