"""The six commands over a configuration list, against plugins that remember how they were called."""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from core.errors import CNIError
from launcher.cache import Cache
from launcher.conflist import Network, parse_list
from launcher.derivation import derived
from launcher.failures import (
    Failure,
    PluginFailed,
    PluginMissing,
    Several,
    TimedOut,
    Unsupported,
    UsageFailure,
)
from launcher.request import Request
from launcher.runtime import Runtime, decode_versions
from tests.harness.fake_plugin import VERSIONS, FakePlugins

REQUEST = Request("c1", "eth0", "/run/netns/c1", (("A", "1"), ("B", "2")))
FIRST = {"cniVersion": "1.1.0", "ips": [{"address": "10.0.0.2/24"}], "extra": {"kept": True}}
LAST = {"cniVersion": "1.1.0", "ips": [{"address": "10.0.0.9/24"}]}
REFUSED = {"json": {"cniVersion": "1.1.0", "code": 107, "msg": "no room", "details": "disk full"}, "exit": 1}


@pytest.fixture
def fakes(tmp_path: Path) -> FakePlugins:
    """Two plugins, `first` and `last`."""
    made = FakePlugins(tmp_path / "plugins")
    made.make("first", ADD={"json": FIRST})
    made.make("last", ADD={"json": LAST})
    return made


@pytest.fixture
def runtime(fakes: FakePlugins, tmp_path: Path) -> Runtime:
    return Runtime([str(tmp_path / "empty"), str(fakes.folder)], Cache(str(tmp_path / "cache")), timeout=10)


def network(version: str = "1.1.0", **keys: Any) -> Network:
    document = {
        "name": "net",
        "cniVersion": version,
        "plugins": [{"type": "first", "key": 1}, {"type": "last"}],
        **keys,
    }
    return parse_list(json.dumps(document).encode())


def results(runtime: Runtime) -> list[str]:
    return [Path(cached.path).name for cached in runtime.cache.attachments()]


# ADD


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


# runtimeConfig


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


# CHECK


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


def spoil(runtime: Runtime, content: str) -> Path:
    path = Path(runtime.cache.path("net", REQUEST))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)
    return path


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


# DEL


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


def test_a_plugin_that_hangs_in_del_takes_nobodys_turn(runtime: Runtime, fakes: FakePlugins) -> None:
    runtime.add(network(), REQUEST)
    fakes.make("last", DEL={"sleep": 60})
    fakes.forget()
    runtime.timeout = 0.5
    with pytest.raises(TimedOut, match="plugin last did not answer"):
        runtime.delete(network(), REQUEST)
    assert fakes.order == ["DEL last", "DEL first"]


# validate, VERSION


def test_validate_finds_plugins_versions_and_capabilities(runtime: Runtime) -> None:
    """R-2, R-14: the version may be omitted."""
    plugins = [
        {"type": "first", "capabilities": {"mac": True, "x": False}},
        {"type": "last", "capabilities": {"ips": True, "mac": True}},
    ]
    assert runtime.validate(network(plugins=plugins)) == ["ips", "mac"]
    assert runtime.validate(network("")) == []


def test_validate_tells_all_that_is_wrong(runtime: Runtime, fakes: FakePlugins) -> None:
    """R-14: a missing executable and an unsupported version."""
    fakes.make("last", VERSION={"json": {"cniVersion": "1.0.0", "supportedVersions": ["0.4.0", "1.0.0"]}})
    with pytest.raises(Several) as caught:
        runtime.validate(network(plugins=[{"type": "nobody"}, {"type": "last"}]))
    missing, unsupported = caught.value.failures
    assert isinstance(missing, PluginMissing)
    assert str(unsupported) == "plugin last does not support cniVersion 1.1.0; it supports 0.4.0, 1.0.0"
    assert isinstance(unsupported, Failure)
    assert f"{fakes.folder}/last" in unsupported.hint, "an incompatible version is some executable's"


def test_validate_looks_for_the_ipam_plugin_of_those_that_execute_it(
    runtime: Runtime, fakes: FakePlugins
) -> None:
    """Others may mean something else by the key."""
    fakes.make("bridge")
    with pytest.raises(Several, match="plugin 'nobody' not found"):
        runtime.validate(network(plugins=[{"type": "bridge", "ipam": {"type": "nobody"}}]))
    for plugin in (
        {"type": "bridge", "ipam": {"type": ""}},
        {"type": "bridge", "ipam": {"type": 3}},
        {"type": "first", "ipam": {"type": "nobody"}},
    ):
        assert runtime.validate(network(plugins=[plugin])) == []


def test_a_plugin_without_version_may_work_all_the_same(runtime: Runtime, fakes: FakePlugins) -> None:
    """A shell script that knows ADD and DEL."""
    fakes.make("first", VERSION={"stdout": ""})
    fakes.make("last", VERSION=REFUSED)
    assert runtime.validate(network(), lenient=True) == []
    with pytest.raises(Several):
        runtime.validate(network())


def test_version_needs_no_container(runtime: Runtime, fakes: FakePlugins) -> None:
    """S-84."""
    assert runtime.versions("first") == VERSIONS
    assert fakes.every_call[0].config == {"cniVersion": "1.1.0"}
    assert set(fakes.every_call[0].environ) == {"CNI_COMMAND", "CNI_PATH"}


def test_version_of_a_plugin_from_before_it_existed_is_0_1_0(runtime: Runtime, fakes: FakePlugins) -> None:
    """S-107."""
    fakes.make("first", VERSION={"json": {"code": 100, "msg": "unknown CNI_COMMAND: VERSION"}, "exit": 1})
    assert runtime.versions("first") == ["0.1.0"]
    fakes.make("first", VERSION=REFUSED)
    with pytest.raises(PluginFailed, match="no room"):
        runtime.versions("first")
    fakes.make("first", VERSION={"stdout": "bla"})
    with pytest.raises(PluginFailed, match="plugin first failed .VERSION.: cannot decode its versions"):
        runtime.versions("first")


def test_version_replies_are_decoded() -> None:
    """S-84: good, without a list at 0.2.0, and the bad ones."""
    assert decode_versions(b'{"cniVersion": "1.0.0", "supportedVersions": ["1.0.0", "0.4.0"]}') == [
        "0.4.0",
        "1.0.0",
    ]
    assert decode_versions(b'{"cniVersion": "0.2.0"}') == ["0.1.0", "0.2.0"]
    bad = (
        b"",
        b"{",
        b"{}",
        b'{"supportedVersions": ["1.0.0"]}',
        b'{"cniVersion": "1.0.0"}',
        b'{"cniVersion": "1.0.0", "supportedVersions": [1]}',
    )
    for reply in bad:
        with pytest.raises(CNIError):
            decode_versions(reply)


# GC, STATUS


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


# deadlines


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


def test_what_a_successful_plugin_says_on_stderr_is_kept_as_a_warning(
    runtime: Runtime, fakes: FakePlugins
) -> None:
    """S-99: stderr is forwarded on success."""
    fakes.make("first", ADD={"json": FIRST, "stderr": "mind the gap\n"})
    runtime.add(network(), REQUEST)
    assert runtime.warnings == ["first ADD: mind the gap"]
