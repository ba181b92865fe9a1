"""What the host holds for a network's attachments: interfaces, nft elements, reservations, by owner.

No cache is asked: all is read from the kernel and from host-local's files, whichever runtime wrote them.
"""

import contextlib
import ipaddress
import os
import stat
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from core.attachment import network_prefix, owner_text
from core.nft.names import TABLE
from ipam.host_local import reservation
from launcher import packet_filter
from launcher.conflist import Network
from launcher.interfaces import interfaces


@dataclass(frozen=True)
class Link:
    """An interface of the host. apart: its other end is in another namespace."""

    name: str
    kind: str
    alias: str
    mac: str
    master: str
    apart: bool


@dataclass(frozen=True)
class Reservation:
    """A file of host-local: the address that names it, our plugin's mark on it, its age in seconds."""

    address: str
    path: str
    mark: bytes = b""
    age: float = 0.0


@dataclass
class Trace:
    """All that the host holds for one owner. comments: of nft elements, the owner and its witnesses."""

    container_id: str
    ifname: str
    links: list[str] = field(default_factory=list)
    comments: list[str] = field(default_factory=list)
    reservations: list[Reservation] = field(default_factory=list)

    @property
    def result(self) -> dict[str, Any] | None:
        """Its addresses as a result tells them, None for none.

        Rules of the Go firewall plugin have no other name.
        """
        ips = [{"address": str(ipaddress.ip_interface(found.address))} for found in self.reservations]
        return {"cniVersion": "1.0.0", "ips": ips} if ips else None

    @property
    def things(self) -> str:
        """In a person's words: `interface veth1, address 10.0.0.2, 3 nft elements`."""
        many = f"{len(self.comments)} nft element{'s' * (len(self.comments) > 1)}"
        named = [f"interface {name}" for name in self.links]
        named += [f"address {found.address}" for found in self.reservations]
        return ", ".join(named + [many] * bool(self.comments))


def links() -> dict[str, Link]:
    """The host's interfaces by name; none when they cannot be read."""
    keys = [each.name for each in fields(Link)]
    return {name: Link(**{key: values[key] for key in keys}) for name, values in interfaces().items()}


def traces(network: Network, host_links: Iterable[Link], comments: Iterable[str] = ()) -> dict[str, Trace]:
    """What there is on *network*, by owner text."""
    found: dict[str, Trace] = {}
    for link in host_links:
        if trace := of_owner(found, network.name, link.alias):
            trace.links.append(link.name)
    for comment in comments:
        if trace := of_owner(found, network.name, comment.partition(" ")[0]):
            trace.comments.append(comment)
    for plugin in network.plugins:
        for (container_id, ifname), reserved in reservations(network.name, plugin):
            owner = owner_text(network.name, container_id, ifname)
            trace = found.setdefault(owner, Trace(container_id, ifname))
            trace.container_id = container_id  # whole: an owner text may have a hash in its place
            trace.reservations.append(reserved)
    return found


def of_owner(found: dict[str, Trace], network: str, owner: str) -> Trace | None:
    """The trace of an owner text, a new one if need be; None for one that is not of *network*."""
    parts = owner.split("/")
    if not owner.startswith(network_prefix(network)) or len(parts) != 3 or not all(parts):
        return None
    return found.setdefault(owner, Trace(parts[1], parts[2]))


def elements() -> list[str]:
    """The comments of the elements in our nft tables; none where there is no nftables, or we may not look."""
    try:
        return list(packet_filter.comments(TABLE))
    except OSError:
        return []


def reservations(network: str, plugin: Mapping[str, Any]) -> Iterator[tuple[tuple[str, str], Reservation]]:
    """Yield owner (container ID, ifname) and file of each address that host-local keeps for a network.

    ifname is "" in files of old releases; both are "" in a file that a crash has left empty or full of zeros.
    Any other file that names no owner is skipped, because a person may have put it there to block
    the address.
    """
    folder = directory(network, plugin)
    for name in sorted(names_in(folder)) if folder else ():
        path = os.path.join(folder, name)
        with contextlib.suppress(ValueError, OSError):  # no address, or gone meanwhile, or no regular file
            address = str(ipaddress.ip_address(name))
            content, age = contents(path)
            owner = ("", "") if reservation.is_torn(content) else reservation.owner(content)
            if owner:
                yield owner, Reservation(address, path, mark_of(path), age)


def directory(network: str, plugin: Mapping[str, Any]) -> str:
    """Where host-local keeps a network's addresses, "" if the plugin uses another IPAM."""
    ipam = plugin.get("ipam")
    if not isinstance(ipam, dict) or ipam.get("type") != "host-local":
        return ""
    return os.path.join(str(ipam.get("dataDir") or reservation.DATA_DIR), network)


def names_in(folder: str) -> list[str]:
    """The names of what is in a folder; none when it cannot be read."""
    try:
        return os.listdir(folder)
    except (OSError, ValueError):
        return []


def contents(path: str) -> tuple[bytes, float]:
    """The trimmed content of a reservation, and its age in seconds.

    Raises OSError when it is no regular file.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
    with open(descriptor, "rb") as file:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise OSError(None, "no regular file")
        return file.read(reservation.CONTENT_LIMIT).strip(), time.time() - status.st_mtime


def mark_of(path: str) -> bytes:
    """The mark that our host-local set on a reservation, b"" where there is none."""
    try:
        return os.getxattr(path, reservation.ATTRIBUTE, follow_symlinks=False)
    except OSError:
        return b""
