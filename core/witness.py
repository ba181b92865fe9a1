"""What an nft element's comment says behind its owner: the witnesses of that owner's existence.

    net/c1/eth0                                        the host veth that our bridge names after the owner
    net/c1/eth0 lxc1 netns:26:1041:/run/netns/c1       a host interface, and the namespace's path in the
                                                       folder with that device and inode
    net/c1/eth0 -                                      none

One witness that is gone proves that the owner is. Pure.
"""

from __future__ import annotations

from core.attachment import host_ifname, host_ifnames
from core.record import Record

NEVER_GONE = "-"
NETNS, PROC = "netns:", "/proc/"
ENDS = ("veth", "netkit", "tun")  # kinds of links that go with their end in the container


class Witnesses(Record):
    """What a comment names; "" for what it does not.

    link: a host interface. path: the namespace's. folder: its folder's identity, as folder_identity gives it.
    """

    owner: str
    link: str = ""
    folder: str = ""
    path: str = ""


def read(comment: str) -> Witnesses:
    """The witnesses in an element's comment."""
    owner, _, words = comment.partition(" ")
    if not words:
        return Witnesses(owner, host_ifname(owner) if owner else "")
    if not owner or words == NEVER_GONE:
        return Witnesses(owner)
    link, _, place = f" {words}".partition(f" {NETNS}")
    device, _, rest = place.partition(":")
    inode, _, path = rest.partition(":")
    return Witnesses(owner, link.strip(), f"{device}:{inode}" if path else "", path)


def word(path: str, device: int, inode: int) -> str:
    """A namespace's path as a word of the comment, with the identity of its folder."""
    return f"{NETNS}{folder_identity(device, inode)}:{path}"


def folder(path: str) -> str:
    """The folder whose identity tells whether a path means the same to us; /proc where it has a pid."""
    return path[: path.index(PROC) + len(PROC)] if PROC in path else path.rpartition("/")[0] or "/"


def folder_identity(device: int, inode: int) -> str:
    """`device:inode`"""
    return f"{device}:{inode}"


def holds_anothers(link: str, alias: str, owner: str) -> bool:
    """Whether a host interface with a name that we give to *owner* is another attachment's by its alias."""
    return alias not in ("", owner) and link in host_ifnames(owner)
