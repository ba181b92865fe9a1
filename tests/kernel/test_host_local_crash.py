"""host-local is killed before each system call that changes something, and each call fails in turn.

Nothing torn, nothing lost, nothing that cannot be repaired.
"""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.harness import plugin
from tests.harness.ipam import Ipam

GO = Path("/usr/lib/cni/host-local")
CHANGING = (
    "mkdir",
    "openat",
    "write",
    "pwrite64",
    "ftruncate",
    "linkat",
    "unlinkat",
    "fsetxattr",
    "fsync",
    "utimensat",
    "flock",
)
WORKING = ("read", "pread64", "newfstatat", "fstat", "getdents64", *CHANGING)
CALL = re.compile(r"^(?:\[pid +\d+\] |\d+ +)?(\w+)\(")
BEFORE = {
    "10.7.0.2": "old1\r\neth0",
    "10.7.0.3": "old2\r\neth0",
    "fd00::2": "old1\r\neth0",
    "fd00::3": "old2\r\neth0",
}

pytestmark = pytest.mark.skipif(not shutil.which("strace"), reason="strace is not installed")


@pytest.fixture
def ipam(plugins: Path, tmp_path: Path) -> Ipam:
    return Ipam(plugins / "host-local", tmp_path / "data", "10.7.0.0/28", "fd00::/120", version="1.1.0")


def traced(ipam: Ipam, log: Path, command: str, *options: str, **keys: Any) -> int:
    """Run one call under strace; its exit status."""
    return strace(ipam, log, command, CHANGING, *options, **keys).returncode


def strace(
    ipam: Ipam, log: Path, command: str, calls: tuple[str, ...], *options: str, **keys: Any
) -> "subprocess.CompletedProcess[bytes]":
    """Run one call with the system calls in *calls* traced."""
    environ = {"PATH": plugin.PATH, **ipam.environ(command, "c1", "eth0")}
    words = [
        "strace",
        "-f",
        "-qq",
        "-o",
        str(log),
        "-y",
        "-e",
        f"trace={','.join(calls)}",
        *options,
        str(ipam.executable),
    ]
    return subprocess.run(
        words, env=environ, input=json.dumps(ipam.config(**keys)).encode(), capture_output=True
    )


def points(ipam: Ipam, log: Path, changing: bool = True) -> list[tuple[str, int]]:
    """(system call, how many of its kind came before, plus one) for each call that had to do with dataDir.

    changing: only those that change something.
    """
    seen: dict[str, int] = {}
    found = []
    for line in log.read_text().splitlines():
        match = CALL.match(line)
        if not match:
            continue
        name = match.group(1)
        seen[name] = seen.get(name, 0) + 1
        if str(ipam.data) in line and not (changing and name == "openat" and "O_CREAT" not in line):
            found.append((name, seen[name]))
    return found


def prepared(ipam: Ipam, fresh: bool) -> None:
    """Two containers there, or nothing at all."""
    shutil.rmtree(ipam.data, ignore_errors=True)
    if not fresh:
        ipam.add("old1")
        ipam.add("old2")


def killed(
    ipam: Ipam, tmp_path: Path, command: str, fresh: bool = False, **keys: Any
) -> Iterator[tuple[str, int]]:
    """Kill one call of *command* at each point in turn; in between the caller looks at what is left."""
    prepared(ipam, fresh)
    if command != "ADD":
        ipam.add("c1")
    assert traced(ipam, tmp_path / "log", command, **keys) == 0
    every = points(ipam, tmp_path / "log")
    for name, number in every:
        prepared(ipam, fresh)
        if command != "ADD":
            ipam.add("c1")
        status = traced(
            ipam, tmp_path / "log", command, "-e", f"inject={name}:signal=KILL:when={number}", **keys
        )
        assert status == -9, (name, number, status)
        yield name, number


def sound(ipam: Ipam, before: dict[str, str]) -> None:
    """Assert that every reservation is whole, and that nobody lost one."""
    reserved = {name: content for name, content in ipam.reserved().items() if name != ".new"}
    assert {name: content for name, content in reserved.items() if content != "c1\r\neth0"} == before


@pytest.mark.parametrize("fresh", [False, True], ids=["beside others", "first"])
def test_add_killed_at_every_point_then_del(ipam: Ipam, tmp_path: Path, fresh: bool) -> None:
    """H-56: DEL brings back what was there before."""
    before = {} if fresh else BEFORE
    tried = []
    for point in killed(ipam, tmp_path, "ADD", fresh):
        sound(ipam, before)
        ipam.delete("c1")
        assert ipam.reserved() == before, point
        assert ipam.add("c1")
        tried.append(point)
    assert {name for name, _ in tried} >= {"linkat", "unlinkat", "fsync", "utimensat", "pwrite64"}
    assert len(tried) > 20


def test_add_killed_at_every_point_then_gc(ipam: Ipam, tmp_path: Path) -> None:
    """H-56, H-57: GC brings back what was there before."""
    for point in killed(ipam, tmp_path, "ADD"):
        ipam.collect(("old1", "eth0"), ("old2", "eth0"))
        assert ipam.reserved() == BEFORE, point


def test_add_killed_at_every_point_then_another_add(ipam: Ipam, tmp_path: Path) -> None:
    """H-56: other containers do not notice; nobody gets an address that is held."""
    for point in killed(ipam, tmp_path, "ADD"):
        held = ipam.reserved()
        got = [item.partition("/")[0] for item in ipam.add("c2")]
        assert not {name for name in got if held.get(name, "") not in ("", "c2\r\neth0")}, point
        assert {
            name: content for name, content in ipam.reserved().items() if content == "c2\r\neth0"
        } == dict.fromkeys(got, "c2\r\neth0")
        assert ".new" not in ipam.reserved()


