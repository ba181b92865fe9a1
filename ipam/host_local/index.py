"""The index of a network's reservations: which addresses an owner has, and which address is free next, at constant cost.

Laws: the reservation files are the truth and the index a hint that is checked against them before anything is lost by it;
an index is used only while it provably belongs to the directory as it is, and whoever doubts it builds a new one.

How it is known to be in step. Each creation and removal in a directory sets the directory's modification time to now. So our
last act under the lock sets it back, to a time that has passed already, and gives the same time to the index file, in which it
is written down. While the three agree, nobody but us has changed the directory or the index: not the Go plugin, not an
administrator, nor one of us that was killed half way (its changes made the directory newer). However many changes a clock tick
may see, none of them can bring the past back. Only who restores a backup does, and is betrayed by the change time, which nobody
can set and which the index has noted too. A reboot ends every index, because writes to it are not synced.
"""

from __future__ import annotations

from core import system
from core.attachment import digest
from ipam.host_local.hash_table import FileCells, Table

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ipam.host_local.files import Directory
    from ipam.host_local.hash_table import Cells

FILE = ".index"
MODE = 0o600
OPEN = system.O_CLOEXEC | system.O_NOFOLLOW | system.O_NONBLOCK
MAGIC = b"\0index2\n"  # cannot be taken for an owner by those who read every file
IDENTITY = 40  # bytes: magic 8, boot ID 16, device 8, inode 8
SEARCHED = 64  # offset of 8 bytes: the range set in which no dead holder was found, hashed
HEADER = 72  # before them the directory's modification and change time 8 + 8, and the tables' buckets 4 + 4
BLOCK_BITS = 12  # one bitmap tells of 4096 addresses
BLOCK = 1 << BLOCK_BITS
MAPPED = 0xFFFF << 32  # IPv4 addresses are kept as IPv4-mapped IPv6 ones
MAPPED_PREFIX = bytes(10) + b"\xff\xff"
# Instead of the addresses of an owner who has very many (somebody's way to block a range)
MANY = b"\xff" * 16
OFTEN = 9  # slots of a full bucket with one owner: that many are very many
PAST_NS = 10 * 10**9  # how far back the time stamp lies: beyond every file system's granularity
OWNER_SLOTS, BLOCK_SLOTS = 64, 8  # of a bucket
OWNERS_PER_BUCKET, BLOCKS_PER_BUCKET = 20, 2  # at first; a bucket that overflows makes a larger index


def identity(directory: system.stat_result, boot: bytes) -> bytes:
    """What the index of this directory begins with during this boot."""
    return (
        MAGIC + boot + (directory.st_dev & 2**64 - 1).to_bytes(8, "big") + directory.st_ino.to_bytes(8, "big")
    )


def _times(directory: system.stat_result) -> bytes:
    return (directory.st_mtime_ns & 2**64 - 1).to_bytes(8, "big") + (
        directory.st_ctime_ns & 2**64 - 1
    ).to_bytes(8, "big")


def wide(packed: bytes) -> bytes:
    """An address as 16 bytes."""
    return packed if len(packed) == 16 else MAPPED_PREFIX + packed


def narrow(stored: bytes) -> bytes:
    """The packed address of its 16 bytes."""
    return stored[12:] if stored[:12] == MAPPED_PREFIX else stored


def _owner_key(content: bytes) -> tuple[int, bytes]:
    hashed = digest(content)
    return int.from_bytes(hashed[8:16], "big"), b"\x01" + hashed[:7]


def _block_key(number: int) -> tuple[int, bytes]:
    block = number >> BLOCK_BITS
    return block, (block << BLOCK_BITS | 1).to_bytes(16, "big")


