"""The reservations of one network: a locked directory with a file for each address, as the Go plugin reads and writes it.

Laws: a reservation file is complete or absent, whatever happens; the file alone is the truth, everything else is a hint;
only what this run created is undone.
"""

from __future__ import annotations

import os

from core import address
from core.errors import STORE_FAILED, CNIError
from ipam import lock, reservation

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from core.attachment import Attachment

NEW = ".new"  # a reservation before it has its name
DIRECTORY_MODE, FILE_MODE = 0o755, 0o600


class Store:
    """The directory of a network, locked from opening to close(). A context manager."""

    def __init__(self, data_dir: str, network: str, timeout_s: float, create: bool = False) -> None:
        """Open and lock; create: make the directory when it is not there.

        Raises FileNotFoundError or NotADirectoryError when it is absent, OSError, CNIError(TRY_AGAIN_LATER) for the lock.
        """
        self.path = os.path.join(data_dir, network)
        if create:
            os.makedirs(self.path, DIRECTORY_MODE, exist_ok=True)
        self._lock = lock.acquire(self.path, timeout_s)
        self._directory = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._directory)
        os.close(self._lock)

    def file(self, packed: bytes) -> str:
        """The path of an address's file."""
        return os.path.join(self.path, address.text(packed))

    def read(self, packed: bytes) -> bytes | None:
        """The content of an address's file, None when there is none (or something else than a file)."""
        return read(self.file(packed))

    def addresses(self) -> Iterator[bytes]:
        """Every address that has a file."""
        for name in os.listdir(self.path):
            packed = reservation.packed(name)
            if packed is not None:
                yield packed

    def owned(self, attachment: Attachment) -> list[bytes]:
        """The addresses reserved for an attachment: by its full owner, and by the container ID alone only where there are none."""
        full = reservation.content(attachment.container_id, attachment.ifname)
        legacy = reservation.legacy_content(attachment.container_id)
        found: dict[bytes, list[bytes]] = {full: [], legacy: []}
        for packed in self.addresses():
            data = (self.read(packed) or b"").strip()
            if data in found:
                found[data].append(packed)
        return found[full] or found[legacy]

    def first_free(self, low: int, high: int, width: int) -> bytes | None:
        """The first address from *low* to *high* (of *width* bytes) without a file."""
        for number in range(low, high + 1):
            packed = number.to_bytes(width, "big")
            if not os.path.lexists(self.file(packed)):
                return packed
        return None

    def last_reserved(self, index: int) -> bytes | None:
        """The address that range set *index* gave away last; None when it is not known, or rubbish."""
        data = read(os.path.join(self.path, f"{reservation.LAST}{index}"))
        try:
            return address.parse((data or b"").decode())
        except ValueError:
            return None

    def reserve(self, attachment: Attachment, wanted: list[bytes]) -> None:
        """Reserve one address for each range set, in their order: all of them, or none.

        Raises FileExistsError when one is taken, OSError.
        """
        new = os.path.join(self.path, NEW)
        _unlink(new)
        made: list[str] = []
        try:
            _write(new, reservation.content(attachment.container_id, attachment.ifname))
            for packed in wanted:
                os.link(new, self.file(packed))
                made.append(self.file(packed))
            os.unlink(new)
            os.fsync(self._directory)
        except BaseException:
            for path in (*made, new):
                _unlink(path)
            raise
        for index, packed in enumerate(wanted):
            self._note_last(index, packed)

    def _note_last(self, index: int, packed: bytes) -> None:
        """Only a hint for the next ADD, so a failure is none of ours."""
        try:
            descriptor = os.open(os.path.join(self.path, f"{reservation.LAST}{index}"), os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, FILE_MODE)
            try:
                os.ftruncate(descriptor, os.pwrite(descriptor, address.text(packed).encode(), 0))
            finally:
                os.close(descriptor)
        except OSError:
            pass

    def release(self, attachment: Attachment) -> list[bytes]:
        """Free what an attachment has reserved; the addresses. Raises OSError."""
        found = self.owned(attachment)
        for packed in found:
            _unlink(self.file(packed))
        return found


def read(path: str) -> bytes | None:
    """The content of a regular file; None when there is none. Raises OSError."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOFOLLOW)
    except FileNotFoundError:
        return None
    try:
        return os.read(descriptor, 4096)
    except IsADirectoryError:
        return None
    finally:
        os.close(descriptor)


def _write(path: str, data: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, FILE_MODE)
    try:
        os.write(descriptor, data)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _unlink(path: str) -> None:
    try:
        os.unlink(path)
    except FileNotFoundError:
        pass


def failure(path: str, error: OSError) -> CNIError:
    """The error for a directory that cannot be worked in."""
    return CNIError(STORE_FAILED, f"ipam.dataDir: cannot use {error.filename or path}: {error.strerror}")
