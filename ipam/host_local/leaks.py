"""host-local's GC: reservations that belong to no valid attachment. Spec: section 2 "GC"."""

from __future__ import annotations

from errno import ENAMETOOLONG

from core import errors
from core.cni.config import valid_attachments
from core.errors import CNIError
from ipam.host_local import reservation, settings
from ipam.host_local.files import failure
from ipam.host_local.store import Store

TYPE_CHECKING = False
if TYPE_CHECKING:
    from core.cni.protocol import Request


def free(request: Request) -> None:
    """Free what belongs to no valid attachment, and what names no owner because it is torn.

    A file whose content is neither an owner nor torn was put there by somebody on purpose, and stays.
    """
    valid = valid_attachments(request.config)
    if valid is None:
        return
    kept = {content for attachment in valid for content in reservation.contents(*attachment)}
    path = settings.directory(request)
    try:
        with Store(path) as store:
            failures = store.release(entry for entry in store.everybody() if _is_leaked(entry[1], kept))
            failures += store.unreadable[:1]
    except (FileNotFoundError, NotADirectoryError):
        return
    except OSError as error:
        if error.errno == ENAMETOOLONG:  # so ADD never made it
            return
        raise failure(path, error) from None
    if failures:
        raise CNIError(errors.STORE_FAILED, "; ".join([failure(path, error).msg for error in failures]))


def _is_leaked(content: bytes, kept: set[bytes]) -> bool:
    return content not in kept and (reservation.is_torn(content) or reservation.owner(content) is not None)
