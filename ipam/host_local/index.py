"""The index of a network's reservations: which addresses an owner has, and which address is free next.

Without it, each ADD and DEL would have to read all reservation files. With it, both cost the same in a full
network as in an empty one.

Laws: The reservation files are the truth and the index is a hint: what it says is checked against them before
an address is given away or freed because of it. An index is used only while it provably describes the
directory as it is. Where that is in doubt, a new one is built from the files.

What it holds. One file has two hash tables. The first leads from an owner to its addresses, the second from
a block of 4096 addresses to a bitmap of those that are taken. IPv4 addresses are stored as IPv4-mapped ones.

How it is known to be in step with the directory. Whenever a file is created in a directory or removed from
it, the kernel sets the directory's modification time to the current time. Our last act under the lock sets
this time ten seconds back, gives the same time to the index file, and writes it down in the index. As long
as the three are equal, nobody has changed the directory or the index since then: not the Go plugin, not an
administrator, and not one of our own runs that was killed before its last act. Any of them would have left a
current time. The clock may be coarse, so that two changes get the same time; but no change gets a past one.

What else ends an index. Who restores a backup may bring the old modification time back, but not the change
time, which only the kernel sets, and which is written down in the index as well. A reboot ends every index,
because writes to it are not synced; so the boot ID is a part of it.
"""

from __future__ import annotations

from core import system
from core.attachment import digest
from ipam.host_local.hash_table import FileCells, HashTable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ipam.host_local.files import Directory
    from ipam.host_local.hash_table import Cells

FILE = ".index"
OPEN = system.O_CLOEXEC | system.O_NOFOLLOW | system.O_NONBLOCK
MAGIC = b"\0index2\n"  # cannot be taken for an owner by those who read every file
IDENTITY = 40  # bytes: magic 8, boot ID 16, device 8, inode 8
SEARCHED = 64  # offset of 8 bytes: the range set in which no dead holder was found, hashed
HEADER = 72  # between the two: the directory's modification and change time 8 + 8, the tables' buckets 4 + 4
BLOCK_BITS = 12  # one bitmap tells of 4096 addresses
BLOCK = 1 << BLOCK_BITS
MAPPED = 0xFFFF << 32  # IPv4 addresses are kept as IPv4-mapped IPv6 ones
MAPPED_PREFIX = bytes(10) + b"\xff\xff"
# Instead of the addresses of an owner that has very many: such reservations are made to block a range
MANY = b"\xff" * 16
PAST_NS = 10 * 10**9  # how far back the time stamp lies: beyond every file system's granularity
OWNER_SLOTS, BLOCK_SLOTS = 64, 8  # of a bucket


def identity(directory: system.stat_result, boot: bytes) -> bytes:
    """What the index of this directory begins with during this boot."""
    return MAGIC + boot + _eight(directory.st_dev) + _eight(directory.st_ino)


def _times(directory: system.stat_result) -> bytes:
    return _eight(directory.st_mtime_ns) + _eight(directory.st_ctime_ns)


def _eight(number: int) -> bytes:
    return (number & 2**64 - 1).to_bytes(8, "big")


def wide(packed: bytes) -> bytes:
    """An address as 16 bytes."""
    return packed if len(packed) == 16 else MAPPED_PREFIX + packed


def narrow(stored: bytes) -> bytes:
    """The packed address of its 16 bytes."""
    return stored[12:] if stored[:12] == MAPPED_PREFIX else stored


def owner_key(content: bytes) -> tuple[int, bytes]:
    """(hash, key) of an owner in the first table."""
    hashed = digest(content)
    return int.from_bytes(hashed[8:16], "big"), b"\x01" + hashed[:7]


def block_key(number: int) -> tuple[int, bytes]:
    """(hash, key) of the block that an address, a number of 128 bits, is in."""
    block = number >> BLOCK_BITS
    return block, (block << BLOCK_BITS | 1).to_bytes(16, "big")


class Index:
    """The two tables: owner -> address, and block of addresses -> bitmap of those that are taken.

    owner_buckets: 0 where owners are not kept.
    crowded: a slot did not fit into its own bucket, so the index is too small.
    """

    __slots__ = ("blocks", "cells", "crowded", "owners")

    def __init__(self, cells: Cells, owner_buckets: int, block_buckets: int) -> None:
        self.cells = cells
        self.owners = HashTable(cells, HEADER, owner_buckets, OWNER_SLOTS, 8, 16)
        self.blocks = HashTable(cells, self.owners.end, block_buckets, BLOCK_SLOTS, 16, BLOCK // 8)
        self.crowded = False

    @property
    def size(self) -> int:
        """Bytes in all."""
        return self.blocks.end

    def close(self) -> None:
        """Give the file back, where there is one."""
        self.cells.close()

    def candidates(self, content: bytes) -> list[bytes] | None:
        """The addresses whose files should have *content*; only reading a file tells for certain.

        None when this owner's addresses are not listed.
        """
        if not self.owners.buckets:
            return None
        found = [value for _, value in self.owners.find(*owner_key(content))]
        return None if MANY in found else [narrow(value) for value in found]

    def first_free(self, low: int, high: int, size: int) -> bytes | None:
        """The first address from *low* to *high* that is not taken; size: bytes of an address.

        Costs a look-up for each full block.
        """
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
                mask = (1 << (last - first + 1)) - 1
                total += (int.from_bytes(value, "little") >> (first - start) & mask).bit_count()
        return total

    def _bitmap(self, number: int) -> tuple[int | None, int]:
        """(offset, bits) of the block that an address is in; offset None where the block has none yet."""
        found = self.blocks.find(*block_key(number))
        return (found[0][0], int.from_bytes(found[0][1], "little")) if found else (None, 0)

    def add(self, packed: bytes, content: bytes | None) -> None:
        """An address is taken by the owner that its file's *content* names; None: it names none."""
        stored = wide(packed)
        self.mark(int.from_bytes(stored, "big"), True)
        if content is not None and self.candidates(content) is not None:
            self.crowded |= not self.owners.put(*owner_key(content), stored)

    def remove(self, packed: bytes, content: bytes) -> None:
        """An address is free again; content: what its file said."""
        stored = wide(packed)
        self.mark(int.from_bytes(stored, "big"), False)
        for offset, value in self.owners.find(*owner_key(content)):
            if value == stored:
                self.owners.remove(offset)

    def searched(self, one: str) -> bool:
        """Whether all files of this range set were looked at, and no dead holder was among them.

        It stays true while the index is in step: whoever gets an address during this boot did not die with
        an earlier one.
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
            self.crowded |= not self.blocks.put(*block_key(number), value)
        else:
            self.blocks.change(offset, value)


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


def stamp(index: Index, directory: Directory) -> None:
    """Declare an index on file to be in step with the directory: our last act in it. Raises OSError."""
    if isinstance(index.cells, FileCells):
        past = system.fstat(directory.descriptor).st_mtime_ns - PAST_NS
        system.utime(directory.descriptor, ns=(past, past))
        index.cells.write(IDENTITY, _times(system.fstat(directory.descriptor)))
        system.utime(index.cells.descriptor, ns=(past, past))
