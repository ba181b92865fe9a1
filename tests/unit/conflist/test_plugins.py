"""The plugins of a list: in its file, in its folder, or a single configuration."""

import json
from pathlib import Path
from typing import Any

import pytest

from launcher.conflist import Network, load_file, parse_list, parse_plugin, upconvert
from launcher.failures import ConfigFailure, MalformedConfig
from tests.unit.conflist.files import PLUGIN, listed, write


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


def test_a_single_configuration_becomes_a_list_of_one() -> None:
    """R-25: name and version move up, the plugin stays as it is."""
    single = {"name": "net", "cniVersion": "0.3.1", "type": "bridge", "ipam": {"type": "host-local"}}
    document = {"name": "net", "plugins": [single], "cniVersion": "0.3.1"}
    assert upconvert(single) == Network("net", "0.3.1", (single,), document)
    bare = {"name": "net", "type": "bridge"}
    assert upconvert(bare) == Network("net", "", (bare,), {"name": "net", "plugins": [bare]})
