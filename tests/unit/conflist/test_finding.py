"""Which file of the configuration directory is the network of a name."""

from dataclasses import replace
from pathlib import Path

import pytest

from launcher.conflist import Network, load, load_all, load_file, resolve
from launcher.failures import ConfigFailure, MalformedConfig, MissingDirectory, UnknownNetwork
from tests.unit.conflist.files import PLUGIN, write


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
    example = load_file(str(Path(__file__).resolve().parents[3] / "conf" / "10-bridge.conflist"))
    assert (
        load(str(tmp_path / "nowhere"), "demo") == load(str(tmp_path), "demo") == replace(example, source="")
    )
    write(tmp_path / "10.conflist", {"name": "other", "plugins": [PLUGIN]})
    assert load(str(tmp_path), "demo").plugins == example.plugins
    write(tmp_path / "20.conflist", {"name": "demo", "plugins": [PLUGIN]})
    assert load(str(tmp_path), "demo").plugins == (PLUGIN,)
