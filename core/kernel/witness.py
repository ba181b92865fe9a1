"""What proves that the owner of an nft element is gone: words behind the owner in the element's comment.

    net/c1/eth0                                        the host veth that our bridge names after the owner
    net/c1/eth0 lxc1 netns:26:1041:/run/netns/c1       a host interface, and the namespace's path in the
                                                       folder with that device and inode
    net/c1/eth0 -                                      nothing does

One witness that is gone proves it. Loaded behind another suite's plugin, and where something stands in the
way. Law: what cannot be proven gone counts as alive. Rules in nft do not outlive a boot, so neither do the
witnesses.
"""

from __future__ import annotations

from core import system
from core.attachment import NEVER_GONE, host_ifname, host_ifnames
from core.plan.records import HOST

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

COMMENT_BYTES = 253  # that an nft comment holds
ENDS = (
    "veth",
    "netkit",
    "tun",
)  # kinds of links that go with the container's end; a bridge or an uplink outlives it
NETNS, PROC = "netns:", "/proc/"


def words(kernel: Any, owner: str, links: list[str], netns: str) -> str:
    """The witnesses of *owner*, as words. Raises OSError.

    They are the first of the host's *links* whose other end is in the container, and the path of its
    namespace.
    """
    ends = [name for name in links if getattr(kernel.link(HOST, name), "kind", "") in ENDS]
    kept = ""
    for witness in (*ends[:1], _path(netns)):
        longer = f"{kept} {witness}".strip()
        if len(owner) + 1 + len(system.encoded(longer)) <= COMMENT_BYTES:
            kept = longer
    return kept or NEVER_GONE


def _path(netns: str) -> str:
    """The namespace's path as a witness, "" where it cannot be one."""
    try:
        netns.encode()
        folder = system.stat(_folder(netns))
    except (OSError, ValueError):
        return ""
    return (
        f"{NETNS}{folder.st_dev}:{folder.st_ino}:{netns}"
        if netns.startswith("/") and system.there(netns)
        else ""
    )


def _folder(path: str) -> str:
    """The folder whose identity tells whether a path means the same to us; /proc where it has a pid."""
    return path[: path.index(PROC) + len(PROC)] if PROC in path else system.parent(path)


def is_gone(kernel: Any, comment: str) -> bool:
    """Whether a witness of the owner in a *comment* is no more. Raises OSError."""
    owner, _, rest = comment.partition(" ")
    if not owner or rest == NEVER_GONE:
        return False
    link, _, place = f" {rest}".partition(f" {NETNS}")
    link = link.strip() or (host_ifname(owner) if not rest else "")
    return bool(link) and _is_no_more(kernel, link, owner) or bool(place) and _is_unlinked(place)


def _is_no_more(kernel: Any, name: str, owner: str) -> bool:
    """Whether a host interface is gone. One with a name that we give may be another attachment's by now."""
    link = kernel.link(HOST, name)
    return link is None or (name in host_ifnames(owner) and link.alias not in ("", owner))


def _is_unlinked(place: str) -> bool:
    """Whether "device:inode:path" was in that folder and is not any more.

    A folder that is another one proves nothing.
    """
    device, _, rest = place.partition(":")
    inode, _, path = rest.partition(":")
    try:
        folder = system.stat(_folder(path))
    except (OSError, ValueError):
        return False
    if (f"{folder.st_dev}", f"{folder.st_ino}") != (device, inode):
        return False
    try:
        system.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError:
        return False
    return False
