"""Bundles, places and disks that are refused: all stays as it was."""

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from launcher.installation.things import put
from tests.e2e.install.node import Node, changed

BREAKS: dict[str, Callable[[Path], object]] = {
    "no plugins' executable": lambda bundle: (bundle / "bridge").unlink(),
    "not executable": lambda bundle: (bundle / "bridge").chmod(0o644),
    "cut short": lambda bundle: os.truncate(bundle / "bridge", 1_000_000),
    "no modules": lambda bundle: (bundle / "lib" / "cniwire.modules").unlink(),
    "no launcher": lambda bundle: (bundle / "cniwire").unlink(),
    "says something else": lambda bundle: put(bundle / "portmap", lambda fresh: fresh.symlink_to("/bin/pwd")),
    "nothing for people": lambda bundle: shutil.rmtree(bundle / "share"),
    "no bundle at all": shutil.rmtree,
}


@pytest.mark.parametrize("name", BREAKS)
def test_a_bundle_that_does_not_answer_is_refused(
    bundle: Path, node: Node, tmp_path: Path, name: str
) -> None:
    """One line, and all is as before: an empty machine stays empty, an installed suite goes on."""
    broken = changed(bundle, tmp_path / "broken")
    BREAKS[name](broken)
    said = node.install(broken, succeeds=False)
    assert (said.count("\n"), said.startswith("install: ")) == (1, True)
    assert list(node.folder.iterdir()) == []
    node.install(bundle)
    before = node.tree()
    node.install(broken, succeeds=False)
    assert node.tree() == before


@pytest.mark.parametrize(
    ("prefix", "bindir", "says"),
    [
        ("usr", "/opt/cni/bin", "PREFIX=usr: an absolute path"),
        ("{node}/usr", "bin", "BINDIR=bin: an absolute path"),
        ("{node}/usr", "{node}/usr/lib/cniwire/bin", "the suite itself goes there"),
        ("{node}/file", "{node}/bin", "file is there, and is no folder"),
        ("{node}/usr", "{node}/folder", "is a folder, and should be"),
    ],
)
def test_places_that_cannot_be_are_refused(
    bundle: Path, node: Node, prefix: str, bindir: str, says: str
) -> None:
    (node.folder / "file").write_text("")
    (node.folder / "folder" / "bridge").mkdir(parents=True)
    before = node.tree()
    node.prefix, node.bindir = (Path(each.format(node=node.folder)) for each in (prefix, bindir))
    assert says in node.install(bundle, succeeds=False)
    assert node.tree() == before


def test_a_disk_that_is_full_keeps_the_old_suite(bundle: Path, node: Node) -> None:
    """One line, nothing left behind."""
    small = node.folder / "usr"
    small.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=60m", "cniwire-test", small], check=True)
    try:
        node.install(bundle)
        before = node.tree()
        subprocess.run(["fallocate", "-l", "20M", small / "ballast"], check=True)
        said = node.install(bundle, succeeds=False)
        assert (said.count("\n"), "No space left on device" in said, "nothing was installed" in said) == (
            1,
            True,
            True,
        )
        (small / "ballast").unlink()
        assert node.tree() == before
    finally:
        subprocess.run(["umount", small], check=True)


def test_uninstalling_what_was_never_installed_says_so(bundle: Path, node: Node) -> None:
    assert "nothing is installed there" in node.uninstall(succeeds=False)
