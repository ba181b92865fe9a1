"""host-local's STATUS: whether ADD could be served. Spec: section 2 "STATUS"."""

from __future__ import annotations

from errno import EACCES

from core import errors, system
from core.errors import CNIError
from ipam.host_local import ranges
from ipam.host_local.files import failure
from ipam.host_local.store import View

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ipam.host_local.ranges import RangeSet
    from ipam.host_local.settings import Settings


def examine(want: Settings) -> None:
    """Raises CNIError(NOT_AVAILABLE) when a range set is full, or the directory cannot be used."""
    try:
        with View(want.directory) as view:
            full = [error for number, one in enumerate(want.sets) for error in _fullness(view, one, number)]
    except (FileNotFoundError, NotADirectoryError):
        _check_creatable(want.directory)
        return
    except OSError as error:
        raise failure(want.directory, error, errors.NOT_AVAILABLE) from None
    if not system.access(want.directory, system.W_OK | system.X_OK):
        raise failure(want.directory, PermissionError(EACCES, "not writable"), errors.NOT_AVAILABLE)
    if full:
        msg, details = "; ".join([error.msg for error in full]), "; ".join([error.details for error in full])
        raise CNIError(errors.NOT_AVAILABLE, msg, details)


def _fullness(view: View, one: RangeSet, number: int) -> list[CNIError]:
    """The error that ADD would end with, where a range set is full, with the counts in the message."""
    if view.first_free(one, number):
        return []
    from ipam.host_local.exhaustion import counts, dead, exhausted  # late: rare

    if not view.index.searched(ranges.text(one)):
        view.refresh()
        if view.first_free(one, number) or dead(view, one):
            return []
    error = exhausted(view, one, number)
    return [CNIError(error.code, f"{error.msg}: {counts(view, one)} are reserved", error.details)]


def _check_creatable(path: str) -> None:
    """Raises CNIError where the first parent that exists would not let us make the directory."""
    parent = system.parent(path)
    while parent not in ("", "/") and not system.there(parent):
        parent = system.parent(parent)
    is_directory = system.kind(parent or ".") == system.S_IFDIR
    if not is_directory or not system.access(parent or ".", system.W_OK | system.X_OK):
        other = system.there(parent) and system.kind(parent) != system.S_IFDIR
        reason = "not a directory" if other else "not writable"
        raise failure(parent, OSError(0, reason), errors.NOT_AVAILABLE)
