"""A disk that is switched off: which states of some files a power cut may leave, after a recorded run. Pure.

Law: only what was synced is certain. Of each directory the entries made and removed since its last fsync are
kept or lost one by one, in any combination; what was written to a file since its last fsync is there, or not,
or half of it, or its length with zeros.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations, product
from random import Random
from typing import NamedTuple

ALL_OF = 8  # so many unsynced entries are tried in every combination, of more a sample
SAMPLE = 200
CONTENTS = 32  # combinations of file contents that are tried with each combination of entries


class Entry(NamedTuple):
    """A name in a directory now leads to an inode; None: to nothing. is_directory: to a new directory."""

    directory: int
    name: str
    inode: int | None
    is_directory: bool = False


class Write(NamedTuple):
    """Bytes in a file, from *offset* on."""

    inode: int
    offset: int
    data: bytes


class Truncate(NamedTuple):
    """A file's size."""

    inode: int
    size: int


class Attribute(NamedTuple):
    """An extended attribute of a file."""

    inode: int
    name: str
    value: bytes


class Sync(NamedTuple):
    """fsync of a file or directory."""

    inode: int


class Mark(NamedTuple):
    """Something that was promised at this moment; nothing of the disk."""

    what: str
    owner: str


Operation = Entry | Write | Truncate | Attribute | Sync | Mark
ROOT = 0  # inode of the one directory that was there before


class File(NamedTuple):
    """What a file may look like."""

    content: bytes
    attributes: tuple[tuple[str, bytes], ...]


Tree = Mapping[str, File | None]  # path below the root -> file, None for a directory


def content(operations: Sequence[Operation]) -> bytes:
    """What writes and truncations make of an empty file."""
    data = bytearray()
    for operation in operations:
        if isinstance(operation, Truncate):
            data = data[: operation.size] + bytes(max(0, operation.size - len(data)))
        elif isinstance(operation, Write):
            data += bytes(max(0, operation.offset - len(data)))
            data[operation.offset : operation.offset + len(operation.data)] = operation.data
    return bytes(data)


def looks(inode: int, history: Sequence[Operation]) -> list[File]:
    """Every look that a file may have, after a cut at the end of *history*."""
    own = [it for it in history if isinstance(it, Write | Truncate | Attribute | Sync) and it.inode == inode]
    synced = max((at for at, it in enumerate(own) if isinstance(it, Sync)), default=-1) + 1
    old, new = content(own[:synced]), content(own)
    attributes = [
        tuple((it.name, it.value) for it in part if isinstance(it, Attribute)) for part in (own[:synced], own)
    ]
    common = next((at for at, (a, b) in enumerate(zip(old, new)) if a != b), min(len(old), len(new)))
    half = new[: (common + len(new)) // 2]
    zeros = (
        old + bytes(len(new) - len(old)) if len(new) > len(old) else new[:common] + bytes(len(new) - common)
    )
    pairs = [
        (old, attributes[0]),
        (new, attributes[1]),
        (half, attributes[0]),
        (zeros, attributes[1]),
        (new, attributes[0]),
    ]
    return [File(*pair) for pair in dict.fromkeys(pairs)]


def kept(optional: Sequence[int], seed: int) -> Iterator[frozenset[int]]:
    """Combinations of entries that survive: all if they are few, else a part of them.

    That part is each order in which a journal writes, and a sample.
    """
    if len(optional) <= ALL_OF:
        for size in range(len(optional) + 1):
            yield from (frozenset(chosen) for chosen in combinations(optional, size))
        return
    yield from (frozenset(optional[:size]) for size in range(len(optional) + 1))
    yield from (frozenset(optional) - {one} for one in optional)
    random = Random(seed)
    yield from (frozenset(one for one in optional if random.random() < 0.5) for _ in range(SAMPLE))


def trees(history: Sequence[Operation]) -> Iterator[Tree]:
    """Every tree that a power cut at the end of *history* may leave; some of them more than once."""
    last_sync = {it.inode: at for at, it in enumerate(history) if isinstance(it, Sync)}
    entries = [(at, it) for at, it in enumerate(history) if isinstance(it, Entry)]
    optional = [at for at, it in entries if at > last_sync.get(it.directory, -1)]
    directories = {it.inode for _, it in entries if it.is_directory and it.inode is not None}
    for survivors in kept(optional, len(history)):
        names: dict[tuple[int, str], int] = {}
        for at, it in entries:
            if at in survivors or at <= last_sync.get(it.directory, -1):
                if it.inode is None:
                    names.pop((it.directory, it.name), None)
                else:
                    names[it.directory, it.name] = it.inode
        paths = dict(walk(names, directories, ROOT, ""))
        files = sorted({inode for inode in paths.values() if inode not in directories})
        choices = [looks(inode, history) for inode in files]
        for number, choice in enumerate(product(*choices)):
            if number == CONTENTS:
                break
            found = dict(zip(files, choice))
            yield {path: found.get(inode) for path, inode in paths.items()}


def walk(
    names: Mapping[tuple[int, str], int], directories: set[int], directory: int, prefix: str
) -> Iterator[tuple[str, int]]:
    """(path, inode) of everything that can be reached, directories before what is in them."""
    for (parent, name), inode in names.items():
        if parent == directory:
            yield prefix + name, inode
            if inode in directories:
                yield from walk(names, directories, inode, f"{prefix}{name}/")
