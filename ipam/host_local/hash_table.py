"""A hash table in a flat run of bytes: a file or a bytearray, so that one look-up reads one bucket.

A slot is a key and a value, both of fixed size. A bucket is a number of slots. What has no room in its own
bucket is put into the next bucket that has room.
Law: a look-up stops at the first bucket that has an empty slot. So a slot of a full bucket is never emptied,
only marked as gone: entries that had no room there would not be found any more.
"""

from __future__ import annotations

from core import system

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import Protocol

    class Cells(Protocol):
        """Where the bytes are."""

        def read(self, offset: int, length: int) -> bytes: ...
        def write(self, offset: int, data: bytes) -> None: ...
        def close(self) -> None: ...


class FileCells:
    """The bytes of a file, read and written where they are. Raises OSError."""

    __slots__ = ("descriptor",)

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor

    def read(self, offset: int, length: int) -> bytes:
        return system.pread(self.descriptor, length, offset)

    def write(self, offset: int, data: bytes) -> None:
        while data:
            written = system.pwrite(self.descriptor, data, offset)
            data, offset = data[written:], offset + written

    def close(self) -> None:
        system.close(self.descriptor)


class MemoryCells:
    """The same in memory."""

    __slots__ = ("image",)

    def __init__(self) -> None:
        self.image = bytearray()

    def read(self, offset: int, length: int) -> bytes:
        return bytes(self.image[offset : offset + length])

    def write(self, offset: int, data: bytes) -> None:
        self.image += bytes(max(0, offset + len(data) - len(self.image)))
        self.image[offset : offset + len(data)] = data

    def close(self) -> None:
        pass


class HashTable:
    """*buckets* buckets of *slots* slots from *start* on. No key is all zeros (empty) or all ones (gone)."""

    __slots__ = ("_empty", "_gone", "bucket_size", "buckets", "cells", "key_size", "start", "width")

    def __init__(
        self, cells: Cells, start: int, buckets: int, slots: int, key_size: int, value_size: int
    ) -> None:
        self.cells = cells
        self.start = start
        self.buckets = buckets
        self.key_size = key_size
        self.width = key_size + value_size
        self.bucket_size = slots * self.width
        self._empty = bytes(key_size)
        self._gone = b"\xff" * key_size

    @property
    def end(self) -> int:
        """Offset behind the table."""
        return self.start + self.buckets * self.bucket_size

    def _probe(self, home: int) -> Iterator[tuple[int, bytes]]:
        """(offset, bytes) of the buckets in which a key with the hash *home* may be."""
        for step in range(self.buckets):
            offset = self.start + (home + step) % self.buckets * self.bucket_size
            data = self.cells.read(offset, self.bucket_size)
            yield offset, data
            if next(self._slots(data, self._empty), None) is not None:
                return

    def _slots(self, data: bytes, key: bytes) -> Iterator[int]:
        """Where in a bucket the slots with *key* begin."""
        at = data.find(key)
        while at >= 0:
            if at % self.width == 0:
                yield at
            at = data.find(key, at - at % self.width + self.width)

    def find(self, home: int, key: bytes) -> list[tuple[int, bytes]]:
        """(offset, value) of every slot with *key*."""
        size = self.key_size
        found = [(offset, data, at) for offset, data in self._probe(home) for at in self._slots(data, key)]
        return [(offset + at, data[at + size : at + self.width]) for offset, data, at in found]

    def put(self, home: int, key: bytes, value: bytes) -> bool:
        """Add a slot; whether its own bucket had room. Raises OverflowError when no bucket has."""
        for step, (offset, data) in enumerate(self._probe(home)):
            for key_of_room in (self._empty, self._gone):
                for at in self._slots(data, key_of_room):
                    self.cells.write(offset + at, key + value)
                    return step == 0
        raise OverflowError("hash table is full")

    def fill(self, items: Iterable[tuple[int, bytes, bytes]], often: int, instead: bytes) -> None:
        """Put the (home, key, value) of *items* into a table of zeros, with one write each and little memory.

        Of a key that a full bucket holds *often* or more times one slot is kept, with the value *instead*.
        Raises OverflowError.
        """
        used = bytearray(self.buckets)
        settled: set[int] = set()  # full buckets that hold no key often
        collapsed: set[bytes] = set()
        for home, key, value in items:
            for step in range(self.buckets):
                number = (home + step) % self.buckets
                if used[number] * self.width == self.bucket_size and number not in settled:
                    used[number] = self._collapse(number, often, instead, collapsed)
                    settled.add(number)
                if key in collapsed:
                    break
                if used[number] * self.width < self.bucket_size:
                    settled.discard(number)
                    at = self.start + number * self.bucket_size + used[number] * self.width
                    self.cells.write(at, key + value)
                    used[number] += 1
                    break
            else:
                raise OverflowError("hash table is full")

    def _collapse(self, number: int, often: int, instead: bytes, collapsed: set[bytes]) -> int:
        """Keep one slot of each key that a full bucket holds *often*; how many slots are used then.

        These keys are added to *collapsed*.
        """
        offset = self.start + number * self.bucket_size
        data = self.cells.read(offset, self.bucket_size)
        slots = [data[at : at + self.width] for at in range(0, self.bucket_size, self.width)]
        counts: dict[bytes, int] = {}
        for slot in slots:
            counts[slot[: self.key_size]] = counts.get(slot[: self.key_size], 0) + 1
        dense = {key for key, count in counts.items() if count >= often}
        kept = [slot for slot in slots if slot[: self.key_size] not in dense]
        kept += [key + instead for key in dense]
        collapsed |= dense
        self.cells.write(offset, b"".join(kept).ljust(self.bucket_size, b"\0"))
        return len(kept)

    def change(self, offset: int, value: bytes) -> None:
        """Replace the value of the slot at *offset*."""
        self.cells.write(offset + self.key_size, value)

    def remove(self, offset: int) -> None:
        """Take the slot at *offset* away."""
        bucket = offset - (offset - self.start) % self.bucket_size
        full = next(self._slots(self.cells.read(bucket, self.bucket_size), self._empty), None) is None
        self.cells.write(offset, (self._gone if full else self._empty) + bytes(self.width - self.key_size))

    def items(self) -> Iterator[tuple[bytes, bytes]]:
        """Every (key, value)."""
        data = self.cells.read(self.start, self.end - self.start)
        for at in range(0, len(data), self.width):
            key = data[at : at + self.key_size]
            if key not in (self._empty, self._gone):
                yield key, data[at + self.key_size : at + self.width]
