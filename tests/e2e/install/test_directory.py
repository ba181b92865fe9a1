"""`cniwire install`, `upgrade`, `rollback` and `uninstall`: what stands in the directories."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from launcher.installation.versions import PLUGINS
from tests.e2e.install import killed
from tests.e2e.install.directory import Directory, first_line, ours, theirs
from tests.e2e.install.node import ROOT, version

WAYS = pytest.mark.parametrize("way", [(), ("--copy",)], ids=["links", "copies"])


@WAYS
def test_a_node_goes_from_version_to_version_and_back_to_what_it_was(
    directory: Directory, first: str, second: str, go: Path, way: tuple[str, ...]
) -> None:
    """Another suite's plugins come back with their owners and modes; those that ours have not stay."""
    theirs(directory, "bridge", "portmap", "dhcp")
    (directory.bindir / "host-local").symlink_to(go / "host-local")
    (directory.bindir / "bridge").chmod(0o751)
    before, others = directory.tree(), directory.says()
    said = directory("install", "--replace", "--from", first, *way)
    assert re.search(r"kept in \S+ for `cniwire uninstall`: bridge, host-local, portmap\n", said)
    assert directory.says() == {**others, **ours("1.0.0")}
    assert {(directory.bindir / name).is_symlink() for name in PLUGINS} == {not way}
    assert "2.0.0-" in directory("upgrade", "--from", second)
    assert directory.says() == {**others, **ours("2.0.0")}
    assert {(directory.bindir / name).is_symlink() for name in PLUGINS} == {not way}
    assert re.search(r"1\.0\.0-\w+ is back in \S+, in place of 2\.0\.0-", directory("rollback"))
    assert directory.says() == {**others, **ours("1.0.0")}
    assert "there is no version before 1.0.0-" in directory.refused("rollback")
    directory("upgrade", "--from", second)
    directory("uninstall")
    assert directory.tree() == before


def test_the_directory_may_be_seen_under_another_path(
    directory: Directory, first: str, second: str, tmp_path: Path
) -> None:
    """An installer in a container has the node's directories below /host; the node itself goes on with it."""
    before = directory.tree()
    host = tmp_path / "host"
    host.mkdir()
    subprocess.run(["mount", "--bind", directory.folder, host], check=True)
    try:
        inside = Directory.__new__(Directory)
        inside.folder, inside.start = host, directory.start
        inside.bindir, inside.conf = host / "opt/cni/bin", host / "etc/cni/net.d"
        inside("install", "--from", first, "--network", "demo")
        assert inside.says() == directory.says() == ours("1.0.0")
        inside("upgrade", "--from", second)
    finally:
        subprocess.run(["umount", host], check=True)
    assert directory.says() == ours("2.0.0")
    assert directory("install", "--check").count("✔") == 3
    directory("rollback")
    assert directory.says() == ours("1.0.0")
    directory("uninstall")
    assert directory.tree() == before


def test_copies_do_not_hang_together(directory: Directory, first: str, second: str) -> None:
    """What another installer writes over one of them changes no other; links become copies and go back."""
    directory("install", "--from", first, "--copy")
    files = [directory.bindir / name for name in PLUGINS]
    assert {path.stat().st_nlink for path in files} == {1}
    (directory.bindir / "tuning").write_text("#!/bin/sh\necho somebody else")
    assert directory.says() == {**ours("1.0.0"), "tuning": "somebody else"}
    assert "tuning in " in directory.refused("upgrade", "--from", second)
    directory("upgrade", "--from", second, "--replace")
    directory("install", "--from", second)
    assert {path.is_symlink() for path in files} == {True}
    assert directory.says() == ours("2.0.0")
    directory("uninstall")
    assert {path.name for path in directory.bindir.iterdir()} == {"tuning"}


