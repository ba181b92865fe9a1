"""The witnesses of an owner's existence (core.witness), chosen by ADD and looked for afterwards.

Loaded behind another suite's plugin, and where something stands in the way. Law: what cannot be proven gone
counts as alive. Rules in nft do not outlive a boot, so neither do the witnesses.
"""

from __future__ import annotations

from core import system
from core.plan.records import HOST
from core.witness import ENDS, NEVER_GONE, folder, folder_identity, holds_anothers, read, word

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

COMMENT_BYTES = 253  # that an nft comment holds


def words(kernel: Any, owner: str, links: list[str], netns: str) -> str:
    """The witnesses of *owner*, as words. Raises OSError.

    They are the first of the host's *links* whose other end is in the container, and the path of its
    namespace.
    """
    kept = ""
    for witness in (*ends(kernel, links)[:1], _path(netns)):
        longer = f"{kept} {witness}".strip()
        if len(owner) + 1 + len(system.encoded(longer)) <= COMMENT_BYTES:
            kept = longer
    return kept or NEVER_GONE


def ends(kernel: Any, links: list[str]) -> list[str]:
    """Those of the host's *links* whose other end is in the container. Raises OSError."""
    return [name for name in links if getattr(kernel.link(HOST, name), "kind", "") in ENDS]


def _path(netns: str) -> str:
    """The namespace's path as a witness, "" where it cannot be one."""
    try:
        netns.encode()
        found = system.stat(folder(netns))
    except (OSError, ValueError):
        return ""
    is_one = netns.startswith("/") and system.there(netns)
    return word(netns, found.st_dev, found.st_ino) if is_one else ""


def is_gone(kernel: Any, comment: str) -> bool:
    """Whether a witness of the owner in a *comment* is no more. Raises OSError."""
    named = read(comment)
    if named.link and _is_no_more(kernel, named.link, named.owner):
        return True
    return bool(named.path) and _is_unlinked(named.path, named.folder)


def _is_no_more(kernel: Any, name: str, owner: str) -> bool:
    """Whether a host interface is gone. One with a name that we give may be another attachment's by now."""
    link = kernel.link(HOST, name)
    return link is None or holds_anothers(name, link.alias, owner)


def _is_unlinked(path: str, identity: str) -> bool:
    """Whether *path* was in the folder with that identity and is not any more.

    A folder that is another one proves nothing.
    """
    try:
        found = system.stat(folder(path))
    except (OSError, ValueError):
        return False
    if folder_identity(found.st_dev, found.st_ino) != identity:
        return False
    try:
        system.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError:
        return False
    return False
