"""host-local and the Go plugin on one directory of reservations: in turn, and at the same time."""

from itertools import cycle
from pathlib import Path

import pytest

from core import address
from ipam.host_local import index
from ipam.host_local.boot import boot_id
from ipam.host_local.files import Directory
from tests.harness.ipam import Ipam
from tests.harness.plugin import PluginError

GO = Path("/usr/lib/cni/host-local")

pytestmark = pytest.mark.skipif(not GO.exists(), reason=f"there is no Go plugin at {GO}")


@pytest.fixture
def ours(plugins: Path, tmp_path: Path) -> Ipam:
    return Ipam(plugins / "host-local", tmp_path, "10.7.0.0/28", "fd00::/120")


@pytest.fixture
def go(ours: Ipam) -> Ipam:
    return ours.by(GO)


def test_both_leave_the_same_files(ours: Ipam, go: Ipam, tmp_path: Path) -> None:
    """H-61, H-1: names and contents; results too. Old releases made the files readable for all."""
    go.ipam = {**go.ipam, "dataDir": str(tmp_path / "go")}
    go.folder = tmp_path / "go" / "n1"
    results = [suite.good("ADD", "c1", "eth0") for suite in (ours, go)]
    results[1].pop("dns", None)  # empty, and gone from newer releases
    assert results[0] == results[1]
    assert ours.files() == go.files()
    for path in (".", "lock"):
        assert (ours.folder / path).stat().st_mode == (go.folder / path).stat().st_mode


def test_each_frees_what_the_other_reserved(ours: Ipam, go: Ipam) -> None:
    """H-61."""
    assert (ours.add("c1"), go.add("c2")) == (["10.7.0.2/28", "fd00::2/120"], ["10.7.0.3/28", "fd00::3/120"])
    go.delete("c1")
    ours.delete("c2")
    assert ours.reserved() == {}
    assert [suite.add(f"d{number}") for number, suite in enumerate((ours, go))] == [
        ["10.7.0.4/28", "fd00::4/120"],
        ["10.7.0.5/28", "fd00::5/120"],
    ]


def test_each_refuses_a_second_add_after_the_other(ours: Ipam, go: Ipam) -> None:
    """H-61, H-3."""
    ours.add("c1")
    go.add("c2")
    for suite, container_id in ((go, "c1"), (ours, "c2")):
        with pytest.raises(PluginError, match="duplicate allocation is not allowed"):
            suite.add(container_id)


def test_each_checks_what_the_other_reserved(ours: Ipam, go: Ipam) -> None:
    """H-61, H-12."""
    results = [suite.good("ADD", container_id) for suite, container_id in ((ours, "c1"), (go, "c2"))]
    ours.check(results[1], "c2")
    go.check(results[0], "c1")
    ours.delete("c2")
    for suite in (ours, go):
        with pytest.raises(PluginError):
            suite.check(results[1], "c2")


def test_both_go_round_the_same_ring(ours: Ipam, go: Ipam) -> None:
    """H-61, H-17: until the range is full, and again after a hole."""
    got = [suite.add(f"c{host}")[0] for suite, host in zip(cycle((ours, ours, go)), range(2, 15))]
    assert got == [f"10.7.0.{host}/28" for host in range(2, 15)]
    for suite in (ours, go):
        with pytest.raises(PluginError, match="no IP addresses available in range set"):
            suite.add("more")
    go.delete("c5")
    ours.delete("c9")
    assert [suite.add(f"d{number}")[0] for number, suite in enumerate((ours, go))] == [
        "10.7.0.5/28",
        "10.7.0.9/28",
    ]


def test_ours_keeps_step_through_a_long_walk_of_both(ours: Ipam, go: Ipam) -> None:
    """H-61: every step by one of the two, the state compared after each."""
    held: dict[str, list[str]] = {}
    for number, suite in zip(range(60), cycle((ours, go, go, ours, ours, go, ours))):
        name = f"c{number % 13}"
        if name in held:
            suite.delete(name)
            del held[name]
        else:
            held[name] = suite.add(name)
        assert ours.reserved() == {
            item.partition("/")[0]: f"{name}\r\neth0" for name, items in held.items() for item in items
        }


def test_a_legacy_file_of_an_old_release(ours: Ipam, go: Ipam) -> None:
    """H-61, H-4."""
    for suite in (ours, go):
        suite.put("10.7.0.9", "old")
        with pytest.raises(PluginError, match="duplicate allocation"):
            suite.add("old")
        suite.delete("old")
        assert "10.7.0.9" not in suite.files()


def test_200_adds_of_both_at_once(ours: Ipam, go: Ipam) -> None:
    """H-55, H-61: no address twice, none lost; then 200 DELs at once."""
    ours.ipam["ranges"] = [[{"subnet": "10.7.0.0/23"}]]
    go.ipam = ours.ipam
    names = [[f"{suite}{number}" for number in range(100)] for suite in ("o", "g")]
    everybody = [name for pair in zip(*names) for name in pair]
    got = both(ours, go, "ADD", everybody)
    assert len({ip["address"] for result in got for ip in result["ips"]}) == 200
    assert sorted(ours.reserved().values()) == sorted(f"{name}\r\neth0" for name in everybody)
    with pytest.raises(PluginError, match="duplicate"):
        ours.add("g7")
    in_step(ours)
    both(go, ours, "DEL", everybody)
    assert ours.reserved() == {}


def both(odd: Ipam, even: Ipam, command: str, names: list[str]) -> list[dict[str, list[dict[str, str]]]]:
    """Every second call by the other suite."""
    running = [(odd if number % 2 else even).start(command, name) for number, name in enumerate(names)]
    return [Ipam.ended(command, one) for one in running]


def in_step(ipam: Ipam) -> None:
    """Assert that an index that counts as valid says what the files say."""
    directory = Directory(str(ipam.folder))
    found = index.load(directory, boot_id())
    if found is not None:
        for name, content in ipam.reserved().items():
            assert address.parse(name) in (found.candidates(content.encode()) or [])
        found.close()
    directory.close()
