"""Plugins that hang."""

import time
from collections.abc import Callable

import pytest

from launcher.failures import Several, TimedOut
from launcher.runtime import Runtime
from tests.harness.fake_plugin import FakePlugins
from tests.unit.runtime.fake_list import FIRST, LAST, REQUEST, network, results


def test_a_plugin_that_hangs_in_del_takes_nobodys_turn(runtime: Runtime, fakes: FakePlugins) -> None:
    runtime.add(network(), REQUEST)
    fakes.make("last", DEL={"sleep": 60})
    fakes.forget()
    runtime.timeout = 0.5
    with pytest.raises(TimedOut, match="plugin last did not answer"):
        runtime.delete(network(), REQUEST)
    assert fakes.order == ["DEL last", "DEL first"]


@pytest.mark.parametrize("verb", ["ADD", "CHECK", "DEL", "GC", "STATUS", "VERSION"])
def test_a_plugin_that_hangs_is_ended_at_the_deadline(
    runtime: Runtime, fakes: FakePlugins, verb: str
) -> None:
    """R-17: for every verb."""
    runtime.cache.write("net", REQUEST, b"{}", LAST)
    fakes.make("first", **{verb: {"sleep": 30}})
    runtime.timeout = 0.3
    actions: dict[str, Callable[[], object]] = {
        "ADD": lambda: runtime.add(network(), REQUEST),
        "CHECK": lambda: runtime.check(network(), REQUEST),
        "DEL": lambda: runtime.delete(network(plugins=[{"type": "first"}]), REQUEST),
        "GC": lambda: runtime.gc(network(plugins=[{"type": "first"}]), [REQUEST_KEY]),
        "STATUS": lambda: runtime.status(network()),
        "VERSION": lambda: runtime.versions("first"),
    }
    start = time.monotonic()
    with pytest.raises(
        (TimedOut, Several), match=f"plugin first did not answer within 0.3 s .{verb}."
    ) as caught:
        actions[verb]()
    assert time.monotonic() - start < 5
    assert caught.value.status == 124


REQUEST_KEY = (REQUEST.container_id, REQUEST.ifname)


def test_the_deadline_is_for_the_whole_list(runtime: Runtime, fakes: FakePlugins) -> None:
    """R-17: not for each plugin anew."""
    fakes.make("first", ADD={"json": FIRST, "sleep": 0.5})
    fakes.make("last", ADD={"json": LAST, "sleep": 0.5})
    runtime.timeout = 0.8
    with pytest.raises(TimedOut, match="plugin last did not answer within 0.8 s"):
        runtime.add(network(), REQUEST)
    assert results(runtime) == []
