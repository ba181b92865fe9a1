"""Reservations whose files somebody has edited in place, which the index does not know of.

Editing a file in place leaves its directory unchanged, so the index counts as in step with it.
"""

from __future__ import annotations

from core import system
from ipam.host_local import reservation
from ipam.host_local.store import Store, View

TYPE_CHECKING = False
if TYPE_CHECKING:
    from core.attachment import Attachment


def release(path: str, attachment: Attachment) -> list[OSError]:
    """Free what the attachment has, though the index says that it has nothing; the failures. Raises OSError.

    They are looked for without the lock, as nearly always there is nothing, and only in files that may have
    been written after they got their names.
    """
    contents = reservation.contents(attachment.container_id, attachment.ifname)
    with View(path) as view:
        directory = view.directory
        if not any([directory.try_read(name)[0] in contents for name in _written(directory.descriptor)]):
            return []
    with Store(path) as store:
        store.refresh()
        content, found = store.owned(attachment)
        return store.release([(packed, content) for packed in found]) + store.unreadable[:1]


def _written(directory: int) -> list[str]:
    """The addresses whose files were last changed by writing.

    Our own files get their names after they are written, which changes the file again, mostly at a later tick
    of the clock; so most of them are left out.
    """
    found = []
    with system.scandir(directory) as entries:
        for entry in entries:
            try:
                status = entry.stat(follow_symlinks=False)
            except FileNotFoundError:
                continue
            if status.st_mtime_ns == status.st_ctime_ns and reservation.packed(entry.name) is not None:
                found.append(entry.name)
    return found
