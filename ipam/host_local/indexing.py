"""Building an index anew from all reservation files, where there is none that can be trusted."""

from __future__ import annotations

from core import system
from ipam.host_local import index
from ipam.host_local.hash_table import FileCells, HashTable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ipam.host_local.files import Directory
    from ipam.host_local.hash_table import Cells
    from ipam.host_local.index import Index

    Entries = Iterable[tuple[bytes, bytes | None]]

MODE = 0o600
OPEN = system.O_RDWR | system.O_CREAT | system.O_TRUNC | index.OPEN
OFTEN = 9  # slots in a full bucket: an owner that has so many has very many addresses
OWNERS_PER_BUCKET, BLOCKS_PER_BUCKET = 20, 2  # at first; a bucket that overflows makes a larger index


def build(entries: Entries, expected: int, cells: Cells) -> Index:
    """Write an index of (packed address, content of its file) into empty *cells*.

    The content is None where the file names no owner.
    expected: how many entries there are, about; with 0 the owners are left out.
    Takes no memory but the bitmaps'. Raises OSError, OverflowError.
    """
    # Odd numbers of buckets, so that neighbouring blocks never meet in one.
    owner_buckets = expected // OWNERS_PER_BUCKET + 3 | 1 if expected else 0
    bitmaps: dict[int, bytearray] = {}
    owners = HashTable(cells, index.HEADER, owner_buckets, index.OWNER_SLOTS, 8, 16)
    slots = _owner_slots(entries, bitmaps)
    if expected:
        cells.write(owners.end - 1, b"\0")
        owners.fill(slots, OFTEN, index.MANY)
    else:
        for _ in slots:
            continue
    built = index.Index(cells, owner_buckets, len(bitmaps) // BLOCKS_PER_BUCKET | 1)
    cells.write(built.size - 1, b"\0")
    for block, bits in bitmaps.items():
        built.blocks.put(*index.block_key(block << index.BLOCK_BITS), bytes(bits))
    return built


def _owner_slots(entries: Entries, bitmaps: dict[int, bytearray]) -> Iterator[tuple[int, bytes, bytes]]:
    """Mark each address in *bitmaps*, by block, and yield the slot of its owner."""
    for packed, content in entries:
        stored = index.wide(packed)
        number = int.from_bytes(stored, "big")
        block = number >> index.BLOCK_BITS
        if block not in bitmaps:
            bitmaps[block] = bytearray(index.BLOCK // 8)
        bitmaps[block][number % index.BLOCK // 8] |= 1 << number % 8
        if content is not None:
            yield *index.owner_key(content), stored


def create(entries: Entries, expected: int, directory: Directory, boot: bytes) -> Index:
    """Write a new index to the directory's file, not yet declared to be in step.

    The arguments are those of build. Raises OSError, OverflowError.
    """
    cells = FileCells(system.open(index.FILE, OPEN, MODE, dir_fd=directory.descriptor))
    try:
        built = build(entries, max(1, expected), cells)
        buckets = [table.buckets.to_bytes(4, "big") for table in (built.owners, built.blocks)]
        identity = index.identity(system.fstat(directory.descriptor), boot)
        cells.write(0, identity + bytes(16) + b"".join(buckets))
    except BaseException:
        cells.close()
        raise
    return built
