"""The reservations of one network: who has which address, and which is free.

Laws: The files are the truth and the index is a hint: what it says is checked against the file before
anything is done because of it. A View leaves no trace; a Store holds the lock.
"""

from __future__ import annotations

from core import address, system
from ipam.host_local import boot, index, lock, ranges, reservation
from ipam.host_local.files import NEW, Directory, anchor
from ipam.host_local.hash_table import MemoryCells

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import Self

    from core.attachment import Attachment
    from ipam.host_local.index import Index
    from ipam.host_local.ranges import RangeSet


NO_FILE = b"(not a regular file)"  # names no owner, and is not torn either


class View:
    """A network's reservations at this moment, without the lock. A context manager.

    unreadable: why files that were looked at could not be read.
    """

    def __init__(self, path: str) -> None:
        """Raises FileNotFoundError or NotADirectoryError when there is no directory, OSError."""
        self.boot = boot.boot_id()
        self.unreadable: list[OSError] = []
        self.directory = Directory(path)
        self._index: Index | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Close everything; that a descriptor cannot be closed is no failure, as all work is done."""
        for each in (self._index, self.directory):
            try:
                if each:
                    each.close()
            except OSError:
                continue

    @property
    def index(self) -> Index:
        """The index, once it is asked for. Raises OSError."""
        if not self._index:
            self._index = index.load(self.directory, self.boot) or self._look()
        return self._index

    def refresh(self) -> None:
        """Look at every file and begin a new index. Raises OSError."""
        if self._index:
            self._index.close()
            self._index = None
        self._index = self._look()

    def _look(self) -> Index:
        """An index in memory, without the owners."""
        from ipam.host_local.indexing import build  # late: only without an index that can be trusted

        self.unreadable.clear()
        return build(self.directory.scan(self.unreadable), 0, MemoryCells())

    def everybody(self) -> Iterator[tuple[bytes, bytes]]:
        """(address, content) of every file that can be read; all of them are looked at. Raises OSError."""
        self.unreadable.clear()
        for packed, content in self.directory.scan(self.unreadable):
            if content is not None:
                yield packed, content

    def entry(self, packed: bytes) -> bytes | None:
        """The content of an address's file; NO_FILE where it is no regular one, None where there is none."""
        name = address.text(packed)
        content = self.directory.read(name)
        return NO_FILE if content is None and self.directory.exists(name) else content

    def owned(self, attachment: Attachment) -> tuple[bytes, list[bytes]]:
        """(content, addresses) reserved for an attachment.

        Where it has none of its own, these are the legacy ones, which name its container only.
        Raises OSError when a file that matters cannot be read.
        """
        for content in reservation.contents(attachment.container_id, attachment.ifname):
            found = self._holding(content)
            if found:
                return content, found
        return b"", []

    def _holding(self, content: bytes) -> list[bytes]:
        """The addresses whose file has *content*."""
        candidates = self.index.candidates(content)
        if candidates is not None:
            if all([self.directory.read(address.text(packed)) == content for packed in candidates]):
                return candidates
            self.refresh()
        return [packed for packed, other in self.everybody() if other == content]

    def first_free(self, one: RangeSet, number: int) -> tuple[bytes, ranges.Range] | None:
        """The address that range set *number* gives away next, with its range; None when all are taken."""
        for member, low, high in ranges.spans(one, self.last_reserved(number)):
            packed = self.index.first_free(low, high, len(member.start))
            if packed is not None:
                return packed, member
        return None

    def last_reserved(self, number: int) -> bytes | None:
        """The address that range set *number* gave away last, None when that is not known."""
        try:
            return address.parse((self.directory.read(f"{reservation.LAST}{number}") or b"").decode())
        except (OSError, ValueError):
            return None

    def is_dead(self, packed: bytes, content: bytes, heir: str = "") -> bool:
        """Whether the holder of an address cannot be alive; *heir* as for boot.is_dead.

        A torn file has no holder: while we have the lock, nobody is writing it.
        """
        name = address.text(packed)
        return reservation.is_torn(content) or self.directory.tells(
            name, lambda file: boot.is_dead(file, self.boot, heir)
        )

    def is_abandoned(self, packed: bytes) -> bool:
        """Whether the ADD that reserved an address was one of ours in process, and is over."""
        return self.directory.tells(address.text(packed), boot.is_abandoned)


