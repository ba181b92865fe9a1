"""Names, flags, versions and numbers of a configuration."""

import json
from typing import Any

import pytest

from core.cni import json as document
from core.errors import CNIError
from launcher.conflist import parse_list, parse_plugin, upconvert
from launcher.derivation import inject
from launcher.failures import ConfigFailure
from tests.unit.conflist.files import PLUGIN, listed


@pytest.mark.parametrize(
    ("value", "expected"), [(True, True), (False, False), ("true", True), ("False", False), ("TRUE", True)]
)
def test_flags_are_booleans_or_their_names(value: Any, expected: bool) -> None:
    """R-20: disableCheck and disableGC."""
    network = parse_list(listed(disableCheck=value, disableGC=value))
    assert (network.disable_check, network.disable_gc) == (expected, expected)


@pytest.mark.parametrize("key", ["disableCheck", "disableGC", "loadOnlyInlinedPlugins"])
@pytest.mark.parametrize("value", ["yes", "", 1, None, []])
def test_another_flag_text_is_an_error(key: str, value: Any) -> None:
    """R-20: other text, or another type."""
    with pytest.raises(ConfigFailure, match=f"{key}: want true or false, found"):
        parse_list(listed(**{key: value}))


def test_flags_default_to_false() -> None:
    """R-20, R-21."""
    network = parse_list(listed())
    assert (network.disable_check, network.disable_gc) == (False, False)


@pytest.mark.parametrize("name", [None, "", 7, "../etc", "a b", "-x", "net\n"])
def test_a_name_that_no_plugin_would_take_is_refused(name: Any) -> None:
    """R-6: before anything is executed."""
    with pytest.raises(ConfigFailure, match="name: want letters"):
        parse_list(listed(name=name))


def test_inject_sets_and_overwrites_in_a_copy() -> None:
    """R-23: existing keys are overwritten."""
    plugin = {"type": "bridge", "name": "old"}
    assert inject(plugin, {"name": "new", "cniVersion": ""}) == {
        "type": "bridge",
        "name": "new",
        "cniVersion": "",
    }
    assert plugin == {"type": "bridge", "name": "old"}


@pytest.mark.parametrize("values", [{"": 1}, {"key": None}])
def test_inject_refuses_an_empty_key_and_no_value(values: dict[str, Any]) -> None:
    """R-23."""
    with pytest.raises(ConfigFailure, match="cannot inject"):
        inject({"type": "bridge"}, values)


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ({"cniVersion": "0.4.0"}, "0.4.0"),
        ({"cniVersions": ["0.3.1", "1.0.0", "0.4.0"]}, "1.0.0"),
        ({"cniVersions": ["1.0.0", "1.1.0", "1.2.0", "10.0.0"]}, "1.1.0"),
        ({"cniVersion": "1.1.0", "cniVersions": ["0.4.0"]}, "1.1.0"),
        ({"cniVersion": "0.4.0", "cniVersions": ["1.0.0"]}, "1.0.0"),
        ({"cniVersion": "0.4.0", "cniVersions": []}, "0.4.0"),
        ({"cniVersion": "0.4.0", "cniVersions": ["2.0.0"]}, "0.4.0"),
        ({"cniVersion": "2.0.0", "cniVersions": ["1.0.0"]}, "1.0.0"),
        ({"cniVersion": "2.0.0"}, "2.0.0"),
        ({"cniVersions": []}, ""),
        ({}, ""),
    ],
)
def test_the_highest_version_that_we_know_is_chosen(keys: dict[str, Any], expected: str) -> None:
    """R-24: merges both keys, caps at ours, falls back to cniVersion, an empty list is fine."""
    assert parse_list(json.dumps({"name": "net", "plugins": [PLUGIN], **keys}).encode()).version == expected


@pytest.mark.parametrize(
    "keys",
    [
        {"cniVersion": 1},
        {"cniVersions": "1.0.0"},
        {"cniVersions": [1]},
        {"cniVersions": ["1.x"]},
        {"cniVersions": ["1.0.0.0"]},
    ],
)
def test_an_invalid_version_is_refused(keys: dict[str, Any]) -> None:
    """R-24."""
    with pytest.raises(CNIError, match="cniVersion"):
        parse_list(listed(**keys))


def test_capabilities_are_those_declared_true() -> None:
    """R-1, R-2."""
    plugins = [
        {**PLUGIN, "capabilities": {"mac": True, "ips": False}},
        {"type": "p", "capabilities": {"portMappings": True}},
        {"type": "q"},
    ]
    assert parse_list(listed(plugins=plugins)).capabilities == {"mac", "portMappings"}


def test_whole_numbers_lose_their_fraction_as_libcni_writes_them() -> None:
    """Case 23: `"mtu": 1400.0` works with every runtime.

    What is no whole number, or too large for one, stays.
    """
    values = b'"mtu": 1400.0, "x": [1e3, {"y": -2.0}, 1.5, 1e21, 1e999, true], "ipam": {"a": 0.0}'
    given = b'{"name": "n", "plugins": [{"type": "bridge", %b}]}' % values
    (plugin,) = parse_list(given).plugins
    assert (
        document.render(plugin)
        == '{"type":"bridge","mtu":1400,"x":[1000,{"y":-2},1.5,1e+21,1e999,true],"ipam":{"a":0}}'
    )
    deep = b"[" * 5000 + b"2.0" + b"]" * 5000
    assert parse_list(b'{"name": "n", "plugins": [{"type": "t", "x": %b}]}' % deep).plugins[0]["x"]


def test_keys_of_a_plugin_are_taken_in_any_case() -> None:
    """Case 23, as libcni and the plugins decode them; of several the last counts."""
    given = b'{"Type": "bridge", "IPAM": {"Type": "host-local"}, "CAPABILITIES": {"mac": true}}'
    (plugin,) = parse_list(b'{"name": "n", "plugins": [%b]}' % given).plugins
    assert plugin == {"type": "bridge", "ipam": {"Type": "host-local"}, "capabilities": {"mac": True}}
    (plugin,) = parse_list(b'{"name": "n", "plugins": [{"type": "a", "Type": "b"}]}').plugins
    assert plugin == {"type": "b"}
    assert load_single(b'{"NAME": "n", "CniVersion": "1.0.0", "TYPE": "bridge"}') == ("n", "1.0.0")


def load_single(data: bytes) -> tuple[str, str]:
    """Name and version of a single configuration."""
    found = upconvert(parse_plugin(data))
    return found.name, found.version


def test_of_a_key_that_stands_twice_the_last_counts() -> None:
    """Case 23: as in the map into which libcni decodes.

    The Go plugins, called by hand, would merge the two.
    """
    twice = b'"ipam": {"type": "host-local", "subnet": "10.0.0.0/24"}, "ipam": {"dataDir": "/x"}'
    data = b'{"name": "n", "plugins": [{"type": "bridge", %b}]}' % twice
    assert parse_list(data).plugins[0]["ipam"] == {"dataDir": "/x"}
