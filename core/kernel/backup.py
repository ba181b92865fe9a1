"""What the settings of a link were before they were changed, in a file: DEL writes them back.

The one place where the kernel is not the database. Path and format are those of the reference's tuning
plugin: FOLDER/<containerID>_<ifname>.json, mode 0600, an object with those of mac, promisc, mtu, allmulti and
txQLen that are to be changed.

Law: the file is complete before anything is changed, and goes when all of it is written back. What a killed
ADD has left there is older than what a second one finds, so it stays.
"""

from __future__ import annotations

from core import system
from core.address import mac_parse, mac_text
from core.attachment import Attachment
from core.cni import json
from core.errors import INVALID_CONFIG, CNIError
from core.plan.changed import LinkSettings

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

FOLDER = "/run/cni/tuning"
LARGEST = 1 << 16  # bytes of a file
UNFINISHED = ".new"  # behind the name of a file that is being written


def _is_switch(value: object) -> bool:
    return isinstance(value, bool)


def _is_number(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1 << 32


KEYS: dict[
    str, tuple[str, Callable[[object], bool]]
] = {  # in the file; field of LinkSettings; what it has to be
    "mac": ("mac", lambda value: isinstance(value, str)),
    "promisc": ("promiscuous", _is_switch),
    "mtu": ("mtu", _is_number),
    "allmulti": ("all_multicast", _is_switch),
    "txQLen": ("tx_queue_len", _is_number),
}


def path(folder: str, attachment: Attachment) -> str:
    """The file of an attachment."""
    return system.join(folder, f"{attachment.container_id}_{attachment.ifname}.json")


def save(folder: str, attachment: Attachment, found: LinkSettings) -> None:
    """Write what was found, but for what an earlier ADD has found already. Raises OSError, CNIError."""
    earlier = load(folder, attachment, found)
    told = {**_told(found), **(_told(earlier) if earlier else {})}
    _make_folder(folder)
    target = path(folder, attachment)
    fresh = f"{target}{UNFINISHED}"
    descriptor = system.open(
        fresh, system.O_WRONLY | system.O_CREAT | system.O_TRUNC | system.O_CLOEXEC, 0o600
    )
    try:
        system.write(descriptor, json.render(told).encode())
    finally:
        system.close(descriptor)
    system.rename(fresh, target)


def _told(link: LinkSettings) -> dict[str, Any]:
    """What the file says of a link."""
    values = {key: getattr(link, field) for key, (field, _) in KEYS.items()}
    values |= {"mac": mac_text(link.mac) or None, "mtu": link.mtu or None}
    return {key: value for key, value in values.items() if value is not None}


def _make_folder(path: str) -> None:
    if path and system.kind(path) != system.S_IFDIR:
        _make_folder(system.parent(path) if path != "/" else "")
        try:
            system.mkdir(path, 0o700)
        except FileExistsError:
            return


def load(folder: str, attachment: Attachment, link: LinkSettings) -> LinkSettings | None:
    """What the file of an attachment says of *link*; None without a file. Raises OSError, CNIError."""
    name = path(folder, attachment)
    try:
        descriptor = system.open(name, system.O_RDONLY | system.O_NONBLOCK | system.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        data = system.read(descriptor, LARGEST)
    finally:
        system.close(descriptor)
    told = json.parse_object(data, name)
    fields: dict[str, Any] = {}
    for key, (field, is_right) in KEYS.items():
        if told.get(key) is None:
            continue
        if not is_right(told[key]):
            raise CNIError(
                INVALID_CONFIG, f"{name}: {key}: found {told[key]!r}", "remove the file; nothing is restored"
            )
        fields[field] = _packed(name, told[key]) if key == "mac" else told[key]
    return LinkSettings(link.place, link.link, **fields)


def _packed(name: str, mac: str) -> bytes:
    try:
        return mac_parse(mac)
    except ValueError as error:
        raise CNIError(
            INVALID_CONFIG, f"{name}: mac: {error}", "remove the file; nothing is restored"
        ) from None


def restore(kernel: Any, folder: str, attachment: Attachment, link: LinkSettings) -> None:
    """Write back what the file of an attachment says, and remove it; no file is success, and so is no link.

    Raises OSError, CNIError; the file then stays for another try.
    """
    before = load(folder, attachment, link)
    if before is None:
        return
    found = kernel.find(before)
    if found not in (None, before):
        kernel.create(before)
    remove(folder, attachment)


def remove(folder: str, attachment: Attachment) -> None:
    """Remove an attachment's file, finished or not; absent is success. Raises OSError."""
    for name in (path(folder, attachment), path(folder, attachment) + UNFINISHED):
        try:
            system.unlink(name)
        except FileNotFoundError:
            continue
