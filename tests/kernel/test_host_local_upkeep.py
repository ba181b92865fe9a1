"""host-local: CHECK, GC, STATUS, and what it takes back after a reboot."""

import os
import subprocess
from pathlib import Path
from time import sleep
from typing import Any

import pytest

from tests.harness.ipam import Ipam
from tests.harness.plugin import PluginError

NOT_AVAILABLE, CHECK_FAILED, UNAVAILABLE, EXHAUSTED = 50, 101, 104, 103
ONE = "1 difference from what ADD made: "


@pytest.fixture
def small(plugins: Path, tmp_path: Path) -> Ipam:
    """Five addresses: .2 to .6."""
    return Ipam(plugins / "host-local", tmp_path / "data", "10.7.0.0/29", version="1.1.0")


def refused(call: Any, *words: Any, **keys: Any) -> tuple[int | None, str]:
    with pytest.raises(PluginError) as caught:
        call(*words, **keys)
    return caught.value.code, caught.value.msg


def traces(folder: Path) -> dict[str, tuple[int, int]]:
    """Everything below *folder*, with what a change would change."""
    return {
        str(path): (path.stat().st_mtime_ns, path.stat().st_ctime_ns) for path in (folder, *folder.rglob("*"))
    }


# CHECK


def test_check_after_add_and_after_del(small: Ipam) -> None:
    """H-12: leaving no trace."""
    result = small.good("ADD")
    before = traces(small.data)
    small.check(result)
    small.check(None)
    assert traces(small.data) == before
    small.delete()
    missing = f"want a reservation of 'c1\\r\\neth0' in {small.folder}, found none"
    assert refused(small.check, result) == (
        CHECK_FAILED,
        f"{ONE}10.7.0.2 is not reserved any more: {missing}",
    )
    assert refused(small.check, None) == (
        CHECK_FAILED,
        f"{ONE}no address is reserved for the container: {missing}",
    )


def test_check_makes_no_directory(small: Ipam) -> None:
    """H-12."""
    missing = f"want a reservation of 'c1\\r\\neth0' in {small.folder}, found none"
    assert refused(small.check, None) == (
        CHECK_FAILED,
        f"{ONE}no address is reserved for the container: {missing}",
    )
    prev = {"cniVersion": "1.1.0", "ips": [{"address": "10.7.0.2/29"}]}
    assert refused(small.check, prev) == (CHECK_FAILED, f"{ONE}10.7.0.2 is not reserved any more: {missing}")
    assert not small.data.exists()


def test_check_notices_a_foreign_owner(small: Ipam) -> None:
    """H-13."""
    result = small.good("ADD")
    small.put("10.7.0.2", "c2\r\neth0")
    want = f"want a reservation of 'c1\\r\\neth0' in {small.folder}, found 'c2\\r\\neth0'"
    said = f"{ONE}10.7.0.2 is reserved for somebody else: {want}"
    assert refused(small.check, result) == (CHECK_FAILED, said)


def test_check_reports_every_difference(plugins: Path, tmp_path: Path) -> None:
    """H-13."""
    ipam = Ipam(plugins / "host-local", tmp_path, "10.7.0.0/29", "fd00::/64", "10.8.0.0/24")
    result = ipam.good("ADD")
    (ipam.folder / "10.7.0.2").unlink()
    ipam.put("fd00::2", "")
    want = f"want a reservation of 'c1\\r\\neth0' in {ipam.folder}, found"
    with pytest.raises(PluginError) as caught:
        ipam.check(result)
    assert (caught.value.code, caught.value.msg) == (
        CHECK_FAILED,
        f"2 differences from what ADD made: 10.7.0.2 is not reserved any more: {want} none",
    )
    assert caught.value.details == f"fd00::2 is reserved for somebody else: {want} ''"


def test_check_asks_only_for_addresses_of_its_ranges(small: Ipam) -> None:
    """H-12: a later plugin may have added others."""
    result = small.good("ADD")
    result["ips"].append({"address": "203.0.113.5/24"})
    small.check(result)


def test_check_accepts_a_legacy_file(small: Ipam) -> None:
    """H-12, H-4."""
    result = small.good("ADD")
    small.put("10.7.0.2", "c1\n")
    small.check(result)


# GC


def test_gc_keeps_the_listed_and_frees_the_others(small: Ipam) -> None:
    """H-58: lock and last addresses stay, also for an address given a moment ago."""
    for owner in (("c1", "eth0"), ("c1", "eth1"), ("c2", "eth0")):
        small.add(*owner)
    small.put("10.7.0.5", "c3")
    small.put("10.7.0.6", "c4")
    small.collect(("c1", "eth1"), ("c3", "net7"))
    assert small.files() == {"10.7.0.3": "c1\r\neth1", "10.7.0.5": "c3", "last_reserved_ip.0": "10.7.0.4"}
    assert (small.folder / "lock").exists()
    assert small.add("c9") == ["10.7.0.6/29"]