class Store(View):
    """The same with the lock, until the end of the `with` block, and with what changes it."""

    def __init__(self, path: str) -> None:
        """As View; also Expired when the lock is not to be had in time."""
        self._lock = lock.acquire(path)
        try:
            super().__init__(path)
        except BaseException:
            system.close(self._lock)
            raise

    def __exit__(self, *_: object) -> None:
        super().__exit__()
        try:
            system.close(self._lock)
        except OSError:
            pass  # as in View

    def _look(self) -> Index:
        """As View's, but on file, and with the owners. What a killed run has left is cleared away.

        Without a boot ID there is no index on file, as nobody could tell that it was written before a reboot.
        """
        self.directory.try_unlink(NEW)
        if self.boot:
            try:
                return self._write_index()
            except (OSError, OverflowError):  # the disk is full, or the file is not ours: it only costs time
                self.directory.try_unlink(index.FILE)
        return super()._look()

    def _write_index(self) -> Index:
        """A new index on file. Raises OSError, also when a reservation cannot be read: it is tried again."""
        from ipam.host_local.indexing import create  # late: only without an index that can be trusted

        if not self.directory.exists(index.FILE):
            anchor(self.directory.path)  # an index exists only in a directory that is on disk itself
        self.unreadable.clear()
        entries = self.directory.scan(self.unreadable)
        made = create(entries, self.directory.count(), self.directory, self.boot)
        try:
            if self.unreadable:
                raise self.unreadable[0]
            index.stamp(made, self.directory)
        except BaseException:
            made.close()
            raise
        return made

    def reserve(
        self, attachment: Attachment, wanted: dict[int, bytes], held: list[int] | None = None
    ) -> None:
        """Reserve addresses, by the numbers of their range sets: all of them, on disk, or none.

        held: as for Directory.publish. Raises FileExistsError when an address is taken after all, OSError.
        """
        content, _ = reservation.contents(attachment.container_id, attachment.ifname)
        names = [address.text(packed) for packed in wanted.values()]
        self.directory.publish(names, content, self.boot, attachment.netns, held)
        for number, name in zip(wanted, names):
            try:
                self.directory.write(f"{reservation.LAST}{number}", name.encode())
            except OSError:
                pass  # the next ADD begins elsewhere
        if all([self._changed(self.index.add, packed, content) for packed in wanted.values()]):
            self.declare_in_step()

    def release(self, holders: Iterable[tuple[bytes, bytes]]) -> list[OSError]:
        """Free addresses, each with the content that its file has; the failures. Goes on after a failure.

        *holders* may come from everybody().
        """
        known = self.index  # opened now, since after the first removal no index on file is in step
        freed, in_step = False, True
        failures = []
        for packed, content in holders:
            error = self.directory.try_unlink(address.text(packed))
            if error:
                failures.append(error)
            else:
                freed, in_step = True, in_step and self._changed(known.remove, packed, content)
        if freed and in_step:
            self.declare_in_step()
        return failures

    def _changed(self, change: Callable[[bytes, bytes], None], packed: bytes, content: bytes) -> bool:
        """Change the index as the directory was changed; whether that was possible.

        If it was not, the index stays out of step, and the next run builds another.
        """
        try:
            change(packed, content)
        except (OSError, OverflowError):  # full: IPv6 addresses move on to a new block after 4096 of them
            return False
        return True

    def declare_in_step(self) -> None:
        """Declare the index on file to be in step with the directory, unless it has become too small.

        Where it is not declared so, or that fails, the next run builds another.
        """
        try:
            if not self.index.crowded:
                index.stamp(self.index, self.directory)
        except OSError:
            pass
