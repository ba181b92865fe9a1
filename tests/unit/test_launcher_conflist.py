"""Reading network configurations as libcni does."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from core.cni import json as document
from core.errors import CNIError
from launcher.conflist import Network, load, load_all, load_file, parse_list, parse_plugin, resolve, upconvert
from launcher.derivation import inject
from launcher.failures import ConfigFailure, MalformedConfig, MissingDirectory, UnknownNetwork

PLUGIN = {"type": "bridge", "bridge": "br0"}


def write(path: Path, document: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(document if isinstance(document, str) else json.dumps(document))
    return path


def listed(**keys: Any) -> bytes:
    return json.dumps({"name": "net", "cniVersion": "1.0.0", "plugins": [PLUGIN], **keys}).encode()


def test_a_list_is_loaded_whole(tmp_path: Path) -> None:
    """R-19: by name from a .conflist."""
    document = {"name": "net", "cniVersion": "0.4.0", "plugins": [PLUGIN, {"type": "portmap"}]}
    path = write(tmp_path / "10-net.conflist", document)
    assert load(str(tmp_path), "net") == Network(
        "net", "0.4.0", (PLUGIN, {"type": "portmap"}), document, source=str(path)
    )


def test_the_first_file_by_name_wins(tmp_path: Path) -> None:
    """R-19: files are read in the order of their names."""
    write(tmp_path / "20.conflist", {"name": "net", "plugins": [{"type": "late"}]})
    write(tmp_path / "10.conflist", {"name": "net", "plugins": [{"type": "early"}]})
    write(tmp_path / "05.conflist", {"name": "other", "plugins": [PLUGIN]})
    assert load(str(tmp_path), "net").plugins == ({"type": "early"},)


@pytest.mark.parametrize("ending", [".conf", ".json"])
def test_a_single_configuration_is_found_and_made_a_list(tmp_path: Path, ending: str) -> None:
    """R-19, R-25: .conf and .json are the fallback."""
    single = {"name": "net", "cniVersion": "0.3.1", **PLUGIN}
    path = write(tmp_path / f"10{ending}", single)
    expected = {"name": "net", "plugins": [single], "cniVersion": "0.3.1"}
    assert load(str(tmp_path), "net") == Network("net", "0.3.1", (single,), expected, source=str(path))


def test_a_list_is_preferred_over_a_single_configuration_of_the_same_name(tmp_path: Path) -> None:
    """R-19."""
    write(tmp_path / "10.conf", {"name": "net", "type": "single"})
    write(tmp_path / "20.conflist", {"name": "net", "plugins": [{"type": "listed"}]})
    assert load(str(tmp_path), "net").plugins == ({"type": "listed"},)


def test_a_missing_directory_an_empty_one_and_no_match_are_told_apart(tmp_path: Path) -> None:
    """R-19: distinct errors, each with what to do."""
    with pytest.raises(
        MissingDirectory, match="cannot read the configuration directory .*/nowhere: No such file"
    ):
        load(str(tmp_path / "nowhere"), "net")
    with pytest.raises(MissingDirectory, match="no network configuration in"):
        load(str(tmp_path), "net")
    write(tmp_path / "10.conflist", {"name": "other", "plugins": [PLUGIN]})
    with pytest.raises(UnknownNetwork, match="no network 'net' in .*; it has other"):
        load(str(tmp_path), "net")


@pytest.mark.parametrize(
    "text", ["{", "[]", '"net"', "", '{"name": "net", "plugins": [{"type": "a"}]} trailing']
)
def test_a_malformed_file_is_an_error_that_names_it(tmp_path: Path, text: str) -> None:
    """R-19: also when another file would match."""
    write(tmp_path / "10-bad.conflist", text)
    write(tmp_path / "20.conflist", {"name": "net", "plugins": [PLUGIN]})
    with pytest.raises(
        MalformedConfig, match="10-bad.conflist: cannot decode the network configuration list"
    ):
        load(str(tmp_path), "net")


def test_a_directory_that_ends_like_a_list_is_passed_over(tmp_path: Path) -> None:
    """R-19: nested directories do not count."""
    write(tmp_path / "sub.conflist" / "10.conflist", {"name": "net", "plugins": [PLUGIN]})
    write(tmp_path / "sub" / "10.conflist", {"name": "net", "plugins": [PLUGIN]})
    with pytest.raises(MissingDirectory):
        load(str(tmp_path), "net")


def test_load_all_yields_what_can_be_read_and_what_cannot(tmp_path: Path) -> None:
    write(tmp_path / "10.conflist", {"name": "net", "plugins": [PLUGIN]})
    write(tmp_path / "20.conflist", "{")
    (_, good), (path, bad) = load_all(str(tmp_path))
    assert isinstance(good, Network)
    assert good.name == "net"
    assert path.endswith("20.conflist")
    assert isinstance(bad, ConfigFailure)


def test_a_reference_is_a_file_or_a_name(tmp_path: Path) -> None:
    path = write(tmp_path / "elsewhere" / "x.conflist", {"name": "there", "plugins": [PLUGIN]})
    write(tmp_path / "10.conflist", {"name": "here", "plugins": [PLUGIN]})
    assert resolve(str(path), str(tmp_path)).name == "there"
    assert resolve("here", str(tmp_path)).name == "here"
    with pytest.raises(MalformedConfig, match="cannot read .*no.conflist: No such file"):
        resolve(str(tmp_path / "no.conflist"), str(tmp_path))


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


def folder(tmp_path: Path, **keys: Any) -> Path:
    """A list and the folder of its name with two plugins in it."""
    write(tmp_path / "net" / "20-b.conf", {"type": "b"})
    write(tmp_path / "net" / "10-a.conf", {"type": "a"})
    write(tmp_path / "net" / "30-c.txt", {"type": "c"})
    return write(tmp_path / "10.conflist", {"name": "net", "cniVersion": "1.0.0", **keys})


def test_the_folder_of_a_network_adds_its_plugins_behind_the_inlined_ones(tmp_path: Path) -> None:
    """R-21: default false, merge with the subfolder."""
    network = load_file(str(folder(tmp_path, plugins=[PLUGIN])))
    assert network.plugins == (PLUGIN, {"type": "a"}, {"type": "b"})
    assert parse_list(json.dumps(network.document).encode()).plugins == network.plugins, (
        "what is cached is complete"
    )


def test_a_list_without_plugins_lives_from_its_folder(tmp_path: Path) -> None:
    """R-21."""
    assert load_file(str(folder(tmp_path))).plugins == ({"type": "a"}, {"type": "b"})


def test_the_folder_is_ignored_when_only_inlined_plugins_count(tmp_path: Path) -> None:
    """R-21: loadOnlyInlinedPlugins true."""
    assert load_file(str(folder(tmp_path, plugins=[PLUGIN], loadOnlyInlinedPlugins=True))).plugins == (
        PLUGIN,
    )


def test_only_inlined_plugins_and_none_of_them_is_an_error(tmp_path: Path) -> None:
    """R-21."""
    with pytest.raises(MalformedConfig, match="loadOnlyInlinedPlugins is true, and there is no key plugins"):
        load_file(str(folder(tmp_path, loadOnlyInlinedPlugins=True)))


def test_no_plugins_at_all_is_an_error(tmp_path: Path) -> None:
    """R-21: neither inlined nor in a folder; nor may the list be empty."""
    path = write(tmp_path / "10.conflist", {"name": "net"})
    with pytest.raises(MalformedConfig, match="no plugins"):
        load_file(str(path))
    with pytest.raises(ConfigFailure, match="plugins: want a list of at least one plugin, found \\[\\]"):
        parse_list(listed(plugins=[]))


def test_a_broken_file_in_the_folder_is_an_error_that_names_it(tmp_path: Path) -> None:
    """R-21, R-22."""
    path = folder(tmp_path, plugins=[PLUGIN])
    write(tmp_path / "net" / "40.conf", {"bridge": "x"})
    with pytest.raises(MalformedConfig, match="net/40.conf: missing type"):
        load_file(str(path))


@pytest.mark.parametrize("plugin", [{}, {"type": ""}, {"type": 3}, {"type": None}])
def test_a_missing_type_is_an_error(plugin: dict[str, Any]) -> None:
    """R-22."""
    with pytest.raises(ConfigFailure, match="plugins\\[1\\]: missing type"):
        parse_list(listed(plugins=[PLUGIN, plugin]))
    with pytest.raises(ConfigFailure, match="missing type"):
        parse_plugin(json.dumps({"name": "net", **plugin}).encode())


def test_a_plugin_that_is_no_object_is_an_error() -> None:
    """R-22."""
    with pytest.raises(ConfigFailure, match=r"plugins\[0\]: want an object, found \"bridge\""):
        parse_list(listed(plugins=["bridge"]))
    with pytest.raises(ConfigFailure, match="plugins: want a list"):
        parse_list(listed(plugins={"type": "bridge"}))


def test_a_list_in_a_file_for_single_configurations_is_explained(tmp_path: Path) -> None:
    """R-22."""
    path = write(tmp_path / "10.conf", {"name": "net", "plugins": [PLUGIN]})
    with pytest.raises(MalformedConfig, match="missing type") as caught:
        load_file(str(path))
    assert caught.value.hint == "a list of plugins belongs into a file that ends in .conflist"


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


def test_a_single_configuration_becomes_a_list_of_one() -> None:
    """R-25: name and version move up, the plugin stays as it is."""
    single = {"name": "net", "cniVersion": "0.3.1", "type": "bridge", "ipam": {"type": "host-local"}}
    document = {"name": "net", "plugins": [single], "cniVersion": "0.3.1"}
    assert upconvert(single) == Network("net", "0.3.1", (single,), document)
    bare = {"name": "net", "type": "bridge"}
    assert upconvert(bare) == Network("net", "", (bare,), {"name": "net", "plugins": [bare]})


def test_capabilities_are_those_declared_true() -> None:
    """R-1, R-2."""
    plugins = [
        {**PLUGIN, "capabilities": {"mac": True, "ips": False}},
        {"type": "p", "capabilities": {"portMappings": True}},
        {"type": "q"},
    ]
    assert parse_list(listed(plugins=plugins)).capabilities == {"mac", "portMappings"}


def test_an_example_of_the_wanted_name_is_pointed_out(tmp_path: Path) -> None:
    """As somebody meets it who types the README's commands without having copied anything."""
    for directory in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(MissingDirectory) as caught:
            load(str(directory), "guests")
        assert caught.value.hint.endswith(
            "conf/50-guests.conflist is an example of that name: use the file instead"
        )


def test_demo_is_built_in_and_is_the_example(tmp_path: Path) -> None:
    """Where there is no directory, an empty one, and other files; a file of that name comes first."""
    example = load_file(str(Path(__file__).resolve().parents[2] / "conf" / "10-bridge.conflist"))
    assert (
        load(str(tmp_path / "nowhere"), "demo") == load(str(tmp_path), "demo") == replace(example, source="")
    )
    write(tmp_path / "10.conflist", {"name": "other", "plugins": [PLUGIN]})
    assert load(str(tmp_path), "demo").plugins == example.plugins
    write(tmp_path / "20.conflist", {"name": "demo", "plugins": [PLUGIN]})
    assert load(str(tmp_path), "demo").plugins == (PLUGIN,)


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