def test_del_killed_at_every_point_then_del(ipam: Ipam, tmp_path: Path) -> None:
    """H-56."""
    for point in killed(ipam, tmp_path, "DEL"):
        sound(ipam, BEFORE)
        ipam.delete("c1")
        assert ipam.reserved() == BEFORE, point


def test_gc_killed_at_every_point_then_gc(ipam: Ipam, tmp_path: Path) -> None:
    """H-56."""
    valid: dict[str, Any] = {
        "cni.dev/valid-attachments": [{"containerID": name, "ifname": "eth0"} for name in ("old1", "old2")]
    }
    for point in killed(ipam, tmp_path, "GC", **valid):
        sound(ipam, BEFORE)
        ipam.collect(("old1", "eth0"), ("old2", "eth0"))
        assert ipam.reserved() == BEFORE, point


@pytest.mark.skipif(not GO.exists(), reason=f"there is no Go plugin at {GO}")
def test_add_killed_at_every_point_then_the_go_plugin(ipam: Ipam, tmp_path: Path) -> None:
    """H-56, H-61: it goes on at once, its DEL frees what we had reserved; unfinished files are removed."""
    go = ipam.by(GO)
    go.version = "1.0.0"
    for point in killed(ipam, tmp_path, "ADD"):
        go.add("c2")
        go.delete("c1")
        go.delete("c2")
        assert {name: content for name, content in go.reserved().items() if name != ".new"} == BEFORE, point
        assert ipam.add("c1")
        assert ".new" not in ipam.reserved()


def test_a_rebuild_killed_at_every_point(ipam: Ipam, tmp_path: Path) -> None:
    """H-56: the index is made anew while it is made anew."""
    prepared(ipam, False)
    ipam.put("10.7.0.9", "foreign\r\neth0")
    assert traced(ipam, tmp_path / "log", "ADD") == 0
    for name, number in points(ipam, tmp_path / "log"):
        prepared(ipam, False)
        ipam.put("10.7.0.9", "foreign\r\neth0")
        assert traced(ipam, tmp_path / "log", "ADD", "-e", f"inject={name}:signal=KILL:when={number}") == -9
        ipam.delete("c1")
        ipam.delete("foreign")
        assert ipam.reserved() == BEFORE, (name, number)


@pytest.mark.parametrize(("command", "foreign"), [("ADD", False), ("DEL", True)])
def test_each_system_call_fails_in_turn(ipam: Ipam, tmp_path: Path, command: str, foreign: bool) -> None:
    """H-56: either it works, or there is one error and ADD leaves all as it was.

    What DEL could not do, the next one does.

    foreign: somebody else changed the directory, so that the index has to be made anew.
    """

    def prepare() -> dict[str, str]:
        prepared(ipam, False)
        if command == "DEL":
            ipam.add("c1")
        if foreign:
            ipam.put("10.7.0.9", "foreign\r\neth0")
        return ipam.reserved()

    prepare()
    assert strace(ipam, tmp_path / "log", command, WORKING).returncode == 0
    for name, number in points(ipam, tmp_path / "log", changing=False):
        before = prepare()
        done = strace(
            ipam, tmp_path / "log", command, WORKING, "-e", f"inject={name}:error=EIO:when={number}"
        )
        after = ipam.reserved()
        answer = json.loads(done.stdout) if done.stdout else {}
        if done.returncode:
            assert answer["code"] in (11, 107), (name, number, answer)
            assert command == "DEL" or after == before, (name, number, answer)
        elif command == "ADD":
            assert after == before | {
                item["address"].partition("/")[0]: "c1\r\neth0" for item in answer["ips"]
            }, (name, number)
        else:
            assert "c1\r\neth0" not in after.values(), (name, number)
        ipam.delete("c1")
        assert ipam.reserved() == {
            each: content for each, content in before.items() if content != "c1\r\neth0"
        }, (name, number)


def test_a_reservation_is_on_disk_before_it_is_told(ipam: Ipam, tmp_path: Path) -> None:
    """H-56: content first, then the name, then the directory; and the directories that were made for it."""
    assert traced(ipam, tmp_path / "log", "ADD") == 0
    steps = re.compile(
        r"(?:(mkdir)\(\"([^\"]+)\"|(fsync)\(\d+<([^>]+)>\)"
        r"|(linkat)\([^,]+, \".new\", [^,]+, \"([^\"]+)\"|(write)\(1<)"
    )
    found = [
        tuple(part for part in match.groups() if part)
        for match in map(steps.search, (tmp_path / "log").read_text().splitlines())
        if match
    ]
    assert [step for step in found if step[1:] not in {(str(parent),) for parent in tmp_path.parents}] == [
        ("mkdir", str(ipam.data)),
        ("fsync", str(tmp_path)),
        ("mkdir", str(ipam.folder)),
        ("fsync", str(ipam.data)),
        # Once more, as if somebody else had made them.
        *[("fsync", str(path)) for path in (ipam.data, tmp_path)],
        ("fsync", f"{ipam.folder}/.new"),
        ("linkat", "10.7.0.2"),
        ("linkat", "fd00::2"),
        ("fsync", str(ipam.folder)),
        ("write",),
    ]
