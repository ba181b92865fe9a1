"""ADD over a configuration list: what plugins get, and what becomes of what they answer."""

import json
from pathlib import Path
from typing import Any

import pytest

from launcher.derivation import derived
from launcher.failures import Failure, PluginFailed, PluginMissing, UsageFailure
from launcher.request import Request
from launcher.runtime import Runtime
from tests.harness.fake_plugin import FakePlugins
from tests.unit.runtime.fake_list import FIRST, LAST, REFUSED, REQUEST, network, results


def test_add_chains_results_and_caches_the_last(runtime: Runtime, fakes: FakePlugins) -> None:
    """R-4: the second plugin gets the first's result whole, the final one is returned; R-3: and cached."""
    assert runtime.add(network(), REQUEST) == LAST
    first, last = fakes.calls
    assert first.config == {"type": "first", "key": 1, "name": "net", "cniVersion": "1.1.0"}
    assert last.config == {"type": "last", "name": "net", "cniVersion": "1.1.0", "prevResult": FIRST}
    expected = {
        "CNI_COMMAND": "ADD",
        "CNI_CONTAINERID": "c1",
        "CNI_NETNS": "/run/netns/c1",
        "CNI_IFNAME": "eth0",
        "CNI_ARGS": "A=1;B=2",
        "CNI_PATH": ":".join(runtime.plugin_dirs),
    }
    assert first.environ == last.environ == expected
    cached = runtime.cache.read("net", REQUEST)
    assert cached
    assert (cached.request, cached.result, json.loads(cached.config)) == (
        REQUEST,
        LAST,
        dict(network().document),
    )


def test_add_replaces_cni_variables_that_it_inherited(
    runtime: Runtime, fakes: FakePlugins, monkeypatch: pytest.MonkeyPatch
) -> None:
    """S-91: the command of a call overrides an inherited one."""
    monkeypatch.setenv("CNI_COMMAND", "DEL")
    monkeypatch.setenv("CNI_IFNAME", "wrong")
    runtime.add(network(), REQUEST)
    assert {(call.environ["CNI_COMMAND"], call.environ["CNI_IFNAME"]) for call in fakes.calls} == {
        ("ADD", "eth0")
    }


def test_add_fails_when_the_cache_cannot_be_written(runtime: Runtime, tmp_path: Path) -> None:
    """R-3."""
    (tmp_path / "cache").write_text("a file")
    with pytest.raises(Failure, match="cannot write the result cache"):
        runtime.add(network(), REQUEST)


def test_add_error_names_the_plugin_and_leaves_no_cache_file(runtime: Runtime, fakes: FakePlugins) -> None:
    """R-5: and S-100, the plugin's own code, message and details."""
    fakes.make("last", ADD=REFUSED)
    with pytest.raises(PluginFailed) as caught:
        runtime.add(network(), REQUEST)
    error = caught.value
    assert (error.plugin_type, error.code, error.msg) == ("last", 107, "plugin last failed (ADD): no room")
    assert error.details == "disk full"
    assert results(runtime) == []


@pytest.mark.parametrize(
    "stdout",
    [
        "",
        "rubbish",
        "[]",
        "3",
        '{"cniVersion": "9.0.0"}',
        '{"ips": [{"address": "x"}]}',
        '{"cniVersion":"1.1.0"} more',
    ],
)
def test_add_refuses_a_result_that_is_none(runtime: Runtime, fakes: FakePlugins, stdout: str) -> None:
    """R-5, S-62: rubbish on stdout with exit code 0."""
    fakes.make("first", ADD={"stdout": stdout})
    with pytest.raises(PluginFailed, match="plugin first failed .ADD.: cannot decode its result"):
        runtime.add(network(), REQUEST)
    assert fakes.order == ["ADD first"]


@pytest.mark.parametrize(
    ("printed", "expected"),
    [
        ({"ips": []}, {"ips": [], "cniVersion": "1.1.0"}),
        ({"cniVersion": "", "dns": {}}, {"dns": {}, "cniVersion": "1.1.0"}),
        (None, {"cniVersion": "1.1.0"}),
        (
            {"cniVersion": "0.4.0", "ips": [{"version": "4", "address": "10.0.0.2/8"}], "dns": {}},
            {"cniVersion": "1.1.0", "ips": [{"address": "10.0.0.2/8"}]},
        ),
    ],
)
def test_add_takes_a_result_in_any_version(
    runtime: Runtime, fakes: FakePlugins, printed: Any, expected: Any
) -> None:
    """S-104, S-106: without version it has the configuration's; null is an empty one.

    Another version is converted.
    """
    fakes.make("first", ADD={"json": printed})
    runtime.add(network(), REQUEST)
    assert fakes.calls[1].config["prevResult"] == expected


