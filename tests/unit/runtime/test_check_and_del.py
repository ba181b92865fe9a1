"""CHECK and DEL over a configuration list, with the cached result of the ADD."""

import json

import pytest

from core.errors import CNIError
from launcher.failures import Failure, PluginFailed, Several, Unsupported
from launcher.runtime import Runtime
from tests.harness.fake_plugin import FakePlugins
from tests.unit.runtime.fake_list import LAST, REFUSED, REQUEST, network, results, spoil


@pytest.mark.parametrize("version", ["", "0.1.0", "0.2.0", "0.3.0", "0.3.1"])
def test_check_is_refused_below_0_4_0(runtime: Runtime, fakes: FakePlugins, version: str) -> None:
    """R-7."""
    with pytest.raises(Unsupported, match="has no CHECK, it came with 0.4.0"):
        runtime.check(network(version), REQUEST)
    assert fakes.calls == []


def test_check_does_nothing_when_the_list_disables_it(runtime: Runtime, fakes: FakePlugins) -> None:
    """R-8."""
    assert runtime.check(network(disableCheck=True), REQUEST) is False
    assert fakes.calls == []


def test_check_gives_every_plugin_the_cached_result(runtime: Runtime, fakes: FakePlugins) -> None:
    """R-9."""
    runtime.add(network(), REQUEST)
    fakes.forget()
    assert runtime.check(network(), REQUEST) is True
    assert fakes.order == ["CHECK first", "CHECK last"]
    assert [call.config["prevResult"] for call in fakes.calls] == [LAST, LAST]


def test_check_fails_with_the_plugins_error(runtime: Runtime, fakes: FakePlugins) -> None:
    """R-9: the first failure ends it."""
    runtime.add(network(), REQUEST)
    fakes.make("first", CHECK=REFUSED)
    fakes.forget()
    with pytest.raises(PluginFailed, match="plugin first failed .CHECK.: no room"):
        runtime.check(network(), REQUEST)
    assert fakes.order == ["CHECK first"]


def test_check_without_a_cached_result_is_an_error(runtime: Runtime, fakes: FakePlugins) -> None:
    """R-9: nothing to compare with."""
    with pytest.raises(Failure, match="nothing is known of c1/eth0 on network net"):
        runtime.check(network(), REQUEST)
    assert fakes.calls == []


def test_a_bad_cache_is_an_error_on_check_and_no_matter_on_del(runtime: Runtime, fakes: FakePlugins) -> None:
    """R-10: and DEL runs without prevResult."""
    path = spoil(runtime, '{"kind": "cniCacheV1", "result"')
    with pytest.raises(CNIError, match="cannot decode the result cache"):
        runtime.check(network(), REQUEST)
    assert fakes.calls == []
    runtime.delete(network(), REQUEST)
    assert [call.config.get("prevResult") for call in fakes.calls] == [None, None]
    assert not path.exists()


def test_a_cached_result_of_another_version_is_converted(runtime: Runtime, fakes: FakePlugins) -> None:
    """R-11: for CHECK and DEL."""
    runtime.add(network(), REQUEST)
    fakes.forget()
    converted = {"cniVersion": "0.4.0", "ips": [{"version": "4", "address": "10.0.0.9/24"}], "dns": {}}
    runtime.check(network("0.4.0"), REQUEST)
    runtime.delete(network("0.4.0"), REQUEST)
    assert [call.config["prevResult"] for call in fakes.calls] == [converted] * 4


def test_a_cached_result_that_cannot_be_converted_is_an_error_on_check_and_no_matter_on_del(
    runtime: Runtime, fakes: FakePlugins
) -> None:
    """R-11."""
    spoil(runtime, json.dumps({"kind": "cniCacheV1", "result": {"cniVersion": "9.9.9", "ips": []}}))
    with pytest.raises(CNIError, match="unknown version '9.9.9'"):
        runtime.check(network(), REQUEST)
    runtime.delete(network(), REQUEST)
    assert [call.config.get("prevResult") for call in fakes.calls] == [None, None]


def test_del_runs_in_reverse_with_the_cached_result_and_forgets_it(
    runtime: Runtime, fakes: FakePlugins
) -> None:
    """R-12: and a second DEL is fine, without prevResult."""
    runtime.add(network(), REQUEST)
    fakes.forget()
    runtime.delete(network(), REQUEST)
    assert [(call.command, call.plugin, call.config.get("prevResult")) for call in fakes.calls] == [
        ("DEL", "last", LAST),
        ("DEL", "first", LAST),
    ]
    assert results(runtime) == []
    fakes.forget()
    runtime.delete(network(), REQUEST)
    assert [(call.plugin, call.config.get("prevResult")) for call in fakes.calls] == [
        ("last", None),
        ("first", None),
    ]


@pytest.mark.parametrize(("version", "carried"), [("0.3.1", False), ("0.4.0", True), ("1.1.0", True)])
def test_del_carries_a_result_from_0_4_0_on(
    runtime: Runtime, fakes: FakePlugins, version: str, carried: bool
) -> None:
    """R-12."""
    fakes.make("last", ADD={"json": {"cniVersion": version}})
    runtime.add(network(version), REQUEST)
    fakes.forget()
    runtime.delete(network(version), REQUEST)
    assert ["prevResult" in call.config for call in fakes.calls] == [carried, carried]


def test_del_goes_on_after_a_failure_and_keeps_the_cache(runtime: Runtime, fakes: FakePlugins) -> None:
    """What can be freed is free then, and the rest can be tried again.

    libcni stops there (R-12), which leaves addresses behind.
    """
    runtime.add(network(), REQUEST)
    fakes.make("last", DEL=REFUSED)
    fakes.forget()
    with pytest.raises(PluginFailed, match="plugin last failed .DEL.: no room"):
        runtime.delete(network(), REQUEST)
    assert fakes.order == ["DEL last", "DEL first"]
    assert results(runtime) == ["net-c1-eth0"]
    fakes.make("first", DEL=REFUSED)
    with pytest.raises(Several) as caught:
        runtime.delete(network(), REQUEST)
    assert [failure.msg for failure in caught.value.failures] == [
        "plugin last failed (DEL): no room",
        "plugin first failed (DEL): no room",
    ]
