"""The directory of one network: its files are created whole and removed whole, and both reach the disk."""

from __future__ import annotations

from errno import EBADMSG, EIO, ELOOP, ENOTDIR, EUCLEAN
from fcntl import LOCK_EX, LOCK_NB, flock

from core import system
from core.errors import STORE_FAILED, CNIError
from ipam.host_local import boot, reservation
from ipam.host_local.reservation import CONTENT_LIMIT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

NEW = ".new"  # a reservation before it has its name
DIRECTORY_MODE, FILE_MODE = 0o755, 0o600
REWRITE = system.O_WRONLY | system.O_CREAT | system.O_CLOEXEC | system.O_NOFOLLOW
CREATE = system.O_WRONLY | system.O_CREAT | system.O_EXCL | system.O_CLOEXEC
READ = system.O_RDONLY | system.O_CLOEXEC | system.O_NONBLOCK | system.O_NOFOLLOW


class Directory:
    """An open directory; every path is relative to it. All methods raise OSError."""

    __slots__ = ("descriptor", "path")

    def __init__(self, path: str) -> None:
        self.path = path
        self.descriptor = system.open(path, system.O_RDONLY | system.O_DIRECTORY | system.O_CLOEXEC)

    def close(self) -> None:
        system.close(self.descriptor)

    def read(self, name: str) -> bytes | None:
        """The trimmed content of a file; None when there is none, or no regular one."""
        try:
            descriptor = system.open(name, READ, dir_fd=self.descriptor)
        except FileNotFoundError:
            return None
        try:
            content = system.read(descriptor, CONTENT_LIMIT).strip()
            return content if content or _is_file(descriptor) else None
        except IsADirectoryError:
            return None
        finally:
            system.close(descriptor)

    def exists(self, name: str) -> bool:
        """Whether there is anything of that name."""
        try:
            system.stat(name, dir_fd=self.descriptor, follow_symlinks=False)
        except FileNotFoundError:
            return False
        return True

    def mtime(self, name: str) -> int:
        """When a file was written, in seconds since the epoch; 0 when it is not there."""
        try:
            return int(system.stat(name, dir_fd=self.descriptor, follow_symlinks=False).st_mtime)
        except FileNotFoundError:
            return 0

    def write(self, name: str, content: bytes) -> None:
        """Replace a file's content in place: for hints, which may get lost."""
        descriptor = system.open(name, REWRITE, FILE_MODE, dir_fd=self.descriptor)
        try:
            system.ftruncate(descriptor, system.pwrite(descriptor, content, 0))
        finally:
            system.close(descriptor)

    def publish(
        self, names: list[str], content: bytes, boot_id: bytes, netns: str, held: list[int] | None = None
    ) -> None:
        """Make one file of several *names*: complete and on disk, or not at all.

        It is written under a name of our own, synced, then linked: link(2) never replaces what is there.
        held: gets the descriptor of the file, locked; None if the file is to be closed at once.
        Raises FileExistsError when a name is taken.
        """
        made = [NEW]
        self.unlink(NEW)
        try:
            self._write_new(content, boot_id, netns, held)
            for name in names:
                system.link(NEW, name, src_dir_fd=self.descriptor, dst_dir_fd=self.descriptor)
                made.append(name)
            self.unlink(NEW)
            system.fsync(self.descriptor)
        except BaseException:
            for name in made:
                self.try_unlink(name)
            raise

    def _write_new(self, content: bytes, boot_id: bytes, netns: str, held: list[int] | None) -> None:
        descriptor = system.open(NEW, CREATE, FILE_MODE, dir_fd=self.descriptor)
        try:
            while content:
                content = content[system.write(descriptor, content) :]
            if held is not None:
                flock(descriptor, LOCK_EX | LOCK_NB)
            boot.attach(descriptor, boot_id, netns, boot.FORM if held is None else boot.HELD)
            system.fsync(descriptor)
        except BaseException:
            system.close(descriptor)
            raise
        if held is None:
            system.close(descriptor)
        else:
            held.append(descriptor)

    def unlink(self, name: str) -> None:
        """Remove a file; that there is none is success."""
        try:
            system.unlink(name, dir_fd=self.descriptor)
        except FileNotFoundError:
            pass

    def try_unlink(self, name: str) -> OSError | None:
        """As unlink, but the error is returned."""
        try:
            self.unlink(name)
        except OSError as error:
            return error
        return None

    def tells(self, name: str, what: Callable[[int], bool]) -> bool:
        """What the function *what* says of a file's descriptor; False where the file cannot be opened."""
        try:
            descriptor = system.open(name, READ, dir_fd=self.descriptor)
        except OSError:
            return False
        try:
            return what(descriptor)
        finally:
            system.close(descriptor)

    def scan(self, unreadable: list[OSError]) -> Iterator[tuple[bytes, bytes | None]]:
        """(address, trimmed content) of every file, one after the other, as there may be very many.

        The content is None for what is no regular file or cannot be read. Where another try might help,
        the error is added to *unreadable*.
        """
        with system.scandir(self.descriptor) as entries:
            for entry in entries:
                packed = reservation.packed(entry.name)
                if packed is None:
                    continue
                content, error = self.try_read(entry.name)
                if error:
                    unreadable.append(error)
                yield packed, content

    def count(self) -> int:
        """How many files there are, of any name."""
        with system.scandir(self.descriptor) as entries:
            return sum(1 for _ in entries)

    def try_read(self, name: str) -> tuple[bytes | None, OSError | None]:
        """(trimmed content, why it cannot be read and another try might help).

        For a symbolic link, and for content that the disk has lost, another try cannot help:
        then both are None, so that a runtime is not kept from going on.
        """
        failed = None
        for _ in range(2):
            try:
                return self.read(name), None
            except OSError as error:
                is_lost = error.errno in (ELOOP, EIO, EUCLEAN, EBADMSG)
                failed = None if is_lost else OSError(error.errno, error.strerror, name)
        return None, failed


def _is_file(descriptor: int) -> bool:
    return system.fstat(descriptor).st_mode & system.S_IFMT == system.S_IFREG


def make(path: str) -> None:
    """Make a directory and its parents, and bring them to disk. Raises OSError."""
    if system.kind(path) == system.S_IFDIR:
        return
    parent = system.parent(path.rstrip("/")) or "."
    make(parent)
    try:
        system.mkdir(path, DIRECTORY_MODE)
    except FileExistsError:
        if system.kind(path) != system.S_IFDIR:
            raise NotADirectoryError(ENOTDIR, system.strerror(ENOTDIR), path) from None
        return
    _sync(parent)


def anchor(path: str) -> None:
    """Bring a directory and all its parents to disk. Raises OSError.

    Whoever made them may have been killed before they were on disk.
    """
    while path not in ("/", "."):
        path = system.parent(path.rstrip("/")) or "."
        _sync(path)


def _sync(path: str) -> None:
    descriptor = system.open(path, system.O_RDONLY | system.O_CLOEXEC)
    try:
        system.fsync(descriptor)
    finally:
        system.close(descriptor)


def failure(path: str, error: OSError, code: int = STORE_FAILED) -> CNIError:
    """The error for a directory that cannot be worked in."""
    name = error.filename
    where = system.join(path, system.decoded(name)) if isinstance(name, (str, bytes)) else path
    return CNIError(code, f"ipam.dataDir: cannot use {where}: {error.strerror}")
