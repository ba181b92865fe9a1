"""host-local in a directory that is full, read-only, locked for ever, or has other things in it."""

import os
import subprocess
import time
from collections.abc import Iterator
from fcntl import LOCK_EX, flock
from pathlib import Path
from typing import Any

import pytest

from launcher.lab import mount
from tests.harness.ipam import Ipam, told

MS_RDONLY, MS_REMOUNT = 1, 32
TRY_AGAIN_LATER, STORE_FAILED, UNAVAILABLE = 11, 107, 104


@pytest.fixture
def tmpfs(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own, of 64 KiB."""
    folder = tmp_path / "data"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "cniwire-test", folder], check=True)
    yield folder
    subprocess.run(["umount", folder], check=True)


def remount(folder: Path, flags: int = 0, data: str = "") -> None:
    """Change a mounted file system, by mount(2).

    mount(8) repeats all its options, and not every uid among them has a name in an unprivileged lab.
    """
    mount("none", str(folder), flags=MS_REMOUNT | flags, data=data)


def contents(folder: Path) -> dict[str, bytes]:
    return {
        str(path): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != ".index"
    }


def test_an_unwritable_directory(small: Ipam, tmpfs: Path) -> None:
    """Read-only, so that root is refused too; DEL asks for another try, for an address would be lost."""
    small.add("c1")
    before = contents(tmpfs)
    remount(tmpfs, MS_RDONLY)
    assert told(small.call("ADD", "c2")) == (
        STORE_FAILED,
        f"ipam.dataDir: cannot use {small.folder}/.new: Read-only file system",
    )
    assert told(small.call("DEL", "c1")) == (
        TRY_AGAIN_LATER,
        f"ipam.dataDir: cannot use {small.folder}/10.7.0.2: Read-only file system",
    )
    small.check(None, "c1")
    remount(tmpfs)
    assert contents(tmpfs) == before
    small.delete("c1")


def test_a_read_only_place_for_a_first_add(small: Ipam, tmpfs: Path) -> None:
    remount(tmpfs, MS_RDONLY)
    assert told(small.call("ADD")) == (
        STORE_FAILED,
        f"ipam.dataDir: cannot use {small.folder}: Read-only file system",
    )


def fill_up(folder: Path, room: int) -> None:
    """Leave *room* KiB of a small file system."""
    ballast = os.open(folder / "ballast", os.O_WRONLY | os.O_CREAT)
    size = 0
    try:
        while True:
            size += os.write(ballast, bytes(1024))
    except OSError:
        os.ftruncate(ballast, max(0, size - room * 1024))
    os.close(ballast)


@pytest.mark.parametrize("room", range(0, 17, 4))
def test_a_full_disk(small: Ipam, tmpfs: Path, room: int) -> None:
    """At whatever size the disk is full: the address is given and kept, or all is as before.

    A DEL always works.
    """
    small.add("c1")
    if room % 8:
        (small.folder / ".index").unlink()
    fill_up(tmpfs, room)
    before = contents(small.folder)
    answer = small.call("ADD", "c2")
    if answer.exit_code:
        assert told(answer) == (
            STORE_FAILED,
            f"ipam.dataDir: cannot use {small.folder}: No space left on device",
        )
        assert contents(small.folder) == before
    else:
        assert small.reserved()["10.7.0.3"] == "c2\r\neth0"
    assert room or answer.exit_code
    assert not (small.folder / ".new").exists()
    small.delete("c1")
    small.delete("c2")
    assert small.reserved() == {}


def test_a_disk_without_inodes(small: Ipam, tmpfs: Path) -> None:
    small.add("c1")
    before = contents(tmpfs)
    remount(tmpfs, data="nr_inodes=64")
    ballast = []
    try:
        for number in range(64):
            (tmpfs / f"ballast{number}").touch()
            ballast.append(tmpfs / f"ballast{number}")
    except OSError:
        pass
    assert 0 < len(ballast) < 64
    assert told(small.call("ADD", "c2")) == (
        STORE_FAILED,
        f"ipam.dataDir: cannot use {small.folder}/.new: No space left on device",
    )
    for path in ballast:
        path.unlink()
    assert contents(tmpfs) == before


def test_a_directory_instead_of_a_file(small: Ipam) -> None:
    """An address whose file is a directory counts as taken; directories of other names do not matter."""
    for name in ("10.7.0.2", "last_reserved_ip.0", ".new/x", ".index/x"):
        (small.folder / name).mkdir(parents=True)
    assert told(small.call("ADD", runtimeConfig={"ips": ["10.7.0.2"]}))[0] == UNAVAILABLE
    answer = small.call("ADD")
    assert told(answer)[0] == STORE_FAILED
    (small.folder / ".new" / "x").rmdir()
    (small.folder / ".new").rmdir()
    assert [small.add("c1"), small.add("c2")] == [["10.7.0.3/29"], ["10.7.0.4/29"]]
    small.delete("c1")
    small.delete("c2")
    assert sorted(path.name for path in small.folder.iterdir()) == [
        ".index",
        "10.7.0.2",
        "last_reserved_ip.0",
        "lock",
    ]


def test_a_lock_that_is_a_directory(small: Ipam) -> None:
    (small.folder / "lock").mkdir(parents=True)
    assert told(small.call("ADD")) == (
        STORE_FAILED,
        f"ipam.dataDir: cannot use {small.folder}/lock: Is a directory",
    )
    assert told(small.call("DEL"))[0] == TRY_AGAIN_LATER


@pytest.mark.parametrize("kind", ["symbolic link", "dangling link", "pipe", "rubbish", "large"])
def test_something_else_than_a_reservation(small: Ipam, kind: str) -> None:
    """It is in the way and stays in the way; nobody hangs on it."""
    small.folder.mkdir(parents=True)
    file = small.folder / "10.7.0.2"
    if kind == "pipe":
        os.mkfifo(file)
    elif kind in ("rubbish", "large"):
        file.write_bytes(bytes(range(1, 256)) * (1 if kind == "rubbish" else 100_000))
    else:
        file.symlink_to("/etc/hostname" if kind == "symbolic link" else "/none")
    assert [small.add(f"c{number}") for number in range(4)] == [
        [f"10.7.0.{host}/29"] for host in (3, 4, 5, 6)
    ]
    assert told(small.call("ADD", "c9"))[0] == 103
    if "link" not in kind:
        assert told(small.call("ADD", "c9", runtimeConfig={"ips": ["10.7.0.2"]}))[0] == UNAVAILABLE
    small.delete("c0")
    small.good("GC", **{"cni.dev/valid-attachments": []})
    assert [path.name for path in small.folder.glob("10.*")] == ["10.7.0.2"]
    assert os.path.lexists(file)


@pytest.mark.parametrize(
    "rubbish", [b"", b"rubbish", b"\0index1\n" + bytes(9000), b"\0index2\n" + bytes(9000)]
)
def test_a_broken_index_is_made_anew(small: Ipam, rubbish: bytes) -> None:
    small.add("c1")
    small.put(".index", rubbish)
    assert small.add("c2") == ["10.7.0.3/29"]
    small.put(".index", rubbish)
    small.delete("c1")
    assert small.reserved() == {"10.7.0.3": "c2\r\neth0"}
    assert (small.folder / ".index").read_bytes()[:8] == b"\0index2\n"


@pytest.mark.parametrize("command", ["ADD", "DEL", "GC"])
def test_a_lock_that_is_held_for_ever(small: Ipam, command: str) -> None:
    """H-53: the wait is bounded."""
    small.add("c1")
    before = small.files()
    small.variables["CNIWIRE_TIMEOUT"] = "1"
    with (small.folder / "lock").open() as held:
        flock(held, LOCK_EX)
        keys: dict[str, Any] = {"cni.dev/valid-attachments": []} if command == "GC" else {}
        answer = small.call(command, "c1", **keys)
        small.good("STATUS")
        small.check(None, "c1")
    who = f"ipam.dataDir: another process holds the lock {small.folder}/lock"
    said = f"{who}; it did not end within 1 s: given up, and undone"
    assert told(answer) == (TRY_AGAIN_LATER, said)
    assert small.files() == before
    small.delete("c1")


@pytest.mark.parametrize("kind", ["fifo", "directory", "link to nothing", "device"])
def test_a_lock_that_is_something_else(small: Ipam, kind: str) -> None:
    """ADD does not wait for it beyond the budget: the file serves as a lock, or there is an error."""
    small.folder.mkdir(parents=True)
    lock = small.folder / "lock"
    if kind == "fifo":
        os.mkfifo(lock)
    elif kind == "directory":
        lock.mkdir()
    elif kind == "device":
        lock.symlink_to("/dev/null")
    else:
        lock.symlink_to("/nowhere/at/all")
    started = time.monotonic()
    answer = small.call("ADD", "c1")
    assert time.monotonic() - started < 10
    if answer.exit_code:
        assert str(lock) in answer.output["msg"] or str(small.folder) in answer.output["msg"]
        assert small.reserved() == {}
    else:
        small.delete("c1")
