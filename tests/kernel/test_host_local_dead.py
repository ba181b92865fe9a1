"""What host-local takes back from holders that cannot be alive: torn files, and what died with a boot."""

import os
import subprocess
from pathlib import Path
from time import sleep
from typing import Any

import pytest

from tests.harness.ipam import Ipam, refused

UNAVAILABLE, EXHAUSTED = 104, 103


def test_torn_files_are_taken_when_the_set_is_full(small: Ipam) -> None:
    """H-57: and not before."""
    small.put("10.7.0.2")
    small.put("10.7.0.6", bytes(5))
    assert [small.add(f"c{number}") for number in range(3)] == [[f"10.7.0.{host}/29"] for host in (3, 4, 5)]
    answer = small.call("ADD", "c9")
    assert answer.output["ips"][0]["address"] == "10.7.0.6/29"
    reclaimed = f"host-local: reclaimed in {small.folder}, as their holders cannot be alive"
    assert answer.stderr == f"{reclaimed}: 10.7.0.2 (nobody), 10.7.0.6 (nobody)\n"
    assert small.add("c10") == ["10.7.0.2/29"]
    assert refused(small.add, "c11")[0] == EXHAUSTED


def noted(file: Path) -> bool:
    """Whether the file system keeps our note, and this machine has an identity to put into it."""
    return "user.cniwire" in os.listxattr(file)


def fill(small: Ipam, netns: str) -> None:
    for number in range(5):
        small.good("ADD", f"c{number}", "eth0", netns=netns)
    if not noted(small.folder / "10.7.0.2"):
        pytest.skip("no extended attributes here, or no machine ID")


def test_what_died_with_the_last_boot_is_taken_when_the_set_is_full(small: Ipam, boot: Any) -> None:
    """H-57: all of it at once, and it says so."""
    fill(small, "/run/netns/gone")
    boot()
    answer = small.call("ADD", "new")
    assert (answer.exit_code, answer.output["ips"][0]["address"]) == (0, "10.7.0.2/29")
    assert answer.stderr.startswith(
        f"host-local: reclaimed in {small.folder}, as their holders cannot be alive: 10.7.0."
    )
    assert answer.stderr.endswith(" and 2 more\n")
    assert small.reserved() == {"10.7.0.2": "new\r\neth0"}


def test_a_wanted_address_of_the_dead_is_granted(small: Ipam, boot: Any) -> None:
    """H-20: a container with a fixed address comes back after a reboot."""
    fill(small, "/run/netns/gone")
    wish: dict[str, Any] = {"runtimeConfig": {"ips": ["10.7.0.3"]}}
    assert refused(small.add, "new", **wish)[0] == UNAVAILABLE
    boot()
    assert small.add("new", **wish) == ["10.7.0.3/29"]
    assert len(small.reserved()) == 5


def test_nothing_is_taken_during_the_same_boot(small: Ipam) -> None:
    """H-57: a namespace may be in another mount namespace."""
    fill(small, "/run/netns/gone")
    before = small.files()
    assert refused(small.add, "new")[0] == EXHAUSTED
    assert small.files() == before


def test_what_died_with_the_last_boot_is_taken_whatever_has_its_path_by_now(
    small: Ipam, boot: Any, tmp_path: Path
) -> None:
    """H-57: no namespace outlives a boot; a unit has made one of that name, or a process has that number."""
    (tmp_path / "netns").touch()
    fill(small, f"{tmp_path}/netns")
    assert refused(small.add, "new")[0] == EXHAUSTED
    boot()
    assert small.add("new") == ["10.7.0.2/29"]


def test_the_same_container_starts_again_after_a_reboot(small: Ipam, boot: Any) -> None:
    """Podman keeps the ID; its old reservation is provably dead, be the range full or not.

    A living one is no second time refused.
    """
    fill(small, "/run/netns/gone")
    small.delete("c4")
    assert refused(small.add, "c2")[0] == UNAVAILABLE
    boot()
    answer = small.call("ADD", "c2")
    assert answer.exit_code == 0, answer
    assert "reclaimed" in answer.stderr
    assert list(small.reserved().values()).count("c2\r\neth0") == 1
    assert refused(small.add, "c2")[0] == UNAVAILABLE
    small.delete("c2")
    assert "c2\r\neth0" not in small.reserved().values()