class Index:
    """The two tables: owner -> address, and block of addresses -> bitmap of those that are taken. owner_buckets: 0 where owners are not kept."""

    __slots__ = ("blocks", "cells", "crowded", "owners")

    def __init__(self, cells: Cells, owner_buckets: int, block_buckets: int) -> None:
        self.cells = cells
        self.owners = Table(cells, HEADER, owner_buckets, OWNER_SLOTS, 8, 16)
        self.blocks = Table(cells, self.owners.end, block_buckets, BLOCK_SLOTS, 16, BLOCK // 8)
        self.crowded = False

    @property
    def size(self) -> int:
        """Bytes in all."""
        return self.blocks.end

    def close(self) -> None:
        """Give the file back, where there is one."""
        self.cells.close()

    def candidates(self, content: bytes) -> list[bytes] | None:
        """The addresses whose file should have *content*: only reading the file tells for certain. None when they are not listed."""
        if not self.owners.buckets:
            return None
        found = [value for _, value in self.owners.find(*_owner_key(content))]
        return None if MANY in found else [narrow(value) for value in found]

    def first_free(self, low: int, high: int, size: int) -> bytes | None:
        """The first address from *low* to *high* that is not taken; size: bytes of an address. Costs a look-up for each full block."""
        base = 0 if size == 16 else MAPPED
        low, high = low | base, high | base
        while low <= high:
            start = low >> BLOCK_BITS << BLOCK_BITS
            taken = self._bitmap(low)[1] >> (low - start)
            free = (~taken & (taken + 1)).bit_length() - 1
            if low + free < start + BLOCK:
                return narrow((low + free).to_bytes(16, "big")) if low + free <= high else None
            low = start + BLOCK
        return None

    def count(self, low: int, high: int, size: int) -> int:
        """How many addresses from *low* to *high* are taken."""
        base = 0 if size == 16 else MAPPED
        total = 0
        for key, value in self.blocks.items():
            start = int.from_bytes(key, "big") ^ 1
            first, last = max(low | base, start), min(high | base, start + BLOCK - 1)
            if first <= last:
                total += (
                    int.from_bytes(value, "little") >> (first - start) & ((1 << (last - first + 1)) - 1)
                ).bit_count()
        return total

    def _bitmap(self, number: int) -> tuple[int | None, int]:
        """(offset, bits) of the block that an address is in; offset None where the block has none yet."""
        found = self.blocks.find(*_block_key(number))
        return (found[0][0], int.from_bytes(found[0][1], "little")) if found else (None, 0)

    def add(self, packed: bytes, content: bytes | None) -> None:
        """An address is taken, by the file's *content*; None: by nobody who could be asked for."""
        stored = wide(packed)
        self.mark(int.from_bytes(stored, "big"), True)
        if content is not None and self.candidates(content) is not None:
            self.crowded |= not self.owners.put(*_owner_key(content), stored)

    def remove(self, packed: bytes, content: bytes) -> None:
        """An address is free again; content: what its file said."""
        stored = wide(packed)
        self.mark(int.from_bytes(stored, "big"), False)
        for offset, value in self.owners.find(*_owner_key(content)):
            if value == stored:
                self.owners.remove(offset)

    def searched(self, one: str) -> bool:
        """Whether no dead holder was found in this range set.

        It stays true while the index is in step: who gets an address during this boot did not die with an earlier one.
        """
        return self.cells.read(SEARCHED, 8) == digest(one.encode())[:8]

    def note_searched(self, one: str) -> None:
        """There is no dead holder in this range set. Raises OSError."""
        self.cells.write(SEARCHED, digest(one.encode())[:8])

    def mark(self, number: int, taken: bool) -> None:
        """Set or clear the bit of an address (as a number of 128 bits)."""
        offset, bits = self._bitmap(number)
        bit = 1 << number % BLOCK
        value = (bits | bit if taken else bits & ~bit).to_bytes(BLOCK // 8, "little")
        if offset is None:
            self.crowded |= not self.blocks.put(*_block_key(number), value)
        else:
            self.blocks.change(offset, value)


def build(entries: Iterable[tuple[bytes, bytes | None]], expected: int, cells: Cells) -> Index:
    """Write an index of (packed address, content of its file or None where nobody could be asked for) into empty *cells*.

    expected: how many there are, about; 0 leaves the owners out. Takes no memory but the bitmaps'. Raises OSError, OverflowError.
    """
    # Odd numbers of buckets, so that neighbouring blocks never meet in one.
    owner_buckets = expected // OWNERS_PER_BUCKET + 3 | 1 if expected else 0
    bitmaps: dict[int, bytearray] = {}
    owners = Table(cells, HEADER, owner_buckets, OWNER_SLOTS, 8, 16)
    slots = _owner_slots(entries, bitmaps)
    if expected:
        cells.write(owners.end - 1, b"\0")
        owners.fill(slots, OFTEN, MANY)
    else:
        for _ in slots:
            continue
    index = Index(cells, owner_buckets, len(bitmaps) // BLOCKS_PER_BUCKET | 1)
    cells.write(index.size - 1, b"\0")
    for block, bits in bitmaps.items():
        index.blocks.put(*_block_key(block << BLOCK_BITS), bytes(bits))
    return index


def _owner_slots(
    entries: Iterable[tuple[bytes, bytes | None]], bitmaps: dict[int, bytearray]
) -> Iterator[tuple[int, bytes, bytes]]:
    """Mark each address in *bitmaps*, by block, and yield the slot of its owner."""
    for packed, content in entries:
        stored = wide(packed)
        number = int.from_bytes(stored, "big")
        block = number >> BLOCK_BITS
        if block not in bitmaps:
            bitmaps[block] = bytearray(BLOCK // 8)
        bitmaps[block][number % BLOCK // 8] |= 1 << number % 8
        if content is not None:
            yield *_owner_key(content), stored


def load(directory: Directory, boot: bytes) -> Index | None:
    """The index file of a directory, None when there is none that can be trusted. The caller closes it."""
    try:
        descriptor = system.open(FILE, system.O_RDWR | OPEN, dir_fd=directory.descriptor)
    except OSError:
        return None
    ours, theirs = system.fstat(descriptor), system.fstat(directory.descriptor)
    header = system.pread(descriptor, HEADER, 0)
    known = identity(theirs, boot) + _times(theirs)
    if boot and header[: len(known)] == known and ours.st_mtime_ns == theirs.st_mtime_ns:
        buckets = [int.from_bytes(header[at : at + 4], "big") for at in (56, 60)]
        index = Index(FileCells(descriptor), *buckets)
        if all(buckets) and index.size == ours.st_size:
            return index
    system.close(descriptor)
    return None


def create(
    entries: Iterable[tuple[bytes, bytes | None]], expected: int, directory: Directory, boot: bytes
) -> Index:
    """Write a new index to the directory's file, not in step yet; arguments as build's. Raises OSError, OverflowError."""
    cells = FileCells(
        system.open(
            FILE, system.O_RDWR | system.O_CREAT | system.O_TRUNC | OPEN, MODE, dir_fd=directory.descriptor
        )
    )
    try:
        index = build(entries, max(1, expected), cells)
        buckets = [table.buckets.to_bytes(4, "big") for table in (index.owners, index.blocks)]
        cells.write(0, identity(system.fstat(directory.descriptor), boot) + bytes(16) + b"".join(buckets))
    except BaseException:
        cells.close()
        raise
    return index


def stamp(index: Index, directory: Directory) -> None:
    """Declare an index on file to be in step with the directory: our last act in it. Raises OSError."""
    if isinstance(index.cells, FileCells):
        past = system.fstat(directory.descriptor).st_mtime_ns - PAST_NS
        system.utime(directory.descriptor, ns=(past, past))
        index.cells.write(IDENTITY, _times(system.fstat(directory.descriptor)))
        system.utime(index.cells.descriptor, ns=(past, past))