@pytest.mark.parametrize(
    ("request_", "complaint"),
    [
        (Request("", "eth0", "/n"), "container ID"),
        (Request("c 1", "eth0", "/n"), "container ID"),
        (Request("c1\n", "eth0", "/n"), "container ID"),
        (Request("c1", "", "/n"), "interface name"),
        (Request("c1", "a/b", "/n"), "interface name"),
        (Request("c1", "a:b", "/n"), "interface name"),
        (Request("c1", "..", "/n"), "interface name"),
        (Request("c1", "a\u00a0b", "/n"), "interface name"),
        (Request("c1", "sixteen-bytes-xx", "/n"), "interface name"),
    ],
)
@pytest.mark.parametrize("verb", ["add", "check", "delete"])
def test_bad_names_are_refused_before_anything_is_executed(
    runtime: Runtime, fakes: FakePlugins, verb: str, request_: Request, complaint: str
) -> None:
    """R-6: container ID and interface name; the network's name is refused when it is loaded."""
    with pytest.raises(UsageFailure, match=f"{complaint}: want"):
        getattr(runtime, verb)(network(), request_)
    assert fakes.calls == []


def test_names_at_the_limit_are_accepted(runtime: Runtime) -> None:
    """R-6."""
    runtime.add(network(), Request("0a_b.c-D", "fifteen-bytes-x", "/n"))


def test_a_missing_plugin_is_an_error_that_says_where_it_was_looked_for(
    runtime: Runtime, fakes: FakePlugins
) -> None:
    """R-13, S-98: every verb."""
    (fakes.folder / "first").unlink()
    for verb in (runtime.add, runtime.check, runtime.delete):
        runtime.cache.write("net", REQUEST, b"{}", LAST)
        with pytest.raises(PluginMissing) as caught:
            verb(network(), REQUEST)
        assert (
            str(caught.value)
            == f"plugin 'first' not found; searched {runtime.plugin_dirs[0]}, {runtime.plugin_dirs[1]}"
        )
        assert caught.value.hint == "name its directory with --plugin-dir or CNI_PATH"


def test_runtime_config_carries_only_declared_capabilities() -> None:
    """R-1: declared and given; declared false does not count; none declared leaves the key out."""
    request = Request(
        "c1", "eth0", "/n", (), {"portMappings": [{"hostPort": 1}], "mac": "02::", "ips": ["10.0.0.1"]}
    )

    def config(**declared: bool) -> dict[str, Any]:
        return derived(network(), {"type": "x", "capabilities": declared}, request)

    assert config(portMappings=True, mac=False, bandwidth=True)["runtimeConfig"] == {
        "portMappings": [{"hostPort": 1}]
    }
    assert "runtimeConfig" not in config(bandwidth=True)
    assert "runtimeConfig" not in config(mac=False)
    assert "runtimeConfig" not in derived(network(), {"type": "x"}, request)
    assert "runtimeConfig" not in derived(
        network(), {"type": "x", "capabilities": {"mac": True}}, Request("c1", "eth0")
    )


def test_runtime_config_reaches_the_plugin_that_declares_it(runtime: Runtime, fakes: FakePlugins) -> None:
    """R-1: on ADD, CHECK and DEL alike."""
    plugins = [{"type": "first"}, {"type": "last", "capabilities": {"mac": True}}]
    wired, request = network(plugins=plugins), Request("c1", "eth0", "/n", (), {"mac": "02:00:00:00:00:01"})
    for verb in (runtime.add, runtime.check, runtime.delete):
        verb(wired, request)
    assert [call.config.get("runtimeConfig") for call in fakes.calls if call.plugin == "first"] == [None] * 3
    assert [call.config["runtimeConfig"] for call in fakes.calls if call.plugin == "last"] == [
        {"mac": "02:00:00:00:00:01"}
    ] * 3


def test_what_a_successful_plugin_says_on_stderr_is_kept_as_a_warning(
    runtime: Runtime, fakes: FakePlugins
) -> None:
    """S-99: stderr is forwarded on success."""
    fakes.make("first", ADD={"json": FIRST, "stderr": "mind the gap\n"})
    runtime.add(network(), REQUEST)
    assert runtime.warnings == ["first ADD: mind the gap"]