@pytest.fixture
def namespaces() -> Any:
    """Make named namespaces anew."""
    made: set[str] = set()

    def renew(name: str) -> str:
        if name in made:
            subprocess.run(["ip", "netns", "del", name], check=True)
        subprocess.run(["ip", "netns", "add", name], check=True)
        made.add(name)
        return f"/run/netns/{name}"

    yield renew
    for name in made:
        subprocess.run(["ip", "netns", "del", name], check=False)


@pytest.mark.parametrize("fixed", [False, True], ids=["next", "requested"])
def test_a_killed_add_s_reservation_is_taken_by_the_same_attachment_in_a_new_namespace(
    small: Ipam, namespaces: Any, fixed: bool
) -> None:
    """The killed one's namespace is not at its path any more; a new one may have its inode number."""
    wish: dict[str, Any] = {"runtimeConfig": {"ips": ["10.7.0.2"]}} if fixed else {}
    small.good("ADD", netns=namespaces("i10a"), **wish)
    if not noted(small.folder / "10.7.0.2"):
        pytest.skip("no extended attributes here, or no machine ID")
    assert refused(small.add, netns="/run/netns/i10a", **wish)[0] == UNAVAILABLE
    assert refused(small.add, netns=namespaces("i10b"), **wish)[0] == UNAVAILABLE
    answer = small.call("ADD", netns=namespaces("i10a"), **wish)
    assert answer.exit_code == 0, answer
    assert "reclaimed" in answer.stderr
    assert list(small.reserved().values()) == ["c1\r\neth0"]
    assert (
        refused(small.add, "c2", netns="/run/netns/i10b", runtimeConfig={"ips": list(small.reserved())})[0]
        == UNAVAILABLE
    )


def test_a_reservation_stays_while_its_namespace_may_live(
    small: Ipam, namespaces: Any, tmp_path: Path
) -> None:
    """By another path to it, by a link or below /proc, where each look makes another inode.

    A path that leads nowhere proves nothing.
    """
    path = namespaces("i10a")
    held = subprocess.Popen(
        ["ip", "netns", "exec", "i10a", "sh", "-c", f"touch {tmp_path}/ready; exec sleep 60"]
    )
    while not (tmp_path / "ready").exists():
        sleep(0.01)
    (tmp_path / "link").symlink_to(f"/proc/{held.pid}/ns/net")
    paths = [path, f"/proc/{held.pid}/ns/net", str(tmp_path / "link")]
    try:
        for first in paths:
            small.add(netns=first)
            for second in (*paths, "/run/netns/none"):
                assert refused(small.add, netns=second)[0] == UNAVAILABLE, (first, second)
            small.delete()
    finally:
        held.kill()
        held.wait()


def test_nothing_is_taken_that_others_made(small: Ipam, boot: Any) -> None:
    """H-57: there is nothing known of it."""
    for number in range(2, 7):
        small.put(f"10.7.0.{number}", f"c{number}\r\neth0")
    boot()
    assert refused(small.add, "new")[0] == EXHAUSTED


@pytest.mark.parametrize(
    "note",
    [
        b"",
        b"1",
        b"3" + bytes(8) + b"/gone",
        b"2" + bytes(8) + b"/gone",
        b"1" + bytes(8) + b"/gone",
        b"1" + bytes(8),
    ],
)
def test_nothing_is_taken_with_another_machine_s_note_or_none_that_we_understand(
    small: Ipam, boot: Any, note: bytes
) -> None:
    """H-57: the directory may be shared between machines, or a copy."""
    fill(small, "/run/netns/gone")
    boot()
    for number in range(2, 7):
        os.setxattr(small.folder / f"10.7.0.{number}", "user.cniwire", note)
    assert refused(small.add, "new")[0] == EXHAUSTED


def test_the_index_does_not_outlive_the_boot(small: Ipam, boot: Any) -> None:
    """H-56: its writes are not synced."""
    small.add()
    mtimes = [os.stat(path).st_mtime_ns for path in (small.folder, small.folder / ".index")]
    boot()
    (small.folder / "10.7.0.2").unlink()
    for path, mtime in zip((small.folder, small.folder / ".index"), mtimes):
        os.utime(path, ns=(mtime, mtime))
    assert small.add("c1") == ["10.7.0.3/29"]
