"""The reservations of one network: who has which address, and which is free.

Laws: the files are the truth, the index a hint; whatever the index says is checked against the file before anything is done
because of it. A View leaves no trace; a Store holds the lock.
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
        """What was done stands: that a descriptor cannot be closed properly is no failure any more."""
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
        self.unreadable.clear()
        return index.build(self.directory.scan(self.unreadable), 0, MemoryCells())

    def everybody(self) -> Iterator[tuple[bytes, bytes]]:
        """(address, content) of every file that can be read; all of them are looked at. Raises OSError."""
        self.unreadable.clear()
        for packed, content in self.directory.scan(self.unreadable):
            if content is not None:
                yield packed, content

    def entry(self, packed: bytes) -> bytes | None:
        """The content of an address's file, NO_FILE where something else has its name; None when there is nothing."""
        name = address.text(packed)
        content = self.directory.read(name)
        return NO_FILE if content is None and self.directory.exists(name) else content

    def owned(self, attachment: Attachment) -> tuple[bytes, list[bytes]]:
        """(content, addresses) reserved for an attachment: its own, and only where there is none its container's legacy ones.

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

    def holding(self, attachment: Attachment, asked: Iterable[bytes]) -> list[tuple[bytes, bytes]]:
        """(address, content) of those *asked* for whose file names the attachment: edited in place, it is unseen by the index."""
        contents = reservation.contents(attachment.container_id, attachment.ifname)
        found = [
            (packed, self.directory.try_read(address.text(packed))[0]) for packed in dict.fromkeys(asked)
        ]
        return [(packed, content) for packed, content in found if content in contents]

    def first_free(self, one: RangeSet, number: int) -> tuple[bytes, ranges.Range] | None:
        """The address that range set *number* gives away next, with its range; None when all are taken."""
        for member, low, high in ranges.spans(one, self._last_reserved(number)):
            packed = self.index.first_free(low, high, len(member.start))
            if packed is not None:
                return packed, member
        return None

    def next_in_turn(self, one: RangeSet, number: int, count: int) -> list[bytes]:
        """The first *count* addresses in the order in which range set *number* gives them away, be they taken or not."""
        found: list[bytes] = []
        for member, low, high in ranges.spans(one, self._last_reserved(number)):
            found += [
                each.to_bytes(len(member.start), "big")
                for each in range(low, min(high + 1, low + count - len(found)))
            ]
        return found

    def _last_reserved(self, number: int) -> bytes | None:
        try:
            return address.parse((self.directory.read(f"{reservation.LAST}{number}") or b"").decode())
        except (OSError, ValueError):
            return None

    def taken(self, one: RangeSet) -> int:
        """How many addresses of a range set are taken."""
        return sum(
            [self.index.count(low, high, len(member.start)) for member, low, high in ranges.spans(one, None)]
        )

    def is_dead(self, packed: bytes, content: bytes, heir: str = "") -> bool:
        """Whether the holder of an address cannot be alive: as boot.is_dead tells, or torn (under the lock nobody is about to complete it)."""
        return reservation.is_torn(content) or self.directory.tells(
            address.text(packed), lambda file: boot.is_dead(file, self.boot, heir)
        )

    def is_abandoned(self, packed: bytes) -> bool:
        """Whether the ADD that reserved an address was one of ours in process, and is over."""
        return self.directory.tells(address.text(packed), boot.is_abandoned)

    def dead(self, one: RangeSet) -> list[tuple[bytes, bytes]]:
        """(address, content) of the dead holders in a range set."""
        return [
            (packed, content)
            for packed, content in self.everybody()
            if ranges.find(one, packed) and self.is_dead(packed, content)
        ]


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
        """As View's, but on file, and with the owners; what a killed run left is cleared away, or done in its place.

        There is no index in a directory that may not be on disk itself.
        """
        self.directory.try_unlink(NEW)
        if self.boot:
            try:
                return self._write_index()
            except (OSError, OverflowError):  # disk full, or not ours: it costs time, nothing else
                self.directory.try_unlink(index.FILE)
        return super()._look()

    def _write_index(self) -> Index:
        """Raises OSError, also when a file cannot be read: who comes next shall look again."""
        if not self.directory.exists(index.FILE):
            anchor(self.directory.path)
        self.unreadable.clear()
        made = index.create(
            self.directory.scan(self.unreadable), self.directory.count(), self.directory, self.boot
        )
        try:
            if self.unreadable:
                raise self.unreadable[0]
            index.stamp(made, self.directory)
        except BaseException:
            made.close()
            raise
        return made

    def note_searched(self, one: RangeSet) -> None:
        """All files were looked at, and no dead holder is left in a range set: the next one that finds it full need not look again."""
        try:
            if not self.unreadable:
                self.index.note_searched(ranges.text(one))
                self._declare_in_step()
        except OSError:
            pass  # the next one looks again

    def reserve(
        self, attachment: Attachment, wanted: dict[int, bytes], held: list[int] | None = None
    ) -> None:
        """Reserve an address for each range set (by its number): all of them, on disk, or none. held: as Directory.publish's.

        Raises FileExistsError when an address is taken after all, OSError.
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
            self._declare_in_step()

    def release(self, holders: Iterable[tuple[bytes, bytes]]) -> list[OSError]:
        """Free addresses, each with the content that its file has; the failures. Goes on after a failure. *holders* may come from everybody()."""
        known = self.index  # as it was before: from the first removal on no index on file is in step
        freed, in_step = False, True
        failures = []
        for packed, content in holders:
            error = self.directory.try_unlink(address.text(packed))
            if error:
                failures.append(error)
            else:
                freed, in_step = True, in_step and self._changed(known.remove, packed, content)
        if freed and in_step:
            self._declare_in_step()
        return failures

    def _changed(self, change: Callable[[bytes, bytes], None], packed: bytes, content: bytes) -> bool:
        """Change the index after the directory. Where that fails, it stays out of step, and the next run builds another."""
        try:
            change(packed, content)
        except (OSError, OverflowError):  # full: IPv6 addresses move on to a new block after 4096 of them
            return False
        return True

    def _declare_in_step(self) -> None:
        """Unless the index became too small, or the declaration fails: then, too, the next run builds another."""
        try:
            if not self.index.crowded:
                index.stamp(self.index, self.directory)
        except OSError:
            pass
