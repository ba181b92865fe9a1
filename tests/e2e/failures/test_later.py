"""Commands about what is wired, with plugins that fail, and configurations that are gone or broken."""

import json
from typing import Any

from tests.e2e.failures.answers import REFUSED
from tests.harness.cniwire import Cniwire, named_namespaces
from tests.harness.fake_plugin import FakePlugins


def test_down_keeps_the_namespace_for_another_try(cniwire: Cniwire, fakes: FakePlugins) -> None:
    """R-12: and --force does not."""
    web = cniwire.name("web")
    cniwire("up", "net", web)
    fakes.make("last", DEL=REFUSED)
    assert "plugin last failed (DEL): no room" in cniwire("down", web, status=1)
    assert (cniwire.cached, named_namespaces(cniwire.mark)) == ([f"net-{web}-eth0"], [web])
    cniwire("down", "--force", web, status=1)
    assert named_namespaces(cniwire.mark) == []
    fakes.make("last")
    cniwire("down", web)
    assert cniwire.cached == []


def test_down_uses_the_configuration_of_the_add(cniwire: Cniwire, fakes: FakePlugins) -> None:
    """The file may have changed or gone since."""
    web = cniwire.name("web")
    cniwire("up", "net", web)
    (cniwire.conf / "net.conflist").unlink()
    fakes.forget()
    cniwire("down", web)
    assert fakes.order == ["DEL last", "DEL first"]


def test_check_and_status_skip_what_the_version_lacks(cniwire: Cniwire, fakes: FakePlugins) -> None:
    """R-7, R-8, R-16: neither an error nor a call."""
    cniwire.network("old", {"type": "first"}, version="0.3.1")
    cniwire.network("lax", {"type": "last"}, version="1.0.0", disableCheck=True)
    web = cniwire.name("web")
    cniwire("up", "old,lax", web)
    fakes.forget()
    report = cniwire.json("check")
    assert [(row["network"], row["check"]) for row in report["attachments"]] == [
        ("lax", "skipped"),
        ("old", "skipped"),
    ]
    assert fakes.calls == []
    report = cniwire.json("status", "old")
    assert report == {"networks": [{"network": "old", "ready": True, "asked": False}]}


def test_status_not_ready_is_an_error_with_the_plugins_code(cniwire: Cniwire, fakes: FakePlugins) -> None:
    """R-16."""
    fakes.make("first", STATUS={"json": {"code": 50, "msg": "no address left"}, "exit": 1})
    report = cniwire.json("status", "net", status=1)
    assert report["networks"][0]["error"]["code"] == 50
    assert report["networks"][0]["error"]["msg"] == "plugin first failed (STATUS): no address left"


def test_gc_tells_plugins_who_lives(cniwire: Cniwire, fakes: FakePlugins) -> None:
    """R-15: valid attachments from cache and living namespaces, of other runtimes too.

    What nobody can judge counts as alive.
    """
    web, gone = cniwire.name("web"), cniwire.name("gone")
    cniwire("up", "net", web, gone)
    cniwire.host.run(f"ip netns delete {gone}")
    cache = json.loads((cniwire.cache / "results" / f"net-{web}-eth0").read_text())
    cache.pop("netns")
    (cniwire.cache / "results" / "net-foreign-eth0").write_text(
        json.dumps({**cache, "containerId": "foreign"})
    )
    fakes.forget()
    cniwire("gc", "--dry-run")
    assert fakes.calls == []
    cniwire("gc")
    assert fakes.order == ["DEL last", "DEL first", "GC first", "GC last"]
    assert {call.environ["CNI_CONTAINERID"] for call in fakes.calls[:2]} == {gone}
    listed = [{"containerID": "foreign", "ifname": "eth0"}, {"containerID": web, "ifname": "eth0"}]
    assert fakes.calls[2].config["cni.dev/valid-attachments"] == listed


def test_gc_reaches_networks_that_are_not_configured_any_more(cniwire: Cniwire, fakes: FakePlugins) -> None:
    """R-15: with the configuration in the cache."""
    gone = cniwire.name("gone")
    cniwire("up", "net", gone)
    cniwire.host.run(f"ip netns delete {gone}")
    (cniwire.conf / "net.conflist").unlink()
    cniwire("gc")
    assert cniwire.cached == []


def test_a_broken_file_stops_only_what_needs_it(cniwire: Cniwire) -> None:
    """R-19: ls shows it in its place."""
    (cniwire.conf / "zz.conflist").write_text("{")
    pictures: list[dict[str, Any]] = cniwire.json("ls")["networks"]
    assert [picture["name"] for picture in pictures] == ["net", str(cniwire.conf / "zz.conflist")]
    assert "cannot decode" in pictures[1]["error"]
    assert "zz.conflist: cannot decode" in cniwire("up", "other", cniwire.name("web"), status=3)
