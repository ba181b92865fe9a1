"""The index: what it answers, and when it is trusted."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core import address
from ipam.host_local import index, indexing
from ipam.host_local.files import Directory
from ipam.host_local.hash_table import MemoryCells

BOOT = bytes(range(16))


def packed(text: str) -> bytes:
    return address.parse(text)


def number(text: str) -> int:
    return int.from_bytes(packed(text), "big")


@pytest.fixture
def directory(tmp_path: Path) -> Iterator[Directory]:
    opened = Directory(str(tmp_path))
    yield opened
    opened.close()


def saved(directory: Directory, *entries: tuple[str, bytes]) -> None:
    made = indexing.create(
        [(packed(text), content) for text, content in entries], len(entries), directory, BOOT
    )
    index.stamp(made, directory)
    made.close()


def built(entries: dict[bytes, bytes | None]) -> index.Index:
    return indexing.build(entries.items(), len(entries) or 1, MemoryCells())


def known(directory: Directory, boot: bytes = BOOT) -> list[bytes] | None:
    """What the index says of owner a, None when it is not trusted."""
    found = index.load(directory, boot)
    if found is None:
        return None
    with_a = found.candidates(b"a")
    assert with_a is not None
    found.close()
    return with_a


def test_an_owner_s_addresses() -> None:
    made = built(
        {
            packed("10.0.0.2"): b"a",
            packed("fd00::2"): b"a",
            packed("10.0.0.3"): b"b",
            packed("10.0.0.4"): None,
        }
    )
    assert sorted(made.candidates(b"a") or ()) == [packed("10.0.0.2"), packed("fd00::2")]
    assert made.candidates(b"c") == []
    made.remove(packed("10.0.0.2"), b"a")
    made.add(packed("10.9.0.2"), b"c")
    assert (made.candidates(b"a"), made.candidates(b"c")) == ([packed("fd00::2")], [packed("10.9.0.2")])


@given(
    st.sets(st.integers(0, 3 * index.BLOCK), max_size=40),
    st.integers(0, 3 * index.BLOCK),
    st.integers(0, index.BLOCK),
    st.booleans(),
)
def test_the_next_free_address(taken: set[int], low: int, length: int, ipv6: bool) -> None:
    base, size = (0xFD << 120, 16) if ipv6 else (0x0A000000, 4)
    runs = taken | set(range(low, low + length // 2))
    made = built({(base + each).to_bytes(size, "big"): b"a" for each in runs})
    high = low + length
    free = next((each for each in range(low, high + 1) if each not in runs), None)
    assert made.first_free(base + low, base + high, size) == (
        None if free is None else (base + free).to_bytes(size, "big")
    )
    assert made.count(base + low, base + high, size) == len([each for each in runs if low <= each <= high])


def test_a_full_16_costs_a_look_at_each_block() -> None:
    base = 0x0A010000
    made = built({(base + each).to_bytes(4, "big"): b"%d" % each for each in range(65536) if each != 65000})
    assert made.first_free(base, base + 65535, 4) == (base + 65000).to_bytes(4, "big")
    assert made.count(base, base + 65535, 4) == 65535
    assert made.candidates(b"4711") == [(base + 4711).to_bytes(4, "big")]


def test_an_index_that_grows_says_when_it_is_crowded() -> None:
    made = built({})
    for each in range(10000):
        made.add((0x0A010000 + each).to_bytes(4, "big"), b"%d" % each)
        if made.crowded:
            break
    assert 100 < each < 300
    assert all(
        made.candidates(b"%d" % other) == [(0x0A010000 + other).to_bytes(4, "big")]
        for other in range(each + 1)
    )


def test_an_owner_of_very_many_is_looked_for_in_the_files() -> None:
    """Whoever blocks half a range by reservations of one owner must not make look-ups slow."""
    held: dict[bytes, bytes | None] = {
        (0x0A010000 + each).to_bytes(4, "big"): b"blocked" for each in range(5000)
    }
    made = built({**held, packed("10.0.0.2"): b"a"})
    assert (made.candidates(b"blocked"), made.candidates(b"a")) == (None, [packed("10.0.0.2")])
    made.add(packed("10.0.0.3"), b"blocked")
    made.remove(packed("10.0.0.3"), b"blocked")
    assert (made.candidates(b"blocked"), made.crowded) == (None, False)


def test_a_look_without_owners_lists_none_of_them() -> None:
    made = indexing.build([(packed("10.0.0.2"), b"a")], 0, MemoryCells())
    assert (made.candidates(b"a"), made.count(number("10.0.0.0"), number("10.0.0.9"), 4)) == (None, 1)


def test_an_index_that_was_not_declared_in_step_is_not_trusted(directory: Directory) -> None:
    indexing.create([(packed("10.0.0.2"), b"a")], 1, directory, BOOT).close()
    assert known(directory) is None


OWNERS = st.sampled_from([b"a", b"b", b"c"]) | st.binary(max_size=2).map(lambda raw: b"-" + raw)


@given(st.lists(st.tuples(st.integers(0, 5000), OWNERS), max_size=400))
def test_whoever_is_listed_is_listed_completely(entries: list[tuple[int, bytes]]) -> None:
    """Also where buckets overflow: one owner has many addresses, or fewer entries were expected."""
    held = {(0x0A010000 + each).to_bytes(4, "big"): content for each, content in entries}
    made = indexing.build(held.items(), 1, MemoryCells())
    for content in {*held.values(), b"d"}:
        listed = made.candidates(content)
        assert listed is None or sorted(listed) == sorted(
            packed for packed, other in held.items() if other == content
        )
        assert listed is not None or list(held.values()).count(content) >= indexing.OFTEN


def test_a_saved_index_is_trusted(directory: Directory) -> None:
    saved(directory, ("10.0.0.2", b"a"))
    assert known(directory) == [packed("10.0.0.2")]


def test_another_boot_ends_it(directory: Directory) -> None:
    saved(directory, ("10.0.0.2", b"a"))
    assert known(directory, bytes(16)) is None
    assert known(directory, b"") is None


@pytest.mark.parametrize("change", ["create", "remove", "rename", "create and remove"])
def test_a_foreign_change_of_the_directory_ends_it(directory: Directory, tmp_path: Path, change: str) -> None:
    """H-61."""
    (tmp_path / "10.0.0.2").write_bytes(b"a")
    saved(directory, ("10.0.0.2", b"a"))
    if "create" in change:
        (tmp_path / "10.0.0.3").touch()
    if "and remove" in change:
        (tmp_path / "10.0.0.3").unlink()
    if change == "remove":
        (tmp_path / "10.0.0.2").unlink()
    if change == "rename":
        (tmp_path / "10.0.0.2").rename(tmp_path / "10.0.0.9")
    assert known(directory) is None


def test_a_change_of_the_index_that_was_not_declared_ends_it(directory: Directory) -> None:
    """H-56: what a killed run leaves."""
    saved(directory, ("10.0.0.2", b"a"))
    found = index.load(directory, BOOT)
    assert found
    found.add(packed("10.0.0.3"), b"a")
    assert known(directory) is None
    index.stamp(found, directory)
    assert known(directory) == [packed("10.0.0.2"), packed("10.0.0.3")]
    found.close()


def test_the_same_files_elsewhere_are_no_index(directory: Directory, tmp_path: Path) -> None:
    """A copy that keeps all times, as `cp -a` makes it."""
    saved(directory, ("10.0.0.2", b"a"))
    (tmp_path / "copy").mkdir()
    (tmp_path / "copy" / index.FILE).write_bytes((tmp_path / index.FILE).read_bytes())
    past = os.stat(tmp_path / index.FILE).st_mtime_ns
    for path in (tmp_path / "copy" / index.FILE, tmp_path / "copy"):
        os.utime(path, ns=(past, past))
    copy = Directory(str(tmp_path / "copy"))
    assert known(copy) is None
    copy.close()


def test_a_restored_backup_is_no_index(directory: Directory, tmp_path: Path) -> None:
    """Unpacked over what is there, with all old modification times: what came later is still found."""
    saved(directory, ("10.0.0.2", b"a"))
    backup = (tmp_path / index.FILE).read_bytes()
    past = os.stat(tmp_path).st_mtime_ns
    (tmp_path / "10.0.0.3").write_bytes(b"a")
    saved(directory, ("10.0.0.2", b"a"), ("10.0.0.3", b"a"))
    assert known(directory) == [packed("10.0.0.2"), packed("10.0.0.3")]
    (tmp_path / index.FILE).write_bytes(backup)
    for path in (tmp_path / index.FILE, tmp_path):
        os.utime(path, ns=(past, past))
    assert known(directory) is None


@pytest.mark.parametrize("rubbish", [b"", b"\0", b"rubbish" * 999, index.MAGIC, bytes(4096)])
def test_rubbish_is_no_index(directory: Directory, tmp_path: Path, rubbish: bytes) -> None:
    saved(directory, ("10.0.0.2", b"a"))
    (tmp_path / index.FILE).write_bytes(rubbish)
    assert known(directory) is None


def test_a_torn_index_is_none(directory: Directory, tmp_path: Path) -> None:
    saved(directory, ("10.0.0.2", b"a"))
    past = os.stat(tmp_path / index.FILE).st_mtime_ns
    with (tmp_path / index.FILE).open("r+b") as file:
        file.truncate(200)
    os.utime(tmp_path / index.FILE, ns=(past, past))
    assert known(directory) is None


def test_the_index_cannot_be_taken_for_a_reservation(directory: Directory, tmp_path: Path) -> None:
    """H-61: the Go plugin reads every file, and removes those whose content is the owner's."""
    saved(directory)
    assert (tmp_path / index.FILE).read_bytes().strip().startswith(b"\0index2\n")
