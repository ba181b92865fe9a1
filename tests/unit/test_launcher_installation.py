"""What an installer tells of kernels and of other suites' executables, and which version was before."""

import json
from pathlib import Path

import pytest

from launcher import requirements
from launcher.installation.place import Record
from launcher.installation.suites import OURS, REFERENCE, UNKNOWN, Origin, told


@pytest.mark.parametrize(
    ("text", "origin"),
    [
        ("CNI bridge plugin v1.9.1+cniwire.0.2.0\nCNI protocol versions", Origin(OURS, "0.2.0")),
        ("CNI bridge plugin v1.7.1\nCNI protocol versions", Origin(REFERENCE, "v1.7.1")),
        ("CNI dhcp plugin version unknown\n", Origin(REFERENCE)),  # Debian 12
        ("CNI calico plugin v3.28.0", Origin(UNKNOWN, says="CNI calico plugin v3.28.0")),
        ("CNI Plugin flannel version v1.2.0", Origin(UNKNOWN, says="CNI Plugin flannel version v1.2.0")),
        ("", Origin(UNKNOWN)),
    ],
)
def test_a_suite_is_told_by_the_line_that_it_prints(text: str, origin: Origin) -> None:
    assert told(text) == origin


@pytest.mark.parametrize(
    ("release", "version"),
    [("5.4.0-216-generic", (5, 4)), ("6.1", (6, 1)), ("4.19.0", (4, 19)), ("mine", (0, 0))],
)
def test_a_kernel_is_as_new_as_its_release_says(release: str, version: tuple[int, int]) -> None:
    assert requirements.version(release) == version


def test_a_module_is_missing_only_where_lists_of_modules_say_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Loaded, built in, to be loaded, and compressed; without lists nothing is known to be missing."""
    monkeypatch.setattr(requirements, "FOLDERS", (str(tmp_path),))
    assert requirements.has_module("none_of_these", "6.1")
    (tmp_path / "6.1").mkdir()
    (tmp_path / "6.1" / "modules.builtin").write_text("kernel/drivers/net/veth0.ko\n")
    assert requirements.has_module("none_of_these", "6.1")
    (tmp_path / "6.1" / "modules.dep").write_text(
        "kernel/net/sched/sch_tbf0.ko.xz: kernel/x/none_of_these0.ko\n"
    )
    found = {name: requirements.has_module(name, "6.1") for name in ("veth0", "sch_tbf0", "none_of_these")}
    assert found == {"veth0": True, "sch_tbf0": True, "none_of_these": False}


def test_a_record_knows_the_version_before(tmp_path: Path) -> None:
    """Of those that are still there; one that was gone back from is not before anything."""
    for name in "abc":
        (tmp_path / name).mkdir()
    record = Record(tmp_path / "installed.json")
    before = []
    for current, name in (("", "a"), ("a", "b"), ("b", "b"), ("a", "c"), ("c", "a")):
        record.follow(current, name)
        before.append(record.before(name))
    assert before == ["", "a", "a", "a", "c"]
    record.write()
    assert json.loads(record.file.read_text())["history"] == ["c", "a"]
    (tmp_path / "c").rmdir()
    assert Record(record.file).before("a") == ""