def test_a_network_is_written_for_pods(directory: Directory, first: str, second: str) -> None:
    """Again with other subnets, and never over what somebody wrote; an upgrade leaves it alone."""
    cidrs = ("--subnet", "10.244.1.0/24", "--subnet", "fd00:10:244:1::/64")
    directory("install", "--from", first, "--network", "pod-cidr", *cidrs[:2])
    directory("install", "--from", first, "--network", "pod-cidr", *cidrs)
    file = directory.conf / "10-cniwire.conflist"
    written = json.loads(file.read_text())
    assert [plugin["type"] for plugin in written["plugins"]] == ["bridge", "portmap", "bandwidth"]
    assert written["plugins"][0]["ipam"]["ranges"] == [[{"subnet": cidr}] for cidr in cidrs[1::2]]
    directory("upgrade", "--from", second)
    assert json.loads(file.read_text()) == written
    file.write_text("{}")
    words = ("install", "--from", second, "--network", "demo")
    assert f"{file} is there, and not as `cniwire install` wrote it" in directory.refused(*words)
    assert "sorts before" not in directory(*words, "--force")
    assert json.loads(file.read_text())["name"] == "demo"
    (directory.conf / "05-other.conf").write_text("{}")
    assert "05-other.conf sorts before 10-cniwire.conflist" in directory(*words)
    directory("uninstall")
    assert {path.name: path.read_text() for path in directory.conf.iterdir()} == {
        "05-other.conf": "{}",
        "10-cniwire.conflist": "{}",
    }


def test_the_command_goes_below_a_prefix_and_takes_itself_away(bundle: Path, directory: Directory) -> None:
    """With completion scripts and examples; the installed command is the one that uninstalls."""
    before = directory.tree()
    directory("install", "--prefix", str(directory.prefix))
    assert {version(directory.bindir / name) for name in PLUGINS} == {"1.1.0"}
    assert (directory.prefix / "share/cniwire/conf/10-bridge.conflist").exists()
    directory.start = [str(directory.prefix / "bin" / "cniwire")]
    assert "0.2.0-" in directory("upgrade")
    said = directory("uninstall")
    assert f"cniwire is gone from {directory.bindir}" in said
    assert directory.tree() == before


def test_what_an_earlier_installation_had_and_this_one_has_not_goes(
    bundle: Path, directory: Directory
) -> None:
    """The command moves; who does not name a prefix again means the one that was named."""
    before = directory.tree()
    directory("install", "--prefix", str(directory.prefix))
    directory("install", "--prefix", str(directory.folder / "local"))
    directory("install")
    assert not os.path.lexists(directory.prefix / "bin" / "cniwire")
    assert (directory.folder / "local" / "share" / "cniwire" / "conf").is_dir()
    directory("uninstall")
    assert directory.tree() == before


@pytest.mark.parametrize("way", ["links", "copies"])
def test_an_installer_killed_at_any_step_leaves_plugins_and_no_traces(
    way: str, plugins: Path, tmp_path: Path
) -> None:
    """install, upgrade, rollback, uninstall: each name leads to the old or the new one.

    What comes next finishes the work.
    """
    if plugins != ROOT / "bin":
        pytest.skip("is the same whatever is installed: tried with --plugins=source")
    subprocess.run(["mount", "-t", "tmpfs", "cniwire-test", tmp_path], check=True)
    try:
        command = [sys.executable, killed.__file__, way, str(tmp_path)]
        environ = {**os.environ, "PYTHONPATH": str(ROOT)}
        done = subprocess.run(command, env=environ, capture_output=True, text=True)
    finally:
        subprocess.run(["umount", tmp_path], check=True)
    assert (done.returncode, done.stderr) == (0, "")
    steps = dict(line.split() for line in done.stdout.splitlines())
    assert [*steps] == [*killed.SCENES]
    assert min(map(int, steps.values())) > 20


def test_what_was_killed_before_anything_was_installed_is_taken_away(
    directory: Directory, first: str
) -> None:
    """It is nothing to upgrade, or to go back from."""
    before = directory.tree()
    (directory.home / ".new" / "share").mkdir(parents=True)
    (directory.home / "lock").write_text("")
    for command in ("upgrade", "rollback"):
        assert "cniwire has installed nothing in " in directory.refused(command)
    directory("uninstall")
    assert directory.tree() == before


def test_a_rollback_to_plugins_that_do_not_answer_is_refused(
    directory: Directory, first: str, second: str
) -> None:
    directory("install", "--from", first)
    directory("upgrade", "--from", second)
    (old,) = directory.home.glob("1.0.0-*")
    (old / "bridge").unlink()
    assert "bridge of 1.0.0-" in directory.refused("rollback")
    assert directory.says() == ours("2.0.0")


def test_a_copy_that_was_made_of_the_directory_works(
    directory: Directory, first: str, tmp_path: Path
) -> None:
    """As installers do it: cp -f /opt/cni/bin/* somewhere else follows the links."""
    directory("install", "--from", first)
    (tmp_path / "copy").mkdir()
    for path in directory.bindir.iterdir():
        if path.is_file():
            shutil.copy(path, tmp_path / "copy")
    assert {path.name: first_line(path) for path in (tmp_path / "copy").iterdir()} == ours("1.0.0")