def test_gc_of_nothing_valid_frees_everything(small: Ipam) -> None:
    """H-57, H-58: also the files that a crash left empty."""
    small.add()
    small.put("10.7.0.4")
    small.put("10.7.0.5", bytes(12))
    small.collect()
    assert small.reserved() == {}
    assert small.add("c9") == ["10.7.0.3/29"]


def test_gc_without_a_list_does_nothing(small: Ipam) -> None:
    """H-58: an absent key is not an empty list, null is; the former name of the key counts too."""
    both: tuple[dict[str, Any], ...] = ({"cni.dev/valid-attachments": None}, {"cni.dev/attachments": []})
    for listed in both:
        small.add()
        before = small.files()
        small.good("GC")
        assert small.files() == before
        small.good("GC", **listed)
        assert small.reserved() == {}


def test_gc_spares_what_is_no_reservation(small: Ipam) -> None:
    """H-58: somebody's note that blocks an address, a directory, other files."""
    small.put("10.7.0.4", "kept for the printer")
    small.put("notes.txt", "c9\r\neth0")
    (small.folder / "10.7.0.5").mkdir()
    small.collect()
    assert sorted(path.name for path in small.folder.iterdir()) == [
        ".index",
        "10.7.0.4",
        "10.7.0.5",
        "lock",
        "notes.txt",
    ]
    assert [small.add("c1"), small.add("c2")] == [["10.7.0.2/29"], ["10.7.0.3/29"]]


def test_gc_without_a_directory(small: Ipam) -> None:
    """H-58."""
    small.collect()
    assert not small.data.exists()


def test_gc_needs_no_valid_ranges(small: Ipam) -> None:
    """H-58."""
    small.add()
    small.good("GC", ipam={"dataDir": str(small.data), "ranges": 7}, **{"cni.dev/valid-attachments": []})
    assert small.reserved() == {}


# STATUS


def test_status_while_there_are_addresses(small: Ipam) -> None:
    """H-59: without a trace, also before the first ADD."""
    small.data.mkdir()
    before = traces(small.data)
    small.good("STATUS")
    assert traces(small.data) == before
    small.data.rmdir()
    small.good("STATUS")
    assert not small.data.exists()
    for number in range(4):
        small.add(f"c{number}")
    before = traces(small.data)
    small.good("STATUS")
    assert traces(small.data) == before


def test_status_when_a_set_is_full(plugins: Path, tmp_path: Path) -> None:
    """H-59."""
    ipam = Ipam(plugins / "host-local", tmp_path, "10.7.0.0/24", "10.8.0.0/30", version="1.1.0")
    ipam.add()
    before = traces(tmp_path)
    full = "failed to allocate for range 1: no IP addresses available in range set: 10.8.0.1-10.8.0.2"
    said = f"{full}: 1 of 1 addresses are reserved"
    assert refused(ipam.good, "STATUS") == (NOT_AVAILABLE, said)
    counts = f"1 of 1 addresses are reserved in {ipam.folder}; next in turn: 10.8.0.2 (c1 eth0) since "
    assert ipam.call("STATUS").output["details"].startswith(counts)
    assert traces(tmp_path) == before


def test_status_of_a_set_that_only_the_dead_fill(small: Ipam) -> None:
    """H-59: ADD could take a torn file's address."""
    for number in range(2, 7):
        small.put(f"10.7.0.{number}", "" if number == 4 else "c1\r\neth0")
    small.good("STATUS")
    small.put("10.7.0.4", "c1\r\neth0")
    assert refused(small.good, "STATUS")[0] == NOT_AVAILABLE


def test_status_where_no_directory_can_be_made(small: Ipam) -> None:
    """H-59."""
    small.data.write_text("a file")
    assert refused(small.good, "STATUS") == (
        NOT_AVAILABLE,
        f"ipam.dataDir: cannot use {small.data}: not a directory",
    )


def test_status_with_ranges_that_are_none(small: Ipam) -> None:
    """H-59."""
    assert refused(small.good, "STATUS", ipam={"ranges": []})[0] == 7


# After a reboot


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


def test_del_and_gc_notice_a_reservation_that_was_edited_in_place(small: Ipam) -> None:
    """The directory does not tell of it: DEL looks at the addresses of prevResult, GC at all files."""
    before = small.good("ADD", "c1")
    small.add("c2")
    (small.folder / "10.7.0.2").write_text("c9\r\neth0\n")
    small.check(before, "c9")
    small.delete("c9", prevResult=before)
    small.delete("c9", prevResult=before)
    small.delete("c9", prevResult={"ips": "rubbish"})
    small.delete("c1", prevResult=before)
    assert small.reserved() == {"10.7.0.3": "c2\r\neth0"}
    (small.folder / "10.7.0.3").write_text("c9\r\neth0\n")
    small.delete("c1", prevResult=before)
    small.delete("c2")
    assert small.reserved() == {"10.7.0.3": "c9\r\neth0\n"}
    small.collect(("c2", "eth0"))
    assert small.reserved() == {}
    assert [small.add(f"n{number}") for number in range(5)] == [
        [f"10.7.0.{host}/29"] for host in (4, 5, 6, 2, 3)
    ]


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
