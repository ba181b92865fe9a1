"""host-local and bad input: one JSON error that names what is wrong, exit 1, and everything as it was."""

import json
import os
import subprocess
import time
from collections.abc import Iterator
from fcntl import LOCK_EX, flock
from pathlib import Path
from typing import Any

import pytest

from launcher.lab import mount
from tests.harness.ipam import Ipam
from tests.harness.plugin import Answer

MS_RDONLY, MS_REMOUNT = 1, 32
INVALID_CONFIG, TRY_AGAIN_LATER, STORE_FAILED, UNAVAILABLE = 7, 11, 107, 104


@pytest.fixture
def small(plugins: Path, tmp_path: Path) -> Ipam:
    """Five addresses: .2 to .6."""
    return Ipam(plugins / "host-local", tmp_path / "data", "10.7.0.0/29", version="1.1.0")


def told(answer: Answer) -> tuple[int, str]:
    """Code and message of the one error that was printed."""
    assert (answer.exit_code, answer.stderr, type(answer.output)) == (1, "", dict), answer
    assert {"cniVersion", "code", "msg"} <= set(answer.output) <= {"cniVersion", "code", "msg", "details"}
    return answer.output["code"], answer.output["msg"]


@pytest.mark.parametrize(
    ("ipam", "said"),
    [
        (None, "ipam: missing"),
        (7, "ipam: want an object, found 7"),
        ({"dataDir": 7, "ranges": [[{"subnet": "10.7.0.0/29"}]]}, "ipam.dataDir: want a string, found 7"),
        ({"ranges": [[{"subnet": "10.7.0.0/29"}]], "routes": 7}, "ipam.routes: want a list, found 7"),
        (
            {"ranges": [[{"subnet": "10.7.0.0/29"}]], "routes": [{}]},
            "ipam.routes[0].dst: want an address with prefix length, found null",
        ),
        (
            {"ranges": [[{"subnet": "10.7.0.0/29"}]], "resolvConf": "/none"},
            "ipam.resolvConf: cannot read /none: No such file or directory",
        ),
        (
            {"ranges": [[{"subnet": "10.7.0.0/29"}]], "resolvConf": "/"},
            "ipam.resolvConf: cannot read /: Is a directory",
        ),
    ],
)
def test_a_wrong_configuration(small: Ipam, ipam: Any, said: str) -> None:
    """H-47, H-54."""
    assert told(small.call("ADD", ipam=ipam)) == (INVALID_CONFIG, said)
    assert not small.data.exists()


def test_wrong_requests_in_the_configuration(small: Ipam) -> None:
    """H-32, H-34."""
    for keys, said in (
        ({"runtimeConfig": {"ips": ["x"]}}, "runtimeConfig.ips: want an IP address, found 'x'"),
        ({"runtimeConfig": {"ips": [7]}}, "runtimeConfig.ips: want a list of strings, found [7]"),
        ({"args": {"cni": {"ips": "10.7.0.3"}}}, 'args.cni.ips: want a list, found "10.7.0.3"'),
        ({"runtimeConfig": {"ipRanges": {}}}, "runtimeConfig.ipRanges: want a list, found {}"),
    ):
        assert told(small.call("ADD", **keys)) == (INVALID_CONFIG, said)
    assert not small.data.exists()


def test_a_data_dir_that_is_a_file(small: Ipam) -> None:
    small.data.write_text("mine")
    assert told(small.call("ADD")) == (
        STORE_FAILED,
        f"ipam.dataDir: cannot use {small.data}: Not a directory",
    )
    assert small.data.read_text() == "mine"
    small.delete()
    small.collect()


def test_a_network_that_is_a_file(small: Ipam) -> None:
    small.data.mkdir()
    small.folder.write_text("mine")
    assert told(small.call("ADD")) == (
        STORE_FAILED,
        f"ipam.dataDir: cannot use {small.folder}: Not a directory",
    )
    small.delete()
    assert small.folder.read_text() == "mine"


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
    """An address that is blocked that way is taken; other names do not matter."""
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


def test_what_is_printed_is_one_document(small: Ipam) -> None:
    small.put("10.7.0.2", '\xff\xfe "quoted" \r\n')
    answer = small.call("ADD", runtimeConfig={"ips": ["10.7.0.2"]})
    assert told(answer)[0] == UNAVAILABLE
    json.dumps(answer.output)


def test_a_container_id_that_a_reservation_cannot_hold(small: Ipam) -> None:
    """4,096 bytes are read back; one more, and CHECK and DEL would not find it.

    The DEL that follows a refused ADD succeeds.
    """
    most = 4096 - len("\r\neth0")
    small.add("c" * most)
    small.check(None, "c" * most)
    small.delete("c" * most)
    assert small.reserved() == {}
    code, msg = told(small.call("ADD", "c" * (most + 1)))
    assert (code, msg) == (4, f"CNI_CONTAINERID: want at most {most} characters, found {most + 1}")
    small.delete("c" * (most + 1))
    assert small.reserved() == {}


@pytest.mark.parametrize(("command", "code"), [("ADD", 7), ("DEL", 0), ("GC", 0)])
def test_a_network_whose_name_no_directory_can_have(small: Ipam, command: str, code: int) -> None:
    """No retry can help, so it is not code 11."""
    keys: dict[str, Any] = {"cni.dev/valid-attachments": []} if command == "GC" else {}
    answer = small.call(command, "c1", name="n" * 256, **keys)
    assert (answer.exit_code, answer.output and answer.output["code"]) == ((1, code) if code else (0, None))
    if code:
        assert answer.output["msg"] == "name: want at most 255 characters, found 256"


@pytest.mark.parametrize("kind", ["fifo", "directory", "link to nothing", "device"])
def test_a_lock_that_is_something_else(small: Ipam, kind: str) -> None:
    """Nobody waits for it beyond the budget: it serves as a lock, or is told."""
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


@pytest.mark.parametrize("variable", ["CNIWIRE_TIMEOUT", "CNIWIRE_IPAM_TIMEOUT"])
@pytest.mark.parametrize("value", ["9" * 5000, "-1", "0", "1e3", " 5", "\u0665"])
def test_a_budget_that_is_none_is_the_usual_one(small: Ipam, variable: str, value: str) -> None:
    """More digits than Python converts, among others."""
    small.variables[variable] = value
    small.add("c1")
