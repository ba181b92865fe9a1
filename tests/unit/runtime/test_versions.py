"""VERSION, and what is checked before anything is wired."""

import pytest

from core.errors import CNIError
from launcher.failures import Failure, PluginFailed, PluginMissing, Several
from launcher.runtime import Runtime, decode_versions
from tests.harness.fake_plugin import VERSIONS, FakePlugins
from tests.unit.runtime.fake_list import REFUSED, network


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
