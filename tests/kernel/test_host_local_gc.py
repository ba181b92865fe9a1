"""host-local's GC, and reservations that somebody has edited in place."""

from typing import Any

from tests.harness.ipam import Ipam


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
