"""GC and STATUS over a configuration list."""

import pytest

from launcher.failures import PluginFailed, Several
from launcher.request import Request
from launcher.runtime import Runtime
from tests.harness.fake_plugin import FakePlugins
from tests.unit.runtime.fake_list import LAST, REFUSED, REQUEST, network, results


def test_gc_deletes_stale_attachments_and_then_asks_the_plugins(runtime: Runtime, fakes: FakePlugins) -> None:
    """R-15: DEL with what ADD was given, then GC with both key names; other networks are left alone."""
    dead, gone, elsewhere = (
        Request("dead", "eth0", "/n/dead", (("A", "1"),)),
        Request("gone", "eth0", "/n/gone"),
        Request("other", "eth0", "/n"),
    )
    for request in (REQUEST, dead, gone):
        runtime.add(network(), request)
    runtime.cache.write("another", elsewhere, b"{}", LAST)
    fakes.forget()
    assert runtime.gc(network(), [("c1", "eth0")], [("gone", "eth0")]) is True
    assert fakes.order == ["DEL last", "DEL first"] * 2 + ["GC first", "GC last"]
    assert [call.environ.get("CNI_NETNS") for call in fakes.calls] == ["/n/dead"] * 2 + [""] * 2 + [None] * 2
    assert fakes.calls[0].environ["CNI_ARGS"] == "A=1"
    listed = [{"containerID": "c1", "ifname": "eth0"}]
    expected = {
        "name": "net",
        "cniVersion": "1.1.0",
        "cni.dev/valid-attachments": listed,
        "cni.dev/attachments": listed,
    }
    assert fakes.calls[4].config == {"type": "first", "key": 1, **expected}
    assert fakes.calls[5].config == {"type": "last", **expected}
    assert results(runtime) == ["another-other-eth0", "net-c1-eth0"]


def test_gc_of_nothing_alive_says_so_with_an_empty_list(runtime: Runtime, fakes: FakePlugins) -> None:
    """R-15: an empty list is meaningful."""
    runtime.gc(network(), [])
    assert fakes.calls[0].config["cni.dev/valid-attachments"] == []


def test_gc_below_1_1_0_only_deletes_stale_attachments(runtime: Runtime, fakes: FakePlugins) -> None:
    """R-15."""
    runtime.cache.write("net", REQUEST, b"{}", LAST)
    runtime.gc(network("1.0.0"), [])
    assert fakes.order == ["DEL last", "DEL first"]


def test_gc_does_nothing_when_the_list_disables_it(runtime: Runtime, fakes: FakePlugins) -> None:
    """R-15: disableGC stops both."""
    runtime.cache.write("net", REQUEST, b"{}", LAST)
    assert runtime.gc(network(disableGC=True), []) is False
    assert fakes.calls == []


def test_gc_goes_on_after_errors_and_reports_all(runtime: Runtime, fakes: FakePlugins) -> None:
    """R-15."""
    runtime.add(network(), REQUEST)
    fakes.make("first", DEL=REFUSED, GC=REFUSED)
    fakes.forget()
    with pytest.raises(Several) as caught:
        runtime.gc(network(), [])
    assert [failure.msg for failure in caught.value.failures] == [
        "plugin first failed (DEL): no room",
        "plugin first failed (GC): no room",
    ]
    assert fakes.order == ["DEL last", "DEL first", "GC first", "GC last"]


def test_status_surfaces_the_first_error_and_stops(runtime: Runtime, fakes: FakePlugins) -> None:
    """R-16."""
    assert runtime.status(network()) is True
    assert fakes.order == ["STATUS first", "STATUS last"]
    assert fakes.calls[0].config == {"type": "first", "key": 1, "name": "net", "cniVersion": "1.1.0"}
    fakes.make("first", STATUS={"json": {"code": 50, "msg": "not now"}, "exit": 1})
    fakes.forget()
    with pytest.raises(PluginFailed, match="plugin first failed .STATUS.: not now") as caught:
        runtime.status(network())
    assert caught.value.code == 50
    assert fakes.order == ["STATUS first"]


def test_status_is_not_asked_below_1_1_0(runtime: Runtime, fakes: FakePlugins) -> None:
    """R-16."""
    assert runtime.status(network("1.0.0")) is False
    assert fakes.calls == []
