"""The hash table behind the index, against a plain list."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ipam.host_local.hash_table import FileCells, HashTable, MemoryCells

KEYS = st.integers(1, 6).map(lambda number: bytes([number]) * 2)
VALUES = st.integers(0, 255).map(lambda number: bytes([number, 0, number]))
# (what, key, value): many collisions, for a key's home is its first byte, and there are three
# buckets of two slots.
STEPS = st.lists(st.tuples(st.sampled_from(["put", "put", "remove", "change"]), KEYS, VALUES), max_size=60)


def empty(cells: FileCells | MemoryCells) -> HashTable:
    table = HashTable(cells, 5, 3, 2, 2, 3)
    cells.write(0, b"front")
    cells.write(5, bytes(table.end - 5))
    return table


def run(table: HashTable, steps: list[tuple[str, bytes, bytes]]) -> None:
    model: list[tuple[bytes, bytes]] = []
    for what, key, value in steps:
        if what == "put":
            try:
                table.put(key[0], key, value)
                model.append((key, value))
            except OverflowError:
                assert len(model) == 6
        elif found := table.find(key[0], key):
            offset, old = found[0]
            model.remove((key, old))
            if what == "change":
                table.change(offset, value)
                model.append((key, value))
            else:
                table.remove(offset)
        for each in {key, b"\x01\x01"}:
            assert sorted(value for _, value in table.find(each[0], each)) == sorted(
                value for other, value in model if other == each
            )
    assert sorted(table.items()) == sorted(model)
    assert table.cells.read(0, 5) == b"front"


@given(STEPS)
def test_a_table_in_memory_does_what_a_list_does(steps: list[tuple[str, bytes, bytes]]) -> None:
    run(empty(MemoryCells()), steps)


@pytest.fixture
def file(tmp_path: Path) -> Iterator[FileCells]:
    cells = FileCells(os.open(tmp_path / "cells", os.O_RDWR | os.O_CREAT))
    yield cells
    cells.close()


def test_a_table_in_a_file_does_the_same(file: FileCells) -> None:
    @given(STEPS)
    def check(steps: list[tuple[str, bytes, bytes]]) -> None:
        run(empty(file), steps)

    check()


def test_put_tells_when_the_own_bucket_is_full() -> None:
    table = empty(MemoryCells())
    assert [table.put(0, b"aa", b"123"), table.put(0, b"bb", b"123"), table.put(0, b"cc", b"123")] == [
        True,
        True,
        False,
    ]


@given(st.lists(st.tuples(KEYS, VALUES), max_size=6))
def test_fill_is_many_puts(items: list[tuple[bytes, bytes]]) -> None:
    table = empty(MemoryCells())
    table.fill(((key[0], key, value) for key, value in items), 3, b"all")
    assert sorted(table.items()) == sorted(items)
    for key, _ in items:
        assert sorted(value for _, value in table.find(key[0], key)) == sorted(
            value for other, value in items if other == key
        )


def test_fill_leaves_one_slot_of_a_key_that_fills_a_bucket() -> None:
    table = empty(MemoryCells())
    table.fill(
        (
            (key[0], key, value)
            for key, value in [(b"\3\3", b"123"), (b"\3\3", b"456"), (b"\6\6", b"789"), (b"\3\3", b"abc")]
        ),
        2,
        b"all",
    )
    assert sorted(table.items()) == [(b"\3\3", b"all"), (b"\6\6", b"789")]


def test_fill_tells_when_there_are_more_than_slots() -> None:
    with pytest.raises(OverflowError):
        empty(MemoryCells()).fill(((each, bytes([each]) * 2, b"123") for each in range(1, 8)), 2, b"all")
