"""`cniwire install` and its like where they cannot: one line, exit code 1, and the node is as it was."""

import fcntl
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from launcher.installation.things import put
from tests.e2e.install.directory import Directory, ours, theirs
from tests.e2e.install.node import changed
from tests.harness import without_nft

PAGE = 4096  # bytes that the shortest file takes on a tmpfs
OLD_KERNEL = ("setarch", "--uname-2.6")  # whose uname(2) says 2.6.something, personality(2)
WITHOUT_NFT = (sys.executable, without_nft.__file__)


@contextmanager
def mounted(path: Path, *options: str) -> Iterator[None]:
    subprocess.run(["mount", *options, path], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", path], check=True)


def test_another_suite_is_not_replaced_unasked(directory: Directory, first: str, go: Path) -> None:
    """Nor somebody's file of that name; it says whose they are."""
    theirs(directory, "bridge", "dhcp")
    (directory.bindir / "portmap").write_text("#!/bin/sh")
    said = directory.refused("install", "--from", first)
    assert said == (
        f"bridge, portmap in {directory.bindir}: somebody else's (CNI reference plugins), and not replaced "
        "unasked: nothing was installed"
    )


def test_another_suites_plugins_over_ours_are_not_replaced_unasked(
    directory: Directory, first: str, second: str, go: Path
) -> None:
    """They were installed after ours; with --replace they are what comes back in the end."""
    directory("install", "--from", first)
    put(directory.bindir / "bridge", lambda fresh: shutil.copy(go / "bridge", fresh))
    assert directory.refused("upgrade", "--from", second).startswith("bridge in ")
    directory("upgrade", "--from", second, "--replace")
    assert directory.says() == ours("2.0.0")
    directory("uninstall")
    assert [path.name for path in directory.bindir.iterdir()] == ["bridge"]
    assert (directory.bindir / "bridge").read_bytes() == (go / "bridge").read_bytes()


@pytest.mark.parametrize("way", [(), ("--copy",)], ids=["links", "copies"])
def test_without_space_nothing_is_installed(
    directory: Directory, first: str, second: str, way: tuple[str, ...]
) -> None:
    """Neither on an empty node nor over another version, which goes on, whatever it is that does not fit."""
    with mounted(directory.bindir, "-t", "tmpfs", "-o", "size=320k", "cniwire-test"):
        for state in ((), ("install", "--from", first, *way)):
            if state:
                directory(*state)
            ballast = directory.bindir / "ballast"
            room = shutil.disk_usage(directory.bindir).free
            for pages in (2, 9) if way else (0, 1):
                ballast.write_bytes(bytes(room - pages * PAGE))
                said = directory.refused("install", "--from", second, *way)
                assert said.endswith("No space left on device: nothing was installed")
            ballast.unlink()
        assert directory.says() == ours("1.0.0")
        directory("upgrade", "--from", second)
        assert directory.says() == ours("2.0.0")
        (directory.bindir / "ballast").write_bytes(bytes(shutil.disk_usage(directory.bindir).free))
        directory("uninstall")
        assert [path.name for path in directory.bindir.iterdir()] == ["ballast"]


def test_a_directory_that_is_read_only_is_refused(directory: Directory, first: str, second: str) -> None:
    with mounted(directory.bindir, "-t", "tmpfs", "-o", "ro", "cniwire-test"):
        said = directory.refused("install", "--from", first)
        assert said.endswith(".cniwire: Read-only file system: nothing was installed")
    directory("install", "--from", first)
    directory("upgrade", "--from", second)
    with mounted(directory.bindir, "--bind", str(directory.bindir)):
        subprocess.run(["mount", "-o", "remount,bind,ro", directory.bindir], check=True)
        for command in ("install", "upgrade"):
            assert "Read-only file system: nothing was" in directory.refused(command, "--from", first)
        assert "Read-only file system: all is as it was" in directory.refused("rollback")
        directory("uninstall", status=1)
        assert directory.says() == ours("2.0.0")


def test_a_configuration_directory_that_is_read_only_is_refused(directory: Directory, first: str) -> None:
    with mounted(directory.conf, "-t", "tmpfs", "-o", "ro", "cniwire-test"):
        said = directory.refused("install", "--from", first, "--network", "demo")
        assert said.endswith("Read-only file system: nothing was installed")


@pytest.mark.parametrize("way", [(), ("--copy",)], ids=["links", "copies"])
def test_a_name_that_cannot_be_replaced_takes_all_of_it_back(
    directory: Directory, first: str, go: Path, way: tuple[str, ...]
) -> None:
    """The last of the plugins is a mount point: the others had been switched by then."""
    theirs(directory, "bridge", "firewall")
    firewall = directory.bindir / "firewall"
    with mounted(firewall, "--bind", str(firewall)):
        said = directory.refused("install", "--from", first, "--replace", *way)
        assert said.endswith("Device or resource busy: nothing was installed")


def test_a_folder_in_the_place_of_a_plugin_is_refused(directory: Directory, first: str) -> None:
    (directory.bindir / "tuning").mkdir()
    assert "tuning is a folder" in directory.refused("install", "--from", first)


def test_a_suite_that_does_not_answer_is_refused(
    bundle: Path, directory: Directory, first: str, tmp_path: Path
) -> None:
    """On an empty node, and over one that works."""
    broken = changed(bundle, tmp_path / "broken")
    put(broken / "portmap", lambda fresh: fresh.symlink_to("/bin/false"))
    for _ in range(2):
        said = directory.refused("install", "--from", str(broken))
        assert said.startswith("portmap of the new bundle does not answer: ")
        directory("install", "--from", first)


def test_two_installers_at_once_are_one_and_a_refusal(directory: Directory, first: str) -> None:
    """Whatever the other one wants."""
    directory("install", "--from", first)
    for command in (
        ("install", "--from", first),
        ("upgrade", "--from", first),
        ("rollback",),
        ("uninstall",),
    ):
        with open(directory.home / "lock") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            assert "somebody else is installing there" in directory(*command, status=1)
            assert directory.says() == ours("1.0.0")


def test_the_one_who_is_refused_leaves_the_lock_to_the_other(directory: Directory, first: str) -> None:
    """On an empty node: a third one would get a lock of his own."""
    directory.home.mkdir()
    with open(directory.home / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        directory("install", "--from", first, status=1)
        assert (directory.home / "lock").exists()


@pytest.mark.parametrize(
    ("wrapper", "says"),
    [
        (WITHOUT_NFT, " has no nftables: published ports and masquerade need it"),
        (OLD_KERNEL, "the kernel is Linux 2.6."),
    ],
    ids=["no nftables", "old kernel"],
)
def test_a_kernel_that_lacks_something_is_told_of(
    directory: Directory, first: str, wrapper: tuple[str, ...], says: str
) -> None:
    """And --force installs in spite of it, for networks that do not need that."""
    assert says in directory.refused("install", "--from", first, before=wrapper)
    directory("install", "--from", first, "--force", before=wrapper)
    assert directory.says() == ours("1.0.0")
    assert says in directory("install", "--check", before=wrapper, status=1)


def test_commands_that_make_no_sense_are_refused(directory: Directory, first: str, tmp_path: Path) -> None:
    """Wrong usage is 2, all else 1."""
    words = ("install", "--from", first)
    for status, arguments, says in (
        (1, ("upgrade",), "cniwire has installed nothing in "),
        (1, ("uninstall",), "cniwire has installed nothing in "),
        (1, ("install", "--from", str(tmp_path)), "there are no plugins in "),
        (2, (*words, "--network", "pod-cidr"), "the node's podCIDR is missing"),
        (2, (*words, "--subnet", "10.0.0.0/24"), "--subnet is for --network"),
        (2, (*words, "--network", "demo", "--subnet", "x"), "--subnet: 'x' does not appear to be"),
        (2, (*words, "--network", "mine"), "want one of pod-cidr, demo, found mine"),
    ):
        assert says in directory.refused(*arguments, status=status)


def test_plugins_that_need_a_folder_beside_them_are_not_copied(bundle: Path, directory: Directory) -> None:
    said = directory.refused("install", "--copy", "--from", str(bundle))
    assert "need the folder lib beside them: nothing was installed" in said


def test_a_record_that_is_damaged_is_refused(directory: Directory, first: str) -> None:
    directory("install", "--from", first)
    (directory.home / "installed.json").write_text("[")
    for command in ("upgrade", "rollback", "uninstall"):
        assert ": remove it, and install again" in directory.refused(command)
    assert "installed.json is damaged (" in directory("install", "--check", status=1)
    (directory.home / "installed.json").unlink()
    directory("install", "--from", first)
    directory("uninstall")
    assert list(directory.bindir.iterdir()) == []
