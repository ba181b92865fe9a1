"""host-local's CHECK: the addresses of prevResult, and who has them reserved. Spec: section 2 "CHECK"."""

from __future__ import annotations

from core import address
from ipam.host_local import ranges, reservation
from ipam.host_local.store import View

TYPE_CHECKING = False
if TYPE_CHECKING:
    from core.attachment import Attachment
    from ipam.host_local.settings import Settings


def differences(want: Settings, attachment: Attachment, listed: list[bytes]) -> list[str]:
    """What differs from what has to be. Raises OSError.

    Of the *listed* addresses of a range set one has to be reserved for the attachment, and none for anybody
    else. Further ones that nobody has reserved were added by a later plugin of the chain.
    If no address is listed, the attachment has to have some reservation.
    """
    sets = [[packed for packed in listed if ranges.find(one, packed)] for one in want.sets]
    contents = reservation.contents(attachment.container_id, attachment.ifname)
    found: dict[bytes, bytes | None] = {}
    owned = any(sets)
    try:
        with View(want.directory) as view:
            found = {packed: view.entry(packed) for one in sets for packed in one}
            owned = owned or bool(view.owned(attachment)[1])
    except (FileNotFoundError, NotADirectoryError):  # nothing was ever reserved there
        pass
    wanted = f"want a reservation of {contents[0].decode('utf-8', 'replace')!r} in {want.directory}, found"
    told = [] if owned else [f"no address is reserved for the container: {wanted} none"]
    for one in sets:
        missing = [packed for packed in one if found.get(packed) not in contents]
        if len(missing) < len(one):
            missing = [packed for packed in missing if found.get(packed) is not None]
        for packed in missing:
            content = found.get(packed)
            told.append(f"{address.text(packed)} {_plain(content)}: {wanted} {_text(content)}")
    return told


def _plain(content: bytes | None) -> str:
    return "is not reserved any more" if content is None else "is reserved for somebody else"


def _text(content: bytes | None) -> str:
    return "none" if content is None else repr(content.decode("utf-8", "replace"))
