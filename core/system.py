"""The operating system's calls, from the module that the os package is made of.

The os package costs 1.2 ms at every start, for abstract classes and path rules that nobody needs here. Names
and behaviour are those of os; `join` and what follows it are the few rules about paths that plugins need.
"""

from __future__ import annotations

from errno import ENAMETOOLONG, ENOENT, ENOTDIR
from posix import *  # noqa: F403
from posix import _exit as _exit
from posix import environ as _raw
from posix import lstat, stat

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

SEEK_SET = 0
ENCODING, ERRORS = "utf-8", "surrogateescape"
NOTHING = (ENOENT, ENOTDIR, ENAMETOOLONG)  # what a call says of a path that leads to nothing
S_IFMT, S_IFREG, S_IFDIR, S_IFLNK = 0o170000, 0o100000, 0o040000, 0o120000  # of st_mode: inode(7)


def environment() -> dict[str, str]:
    """The environment as text; what is no UTF-8 is kept in surrogates, as os.environ keeps it."""
    return {key.decode(ENCODING, ERRORS): value.decode(ENCODING, ERRORS) for key, value in _raw.items()}


def encoded(name: str) -> bytes:
    """A file name or variable as the bytes that it came from."""
    return name.encode(ENCODING, ERRORS)


def decoded(name: str | bytes) -> str:
    """The text of a file name or variable; encoded turns it back."""
    return name if isinstance(name, str) else name.decode(ENCODING, ERRORS)


def join(directory: str, name: str) -> str:
    """A path below a directory; an absolute *name* stands for itself."""
    return name if name.startswith("/") or not directory else f"{directory.rstrip('/')}/{name}"


def parent(path: str) -> str:
    """Everything before the last slash."""
    head = path[: path.rfind("/") + 1]
    return head.rstrip("/") or head[:1]


def kind(path: str) -> int:
    """S_IFREG, S_IFDIR or another kind of file behind *path*; 0 when there is none that can be looked at."""
    try:
        return stat(path).st_mode & S_IFMT
    except (OSError, ValueError):
        return 0


def first_file(directories: Iterable[str], name: str) -> str:
    """The path of the first regular file of that name in *directories*, "" for none."""
    paths = [join(directory, name) for directory in directories if directory]
    return next((path for path in paths if kind(path) == S_IFREG), "")


def there(path: str) -> bool:
    """Whether anything is at *path*, a dangling link included."""
    try:
        lstat(path)
    except (OSError, ValueError):
        return False
    return True


def absent(path: str) -> bool:
    """Whether there is surely nothing at *path*: a look that fails for another reason proves nothing."""
    try:
        lstat(path)
    except OSError as error:
        return error.errno in NOTHING
    return False


def same_file(one: str | int, other: str | int) -> bool:
    """Whether two paths or descriptors lead to the same file. Raises OSError."""
    first, second = stat(one), stat(other)
    return (first.st_dev, first.st_ino) == (second.st_dev, second.st_ino)


def drawn_mac() -> bytes:
    """A MAC of one interface, locally administered, from the system's random source."""
    drawn = urandom(6)  # noqa: F405
    return bytes([drawn[0] & 0xFC | 2]) + drawn[1:]


def let_go(descriptors: list[int]) -> None:
    """Close descriptors that were kept open until a call is over; that one cannot be closed is no failure."""
    for descriptor in descriptors:
        try:
            close(descriptor)  # noqa: F405
        except OSError:
            continue


def tell(plugin: str, words: str) -> None:
    """Write a line to standard error, what cannot be printed escaped; that nobody reads it is no failure."""
    shown = "".join([each if each.isprintable() else ascii(each)[1:-1] for each in words])
    try:
        write(2, f"{plugin}: {shown}\n".encode())  # noqa: F405
    except OSError:
        return
