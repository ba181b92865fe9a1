"""What host-local does to its files, told by strace of a real run as operations of tests.torture.disk."""

import re
from collections.abc import Iterator
from pathlib import Path

from tests.torture.disk import ROOT, Attribute, Entry, Mark, Operation, Sync, Truncate, Write

CALLS: tuple[str, ...] = (
    *(
        "open",
        "openat",
        "creat",
        "close",
        "dup",
        "write",
        "pwrite64",
        "fsync",
        "fdatasync",
        "sync",
        "syncfs",
        "ftruncate",
        "truncate",
        "fallocate",
    ),
    *(
        "link",
        "linkat",
        "unlink",
        "unlinkat",
        "rename",
        "renameat",
        "renameat2",
        "symlinkat",
        "mkdir",
        "mkdirat",
        "rmdir",
        "fsetxattr",
        "setxattr",
    ),
)
CWD = "AT_FDCWD"  # open(2)
STRACE = ("strace", "-f", "-qq", "-xx", "-s", "65536", "-e", "signal=none")
LINE = re.compile(r"\d+ +(\w+)\((.*)\) += (-?\d+)")
ARGUMENT = re.compile(r'"((?:\\x[0-9a-f]{2})*)"|([^",]+)')


def unescaped(quoted: str) -> str:
    """The bytes of strace's \\x.., one character each."""
    return bytes.fromhex(quoted.replace("\\x", "")).decode("latin-1")


class Recorder:
    """Follows the calls of one process after the other on files below *folder*, which is empty at first."""

    def __init__(self, folder: Path):
        self.folder = str(folder)
        self.names: dict[tuple[int, str], int] = {}
        self.inodes = ROOT
        self.open: dict[str, int] = {}
        self.operations: list[Operation] = []

    def follow(self, trace: str, owner: str) -> None:
        """Add what one process did; a Mark "reported" where it wrote its answer, for *owner*.

        Raises ValueError for a call unknown here.
        """
        self.open = {}
        for line in trace.splitlines():
            match = LINE.match(line)
            if match and match[1] in CALLS and not match[3].startswith("-"):
                arguments = [
                    unescaped(quoted) if quoted else bare.strip()
                    for quoted, bare in ARGUMENT.findall(match[2])
                ]
                self.operations += self.told(match[1], [it for it in arguments if it], match[3], owner)

    def inode(self, base: str, path: str) -> tuple[int, str] | None:
        """(inode of the directory, name) of a path; None when it is elsewhere."""
        at = self.open.get(base)
        if path.startswith(self.folder):
            at, path = ROOT, path[len(self.folder) :].strip("/")
        elif path.startswith("/") or at is None:
            return None
        *parents, name = path.split("/")
        for parent in parents:
            at = self.names[at, parent]
        return at, name

    def told(self, call: str, arguments: list[str], result: str, owner: str) -> Iterator[Operation]:
        """The operations that a successful call amounts to."""
        match call, arguments:  # musl says open, unlink and link where glibc says openat and so on
            case (("open" | "unlink"), [path, *rest]):
                yield from self.told(f"{call}at", [CWD, path, *rest], result, owner)
            case "link", [path, name]:
                yield from self.told("linkat", [CWD, path, CWD, name], result, owner)
            case "openat", [base, path, flags, *_]:
                yield from self.opened(self.inode(base, path), path, flags, result)
            case "close", [descriptor]:
                self.open.pop(descriptor, None)
            case "mkdir", [path, *_]:
                yield from self.bound(self.inode(CWD, path), is_directory=True)
            case "linkat", [base, path, to, name, *_]:
                source = self.inode(base, path)
                yield from self.bound(self.inode(to, name), self.names[source] if source else None)
            case "unlinkat", [base, path, *_]:
                where = self.inode(base, path)
                if where:
                    del self.names[where]
                    yield Entry(*where, None)
            case "write", ["1", *_]:
                yield Mark("reported", owner)
            case (("write" | "pwrite64" | "fsync" | "ftruncate" | "fsetxattr"), [descriptor, *rest]) if (
                descriptor in self.open
            ):
                yield self.changed(call, self.open[descriptor], rest)
            case (("write" | "pwrite64" | "fsync" | "ftruncate" | "fsetxattr"), _):
                pass  # of another file
            case _:
                raise ValueError(f"the recorder does not know {call}({', '.join(arguments)})")

    def opened(
        self, where: tuple[int, str] | None, path: str, flags: str, result: str
    ) -> Iterator[Operation]:
        if where is None:
            if path == self.folder:
                self.open[result] = ROOT
            return
        if where[1] and where not in self.names:
            yield from self.bound(where)
        self.open[result] = self.names[where] if where[1] else ROOT
        if "O_TRUNC" in flags:
            yield Truncate(self.open[result], 0)

    def bound(
        self, where: tuple[int, str] | None, inode: int | None = None, is_directory: bool = False
    ) -> Iterator[Operation]:
        if where is None:
            return
        if inode is None:
            self.inodes += 1
            inode = self.inodes
        self.names[where] = inode
        yield Entry(*where, inode, is_directory)

    def changed(self, call: str, inode: int, rest: list[str]) -> Operation:
        match call, rest:
            case "pwrite64", [data, _, offset]:
                return Write(inode, int(offset), data.encode("latin-1"))
            case "write", [data, _]:
                return Write(inode, self.size(inode), data.encode("latin-1"))
            case "ftruncate", [size]:
                return Truncate(inode, int(size))
            case "fsetxattr", [name, value, *_]:
                return Attribute(inode, name, value.encode("latin-1"))
            case _:
                return Sync(inode)

    def size(self, inode: int) -> int:
        """Where a write without an offset goes: host-local writes new files from their beginning only."""
        return sum(len(it.data) for it in self.operations if isinstance(it, Write) and it.inode == inode)
