"""A reservation whose file somebody has edited in place: nothing in the directory has changed by that, so the index does not know of it."""

from __future__ import annotations

from core import system
from ipam.host_local import reservation
from ipam.host_local.store import Store, View

TYPE_CHECKING = False
if TYPE_CHECKING:
    from core.attachment import Attachment


def release(path: str, attachment: Attachment) -> list[OSError]:
    """Free what the attachment has, though the index says that it has nothing; the failures. Raises OSError.

    Looked for without the lock, as nearly always there is nothing, and only in files that may have been written since they got their names.
    """
    contents = reservation.contents(attachment.container_id, attachment.ifname)
    with View(path) as view:
        if not any(
            [view.directory.try_read(name)[0] in contents for name in _written(view.directory.descriptor)]
        ):
            return []
    with Store(path) as store:
        store.refresh()
        content, found = store.owned(attachment)
        return store.release([(packed, content) for packed in found]) + store.unreadable[:1]


def _written(directory: int) -> list[str]:
    """The addresses whose files were last changed by writing. Ours got their names after that, mostly at another tick of the clock."""
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
